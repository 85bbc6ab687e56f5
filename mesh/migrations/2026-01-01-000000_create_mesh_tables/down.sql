DROP TABLE audit_log;
DROP FUNCTION audit_log_is_append_only;
DROP TABLE idempotency;
DROP TABLE retry_message;
DROP TABLE inbox;
DROP TABLE outbox_part;
DROP TABLE outbox;
