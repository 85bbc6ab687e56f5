UPDATE cancellation SET state = 'REFUNDING' WHERE state = 'PARKED';
COMMENT ON COLUMN cancellation.state IS 'REFUNDING until the money is back, then DONE; DONE at once where nothing was paid.';
ALTER TABLE cancellation
    DROP CONSTRAINT cancellation_state,
    ADD CONSTRAINT cancellation_state CHECK (state IN ('REFUNDING', 'DONE'));
