//! One HTTP request to a provider, with every silence told apart: nothing left this machine, or nobody knows.
//!
//! The breaker counts silence and server errors alone. A refusal is an answer: otherwise one buyer with a bad card could shut the
//! provider for everybody.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use thiserror::Error;
use tokio::time::Instant;

use super::breaker::Breaker;
use crate::domain::NotSent;

/// Largest body that is read; a Payment object with a hundred cancels has under 40 KB.
const BODY_BYTES_MAX: usize = 256 * 1_024;

/// Times of a provider's client.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// To open a connection.
    pub connect: Duration,
    /// From the request to the last byte of its answer.
    pub read: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        // Providers answer a card payment in up to 30 s, because issuers do; a connection that takes a second will not come.
        Self {
            connect: Duration::from_secs(1),
            read: Duration::from_secs(30),
        }
    }
}

/// The client could not be built.
#[derive(Debug, Error)]
#[error("the HTTP client cannot be built")]
pub struct HttpSetupError(#[from] reqwest::Error);

/// A response that was read to its end.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// No whole response.
#[derive(Debug)]
pub(super) enum Silence {
    /// Nothing reached the provider, for sure.
    NotSent(NotSent),
    /// The request may have had its effect.
    Lost(String),
}

/// A pooled client and the breaker of its provider.
#[derive(Debug)]
pub(super) struct Line {
    client: Client,
    breaker: Breaker,
}

impl Line {
    pub(super) fn open(limits: HttpLimits) -> Result<Self, HttpSetupError> {
        let builder = Client::builder()
            .connect_timeout(limits.connect)
            .timeout(limits.read)
            // A payment API never redirects; following would send the secret elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            // Nothing is repeated behind our back.
            .retry(reqwest::retry::never())
            .no_proxy();
        Ok(Self {
            client: builder.build()?,
            breaker: Breaker::default(),
        })
    }

    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends and reads the whole answer. While the provider is away nothing is sent.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Whole, Silence> {
        if !self.breaker.permits(Instant::now()) {
            return Err(Silence::NotSent(NotSent {
                why: "the provider does not answer and is left alone for a moment".to_owned(),
            }));
        }
        let outcome = exchange(request).await;
        match &outcome {
            Ok(whole) if !whole.status.is_server_error() => self.breaker.answered(),
            _ => self.breaker.silent(Instant::now()),
        }
        outcome
    }
}

async fn exchange(request: RequestBuilder) -> Result<Whole, Silence> {
    let mut response = request.send().await.map_err(silence)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Silence::Lost(format!(
                "the answer is larger than {BODY_BYTES_MAX} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Whole { status, body })
}

fn silence(error: reqwest::Error) -> Silence {
    // DNS, refused, and a connect that timed out: not one byte of the request was written.
    if error.is_connect() || error.is_builder() {
        // Without the URL: it may carry a payment key.
        let why = mesh::status::chain(&error.without_url());
        return Silence::NotSent(NotSent { why });
    }
    lost(error)
}

fn lost(error: reqwest::Error) -> Silence {
    Silence::Lost(mesh::status::chain(&error.without_url()))
}
