ALTER TABLE campaign
    DROP CONSTRAINT campaign_state,
    ADD CONSTRAINT campaign_state CHECK (state IN ('DRAFT', 'OPEN', 'EXHAUSTED', 'EXPIRED', 'ENDED'));
COMMENT ON COLUMN campaign.state IS 'DRAFT, OPEN, EXHAUSTED (every coupon was issued), EXPIRED (an OPEN one after its claim window), ENDED (by order).';
CREATE INDEX campaign_open ON campaign (claim_close_time) WHERE state = 'OPEN';
