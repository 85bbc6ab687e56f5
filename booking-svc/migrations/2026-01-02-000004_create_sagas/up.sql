CREATE TABLE saga (
    saga_id uuid NOT NULL,
    kind text NOT NULL,
    def_version integer NOT NULL,
    subject_id uuid NOT NULL,
    state text NOT NULL,
    direction text NOT NULL,
    step text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz,
    lease_gen bigint NOT NULL DEFAULT 0,
    next_run_time timestamptz NOT NULL,
    deadline_time timestamptz,
    context bytea NOT NULL,
    last_error text,
    park_reason text,
    park_by text,
    park_time timestamptz,
    traceparent text,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT saga_pkey PRIMARY KEY (saga_id),
    CONSTRAINT saga_subject UNIQUE (kind, subject_id),
    CONSTRAINT saga_state CHECK (state IN ('RUNNING', 'WAITING', 'COMPENSATING', 'DONE', 'COMPENSATED', 'PARKED')),
    CONSTRAINT saga_direction CHECK (direction IN ('FORWARD', 'BACK')),
    CONSTRAINT saga_parked CHECK ((state = 'PARKED') = (park_reason IS NOT NULL))
);
CREATE INDEX saga_due ON saga (next_run_time) WHERE state IN ('RUNNING', 'WAITING', 'COMPENSATING');
COMMENT ON TABLE saga IS 'Where each saga stands. Every UPDATE names the lease_gen it read, so that who lost the lease changes nothing.';
COMMENT ON COLUMN saga.saga_id IS 'UUIDv7; sagas are locked first and in ascending order.';
COMMENT ON COLUMN saga.kind IS 'Definition, e.g. book.';
COMMENT ON COLUMN saga.def_version IS 'Version of the definition; an instance claims only versions it knows.';
COMMENT ON COLUMN saga.subject_id IS 'What it is about, e.g. the booking.';
COMMENT ON COLUMN saga.state IS 'RUNNING, WAITING, COMPENSATING, then DONE or COMPENSATED; PARKED by a person or after 24 h.';
COMMENT ON COLUMN saga.direction IS 'FORWARD or BACK; never BACK to FORWARD. Money belongs to the booking only while FORWARD.';
COMMENT ON COLUMN saga.step IS 'Step it is at.';
COMMENT ON COLUMN saga.attempts IS 'Attempts of this step.';
COMMENT ON COLUMN saga.lease_owner IS 'Service name and boot id of the instance that works on it.';
COMMENT ON COLUMN saga.lease_until IS 'From then on another instance may take it.';
COMMENT ON COLUMN saga.lease_gen IS 'Plus 1 with every claim: the fence.';
COMMENT ON COLUMN saga.next_run_time IS 'When it is due.';
COMMENT ON COLUMN saga.deadline_time IS 'When a WAITING step gives up.';
COMMENT ON COLUMN saga.context IS 'Encoded state of the definition.';
COMMENT ON COLUMN saga.last_error IS 'Why the last attempt failed, for operators.';
COMMENT ON COLUMN saga.park_reason IS 'Why it is PARKED.';
COMMENT ON COLUMN saga.park_by IS 'Who parked it.';
COMMENT ON COLUMN saga.park_time IS 'When it was parked.';
COMMENT ON COLUMN saga.traceparent IS 'W3C trace of the call that opened it.';
COMMENT ON COLUMN saga.create_time IS 'When it was opened.';

CREATE TABLE saga_event (
    saga_id uuid NOT NULL,
    seq integer NOT NULL,
    step text NOT NULL,
    kind text NOT NULL,
    attempt integer NOT NULL,
    lease_gen bigint NOT NULL,
    data jsonb NOT NULL DEFAULT '{}',
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT saga_event_pkey PRIMARY KEY (saga_id, seq),
    CONSTRAINT saga_event_saga_fkey FOREIGN KEY (saga_id) REFERENCES saga (saga_id),
    CONSTRAINT saga_event_kind CHECK (
        kind IN ('INTENT', 'OK', 'FAIL', 'UNKNOWN', 'UNDO_INTENT', 'UNDO_OK', 'UNDO_FAIL', 'ADMIN')
    )
);
CREATE UNIQUE INDEX saga_event_once ON saga_event (saga_id, step, kind, attempt) WHERE kind <> 'ADMIN';
CREATE FUNCTION saga_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'saga_event is append-only' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER saga_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON saga_event
    FOR EACH STATEMENT EXECUTE FUNCTION saga_event_is_append_only();
COMMENT ON TABLE saga_event IS 'What each saga did, in order. Append-only.';
COMMENT ON COLUMN saga_event.saga_id IS 'Saga.';
COMMENT ON COLUMN saga_event.seq IS 'Number within the saga, from 0.';
COMMENT ON COLUMN saga_event.step IS 'Step.';
COMMENT ON COLUMN saga_event.kind IS 'What happened; an INTENT is committed before its effect.';
COMMENT ON COLUMN saga_event.attempt IS 'Attempt of the step, from 1.';
COMMENT ON COLUMN saga_event.lease_gen IS 'Lease under which it was written.';
COMMENT ON COLUMN saga_event.data IS 'Facts for operators, without secrets.';
COMMENT ON COLUMN saga_event.create_time IS 'When it was written.';
