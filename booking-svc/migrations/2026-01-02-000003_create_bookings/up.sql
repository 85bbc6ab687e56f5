CREATE TABLE booking (
    booking_id uuid NOT NULL,
    account_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    request_id uuid NOT NULL,
    request_hash bytea NOT NULL,
    state text NOT NULL,
    method text NOT NULL,
    payment_id uuid NOT NULL,
    total_amount bigint NOT NULL,
    currency char(3) NOT NULL,
    failure_reason text,
    provider_code text,
    may_try_again boolean,
    payment_deadline_time timestamptz NOT NULL,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL,
    confirm_time timestamptz,
    CONSTRAINT booking_pkey PRIMARY KEY (booking_id),
    CONSTRAINT booking_hold_fkey FOREIGN KEY (hold_id) REFERENCES hold (hold_id),
    CONSTRAINT booking_request_key UNIQUE (account_id, request_id),
    CONSTRAINT booking_payment_key UNIQUE (payment_id),
    CONSTRAINT booking_state CHECK (state IN ('PROCESSING', 'AWAITING_PAYMENT', 'CONFIRMED', 'FAILED')),
    CONSTRAINT booking_method CHECK (method IN ('ON_SITE', 'FREE')),
    CONSTRAINT booking_total CHECK (total_amount >= 0),
    CONSTRAINT booking_failure CHECK (state <> 'FAILED' OR failure_reason IS NOT NULL),
    CONSTRAINT booking_confirm CHECK ((state = 'CONFIRMED') = (confirm_time IS NOT NULL))
);
CREATE UNIQUE INDEX booking_one_live ON booking (hold_id) WHERE state <> 'FAILED';
CREATE INDEX booking_hold ON booking (hold_id);
CREATE INDEX booking_account ON booking (account_id, booking_id);
COMMENT ON TABLE booking IS 'Sales and attempts at them. A FAILED one is never revived; its hold may be booked again.';
COMMENT ON COLUMN booking.booking_id IS 'UUIDv7: newer bookings have higher ids, which lists rely on.';
COMMENT ON COLUMN booking.account_id IS 'Buyer.';
COMMENT ON COLUMN booking.hold_id IS 'Hold it turns into a sale.';
COMMENT ON COLUMN booking.request_id IS 'request_id of CreateBooking.';
COMMENT ON COLUMN booking.request_hash IS 'SHA-256 of the request without its request_id.';
COMMENT ON COLUMN booking.state IS 'PROCESSING, AWAITING_PAYMENT, then CONFIRMED or FAILED.';
COMMENT ON COLUMN booking.method IS 'ON_SITE or FREE.';
COMMENT ON COLUMN booking.payment_id IS 'uuidv5(saga_id, "pay/do").';
COMMENT ON COLUMN booking.total_amount IS 'Minor units, frozen.';
COMMENT ON COLUMN booking.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN booking.failure_reason IS 'Why it FAILED, or why the last payment of a waiting one was declined.';
COMMENT ON COLUMN booking.provider_code IS 'Code of the payment provider, as it sent it.';
COMMENT ON COLUMN booking.may_try_again IS 'Whether the same payment may be tried again.';
COMMENT ON COLUMN booking.payment_deadline_time IS 'Until when it can be paid.';
COMMENT ON COLUMN booking.version IS 'Plus 1 with every change; WatchBooking waits for it.';
COMMENT ON COLUMN booking.create_time IS 'When it was created.';
COMMENT ON COLUMN booking.confirm_time IS 'When it was confirmed.';

CREATE TABLE booking_line (
    booking_id uuid NOT NULL,
    line_no integer NOT NULL,
    performance_id uuid NOT NULL,
    pool_id uuid NOT NULL,
    ord integer NOT NULL,
    exclusive boolean NOT NULL,
    quantity integer NOT NULL,
    grade text NOT NULL,
    unit_amount bigint NOT NULL,
    currency char(3) NOT NULL,
    CONSTRAINT booking_line_pkey PRIMARY KEY (booking_id, line_no),
    CONSTRAINT booking_line_booking_fkey FOREIGN KEY (booking_id) REFERENCES booking (booking_id),
    CONSTRAINT booking_line_unit UNIQUE (booking_id, pool_id, ord),
    CONSTRAINT booking_line_quantity CHECK (quantity > 0 AND (NOT exclusive OR quantity = 1)),
    CONSTRAINT booking_line_amount CHECK (unit_amount >= 0)
);
COMMENT ON TABLE booking_line IS 'Units of a booking, frozen when it was created.';
COMMENT ON COLUMN booking_line.booking_id IS 'Booking.';
COMMENT ON COLUMN booking_line.line_no IS 'Number in the booking, from 0.';
COMMENT ON COLUMN booking_line.performance_id IS 'Performance.';
COMMENT ON COLUMN booking_line.pool_id IS 'Pool of the unit.';
COMMENT ON COLUMN booking_line.ord IS 'Unit in the pool.';
COMMENT ON COLUMN booking_line.exclusive IS 'A numbered seat.';
COMMENT ON COLUMN booking_line.quantity IS 'Places; as many tickets.';
COMMENT ON COLUMN booking_line.grade IS 'Grade.';
COMMENT ON COLUMN booking_line.unit_amount IS 'Price of one place in minor units.';
COMMENT ON COLUMN booking_line.currency IS 'ISO 4217 code.';

CREATE TABLE ticket (
    ticket_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    line_no integer NOT NULL,
    seq integer NOT NULL,
    reissue integer NOT NULL,
    account_id uuid NOT NULL,
    performance_id uuid NOT NULL,
    pool_id uuid NOT NULL,
    ord integer NOT NULL,
    exclusive boolean NOT NULL,
    state text NOT NULL,
    key_id integer NOT NULL,
    code text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ticket_pkey PRIMARY KEY (ticket_id),
    CONSTRAINT ticket_line_fkey FOREIGN KEY (booking_id, line_no) REFERENCES booking_line (booking_id, line_no),
    CONSTRAINT ticket_code_key UNIQUE (code),
    CONSTRAINT ticket_seq UNIQUE (booking_id, line_no, seq, reissue),
    CONSTRAINT ticket_state CHECK (state IN ('ACTIVE', 'VOID')),
    CONSTRAINT ticket_code_range CHECK (seq BETWEEN 0 AND 65535 AND reissue BETWEEN 0 AND 255 AND key_id BETWEEN 0 AND 65535)
);
CREATE UNIQUE INDEX ticket_one_active ON ticket (pool_id, ord) WHERE exclusive AND state = 'ACTIVE';
COMMENT ON TABLE ticket IS 'Admissions of one person each. ticket_one_active: a seat admits one.';
COMMENT ON COLUMN ticket.ticket_id IS 'UUIDv7.';
COMMENT ON COLUMN ticket.booking_id IS 'Booking.';
COMMENT ON COLUMN ticket.line_no IS 'Line of the booking.';
COMMENT ON COLUMN ticket.seq IS 'Number within the line, from 0.';
COMMENT ON COLUMN ticket.reissue IS 'How many times it was issued again, from 0.';
COMMENT ON COLUMN ticket.account_id IS 'Who holds it.';
COMMENT ON COLUMN ticket.performance_id IS 'Performance it admits to.';
COMMENT ON COLUMN ticket.pool_id IS 'Pool of the unit.';
COMMENT ON COLUMN ticket.ord IS 'Unit in the pool.';
COMMENT ON COLUMN ticket.exclusive IS 'A numbered seat.';
COMMENT ON COLUMN ticket.state IS 'ACTIVE or VOID.';
COMMENT ON COLUMN ticket.key_id IS 'Key that signed the code.';
COMMENT ON COLUMN ticket.code IS 'Signed code, version 1, 174 characters.';
COMMENT ON COLUMN ticket.create_time IS 'When it was issued.';
