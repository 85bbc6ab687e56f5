//! The mesh as it is shipped: its binaries, each a process of its own, over databases and queue names of this test alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::docs::root;
use e2e::rest::{Answer, Call, Person, Rest};
use mesh::config::{Env, ProcessEnv};
use mesh::id;
use mesh::identity::{Role, SigningKey};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

pub(crate) mod audit;
mod broker;
mod coupon;
mod digest;
mod gate;
mod instance;
mod process;
mod purchase;
mod quiet;
mod sale;
mod storage;
mod tap;
mod tools;

use broker::Queues;
pub(crate) use broker::leave_queues;
pub(crate) use coupon::won_off;
pub(crate) use gate::Gate;
pub(crate) use instance::Instance;
pub(crate) use process::{Process, binary};
pub(crate) use purchase::{Order, lines, on_site};
pub(crate) use sale::{Sale, Seats, ShowPlan};
pub(crate) use storage::Storage;
use tap::Tap;
pub(crate) use tools::{Tools, bearer};

/// No condition of these tests takes longer, even on a busy machine whose broker was silent for two heartbeats.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two looks at a condition.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Two meshes at once would only wait for each other's two cores.
static TURN: Mutex<()> = Mutex::const_new(());

/// The secret between the services of these tests.
pub(crate) const MESH_TOKEN: &str = "the secret of these tests";

/// Which preset of timers the processes use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timings {
    /// As documented: nothing expires while a test looks.
    Standard,
    /// 100 times shorter, for tests that see leases end and ladders climbed.
    Short,
}

/// The processes, and what they work with. Dropping it ends all of them.
pub(crate) struct RealMesh {
    pub(crate) rest: Rest,
    pub(crate) admin: Rest,
    pub(crate) simulator: Rest,
    pub(crate) booking: Storage,
    pub(crate) payment: Storage,
    pub(crate) queue: Storage,
    pub(crate) coupon: Storage,
    /// The wire between booking-svc and the broker.
    pub(crate) tap: Tap,
    processes: BTreeMap<String, Process>,
    pub(crate) queues: Queues,
    key: SigningKey,
    folder: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl RealMesh {
    /// Starts pg-sim, payment-svc, booking-svc, queue-svc, coupon-svc and edge-proxy and waits until all are ready.
    pub(crate) async fn start(timings: Timings) -> Self {
        Self::start_with(timings, &[""], &[]).await
    }

    /// The same; every member sends its traces to `collector`.
    pub(crate) async fn start_traced(timings: Timings, collector: &str) -> Self {
        let more = [("USHER_OTLP_ENDPOINT", collector)];
        Self::start_with(timings, &[""], &more).await
    }

    /// The same with the page of `dev/run`.
    pub(crate) async fn start_with_page(timings: Timings) -> Self {
        let folder = root().join("dev/page").display().to_string();
        Self::start_with(timings, &[""], &[("USHER_EDGE_PAGE", &folder)]).await
    }

    /// The same with two instances of each service; the second ones are called `payment-svc.2` and so on.
    pub(crate) async fn start_pairs(timings: Timings) -> Self {
        Self::start_with(timings, &["", ".2"], &[]).await
    }

    async fn start_with(
        timings: Timings,
        instances: &[&str],
        more: &[(&'static str, &str)],
    ) -> Self {
        let turn = TURN.lock().await;
        let folder = std::env::temp_dir().join(format!("usher-e2e-{}", id::new().simple()));
        std::fs::create_dir(&folder).unwrap();
        let key = SigningKey::generate().unwrap();
        std::fs::write(folder.join("jwks.json"), key.to_jwks()).unwrap();
        for ring in ["ticket-keys.json", "queue-keys.json"] {
            std::fs::write(folder.join(ring), key_ring()).unwrap();
        }
        std::fs::write(folder.join("queue-jwks.json"), pass_keys()).unwrap();
        let prefix = format!("e2e{}.", id::new().simple());
        let mut mesh = Self {
            rest: Rest::new(""),
            admin: Rest::new(""),
            simulator: Rest::new(""),
            booking: Storage::create().await,
            payment: Storage::create().await,
            queue: Storage::create().await,
            coupon: Storage::create().await,
            tap: Tap::to(host_of(&amqp_url()).to_owned()).await,
            processes: BTreeMap::new(),
            queues: Queues::new(&prefix),
            key,
            folder,
            _turn: turn,
        };
        let mut member = mesh.member(timings, &prefix);
        member.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        mesh.launch(&member, instances).await;
        mesh
    }

    async fn launch(&mut self, member: &[(&'static str, String)], instances: &[&str]) {
        let secret = id::new().simple().to_string();
        let sim = self.run("pg-sim", &[("USHER_TOSS_SECRET", &secret)]).await;
        let member: Vec<(&str, &str)> = member.iter().map(|(k, v)| (*k, v.as_str())).collect();

        let url = self.payment.url().expose().to_owned();
        let mut payment = member.clone();
        payment.extend([
            ("USHER_DATABASE_URL", url.as_str()),
            ("USHER_TOSS_URL", &sim),
        ]);
        payment.push(("USHER_TOSS_SECRET", &secret));
        let payment = self.run_all("payment-svc", instances, &payment).await;

        let redis = redis_url();
        let url = self.coupon.url().expose().to_owned();
        let mut coupon = member.clone();
        coupon.extend([
            ("USHER_DATABASE_URL", url.as_str()),
            ("USHER_REDIS_URL", &redis),
            ("USHER_COUPON_CODE_KEY", "a secret of codes for tests alone"),
        ]);
        let coupon = self.run_all("coupon-svc", instances, &coupon).await;

        let url = self.booking.url().expose().to_owned();
        let keys = self.folder.join("ticket-keys.json").display().to_string();
        let mut booking = member.clone();
        booking.extend([
            ("USHER_DATABASE_URL", url.as_str()),
            ("USHER_PEER_PAYMENT", &payment),
            ("USHER_PEER_COUPON", &coupon),
        ]);
        booking.push(("USHER_TICKET_KEYS", &keys));
        let passes = self.folder.join("queue-jwks.json").display().to_string();
        booking.push(("USHER_QUEUE_JWKS", &passes));
        let url = amqp_url();
        let tapped = url.replace(host_of(&url), self.tap.address());
        booking.push(("USHER_AMQP_URL", &tapped));
        let booking = self.run_all("booking-svc", instances, &booking).await;

        let url = self.queue.url().expose().to_owned();
        let keys = self.folder.join("queue-keys.json");
        let keys = keys.display().to_string();
        let mut queue = member.clone();
        queue.extend([
            ("USHER_DATABASE_URL", url.as_str()),
            ("USHER_REDIS_URL", &redis),
            ("USHER_QUEUE_KEYS", &keys),
        ]);
        let queue = self.run_all("queue-svc", instances, &queue).await;

        let routes = format!(
            "usher.booking.v1={booking};usher.payment.v1={payment};usher.queue.v1={queue};usher.coupon.v1={coupon}"
        );
        let mut edge = member;
        edge.push(("USHER_EDGE_ROUTES", &routes));
        edge.push(("USHER_QUEUE_JWKS", &passes));
        let edge = self.run("edge-proxy", &edge).await;
        self.rest = Rest::new(edge);
        self.admin = Rest::new(self.processes["edge-proxy"].admin());
        self.simulator = Rest::new(sim);
        self.ready().await;
    }

    /// Variables of every member of the mesh.
    fn member(&self, timings: Timings, prefix: &str) -> Vec<(&'static str, String)> {
        let timings = match timings {
            Timings::Standard => "standard",
            Timings::Short => "test",
        };
        vec![
            ("USHER_AMQP_URL", amqp_url()),
            ("USHER_AMQP_PREFIX", prefix.to_owned()),
            (
                "USHER_JWKS",
                self.folder.join("jwks.json").display().to_string(),
            ),
            ("USHER_MESH_TOKEN", MESH_TOKEN.to_owned()),
            ("USHER_TIMINGS", timings.to_owned()),
        ]
    }

    /// Runs the instances of a service; answers their addresses, as variables list them.
    async fn run_all(
        &mut self,
        name: &str,
        instances: &[&str],
        variables: &[(&str, &str)],
    ) -> String {
        let mut addresses = Vec::new();
        for instance in instances {
            addresses.push(self.run(&format!("{name}{instance}"), variables).await);
        }
        addresses.join(",")
    }

    async fn run(&mut self, name: &str, variables: &[(&str, &str)]) -> String {
        let process = Process::start(name, &self.folder, variables).await;
        let address = process.address();
        self.processes.insert(name.to_owned(), process);
        address
    }

    /// Waits until every process says that it is ready.
    pub(crate) async fn ready(&self) {
        for process in self.processes.values() {
            process.ready().await;
        }
    }

    /// Where one process answers gRPC.
    pub(crate) fn address(&self, name: &str) -> String {
        self.processes[name].address()
    }

    /// What a counter of one process stands at; nothing that was counted is 0.
    pub(crate) async fn counter(&self, name: &str, counter: &str) -> u64 {
        let metrics = Rest::new(self.processes[name].admin());
        let answer = metrics.send(&Call::get("/metrics")).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        let line = answer
            .text
            .lines()
            .find_map(|line| line.strip_prefix(counter));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// One process.
    pub(crate) fn process(&self, name: &str) -> &Process {
        &self.processes[name]
    }

    /// Hands a process over to a test that kills it while others use the mesh.
    pub(crate) fn take(&mut self, name: &str) -> Process {
        self.processes.remove(name).unwrap()
    }

    /// Ends one process as a power cut would.
    pub(crate) fn kill(&mut self, name: &str) {
        self.processes.get_mut(name).unwrap().kill();
    }

    /// Starts a killed process again, at its old address, and waits until it is ready.
    pub(crate) async fn restart(&mut self, name: &str) {
        let process = self.processes.get_mut(name).unwrap();
        process.start_again().await;
        process.ready().await;
    }

    /// Somebody with these roles and an account of their own.
    pub(crate) fn person(&self, roles: &[Role]) -> Person {
        Person::new(id::new(), roles, &self.key).unwrap()
    }

    /// The key that signs access tokens here.
    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Sends a call that has to succeed; where the mesh is full it is sent again.
    pub(crate) async fn ask(&self, call: &Call) -> Answer {
        let answer = until(&format!("room for {}", call.title()), async || {
            let answer = self.rest.send(call).await.unwrap();
            (answer.status != 429).then_some(answer)
        })
        .await;
        assert!(
            answer.is_ok(),
            "{}: {} {}",
            call.title(),
            answer.status,
            answer.text
        );
        answer
    }

    /// What the simulator knows of an order.
    pub(crate) async fn oracle(&self, order_id: &str) -> Answer {
        let call = Call::get(format!("/oracle/orders/{order_id}"));
        self.simulator.send(&call).await.unwrap()
    }
}

impl Drop for RealMesh {
    fn drop(&mut self) {
        for process in self.processes.values_mut() {
            process.kill();
        }
        if std::thread::panicking() {
            for process in self.processes.values() {
                process.print_log();
            }
        }
        drop(std::fs::remove_dir_all(&self.folder)); // in the folder of the machine for such things
    }
}

pub(crate) fn redis_url() -> String {
    ProcessEnv.get("USHER_REDIS_URL").expect(
        "USHER_REDIS_URL is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`",
    )
}

fn amqp_url() -> String {
    ProcessEnv.get("USHER_AMQP_URL").expect(
        "USHER_AMQP_URL is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`",
    )
}

/// `host:port` of `amqp://user:password@host:port/vhost`.
fn host_of(url: &str) -> &str {
    let (_, rest) = url.rsplit_once('@').unwrap();
    rest.split('/').next().unwrap()
}

/// One key that signs tickets or passes, as `usher-token init` makes it.
fn key_ring() -> String {
    let seed: String = std::iter::repeat_n("A", 43).chain(["="]).collect();
    let key = serde_json::json!({"key_id": 1, "seed": seed, "valid_from_time": "2020-01-01T00:00:00Z", "valid_until_time": null});
    serde_json::json!({ "keys": [key] }).to_string()
}

/// The public half of the ring, as GetPassKeys tells it.
fn pass_keys() -> String {
    let now = mesh::clock::now();
    let ring = queue_svc::credentials::KeyRing::from_json(&key_ring(), now).unwrap();
    let encode = |public: &[u8]| URL_SAFE_NO_PAD.encode(public);
    let keys: Vec<Value> = ring
        .known(now)
        .map(|key| serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": key.kid(), "x": encode(&key.public)}))
        .collect();
    serde_json::json!({ "keys": keys }).to_string()
}

/// Waits until `look` finds something; fails with `what` when it never does.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(found) => found,
        Err(_) => panic!("never happened: {what}"),
    }
}

/// The id in an answer.
pub(crate) fn id_at(answer: &Answer, pointer: &str) -> Uuid {
    let text = answer.at(pointer);
    id::parse(&text).unwrap_or_else(|| panic!("{pointer} is {text:?} in {}", answer.text))
}

/// The id that a JSON text is.
pub(crate) fn id_in(value: &Value) -> Uuid {
    let text = value.as_str().unwrap_or_default();
    id::parse(text).unwrap_or_else(|| panic!("{value} is no id"))
}
