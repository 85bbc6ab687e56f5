//! SIGTERM and SIGINT mean: stop, and lose nothing.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::tasks::Tasks;

/// Cancelled at the first SIGTERM or SIGINT.
pub(crate) fn shutdown(tasks: &Tasks) -> CancellationToken {
    let token = CancellationToken::new();
    let told = token.clone();
    let ended = tasks.stopping();
    tasks.spawn("signals", async move {
        let (term, int) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        );
        let (Ok(mut term), Ok(mut int)) = (term, int) else {
            error!("signals cannot be received");
            return;
        };
        tokio::select! {
            _ = term.recv() => info!("SIGTERM: stopping"),
            _ = int.recv() => info!("SIGINT: stopping"),
            () = ended.cancelled() => {}
        }
        told.cancel();
    });
    token
}
