//! Probes, metrics, and mistakes that stop the start.

use std::time::Duration;

use edge_proxy::{Config, Edge, EdgeError};
use mesh::id;
use mesh::identity::SigningKey;
use mesh::process::Runtime;
use mesh::tasks::Tasks;
use mesh::telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::contracts::Contracts;
use crate::door::{Running, config};

/// Builds a door that is never opened.
pub(crate) async fn build(config: Config) -> Result<Edge, EdgeError> {
    let telemetry = Telemetry::detached().unwrap();
    let runtime = Runtime {
        tasks: Tasks::new(),
        telemetry,
        shutdown: CancellationToken::new(),
    };
    Edge::build(config, runtime).await
}

async fn until_ready(door: &Running, wanted: u16) -> serde_json::Value {
    for _ in 0..100 {
        let answer = door.operator("GET", "/readyz", None).await;
        if answer.status == wanted {
            return answer.json();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("/readyz never was {wanted}");
}

#[tokio::test]
async fn ready_means_that_every_package_was_reached() {
    let door = Running::start().await;
    until_ready(&door, 200).await;
    assert_eq!(door.operator("GET", "/livez", None).await.status, 200);
    let metrics = door.operator("GET", "/metrics", None).await;
    assert_eq!(metrics.status, 200);
    // The operations are not for everybody.
    assert_eq!(
        door.get("/metrics").await.refusal(),
        (404, "ROUTE_NOT_FOUND".to_owned())
    );

    let half = Running::with(|config| {
        let alive = config.routes.iter().next().unwrap().1.addresses()[0].clone();
        let routes = format!("usher.booking.v1={alive};usher.payment.v1=http://127.0.0.1:1");
        config.routes = routes.parse().unwrap();
    })
    .await;
    // The first look may not have ended yet.
    let mut report = until_ready(&half, 503).await;
    while report["checks"]["routes"]["detail"] == "not looked at yet" {
        report = until_ready(&half, 503).await;
    }
    assert_eq!(
        report["checks"]["routes"]["detail"],
        "never reached: usher.payment.v1"
    );
}

#[tokio::test]
async fn mistakes_stop_the_start() {
    let folder = std::env::temp_dir().join(format!("usher-edge-{}", id::new()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join("jwks.json"),
        SigningKey::generate().unwrap().to_jwks(),
    )
    .unwrap();
    let with = |change: &dyn Fn(&mut Config)| {
        let mut config = config(&folder, "usher.booking.v1=http://127.0.0.1:1");
        change(&mut config);
        build(config)
    };
    assert!(with(&|_| {}).await.is_ok());
    let unknown =
        with(&|config| config.routes = "usher.nothing.v1=http://127.0.0.1:1".parse().unwrap())
            .await;
    assert!(
        matches!(unknown.unwrap_err(), EdgeError::UnknownPackage(package) if package == "usher.nothing.v1")
    );
    let missing = with(&|config| config.descriptors = Some(folder.join("none.bin"))).await;
    assert!(matches!(missing.unwrap_err(), EdgeError::File(..)));
    let malformed = with(&|config| config.descriptors = Some(folder.join("jwks.json"))).await;
    assert!(matches!(malformed.unwrap_err(), EdgeError::Malformed(..)));
    let plain = Contracts::of(&with_unannotated_package());
    // A package without policies: access is denied by default.
    let unannotated = with(&|config| {
        config.descriptors = Some(plain.path());
        config.routes = "plain.v1=http://127.0.0.1:1".parse().unwrap();
    });
    assert!(matches!(
        unannotated.await.unwrap_err(),
        EdgeError::Policy(_)
    ));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The contracts, and a package whose one method has no policy.
fn with_unannotated_package() -> Vec<u8> {
    // FileDescriptorProto of `plain.v1`: message M, service S with rpc R(M) returns (M).
    let field = |number: u8, bytes: &[u8]| {
        [
            &[number << 3 | 2, u8::try_from(bytes.len()).unwrap()],
            bytes,
        ]
        .concat()
    };
    let message = field(4, &field(1, b"M"));
    let method = [
        field(1, b"R"),
        field(2, b".plain.v1.M"),
        field(3, b".plain.v1.M"),
    ]
    .concat();
    let service = field(6, &[field(1, b"S"), field(2, &method)].concat());
    let file = [
        field(1, b"plain.proto"),
        field(2, b"plain.v1"),
        message,
        service,
        field(12, b"proto3"),
    ]
    .concat();
    let mut set = proto::DESCRIPTORS.to_vec();
    set.extend(field(1, &file));
    assert!(prost_reflect::DescriptorPool::decode(set.as_slice()).is_ok());
    set
}
