//! A door that runs, and a client in front of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use edge_proxy::{Config, Edge, Limits};
use mesh::config::load;
use mesh::identity::{Claims, Role, SigningKey};
use mesh::process::Runtime;
use mesh::server::Listeners;
use mesh::tasks::Tasks;
use mesh::telemetry::Telemetry;
use mesh::{clock, id};
use serde_json::Value as Json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::services::Services;

/// Everything of one test. Its tasks end with it.
pub(crate) struct Running {
    pub(crate) services: Services,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: Option<JoinHandle<()>>,
    pub(crate) behind: Tasks,
    key: SigningKey,
    folder: PathBuf,
    client: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    /// The reason of an error.
    pub(crate) fn reason(&self) -> String {
        self.json()["error"]["details"][0]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// HTTP status and reason.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.reason())
    }

    /// The violations of a bad request.
    pub(crate) fn violations(&self) -> Vec<String> {
        assert_eq!(self.refusal(), (400, "INVALID_REQUEST".to_owned()));
        let list = self.json()["error"]["details"][1]["fieldViolations"]
            .as_array()
            .unwrap()
            .clone();
        let text =
            |violation: &Json, key: &str| violation[key].as_str().unwrap_or_default().to_owned();
        list.iter()
            .map(|v| format!("{}: {}", text(v, "field"), text(v, "description")))
            .collect()
    }
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A door whose configuration `change` has seen.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let (behind, services) = (Tasks::new(), Services::default());
        let target = services.start(&behind).await;
        let folder = std::env::temp_dir().join(format!("usher-edge-{}", id::new()));
        std::fs::create_dir_all(&folder).unwrap();
        let key = SigningKey::generate().unwrap();
        std::fs::write(folder.join("jwks.json"), key.to_jwks()).unwrap();
        let routes = format!(
            "usher.booking.v1=http://{target};usher.payment.v1=http://{target};usher.coupon.v1=http://{target}"
        );
        let mut config = config(&folder, &routes);
        change(&mut config);

        let shutdown = CancellationToken::new();
        let telemetry = Telemetry::detached().unwrap();
        let runtime = Runtime {
            tasks: Tasks::new(),
            telemetry,
            shutdown: shutdown.clone(),
        };
        let edge = Edge::build(config.clone(), runtime).await.unwrap();
        let listeners = Listeners::bind(&config.server).await.unwrap();
        let (address, admin) = (listeners.address(), listeners.admin());
        let ended = Some(behind.spawn("edge", edge.serve(listeners)));
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Self {
            services,
            address,
            admin,
            shutdown,
            ended,
            behind,
            key,
            folder,
            client,
        }
    }

    /// A token of a subject that is new each time.
    pub(crate) fn token(&self, roles: &[Role]) -> String {
        self.token_with(roles, |_| {})
    }

    pub(crate) fn token_with(&self, roles: &[Role], change: impl FnOnce(&mut Claims)) -> String {
        let now = clock::now().timestamp();
        let mut claims = Claims {
            iss: "home".to_owned(),
            aud: "usher".to_owned(),
            sub: id::new(),
            roles: roles.to_vec(),
            scope: String::new(),
            iat: now,
            exp: now + 60,
            jti: id::new().to_string(),
        };
        change(&mut claims);
        self.key.sign(&claims).unwrap()
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> reqwest::RequestBuilder {
        self.client.request(
            method.parse().unwrap(),
            format!("http://{}{target}", self.address),
        )
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        send(self.request("GET", target)).await
    }

    /// A POST of a seller with a JSON body.
    pub(crate) async fn post(&self, target: &str, body: &str) -> Answer {
        let request = self
            .request("POST", target)
            .bearer_auth(self.token(&[Role::Seller]));
        send(
            request
                .header("content-type", "application/json")
                .body(body.to_owned()),
        )
        .await
    }

    /// A request to the admin listener.
    pub(crate) async fn operator(&self, method: &str, target: &str, token: Option<&str>) -> Answer {
        let url = format!("http://{}{target}", self.admin);
        let mut request = self.client.request(method.parse().unwrap(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        send(request).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer {
        status,
        headers,
        bytes: response.bytes().await.unwrap().to_vec(),
    }
}

/// The configuration of a test, through the same reader as that of a process.
pub(crate) fn config(folder: &std::path::Path, routes: &str) -> Config {
    let jwks = folder.join("jwks.json").display().to_string();
    let env = [
        ("USHER_JWKS", jwks.as_str()),
        ("USHER_JWT_ISSUER", "home"),
        ("USHER_EDGE_ROUTES", routes),
    ];
    let env: BTreeMap<_, _> = env
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let mut config = load(&env, Config::read).unwrap();
    config.limits = Limits {
        drain: Duration::from_secs(2),
        probe: Duration::from_millis(50),
        ..Limits::default()
    };
    config
}
