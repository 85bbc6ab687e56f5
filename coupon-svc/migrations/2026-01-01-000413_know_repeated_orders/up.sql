ALTER TABLE code_batch
    ADD COLUMN request_key uuid,
    ADD COLUMN request_hash bytea,
    ADD CONSTRAINT code_batch_request UNIQUE (request_key),
    ADD CONSTRAINT code_batch_request_hash CHECK ((request_key IS NULL) = (request_hash IS NULL));
COMMENT ON COLUMN code_batch.request_key IS 'Follows from account and request: a repeated order finds its batch, whenever it comes; null: of before there was this column.';
COMMENT ON COLUMN code_batch.request_hash IS 'SHA-256 of the request without its request_id.';

ALTER TABLE coupon_grant
    ADD COLUMN request_key uuid,
    ADD COLUMN request_hash bytea,
    ADD CONSTRAINT coupon_grant_request UNIQUE (request_key),
    ADD CONSTRAINT coupon_grant_request_hash CHECK ((request_key IS NULL) = (request_hash IS NULL));
COMMENT ON COLUMN coupon_grant.request_key IS 'Follows from account and request: a repeated order finds its grant, whenever it comes; null: of before there was this column.';
COMMENT ON COLUMN coupon_grant.request_hash IS 'SHA-256 of the request without its request_id.';
