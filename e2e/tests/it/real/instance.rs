//! An instance of booking-svc inside of the test, on a runtime of its own: it can be halted at fault points and crashed at them.

use std::collections::BTreeMap;

use booking_svc::app::timings::BookTimings;
use booking_svc::config::Config;
use e2e::rest::{Call, Rest};
use mesh::config;
use mesh::faults::Faults;
use mesh::process::Runtime;
use mesh::tasks::Tasks;
use mesh::telemetry::Telemetry;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, RealMesh, until};

/// Threads of an instance: one that waits must not stop the others.
const THREADS: usize = 2;

/// It runs until it is crashed or stopped.
pub(crate) struct Instance {
    /// Taken when it ends.
    runtime: Option<tokio::runtime::Runtime>,
    shutdown: CancellationToken,
    ended: oneshot::Receiver<()>,
}

impl RealMesh {
    /// An instance of booking-svc beside or instead of the process; `listen` is an address, port 0 for a free one.
    pub(crate) async fn instance(&self, listen: &str, faults: Faults) -> Instance {
        let config = self.booking_config(listen);
        let addresses = config.server.addr_file.clone().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()
            .unwrap();
        let shutdown = CancellationToken::new();
        let (tell, ended) = oneshot::channel();
        let process = Runtime {
            tasks: Tasks::new(),
            telemetry: Telemetry::detached().unwrap(),
            shutdown: shutdown.clone(),
        };
        runtime.spawn(async move {
            booking_svc::serve_with(config, process, faults)
                .await
                .unwrap();
            let _ = tell.send(()); // whoever crashed it does not wait
        });
        let admin = until("an instance writes its addresses", async || {
            let text = std::fs::read_to_string(&addresses).ok()?;
            let admin = text.lines().find_map(|line| line.strip_prefix("admin="))?;
            text.ends_with('\n').then(|| admin.to_owned())
        })
        .await;
        let health = Rest::new(format!("http://{admin}"));
        until("an instance is ready", async || {
            let answer = health.send(&Call::get("/readyz")).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        Instance {
            runtime: Some(runtime),
            shutdown,
            ended,
        }
    }

    /// The configuration of the booking-svc process, with a clock of which only leases, sweeps and pauses run fast: nothing expires
    /// while a cell of the matrix looks.
    pub(crate) fn booking_config(&self, listen: &str) -> Config {
        let process = &self.processes["booking-svc"];
        let mut env: BTreeMap<String, String> = process.variables().iter().cloned().collect();
        let addresses = self.folder.join(format!("{}.addr", mesh::id::new()));
        env.insert("USHER_LISTEN".to_owned(), listen.to_owned());
        env.insert("USHER_ADMIN_LISTEN".to_owned(), "127.0.0.1:0".to_owned());
        env.insert(
            "USHER_ADDR_FILE".to_owned(),
            addresses.display().to_string(),
        );
        let mut config = config::load(&env, Config::read).unwrap();
        let standard = BookTimings::standard();
        config.book = BookTimings {
            hold_divisor: standard.hold_divisor,
            payment: standard.payment,
            unknown_max: standard.unknown_max,
            park_after: standard.park_after,
            ..config.book
        };
        config
    }
}

impl Instance {
    /// Ends it as a power cut would: every task stops where it is, every connection breaks.
    pub(crate) async fn crash(mut self) {
        end(self.runtime.take().unwrap()).await;
    }

    /// Ends it as SIGTERM does, and waits until what it had begun is written.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, &mut self.ended).await;
        ended.expect("it stops").expect("it stops well");
        end(self.runtime.take().unwrap()).await;
    }
}

/// Drops every task of a runtime, and with them sockets and listeners.
async fn end(runtime: tokio::runtime::Runtime) {
    let ended = mesh::tasks::blocking(move || runtime.shutdown_timeout(PATIENCE));
    ended.await.unwrap();
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
