ALTER TABLE inv_pool
    ADD COLUMN room bigint,
    ADD COLUMN sold bigint NOT NULL DEFAULT 0,
    ADD COLUMN sales bigint NOT NULL DEFAULT 0;
UPDATE inv_pool p SET room = coalesce(u.room, 0), sold = coalesce(u.sold, 0), sales = coalesce(c.sales, 0)
FROM inv_pool q
LEFT JOIN (SELECT pool_id, sum(capacity + overbook - blocked) AS room, sum(sold) AS sold FROM inv_unit GROUP BY pool_id) u USING (pool_id)
LEFT JOIN (
    SELECT l.pool_id, count(DISTINCT l.hold_id) AS sales FROM claim l JOIN hold h USING (hold_id) WHERE h.state = 'CONFIRMED' GROUP BY l.pool_id
) c USING (pool_id)
WHERE q.pool_id = p.pool_id;
ALTER TABLE inv_pool
    ALTER COLUMN room SET NOT NULL,
    ADD CONSTRAINT inv_pool_level CHECK (sold BETWEEN 0 AND room AND sales BETWEEN 0 AND sold);
COMMENT ON COLUMN inv_pool.room IS 'Places that can be held or sold: capacity and overbook without blocked, over its units.';
COMMENT ON COLUMN inv_pool.sold IS 'Sum of sold over its units.';
COMMENT ON COLUMN inv_pool.sales IS 'CONFIRMED holds with a claim in it.';
