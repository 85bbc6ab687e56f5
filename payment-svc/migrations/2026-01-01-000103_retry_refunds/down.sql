COMMENT ON COLUMN refund.state IS 'SENT without an answer is inquired before it is sent again; PARKED was refused and waits for a person.';
COMMENT ON COLUMN refund.idempotency_key IS 'uuidv5(refund), sent with every try.';
ALTER TABLE refund DROP COLUMN retries, DROP COLUMN key_time, DROP COLUMN park_time;
