//! People in line, over gRPC: restarts, losses, leaving.

use proto::usher::queue::v1::PlaceState;
use queue_svc::domain::lane::{Lane, Spot};
use redis::Pipeline;
use uuid::Uuid;

use crate::service::{Home, Instance, reason, settings, until};
use crate::support::redis;

/// What a pass says of its place, read without a key: the checker does not trust the answer around it.
pub(crate) fn claims(pass: &str) -> (Spot, i64) {
    use base64::Engine;
    let body = pass.split('.').nth(1).unwrap();
    let body = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(body)
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let seq = claims["seq"].as_u64().unwrap();
    assert_eq!(claims["lane"], 1);
    (
        Spot {
            lane: Lane::General,
            seq,
        },
        claims["exp"].as_i64().unwrap() * 1_000,
    )
}

/// One inside and `waiting` people behind, in order of their positions, with tickets.
pub(crate) async fn line(
    instance: &Instance,
    home: &Home,
    show_id: Uuid,
    waiting: usize,
) -> Vec<(Uuid, String)> {
    let mut people = Vec::new();
    for _ in 0..waiting {
        let account_id = mesh::id::new();
        let place = instance.join(home, show_id, account_id, "").await.unwrap();
        assert_eq!(place.state(), PlaceState::Waiting, "{place:?}");
        people.push((account_id, place.ticket));
    }
    people
}

async fn positions(
    instance: &Instance,
    home: &Home,
    show_id: Uuid,
    people: &[(Uuid, String)],
) -> Vec<u64> {
    let mut positions = Vec::new();
    for (account_id, ticket) in people {
        let place = instance
            .poll(home, show_id, *account_id, ticket)
            .await
            .unwrap();
        positions.push(place.position);
    }
    positions
}

#[tokio::test(flavor = "multi_thread")]
async fn places_outlive_an_instance_and_are_the_same_on_another() {
    let home = Home::new().await;
    let first = home.start().await;
    let show_id = first.room(&home, settings(1)).await;
    first.enter(&home, show_id, mesh::id::new()).await;
    let people = line(&first, &home, show_id, 20).await;
    let expected: Vec<u64> = (1..=20).collect();
    until("the view has everybody", async || {
        (first.stats(&home, show_id).await.general == 20).then_some(())
    })
    .await;
    assert_eq!(positions(&first, &home, show_id, &people).await, expected);
    let second = home.start().await;
    first.stop().await;
    until("the other instance knows the room", async || {
        let stats = second.stats(&home, show_id).await;
        (stats.general == 20).then_some(())
    })
    .await;
    assert_eq!(positions(&second, &home, show_id, &people).await, expected);
    for (account_id, ticket) in &people {
        let again = second
            .join(&home, show_id, *account_id, ticket)
            .await
            .unwrap();
        assert_eq!(&again.ticket, ticket, "joined again, it is the same place");
    }
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_redis_forgets_everybody_comes_back_to_their_place_and_nobody_gets_in_meanwhile() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(2)).await;
    let insider = mesh::id::new();
    let inside = instance.enter(&home, show_id, insider).await;
    let gone = mesh::id::new();
    let second = instance.enter(&home, show_id, gone).await;
    let people = line(&instance, &home, show_id, 10).await;

    forget(show_id).await;
    let stats = until("the room recovers", async || {
        let stats = instance.stats(&home, show_id).await;
        stats.recover_time.is_some().then_some(stats)
    })
    .await;
    let left = stats.recover_time.unwrap().seconds - stats.read_time.unwrap().seconds;
    assert!((55..=64).contains(&left), "nobody gets in for {left} s");

    // They come back in the opposite order; somebody new has come meanwhile.
    let newcomer = mesh::id::new();
    let new = instance.join(&home, show_id, newcomer, "").await.unwrap();
    let mut tickets = Vec::new();
    for (account_id, ticket) in people.iter().rev() {
        let place = instance
            .poll(&home, show_id, *account_id, ticket)
            .await
            .unwrap();
        assert_eq!(place.state(), PlaceState::Waiting);
        assert!(
            !place.ticket.is_empty() && place.ticket != *ticket,
            "a ticket of this generation"
        );
        tickets.push((*account_id, place.ticket));
    }
    tickets.reverse();
    tickets.push((newcomer, new.ticket));
    until("the view has everybody", async || {
        (instance.stats(&home, show_id).await.general == 11).then_some(())
    })
    .await;
    let expected: Vec<u64> = (1..=11).collect();
    assert_eq!(
        positions(&instance, &home, show_id, &tickets).await,
        expected
    );

    // Who is inside goes on, and the slot is counted again.
    let renewed = instance
        .renew(&home, show_id, insider, &inside.pass)
        .await
        .unwrap();
    assert_eq!(renewed.state(), PlaceState::Admitted);
    until("the slot is back", async || {
        (instance.stats(&home, show_id).await.slots == 1).then_some(())
    })
    .await;
    // A ticket that was used brings nobody back to the head of the line.
    let again = instance
        .join(&home, show_id, gone, &second.ticket)
        .await
        .unwrap();
    assert_eq!(again.state(), PlaceState::Waiting);
    let behind = until("they stand behind all others", async || {
        let place = instance
            .poll(&home, show_id, gone, &again.ticket)
            .await
            .unwrap();
        (place.position == 12).then_some(place)
    })
    .await;
    assert_eq!(behind.state(), PlaceState::Waiting);
    assert_eq!(home.number("SELECT generation AS n FROM room").await, 2);
    instance.stop().await;
}

/// Redis restarts without its data, as far as this show goes.
pub(crate) async fn forget(show_id: Uuid) {
    let redis = redis();
    let mut look = Pipeline::with_capacity(1);
    look.cmd("KEYS").arg(format!("usher:queue:{{{show_id}}}:*"));
    let found = redis.run(&look).await.unwrap().pop().unwrap();
    let keys: Vec<String> = redis::from_redis_value(found).unwrap();
    assert!(!keys.is_empty());
    redis.remove(&keys).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_is_renewed_until_its_owner_leaves() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    let insider = mesh::id::new();
    let inside = instance.enter(&home, show_id, insider).await;
    let (spot, _) = claims(&inside.pass);
    assert_eq!(home.number("SELECT count(*) AS n FROM used_place").await, 1);
    let same = instance
        .claim(&home, show_id, insider, &inside.ticket)
        .await
        .unwrap();
    assert_eq!(
        same.pass, inside.pass,
        "a repeated claim tells the same pass"
    );
    let renewed = instance
        .renew(&home, show_id, insider, &inside.pass)
        .await
        .unwrap();
    assert_eq!(renewed.pass, inside.pass, "renewed at once it is the same");
    assert_eq!(claims(&renewed.pass).0, spot);
    let people = line(&instance, &home, show_id, 1).await;
    instance
        .leave(&home, show_id, insider, &inside.ticket)
        .await
        .unwrap();
    let over = instance
        .renew(&home, show_id, insider, &inside.pass)
        .await
        .unwrap_err();
    assert_eq!(reason(&over), "PASS_EXPIRED");
    let stats = instance.fresh_stats(&home, show_id).await;
    assert_eq!(
        stats.slots, 1,
        "the slot is not free before the pass has ended"
    );
    let waiting = instance
        .claim(&home, show_id, people[0].0, &people[0].1)
        .await
        .unwrap_err();
    assert_eq!(reason(&waiting), "NO_OFFER");
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_makes_room_in_front_of_the_others() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    instance.enter(&home, show_id, mesh::id::new()).await;
    let people = line(&instance, &home, show_id, 3).await;
    let (account_id, ticket) = &people[0];
    let left = instance
        .leave(&home, show_id, *account_id, ticket)
        .await
        .unwrap();
    assert_eq!(left.state(), PlaceState::Ended);
    until("the next one is first", async || {
        (positions(&instance, &home, show_id, &people[1..]).await == [1, 2]).then_some(())
    })
    .await;
    let gone = instance
        .poll(&home, show_id, *account_id, ticket)
        .await
        .unwrap();
    assert_eq!(gone.state(), PlaceState::Ended);
    let back = instance
        .join(&home, show_id, *account_id, ticket)
        .await
        .unwrap();
    assert_ne!(
        &back.ticket, ticket,
        "left is left: a new place, at the end"
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_tells_a_pass_that_the_replicas_do_not_know() {
    let home = Home::new().await;
    let (open, gated) = (home.start().await, home.start_gated(1).await);
    let show_id = open.room(&home, settings(1)).await;
    let insider = mesh::id::new();
    let inside = open.enter(&home, show_id, insider).await;
    let (ticket, pass) = (inside.ticket.as_str(), inside.pass.as_str());
    until("the other instance has the room", async || {
        (gated.stats(&home, show_id).await.slots == 1).then_some(())
    })
    .await;
    for refused in [
        gated.poll(&home, show_id, insider, ticket).await,
        gated.claim(&home, show_id, insider, ticket).await,
        gated.renew(&home, show_id, insider, pass).await,
    ] {
        assert_eq!(reason(&refused.unwrap_err()), "LINE_UNAVAILABLE");
    }
    let told = open.poll(&home, show_id, insider, ticket).await.unwrap();
    assert_eq!(told.pass, pass, "without a gate it is told");
    open.stop().await;
    gated.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_come_in_one_moment_are_told_one_position_each() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    instance.enter(&home, show_id, mesh::id::new()).await;
    let joins = (0..50).map(|_| instance.join(&home, show_id, mesh::id::new(), ""));
    let joined = futures_util::future::join_all(joins).await;
    let mut told: Vec<u64> = joined
        .into_iter()
        .map(|place| place.unwrap().position)
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        (1..=50).collect::<Vec<_>>(),
        "a position that was told too small would stay so: it never grows"
    );
    instance.stop().await;
}
