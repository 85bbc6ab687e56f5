//! Callers that come too often.

use std::num::NonZeroU32;

use mesh::identity::Role;
use proto::usher::mesh::v1::Rate;

use crate::contracts::Contracts;
use crate::door::{Running, send};

/// A door where GetVenue may be called twice an hour by one subject.
async fn strict(address_factor: u32) -> (Running, Contracts) {
    let contracts = Contracts::with_policy("GetVenue", |policy| {
        let period = Some(prost_types::Duration {
            seconds: 3600,
            nanos: 0,
        });
        policy.rate = Some(Rate {
            requests: 2,
            period,
            burst: 2,
        });
    });
    let door = Running::with(|config| {
        config.descriptors = Some(contracts.path());
        config.address_factor = NonZeroU32::new(address_factor).unwrap();
    });
    (door.await, contracts)
}

#[tokio::test]
async fn each_subject_has_its_own_rate() {
    let (door, _contracts) = strict(100).await;
    let (one, other) = (door.token(&[Role::User]), door.token(&[Role::User]));
    let call =
        async |token: &str| send(door.request("GET", "/v1/venues/x").bearer_auth(token)).await;
    assert_eq!(
        (call(&one).await.status, call(&one).await.status),
        (200, 200)
    );
    let refused = call(&one).await;
    assert_eq!(refused.refusal(), (429, "RATE_LIMITED".to_owned()));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1700..=1800).contains(&wait), "{wait}");
    assert_eq!(call(&other).await.status, 200);
    // Without a token the address is the subject.
    assert_eq!(
        (
            door.get("/v1/venues/x").await.status,
            door.get("/v1/venues/x").await.status
        ),
        (200, 200)
    );
    assert_eq!(
        door.get("/v1/venues/x").await.refusal(),
        (429, "RATE_LIMITED".to_owned())
    );
    // Another method has no rate.
    assert_eq!(door.get("/v1/venues").await.status, 200);
}

#[tokio::test]
async fn an_address_is_bounded_before_its_tokens_are_verified() {
    let (door, _contracts) = strict(2).await;
    let call = async || {
        send(door.request("GET", "/v1/venues/x").bearer_auth("nonsense"))
            .await
            .refusal()
    };
    for _ in 0..4 {
        assert_eq!(call().await, (401, "TOKEN_INVALID".to_owned()));
    }
    assert_eq!(call().await, (429, "RATE_LIMITED".to_owned()));
    assert_eq!(door.services.calls(), 0);
}
