ALTER TABLE booking
    ADD COLUMN discount_amount bigint NOT NULL DEFAULT 0,
    ADD COLUMN reservation_id uuid,
    ADD CONSTRAINT booking_discount CHECK (discount_amount >= 0 AND (discount_amount = 0 OR reservation_id IS NOT NULL)),
    ADD CONSTRAINT booking_reservation_key UNIQUE (reservation_id);
COMMENT ON COLUMN booking.total_amount IS 'What is paid, in minor units, frozen: its lines without discount_amount.';
COMMENT ON COLUMN booking.discount_amount IS 'What coupons take off, in minor units, frozen.';
COMMENT ON COLUMN booking.reservation_id IS 'Reservation of its coupons at coupon-svc, uuidv5(saga_id, "coupons/do"); null: no coupons.';

CREATE TABLE booking_discount (
    booking_id uuid NOT NULL,
    line_no integer NOT NULL,
    coupon_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    amount bigint NOT NULL,
    platform_amount bigint NOT NULL,
    CONSTRAINT booking_discount_pkey PRIMARY KEY (booking_id, line_no, coupon_id),
    CONSTRAINT booking_discount_line_fkey FOREIGN KEY (booking_id, line_no) REFERENCES booking_line (booking_id, line_no),
    CONSTRAINT booking_discount_amount CHECK (amount > 0),
    CONSTRAINT booking_discount_platform CHECK (platform_amount BETWEEN 0 AND amount)
);
COMMENT ON TABLE booking_discount IS 'What each coupon takes off each line, frozen: refunds of a line and settlement rest on it.';
COMMENT ON COLUMN booking_discount.booking_id IS 'Booking.';
COMMENT ON COLUMN booking_discount.line_no IS 'Line of the booking.';
COMMENT ON COLUMN booking_discount.coupon_id IS 'Coupon.';
COMMENT ON COLUMN booking_discount.campaign_id IS 'Campaign of the coupon.';
COMMENT ON COLUMN booking_discount.amount IS 'What the coupon takes off the line, in minor units.';
COMMENT ON COLUMN booking_discount.platform_amount IS 'What of that the platform pays; the seller pays the rest.';
