ALTER TABLE coupon DROP COLUMN revoke_time;
