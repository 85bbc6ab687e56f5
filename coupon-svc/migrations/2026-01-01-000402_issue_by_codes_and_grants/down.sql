DROP TABLE code_redemption;
DROP TABLE code;
DROP TABLE code_batch;
ALTER TABLE campaign DROP COLUMN issue;
