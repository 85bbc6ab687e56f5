//! The auditor finds what it says it finds: each rule of each file has a contradiction that it names, and nothing before.

use crate::real::audit::{BOOKING, COUPON, PAYMENT};
use crate::real::{RealMesh, ShowPlan, Storage, Timings};
use mesh::identity::Role;

/// A contradiction, made past every constraint, and the rule that it breaks.
type Planted = (&'static str, &'static str);

const IN_BOOKING: [Planted; 21] = [
    (
        "a unit counts what its claims hold",
        "UPDATE inv_unit SET held = held + 1 WHERE ord = 9",
    ),
    (
        "a pool counts what its units do",
        "UPDATE inv_pool SET room = room + 1",
    ),
    (
        "a pool counts what its units do",
        "UPDATE inv_pool SET sold = sold - 1 WHERE sold > 0",
    ),
    (
        "a grade counts what its units do",
        "UPDATE inv_grade SET sold = sold - 1 WHERE sold > 0",
    ),
    (
        "a pool counts the holds that were sold",
        "UPDATE inv_pool SET sales = sales + 1",
    ),
    (
        "nothing is sold beyond its capacity",
        "UPDATE inv_unit SET blocked = 2 WHERE ord = 1",
    ),
    (
        "a claim stands where its hold stands",
        "UPDATE claim SET state = 'FREED' WHERE state = 'SOLD'",
    ),
    (
        "a hold costs what its claims cost",
        "UPDATE hold SET total_amount = total_amount - 1",
    ),
    (
        "a buyer has taken what the claims of the show say",
        "UPDATE buyer_cap SET taken = taken - 1 WHERE taken > 0",
    ),
    (
        "a place is used by a hold of its show",
        "INSERT INTO burned_place SELECT gen_random_uuid(), 1, 0, 7, hold_id FROM hold LIMIT 1",
    ),
    (
        "a confirmed hold has a confirmed booking",
        "UPDATE booking SET state = 'AWAITING_PAYMENT', confirm_time = NULL WHERE state = 'CONFIRMED'",
    ),
    (
        "a booking costs what its lines cost",
        "UPDATE booking SET total_amount = total_amount + 1",
    ),
    (
        "coupons take off a booking what they take off its lines",
        "UPDATE booking SET discount_amount = 1, total_amount = total_amount - 1",
    ),
    (
        "coupons take no more off a line than it costs",
        "INSERT INTO booking_discount SELECT booking_id, line_no, booking_id, booking_id, unit_amount + 1, 0 FROM booking_line",
    ),
    (
        "a cancelled line pays back what was paid for it",
        "UPDATE booking_line SET cancellation_id = booking_id, refund_amount = 1",
    ),
    (
        "a cancellation pays back what its lines do",
        "INSERT INTO cancellation SELECT booking_id, booking_id, account_id, '', '', 1, 'KRW', 'REFUNDING' FROM booking",
    ),
    (
        "a booking is cancelled once all of its lines are",
        "UPDATE booking SET state = 'CANCELLED' WHERE state = 'CONFIRMED'",
    ),
    (
        "a saga ends as its booking does",
        "UPDATE saga SET state = 'DONE' WHERE state = 'WAITING'",
    ),
    (
        "what is being paid has a saga under way",
        "DELETE FROM saga_event; DELETE FROM saga WHERE state = 'WAITING'",
    ),
    (
        "a line has its tickets once its saga is done, and no other line has any",
        "DELETE FROM ticket",
    ),
    (
        "a ticket admits to the unit of its line",
        "UPDATE ticket SET ord = ord + 1",
    ),
];

const IN_PAYMENT: [Planted; 8] = [
    (
        "a payment asks back what its refunds ask",
        "UPDATE payment SET refund_amount = 1 WHERE state = 'CAPTURED'",
    ),
    (
        "what went back is what refunds brought",
        "UPDATE payment SET refund_amount = amount, refunded_amount = amount WHERE state = 'CAPTURED'",
    ),
    (
        "no more goes back than was taken",
        "UPDATE payment SET refunded_amount = captured_amount + 1",
    ),
    (
        "a payment without money to keep gives all of it back",
        "UPDATE payment SET state = 'CANCELLED' WHERE state = 'CAPTURED'",
    ),
    (
        "what is kept is what was asked",
        "UPDATE payment SET amount = amount + 1 WHERE state = 'CAPTURED'",
    ),
    (
        "money was taken by an attempt or found late",
        "UPDATE payment_attempt SET provider_payment_key = 'another'",
    ),
    (
        "a late capture has its refund",
        "INSERT INTO late_capture SELECT 'toss', 'k', payment_id, 5, clock_timestamp(), payment_id FROM payment LIMIT 1",
    ),
    (
        "a payment stands where its history ends",
        "UPDATE payment SET state = 'EXPIRED' WHERE state = 'AWAITING_CUSTOMER'",
    ),
];

/// A campaign of 20 of which four are issued, one of them reserved, one used once and one used and restored; one that is exhausted; a draft.
const COUPONS: &str = "
    CREATE FUNCTION id(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT lpad(n::text, 32, '0')::uuid $$;
    INSERT INTO campaign (campaign_id, name, terms, stock, per_account_max, claim_open_time, claim_close_time, use_days, uses_per_coupon, state)
        VALUES (id(1), 'c', '{}', 20, 2, '2026-01-01Z', '2099-01-02Z', 30, 2, 'OPEN'),
            (id(2), 'c', '{}', 1, 1, '2026-01-01Z', '2099-01-02Z', 30, 1, 'EXHAUSTED'), (id(3), 'c', '{}', 5, 1, '2026-01-01Z', '2099-01-02Z', 30, 1, 'DRAFT');
    INSERT INTO campaign_stock SELECT id(1), s, 1 FROM generate_series(0, 15) s;
    INSERT INTO campaign_stock SELECT id(2), s, 0 FROM generate_series(0, 15) s;
    INSERT INTO coupon (coupon_id, campaign_id, account_id, n, state, uses_max, uses, issue_time, valid_from_time, expire_time)
        SELECT id(c), id(g), id(a), n, s, m, u, now(), now(), now() + interval '1 day' FROM (VALUES (1, 1, 7, 1, 'RESERVED', 2, 0),
            (2, 1, 7, 2, 'AVAILABLE', 2, 1), (3, 1, 8, 1, 'AVAILABLE', 2, 0), (4, 1, 9, 1, 'AVAILABLE', 2, 0), (5, 2, 7, 1, 'USED', 1, 1)) v(c, g, a, n, s, m, u);
    INSERT INTO reservation (reservation_id, booking_id, account_id, state)
        VALUES (id(1), id(1), id(7), 'RESERVED'), (id(2), id(2), id(7), 'USED'), (id(3), id(3), id(8), 'RESTORED'), (id(4), id(4), id(9), 'RELEASED');
    INSERT INTO reservation_coupon VALUES (id(1), id(1), true, false), (id(2), id(2), false, false), (id(2), id(5), false, false),
        (id(3), id(3), false, true), (id(4), id(4), false, false)";

const IN_COUPON: [Planted; 13] = [
    (
        "a campaign issued what its stock has lost",
        "UPDATE campaign_stock SET remaining = 2 WHERE campaign_id = id(1) AND shard = 3",
    ),
    (
        "a campaign issued what its stock has lost",
        "DELETE FROM coupon WHERE coupon_id = id(4)",
    ),
    (
        "a campaign with a limit has its stock in parts once it opens",
        "UPDATE campaign SET state = 'OPEN' WHERE state = 'DRAFT'",
    ),
    (
        "a campaign is exhausted when nothing is left",
        "UPDATE campaign SET state = 'OPEN' WHERE campaign_id = id(2)",
    ),
    (
        "a campaign is exhausted when nothing is left",
        "UPDATE campaign SET state = 'EXHAUSTED' WHERE campaign_id = id(1)",
    ),
    (
        "nobody has more coupons of a campaign than it allows",
        "UPDATE campaign SET per_account_max = 1",
    ),
    (
        "the coupons of an owner are numbered without gaps",
        "UPDATE coupon SET n = 3 WHERE coupon_id = id(2)",
    ),
    (
        "a coupon is of a campaign that was opened",
        "UPDATE coupon SET campaign_id = id(3) WHERE coupon_id = id(4)",
    ),
    (
        "a coupon is of a campaign that was opened",
        "UPDATE coupon SET campaign_id = id(9) WHERE coupon_id = id(4)",
    ),
    (
        "a coupon that is reserved has one holder, and no other has any",
        "UPDATE coupon SET state = 'AVAILABLE' WHERE coupon_id = id(1)",
    ),
    (
        "a coupon that is reserved has one holder, and no other has any",
        "UPDATE coupon SET state = 'RESERVED' WHERE coupon_id = id(4)",
    ),
    (
        "a reservation holds coupons as long as it is open",
        "UPDATE reservation SET state = 'RELEASED' WHERE reservation_id = id(1)",
    ),
    (
        "a coupon counts the bookings that used it",
        "UPDATE coupon SET uses = 0 WHERE coupon_id = id(2)",
    ),
];

/// A captured payment whose money was found a second time and goes back: legal.
const TWICE_AND_BACK: &str = "
    INSERT INTO refund (refund_id, payment_id, amount, currency, cause, idempotency_key, state)
        SELECT payment_id, payment_id, amount, currency, 'LATE_CAPTURE', payment_id, 'PENDING' FROM payment WHERE state = 'CAPTURED';
    INSERT INTO late_capture SELECT 'toss', 'another', payment_id, amount, clock_timestamp(), payment_id FROM payment WHERE state = 'CAPTURED';
    UPDATE payment SET captured_amount = 2 * amount, refund_amount = amount WHERE state = 'CAPTURED'";

/// Rules that the auditor names after `planted`, which is undone again.
async fn named(storage: &Storage, file: &str, planted: &str) -> Vec<String> {
    let checks = "DO $$ DECLARE c record; BEGIN
        FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace
            LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP;
        FOR c IN SELECT DISTINCT tgrelid::regclass AS t FROM pg_trigger WHERE NOT tgisinternal
            LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', c.t); END LOOP;
        END $$";
    storage.run(&format!("BEGIN; {checks}; {planted}")).await;
    let found = storage.rows(file.trim_end().trim_end_matches(';')).await;
    storage.run("ROLLBACK").await;
    let rules = found
        .iter()
        .map(|row| row["rule"].as_str().unwrap().to_owned());
    rules.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_finds_its_contradiction() {
    let mut mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let buyer = mesh.person(&[Role::User]);
    let paid = mesh.order(&buyer, sale.pool_id, &[1]).await;
    mesh.pay(&buyer, &paid, "approve").await;
    mesh.tickets(&buyer, paid.booking_id, 1).await;
    mesh.order(&buyer, sale.pool_id, &[2]).await;
    // Nobody writes while contradictions are planted.
    mesh.kill("booking-svc");
    mesh.kill("payment-svc");
    mesh.kill("coupon-svc");
    mesh.coupon.run(COUPONS).await;
    for (storage, file, planted, rules) in [
        (&mesh.booking, BOOKING, &IN_BOOKING[..], 20),
        (&mesh.payment, PAYMENT, &IN_PAYMENT[..], 8),
        (&mesh.coupon, COUPON, &IN_COUPON[..], 9),
    ] {
        assert_eq!(
            file.matches("UNION ALL").count() + 1,
            rules,
            "each rule stands here"
        );
        assert_eq!(named(storage, file, "").await, [""; 0]);
        if file == PAYMENT {
            assert_eq!(named(storage, file, TWICE_AND_BACK).await, [""; 0]);
        }
        for (rule, contradiction) in planted {
            let rules = named(storage, file, contradiction).await;
            assert!(
                rules.contains(&(*rule).to_owned()),
                "{contradiction}: {rules:?}"
            );
        }
    }
}
