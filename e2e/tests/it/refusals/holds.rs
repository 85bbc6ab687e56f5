//! HoldUnits, GetHold, ReleaseHold, ListUnits.

use e2e::rest::{Call, Person};
use mesh::id;
use serde_json::{Value, json};

use super::scene::Scene;
use super::{Case, INVALID, REUSED, absent, failed};
use crate::real::lines;

pub(super) fn cases(scene: &Scene) -> Vec<Case> {
    let mut cases = units(scene);
    cases.extend(rules(scene));
    cases.extend(others(scene));
    cases
}

fn hold(person: &Person, body: &Value) -> Call {
    Call::post("/v1/holds").by(person).json(body)
}

fn units(scene: &Scene) -> Vec<Case> {
    let (buyer, pool) = (&scene.buyer, scene.sale.pool_id);
    let of = |line: Value| hold(buyer, &json!({ "lines": [line] }));
    let many: Vec<i64> = (0..1_000).collect();
    vec![
        Case::new(
            "an unknown seat",
            hold(buyer, &lines(pool, &[9_999])),
            INVALID,
        ),
        Case::new(
            "one seat twice",
            hold(buyer, &lines(pool, &[9, 9])),
            INVALID,
        ),
        Case::new("no lines", hold(buyer, &json!({"lines": []})), INVALID),
        Case::new(
            "a thousand lines",
            hold(buyer, &lines(pool, &many)),
            INVALID,
        ),
        Case::new(
            "two places of a seat",
            of(json!({"poolId": pool, "ord": 9, "quantity": 2})),
            INVALID,
        ),
        Case::new(
            "more places than a line may have",
            of(json!({"poolId": pool, "ord": 9, "quantity": 101})),
            INVALID,
        ),
        Case::new(
            "a negative unit",
            of(json!({"poolId": pool, "ord": -1})),
            INVALID,
        ),
        Case::new(
            "a pool that is no id",
            of(json!({"poolId": "front row", "ord": 9})),
            INVALID,
        ),
        Case::new(
            "an unknown pool",
            hold(buyer, &lines(id::new(), &[0])),
            absent("POOL_NOT_FOUND"),
        ),
        Case::new(
            "units of an unknown pool",
            Call::get(format!("/v1/pools/{}/units", id::new())),
            absent("POOL_NOT_FOUND"),
        ),
        Case::new(
            "units by a page token of another list",
            Call::get(format!("/v1/pools/{pool}/units?pageToken=bm90IGEgdG9rZW4")),
            INVALID,
        ),
        Case::new(
            "somebody else's name without the scope",
            hold(
                buyer,
                &json!({"lines": [{"poolId": pool, "ord": 9}], "buyerReference": "a friend"}),
            ),
            INVALID,
        ),
    ]
}

fn rules(scene: &Scene) -> Vec<Case> {
    let (buyer, stranger, pool) = (&scene.buyer, &scene.stranger, scene.sale.pool_id);
    let (dollars, won) = (scene.in_dollars.pool_id, json!({"poolId": pool, "ord": 9}));
    vec![
        Case::new(
            "a seat that is held",
            hold(stranger, &lines(pool, &[9, 0])),
            failed("UNITS_TAKEN"),
        ),
        Case::new(
            "a seat that is sold",
            hold(stranger, &lines(pool, &[4])),
            failed("UNITS_TAKEN"),
        ),
        Case::new(
            "more than one buyer may have",
            hold(
                stranger,
                &lines(pool, &[9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]),
            ),
            failed("BUYER_CAP_REACHED"),
        ),
        Case::new(
            "before the sale",
            hold(buyer, &lines(scene.not_open.pool_id, &[0])),
            failed("SALE_NOT_OPEN"),
        ),
        Case::new(
            "after the sale",
            hold(buyer, &lines(scene.over.pool_id, &[0])),
            failed("SALE_CLOSED"),
        ),
        Case::new(
            "after the start",
            hold(buyer, &lines(scene.begun.pool_id, &[0])),
            failed("PERFORMANCE_STARTED"),
        ),
        Case::new(
            "two currencies",
            hold(
                buyer,
                &json!({"lines": [won, {"poolId": dollars, "ord": 0}]}),
            ),
            (400, "INVALID_ARGUMENT", "CURRENCY_MISMATCH"),
        ),
    ]
}

fn others(scene: &Scene) -> Vec<Case> {
    let (buyer, stranger, held) = (&scene.buyer, &scene.stranger, scene.held);
    let pool = scene.sale.pool_id;
    let release = |hold_id, person| Call::post(format!("/v1/holds/{hold_id}:release")).by(person);
    vec![
        Case::new(
            "somebody else's hold",
            Call::get(format!("/v1/holds/{held}")).by(stranger),
            absent("HOLD_NOT_FOUND"),
        ),
        Case::new(
            "an unknown hold",
            Call::get(format!("/v1/holds/{}", id::new())).by(buyer),
            absent("HOLD_NOT_FOUND"),
        ),
        Case::new(
            "a hold that is no id",
            Call::get("/v1/holds/mine").by(buyer),
            INVALID,
        ),
        Case::new(
            "the page of another list of holds",
            Call::get("/v1/holds?page_token=bm9uZQ").by(buyer),
            INVALID,
        ),
        Case::new(
            "holds in a state that holds do not have",
            Call::get("/v1/holds?state=CONFUSED").by(buyer),
            INVALID,
        ),
        Case::new(
            "giving back what somebody else holds",
            release(held, stranger),
            absent("HOLD_NOT_FOUND"),
        ),
        Case::new(
            "giving back what is being paid",
            release(scene.waiting.hold_id, buyer),
            failed("HOLD_ALREADY_BOOKED"),
        ),
        Case::new(
            "giving back what is sold",
            release(scene.paid.0.hold_id, buyer),
            failed("HOLD_ALREADY_BOOKED"),
        ),
        Case::new(
            "the same request id for other seats",
            hold(buyer, &lines(pool, &[9])).key(held),
            REUSED,
        ),
        Case::new(
            "the request id of somebody else",
            hold(stranger, &lines(pool, &[0])).key(held),
            REUSED,
        ),
        Case::new(
            "a request id that is none",
            hold(buyer, &lines(pool, &[9])).key("again"),
            INVALID,
        ),
        Case::new(
            "no request id",
            hold(buyer, &lines(pool, &[9])).key(""),
            INVALID,
        ),
    ]
}
