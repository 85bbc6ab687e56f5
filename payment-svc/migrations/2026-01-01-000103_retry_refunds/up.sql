ALTER TABLE refund
    ADD COLUMN retries integer NOT NULL DEFAULT 0,
    ADD COLUMN key_time timestamptz,
    ADD COLUMN park_time timestamptz,
    ADD CONSTRAINT refund_retries CHECK (retries >= 0),
    ADD CONSTRAINT refund_park_time CHECK (park_time IS NULL OR state = 'PARKED');
COMMENT ON COLUMN refund.idempotency_key IS 'uuidv5(refund, retries), sent with every try until the next retry.';
COMMENT ON COLUMN refund.state IS 'SENT without an answer is inquired before it is sent again; PARKED was refused, or its key ran out, and waits for RetryRefund.';
COMMENT ON COLUMN refund.retries IS 'How often an operator retried it after it was parked.';
COMMENT ON COLUMN refund.key_time IS 'Since when idempotency_key may have been used; null: since create_time.';
COMMENT ON COLUMN refund.park_time IS 'Since when it is parked; null: it is not, or an older version parked it.';
