DROP TABLE grant_recipient;
DROP TABLE coupon_grant;
DROP TABLE code_redemption;
DROP TABLE code;
DROP TABLE code_batch;
ALTER TABLE campaign DROP COLUMN issue;
