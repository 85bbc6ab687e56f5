//! What operators do with rooms, over gRPC.

use mesh::identity::Role;
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::{PlaceState, RoomPhase};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::service::{Home, Instance, reason, settings, until};

/// Calls one of the orders that have nothing but a reason.
macro_rules! order {
    ($instance:expr, $home:expr, $show_id:expr, $method:ident, $request:ident) => {{
        let request = pb::$request {
            request_id: mesh::id::new().to_string(),
            show_id: $show_id.to_string(),
            reason: "told to".to_owned(),
        };
        let request = $home.by($home.admin(), Role::Admin, request);
        let answer = $instance.rooms.clone().$method(request).await;
        answer.map(|answer| answer.into_inner().room.unwrap())
    }};
}

async fn room(instance: &Instance, home: &Home, show_id: Uuid) -> Result<pb::Room, Status> {
    let request = pb::GetRoomRequest {
        show_id: show_id.to_string(),
    };
    let request = home.by(home.admin(), Role::Admin, request);
    let response = instance.rooms.clone().get_room(request).await?;
    Ok(response.into_inner().room.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_opened_paused_resumed_and_closed() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = mesh::id::new();
    let made = instance.put(&home, show_id, settings(1)).await.unwrap();
    assert_eq!(
        (made.phase(), made.epoch, made.version),
        (RoomPhase::NotYetOpen, 1, 1)
    );
    let early = instance
        .join(&home, show_id, mesh::id::new(), "")
        .await
        .unwrap();
    assert_eq!(
        (early.state(), early.ticket.as_str()),
        (PlaceState::NotYetOpen, "")
    );

    let opened = order!(instance, home, show_id, open_room, OpenRoomRequest).unwrap();
    assert_eq!(opened.phase(), RoomPhase::Open);
    let insider = mesh::id::new();
    let inside = instance.enter(&home, show_id, insider).await;
    let paused = order!(instance, home, show_id, pause_room, PauseRoomRequest).unwrap();
    assert_eq!(paused.phase(), RoomPhase::Paused);
    let waiter = mesh::id::new();
    let waiting = instance.join(&home, show_id, waiter, "").await.unwrap();
    assert!(
        waiting.paused && waiting.state() == PlaceState::Waiting,
        "{waiting:?}"
    );
    let resumed = order!(instance, home, show_id, resume_room, ResumeRoomRequest).unwrap();
    assert_eq!(resumed.phase(), RoomPhase::Open);
    let closed = order!(instance, home, show_id, close_room, CloseRoomRequest).unwrap();
    assert_eq!(closed.phase(), RoomPhase::Closed);
    until("no pass is renewed", async || {
        let renewed = instance.renew(&home, show_id, insider, &inside.pass).await;
        renewed
            .is_err_and(|status| reason(&status) == "PASS_EXPIRED")
            .then_some(())
    })
    .await;
    let late = order!(instance, home, show_id, open_room, OpenRoomRequest).unwrap_err();
    assert_eq!(reason(&late), "ROOM_CLOSED");
    let late = instance.put(&home, show_id, settings(5)).await.unwrap_err();
    assert_eq!(reason(&late), "ROOM_CLOSED");
    let missing = order!(instance, home, mesh::id::new(), open_room, OpenRoomRequest).unwrap_err();
    assert_eq!(reason(&missing), "ROOM_NOT_FOUND");
    assert_eq!(
        home.number("SELECT count(*) AS n FROM audit_log WHERE reason = 'told to'")
            .await,
        4
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_room_lets_in_who_is_there_and_nobody_else() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    instance.enter(&home, show_id, mesh::id::new()).await;
    let waiter = mesh::id::new();
    let waiting = instance.join(&home, show_id, waiter, "").await.unwrap();
    let draining = order!(instance, home, show_id, drain_room, DrainRoomRequest).unwrap();
    assert_eq!(draining.phase(), RoomPhase::Draining);
    until(
        "nobody new joins, and who was there keeps the place",
        async || {
            let new = instance
                .join(&home, show_id, mesh::id::new(), "")
                .await
                .unwrap();
            (new.state() == PlaceState::Closed).then_some(())
        },
    )
    .await;
    let kept = instance
        .join(&home, show_id, waiter, &waiting.ticket)
        .await
        .unwrap();
    assert_eq!(
        (kept.state(), &kept.ticket),
        (PlaceState::Waiting, &waiting.ticket)
    );
    // More slots: whoever is in line comes in, although nobody may join any more.
    let request = pb::SetRoomCapacityRequest {
        request_id: mesh::id::new().to_string(),
        show_id: show_id.to_string(),
        reason: "more".to_owned(),
        capacity: 2,
    };
    let request = home.by(home.admin(), Role::Admin, request);
    instance
        .rooms
        .clone()
        .set_room_capacity(request)
        .await
        .unwrap();
    let admitted = until("the line drains", async || {
        instance
            .claim(&home, show_id, waiter, &waiting.ticket)
            .await
            .ok()
    })
    .await;
    assert_eq!(admitted.state(), PlaceState::Admitted);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_voids_every_ticket_and_waits_for_every_pass() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    let insider = mesh::id::new();
    let inside = instance.enter(&home, show_id, insider).await;
    let waiter = mesh::id::new();
    let waiting = instance.join(&home, show_id, waiter, "").await.unwrap();
    let flushed = order!(instance, home, show_id, flush_room, FlushRoomRequest).unwrap();
    assert_eq!(flushed.epoch, 2);
    let refused = instance
        .poll(&home, show_id, waiter, &waiting.ticket)
        .await
        .unwrap_err();
    assert_eq!(
        (reason(&refused), refused.code()),
        ("QUEUE_RESET".to_owned(), Code::Aborted)
    );
    let refused = instance
        .renew(&home, show_id, insider, &inside.pass)
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "QUEUE_RESET");
    // The pass of before is out for up to a minute: nobody else gets its slot meanwhile.
    let new = until("the line is begun anew", async || {
        instance.join(&home, show_id, waiter, "").await.ok()
    })
    .await;
    assert_eq!(new.state(), PlaceState::Waiting);
    let stats = until("it recovers", async || {
        let stats = instance.stats(&home, show_id).await;
        (stats.recover_time.is_some() && stats.general == 1).then_some(stats)
    })
    .await;
    assert_eq!(stats.slots, 0);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_violation_of_a_plan_is_told_at_once() {
    let home = Home::new().await;
    let instance = home.start().await;
    let wrong = pb::PutRoomRequest {
        show_id: "x".to_owned(),
        settings: Some(pb::RoomSettings {
            waiting_max: 10_000_001,
            session_duration: Some(prost_types::Duration {
                seconds: -1,
                nanos: 0,
            }),
            ..pb::RoomSettings::default()
        }),
        ..pb::PutRoomRequest::default()
    };
    let wrong = home.by(home.admin(), Role::Admin, wrong);
    let refused = instance.rooms.clone().put_room(wrong).await.unwrap_err();
    let told = refused.get_details_bad_request().unwrap().field_violations;
    let mut fields: Vec<&str> = told
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    fields.sort_unstable();
    let expected = [
        "reason",
        "request_id",
        "settings.capacity",
        "settings.rate",
        "settings.session_duration",
        "settings.waiting_max",
        "show_id",
    ];
    assert_eq!(fields, expected);
    let person = home.by(mesh::id::new(), Role::User, pb::ListRoomsRequest::default());
    let refused = instance.rooms.clone().list_rooms(person).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_an_order_has_no_second_effect_and_rooms_come_in_pages() {
    let home = Home::new().await;
    let instance = home.start().await;
    let mut made: Vec<String> = Vec::new();
    for _ in 0..3 {
        let show_id = mesh::id::new();
        instance.put(&home, show_id, settings(1)).await.unwrap();
        made.push(show_id.to_string());
    }
    made.sort();
    let request = pb::SetRoomRateRequest {
        request_id: mesh::id::new().to_string(),
        show_id: made[0].clone(),
        reason: "faster".to_owned(),
        rate: 7,
    };
    for _ in 0..2 {
        let request = home.by(home.admin(), Role::Admin, request.clone());
        let room = instance.rooms.clone().set_room_rate(request).await.unwrap();
        assert_eq!(room.into_inner().room.unwrap().version, 2);
    }
    let other = pb::SetRoomRateRequest { rate: 8, ..request };
    let other = home.by(home.admin(), Role::Admin, other);
    let refused = instance
        .rooms
        .clone()
        .set_room_rate(other)
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "REQUEST_ID_REUSED");
    let slow = room(&instance, &home, made[0].parse().unwrap())
        .await
        .unwrap();
    assert_eq!(slow.settings.unwrap().rate, 7);

    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListRoomsRequest {
            page_size: 2,
            page_token,
        };
        let request = home.by(home.admin(), Role::Admin, request);
        let page = instance
            .rooms
            .clone()
            .list_rooms(request)
            .await
            .unwrap()
            .into_inner();
        listed.extend(page.rooms.into_iter().map(|room| room.show_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, made);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_reach_every_instance() {
    let home = Home::new().await;
    let (here, there) = (home.start().await, home.start().await);
    let show_id = here.room(&home, settings(1)).await;
    here.enter(&home, show_id, mesh::id::new()).await;
    let waiter = mesh::id::new();
    let waiting = there.join(&home, show_id, waiter, "").await.unwrap();
    assert_eq!(waiting.state(), PlaceState::Waiting);
    order!(here, home, show_id, flush_room, FlushRoomRequest).unwrap();
    until(
        "the other instance has begun the line anew, too",
        async || {
            let polled = there.poll(&home, show_id, waiter, &waiting.ticket).await;
            polled
                .is_err_and(|status| reason(&status) == "QUEUE_RESET")
                .then_some(())
        },
    )
    .await;
    let again = there.join(&home, show_id, waiter, "").await.unwrap();
    until("both see the new line", async || {
        let both = [&here, &there].map(|instance| instance.stats(&home, show_id));
        let [one, other] = both;
        (one.await.general == 1 && other.await.general == 1).then_some(())
    })
    .await;
    let generation = home.number("SELECT generation AS n FROM room").await;
    assert_eq!(
        generation, 2,
        "one generation for one flush: nobody fights over the line"
    );
    order!(here, home, show_id, close_room, CloseRoomRequest).unwrap();
    until("the other instance has closed the room, too", async || {
        let polled = there.poll(&home, show_id, waiter, &again.ticket).await;
        (polled.ok()?.state() == PlaceState::Closed).then_some(())
    })
    .await;
    here.stop().await;
    there.stop().await;
    let late = home.start().await;
    let refused = late.join(&home, show_id, waiter, "").await.unwrap_err();
    assert_eq!(reason(&refused), "ROOM_CLOSED");
    late.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_joined_keeps_the_place_when_the_room_is_put_off() {
    let home = Home::new().await;
    let instance = home.start().await;
    let time = |hours: i64| {
        let time = mesh::clock::now() + chrono::Duration::hours(hours);
        Some(mesh::clock::to_timestamp(time))
    };
    let armed = pb::RoomSettings {
        arm_time: time(-1),
        open_time: time(1),
        ..settings(1)
    };
    let show_id = instance.room(&home, armed).await;
    let early = mesh::id::new();
    let place = instance.join(&home, show_id, early, "").await.unwrap();
    assert_eq!(place.state(), PlaceState::Waiting);
    assert!(place.open_time.is_some(), "{place:?}");
    let later = pb::RoomSettings {
        arm_time: time(1),
        open_time: time(2),
        ..armed
    };
    let put_off = instance.put(&home, show_id, later).await.unwrap();
    assert_eq!(put_off.phase(), RoomPhase::NotYetOpen);
    until("nobody new joins", async || {
        let new = instance
            .join(&home, show_id, mesh::id::new(), "")
            .await
            .ok()?;
        (new.state() == PlaceState::NotYetOpen).then_some(())
    })
    .await;
    let kept = instance
        .join(&home, show_id, early, &place.ticket)
        .await
        .unwrap();
    assert_eq!(
        (kept.state(), &kept.ticket),
        (PlaceState::Waiting, &place.ticket)
    );
    instance.stop().await;
}
