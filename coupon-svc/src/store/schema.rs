//! The tables, as diesel sees them.

diesel::table! {
    campaign (campaign_id) {
        campaign_id -> Uuid,
        seller_id -> Nullable<Uuid>,
        name -> Text,
        terms -> Jsonb,
        stock -> Nullable<BigInt>,
        per_account_max -> SmallInt,
        claim_open_time -> Timestamptz,
        claim_close_time -> Timestamptz,
        use_open_time -> Nullable<Timestamptz>,
        use_close_time -> Nullable<Timestamptz>,
        use_days -> Nullable<SmallInt>,
        state -> Text,
        version -> BigInt,
        gate_epoch -> BigInt,
        gate_busy_until -> Nullable<Timestamptz>,
        create_time -> Timestamptz,
        uses_per_coupon -> SmallInt,
        issue -> Text,
    }
}

diesel::table! {
    campaign_stock (campaign_id, shard) {
        campaign_id -> Uuid,
        shard -> SmallInt,
        remaining -> BigInt,
    }
}

diesel::table! {
    coupon (coupon_id) {
        coupon_id -> Uuid,
        campaign_id -> Uuid,
        account_id -> Uuid,
        n -> SmallInt,
        state -> Text,
        issue_time -> Timestamptz,
        valid_from_time -> Timestamptz,
        expire_time -> Timestamptz,
        uses_max -> SmallInt,
        uses -> SmallInt,
        revoke_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    reservation (reservation_id) {
        reservation_id -> Uuid,
        booking_id -> Uuid,
        account_id -> Nullable<Uuid>,
        state -> Text,
        create_time -> Timestamptz,
        change_time -> Timestamptz,
    }
}

diesel::table! {
    reservation_coupon (reservation_id, coupon_id) {
        reservation_id -> Uuid,
        coupon_id -> Uuid,
        held -> Bool,
        restored -> Bool,
    }
}

diesel::table! {
    code_batch (batch_id) {
        batch_id -> Uuid,
        campaign_id -> Uuid,
        seed -> Bytea,
        codes -> Integer,
        uses_max -> BigInt,
        stored -> Integer,
        create_time -> Timestamptz,
        revoke_time -> Nullable<Timestamptz>,
        request_key -> Nullable<Uuid>,
        request_hash -> Nullable<Bytea>,
    }
}

diesel::table! {
    code (code_hash) {
        code_hash -> Bytea,
        batch_id -> Uuid,
        uses_max -> BigInt,
        uses -> BigInt,
    }
}

diesel::table! {
    code_redemption (account_id, request_id) {
        account_id -> Uuid,
        request_id -> Uuid,
        code_hash -> Bytea,
        coupon_id -> Uuid,
        redeem_time -> Timestamptz,
    }
}

diesel::table! {
    claim_batch (batch_id) {
        batch_id -> Uuid,
        campaign_id -> Uuid,
        account_id -> Uuid,
        request_hash -> Bytea,
        queue_time -> Timestamptz,
        decide_time -> Nullable<Timestamptz>,
        decided -> Nullable<Bytea>,
    }
}

diesel::joinable!(code -> code_batch (batch_id));
diesel::joinable!(code_redemption -> coupon (coupon_id));
diesel::allow_tables_to_appear_in_same_query!(code_batch, code, code_redemption, coupon);
diesel::allow_tables_to_appear_in_same_query!(campaign, coupon);

diesel::table! {
    coupon_grant (grant_id) {
        grant_id -> Uuid,
        campaign_id -> Uuid,
        state -> Text,
        total -> Integer,
        granted -> Integer,
        already_had -> Integer,
        no_stock -> Integer,
        too_late -> Integer,
        create_time -> Timestamptz,
        finish_time -> Nullable<Timestamptz>,
        request_key -> Nullable<Uuid>,
        request_hash -> Nullable<Bytea>,
    }
}

diesel::table! {
    grant_recipient (grant_id, n) {
        grant_id -> Uuid,
        n -> Integer,
        account_id -> Uuid,
        outcome -> Text,
        coupon_id -> Nullable<Uuid>,
    }
}
