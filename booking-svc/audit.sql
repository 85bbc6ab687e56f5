-- What has to be true of the tables of booking-svc at any moment: no rows, or each row names a rule, what breaks it, and what stands there.
-- One statement, so one snapshot: it may run beside sales. `make audit` runs it.
SELECT 'a unit counts what its claims hold' AS rule, u.pool_id || '/' || u.ord AS subject,
    format('held %s of %s, sold %s of %s', u.held, coalesce(sum(c.quantity) FILTER (WHERE c.state = 'HELD'), 0),
        u.sold, coalesce(sum(c.quantity) FILTER (WHERE c.state = 'SOLD'), 0)) AS found
FROM inv_unit u LEFT JOIN claim c USING (pool_id, ord) GROUP BY u.pool_id, u.ord
HAVING u.held <> coalesce(sum(c.quantity) FILTER (WHERE c.state = 'HELD'), 0)
    OR u.sold <> coalesce(sum(c.quantity) FILTER (WHERE c.state = 'SOLD'), 0)
UNION ALL
SELECT 'a pool counts what its units do', p.pool_id::text,
    format('room %s of %s, sold %s of %s', p.room, coalesce(u.room, 0), p.sold, coalesce(u.sold, 0))
FROM inv_pool p LEFT JOIN (
    SELECT pool_id, sum(capacity + overbook - blocked) AS room, sum(sold) AS sold FROM inv_unit GROUP BY pool_id) u USING (pool_id)
WHERE p.room <> coalesce(u.room, 0) OR p.sold <> coalesce(u.sold, 0)
UNION ALL
SELECT 'a grade counts what its units do', pool_id || '/' || grade,
    format('room %s of %s, sold %s of %s', coalesce(g.room, 0), coalesce(u.room, 0), coalesce(g.sold, 0), coalesce(u.sold, 0))
FROM inv_grade g FULL JOIN (
    SELECT pool_id, grade, sum(capacity + overbook - blocked) AS room, sum(sold) AS sold FROM inv_unit GROUP BY pool_id, grade) u
USING (pool_id, grade)
WHERE (g.room, g.sold) IS DISTINCT FROM (u.room::bigint, u.sold::bigint)
UNION ALL
SELECT 'a pool counts the holds that were sold', p.pool_id::text, format('%s, holds %s', p.sales, coalesce(c.sales, 0))
FROM inv_pool p LEFT JOIN (
    SELECT c.pool_id, count(DISTINCT c.hold_id) AS sales FROM claim c WHERE c.state = 'SOLD' GROUP BY c.pool_id) c
USING (pool_id) WHERE p.sales <> coalesce(c.sales, 0)
UNION ALL
SELECT 'nothing is sold beyond its capacity', pool_id || '/' || ord, format('%s held, %s sold, %s blocked of %s', held, sold, blocked, capacity + overbook)
FROM inv_unit WHERE held + sold + blocked > capacity + overbook
UNION ALL
SELECT 'a claim stands where its hold stands', c.hold_id || '/' || c.ord, format('claim %s, hold %s', c.state, h.state)
FROM claim c JOIN hold h USING (hold_id)
WHERE c.state <> CASE WHEN h.state IN ('HELD', 'PAYING', 'CLOSING') THEN 'HELD' WHEN h.state = 'CONFIRMED' AND NOT EXISTS (
    SELECT FROM booking b JOIN booking_line l USING (booking_id)
    WHERE b.hold_id = c.hold_id AND l.pool_id = c.pool_id AND l.ord = c.ord AND l.cancellation_id IS NOT NULL) THEN 'SOLD' ELSE 'FREED' END
UNION ALL
SELECT 'a hold costs what its claims cost', h.hold_id::text, format('%s, claims %s', h.total_amount, sum(c.quantity * c.unit_amount))
FROM hold h JOIN claim c USING (hold_id) GROUP BY h.hold_id HAVING h.total_amount <> sum(c.quantity * c.unit_amount)
UNION ALL
SELECT 'a buyer has taken what the claims of the show say', show_id || '/' || buyer, format('%s, claims %s', coalesce(b.taken, 0), coalesce(claims.taken, 0))
FROM buyer_cap b FULL JOIN (
    SELECT p.show_id, coalesce(h.buyer_reference, h.account_id::text) AS buyer, sum(c.quantity) AS taken
    FROM claim c JOIN hold h USING (hold_id) JOIN inv_pool p USING (pool_id) WHERE c.state IN ('HELD', 'SOLD') GROUP BY 1, 2) claims USING (show_id, buyer)
WHERE coalesce(b.taken, 0) <> coalesce(claims.taken, 0)
UNION ALL
SELECT 'a place is used by a hold of its show', concat_ws('/', show_id, epoch, lane, seq), format('hold %s', hold_id)
FROM burned_place b WHERE NOT EXISTS (
    SELECT FROM claim c JOIN inv_pool p USING (pool_id) WHERE c.hold_id = b.hold_id AND p.show_id = b.show_id)
UNION ALL
SELECT 'a confirmed hold has a confirmed booking', h.hold_id::text, format('hold %s, booking %s', h.state, coalesce(b.booking_id::text, 'none'))
FROM hold h LEFT JOIN booking b ON b.hold_id = h.hold_id AND b.state IN ('CONFIRMED', 'CANCELLED')
WHERE (h.state = 'CONFIRMED') <> (b.booking_id IS NOT NULL)
UNION ALL
SELECT 'a booking costs what its lines cost', b.booking_id::text,
    format('%s and %s off, lines %s', b.total_amount, b.discount_amount, sum(l.quantity * l.unit_amount))
FROM booking b JOIN booking_line l USING (booking_id) GROUP BY b.booking_id HAVING b.total_amount + b.discount_amount <> sum(l.quantity * l.unit_amount)
UNION ALL
SELECT 'coupons take off a booking what they take off its lines', b.booking_id::text, format('%s, lines %s', b.discount_amount, coalesce(sum(d.amount), 0))
FROM booking b LEFT JOIN booking_discount d USING (booking_id) GROUP BY b.booking_id HAVING b.discount_amount <> coalesce(sum(d.amount), 0)
UNION ALL
SELECT 'coupons take no more off a line than it costs', l.booking_id || '/' || l.line_no, format('%s of %s', sum(d.amount), l.quantity * l.unit_amount)
FROM booking_line l JOIN booking_discount d USING (booking_id, line_no) GROUP BY l.booking_id, l.line_no HAVING sum(d.amount) > l.quantity * l.unit_amount
UNION ALL
SELECT 'a cancelled line pays back what was paid for it', l.booking_id || '/' || l.line_no,
    format('%s, price %s, coupons %s', l.refund_amount, l.quantity * l.unit_amount, coalesce(sum(d.amount), 0))
FROM booking_line l LEFT JOIN booking_discount d USING (booking_id, line_no) WHERE l.cancellation_id IS NOT NULL GROUP BY l.booking_id, l.line_no
HAVING l.refund_amount <> l.quantity * l.unit_amount - coalesce(sum(d.amount), 0)
UNION ALL
SELECT 'a cancellation pays back what its lines do', c.cancellation_id::text, format('%s, lines %s', c.refund_amount, coalesce(sum(l.refund_amount), 0))
FROM cancellation c LEFT JOIN booking_line l USING (cancellation_id) GROUP BY c.cancellation_id HAVING c.refund_amount <> coalesce(sum(l.refund_amount), 0)
UNION ALL
SELECT 'a booking is cancelled once all of its lines are', b.booking_id::text, format('booking %s, %s lines are left', b.state, count(*) FILTER (WHERE l.cancellation_id IS NULL))
FROM booking b JOIN booking_line l USING (booking_id) GROUP BY b.booking_id
HAVING (b.state = 'CANCELLED') <> (count(*) FILTER (WHERE l.cancellation_id IS NULL) = 0)
UNION ALL
SELECT 'a saga ends as its booking does', s.saga_id::text, format('saga %s, booking %s', s.state, b.state)
FROM saga s JOIN booking b ON b.booking_id = s.subject_id
WHERE (s.state = 'DONE' AND b.state NOT IN ('CONFIRMED', 'CANCELLED')) OR (s.state = 'COMPENSATED' AND b.state <> 'FAILED')
UNION ALL
SELECT 'what is being paid has a saga under way', h.hold_id::text, format('hold %s', h.state)
FROM hold h WHERE h.state IN ('PAYING', 'CLOSING') AND NOT EXISTS (
    SELECT FROM booking b JOIN saga s ON s.subject_id = b.booking_id WHERE b.hold_id = h.hold_id AND s.state NOT IN ('DONE', 'COMPENSATED'))
UNION ALL
SELECT 'a line has its tickets once its saga is done, and no other line has any', l.booking_id || '/' || l.line_no,
    format('booking %s, line %s, saga %s, %s of %s tickets', b.state, CASE WHEN l.cancellation_id IS NULL THEN 'left' ELSE 'cancelled' END,
        s.state, count(t.ticket_id), l.quantity)
FROM booking_line l JOIN booking b USING (booking_id) JOIN saga s ON s.subject_id = b.booking_id
LEFT JOIN ticket t ON t.booking_id = l.booking_id AND t.line_no = l.line_no AND t.state = 'ACTIVE'
GROUP BY l.booking_id, l.line_no, b.state, s.state
HAVING (s.state = 'DONE' AND l.cancellation_id IS NULL AND count(t.ticket_id) <> l.quantity)
    OR ((b.state <> 'CONFIRMED' OR l.cancellation_id IS NOT NULL) AND count(t.ticket_id) > 0)
UNION ALL
SELECT 'a ticket admits to the unit of its line', t.ticket_id::text, format('unit %s/%s, line %s/%s', t.pool_id, t.ord, l.pool_id, l.ord)
FROM ticket t JOIN booking_line l USING (booking_id, line_no)
WHERE t.ord <> l.ord OR t.pool_id <> l.pool_id OR t.performance_id <> l.performance_id;
