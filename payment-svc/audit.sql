-- What has to be true of the tables of payment-svc at any moment: no rows, or each row names a rule, what breaks it, and what stands there.
-- One statement, so one snapshot: it may run beside payments. `make audit` runs it.
SELECT 'a payment asks back what its refunds ask' AS rule, p.payment_id::text AS subject,
    format('%s, refunds %s', p.refund_amount, coalesce(sum(r.amount), 0)) AS found
FROM payment p LEFT JOIN refund r USING (payment_id) GROUP BY p.payment_id HAVING p.refund_amount <> coalesce(sum(r.amount), 0)
UNION ALL
SELECT 'what went back is what refunds brought', p.payment_id::text,
    format('%s, refunds done %s', p.refunded_amount, coalesce(sum(r.amount) FILTER (WHERE r.state = 'DONE'), 0))
FROM payment p LEFT JOIN refund r USING (payment_id) GROUP BY p.payment_id
HAVING p.refunded_amount <> coalesce(sum(r.amount) FILTER (WHERE r.state = 'DONE'), 0)
UNION ALL
SELECT 'no more goes back than was taken', payment_id::text, format('%s of %s', refund_amount, captured_amount)
FROM payment WHERE refund_amount > captured_amount OR refunded_amount > refund_amount
UNION ALL
SELECT 'a payment without money to keep gives all of it back', payment_id::text, format('%s: %s taken, %s asked back', state, captured_amount, refund_amount)
FROM payment WHERE state NOT IN ('CAPTURED', 'PARTIALLY_REFUNDED') AND refund_amount <> captured_amount
UNION ALL
SELECT 'what is kept is what was asked', p.payment_id::text, format('%s taken in time of %s', p.captured_amount - late.amount, p.amount)
FROM payment p CROSS JOIN LATERAL (SELECT coalesce(sum(l.captured_amount), 0) AS amount FROM late_capture l WHERE l.payment_id = p.payment_id) late
WHERE p.state IN ('CAPTURED', 'PARTIALLY_REFUNDED') AND p.refund_amount < p.captured_amount AND p.captured_amount - late.amount <> p.amount
UNION ALL
SELECT 'money was taken by an attempt or found late', p.payment_id::text, format('%s: %s taken', p.state, p.captured_amount)
FROM payment p WHERE p.captured_amount > 0
    AND NOT EXISTS (SELECT FROM payment_attempt a WHERE a.payment_id = p.payment_id AND a.provider_payment_key = p.provider_payment_key)
    AND NOT EXISTS (SELECT FROM late_capture l WHERE l.payment_id = p.payment_id)
UNION ALL
SELECT 'a late capture has its refund', l.payment_id::text, format('%s taken, refund %s', l.captured_amount, coalesce(r.amount::text, 'none'))
FROM late_capture l LEFT JOIN refund r USING (refund_id) WHERE r.amount IS DISTINCT FROM l.captured_amount
UNION ALL
SELECT 'a payment stands where its history ends', p.payment_id::text, format('%s, history %s', p.state, e.to_state)
FROM payment p JOIN LATERAL (SELECT to_state FROM payment_event e WHERE e.payment_id = p.payment_id ORDER BY seq DESC LIMIT 1) e ON true
WHERE e.to_state <> p.state;
