-- What has to be true of the tables of coupon-svc at any moment: no rows, or each row names a rule, what breaks it, and what stands there.
-- One statement, so one snapshot: it may run beside claims. `make audit` runs it.
SELECT 'a campaign issued what its stock has lost' AS rule, c.campaign_id::text AS subject,
    format('%s of %s issued, %s left', o.issued, c.stock, s.remaining) AS found
FROM campaign c
    CROSS JOIN LATERAL (SELECT sum(remaining) AS remaining FROM campaign_stock WHERE campaign_id = c.campaign_id) s
    CROSS JOIN LATERAL (SELECT count(*) AS issued FROM coupon WHERE campaign_id = c.campaign_id) o
WHERE c.stock IS NOT NULL AND o.issued <> c.stock - coalesce(s.remaining, c.stock)
UNION ALL
SELECT 'a campaign with a limit has its stock in parts once it opens', c.campaign_id::text, format('%s, %s parts', c.state, count(s.shard))
FROM campaign c LEFT JOIN campaign_stock s USING (campaign_id) WHERE c.stock IS NOT NULL AND c.state IN ('OPEN', 'EXHAUSTED', 'EXPIRED')
GROUP BY c.campaign_id HAVING count(s.shard) <> 16
UNION ALL
SELECT 'a campaign is exhausted when nothing is left', c.campaign_id::text, format('%s, %s left', c.state, sum(s.remaining))
FROM campaign c JOIN campaign_stock s USING (campaign_id) WHERE c.state IN ('OPEN', 'EXHAUSTED')
GROUP BY c.campaign_id HAVING (c.state = 'EXHAUSTED') <> (sum(s.remaining) = 0)
UNION ALL
SELECT 'nobody has more coupons of a campaign than it allows', format('%s of %s', o.account_id, o.campaign_id), format('%s', count(*))
FROM coupon o JOIN campaign c USING (campaign_id) GROUP BY o.campaign_id, o.account_id, c.per_account_max HAVING count(*) > c.per_account_max
UNION ALL
SELECT 'the coupons of an owner are numbered without gaps', format('%s of %s', account_id, campaign_id), format('%s up to %s', count(*), max(n))
FROM coupon GROUP BY campaign_id, account_id HAVING max(n) <> count(*)
UNION ALL
SELECT 'a coupon is of a campaign that was opened', o.coupon_id::text, coalesce(c.state, 'none')
FROM coupon o LEFT JOIN campaign c USING (campaign_id) WHERE c.state IS NULL OR c.state = 'DRAFT'
UNION ALL
SELECT 'a coupon that is reserved has one holder, and no other has any', o.coupon_id::text, format('%s, %s holders', o.state, count(h.reservation_id))
FROM coupon o LEFT JOIN reservation_coupon h ON h.coupon_id = o.coupon_id AND h.held
GROUP BY o.coupon_id HAVING (o.state = 'RESERVED')::int <> count(h.reservation_id)
UNION ALL
SELECT 'a reservation holds coupons as long as it is open', r.reservation_id::text, format('%s, held %s', r.state, h.held)
FROM reservation r JOIN reservation_coupon h USING (reservation_id) WHERE h.held <> (r.state = 'RESERVED')
UNION ALL
SELECT 'a coupon counts the bookings that used it', o.coupon_id::text, format('%s, used by %s', o.uses, count(r.reservation_id))
FROM coupon o
    LEFT JOIN reservation_coupon h ON h.coupon_id = o.coupon_id AND NOT h.restored
    LEFT JOIN reservation r ON r.reservation_id = h.reservation_id AND r.state IN ('USED', 'RESTORED')
GROUP BY o.coupon_id HAVING o.uses <> count(r.reservation_id);
