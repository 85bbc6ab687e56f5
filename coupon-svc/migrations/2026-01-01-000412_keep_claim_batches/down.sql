DROP TABLE claim_batch;
