CREATE TABLE dead_letter (
    consumer text NOT NULL,
    message_id uuid NOT NULL,
    type text NOT NULL,
    payload bytea NOT NULL,
    headers jsonb NOT NULL DEFAULT '{}',
    attempts integer NOT NULL,
    reason text NOT NULL,
    park_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT dead_letter_pkey PRIMARY KEY (consumer, message_id),
    CONSTRAINT dead_letter_attempts CHECK (attempts >= 0)
);
CREATE INDEX dead_letter_park_time ON dead_letter (park_time, message_id);
COMMENT ON TABLE dead_letter IS 'Messages that nobody can handle; acknowledged at the broker, waiting for an operator.';
COMMENT ON COLUMN dead_letter.consumer IS 'Queue without the prefix of the broker.';
COMMENT ON COLUMN dead_letter.message_id IS 'Id given by the publisher; of a message without one, made of what it says.';
COMMENT ON COLUMN dead_letter.type IS 'Full protobuf name as the publisher said it; empty: it said none.';
COMMENT ON COLUMN dead_letter.payload IS 'Body as it came.';
COMMENT ON COLUMN dead_letter.headers IS 'Text headers of the delivery.';
COMMENT ON COLUMN dead_letter.attempts IS 'Failed attempts before the last one that are known.';
COMMENT ON COLUMN dead_letter.reason IS 'Why nobody can handle it.';
COMMENT ON COLUMN dead_letter.park_time IS 'When it was laid aside.';
