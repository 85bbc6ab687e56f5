CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY,
    message_id uuid NOT NULL,
    part smallint NOT NULL,
    aggregate uuid NOT NULL,
    type text NOT NULL,
    exchange text NOT NULL,
    payload bytea NOT NULL,
    headers jsonb NOT NULL DEFAULT '{}',
    create_time timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_time timestamptz,
    parked_time timestamptz,
    last_error text,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_message_id_key UNIQUE (message_id),
    CONSTRAINT outbox_part_range CHECK (part BETWEEN 0 AND 15)
);
CREATE INDEX outbox_part_id ON outbox (part, id) WHERE parked_time IS NULL;
CREATE INDEX outbox_parked ON outbox (id) WHERE parked_time IS NOT NULL;
COMMENT ON TABLE outbox IS 'Messages on their way to the broker: written in the transaction of the effect, deleted after the broker''s confirm.';
COMMENT ON COLUMN outbox.id IS 'Order of publishing within a part. Commits may invert it; nobody relies on order.';
COMMENT ON COLUMN outbox.message_id IS 'UUIDv7 by which consumers recognise a repeated delivery.';
COMMENT ON COLUMN outbox.part IS 'crc32 of the aggregate mod 16; one relay at a time publishes a part.';
COMMENT ON COLUMN outbox.aggregate IS 'What the message is about; header cloudEvents_subject.';
COMMENT ON COLUMN outbox.type IS 'Full protobuf name of the message; routing key and header cloudEvents_type.';
COMMENT ON COLUMN outbox.exchange IS 'Topic exchange without the prefix of the broker.';
COMMENT ON COLUMN outbox.payload IS 'Encoded protobuf message.';
COMMENT ON COLUMN outbox.headers IS 'Text headers beside cloudEvents_*, e.g. traceparent.';
COMMENT ON COLUMN outbox.create_time IS 'Start of the transaction that wrote the row; header cloudEvents_time.';
COMMENT ON COLUMN outbox.attempts IS 'Publishings of this row alone that failed (Nack, return). A lost connection does not count.';
COMMENT ON COLUMN outbox.next_attempt_time IS 'The relay leaves the row alone until then; null: now.';
COMMENT ON COLUMN outbox.parked_time IS 'Since when the row is known to be unpublishable; null: it is not. A parked row blocks nobody and waits for an operator.';
COMMENT ON COLUMN outbox.last_error IS 'Why the last attempt failed.';

CREATE TABLE outbox_part (
    part smallint NOT NULL,
    lease_owner text,
    lease_until timestamptz,
    lease_gen bigint NOT NULL DEFAULT 0,
    CONSTRAINT outbox_part_pkey PRIMARY KEY (part),
    CONSTRAINT outbox_part_part_range CHECK (part BETWEEN 0 AND 15),
    CONSTRAINT outbox_part_lease_whole CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
INSERT INTO outbox_part (part) SELECT generate_series(0, 15);
COMMENT ON TABLE outbox_part IS 'Who publishes which part of the outbox.';
COMMENT ON COLUMN outbox_part.part IS 'Part of the outbox; sixteen rows, never more or fewer.';
COMMENT ON COLUMN outbox_part.lease_owner IS 'Service name and boot id of the relay that holds the part; null: free.';
COMMENT ON COLUMN outbox_part.lease_until IS 'End of the lease by the database''s clock.';
COMMENT ON COLUMN outbox_part.lease_gen IS 'Raised by every new owner; a write that names an old one changes nothing.';

CREATE TABLE inbox (
    consumer text NOT NULL,
    message_id uuid NOT NULL,
    receive_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id)
);
-- BRIN: rows arrive in the order of their time, so a few pages of index find what the sweep removes.
CREATE INDEX inbox_receive_time ON inbox USING brin (receive_time);
COMMENT ON TABLE inbox IS 'Messages that had their effect, written in the transaction of the effect; removed after 14 days in batches.';
COMMENT ON COLUMN inbox.consumer IS 'Queue without the prefix of the broker.';
COMMENT ON COLUMN inbox.message_id IS 'Id given by the publisher.';
COMMENT ON COLUMN inbox.receive_time IS 'Start of the transaction of the effect.';

CREATE TABLE retry_message (
    consumer text NOT NULL,
    message_id uuid NOT NULL,
    type text NOT NULL,
    payload bytea NOT NULL,
    headers jsonb NOT NULL DEFAULT '{}',
    attempts integer NOT NULL,
    next_attempt_time timestamptz NOT NULL,
    last_error text NOT NULL,
    CONSTRAINT retry_message_pkey PRIMARY KEY (consumer, message_id),
    CONSTRAINT retry_message_attempts CHECK (attempts >= 1)
);
CREATE INDEX retry_message_due ON retry_message (next_attempt_time);
COMMENT ON TABLE retry_message IS 'Messages whose effect failed for now; acknowledged at the broker, tried again from here.';
COMMENT ON COLUMN retry_message.consumer IS 'Queue without the prefix of the broker.';
COMMENT ON COLUMN retry_message.message_id IS 'Id given by the publisher.';
COMMENT ON COLUMN retry_message.type IS 'Full protobuf name of the message.';
COMMENT ON COLUMN retry_message.payload IS 'Encoded protobuf message.';
COMMENT ON COLUMN retry_message.headers IS 'Text headers of the delivery.';
COMMENT ON COLUMN retry_message.attempts IS 'Failed attempts so far, the first delivery included.';
COMMENT ON COLUMN retry_message.next_attempt_time IS 'Not tried before, by the database''s clock.';
COMMENT ON COLUMN retry_message.last_error IS 'Why the last attempt failed.';

CREATE TABLE idempotency (
    account_id uuid NOT NULL,
    method text NOT NULL,
    request_id uuid NOT NULL,
    request_hash bytea NOT NULL,
    resource_id uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (account_id, method, request_id),
    CONSTRAINT idempotency_request_hash_sha256 CHECK (octet_length(request_hash) = 32)
);
CREATE INDEX idempotency_create_time ON idempotency USING brin (create_time);
COMMENT ON TABLE idempotency IS 'Requests that had their effect, written in the transaction of the effect; removed after 24 hours in batches.';
COMMENT ON COLUMN idempotency.account_id IS 'Who called.';
COMMENT ON COLUMN idempotency.method IS 'package.Service/Method.';
COMMENT ON COLUMN idempotency.request_id IS 'Id chosen by the caller.';
COMMENT ON COLUMN idempotency.request_hash IS 'SHA-256 of the encoded request without its request_id.';
COMMENT ON COLUMN idempotency.resource_id IS 'What a replay answers with, as it is then.';
COMMENT ON COLUMN idempotency.create_time IS 'Start of the transaction of the effect.';

CREATE TABLE audit_log (
    audit_id uuid NOT NULL,
    method text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL,
    resource_id text NOT NULL,
    code text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT audit_log_pkey PRIMARY KEY (audit_id)
);
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
COMMENT ON TABLE audit_log IS 'Calls whose method policy says audit; append-only.';
COMMENT ON COLUMN audit_log.audit_id IS 'UUIDv7.';
COMMENT ON COLUMN audit_log.method IS 'package.Service/Method.';
COMMENT ON COLUMN audit_log.subject IS 'Account or mesh identity that called.';
COMMENT ON COLUMN audit_log.reason IS 'Reason given by the caller.';
COMMENT ON COLUMN audit_log.resource_id IS 'What the call was about.';
COMMENT ON COLUMN audit_log.code IS 'Name of the gRPC code it was answered with.';
COMMENT ON COLUMN audit_log.create_time IS 'When it was written.';
