DROP TABLE booking_discount;
ALTER TABLE booking DROP COLUMN discount_amount, DROP COLUMN reservation_id;
COMMENT ON COLUMN booking.total_amount IS 'Minor units, frozen.';
