//! Venues, halls, shows and performances.

use e2e::rest::{Call, Person};
use mesh::id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::scene::Scene;
use super::{Case, INVALID, absent, bad, failed};

const TAKEN: super::Told = (409, "ALREADY_EXISTS", "HALL_NAME_TAKEN");
const FOREIGN: super::Told = (403, "PERMISSION_DENIED", "NOT_YOUR_RESOURCE");

pub(super) fn cases(scene: &Scene) -> Vec<Case> {
    let mut cases = unknown(scene);
    cases.extend(halls(scene));
    cases.extend(shows(scene));
    cases
}

fn post(person: &Person, path: String, body: &Value) -> Call {
    Call::post(path).by(person).json(body)
}

fn unknown(scene: &Scene) -> Vec<Case> {
    let get = |noun: &str| Call::get(format!("/v1/{noun}/{}", id::new()));
    let draft = Call::get(format!("/v1/shows/{}", scene.draft));
    vec![
        Case::new("an unknown venue", get("venues"), absent("VENUE_NOT_FOUND")),
        Case::new("an unknown hall", get("halls"), absent("HALL_NOT_FOUND")),
        Case::new("an unknown show", get("shows"), absent("SHOW_NOT_FOUND")),
        Case::new(
            "an unknown performance",
            get("performances"),
            absent("PERFORMANCE_NOT_FOUND"),
        ),
        Case::new(
            "a draft seen by nobody",
            draft.clone(),
            absent("SHOW_NOT_FOUND"),
        ),
        Case::new(
            "a draft seen by a buyer",
            draft.by(&scene.buyer),
            absent("SHOW_NOT_FOUND"),
        ),
        Case::new(
            "performances of an unknown show",
            Call::get(format!("/v1/shows/{}/performances", id::new())),
            absent("SHOW_NOT_FOUND"),
        ),
    ]
}

fn halls(scene: &Scene) -> Vec<Case> {
    let seller = &scene.seller;
    let path = |venue_id: Uuid| format!("/v1/venues/{venue_id}/halls");
    let own = || path(scene.sale.venue_id);
    let row =
        |from: u32, to: u32| json!({"zone": "Z", "row": "A", "from": from, "to": to, "grade": "R"});
    let hall = |name: &str, rows: Vec<Value>| json!({"name": name, "rowLayout": {"rows": rows}});
    let plan = |text: &str| {
        let call = Call::post("/v1/seating-plans").by(seller);
        call.bytes(text.as_bytes().to_vec())
    };
    let from_plan = json!({"name": "New", "planId": id::new()});
    vec![
        Case::new(
            "a hall in an unknown venue",
            post(seller, path(id::new()), &hall("New", vec![row(1, 2)])),
            absent("VENUE_NOT_FOUND"),
        ),
        Case::new(
            "a hall in somebody else's venue",
            post(
                seller,
                path(scene.over.venue_id),
                &hall("New", vec![row(1, 2)]),
            ),
            FOREIGN,
        ),
        Case::new(
            "a hall of an unknown plan",
            post(seller, own(), &from_plan),
            absent("PLAN_NOT_FOUND"),
        ),
        Case::new(
            "a name that the venue has",
            post(seller, own(), &hall(&scene.hall_name, vec![row(1, 2)])),
            TAKEN,
        ),
        Case::new(
            "a row that runs backwards",
            post(seller, own(), &hall("New", vec![row(9, 1)])),
            INVALID,
        ),
        Case::new(
            "more seats than a hall may have",
            post(seller, own(), &hall("New", vec![row(1, 100_001)])),
            INVALID,
        ),
        Case::new(
            "a row twice",
            post(seller, own(), &hall("New", vec![row(1, 2), row(1, 2)])),
            INVALID,
        ),
        Case::new(
            "a plan that is no JSON",
            plan("seats: many"),
            bad("SEATING_PLAN_INVALID"),
        ),
        Case::new("a plan of nothing", plan("{}"), bad("SEATING_PLAN_INVALID")),
        Case::new(
            "a plan with an unknown category",
            plan(
                r#"{"name": "x", "categories": [], "zones": [{"name": "z", "rows": [{"row_number": "1", "seats": [{"seat_guid": "a", "seat_number": "1", "category": "VIP"}]}]}]}"#,
            ),
            bad("SEATING_PLAN_INVALID"),
        ),
    ]
}

fn shows(scene: &Scene) -> Vec<Case> {
    let seller = &scene.seller;
    let publish = |show_id: Uuid, person: &Person| {
        let path = format!("/v1/shows/{show_id}:publish");
        post(person, path, &json!({}))
    };
    let performance = |show_id: Uuid, currency: &str, grade: &str| {
        let body = json!({
            "hallId": scene.sale.hall_id, "startTime": "2099-01-01T10:00:00Z", "endTime": "2099-01-01T12:00:00Z",
            "prices": [{"grade": grade, "price": {"minorUnits": "1", "currency": currency}}],
        });
        post(seller, format!("/v1/shows/{show_id}/performances"), &body)
    };
    let show = |open: &str, close: &str, max: u32| {
        let body = json!({"title": "x", "currency": "KRW", "saleOpenTime": open, "saleCloseTime": close, "unitsPerBuyerMax": max});
        post(seller, "/v1/shows".to_owned(), &body)
    };
    let (early, late) = ("2099-01-01T00:00:00Z", "2099-02-01T00:00:00Z");
    vec![
        Case::new(
            "publishing without a performance",
            publish(scene.draft, seller),
            failed("SHOW_HAS_NO_PERFORMANCE"),
        ),
        Case::new(
            "publishing twice",
            publish(scene.sale.show_id, seller),
            failed("SHOW_NOT_DRAFT"),
        ),
        Case::new(
            "publishing somebody else's show",
            publish(scene.over.show_id, seller),
            FOREIGN,
        ),
        Case::new(
            "prices in another currency",
            performance(scene.draft, "USD", "R"),
            bad("CURRENCY_MISMATCH"),
        ),
        Case::new(
            "a grade without a price",
            performance(scene.draft, "KRW", "VIP"),
            INVALID,
        ),
        Case::new(
            "a sale that ends before it begins",
            show(late, early, 4),
            INVALID,
        ),
        Case::new("a sale to nobody", show(early, late, 0), INVALID),
        Case::new("a time that is none", show("tomorrow", late, 4), INVALID),
        Case::new(
            "selling as a buyer",
            show(early, late, 4).by(&scene.buyer),
            (403, "PERMISSION_DENIED", "ROLE_REQUIRED"),
        ),
    ]
}
