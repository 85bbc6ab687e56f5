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

CREATE TABLE coupon_grant (
    grant_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'PENDING',
    total integer NOT NULL,
    granted integer NOT NULL DEFAULT 0,
    already_had integer NOT NULL DEFAULT 0,
    no_stock integer NOT NULL DEFAULT 0,
    too_late integer NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL,
    finish_time timestamptz,
    CONSTRAINT coupon_grant_pkey PRIMARY KEY (grant_id),
    CONSTRAINT coupon_grant_campaign_fkey FOREIGN KEY (campaign_id) REFERENCES campaign (campaign_id),
    CONSTRAINT coupon_grant_state CHECK (state IN ('PENDING', 'RUNNING', 'DONE', 'CANCELLED')),
    CONSTRAINT coupon_grant_total CHECK (total BETWEEN 1 AND 10000),
    CONSTRAINT coupon_grant_counts CHECK (least(granted, already_had, no_stock, too_late) >= 0
        AND granted + already_had + no_stock + too_late <= total),
    CONSTRAINT coupon_grant_done CHECK (state <> 'DONE' OR granted + already_had + no_stock + too_late = total),
    CONSTRAINT coupon_grant_finish CHECK ((finish_time IS NULL) = (state IN ('PENDING', 'RUNNING')))
);
CREATE INDEX coupon_grant_campaign ON coupon_grant (campaign_id, grant_id);
CREATE INDEX coupon_grant_open ON coupon_grant (grant_id) WHERE finish_time IS NULL;
COMMENT ON TABLE coupon_grant IS 'Orders to give coupons to accounts. Whoever has the row locked works on it.';
COMMENT ON COLUMN coupon_grant.grant_id IS 'UUIDv7.';
COMMENT ON COLUMN coupon_grant.campaign_id IS 'Campaign.';
COMMENT ON COLUMN coupon_grant.state IS 'PENDING, RUNNING, then DONE or CANCELLED.';
COMMENT ON COLUMN coupon_grant.total IS 'Accounts.';
COMMENT ON COLUMN coupon_grant.granted IS 'Accounts that got a coupon.';
COMMENT ON COLUMN coupon_grant.already_had IS 'Accounts that have as many as they can.';
COMMENT ON COLUMN coupon_grant.no_stock IS 'Accounts for which no coupon was left.';
COMMENT ON COLUMN coupon_grant.too_late IS 'Accounts whose turn came when the campaign was over.';
COMMENT ON COLUMN coupon_grant.create_time IS 'When it was ordered.';
COMMENT ON COLUMN coupon_grant.finish_time IS 'When it was done or cancelled; null: not yet.';

CREATE TABLE grant_recipient (
    grant_id uuid NOT NULL,
    n integer NOT NULL,
    account_id uuid NOT NULL,
    outcome text NOT NULL DEFAULT 'PENDING',
    coupon_id uuid,
    CONSTRAINT grant_recipient_pkey PRIMARY KEY (grant_id, n),
    CONSTRAINT grant_recipient_once UNIQUE (grant_id, account_id),
    CONSTRAINT grant_recipient_coupon UNIQUE (coupon_id),
    CONSTRAINT grant_recipient_grant_fkey FOREIGN KEY (grant_id) REFERENCES coupon_grant (grant_id),
    CONSTRAINT grant_recipient_coupon_fkey FOREIGN KEY (coupon_id) REFERENCES coupon (coupon_id),
    CONSTRAINT grant_recipient_outcome CHECK (outcome IN ('PENDING', 'GRANTED', 'ALREADY_HAD', 'NO_STOCK', 'TOO_LATE')),
    CONSTRAINT grant_recipient_got CHECK ((outcome = 'GRANTED') = (coupon_id IS NOT NULL))
);
CREATE INDEX grant_recipient_pending ON grant_recipient (grant_id, n) WHERE outcome = 'PENDING';
COMMENT ON TABLE grant_recipient IS 'Accounts of grants, and what each got.';
COMMENT ON COLUMN grant_recipient.grant_id IS 'Grant.';
COMMENT ON COLUMN grant_recipient.n IS 'Place in the order, from 1.';
COMMENT ON COLUMN grant_recipient.account_id IS 'Account.';
COMMENT ON COLUMN grant_recipient.outcome IS 'PENDING (not looked at), GRANTED, ALREADY_HAD, NO_STOCK, TOO_LATE.';
COMMENT ON COLUMN grant_recipient.coupon_id IS 'Its coupon, if it got one.';
