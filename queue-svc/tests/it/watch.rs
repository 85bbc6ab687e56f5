//! People who watch their places.

use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::PlaceState;
use tonic::Streaming;

use crate::service::{Home, STREAMS_MAX, reason, settings, until};

async fn next(stream: &mut Streaming<pb::WatchResponse>) -> Option<pb::Place> {
    stream.message().await.unwrap()?.place
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_each_step_to_the_head_and_ends_with_the_offer() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    instance.enter(&home, show_id, mesh::id::new()).await;
    let (first, second) = (mesh::id::new(), mesh::id::new());
    let before = instance.join(&home, show_id, first, "").await.unwrap();
    let place = instance.join(&home, show_id, second, "").await.unwrap();
    let mut stream = instance
        .watch(&home, show_id, second, &place.ticket)
        .await
        .unwrap();
    let mut told = next(&mut stream).await.unwrap();
    assert_eq!((told.state(), told.position), (PlaceState::Waiting, 2));
    instance
        .leave(&home, show_id, first, &before.ticket)
        .await
        .unwrap();
    while told.position != 1 {
        let newer = next(&mut stream).await.unwrap();
        assert!(newer.position <= told.position, "{newer:?} after {told:?}");
        told = newer;
    }
    instance.put(&home, show_id, settings(2)).await.unwrap();
    while told.state() == PlaceState::Waiting {
        told = next(&mut stream).await.unwrap();
    }
    assert_eq!(told.state(), PlaceState::Offered);
    assert_eq!(next(&mut stream).await, None);
    let claimed = instance.claim(&home, show_id, second, &place.ticket).await;
    assert_eq!(claimed.unwrap().state(), PlaceState::Admitted);
    // Whoever is inside learns that, and gets the pass elsewhere.
    let mut inside = instance
        .watch(&home, show_id, second, &place.ticket)
        .await
        .unwrap();
    let told = next(&mut inside).await.unwrap();
    assert_eq!(
        (told.state(), told.pass.as_str()),
        (PlaceState::Admitted, "")
    );
    assert_eq!(next(&mut inside).await, None);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_stream_takes_over_and_there_are_no_more_than_fit() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    instance.enter(&home, show_id, mesh::id::new()).await;
    let account = mesh::id::new();
    let place = instance.join(&home, show_id, account, "").await.unwrap();
    let watch = async || instance.watch(&home, show_id, account, &place.ticket).await;
    let mut older = watch().await.unwrap();
    next(&mut older).await.unwrap();
    let mut newest = watch().await.unwrap();
    next(&mut newest).await.unwrap();
    let told = next(&mut older).await.unwrap();
    assert_eq!(told.state(), PlaceState::TakenOver);
    assert_eq!(next(&mut older).await, None);

    let mut streams = vec![newest];
    until("every seat is taken", async || {
        let (another, place) = {
            let another = mesh::id::new();
            let place = instance.join(&home, show_id, another, "").await.unwrap();
            (another, place)
        };
        match instance.watch(&home, show_id, another, &place.ticket).await {
            Ok(stream) => {
                streams.push(stream);
                None
            }
            Err(status) => {
                assert_eq!(reason(&status), "OVERLOADED");
                Some(())
            }
        }
    })
    .await;
    assert_eq!(streams.len(), STREAMS_MAX);
    drop(streams);
    until("a seat is free again", async || watch().await.ok()).await;
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_far_away_is_told_to_poll_and_a_stop_ends_every_stream() {
    let home = Home::new().await;
    let instance = home.start().await;
    let settings = pb::RoomSettings {
        capacity: 1,
        rate: 1,
        ..pb::RoomSettings::default()
    };
    let show_id = instance.room(&home, settings).await;
    instance.enter(&home, show_id, mesh::id::new()).await;
    let mut people = Vec::new();
    for _ in 0..121 {
        let account = mesh::id::new();
        let place = instance.join(&home, show_id, account, "").await.unwrap();
        people.push((account, place.ticket));
    }
    let (account, ticket) = people.last().unwrap();
    let far = until("the view has all", async || {
        let mut stream = instance
            .watch(&home, show_id, *account, ticket)
            .await
            .unwrap();
        let told = next(&mut stream).await.unwrap();
        (told.position == 121).then_some(stream)
    });
    assert_eq!(next(&mut far.await).await, None, "they come back later");
    let (account, ticket) = &people[119];
    let mut near = instance
        .watch(&home, show_id, *account, ticket)
        .await
        .unwrap();
    assert_eq!(next(&mut near).await.unwrap().position, 120);
    let ended = tokio::join!(instance.stop(), near.message()).1;
    assert_eq!(reason(&ended.unwrap_err()), "LINE_UNAVAILABLE");
}
