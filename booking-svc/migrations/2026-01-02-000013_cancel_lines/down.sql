COMMENT ON COLUMN inv_pool.sales IS 'CONFIRMED holds with a claim in it.';
COMMENT ON COLUMN claim.state IS 'HELD while the hold is HELD, PAYING or CLOSING; SOLD when it is CONFIRMED; else FREED.';
COMMENT ON COLUMN booking.state IS 'PROCESSING, AWAITING_PAYMENT, then CONFIRMED or FAILED.';
ALTER TABLE booking
    DROP CONSTRAINT booking_state,
    DROP CONSTRAINT booking_confirm,
    ADD CONSTRAINT booking_state CHECK (state IN ('PROCESSING', 'AWAITING_PAYMENT', 'CONFIRMED', 'FAILED')),
    ADD CONSTRAINT booking_confirm CHECK ((state = 'CONFIRMED') = (confirm_time IS NOT NULL));
ALTER TABLE booking_line DROP COLUMN cancellation_id, DROP COLUMN refund_amount;
DROP TABLE cancellation;
