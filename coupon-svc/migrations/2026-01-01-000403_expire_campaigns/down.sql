DROP INDEX campaign_open;
UPDATE campaign SET state = 'OPEN' WHERE state = 'EXPIRED';
ALTER TABLE campaign
    DROP CONSTRAINT campaign_state,
    ADD CONSTRAINT campaign_state CHECK (state IN ('DRAFT', 'OPEN', 'EXHAUSTED', 'ENDED'));
COMMENT ON COLUMN campaign.state IS 'DRAFT, OPEN, EXHAUSTED (every coupon was issued), ENDED (by order).';
