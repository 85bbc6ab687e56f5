UPDATE payment SET next_check_time = NULL, lease_owner = NULL, lease_until = NULL WHERE state IN ('CANCELLED', 'EXPIRED', 'DECLINED');
ALTER TABLE payment DROP CONSTRAINT payment_awaited_is_checked;
ALTER TABLE payment ADD CONSTRAINT payment_awaited_is_checked CHECK ((state IN ('PROCESSING', 'UNKNOWN')) = (next_check_time IS NOT NULL));
