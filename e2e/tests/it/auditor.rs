//! The auditor finds what it says it finds: each rule of both files has a contradiction that it names, and nothing before.

use crate::real::audit::{BOOKING, PAYMENT};
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
    for (storage, file, planted, rules) in [
        (&mesh.booking, BOOKING, &IN_BOOKING[..], 20),
        (&mesh.payment, PAYMENT, &IN_PAYMENT[..], 8),
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
