ALTER TABLE campaign
    ADD COLUMN issue text NOT NULL DEFAULT 'CLAIM',
    ADD CONSTRAINT campaign_issue CHECK (issue IN ('CLAIM', 'CODE', 'GRANT'));
COMMENT ON COLUMN campaign.issue IS 'How people get its coupons: CLAIM (first come, first served), CODE, GRANT.';

CREATE TABLE code_batch (
    batch_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    seed bytea NOT NULL,
    codes integer NOT NULL,
    uses_max bigint NOT NULL,
    stored integer NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL,
    revoke_time timestamptz,
    CONSTRAINT code_batch_pkey PRIMARY KEY (batch_id),
    CONSTRAINT code_batch_campaign_fkey FOREIGN KEY (campaign_id) REFERENCES campaign (campaign_id),
    CONSTRAINT code_batch_seed CHECK (octet_length(seed) = 32),
    CONSTRAINT code_batch_codes CHECK (codes BETWEEN 1 AND 100000),
    CONSTRAINT code_batch_uses CHECK (uses_max BETWEEN 1 AND 10000000),
    CONSTRAINT code_batch_stored CHECK (stored BETWEEN 0 AND codes)
);
CREATE INDEX code_batch_campaign ON code_batch (campaign_id, batch_id);
COMMENT ON TABLE code_batch IS 'Codes that were made together.';
COMMENT ON COLUMN code_batch.batch_id IS 'UUIDv7.';
COMMENT ON COLUMN code_batch.campaign_id IS 'Campaign whose coupons they are for.';
COMMENT ON COLUMN code_batch.seed IS 'Random; with the key, which is not in the database, the codes follow from it.';
COMMENT ON COLUMN code_batch.codes IS 'Codes.';
COMMENT ON COLUMN code_batch.uses_max IS 'Accounts that can redeem each of them.';
COMMENT ON COLUMN code_batch.stored IS 'The first so many of them are in table code.';
COMMENT ON COLUMN code_batch.create_time IS 'When it was made.';
COMMENT ON COLUMN code_batch.revoke_time IS 'When its codes stopped working; null: they work.';

CREATE TABLE code (
    code_hash bytea NOT NULL,
    batch_id uuid NOT NULL,
    uses_max bigint NOT NULL,
    uses bigint NOT NULL DEFAULT 0,
    CONSTRAINT code_pkey PRIMARY KEY (code_hash),
    CONSTRAINT code_batch_fkey FOREIGN KEY (batch_id) REFERENCES code_batch (batch_id),
    CONSTRAINT code_hash_size CHECK (octet_length(code_hash) = 32),
    CONSTRAINT code_uses CHECK (uses BETWEEN 0 AND uses_max)
);
CREATE INDEX code_used ON code (batch_id) WHERE uses > 0;
COMMENT ON TABLE code IS 'Codes, as keyed hashes.';
COMMENT ON COLUMN code.code_hash IS 'HMAC-SHA-256 of the code; the key is not in the database.';
COMMENT ON COLUMN code.batch_id IS 'Batch.';
COMMENT ON COLUMN code.uses_max IS 'Accounts that can redeem it, as in its batch.';
COMMENT ON COLUMN code.uses IS 'Accounts that redeemed it.';

CREATE TABLE code_redemption (
    account_id uuid NOT NULL,
    request_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    coupon_id uuid NOT NULL,
    redeem_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT code_redemption_pkey PRIMARY KEY (account_id, request_id),
    CONSTRAINT code_redemption_once UNIQUE (code_hash, account_id),
    CONSTRAINT code_redemption_code_fkey FOREIGN KEY (code_hash) REFERENCES code (code_hash),
    CONSTRAINT code_redemption_coupon_fkey FOREIGN KEY (coupon_id) REFERENCES coupon (coupon_id)
);
CREATE UNIQUE INDEX code_redemption_coupon ON code_redemption (coupon_id);
COMMENT ON TABLE code_redemption IS 'Who got which coupon with which code.';
COMMENT ON COLUMN code_redemption.account_id IS 'Who.';
COMMENT ON COLUMN code_redemption.request_id IS 'Request; repeated, it answers the same coupon.';
COMMENT ON COLUMN code_redemption.code_hash IS 'Code.';
COMMENT ON COLUMN code_redemption.coupon_id IS 'Coupon.';
COMMENT ON COLUMN code_redemption.redeem_time IS 'When.';
