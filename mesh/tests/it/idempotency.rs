//! Requests that are repeated.

use std::sync::Arc;

use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{Database, DomainError, TxError};
use proto::usher::booking::v1::{CreateVenueRequest, GetVenueRequest};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::{Fixture, insert, within};

#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Reused,
    InProgress,
    SoldOut,
}

impl DomainError for Refused {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    SoldOut,
}

fn key() -> Key {
    Key {
        account_id: mesh::id::new(),
        method: "test.Service/Make",
        request_id: mesh::id::new(),
    }
}

fn body(name: &str) -> RequestHash {
    RequestHash::of(&CreateVenueRequest {
        request_id: mesh::id::new().to_string(),
        name: name.to_owned(),
        ..Default::default()
    })
}

async fn call(
    database: &Database,
    key: &Key,
    hash: RequestHash,
    outcome: Outcome,
) -> Result<Uuid, TxError<Refused>> {
    let key = key.clone();
    database
        .transaction("make", async move |connection| {
            match begin(connection, key, hash).await? {
                Begun::Replay { resource_id } => Ok(resource_id),
                Begun::Reused => Err(Refused::Reused.into()),
                Begun::InProgress => Err(Refused::InProgress.into()),
                Begun::First(first) => {
                    insert(connection, 1, "made").await?;
                    if outcome == Outcome::SoldOut {
                        return Err(Refused::SoldOut.into());
                    }
                    let resource_id = mesh::id::new();
                    first.record(connection, resource_id).await?;
                    Ok(resource_id)
                }
            }
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_has_no_second_effect_and_answers_the_same_resource() {
    let fixture = Fixture::new().await;
    let (key, hash) = (key(), body("hall"));
    let first = call(&fixture.database, &key, hash, Outcome::Done)
        .await
        .unwrap();
    let again = call(&fixture.database, &key, body("hall"), Outcome::Done)
        .await
        .unwrap();
    assert_eq!(first, again);
    let other = call(&fixture.database, &key, body("another hall"), Outcome::Done).await;
    assert!(
        matches!(other, Err(TxError::Refused(Refused::Reused))),
        "{other:?}"
    );
    assert_eq!(fixture.number("SELECT count(*) AS n FROM effect").await, 1);
    // Another account or method with the same id is another request.
    let mut elsewhere = key.clone();
    elsewhere.account_id = mesh::id::new();
    assert_ne!(
        call(&fixture.database, &elsewhere, hash, Outcome::Done)
            .await
            .unwrap(),
        first
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_decided_anew() {
    let fixture = Fixture::new().await;
    let (key, hash) = (key(), body("hall"));
    let refused = call(&fixture.database, &key, hash, Outcome::SoldOut).await;
    assert!(
        matches!(refused, Err(TxError::Refused(Refused::SoldOut))),
        "{refused:?}"
    );
    assert_eq!(
        fixture
            .number("SELECT count(*) AS n FROM idempotency")
            .await,
        0
    );
    assert!(
        call(&fixture.database, &key, hash, Outcome::Done)
            .await
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_beside_the_first_one_is_told_that_it_runs() {
    let fixture = Fixture::new().await;
    let (key, hash) = (key(), body("hall"));
    let (inside, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (reached, released, database, same) = (
        Arc::clone(&inside),
        Arc::clone(&go),
        fixture.database.clone(),
        key.clone(),
    );
    let first = fixture.tasks.spawn("first", async move {
        database
            .transaction("make", async move |connection| {
                let Begun::First(first) = begin(connection, same, hash).await? else {
                    panic!("it is the first");
                };
                reached.notify_one();
                released.notified().await;
                first.record(connection, Uuid::nil()).await?;
                Ok::<_, TxError<Refused>>(())
            })
            .await
    });
    within("it is inside", inside.notified()).await;
    let beside = call(&fixture.database, &key, hash, Outcome::Done).await;
    assert!(
        matches!(beside, Err(TxError::Refused(Refused::InProgress))),
        "{beside:?}"
    );
    go.notify_one();
    first.await.unwrap().unwrap();
    assert_eq!(
        call(&fixture.database, &key, hash, Outcome::Done)
            .await
            .unwrap(),
        Uuid::nil()
    );
}

#[test]
fn the_hash_is_of_everything_but_the_request_id() {
    assert_eq!(body("hall"), body("hall"));
    assert_ne!(body("hall"), body("hall "));
    // A field 1 that is left out changes nothing, any other field does.
    let read = |id: &str| {
        RequestHash::of(&GetVenueRequest {
            venue_id: id.to_owned(),
        })
    };
    assert_eq!(read("a"), read("b"));
    assert_ne!(read("a"), body("hall"));
}
