//! The tables, as diesel sees them.

diesel::table! {
    payment (payment_id) {
        payment_id -> Uuid,
        booking_id -> Uuid,
        account_id -> Nullable<Uuid>,
        method -> Nullable<Text>,
        provider -> Nullable<Text>,
        order_name -> Nullable<Text>,
        amount -> Nullable<BigInt>,
        currency -> Nullable<Text>,
        captured_amount -> BigInt,
        refund_amount -> BigInt,
        refunded_amount -> BigInt,
        provider_payment_key -> Nullable<Text>,
        state -> Text,
        request_hash -> Nullable<Binary>,
        cancel_requested_time -> Nullable<Timestamptz>,
        expire_time -> Nullable<Timestamptz>,
        next_check_time -> Nullable<Timestamptz>,
        checks -> Integer,
        lease_owner -> Nullable<Text>,
        lease_until -> Nullable<Timestamptz>,
        lease_gen -> BigInt,
        version -> BigInt,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    payment_attempt (payment_id, attempt_no) {
        payment_id -> Uuid,
        attempt_no -> Integer,
        op -> Text,
        idempotency_key -> Uuid,
        provider_payment_key -> Text,
        amount -> BigInt,
        state -> Text,
        first_send_time -> Timestamptz,
        last_send_time -> Timestamptz,
        absent_reads -> Integer,
        provider_code -> Nullable<Text>,
        customer_may_retry -> Nullable<Bool>,
    }
}

diesel::table! {
    payment_event (payment_id, seq) {
        payment_id -> Uuid,
        seq -> BigInt,
        from_state -> Text,
        to_state -> Text,
        cause -> Text,
        detail -> Text,
    }
}

diesel::table! {
    refund (refund_id) {
        refund_id -> Uuid,
        payment_id -> Uuid,
        amount -> BigInt,
        currency -> Text,
        cause -> Text,
        request_hash -> Nullable<Binary>,
        idempotency_key -> Uuid,
        state -> Text,
        attempts -> Integer,
        next_attempt_time -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
        create_time -> Timestamptz,
        done_time -> Nullable<Timestamptz>,
        retries -> Integer,
        key_time -> Nullable<Timestamptz>,
        park_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    late_capture (provider, provider_payment_key) {
        provider -> Text,
        provider_payment_key -> Text,
        payment_id -> Uuid,
        captured_amount -> BigInt,
        refund_id -> Uuid,
    }
}
