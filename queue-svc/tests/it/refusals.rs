//! What people are refused with, and what others can verify.

use mesh::identity::Role;
use proto::usher::queue::v1 as pb;
use tonic::Code;

use crate::people::line;
use crate::service::{Home, reason, settings, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_says_what_to_do() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    let insider = mesh::id::new();
    let inside = instance.enter(&home, show_id, insider).await;
    let (account_id, ticket) = line(&instance, &home, show_id, 1).await.remove(0);
    let other = mesh::id::new();
    let refused = |status: Result<pb::Place, tonic::Status>| reason(&status.unwrap_err());
    let nowhere = mesh::id::new();
    assert_eq!(
        refused(instance.join(&home, nowhere, other, "").await),
        "ROOM_NOT_FOUND"
    );
    assert_eq!(
        refused(instance.poll(&home, show_id, account_id, "x").await),
        "TICKET_NOT_VALID"
    );
    assert_eq!(
        refused(instance.poll(&home, show_id, other, &ticket).await),
        "TICKET_OF_ANOTHER"
    );
    assert_eq!(
        refused(instance.claim(&home, show_id, account_id, &ticket).await),
        "NO_OFFER"
    );
    assert_eq!(
        refused(instance.renew(&home, show_id, insider, "x").await),
        "PASS_NOT_VALID"
    );
    assert_eq!(
        refused(instance.renew(&home, show_id, other, &inside.pass).await),
        "PASS_NOT_VALID"
    );
    let malformed = instance
        .queue
        .clone()
        .join(home.by(other, Role::User, pb::JoinRequest::default()))
        .await;
    assert_eq!(malformed.unwrap_err().code(), Code::InvalidArgument);
    let stranger = instance
        .queue
        .clone()
        .join(pb::JoinRequest::default())
        .await
        .unwrap_err();
    assert_eq!(stranger.code(), Code::Unauthenticated);

    let small = pb::RoomSettings {
        waiting_max: 1,
        ..settings(1)
    };
    let full = instance.room(&home, small).await;
    instance.enter(&home, full, insider).await;
    line(&instance, &home, full, 1).await;
    until("the room is full", async || {
        let refused = instance.join(&home, full, mesh::id::new(), "").await;
        refused
            .is_err_and(|status| reason(&status) == "ROOM_FULL")
            .then_some(())
    })
    .await;
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_needs_nothing_but_the_published_keys() {
    let home = Home::new().await;
    let instance = home.start().await;
    let show_id = instance.room(&home, settings(1)).await;
    let insider = mesh::id::new();
    let inside = instance.enter(&home, show_id, insider).await;
    let keys = pb::GetPassKeysRequest {};
    let keys = instance
        .queue
        .clone()
        .get_pass_keys(keys)
        .await
        .unwrap()
        .into_inner()
        .keys;
    let header = jsonwebtoken::decode_header(&inside.pass).unwrap();
    let key = keys
        .iter()
        .find(|key| Some(&key.kid) == header.kid.as_ref())
        .unwrap();
    let verifying = jsonwebtoken::DecodingKey::from_ed_components(&key.x).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    rules.set_audience(&[show_id]);
    rules.set_issuer(&[mesh::identity::PASS_ISSUER]);
    let verified =
        jsonwebtoken::decode::<serde_json::Value>(&inside.pass, &verifying, &rules).unwrap();
    assert_eq!(verified.claims["sub"], insider.to_string());
    instance.stop().await;
}
