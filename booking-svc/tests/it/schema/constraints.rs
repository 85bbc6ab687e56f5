//! Each wall is shown to stand: a write that breaks the rule is refused by the constraint of that name.

use diesel_async::SimpleAsyncConnection;
use mesh::pg::constraint;

use crate::support::Storage;

/// One row of everything, all right.
const WORLD: &str = "
    INSERT INTO venue VALUES (id(1), id(9), 'Opera', '', 'Seoul', 'KR', 'Asia/Seoul');
    INSERT INTO hall VALUES (id(1), id(1), 'Main', 1, 3, '{}');
    INSERT INTO hall_unit VALUES
        (id(1), 0, 'SEAT', 'g0', 'Z', 'A', '1', 'R', 1, 2, false, 1),
        (id(1), 1, 'SEAT', 'g1', 'Z', 'A', '2', 'R', NULL, NULL, false, 1),
        (id(1), 2, 'AREA', NULL, 'Z', '', 'Pit', 'S', NULL, NULL, false, 50);
    INSERT INTO show VALUES (id(1), id(9), 'Hamlet', '{}', '', '', '', 'KRW', '2026-01-01Z', '2026-02-01Z', 4, 300, 'DRAFT', 1);
    INSERT INTO inv_pool VALUES (id(1), 'PERFORMANCE', id(1), id(1), 0, 1, 'OPEN', 52);
    INSERT INTO inv_unit VALUES (id(1), 0, 'R', true, 1), (id(1), 1, 'R', true, 1), (id(1), 2, 'S', false, 50);
    INSERT INTO inv_grade VALUES (id(1), 'R', 2), (id(1), 'S', 50);
    INSERT INTO performance VALUES (id(1), id(1), id(1), 1, id(1), '2026-03-01Z', '2026-03-02Z', 'SCHEDULED');
    INSERT INTO price VALUES (id(1), 'R', 0, 'KRW');
    INSERT INTO hold VALUES
        (id(1), id(7), NULL, 'HELD', '', 0, 'KRW', '2026-01-01Z', '2026-01-01Z', '2026-01-01Z'),
        (id(2), id(7), NULL, 'HELD', '', 0, 'KRW', '2026-01-01Z', '2026-01-01Z', '2026-01-01Z');
    INSERT INTO claim VALUES (id(1), id(1), 0, 1, true, 'HELD', 'R', 0, 'KRW');
    INSERT INTO buyer_cap VALUES (id(1), 'b', 4, 4);
    INSERT INTO burned_place VALUES (id(1), 1, 0, 7, id(1));
    INSERT INTO booking VALUES (id(1), id(7), id(1), id(1), '', 'PROCESSING', 'FREE', id(1), 0, 'KRW', NULL, NULL, NULL, '2026-01-01Z', 1, '2026-01-01Z');
    UPDATE booking SET reservation_id = id(1);
    INSERT INTO cancellation VALUES (id(1), id(1), id(7), '', '', 0, 'KRW', 'REFUNDING');
    INSERT INTO booking_line VALUES (id(1), 0, id(1), id(1), 0, true, 1, 'R', 0, 'KRW');
    INSERT INTO ticket VALUES (id(1), id(1), 0, 0, 0, id(7), id(1), id(1), 0, true, 'ACTIVE', 1, 'code');
    INSERT INTO saga VALUES (id(1), 'book', 1, id(1), 'RUNNING', 'FORWARD', 'open', 0, NULL, NULL, 0, '2026-01-01Z', NULL, '');
    INSERT INTO saga_event VALUES (id(1), 0, 'open', 'INTENT', 1, 0);
";

/// (the wall, a write that runs against it).
const WALLS: &[(&str, &str)] = &[
    (
        "hall_venue_name",
        "INSERT INTO hall VALUES (id(2), id(1), 'Main', 1, 1, '{}')",
    ),
    ("hall_unit_count", "UPDATE hall SET unit_count = 100001"),
    (
        "hall_unit_seat_guid",
        "UPDATE hall_unit SET seat_guid = 'g0' WHERE ord = 1",
    ),
    (
        "hall_unit_identity",
        "UPDATE hall_unit SET seat_guid = NULL WHERE ord = 1",
    ),
    (
        "hall_unit_capacity",
        "UPDATE hall_unit SET capacity = 2 WHERE ord = 1",
    ),
    (
        "hall_unit_capacity",
        "UPDATE hall_unit SET capacity = 0 WHERE ord = 2",
    ),
    (
        "hall_unit_position",
        "UPDATE hall_unit SET x = NULL WHERE ord = 0",
    ),
    (
        "hall_unit_kind",
        "UPDATE hall_unit SET kind = 'TABLE', seat_guid = NULL WHERE ord = 0",
    ),
    (
        "show_sale_window",
        "UPDATE show SET sale_close_time = sale_open_time",
    ),
    (
        "show_units_per_buyer_max",
        "UPDATE show SET units_per_buyer_max = 101",
    ),
    ("show_hold_ttl", "UPDATE show SET hold_ttl_seconds = 59"),
    ("show_state", "UPDATE show SET state = 'SECRET'"),
    ("show_browse_gated", "UPDATE show SET browse_gated = true"),
    (
        "inv_pool_subject",
        "INSERT INTO inv_pool VALUES (id(2), 'PERFORMANCE', id(1), id(1), 0, 1, 'OPEN', 0)",
    ),
    ("inv_pool_state", "UPDATE inv_pool SET state = 'AJAR'"),
    ("inv_pool_level", "UPDATE inv_pool SET sold = 53, sales = 1"),
    (
        "inv_grade_level",
        "UPDATE inv_grade SET sold = 3 WHERE grade = 'R'",
    ),
    ("inv_grade_level", "UPDATE inv_grade SET sold = -1"),
    (
        "inv_pool_level",
        "UPDATE inv_pool SET sold = -1, sales = -1",
    ),
    ("inv_pool_level", "UPDATE inv_pool SET sold = 1, sales = 2"),
    ("inv_pool_level", "UPDATE inv_pool SET sold = 1, sales = -1"),
    (
        "inv_unit_capacity",
        "UPDATE inv_unit SET held = 1, sold = 1 WHERE ord = 0",
    ),
    (
        "inv_unit_capacity",
        "UPDATE inv_unit SET held = 20, sold = 20, blocked = 11 WHERE ord = 2",
    ),
    (
        "inv_unit_capacity",
        "UPDATE inv_unit SET held = -1 WHERE ord = 2",
    ),
    (
        "inv_unit_capacity",
        "UPDATE inv_unit SET sold = -1 WHERE ord = 2",
    ),
    (
        "inv_unit_capacity",
        "UPDATE inv_unit SET blocked = -1 WHERE ord = 2",
    ),
    (
        "inv_unit_exclusive",
        "UPDATE inv_unit SET overbook = 1 WHERE ord = 0",
    ),
    (
        "inv_unit_exclusive",
        "UPDATE inv_unit SET capacity = 2 WHERE ord = 0",
    ),
    (
        "performance_pool_key",
        "INSERT INTO performance VALUES (id(2), id(1), id(1), 1, id(1), '2026-03-01Z', '2026-03-02Z', 'SCHEDULED')",
    ),
    (
        "performance_times",
        "UPDATE performance SET end_time = start_time",
    ),
    ("price_amount", "UPDATE price SET amount = -1"),
    (
        "hold_expire",
        "UPDATE hold SET expire_time = max_expire_time + interval '1 second'",
    ),
    ("hold_state", "UPDATE hold SET state = 'LOST'"),
    (
        "claim_one_owner",
        "INSERT INTO claim VALUES (id(2), id(1), 0, 1, true, 'HELD', 'R', 0, 'KRW')",
    ),
    (
        "claim_one_owner",
        "INSERT INTO claim VALUES (id(2), id(1), 0, 1, true, 'SOLD', 'R', 0, 'KRW')",
    ),
    ("claim_quantity", "UPDATE claim SET quantity = 2"),
    (
        "claim_quantity",
        "UPDATE claim SET quantity = 0, exclusive = false",
    ),
    (
        "claim_unit_fkey",
        "INSERT INTO claim VALUES (id(2), id(1), 3, 1, true, 'HELD', 'R', 0, 'KRW')",
    ),
    ("buyer_cap_limit", "UPDATE buyer_cap SET taken = 5"),
    (
        "burned_place_pkey",
        "INSERT INTO burned_place VALUES (id(1), 1, 0, 7, id(2))",
    ),
    (
        "burned_place_hold_fkey",
        "INSERT INTO burned_place VALUES (id(1), 1, 0, 8, id(3))",
    ),
    ("buyer_cap_limit", "UPDATE buyer_cap SET taken = -1"),
    (
        "booking_one_live",
        "INSERT INTO booking SELECT id(2), account_id, hold_id, id(2), '', state, method, id(2), 0, 'KRW', NULL, NULL, NULL, create_time, 1, create_time FROM booking",
    ),
    (
        "booking_request_key",
        "INSERT INTO booking SELECT id(2), account_id, id(2), request_id, '', state, method, id(2), 0, 'KRW', NULL, NULL, NULL, create_time, 1, create_time FROM booking",
    ),
    (
        "booking_payment_key",
        "INSERT INTO booking SELECT id(2), account_id, id(2), id(2), '', state, method, payment_id, 0, 'KRW', NULL, NULL, NULL, create_time, 1, create_time FROM booking",
    ),
    (
        "booking_line_refund",
        "UPDATE booking_line SET refund_amount = 0",
    ),
    (
        "booking_line_refund",
        "UPDATE booking_line SET cancellation_id = id(1), refund_amount = 1",
    ),
    (
        "booking_line_cancellation_fkey",
        "UPDATE booking_line SET cancellation_id = id(2), refund_amount = 0",
    ),
    (
        "cancellation_refund",
        "UPDATE cancellation SET refund_amount = -1",
    ),
    (
        "cancellation_state",
        "UPDATE cancellation SET state = 'SOON'",
    ),
    (
        "cancellation_finish",
        "UPDATE cancellation SET state = 'DONE'",
    ),
    (
        "cancellation_finish",
        "UPDATE cancellation SET state = 'PARKED', finish_time = now()",
    ),
    (
        "cancellation_booking_fkey",
        "UPDATE cancellation SET booking_id = id(2)",
    ),
    ("booking_failure", "UPDATE booking SET state = 'FAILED'"),
    (
        "booking_discount",
        "UPDATE booking SET discount_amount = 1, reservation_id = NULL",
    ),
    (
        "booking_discount",
        "UPDATE booking SET discount_amount = -1, reservation_id = id(1)",
    ),
    (
        "booking_reservation_key",
        "INSERT INTO booking SELECT id(2), account_id, id(2), id(2), '', 'FAILED', method, id(2), 0, 'KRW', 'x', NULL, NULL, create_time, 1, create_time, NULL, 0, id(1) FROM booking",
    ),
    (
        "booking_discount_amount",
        "INSERT INTO booking_discount VALUES (id(1), 0, id(1), id(1), 0, 0)",
    ),
    (
        "booking_discount_platform",
        "INSERT INTO booking_discount VALUES (id(1), 0, id(1), id(1), 1, 2)",
    ),
    (
        "booking_discount_line_fkey",
        "INSERT INTO booking_discount VALUES (id(1), 1, id(1), id(1), 1, 1)",
    ),
    ("booking_confirm", "UPDATE booking SET state = 'CONFIRMED'"),
    (
        "booking_confirm",
        "UPDATE booking SET confirm_time = create_time",
    ),
    (
        "booking_line_unit",
        "INSERT INTO booking_line VALUES (id(1), 1, id(1), id(1), 0, true, 1, 'R', 0, 'KRW')",
    ),
    (
        "ticket_one_active",
        "INSERT INTO ticket VALUES (id(2), id(1), 0, 1, 0, id(7), id(1), id(1), 0, true, 'ACTIVE', 1, 'other')",
    ),
    (
        "ticket_seq",
        "INSERT INTO ticket VALUES (id(2), id(1), 0, 0, 0, id(7), id(1), id(1), 0, true, 'VOID', 1, 'other')",
    ),
    (
        "ticket_code_key",
        "INSERT INTO ticket VALUES (id(2), id(1), 0, 1, 0, id(7), id(1), id(1), 0, true, 'VOID', 1, 'code')",
    ),
    (
        "saga_subject",
        "INSERT INTO saga VALUES (id(2), 'book', 1, id(1), 'RUNNING', 'FORWARD', 'open', 0, NULL, NULL, 0, '2026-01-01Z', NULL, '')",
    ),
    ("saga_parked", "UPDATE saga SET state = 'PARKED'"),
    ("saga_parked", "UPDATE saga SET park_reason = 'why not'"),
    (
        "saga_event_once",
        "INSERT INTO saga_event VALUES (id(1), 1, 'open', 'INTENT', 1, 5)",
    ),
];

/// What looks like the above and is allowed.
const DOORS: &[&str] = &[
    "INSERT INTO claim VALUES (id(2), id(1), 0, 1, true, 'FREED', 'R', 0, 'KRW')",
    "UPDATE claim SET state = 'FREED'; INSERT INTO claim VALUES (id(2), id(1), 0, 1, true, 'HELD', 'R', 0, 'KRW')",
    "INSERT INTO claim VALUES (id(1), id(1), 2, 30, false, 'HELD', 'S', 0, 'KRW'), (id(2), id(1), 2, 20, false, 'SOLD', 'S', 0, 'KRW')",
    "UPDATE inv_unit SET held = 25, sold = 25 WHERE ord = 2",
    "UPDATE inv_pool SET sold = 52, sales = 52",
    "INSERT INTO burned_place VALUES (id(1), 1, 0, 8, id(1)), (id(1), 1, 1, 7, id(1)), (id(1), 2, 0, 7, id(1))",
    "UPDATE inv_pool SET sold = 52, sales = 0",
    "UPDATE inv_grade SET sold = room",
    "UPDATE cancellation SET state = 'PARKED'; UPDATE cancellation SET state = 'DONE', finish_time = now()",
    "UPDATE booking SET state = 'FAILED', failure_reason = 'ABANDONED'; INSERT INTO booking SELECT id(2), account_id, hold_id, id(2), '', 'PROCESSING', method, id(2), 0, 'KRW', NULL, NULL, NULL, create_time, 1, create_time FROM booking",
    "UPDATE ticket SET state = 'VOID'; INSERT INTO ticket VALUES (id(2), id(1), 0, 0, 1, id(7), id(1), id(1), 0, true, 'ACTIVE', 1, 'other')",
    "INSERT INTO saga_event VALUES (id(1), 1, 'open', 'ADMIN', 1, 0), (id(1), 2, 'open', 'ADMIN', 1, 0)",
];

async fn world() -> Storage {
    let storage = Storage::new().await;
    storage.sql("CREATE FUNCTION id(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT lpad(n::text, 32, '0')::uuid $$").await;
    storage.sql(WORLD).await;
    storage
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wall_stands() {
    let storage = world().await;
    for (wall, write) in WALLS {
        let refused = storage.connection().await.batch_execute(write).await;
        let error = refused.expect_err(write);
        assert_eq!(constraint(&error), Some(*wall), "{write}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_allowed_passes() {
    let storage = world().await;
    for write in DOORS {
        let mut connection = storage.connection().await;
        let outcome = connection
            .batch_execute(&format!("BEGIN; {write}; ROLLBACK"))
            .await;
        assert!(outcome.is_ok(), "{write}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_saga_did_is_never_rewritten() {
    let storage = world().await;
    for write in [
        "UPDATE saga_event SET kind = 'OK'",
        "DELETE FROM saga_event",
        "TRUNCATE saga_event",
    ] {
        let refused = storage.connection().await.batch_execute(write).await;
        assert!(
            refused.unwrap_err().to_string().contains("append-only"),
            "{write}"
        );
    }
}
