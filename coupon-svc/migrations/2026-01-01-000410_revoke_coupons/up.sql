ALTER TABLE coupon ADD COLUMN revoke_time timestamptz;
UPDATE coupon SET revoke_time = now() WHERE state = 'REVOKED';
ALTER TABLE coupon
    ADD CONSTRAINT coupon_revoked CHECK (CASE state WHEN 'AVAILABLE' THEN revoke_time IS NULL WHEN 'REVOKED' THEN revoke_time IS NOT NULL ELSE true END);
COMMENT ON COLUMN coupon.revoke_time IS 'When it was ordered to take it back; null: it was not. A RESERVED or USED one becomes REVOKED when it would come back.';
