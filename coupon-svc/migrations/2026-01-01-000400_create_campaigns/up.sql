CREATE TABLE campaign (
    campaign_id uuid NOT NULL,
    seller_id uuid,
    name text NOT NULL,
    terms jsonb NOT NULL,
    stock bigint,
    per_account_max smallint NOT NULL,
    claim_open_time timestamptz NOT NULL,
    claim_close_time timestamptz NOT NULL,
    use_open_time timestamptz,
    use_close_time timestamptz,
    use_days smallint,
    state text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    gate_epoch bigint NOT NULL DEFAULT 0,
    gate_busy_until timestamptz,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT campaign_pkey PRIMARY KEY (campaign_id),
    CONSTRAINT campaign_stock_size CHECK (stock BETWEEN 1 AND 10000000),
    CONSTRAINT campaign_per_account CHECK (per_account_max BETWEEN 1 AND 100),
    CONSTRAINT campaign_claim_window CHECK (claim_open_time < claim_close_time),
    CONSTRAINT campaign_use_end CHECK ((use_close_time IS NULL) <> (use_days IS NULL)),
    CONSTRAINT campaign_state CHECK (state IN ('DRAFT', 'OPEN', 'EXHAUSTED', 'ENDED'))
);
CREATE INDEX campaign_seller ON campaign (seller_id, campaign_id);
COMMENT ON TABLE campaign IS 'Kinds of coupons that people can have.';
COMMENT ON COLUMN campaign.campaign_id IS 'UUIDv7.';
COMMENT ON COLUMN campaign.seller_id IS 'Seller whose it is; null: the platform''s.';
COMMENT ON COLUMN campaign.name IS 'Name that buyers see.';
COMMENT ON COLUMN campaign.terms IS 'What its coupons are worth, and where they can be used.';
COMMENT ON COLUMN campaign.stock IS 'Coupons; null: as many as are asked for.';
COMMENT ON COLUMN campaign.per_account_max IS 'Coupons that one account can have.';
COMMENT ON COLUMN campaign.claim_open_time IS 'First moment to claim.';
COMMENT ON COLUMN campaign.claim_close_time IS 'When claiming ends.';
COMMENT ON COLUMN campaign.use_open_time IS 'First moment to use a coupon; null: as soon as somebody has it.';
COMMENT ON COLUMN campaign.use_close_time IS 'When its coupons expire.';
COMMENT ON COLUMN campaign.use_days IS 'Days after which a coupon expires, from its issue.';
COMMENT ON COLUMN campaign.state IS 'DRAFT, OPEN, EXHAUSTED (every coupon was issued), ENDED (by order).';
COMMENT ON COLUMN campaign.version IS 'Plus 1 with every change.';
COMMENT ON COLUMN campaign.gate_epoch IS 'Plus 1 before its gate is built anew in Redis; 0: never built.';
COMMENT ON COLUMN campaign.gate_busy_until IS 'Until then somebody builds the gate of this epoch.';
COMMENT ON COLUMN campaign.create_time IS 'When it was created.';

CREATE TABLE campaign_stock (
    campaign_id uuid NOT NULL,
    shard smallint NOT NULL,
    remaining bigint NOT NULL,
    CONSTRAINT campaign_stock_pkey PRIMARY KEY (campaign_id, shard),
    CONSTRAINT campaign_stock_campaign_fkey FOREIGN KEY (campaign_id) REFERENCES campaign (campaign_id),
    CONSTRAINT campaign_stock_shard CHECK (shard BETWEEN 0 AND 15),
    CONSTRAINT campaign_stock_remaining CHECK (remaining >= 0)
);
COMMENT ON TABLE campaign_stock IS 'What is left of a campaign, in parts, so that instances do not wait for each other. Parts are locked in ascending order.';
COMMENT ON COLUMN campaign_stock.campaign_id IS 'Campaign.';
COMMENT ON COLUMN campaign_stock.shard IS 'Part.';
COMMENT ON COLUMN campaign_stock.remaining IS 'Coupons of this part that nobody has.';

CREATE TABLE coupon (
    coupon_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    account_id uuid NOT NULL,
    n smallint NOT NULL,
    state text NOT NULL DEFAULT 'AVAILABLE',
    issue_time timestamptz NOT NULL,
    valid_from_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    CONSTRAINT coupon_pkey PRIMARY KEY (coupon_id),
    CONSTRAINT coupon_campaign_fkey FOREIGN KEY (campaign_id) REFERENCES campaign (campaign_id),
    CONSTRAINT coupon_owner UNIQUE (campaign_id, account_id, n),
    CONSTRAINT coupon_state CHECK (state IN ('AVAILABLE', 'RESERVED', 'USED', 'REVOKED')),
    CONSTRAINT coupon_n CHECK (n BETWEEN 1 AND 100)
);
CREATE INDEX coupon_account ON coupon (account_id, expire_time, coupon_id);
COMMENT ON TABLE coupon IS 'Coupons that somebody has.';
COMMENT ON COLUMN coupon.coupon_id IS 'Follows from campaign, account and request: a repeated claim makes the same one.';
COMMENT ON COLUMN coupon.campaign_id IS 'Campaign.';
COMMENT ON COLUMN coupon.account_id IS 'Owner.';
COMMENT ON COLUMN coupon.n IS 'Number among the coupons that the owner has of the campaign, from 1.';
COMMENT ON COLUMN coupon.state IS 'AVAILABLE (until expire_time), RESERVED by a booking, USED, REVOKED.';
COMMENT ON COLUMN coupon.issue_time IS 'When its owner got it.';
COMMENT ON COLUMN coupon.valid_from_time IS 'First moment to use it.';
COMMENT ON COLUMN coupon.expire_time IS 'When it expires.';
