ALTER TABLE cancellation
    DROP CONSTRAINT cancellation_state,
    ADD CONSTRAINT cancellation_state CHECK (state IN ('REFUNDING', 'DONE', 'PARKED'));
COMMENT ON COLUMN cancellation.state IS 'REFUNDING until the money is back, then DONE; DONE at once where nothing was paid. PARKED while payment-svc cannot return it.';
