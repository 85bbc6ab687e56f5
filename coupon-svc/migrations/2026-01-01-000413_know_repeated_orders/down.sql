ALTER TABLE coupon_grant DROP COLUMN request_key, DROP COLUMN request_hash;
ALTER TABLE code_batch DROP COLUMN request_key, DROP COLUMN request_hash;
