//! The tables of mesh, as diesel sees them.

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
