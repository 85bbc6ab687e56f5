//! Callers in a closed loop: each asks again as soon as it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mesh::clock::Stopwatch;
use mesh::tasks::Tasks;

use super::BenchError;

/// What one round brought.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    pub(super) took: Duration,
    /// How long each call, or each batch, took.
    pub(super) waits: Vec<Duration>,
    /// What was done: more than calls where a call does several.
    pub(super) done: u32,
}

impl Round {
    pub(super) fn per_second(&self) -> f64 {
        f64::from(self.done) / self.took.as_secs_f64()
    }
}

/// `count` calls by `callers` at once; `call` is told which caller makes which call.
pub(super) async fn closed<W>(
    tasks: &Tasks,
    callers: usize,
    count: usize,
    call: impl Fn(usize, usize) -> W + Clone + Send + 'static,
) -> Result<Round, BenchError>
where
    W: Future<Output = Result<(), BenchError>> + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let watch = Stopwatch::start();
    let mut running = Vec::with_capacity(callers);
    for caller in 0..callers {
        let (next, call) = (Arc::clone(&next), call.clone());
        running.push(tasks.spawn("caller", async move {
            let mut waits = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok::<_, BenchError>(waits);
                }
                let watch = Stopwatch::start();
                call(caller, index).await?;
                waits.push(watch.elapsed());
            }
        }));
    }
    let mut waits = Vec::with_capacity(count);
    for caller in running {
        let told = caller.await;
        let told = told.map_err(|error| BenchError::Contradiction(error.to_string()))?;
        waits.extend(told?);
    }
    Ok(Round {
        took: watch.elapsed(),
        waits,
        done: u32::try_from(count).unwrap_or(u32::MAX),
    })
}
