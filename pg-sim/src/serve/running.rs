//! A simulator inside another process: the tests of a shop start one each.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mesh::tasks::Tasks;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{Simulator, serve};
use crate::config::Config;

/// Time for the loop to end; it waits for requests in flight itself.
const END: Duration = Duration::from_secs(5);

/// A simulator that serves until it is dropped or stopped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    tasks: Tasks,
    stop: CancellationToken,
}

impl Running {
    /// Binds the address of `config` (port 0 takes a free one) and serves.
    pub async fn start(config: &Config) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let (tasks, stop) = (Tasks::new(), CancellationToken::new());
        let (simulator, stopped) = (Simulator::new(config), stop.clone());
        tasks.spawn("pg-sim", async move {
            if let Err(error) = serve(listener, simulator, stopped.cancelled_owned()).await {
                error!(%error, "the payment simulator ended");
            }
        });
        Ok(Self {
            address,
            tasks,
            stop,
        })
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Base URL of the gateway, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it; afterwards its port refuses.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.shutdown(END).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
