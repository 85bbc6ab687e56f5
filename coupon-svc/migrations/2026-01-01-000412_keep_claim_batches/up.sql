CREATE TABLE claim_batch (
    batch_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    account_id uuid NOT NULL,
    request_hash bytea NOT NULL,
    queue_time timestamptz NOT NULL,
    decide_time timestamptz,
    decided bytea,
    CONSTRAINT claim_batch_pkey PRIMARY KEY (batch_id),
    CONSTRAINT claim_batch_campaign_fkey FOREIGN KEY (campaign_id) REFERENCES campaign (campaign_id),
    CONSTRAINT claim_batch_hash CHECK (octet_length(request_hash) = 32),
    CONSTRAINT claim_batch_decided CHECK ((decide_time IS NULL) = (decided IS NULL))
);
CREATE INDEX claim_batch_queue ON claim_batch (queue_time);
COMMENT ON TABLE claim_batch IS 'Claims that were queued together, and what became of them. Rows are removed 30 days after they were queued.';
COMMENT ON COLUMN claim_batch.batch_id IS 'Follows from account and request: a repeated order makes the same one.';
COMMENT ON COLUMN claim_batch.campaign_id IS 'Campaign.';
COMMENT ON COLUMN claim_batch.account_id IS 'Who queued them.';
COMMENT ON COLUMN claim_batch.request_hash IS 'SHA-256 of the request without its request_id.';
COMMENT ON COLUMN claim_batch.queue_time IS 'When they were queued.';
COMMENT ON COLUMN claim_batch.decide_time IS 'When they were decided; null: they are queued.';
COMMENT ON COLUMN claim_batch.decided IS 'What became of each: the event CouponClaimsDecided as it was told; null: they are queued.';
