use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use tonic::Status;

use super::*;
use crate::tasks::Tasks;
use crate::{clock, id};

struct Issuer {
    key: SigningKey,
    file: PathBuf,
    verifier: TokenVerifier,
    _tasks: Tasks,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        std::fs::remove_file(&self.file).unwrap();
    }
}

impl Issuer {
    async fn new() -> Self {
        let (key, tasks) = (SigningKey::generate().unwrap(), Tasks::new());
        let file = std::env::temp_dir().join(format!("usher-jwks-{}.json", id::new()));
        std::fs::write(&file, key.to_jwks()).unwrap();
        let options = VerifierOptions {
            jwks: JwksSource::File(file.clone()),
            issuer: "home".to_owned(),
            audience: "usher".to_owned(),
        };
        let verifier = TokenVerifier::start(options, &tasks).await.unwrap();
        Self {
            key,
            file,
            verifier,
            _tasks: tasks,
        }
    }

    async fn reason(&self, token: &str) -> String {
        match self.verifier.verify(token).await {
            Ok(_) => "OK".to_owned(),
            Err(refusal) => reason(refusal),
        }
    }
}

fn reason(refusal: Refusal) -> String {
    use tonic_types::StatusExt;
    Status::from(refusal)
        .get_details_error_info()
        .unwrap()
        .reason
}

fn claims() -> Claims {
    let now = clock::now().timestamp();
    Claims {
        iss: "home".to_owned(),
        aud: "usher".to_owned(),
        sub: id::new(),
        roles: vec![Role::User],
        scope: String::new(),
        iat: now,
        exp: now + 600,
        jti: id::new().to_string(),
    }
}

#[tokio::test]
async fn a_good_token_names_its_account() {
    let issuer = Issuer::new().await;
    let claims = Claims {
        roles: vec![Role::User, Role::Seller],
        ..claims()
    };
    let token = issuer.key.sign(&claims).unwrap();
    for _ in ["verified", "remembered"] {
        let account = issuer.verifier.verify(&token).await.unwrap();
        assert_eq!(
            (account.account_id, account.access),
            (claims.sub, Access::Seller)
        );
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_refuses_it() {
    let issuer = Issuer::new().await;
    let sign = |claims: Claims| issuer.key.sign(&claims).unwrap();
    let past = clock::now().timestamp() - 60;
    assert_eq!(
        issuer
            .reason(&sign(Claims {
                exp: past,
                ..claims()
            }))
            .await,
        "TOKEN_EXPIRED"
    );
    let foreign = Claims {
        iss: "elsewhere".to_owned(),
        ..claims()
    };
    assert_eq!(issuer.reason(&sign(foreign)).await, "TOKEN_INVALID");
    let other = Claims {
        aud: "billing".to_owned(),
        ..claims()
    };
    assert_eq!(issuer.reason(&sign(other)).await, "TOKEN_INVALID");
    let stranger = SigningKey::generate().unwrap();
    assert_eq!(
        issuer.reason(&stranger.sign(&claims()).unwrap()).await,
        "TOKEN_INVALID"
    );
    for wrong in ["", "a.b.c", &"x".repeat(10_000)] {
        assert_eq!(issuer.reason(wrong).await, "TOKEN_INVALID");
    }
}

#[tokio::test]
async fn the_algorithm_is_pinned() {
    let issuer = Issuer::new().await;
    let body = URL_SAFE_NO_PAD.encode(serde_json::to_string(&claims()).unwrap());
    for alg in ["none", "None", "HS256"] {
        let header = format!(
            r#"{{"alg":"{alg}","typ":"JWT","kid":"{}"}}"#,
            issuer.key.kid()
        );
        let unsigned = format!("{}.{body}.", URL_SAFE_NO_PAD.encode(header));
        assert_eq!(issuer.reason(&unsigned).await, "TOKEN_INVALID", "{alg}");
    }
    // The classic confusion: the public key, known to all, used as an HMAC secret.
    let header = Header {
        kid: Some(issuer.key.kid()),
        ..Header::new(Algorithm::HS256)
    };
    let secret = EncodingKey::from_secret(issuer.key.public());
    let confused = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
    assert_eq!(issuer.reason(&confused).await, "TOKEN_INVALID");
}

#[tokio::test]
async fn a_changed_signature_refuses_a_remembered_token_too() {
    let issuer = Issuer::new().await;
    let token = issuer.key.sign(&claims()).unwrap();
    assert_eq!(issuer.reason(&token).await, "OK");
    let (start, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{start}.{}", URL_SAFE_NO_PAD.encode([0; 64]));
    assert_eq!(issuer.reason(&forged).await, "TOKEN_INVALID");
}

#[test]
fn a_peer_has_to_prove_its_name() {
    let secret = Secret::new("0123456789abcdef");
    let headers = |pairs: &[(&'static str, &'static str)]| {
        pairs
            .iter()
            .map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap()))
            .collect::<HeaderMap>()
    };
    assert_eq!(peer(&headers(&[]), &secret).unwrap(), None);
    let good = headers(&[
        (MESH_IDENTITY, "booking-svc"),
        (MESH_TOKEN, "0123456789abcdef"),
    ]);
    assert_eq!(
        peer(&good, &secret).unwrap().as_deref(),
        Some("booking-svc")
    );
    for spoofed in [
        headers(&[(MESH_IDENTITY, "booking-svc")]),
        headers(&[
            (MESH_IDENTITY, "booking-svc"),
            (MESH_TOKEN, "0123456789abcdeX"),
        ]),
        headers(&[(MESH_IDENTITY, "booking-svc"), (MESH_TOKEN, "")]),
    ] {
        assert_eq!(
            reason(peer(&spoofed, &secret).unwrap_err()),
            "CALLER_NOT_ALLOWED"
        );
    }
}

#[test]
fn a_key_survives_its_file() {
    let key = SigningKey::generate().unwrap();
    assert_eq!(
        SigningKey::from_pem(&key.to_pem()).unwrap().kid(),
        key.kid()
    );
    assert!(
        SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
            .is_err()
    );
    assert!(!format!("{key:?}").contains(&key.to_pem()));
}
