CREATE TABLE payment (
    payment_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    account_id uuid,
    method text,
    provider text,
    order_name text,
    amount bigint,
    currency char(3),
    captured_amount bigint NOT NULL DEFAULT 0,
    refund_amount bigint NOT NULL DEFAULT 0,
    refunded_amount bigint NOT NULL DEFAULT 0,
    provider_payment_key text,
    state text NOT NULL,
    request_hash bytea,
    cancel_requested_time timestamptz,
    expire_time timestamptz,
    next_check_time timestamptz,
    checks integer NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz,
    lease_gen bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT payment_pkey PRIMARY KEY (payment_id),
    CONSTRAINT payment_state_known CHECK (state IN ('AWAITING_CUSTOMER', 'PROCESSING', 'UNKNOWN', 'CAPTURED', 'DECLINED', 'CANCELLED', 'EXPIRED', 'PARTIALLY_REFUNDED', 'REFUNDED')),
    CONSTRAINT payment_method_known CHECK (method IN ('ON_SITE', 'FREE')),
    CONSTRAINT payment_refund_limit CHECK (0 <= refunded_amount AND refunded_amount <= refund_amount AND refund_amount <= captured_amount),
    CONSTRAINT payment_captured_amount CHECK (captured_amount >= 0),
    CONSTRAINT payment_amount CHECK (amount >= 0),
    CONSTRAINT payment_free_is_free CHECK (method <> 'FREE' OR amount = 0),
    CONSTRAINT payment_tombstone_or_whole CHECK (
        (method IS NULL AND account_id IS NULL AND amount IS NULL AND currency IS NULL AND request_hash IS NULL AND order_name IS NULL AND state = 'CANCELLED')
        OR (method IS NOT NULL AND account_id IS NOT NULL AND amount IS NOT NULL AND currency IS NOT NULL AND request_hash IS NOT NULL AND order_name IS NOT NULL)),
    CONSTRAINT payment_on_site_expires CHECK (method <> 'ON_SITE' OR (provider IS NOT NULL AND expire_time IS NOT NULL)),
    CONSTRAINT payment_awaited_is_checked CHECK ((state IN ('PROCESSING', 'UNKNOWN')) = (next_check_time IS NOT NULL)),
    CONSTRAINT payment_lease_whole CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CONSTRAINT payment_key_one_payment UNIQUE (provider, provider_payment_key)
);
CREATE UNIQUE INDEX payment_one_live_booking ON payment (booking_id)
    WHERE state IN ('AWAITING_CUSTOMER', 'PROCESSING', 'UNKNOWN', 'CAPTURED', 'PARTIALLY_REFUNDED');
CREATE INDEX payment_next_check ON payment (next_check_time) WHERE next_check_time IS NOT NULL;
CREATE INDEX payment_deadline ON payment (expire_time) WHERE state = 'AWAITING_CUSTOMER';
CREATE INDEX payment_of_account ON payment (account_id, create_time DESC, payment_id DESC);
CREATE INDEX payment_of_booking ON payment (booking_id, create_time DESC, payment_id DESC);
CREATE INDEX payment_newest ON payment (create_time DESC, payment_id DESC);
COMMENT ON TABLE payment IS 'One order at a provider, or a tombstone: the cancel of a payment that was never created.';
COMMENT ON COLUMN payment.payment_id IS 'Request id of its creation; order id at the provider.';
COMMENT ON COLUMN payment.booking_id IS 'Booking it pays.';
COMMENT ON COLUMN payment.account_id IS 'Account that may confirm; null: tombstone.';
COMMENT ON COLUMN payment.method IS 'ON_SITE or FREE; null: tombstone.';
COMMENT ON COLUMN payment.provider IS 'Provider, null for FREE.';
COMMENT ON COLUMN payment.order_name IS 'What the provider shows to the buyer.';
COMMENT ON COLUMN payment.amount IS 'Minor units asked.';
COMMENT ON COLUMN payment.currency IS 'ISO 4217 code of every amount of the row.';
COMMENT ON COLUMN payment.captured_amount IS 'Minor units taken: the truth, also when it is another amount than asked.';
COMMENT ON COLUMN payment.refund_amount IS 'Minor units that refunds ask for, done or not.';
COMMENT ON COLUMN payment.refunded_amount IS 'Minor units that went back.';
COMMENT ON COLUMN payment.provider_payment_key IS 'Key of the last attempt at the provider.';
COMMENT ON COLUMN payment.state IS 'Where it stands.';
COMMENT ON COLUMN payment.request_hash IS 'SHA-256 of the creating request without its id.';
COMMENT ON COLUMN payment.cancel_requested_time IS 'Since when no money may stay.';
COMMENT ON COLUMN payment.expire_time IS 'Until when it can be confirmed.';
COMMENT ON COLUMN payment.next_check_time IS 'When the provider is asked next; set exactly while the outcome is awaited.';
COMMENT ON COLUMN payment.checks IS 'Inquiries of the present attempt.';
COMMENT ON COLUMN payment.lease_owner IS 'Process that asks the provider now.';
COMMENT ON COLUMN payment.lease_until IS 'End of its lease by the database''s clock.';
COMMENT ON COLUMN payment.lease_gen IS 'Raised by every claim.';
COMMENT ON COLUMN payment.version IS 'Raised by every change; seq of its payment_event.';
COMMENT ON COLUMN payment.create_time IS 'When it was created.';

CREATE TABLE payment_attempt (
    payment_id uuid NOT NULL,
    attempt_no integer NOT NULL,
    op text NOT NULL,
    idempotency_key uuid NOT NULL,
    provider_payment_key text NOT NULL,
    amount bigint NOT NULL,
    state text NOT NULL,
    first_send_time timestamptz NOT NULL,
    last_send_time timestamptz NOT NULL,
    absent_reads integer NOT NULL DEFAULT 0,
    provider_code text,
    customer_may_retry boolean,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT payment_attempt_pkey PRIMARY KEY (payment_id, attempt_no),
    CONSTRAINT payment_attempt_payment FOREIGN KEY (payment_id) REFERENCES payment,
    CONSTRAINT payment_attempt_idempotency_key UNIQUE (idempotency_key),
    CONSTRAINT payment_attempt_op_known CHECK (op IN ('CHARGE', 'CONFIRM')),
    CONSTRAINT payment_attempt_state_known CHECK (state IN ('INTENT', 'APPROVED', 'DECLINED', 'PENDING', 'UNKNOWN', 'ABSENT')),
    CONSTRAINT payment_attempt_amount CHECK (amount > 0),
    CONSTRAINT payment_attempt_decline_whole CHECK ((state = 'DECLINED') = (provider_code IS NOT NULL) AND (provider_code IS NULL) = (customer_may_retry IS NULL))
);
CREATE UNIQUE INDEX payment_attempt_one_live ON payment_attempt (payment_id)
    WHERE state IN ('INTENT', 'PENDING', 'UNKNOWN', 'APPROVED');
COMMENT ON TABLE payment_attempt IS 'One try to take the money, committed before anything is sent.';
COMMENT ON COLUMN payment_attempt.payment_id IS 'Payment.';
COMMENT ON COLUMN payment_attempt.attempt_no IS 'Number within the payment, from 1.';
COMMENT ON COLUMN payment_attempt.op IS 'CONFIRM what a buyer authorised, or CHARGE a stored card.';
COMMENT ON COLUMN payment_attempt.idempotency_key IS 'uuidv5(payment, attempt), sent with every try of it.';
COMMENT ON COLUMN payment_attempt.provider_payment_key IS 'Key the provider''s widget gave to the buyer.';
COMMENT ON COLUMN payment_attempt.amount IS 'Minor units asked.';
COMMENT ON COLUMN payment_attempt.state IS 'Where it stands; ABSENT is proven not to have taken money.';
COMMENT ON COLUMN payment_attempt.first_send_time IS 'Nothing was sent before.';
COMMENT ON COLUMN payment_attempt.last_send_time IS 'Latest time at which it may have been sent.';
COMMENT ON COLUMN payment_attempt.absent_reads IS 'Agreeing reads without money so far.';
COMMENT ON COLUMN payment_attempt.provider_code IS 'Code of the decline, as the provider sent it.';
COMMENT ON COLUMN payment_attempt.customer_may_retry IS 'Whether the buyer may try again after the decline.';
COMMENT ON COLUMN payment_attempt.create_time IS 'When it was written.';

CREATE TABLE payment_event (
    payment_id uuid NOT NULL,
    seq bigint NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    cause text NOT NULL,
    detail text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT payment_event_pkey PRIMARY KEY (payment_id, seq),
    CONSTRAINT payment_event_payment FOREIGN KEY (payment_id) REFERENCES payment,
    CONSTRAINT payment_event_cause_known CHECK (cause IN ('CREATE', 'CONFIRM', 'ANSWER', 'INQUIRY', 'DEADLINE', 'CANCEL', 'REFUND'))
);
CREATE FUNCTION payment_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payment_event is append-only' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER payment_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_event
    FOR EACH STATEMENT EXECUTE FUNCTION payment_event_is_append_only();
COMMENT ON TABLE payment_event IS 'Every change of a payment with its cause; append-only.';
COMMENT ON COLUMN payment_event.payment_id IS 'Payment.';
COMMENT ON COLUMN payment_event.seq IS 'Version of the payment after the change.';
COMMENT ON COLUMN payment_event.from_state IS 'State before.';
COMMENT ON COLUMN payment_event.to_state IS 'State after; the same when only money or a wish changed.';
COMMENT ON COLUMN payment_event.cause IS 'Why.';
COMMENT ON COLUMN payment_event.detail IS 'Details for people; no secrets.';
COMMENT ON COLUMN payment_event.create_time IS 'When it was written.';

CREATE TABLE refund (
    refund_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    amount bigint NOT NULL,
    currency char(3) NOT NULL,
    cause text NOT NULL,
    request_hash bytea,
    idempotency_key uuid NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_time timestamptz,
    last_error text,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_time timestamptz,
    CONSTRAINT refund_pkey PRIMARY KEY (refund_id),
    CONSTRAINT refund_payment FOREIGN KEY (payment_id) REFERENCES payment,
    CONSTRAINT refund_idempotency_key UNIQUE (idempotency_key),
    CONSTRAINT refund_amount CHECK (amount > 0),
    CONSTRAINT refund_attempts CHECK (attempts >= 0),
    CONSTRAINT refund_cause_known CHECK (cause IN ('UNDO', 'LATE_CAPTURE', 'OPERATOR')),
    CONSTRAINT refund_state_known CHECK (state IN ('PENDING', 'SENT', 'DONE', 'PARKED')),
    CONSTRAINT refund_due_while_open CHECK ((state IN ('PENDING', 'SENT')) = (next_attempt_time IS NOT NULL)),
    CONSTRAINT refund_done_time CHECK ((state = 'DONE') = (done_time IS NOT NULL)),
    CONSTRAINT refund_operator_asked CHECK ((cause = 'OPERATOR') = (request_hash IS NOT NULL))
);
CREATE UNIQUE INDEX refund_one_undo ON refund (payment_id) WHERE cause IN ('UNDO', 'LATE_CAPTURE');
CREATE INDEX refund_due ON refund (next_attempt_time) WHERE next_attempt_time IS NOT NULL;
CREATE INDEX refund_of_payment ON refund (payment_id);
COMMENT ON TABLE refund IS 'Money on its way back; inserted in the transaction that raises payment.refund_amount, never removed.';
COMMENT ON COLUMN refund.refund_id IS 'Request id of RefundPayment, or derived from the payment for an undo.';
COMMENT ON COLUMN refund.payment_id IS 'Payment.';
COMMENT ON COLUMN refund.amount IS 'Minor units that go back.';
COMMENT ON COLUMN refund.currency IS 'ISO 4217 code of what was captured.';
COMMENT ON COLUMN refund.cause IS 'Why: UNDO (nobody may keep the money), LATE_CAPTURE, OPERATOR (asked for).';
COMMENT ON COLUMN refund.request_hash IS 'SHA-256 of the asking request without its id.';
COMMENT ON COLUMN refund.idempotency_key IS 'uuidv5(refund), sent with every try.';
COMMENT ON COLUMN refund.state IS 'SENT without an answer is inquired before it is sent again; PARKED was refused and waits for a person.';
COMMENT ON COLUMN refund.attempts IS 'Claims so far; a result that names an older number is ignored.';
COMMENT ON COLUMN refund.next_attempt_time IS 'When it is tried next; while it is sent, the end of the sender''s time.';
COMMENT ON COLUMN refund.last_error IS 'Why the last try did not end it.';
COMMENT ON COLUMN refund.create_time IS 'When it was decided.';
COMMENT ON COLUMN refund.done_time IS 'When the provider confirmed it.';

CREATE TABLE late_capture (
    provider text NOT NULL,
    provider_payment_key text NOT NULL,
    payment_id uuid NOT NULL,
    captured_amount bigint NOT NULL,
    found_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    refund_id uuid NOT NULL,
    CONSTRAINT late_capture_pkey PRIMARY KEY (provider, provider_payment_key),
    CONSTRAINT late_capture_payment FOREIGN KEY (payment_id) REFERENCES payment,
    CONSTRAINT late_capture_refund FOREIGN KEY (refund_id) REFERENCES refund,
    CONSTRAINT late_capture_refund_id UNIQUE (refund_id),
    CONSTRAINT late_capture_amount CHECK (captured_amount > 0)
);
COMMENT ON TABLE late_capture IS 'Money found after its payment had ended; each is returned once.';
COMMENT ON COLUMN late_capture.provider IS 'Provider.';
COMMENT ON COLUMN late_capture.provider_payment_key IS 'Key of the captured payment.';
COMMENT ON COLUMN late_capture.payment_id IS 'Payment it was found for.';
COMMENT ON COLUMN late_capture.captured_amount IS 'Minor units found.';
COMMENT ON COLUMN late_capture.found_time IS 'When it was found.';
COMMENT ON COLUMN late_capture.refund_id IS 'Refund that returns it.';
