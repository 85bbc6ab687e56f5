CREATE TABLE cancellation (
    cancellation_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    account_id uuid NOT NULL,
    request_hash bytea NOT NULL,
    reason text NOT NULL,
    refund_amount bigint NOT NULL,
    currency char(3) NOT NULL,
    state text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    finish_time timestamptz,
    CONSTRAINT cancellation_pkey PRIMARY KEY (cancellation_id),
    CONSTRAINT cancellation_booking_fkey FOREIGN KEY (booking_id) REFERENCES booking (booking_id),
    CONSTRAINT cancellation_refund CHECK (refund_amount >= 0),
    CONSTRAINT cancellation_state CHECK (state IN ('REFUNDING', 'DONE')),
    CONSTRAINT cancellation_finish CHECK ((state = 'DONE') = (finish_time IS NOT NULL))
);
CREATE INDEX cancellation_booking ON cancellation (booking_id);
COMMENT ON TABLE cancellation IS 'Lines of confirmed bookings that were given back together.';
COMMENT ON COLUMN cancellation.cancellation_id IS 'uuidv5(request_id, account_id/booking_id): a repeated request makes the same one. It is the refund_id at payment-svc, too.';
COMMENT ON COLUMN cancellation.booking_id IS 'Booking.';
COMMENT ON COLUMN cancellation.account_id IS 'Who asked for it.';
COMMENT ON COLUMN cancellation.request_hash IS 'SHA-256 of the request without its request_id.';
COMMENT ON COLUMN cancellation.reason IS 'Why, as it was asked for.';
COMMENT ON COLUMN cancellation.refund_amount IS 'What goes back to the buyer, in minor units, frozen: the sum of its lines'' refunds.';
COMMENT ON COLUMN cancellation.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN cancellation.state IS 'REFUNDING until the money is back, then DONE; DONE at once where nothing was paid.';
COMMENT ON COLUMN cancellation.create_time IS 'When it was asked for; nothing of it was the buyer''s from then on.';
COMMENT ON COLUMN cancellation.finish_time IS 'When the money was back.';

ALTER TABLE booking_line
    ADD COLUMN cancellation_id uuid,
    ADD COLUMN refund_amount bigint,
    ADD CONSTRAINT booking_line_cancellation_fkey FOREIGN KEY (cancellation_id) REFERENCES cancellation (cancellation_id),
    ADD CONSTRAINT booking_line_refund CHECK ((cancellation_id IS NULL) = (refund_amount IS NULL) AND refund_amount BETWEEN 0 AND quantity * unit_amount);
CREATE INDEX booking_line_cancellation ON booking_line (cancellation_id);
COMMENT ON COLUMN booking_line.cancellation_id IS 'Cancellation that gave it back; null: it was not.';
COMMENT ON COLUMN booking_line.refund_amount IS 'What of it goes back to the buyer, in minor units: its price without what coupons took off.';

ALTER TABLE booking
    DROP CONSTRAINT booking_state,
    DROP CONSTRAINT booking_confirm,
    ADD CONSTRAINT booking_state CHECK (state IN ('PROCESSING', 'AWAITING_PAYMENT', 'CONFIRMED', 'FAILED', 'CANCELLED')),
    ADD CONSTRAINT booking_confirm CHECK ((state IN ('CONFIRMED', 'CANCELLED')) = (confirm_time IS NOT NULL));
COMMENT ON COLUMN booking.state IS 'PROCESSING, AWAITING_PAYMENT, then CONFIRMED or FAILED; CANCELLED once every line of a CONFIRMED one was given back.';
COMMENT ON COLUMN claim.state IS 'HELD while the hold is HELD, PAYING or CLOSING; SOLD when it is CONFIRMED, until its line is cancelled; else FREED.';
COMMENT ON COLUMN inv_pool.sales IS 'CONFIRMED holds with a SOLD claim in it.';
