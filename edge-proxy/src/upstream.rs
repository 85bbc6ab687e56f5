//! The call to the service behind: bytes in, bytes or a stream of them out, within the time that is left.

use std::error::Error;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use mesh::client::pool::{Pool, is_timeout};
use mesh::random;
use mesh::status::{DEADLINE_PASSED, DEPENDENCY_DOWN, chain, internal};
use tokio::time::{Instant, timeout, timeout_at};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::{Code, Extensions, Request, Status, Streaming};
use tracing::warn;

use crate::door::RETRY;
use crate::table::Entry;

/// Largest answer, or message of one, taken from a service: twenty times the longest page of today.
const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Calls the method and answers its encoded response.
///
/// # Errors
/// The status of the service as it is; one of our own when it does not answer.
pub(crate) async fn call(
    entry: &Entry,
    message: Bytes,
    metadata: MetadataMap,
    budget: Duration,
) -> Result<Bytes, Status> {
    let request = request(message, metadata, budget);
    let mut client = client(entry);
    let call = async {
        client.ready().await.map_err(Status::from_error)?;
        client.unary(request, entry.path.clone(), Raw).await
    };
    match timeout(budget, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(explain(&entry.path, status)),
        Err(_) => Err(passed()),
    }
}

/// The messages of one call, as they come.
pub(crate) struct Messages {
    stream: Streaming<Bytes>,
    path: PathAndQuery,
    end: Instant,
}

/// Calls a method that answers in parts. It waits for the first part, `None` when there is none: until then the call can be refused as
/// any other.
///
/// # Errors
/// As [`call`].
pub(crate) async fn open(
    entry: &Entry,
    message: Bytes,
    metadata: MetadataMap,
    budget: Duration,
) -> Result<(Messages, Option<Bytes>), Status> {
    let end = Instant::now() + budget;
    let request = request(message, metadata, budget);
    let mut client = client(entry);
    let call = async {
        client.ready().await.map_err(Status::from_error)?;
        client
            .server_streaming(request, entry.path.clone(), Raw)
            .await
    };
    let answer = timeout_at(end, call).await.map_err(|_| passed())?;
    let answer = answer.map_err(|status| explain(&entry.path, status))?;
    let mut messages = Messages {
        stream: answer.into_inner(),
        path: entry.path.clone(),
        end,
    };
    let first = messages.next().await?;
    Ok((messages, first))
}

impl Messages {
    /// The next message; `None` at the end of a stream that ran to its end. May be dropped and called again.
    ///
    /// # Errors
    /// As [`call`].
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        match timeout_at(self.end, self.stream.message()).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(status)) => Err(explain(&self.path, status)),
            Err(_) => Err(passed()),
        }
    }
}

fn request(message: Bytes, metadata: MetadataMap, budget: Duration) -> Request<Bytes> {
    let mut request = Request::from_parts(metadata, Extensions::default(), message);
    request.set_timeout(budget);
    request
}

fn client(entry: &Entry) -> Grpc<Pool> {
    Grpc::new(entry.peer.clone()).max_decoding_message_size(RESPONSE_BYTES_MAX)
}

/// What tonic says of an answer beyond [`RESPONSE_BYTES_MAX`]; it gives no other sign, and the text would pass for the service's.
const TOO_LARGE: &str = "Error, decoded message length too large";

/// A status with a source was made on this side of the wire; its text is about our network and stays here.
fn explain(path: &PathAndQuery, status: Status) -> Status {
    let Some(source) = status.source() else {
        if status.code() == Code::OutOfRange && status.message().starts_with(TOO_LARGE) {
            return internal(&status);
        }
        return status;
    };
    if is_timeout(source) {
        return passed();
    }
    warn!(error = chain(&status), method = %path, "{path} was not answered");
    let refusal = DEPENDENCY_DOWN.refuse("the service behind this method does not answer");
    refusal.retry_after(RETRY + random::jitter(RETRY)).into()
}

fn passed() -> Status {
    DEADLINE_PASSED
        .refuse("the call did not end within its deadline")
        .into()
}

/// Messages are encoded and decoded elsewhere; gRPC only frames them.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
