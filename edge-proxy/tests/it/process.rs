//! The binary.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use mesh::id;
use mesh::identity::SigningKey;

/// The binary with nothing of this environment but `variables`.
fn edge(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edge-proxy"));
    command.env_clear().envs(variables.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = edge(variables).output().unwrap();
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

async fn addresses(file: &Path) -> (String, String) {
    for _ in 0..200 {
        if let Ok(text) = std::fs::read_to_string(file) {
            let of = |key: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(key))
                    .unwrap()
                    .to_owned()
            };
            return (of("listen="), of("admin="));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the door never wrote its addresses");
}

#[test]
fn wrong_configuration_ends_with_64_and_every_mistake() {
    let (code, text) = run(&[("USHER_LISTEN", "nowhere"), ("USHER_EDGE_ROUTES", "x")]);
    assert_eq!(code, Some(64), "{text}");
    for name in ["USHER_LISTEN", "USHER_JWKS", "USHER_EDGE_ROUTES"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let routes = ("USHER_EDGE_ROUTES", "usher.booking.v1=http://127.0.0.1:1");
    let (code, text) = run(&[routes, ("USHER_JWKS", "/nowhere/jwks.json")]);
    assert_eq!(code, Some(1), "{text}");
}

#[tokio::test]
async fn it_serves_counts_and_ends_when_told() {
    let folder = std::env::temp_dir().join(format!("usher-edge-{}", id::new()));
    std::fs::create_dir_all(&folder).unwrap();
    let (jwks, file) = (folder.join("jwks.json"), folder.join("addresses"));
    std::fs::write(&jwks, SigningKey::generate().unwrap().to_jwks()).unwrap();
    let child = edge(&[
        ("USHER_JWKS", jwks.to_str().unwrap()),
        ("USHER_ADDR_FILE", file.to_str().unwrap()),
        ("USHER_EDGE_ROUTES", "usher.booking.v1=http://127.0.0.1:1"),
    ])
    .spawn()
    .unwrap();
    let (address, admin) = addresses(&file).await;
    let status = reqwest::get(format!("http://{address}/v1/nothing"))
        .await
        .unwrap()
        .status();
    assert_eq!(status, 404);
    let metrics = reqwest::get(format!("http://{admin}/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        metrics.contains("usher_edge_requests_total{route=\"unrouted\",code=\"404\"} 1"),
        "{metrics}"
    );
    let told = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(told.success());
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(
        log.contains("unrouted 404") && log.contains("stopped"),
        "{log}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}
