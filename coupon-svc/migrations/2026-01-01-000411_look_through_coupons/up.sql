-- Not those that are AVAILABLE: claims do not pay for it.
CREATE INDEX coupon_standing ON coupon (campaign_id, state, account_id, n) WHERE state <> 'AVAILABLE';
CREATE INDEX reservation_coupon_coupon ON reservation_coupon (coupon_id) WHERE NOT restored;
