//! SagaAdminService.

use e2e::rest::{Call, Person};
use mesh::id;
use serde_json::json;
use uuid::Uuid;

use super::scene::Scene;
use super::{Case, INVALID, absent, failed};

pub(super) fn cases(scene: &Scene) -> Vec<Case> {
    let admin = &scene.admin;
    let get = |path: String, person: &Person| Call::get(path).by(person);
    let order = |saga_id: Uuid, verb: &str| {
        let call = Call::post(format!("/v1/admin/sagas/{saga_id}:{verb}"));
        call.by(admin).json(&json!({"reason": "test"}))
    };
    let (ended, parked) = (scene.ended_saga, scene.parked_saga);
    let unknown = absent("SAGA_NOT_FOUND");
    let mut cases = vec![
        Case::new(
            "an unknown saga",
            get(format!("/v1/admin/sagas/{}", id::new()), admin),
            unknown,
        ),
        Case::new(
            "retrying an unknown saga",
            order(id::new(), "retry"),
            unknown,
        ),
        Case::new(
            "retrying what has ended",
            order(ended, "retry"),
            failed("SAGA_FINAL"),
        ),
        Case::new(
            "parking what has ended",
            order(ended, "park"),
            failed("SAGA_FINAL"),
        ),
        Case::new(
            "parking what is parked",
            order(parked, "park"),
            failed("SAGA_PARKED"),
        ),
        Case::new(
            "parking without a reason",
            order(parked, "park").json(&json!({})),
            INVALID,
        ),
        Case::new(
            "sagas of a negative age",
            get("/v1/admin/sagas?minAge=-5s".to_owned(), admin),
            INVALID,
        ),
        Case::new(
            "sagas in a state that is none",
            get("/v1/admin/sagas?state=77".to_owned(), admin),
            INVALID,
        ),
        Case::new(
            "sagas for a buyer",
            get("/v1/admin/sagas".to_owned(), &scene.buyer),
            (403, "PERMISSION_DENIED", "ROLE_REQUIRED"),
        ),
    ];
    for case in &mut cases {
        case.admin = true;
    }
    cases.push(Case::new(
        "sagas at the public door",
        get("/v1/admin/sagas".to_owned(), admin),
        absent("ROUTE_NOT_FOUND"),
    ));
    cases
}
