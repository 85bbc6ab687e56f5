//! The tables of mesh, as diesel sees them.

diesel::table! {
    audit_log (audit_id) {
        audit_id -> Uuid,
        method -> Text,
        subject -> Text,
        reason -> Text,
        resource_id -> Text,
        code -> Text,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    dead_letter (consumer, message_id) {
        consumer -> Text,
        message_id -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        payload -> Binary,
        headers -> Jsonb,
        attempts -> Integer,
        reason -> Text,
        park_time -> Timestamptz,
    }
}

diesel::table! {
    idempotency (account_id, method, request_id) {
        account_id -> Uuid,
        method -> Text,
        request_id -> Uuid,
        request_hash -> Binary,
        resource_id -> Uuid,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    inbox (consumer, message_id) {
        consumer -> Text,
        message_id -> Uuid,
        receive_time -> Timestamptz,
    }
}

diesel::table! {
    outbox (id) {
        id -> BigInt,
        message_id -> Uuid,
        part -> SmallInt,
        aggregate -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        exchange -> Text,
        payload -> Binary,
        headers -> Jsonb,
        create_time -> Timestamptz,
        attempts -> Integer,
        next_attempt_time -> Nullable<Timestamptz>,
        parked_time -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    retry_message (consumer, message_id) {
        consumer -> Text,
        message_id -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        payload -> Binary,
        headers -> Jsonb,
        attempts -> Integer,
        next_attempt_time -> Timestamptz,
        last_error -> Text,
    }
}
