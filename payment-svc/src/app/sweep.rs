//! The loops that look after what is due. Every instance runs them; rows are claimed, so that they share the work.

use std::future::Future;
use std::time::Duration;

use mesh::status::chain;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{App, Error};

/// First pause after a failure, doubled up to [`FAILURE_PAUSE_MAX`]: a database that is away is not hammered.
const FAILURE_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause after a failure.
const FAILURE_PAUSE_MAX: Duration = Duration::from_secs(10);

impl App {
    /// Starts the loops; they live as long as the process.
    pub fn start_sweepers(&self) {
        self.keep_refunds_watched();
        let app = self.clone();
        self.tasks.keep_running("inquiries", move |stop| {
            let app = app.clone();
            async move {
                app.rounds("inquiries", &stop, async || app.inquire_due().await)
                    .await
            }
        });
        let app = self.clone();
        self.tasks.keep_running("deadlines", move |stop| {
            let app = app.clone();
            async move {
                app.rounds("deadlines", &stop, async || app.expire_due().await)
                    .await
            }
        });
        let app = self.clone();
        self.tasks.keep_running("refunds", move |stop| {
            let app = app.clone();
            async move {
                app.rounds("refunds", &stop, async || app.send_due_refunds().await)
                    .await
            }
        });
    }

    async fn rounds<W>(&self, name: &'static str, stop: &CancellationToken, round: impl Fn() -> W)
    where
        W: Future<Output = Result<bool, Error>>,
    {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let pause = match round().await {
                Ok(true) => continue,
                Ok(false) => {
                    failures = 0;
                    self.timings.poll
                }
                Err(error) => {
                    warn!(
                        sweeper = name,
                        error = chain(&error),
                        "{name} were not swept: {}",
                        chain(&error)
                    );
                    failures += 1;
                    mesh::random::backoff(failures, FAILURE_PAUSE, FAILURE_PAUSE_MAX)
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.refunds.notified(), if name == "refunds" && failures == 0 => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}
