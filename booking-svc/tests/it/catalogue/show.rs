use mesh::identity::Role;
use proto::usher::booking::events::v1::ShowPublished;
use proto::usher::booking::v1 as pb;

use super::{Stage, day, request_id, show};
use crate::service::{Person, Service, fields, reason};

#[tokio::test(flavor = "multi_thread")]
async fn a_show_says_what_was_said() {
    let service = Service::start().await;
    let (seller, mut client) = (Person::new(Role::Seller), service.client.clone());
    let body = show();
    let created = client
        .create_show(service.call(seller, body.clone()))
        .await
        .unwrap()
        .into_inner()
        .show
        .unwrap();
    let again = client
        .create_show(service.call(seller, body.clone()))
        .await
        .unwrap()
        .into_inner()
        .show
        .unwrap();
    assert_eq!(created, again);
    assert_eq!(created.state(), pb::ShowState::Draft);
    assert_eq!(created.hold_ttl.unwrap().seconds, 300);
    assert_eq!(
        (created.cast_names, created.description),
        (body.cast_names, body.description)
    );
    assert_eq!(
        (created.sale_open_time, created.sale_close_time),
        (day(0), day(60))
    );
    assert_eq!(
        (created.currency.as_str(), created.units_per_buyer_max),
        ("KRW", 4)
    );
    let wrong = pb::CreateShowRequest {
        request_id: request_id(),
        currency: "won".to_owned(),
        sale_open_time: day(1),
        sale_close_time: day(1),
        hold_ttl: Some(prost_types::Duration {
            seconds: 59,
            nanos: 0,
        }),
        ..pb::CreateShowRequest::default()
    };
    let refused = client.create_show(service.call(seller, wrong)).await;
    let expected = [
        "currency",
        "title",
        "sale_close_time",
        "units_per_buyer_max",
        "hold_ttl",
    ];
    assert_eq!(fields(refused), expected);
    let refused = client
        .create_show(service.call(seller, pb::CreateShowRequest::default()))
        .await;
    let expected = [
        "request_id",
        "currency",
        "sale_open_time",
        "sale_close_time",
        "title",
        "units_per_buyer_max",
    ];
    assert_eq!(fields(refused), expected);
}

/// What each of five reads answers to `viewer`: found or not.
async fn sees(stage: &Stage, viewer: Option<Person>, performance: &pb::Performance) -> Vec<String> {
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let told = |answer: Result<bool, tonic::Status>| match answer {
        Ok(true) => "seen".to_owned(),
        Ok(false) => "not listed".to_owned(),
        refused => reason(refused),
    };
    let show_id = stage.show_id.clone();
    let get = client
        .get_show(service.call(
            viewer,
            pb::GetShowRequest {
                show_id: show_id.clone(),
            },
        ))
        .await;
    let listed = client
        .list_shows(service.call(viewer, pb::ListShowsRequest::default()))
        .await;
    let performance_id = performance.performance_id.clone();
    let one = client
        .get_performance(service.call(viewer, pb::GetPerformanceRequest { performance_id }))
        .await;
    let body = pb::ListPerformancesRequest {
        show_id,
        ..pb::ListPerformancesRequest::default()
    };
    let all = client.list_performances(service.call(viewer, body)).await;
    let body = pb::ListUnitsRequest {
        pool_id: performance.pool_id.clone(),
        ..pb::ListUnitsRequest::default()
    };
    let units = service.units(viewer, body).await;
    vec![
        told(get.map(|_| true)),
        told(listed.map(|page| !page.into_inner().shows.is_empty())),
        told(one.map(|_| true)),
        told(all.map(|page| !page.into_inner().performances.is_empty())),
        told(units.map(|page| !page.units.is_empty())),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_seen_by_its_seller_and_by_operators_only() {
    let stage = Stage::new().await;
    let performance = stage.play(30).await;
    let hidden = [
        "NotFound SHOW_NOT_FOUND",
        "not listed",
        "NotFound PERFORMANCE_NOT_FOUND",
        "NotFound SHOW_NOT_FOUND",
        "NotFound POOL_NOT_FOUND",
    ];
    let admin = Person::new(Role::Admin);
    for stranger in [
        None,
        Some(Person::new(Role::User)),
        Some(Person::new(Role::Seller)),
    ] {
        assert_eq!(
            sees(&stage, stranger, &performance).await,
            hidden,
            "{stranger:?}"
        );
    }
    assert_eq!(
        sees(&stage, Some(stage.seller), &performance).await,
        ["seen"; 5]
    );
    // Operators get a draft by its id; lists show a caller's own drafts only.
    assert_eq!(
        sees(&stage, Some(admin), &performance).await,
        ["seen", "not listed", "seen", "seen", "seen"]
    );
    stage.publish().await;
    for anybody in [
        None,
        Some(Person::new(Role::User)),
        Some(stage.seller),
        Some(admin),
    ] {
        assert_eq!(
            sees(&stage, anybody, &performance).await,
            ["seen"; 5],
            "{anybody:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_with_a_performance_is_published_once() {
    let stage = Stage::new().await;
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let body = || pb::PublishShowRequest {
        request_id: request_id(),
        show_id: stage.show_id.clone(),
    };
    let early = body();
    let refused = client
        .publish_show(service.call(stage.seller, early.clone()))
        .await;
    assert_eq!(
        reason(refused),
        "FailedPrecondition SHOW_HAS_NO_PERFORMANCE"
    );
    let stranger = client
        .publish_show(service.call(Person::new(Role::Seller), body()))
        .await;
    assert_eq!(reason(stranger), "PermissionDenied NOT_YOUR_RESOURCE");
    let mut unknown = body();
    unknown.show_id = request_id();
    let refused = client
        .publish_show(service.call(stage.seller, unknown))
        .await;
    assert_eq!(reason(refused), "NotFound SHOW_NOT_FOUND");
    stage.play(30).await;
    // A refusal is not stored: the same request is decided anew, and from then on replayed.
    for _ in 0..2 {
        let published = client
            .publish_show(service.call(stage.seller, early.clone()))
            .await
            .unwrap();
        assert_eq!(
            published.into_inner().show.unwrap().state(),
            pb::ShowState::Published
        );
    }
    let refused = client
        .publish_show(service.call(stage.seller, body()))
        .await;
    assert_eq!(reason(refused), "FailedPrecondition SHOW_NOT_DRAFT");
    assert_eq!(
        service
            .storage
            .lines("SELECT version::text AS t FROM show")
            .await,
        ["2"]
    );
    let events = "SELECT type || ' ' || (aggregate = show_id) AS t FROM outbox, show WHERE aggregate = show_id";
    let expected = "usher.booking.events.v1.ShowPublished true";
    assert_eq!(service.storage.lines(events).await, [expected]);
    let told = ShowPublished {
        show_id: stage.show_id.clone(),
        seller_id: stage.seller.account_id.to_string(),
        queue_required: false,
        sale_open_time: day(0),
        sale_close_time: day(60),
    };
    assert_eq!(service.storage.told::<ShowPublished>().await, [told]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_with_a_waiting_room_is_published_as_one() {
    let mut stage = Stage::new().await;
    let mut body = show();
    body.queue_required = true;
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let created = client.create_show(service.call(stage.seller, body)).await;
    stage.show_id = created.unwrap().into_inner().show.unwrap().show_id;
    stage.play(30).await;
    stage.publish().await;
    let told = stage.service.storage.told::<ShowPublished>().await;
    assert!(
        told.iter().all(|told| told.queue_required) && told.len() == 1,
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_are_found_by_category_venue_seller_and_state() {
    let stage = Stage::new().await;
    stage.play(30).await;
    stage.publish().await;
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let mut draft = show();
    draft.category = "opera".to_owned();
    client
        .create_show(service.call(stage.seller, draft))
        .await
        .unwrap();
    let by = |set: &dyn Fn(&mut pb::ListShowsRequest)| {
        let mut body = pb::ListShowsRequest::default();
        set(&mut body);
        body
    };
    let (seller_id, other) = (stage.seller.account_id.to_string(), request_id());
    let (nobody, seller) = (None, Some(stage.seller));
    for (viewer, body, expected) in [
        (nobody, by(&|_| {}), 1),
        (seller, by(&|_| {}), 2),
        (seller, by(&|body| body.set_state(pb::ShowState::Draft)), 1),
        (nobody, by(&|body| body.set_state(pb::ShowState::Draft)), 0),
        (seller, by(&|body| body.category = "opera".to_owned()), 1),
        (nobody, by(&|body| body.category = "play".to_owned()), 1),
        (
            nobody,
            by(&|body| body.venue_id.clone_from(&stage.venue_id)),
            1,
        ),
        (seller, by(&|body| body.venue_id.clone_from(&other)), 0),
        (nobody, by(&|body| body.seller_id.clone_from(&seller_id)), 1),
        (nobody, by(&|body| body.seller_id.clone_from(&other)), 0),
    ] {
        let asked = service.call(viewer, body.clone());
        let page = client.list_shows(asked).await.unwrap().into_inner();
        assert_eq!(page.shows.len(), expected, "{viewer:?} {body:?}");
    }
    let body = by(&|body| {
        body.state = 9;
        body.venue_id = "x".to_owned();
        body.page_size = -1;
    });
    let refused = client.list_shows(service.call(None, body)).await;
    assert_eq!(fields(refused), ["venue_id", "state", "page_size"]);
}
