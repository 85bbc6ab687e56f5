//! What rooms hear of the sale, through the broker: shows, what is left of them, bookings that ended.

use chrono::{DateTime, Utc};
use mesh::clock::to_timestamp;
use mesh::identity::Role;
use proto::usher::booking::events::v1::{
    BookingConfirmed, BookingFailed, GradeLevel, InventoryChanged, InventoryLevel,
    InventoryReturned, InventorySoldOut, ShowPublished,
};
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::{PlaceState, RoomPhase};
use tonic::Status;
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::service::{Home, Instance, reason, settings, until};

fn published(show_id: Uuid, seller_id: Uuid, queue_required: bool) -> ShowPublished {
    let open = mesh::clock::now() + chrono::Duration::hours(1);
    ShowPublished {
        show_id: show_id.to_string(),
        seller_id: seller_id.to_string(),
        queue_required,
        sale_open_time: Some(to_timestamp(open)),
        sale_close_time: Some(to_timestamp(open + chrono::Duration::hours(1))),
    }
}

/// A pool of two of a show.
fn level(show_id: Uuid, pool: u128, version: u64, room: u64, sold: u64) -> Option<InventoryLevel> {
    Some(InventoryLevel {
        show_id: show_id.to_string(),
        pool_id: mesh::id::derive(show_id, pool.to_string()).to_string(),
        version,
        room,
        sold,
        sales: sold,
        pools: 2,
        grades: Vec::new(),
    })
}

async fn get(
    instance: &Instance,
    home: &Home,
    account_id: Uuid,
    show_id: Uuid,
) -> Result<pb::Room, Status> {
    let request = pb::GetRoomRequest {
        show_id: show_id.to_string(),
    };
    let request = home.by(account_id, Role::Seller, request);
    let response = instance.rooms.clone().get_room(request).await?;
    Ok(response.into_inner().room.unwrap())
}

async fn open(
    instance: &Instance,
    home: &Home,
    account_id: Uuid,
    show_id: Uuid,
) -> Result<pb::Room, Status> {
    let request = pb::OpenRoomRequest {
        request_id: mesh::id::new().to_string(),
        show_id: show_id.to_string(),
        reason: "the doors open".to_owned(),
    };
    let request = home.by(account_id, Role::Seller, request);
    let response = instance.rooms.clone().open_room(request).await?;
    Ok(response.into_inner().room.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_show_that_asks_for_passes_has_a_room_that_its_seller_runs() {
    let home = Home::listening().await;
    let instance = home.start().await;
    let (show_id, seller, other) = (mesh::id::new(), mesh::id::new(), mesh::id::new());
    home.publish(&published(show_id, seller, true)).await;
    let room = until("the room is there", async || {
        get(&instance, &home, seller, show_id).await.ok()
    })
    .await;
    assert_eq!(
        (room.phase(), room.seller_id.as_str()),
        (RoomPhase::NotYetOpen, seller.to_string().as_str())
    );
    let times = room.settings.unwrap();
    let ahead = times.open_time.unwrap().seconds - times.arm_time.unwrap().seconds;
    assert_eq!(ahead, 1_800);

    let opened = open(&instance, &home, seller, show_id).await.unwrap();
    assert_eq!(opened.phase(), RoomPhase::Open);
    let told = "SELECT count(*) AS n FROM room WHERE opening_told";
    until("others are told that it opened", async || {
        (home.number(told).await == 1).then_some(())
    })
    .await;
    for refused in [
        get(&instance, &home, other, show_id).await,
        open(&instance, &home, other, show_id).await,
    ] {
        assert_eq!(reason(&refused.unwrap_err()), "ROOM_OF_ANOTHER");
    }
    for (account_id, rooms) in [(seller, 1), (other, 0)] {
        let request = home.by(account_id, Role::Seller, pb::ListRoomsRequest::default());
        let listed = instance.rooms.clone().list_rooms(request).await.unwrap();
        assert_eq!(listed.into_inner().rooms.len(), rooms);
    }
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_makes_the_room_of_a_published_show_and_of_no_other() {
    let home = Home::listening().await;
    let instance = home.start().await;
    let (show_id, seller) = (mesh::id::new(), mesh::id::new());
    let put = async |account_id| {
        let request = pb::PutRoomRequest {
            request_id: mesh::id::new().to_string(),
            show_id: show_id.to_string(),
            settings: Some(settings(1)),
            reason: "mine".to_owned(),
        };
        let request = home.by(account_id, Role::Seller, request);
        instance.rooms.clone().put_room(request).await
    };
    assert_eq!(reason(&put(seller).await.unwrap_err()), "ROOM_OF_ANOTHER");
    home.publish(&published(show_id, seller, false)).await;
    until("the show is known", async || put(seller).await.ok()).await;
    assert_eq!(
        reason(&put(mesh::id::new()).await.unwrap_err()),
        "ROOM_OF_ANOTHER"
    );
    assert_eq!(home.number("SELECT count(*) AS n FROM room").await, 1);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_a_sold_out_room_and_whoever_waits_gets_what_is_returned() {
    let home = Home::listening().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    instance.enter(&home, show_id, mesh::id::new()).await;
    let waiter = mesh::id::new();
    let waiting = instance.join(&home, show_id, waiter, "").await.unwrap();
    assert_eq!(waiting.state(), PlaceState::Waiting);

    home.publish(&InventorySoldOut {
        level: level(show_id, 1, 5, 10, 10),
    })
    .await;
    let known = "SELECT count(*) AS n FROM stock";
    until("the first pool is heard of", async || {
        (home.number(known).await == 1).then_some(())
    })
    .await;
    let stats = instance.fresh_stats(&home, show_id).await;
    assert_eq!(
        stats.places_left, None,
        "nobody says what is left while a pool is unknown"
    );
    home.publish(&InventorySoldOut {
        level: level(show_id, 2, 5, 10, 10),
    })
    .await;
    let kept = until("whoever waits is told", async || {
        let place = instance.poll(&home, show_id, waiter, &waiting.ticket).await;
        place
            .ok()
            .filter(|place| place.state() == PlaceState::SoldOut)
    })
    .await;
    assert_eq!(kept.position, 1);
    let late = instance
        .join(&home, show_id, mesh::id::new(), "")
        .await
        .unwrap();
    assert_eq!(
        (late.state(), late.ticket.as_str(), late.position),
        (PlaceState::SoldOut, "", 0)
    );

    // More slots: but there is nothing to sell.
    instance.put(&home, show_id, settings(5)).await.unwrap();
    // An old message says nothing.
    home.publish(&InventoryChanged {
        level: level(show_id, 2, 4, 10, 3),
    })
    .await;
    let heard = "SELECT count(*) AS n FROM inbox";
    until("the old message is heard", async || {
        (home.number(heard).await == 3).then_some(())
    })
    .await;
    let stats = instance.fresh_stats(&home, show_id).await;
    assert_eq!(
        (stats.places_left, stats.slots, stats.general),
        (Some(0), 1, 1)
    );
    home.publish(&InventoryReturned {
        level: level(show_id, 1, 6, 10, 9),
    })
    .await;
    until("what is returned is offered", async || {
        let place = instance.poll(&home, show_id, waiter, &waiting.ticket).await;
        let place = place.unwrap();
        (place.state() == PlaceState::Offered).then_some(())
    })
    .await;
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_hear_that_too_many_stand_in_front_and_far_too_many_may_not_join() {
    let home = Home::listening().await;
    let instance = home.start().await;
    let settings = pb::RoomSettings {
        waiting_per_place: 4,
        ..settings(1)
    };
    let show_id = instance.room(&home, settings).await;
    instance.enter(&home, show_id, mesh::id::new()).await;
    // One place is left: by two a buyer it serves nobody whole, and four may wait for it.
    for pool in [1, 2] {
        home.publish(&InventoryChanged {
            level: level(show_id, pool, 1, 10, if pool == 1 { 9 } else { 10 }),
        })
        .await;
    }
    until("what is left is known", async || {
        let stats = instance.stats(&home, show_id).await;
        (stats.places_left == Some(1)).then_some(())
    })
    .await;
    let mut people = Vec::new();
    for _ in 0..4 {
        let account = mesh::id::new();
        let place = instance.join(&home, show_id, account, "").await.unwrap();
        assert_eq!(place.state(), PlaceState::Waiting);
        people.push((account, place));
    }
    let refused = instance
        .join(&home, show_id, mesh::id::new(), "")
        .await
        .unwrap();
    assert_eq!(
        (refused.state(), refused.ticket.as_str()),
        (PlaceState::Overloaded, "")
    );
    let (account, place) = &people[3];
    let again = instance.join(&home, show_id, *account, "").await.unwrap();
    assert_eq!(again.ticket, place.ticket, "whoever has a place keeps it");
    let told = until("the view has all", async || {
        let told = instance.poll(&home, show_id, *account, &place.ticket).await;
        told.ok().filter(|told| told.position == 4)
    })
    .await;
    assert!(told.unlikely, "{told:?}");
    instance.stop().await;
}

/// A pool of two of a show that has ten places of R and ten of S.
fn graded(show_id: Uuid, pool: u128, version: u64, sold: [u64; 2]) -> InventoryChanged {
    let grades = ["R", "S"].into_iter().zip(sold);
    let grades = grades.map(|(grade, sold)| GradeLevel {
        grade: grade.to_owned(),
        room: 10,
        sold,
    });
    let level = level(show_id, pool, version, 20, sold.iter().sum());
    InventoryChanged {
        level: level.map(|level| InventoryLevel {
            grades: grades.collect(),
            ..level
        }),
    }
}

fn wanting(grades: &[&str]) -> pb::JoinRequest {
    pb::JoinRequest {
        grades: grades.iter().map(|grade| (*grade).to_owned()).collect(),
        ..pb::JoinRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_for_grades_that_are_gone() {
    let home = Home::listening().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    instance.enter(&home, show_id, mesh::id::new()).await;
    let ask = async |account_id, grades: &[&str]| {
        let joined = instance.join_with(&home, show_id, account_id, wanting(grades));
        joined.await
    };
    // While not all is known, nobody is refused for what they want.
    home.publish(&graded(show_id, 1, 1, [10, 0])).await;
    let waiter = mesh::id::new();
    let waiting = ask(waiter, &["R"]).await.unwrap();
    assert_eq!(waiting.state(), PlaceState::Waiting);
    // Of a pool from before grades were told nobody knows what is left in it.
    home.publish(&InventoryChanged {
        level: level(show_id, 2, 1, 20, 10),
    })
    .await;
    until("what is left is known", async || {
        let stats = instance.stats(&home, show_id).await;
        (stats.places_left == Some(20)).then_some(())
    })
    .await;
    let place = ask(mesh::id::new(), &["R"]).await.unwrap();
    assert_eq!(place.state(), PlaceState::Waiting);
    assert!(place.sold_out_grades.is_empty());

    home.publish(&graded(show_id, 2, 2, [10, 9])).await;
    let told = until("whoever waits hears what is gone", async || {
        let place = instance.poll(&home, show_id, waiter, &waiting.ticket).await;
        place.ok().filter(|place| !place.sold_out_grades.is_empty())
    })
    .await;
    assert_eq!(
        (told.state(), told.sold_out_grades),
        (PlaceState::Waiting, vec!["R".to_owned()])
    );
    let late = ask(mesh::id::new(), &["R"]).await.unwrap();
    assert_eq!(
        (late.state(), late.ticket.as_str(), late.sold_out_grades),
        (PlaceState::GradesSoldOut, "", vec!["R".to_owned()])
    );
    for grades in [["R", "S"].as_slice(), &["S"], &[]] {
        let place = ask(mesh::id::new(), grades).await.unwrap();
        assert_eq!(place.state(), PlaceState::Waiting, "{grades:?}");
    }
    // With its ticket, or without a wish, whoever has a place is told it.
    let held = pb::JoinRequest {
        ticket: waiting.ticket.clone(),
        ..wanting(&["R"])
    };
    for request in [held, wanting(&[])] {
        let again = instance.join_with(&home, show_id, waiter, request).await;
        assert_eq!(again.unwrap().ticket, waiting.ticket);
    }

    // What comes back opens the door again.
    home.publish(&graded(show_id, 1, 2, [9, 0])).await;
    until("the grade is back", async || {
        let place = ask(mesh::id::new(), &["R"]).await.unwrap();
        (place.state() == PlaceState::Waiting).then_some(())
    })
    .await;
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grades_that_a_show_does_not_have_are_named_with_those_that_it_has() {
    let home = Home::listening().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    for pool in [1, 2] {
        home.publish(&graded(show_id, pool, 1, [10, 0])).await;
    }
    until("what is left is known", async || {
        let stats = instance.stats(&home, show_id).await;
        (stats.sold_out_grades == ["R"]).then_some(())
    })
    .await;
    let ask = async |grades: &[&str]| {
        let joined = instance.join_with(&home, show_id, mesh::id::new(), wanting(grades));
        joined.await.unwrap_err()
    };
    let refused = ask(&["S", "Z", ""]).await;
    assert_eq!(reason(&refused), "INVALID_REQUEST");
    let details = refused.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["grades[1]", "grades[2]"]);
    assert!(violations[0].description.ends_with("it has R, S"));
    assert_eq!(reason(&ask(&["R"; 101]).await), "INVALID_REQUEST");
    assert_eq!(instance.fresh_stats(&home, show_id).await.general, 0);
    instance.stop().await;
}

fn confirmed(show_id: Uuid, account_id: Uuid, time: DateTime<Utc>) -> BookingConfirmed {
    BookingConfirmed {
        booking_id: mesh::id::new().to_string(),
        account_id: account_id.to_string(),
        show_ids: vec![mesh::id::new().to_string(), show_id.to_string()],
        confirm_time: Some(to_timestamp(time)),
        ..BookingConfirmed::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_booking_and_a_later_one_goes_on() {
    let home = Home::listening().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(3)).await;
    let (buyer, unlucky, other) = (mesh::id::new(), mesh::id::new(), mesh::id::new());
    let mut passes = Vec::new();
    for account in [buyer, unlucky, other] {
        passes.push(instance.enter(&home, show_id, account).await.pass);
    }
    let before = mesh::clock::now() - chrono::Duration::minutes(1);
    // A booking of before: these people came in after it.
    home.publish(&confirmed(show_id, other, before)).await;
    home.publish(&confirmed(show_id, buyer, mesh::clock::now()))
        .await;
    home.publish(&BookingFailed {
        booking_id: mesh::id::new().to_string(),
        account_id: unlucky.to_string(),
        reason: "PAYMENT_EXPIRED".to_owned(),
        show_ids: vec![show_id.to_string()],
        fail_time: Some(to_timestamp(mesh::clock::now())),
    })
    .await;
    for (account, pass) in [(buyer, &passes[0]), (unlucky, &passes[1])] {
        until("the session is over", async || {
            let renewed = instance.renew(&home, show_id, account, pass).await;
            renewed
                .is_err_and(|status| reason(&status) == "PASS_EXPIRED")
                .then_some(())
        })
        .await;
    }
    until("nothing is left to hand over", async || {
        let heard = home.number("SELECT count(*) AS n FROM inbox").await;
        let left = "SELECT count(*) AS n FROM departure WHERE told_generation IS NULL";
        (heard == 3 && home.number(left).await == 0).then_some(())
    })
    .await;
    instance
        .renew(&home, show_id, other, &passes[2])
        .await
        .unwrap();
    // A pass that is out keeps its slot to its end.
    assert_eq!(instance.fresh_stats(&home, show_id).await.slots, 3);
    instance.stop().await;
}

fn invited(code: &str) -> pb::JoinRequest {
    pb::JoinRequest {
        invitation: code.to_owned(),
        ..pb::JoinRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_leads_one_account_into_its_lane() {
    let home = Home::new().await;
    let instance = home.start().await;
    let settings = pb::RoomSettings {
        weights: Some(pb::LaneWeights {
            presale: 100,
            ..pb::LaneWeights::default()
        }),
        ..settings(1)
    };
    let show_id = instance.room(&home, settings).await;
    instance.enter(&home, show_id, mesh::id::new()).await;
    let request = pb::CreateInvitationsRequest {
        request_id: mesh::id::new().to_string(),
        show_id: show_id.to_string(),
        reason: "the fan club".to_owned(),
        lane: pb::Lane::Presale.into(),
        count: 3,
    };
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = home.by(home.admin(), Role::Admin, request.clone());
        let made = instance.rooms.clone().create_invitations(request).await;
        answers.push(made.unwrap().into_inner().codes);
    }
    assert_eq!(answers[0], answers[1], "the same order, the same codes");
    let code = &answers[0][0];
    let fan = mesh::id::new();
    let place = instance.join_with(&home, show_id, fan, invited(code)).await;
    assert_eq!(place.unwrap().lane(), pb::Lane::Presale);
    let again = instance.join_with(&home, show_id, fan, invited(code)).await;
    assert_eq!(again.unwrap().lane(), pb::Lane::Presale);
    for (account, code) in [
        (mesh::id::new(), code.as_str()),
        (fan, "AAAAAAAAAAAAAAAA"),
        (fan, "short"),
    ] {
        let refused = instance
            .join_with(&home, show_id, account, invited(code))
            .await;
        assert_eq!(reason(&refused.unwrap_err()), "INVITATION_NOT_VALID");
    }
    let elsewhere = instance.room(&home, crate::service::settings(1)).await;
    let refused = instance
        .join_with(&home, elsewhere, fan, invited(code))
        .await;
    assert_eq!(reason(&refused.unwrap_err()), "INVITATION_NOT_VALID");
    let stats = instance.fresh_stats(&home, show_id).await;
    assert_eq!((stats.presale, stats.general), (1, 0));
    instance.stop().await;
}
