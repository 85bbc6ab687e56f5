DROP INDEX reservation_coupon_coupon;
DROP INDEX coupon_standing;
