//! Bad input: each case is answered with its code, HTTP status and reason, and changes nothing anywhere.

use std::collections::{BTreeMap, BTreeSet};

use e2e::docs::errors;
use e2e::rest::{Answer, Call};

use crate::real::{RealMesh, Timings};

mod bookings;
mod catalogue;
mod door;
mod elsewhere;
mod holds;
mod payments;
mod peers;
mod sagas;
mod scene;

use scene::Scene;

/// HTTP status, code and reason of a refusal.
type Told = (u16, &'static str, &'static str);

/// One bad request.
struct Case {
    what: &'static str,
    call: Call,
    told: Told,
    /// Sent to edge-proxy's second listener.
    admin: bool,
}

impl Case {
    fn new(what: &'static str, call: Call, told: Told) -> Self {
        let admin = false;
        Self {
            what,
            call,
            told,
            admin,
        }
    }
}

const INVALID: Told = (400, "INVALID_ARGUMENT", "INVALID_REQUEST");
const REUSED: Told = (400, "INVALID_ARGUMENT", "REQUEST_ID_REUSED");

fn bad(reason: &'static str) -> Told {
    (400, "INVALID_ARGUMENT", reason)
}

fn failed(reason: &'static str) -> Told {
    (400, "FAILED_PRECONDITION", reason)
}

fn absent(reason: &'static str) -> Told {
    (404, "NOT_FOUND", reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_its_reason_and_changes_nothing() {
    let mut mesh = RealMesh::start(Timings::Standard).await;
    let scene = Scene::set(&mesh).await;
    let mut cases = holds::cases(&scene);
    cases.extend(bookings::cases(&scene));
    cases.extend(payments::cases(&mesh, &scene).await);
    cases.extend(catalogue::cases(&scene));
    cases.extend(sagas::cases(&scene));
    cases.extend(door::cases(&mesh, &scene));
    assert!(cases.len() >= 30, "{} cases", cases.len());

    let quiet = mesh.digest().await;
    let before = mesh.tables().await;
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let way = if case.admin { &mesh.admin } else { &mesh.rest };
        let answer = way.send(&case.call).await.unwrap();
        wrong.extend(differs(case, &answer));
        let after = mesh.tables().await;
        if after != before {
            wrong.push(format!(
                "{} changed {:?}",
                case.what,
                changed(&before, &after)
            ));
            break;
        }
        seen.insert(case.told.2);
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    seen.extend(peers::refused(&mesh, &scene).await);
    assert_eq!(mesh.digest().await, quiet, "what peers asked");
    seen.extend(elsewhere::while_a_service_is_away(&mut mesh, &scene).await);
    mesh.audit().await;
    elsewhere::covers(&seen);
}

/// What is wrong with an answer.
fn differs(case: &Case, answer: &Answer) -> Option<String> {
    let told = (answer.status, answer.at("/error/status"), answer.reason());
    let wanted = (case.told.0, case.told.1.to_owned(), case.told.2.to_owned());
    if told != wanted {
        return Some(format!(
            "{}: {}\n    wanted {wanted:?}, got {}",
            case.what,
            case.call.title(),
            answer.text
        ));
    }
    let known = errors::entries(errors::TABLES).unwrap();
    if !known.contains_key(case.told.2) {
        return Some(format!("{}: {} is in no table", case.what, case.told.2));
    }
    // Who is told that a request is wrong is told where.
    let violations = answer
        .json
        .pointer("/error/details/1/fieldViolations/0/field");
    if case.told == INVALID && violations.is_none() {
        return Some(format!("{}: names no field: {}", case.what, answer.text));
    }
    None
}

fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| format!("{name}: {:?} -> {:?}", before.get(name), after.get(name)))
        .collect()
}
