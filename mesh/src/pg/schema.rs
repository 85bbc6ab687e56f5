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
    idempotency (account_id, method, request_id) {
        account_id -> Uuid,
        method -> Text,
        request_id -> Uuid,
        request_hash -> Binary,
        resource_id -> Uuid,
        create_time -> Timestamptz,
    }
}
