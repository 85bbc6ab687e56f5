//! Reads a request body within its bounds: the method's size, the memory of all bodies, the patience for slow senders.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use mesh::random;
use mesh::status::OVERLOADED;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use transcode::{Code, Failure};

use crate::door::{RETRY, Refused};
use crate::limits::Limits;
use crate::reasons::BODY_TIMEOUT;

/// The memory of all bodies is counted in pieces of this size.
const PIECE: usize = 1024;

/// Bytes of bodies in memory over all requests.
pub(crate) struct Memory(Semaphore);

/// A whole body, and its share of the memory, given back when it is dropped.
pub(crate) struct Received<'m> {
    pub(crate) bytes: Bytes,
    _share: Option<SemaphorePermit<'m>>,
}

impl Memory {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self(Semaphore::new(limits.body_bytes.div_ceil(PIECE)))
    }

    /// Reads `body`, at most `max` bytes of it. The rest of a larger one is never read.
    pub(crate) async fn read(
        &self,
        mut body: Incoming,
        max: usize,
        limits: &Limits,
    ) -> Result<Received<'_>, Refused> {
        // A length announced beyond the limit saves reading anything.
        if usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced > max) {
            return Err(Failure::body_too_large(max).into());
        }
        let end = Instant::now() + limits.body;
        let mut read = BytesMut::new();
        let mut share = None;
        loop {
            let patience = end.min(Instant::now() + limits.body_pause);
            let frame = timeout_at(patience, body.frame())
                .await
                .map_err(|_| too_slow())?;
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(|_| cut())?.into_data() else {
                continue;
            };
            if read.len() + data.len() > max {
                return Err(Failure::body_too_large(max).into());
            }
            self.grow(&mut share, read.len() + data.len())?;
            read.extend_from_slice(&data);
        }
        Ok(Received {
            bytes: read.freeze(),
            _share: share,
        })
    }

    fn grow<'m>(
        &'m self,
        share: &mut Option<SemaphorePermit<'m>>,
        bytes: usize,
    ) -> Result<(), Refused> {
        let held = share.as_ref().map_or(0, SemaphorePermit::num_permits);
        let more = u32::try_from(bytes.div_ceil(PIECE) - held).unwrap_or(u32::MAX);
        let Ok(permits) = self.0.try_acquire_many(more) else {
            let refusal = OVERLOADED.refuse("too many request bodies at once");
            return Err(refusal.retry_after(RETRY + random::jitter(RETRY)).into());
        };
        match share {
            Some(share) => share.merge(permits),
            None => *share = Some(permits),
        }
        Ok(())
    }
}

fn too_slow() -> Failure {
    let message = "The body did not arrive in time.";
    Failure::new(Code::Aborted, BODY_TIMEOUT.name, message).http(StatusCode::REQUEST_TIMEOUT)
}

/// The sender broke off, so nobody reads this.
fn cut() -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "INVALID_REQUEST",
        "The body ended early.",
    )
}
