//! Queue passes on their way in: what cannot be one is refused, everything else is the service's to judge.

use std::path::PathBuf;

use mesh::identity::{JwksSource, PASS_ISSUER, QUEUE_PASS, Role, SigningKey};
use mesh::{clock, id};
use serde_json::json;
use uuid::Uuid;

use crate::door::{Answer, Running, send};

/// A door that knows the keys of passes, somebody who calls, and the key of the room.
struct Scene {
    door: Running,
    room: SigningKey,
    file: PathBuf,
    account_id: Uuid,
    token: String,
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.file)); // some tests have none
    }
}

impl Scene {
    async fn new() -> Self {
        Self::with(true, true).await
    }

    /// `told`: whether the door is told where the keys are; `there`: whether they are.
    async fn with(told: bool, there: bool) -> Self {
        let room = SigningKey::generate().unwrap();
        let file = std::env::temp_dir().join(format!("usher-edge-passes-{}.json", id::new()));
        if there {
            std::fs::write(&file, room.to_jwks()).unwrap();
        }
        let source = told.then(|| JwksSource::File(file.clone()));
        let door = Running::with(|config| config.queue_jwks = source).await;
        let account_id = id::new();
        let token = door.token_with(&[Role::User], |claims| claims.sub = account_id);
        Self {
            door,
            room,
            file,
            account_id,
            token,
        }
    }

    /// Calls a method that looks at passes, with these.
    async fn call(&self, passes: &[&[u8]]) -> Answer {
        let request = self.door.request("POST", "/v1/holds");
        let request = request.bearer_auth(&self.token);
        let request = request
            .header("content-type", "application/json")
            .body("{}");
        send(
            passes
                .iter()
                .fold(request, |request, pass| request.header(QUEUE_PASS, *pass)),
        )
        .await
    }

    fn calls(&self) -> usize {
        self.door.services.calls()
    }
}

/// A pass of this account that ends in so many seconds.
fn signed(key: &SigningKey, account_id: Uuid, ends_in: i64) -> String {
    let exp = clock::now().timestamp() + ends_in;
    let claims = json!({"iss": PASS_ISSUER, "aud": id::new(), "sub": account_id, "exp": exp, "jti": "1:0:7:1",
        "epoch": 1, "lane": 0, "seq": 7, "no": 1, "ses": 0});
    key.sign(&claims).unwrap()
}

#[tokio::test]
async fn what_cannot_be_a_pass_is_refused_before_the_service_is_called() {
    let scene = Scene::new().await;
    let good = signed(&scene.room, scene.account_id, 60);
    let stranger = SigningKey::generate().unwrap();
    let forged = signed(&stranger, scene.account_id, 60);
    let anothers = signed(&scene.room, id::new(), 60);
    let cut = &good[..good.len() - 1];
    for passes in [
        &[forged.as_bytes()][..],
        &[anothers.as_bytes()],
        &[cut.as_bytes()],
        &[b"nonsense"],
        &[b""],
        &["passé".as_bytes()],
        // One that is good does not carry the others.
        &[good.as_bytes(), forged.as_bytes()],
    ] {
        let refused = scene.call(passes).await;
        assert_eq!(
            refused.refusal(),
            (400, "QUEUE_PASS_NOT_VALID".to_owned()),
            "{passes:?}"
        );
        let told = &refused.json()["error"];
        assert_eq!(told["status"], "FAILED_PRECONDITION");
    }
    assert_eq!(scene.calls(), 0);
    assert_eq!(scene.call(&[good.as_bytes()]).await.status, 200);
    let seen = scene.door.services.last();
    assert_eq!(seen.get(QUEUE_PASS).unwrap(), &good);
}

#[tokio::test]
async fn what_was_a_pass_and_what_is_none_at_all_are_for_the_service() {
    let scene = Scene::new().await;
    let over = signed(&scene.room, scene.account_id, -1);
    let anothers = signed(&scene.room, id::new(), -3_600);
    let good = signed(&scene.room, scene.account_id, 60);
    for passes in [
        &[][..],
        &[over.as_bytes()],
        &[anothers.as_bytes()],
        &[over.as_bytes(), good.as_bytes()],
    ] {
        assert_eq!(scene.call(passes).await.status, 200, "{passes:?}");
    }
    assert_eq!(scene.calls(), 4);
    // A method whose policy says nothing of passes does not look at them.
    let other = scene
        .door
        .request("GET", "/v1/venues/x")
        .bearer_auth(&scene.token);
    assert_eq!(send(other.header(QUEUE_PASS, "nonsense")).await.status, 200);
}

#[tokio::test]
async fn without_keys_every_pass_goes_on() {
    for (told, there) in [(true, false), (false, true)] {
        let scene = Scene::with(told, there).await;
        let passed = scene.call(&[b"nonsense".as_slice()]).await;
        // Nobody needs a key to know that this is none.
        assert_eq!(passed.status, if told { 400 } else { 200 });
        let forged = signed(&SigningKey::generate().unwrap(), scene.account_id, 60);
        let passed = scene.call(&[forged.as_bytes(), forged.as_bytes()]).await;
        assert_eq!(passed.status, 200, "told {told}");
    }
}

#[tokio::test]
async fn keys_that_come_later_count() {
    let scene = Scene::with(true, false).await;
    let anothers = signed(&scene.room, id::new(), 60);
    assert_eq!(scene.call(&[anothers.as_bytes()]).await.status, 200);
    std::fs::write(&scene.file, scene.room.to_jwks()).unwrap();
    let refused = async {
        while scene.call(&[anothers.as_bytes()]).await.status != 400 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let patience = std::time::Duration::from_secs(30);
    tokio::time::timeout(patience, refused).await.unwrap();
}
