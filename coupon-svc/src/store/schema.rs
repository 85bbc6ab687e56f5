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
