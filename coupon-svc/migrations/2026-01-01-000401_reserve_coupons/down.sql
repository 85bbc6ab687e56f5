DROP TABLE reservation_coupon;
DROP TABLE reservation;
ALTER TABLE coupon DROP COLUMN uses, DROP COLUMN uses_max;
ALTER TABLE campaign DROP COLUMN uses_per_coupon;
