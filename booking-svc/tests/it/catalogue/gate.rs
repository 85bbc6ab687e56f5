//! Shows that are looked at behind their waiting rooms.

use mesh::identity::{QUEUE_PASS, Role, SigningKey};
use mesh::{clock, id};
use proto::usher::booking::v1 as pb;
use tonic::{Request, Status};
use tonic_types::StatusExt;

use super::{Stage, request_id, show};
use crate::service::{Person, RoomKeys, Service, pass, reason};

const REQUIRED: &str = "FailedPrecondition QUEUE_PASS_REQUIRED";
const NOT_VALID: &str = "FailedPrecondition QUEUE_PASS_NOT_VALID";
const DOWN: &str = "Unavailable DEPENDENCY_DOWN";

/// A published show with a waiting room, which is on sale for a day, and what it plays.
async fn on_sale(keys: RoomKeys, browse_gated: bool) -> (Stage, pb::Performance) {
    let (stage, performance) = draft(keys, browse_gated).await;
    stage.publish().await;
    (stage, performance)
}

async fn draft(keys: RoomKeys, browse_gated: bool) -> (Stage, pb::Performance) {
    let closes = clock::now() + chrono::TimeDelta::days(1);
    let show = pb::CreateShowRequest {
        sale_close_time: Some(clock::to_timestamp(closes)),
        queue_required: true,
        browse_gated,
        ..show()
    };
    let stage = Stage::with(Service::with(keys).await, show).await;
    let performance = stage.play(30).await;
    (stage, performance)
}

/// What GetShow, GetPerformance and ListUnits answer, if it is the same, to whom shows `passes`.
async fn looks(
    (stage, performance): &(Stage, pb::Performance),
    person: Option<Person>,
    passes: &[String],
) -> String {
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let show_id = stage.show_id.clone();
    let performance_id = performance.performance_id.clone();
    let units = pb::ListUnitsRequest {
        pool_id: performance.pool_id.clone(),
        ..pb::ListUnitsRequest::default()
    };
    let get = with(passes, service.call(person, pb::GetShowRequest { show_id }));
    let get = client.get_show(get).await;
    let one = service.call(person, pb::GetPerformanceRequest { performance_id });
    let one = client.get_performance(with(passes, one)).await;
    let units = with(passes, Request::new(units));
    let units = service.list_units(person, units).await;
    let told = [
        told(&stage.show_id, get.map(|_| ())),
        told(&stage.show_id, one.map(|_| ())),
        told(&stage.show_id, units.map(|_| ())),
    ];
    assert!(told.iter().all(|answer| *answer == told[0]), "{told:?}");
    told[0].clone()
}

fn with<T>(passes: &[String], mut request: Request<T>) -> Request<T> {
    for pass in passes {
        let pass = pass.parse().unwrap();
        request.metadata_mut().append(QUEUE_PASS, pass);
    }
    request
}

/// Whether it was seen; a refusal for want of a pass has to say where to join.
fn told(show_id: &str, answer: Result<(), Status>) -> String {
    let Err(status) = answer else {
        return "seen".to_owned();
    };
    let details = status.get_error_details();
    let answer = reason::<()>(Err(status));
    if [REQUIRED, NOT_VALID].contains(&answer.as_str()) {
        let join = format!("/v1/shows/{show_id}/queue:join");
        assert_eq!(details.error_info().unwrap().metadata["join"], join);
        let rooms = &details.precondition_failure().unwrap().violations;
        assert_eq!(
            (&rooms[0].subject, &rooms[0].description),
            (&show_id.to_owned(), &join)
        );
    }
    answer
}

/// People, what they show, and what a gated show answers them.
fn visitors(stage: &Stage) -> Vec<(Option<Person>, Vec<String>, &'static str)> {
    let (user, other) = (Person::new(Role::User), Person::new(Role::User));
    let stranger = SigningKey::generate().unwrap();
    let (room, show_id) = (&stage.service.room, &stage.show_id);
    let good = || pass(room, show_id, user.account_id, 60);
    let elsewhere = pass(room, &id::new().to_string(), user.account_id, 60);
    let over = pass(room, show_id, user.account_id, 0);
    let forged = pass(&stranger, show_id, user.account_id, 60);
    vec![
        (None, vec![], REQUIRED),
        (Some(user), vec![], REQUIRED),
        (Some(Person::new(Role::Seller)), vec![], REQUIRED),
        // It is somebody's, and nobody in particular shows it.
        (None, vec![good()], REQUIRED),
        (Some(other), vec![good()], NOT_VALID),
        (Some(user), vec![over.clone()], NOT_VALID),
        (Some(user), vec![forged], NOT_VALID),
        (Some(user), vec!["nonsense".to_owned()], NOT_VALID),
        (Some(user), vec![elsewhere.clone()], REQUIRED),
        (Some(user), vec![good()], "seen"),
        (Some(user), vec![over, elsewhere, good()], "seen"),
        (Some(stage.seller), vec![], "seen"),
        (Some(Person::new(Role::Admin)), vec![], "seen"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gated_show_is_shown_to_those_whom_its_room_let_in_while_it_is_on_sale() {
    let gated = on_sale(RoomKeys::Known, true).await;
    let visitors = visitors(&gated.0);
    for (person, passes, expected) in &visitors {
        let answer = looks(&gated, *person, passes).await;
        assert_eq!(answer, *expected, "{person:?} {passes:?}");
    }
    let ended = "UPDATE show SET sale_close_time = now()";
    gated.0.service.storage.sql(ended).await;
    for (person, passes, _) in &visitors {
        let answer = looks(&gated, *person, passes).await;
        assert_eq!(answer, "seen", "{person:?} {passes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_gate_everybody_looks_whatever_they_show() {
    let free = on_sale(RoomKeys::Known, false).await;
    for (person, passes, _) in visitors(&free.0) {
        let answer = looks(&free, person, &passes).await;
        assert_eq!(answer, "seen", "{person:?} {passes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_a_gate_lets_nobody_in() {
    for (keys, with_pass) in [(RoomKeys::Untold, NOT_VALID), (RoomKeys::Away, DOWN)] {
        let gated = on_sale(keys, true).await;
        let user = Person::new(Role::User);
        let good = pass(&gated.0.service.room, &gated.0.show_id, user.account_id, 60);
        assert_eq!(looks(&gated, Some(user), &[good]).await, with_pass);
        assert_eq!(looks(&gated, Some(user), &[]).await, REQUIRED);
        assert_eq!(looks(&gated, Some(gated.0.seller), &[]).await, "seen");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_name_a_gated_show_to_everybody_and_a_gated_draft_is_as_absent_as_any() {
    let (stage, performance) = draft(RoomKeys::Known, true).await;
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let user = Person::new(Role::User);
    let get = pb::GetShowRequest {
        show_id: stage.show_id.clone(),
    };
    let good = pass(&service.room, &stage.show_id, user.account_id, 60);
    let get = with(&[good], service.call(user, get));
    let absent = client.get_show(get).await;
    assert_eq!(reason(absent), "NotFound SHOW_NOT_FOUND");
    stage.publish().await;
    for person in [None, Some(user)] {
        let shows = service.call(person, pb::ListShowsRequest::default());
        let shows = client.list_shows(shows).await.unwrap().into_inner().shows;
        let named: Vec<_> = shows
            .iter()
            .map(|show| (&show.show_id, show.queue_required, show.browse_gated))
            .collect();
        assert_eq!(named, [(&stage.show_id, true, true)]);
        let timetable = pb::ListPerformancesRequest {
            show_id: stage.show_id.clone(),
            ..pb::ListPerformancesRequest::default()
        };
        let timetable = service.call(person, timetable);
        let timetable = client.list_performances(timetable).await.unwrap();
        let times: Vec<_> = timetable.get_ref().performances.iter().collect();
        assert_eq!(times.len(), 1);
        assert_eq!(times[0].performance_id, performance.performance_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_needs_a_waiting_room() {
    let service = Service::start().await;
    let (seller, mut client) = (Person::new(Role::Seller), service.client.clone());
    let mut body = show();
    body.browse_gated = true;
    let refused = client.create_show(service.call(seller, body.clone())).await;
    let bad = refused.unwrap_err().get_details_bad_request().unwrap();
    let wrong = &bad.field_violations;
    assert_eq!((wrong.len(), wrong[0].field.as_str()), (1, "browse_gated"));
    let remedy = &wrong[0].description;
    assert!(remedy.contains("set queue_required"), "{remedy}");
    (body.request_id, body.queue_required) = (request_id(), true);
    let created = client.create_show(service.call(seller, body)).await;
    let created = created.unwrap().into_inner().show.unwrap();
    assert!(created.queue_required && created.browse_gated);
    let stored = "SELECT concat_ws(' ', queue_required, browse_gated) AS t FROM show";
    assert_eq!(service.storage.lines(stored).await, ["t t"]);
}
