ALTER TABLE campaign
    ADD COLUMN uses_per_coupon smallint NOT NULL DEFAULT 1,
    ADD CONSTRAINT campaign_uses CHECK (uses_per_coupon BETWEEN 1 AND 100);
COMMENT ON COLUMN campaign.uses_per_coupon IS 'Bookings that one of its coupons can be used for.';

ALTER TABLE coupon
    ADD COLUMN uses_max smallint NOT NULL DEFAULT 1,
    ADD COLUMN uses smallint NOT NULL DEFAULT 0,
    ADD CONSTRAINT coupon_uses CHECK (uses BETWEEN 0 AND uses_max),
    ADD CONSTRAINT coupon_used CHECK (state = 'REVOKED' OR (state = 'USED') = (uses = uses_max));
COMMENT ON COLUMN coupon.uses_max IS 'Bookings that it can be used for.';
COMMENT ON COLUMN coupon.uses IS 'Bookings that it was used for.';

CREATE TABLE reservation (
    reservation_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    account_id uuid,
    state text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    change_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT reservation_pkey PRIMARY KEY (reservation_id),
    CONSTRAINT reservation_state CHECK (state IN ('RESERVED', 'USED', 'RELEASED', 'RESTORED')),
    CONSTRAINT reservation_account CHECK (account_id IS NOT NULL OR state = 'RELEASED')
);
CREATE INDEX reservation_open ON reservation (create_time) WHERE state = 'RESERVED';
COMMENT ON TABLE reservation IS 'Coupons that a booking holds, or held. A RELEASED one without account is a tombstone: it was released before it was made.';
COMMENT ON COLUMN reservation.reservation_id IS 'Follows from the saga of the booking: a repeated call makes the same one.';
COMMENT ON COLUMN reservation.booking_id IS 'Booking.';
COMMENT ON COLUMN reservation.account_id IS 'Owner of the coupons; null in a tombstone.';
COMMENT ON COLUMN reservation.state IS 'RESERVED, then USED or RELEASED; a USED one whose coupons all came back is RESTORED.';
COMMENT ON COLUMN reservation.create_time IS 'When it was made.';
COMMENT ON COLUMN reservation.change_time IS 'When it came into its state.';

CREATE TABLE reservation_coupon (
    reservation_id uuid NOT NULL,
    coupon_id uuid NOT NULL,
    held boolean NOT NULL,
    restored boolean NOT NULL DEFAULT false,
    CONSTRAINT reservation_coupon_restored CHECK (NOT (held AND restored)),
    CONSTRAINT reservation_coupon_pkey PRIMARY KEY (reservation_id, coupon_id),
    CONSTRAINT reservation_coupon_reservation_fkey FOREIGN KEY (reservation_id) REFERENCES reservation (reservation_id),
    CONSTRAINT reservation_coupon_coupon_fkey FOREIGN KEY (coupon_id) REFERENCES coupon (coupon_id)
);
CREATE UNIQUE INDEX reservation_coupon_one_holder ON reservation_coupon (coupon_id) WHERE held;
COMMENT ON TABLE reservation_coupon IS 'The coupons of each reservation. One reservation holds a coupon at a time.';
COMMENT ON COLUMN reservation_coupon.reservation_id IS 'Reservation.';
COMMENT ON COLUMN reservation_coupon.coupon_id IS 'Coupon.';
COMMENT ON COLUMN reservation_coupon.held IS 'Whether nobody else can have it: its reservation is RESERVED.';
COMMENT ON COLUMN reservation_coupon.restored IS 'Whether it came back after it was used.';
