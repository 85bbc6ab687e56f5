//! A caller of the mesh's REST side: what a front end or a partner does.

use std::fmt;

use mesh::id;
use mesh::identity::{Claims, KeyError, Role, SigningKey};
use mesh::{clock, status};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

/// Life of a token that a demo or a test signs, in seconds.
const TOKEN_SECONDS: i64 = 3600;

/// Why a call has no answer.
#[derive(Debug, Error)]
pub enum RestError {
    /// Nobody answers there.
    #[error("{0} does not answer")]
    Silent(String, #[source] reqwest::Error),
    /// No token could be signed.
    #[error("no access token could be signed")]
    Token(#[from] KeyError),
}

/// Somebody with an access token.
#[derive(Clone)]
pub struct Person {
    /// Account.
    pub account_id: Uuid,
    /// Access token.
    pub token: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Person")
            .field("account_id", &self.account_id)
            .finish_non_exhaustive()
    }
}

impl Person {
    /// Somebody whose token is signed by `key` for issuer and audience of a development mesh.
    pub fn new(account_id: Uuid, roles: &[Role], key: &SigningKey) -> Result<Self, KeyError> {
        let now = clock::now().timestamp();
        let claims = Claims {
            iss: "usher-dev".to_owned(),
            aud: "usher".to_owned(),
            sub: account_id,
            roles: roles.to_vec(),
            scope: String::new(),
            iat: now,
            exp: now + TOKEN_SECONDS,
            jti: id::new().to_string(),
        };
        Ok(Self {
            account_id,
            token: key.sign(&claims)?,
        })
    }
}

/// What the mesh answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body, if it is JSON.
    pub json: Value,
    /// Body as text.
    pub text: String,
}

impl Answer {
    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Text at a JSON pointer, e.g. `/hold/holdId`; empty when there is none.
    #[must_use]
    pub fn at(&self, pointer: &str) -> String {
        match self.json.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// `reason` of the error; empty when it is none.
    #[must_use]
    pub fn reason(&self) -> String {
        self.at("/error/details/0/reason")
    }
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    token: Option<String>,
    key: Option<String>,
    body: Option<Vec<u8>>,
    content_type: String,
    accept: &'static str,
    trace: Option<String>,
    pass: Option<String>,
}

impl Call {
    /// GET `path`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into())
    }

    /// POST `path` with a fresh Idempotency-Key.
    #[must_use]
    pub fn post(path: impl Into<String>) -> Self {
        let key = Some(id::new().to_string());
        Self {
            key,
            ..Self::new(Method::POST, path.into())
        }
    }

    /// PUT `path`.
    #[must_use]
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path.into())
    }

    /// DELETE `path`.
    #[must_use]
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into())
    }

    fn new(method: Method, path: String) -> Self {
        let content_type = "application/json".to_owned();
        Self {
            method,
            path,
            token: None,
            key: None,
            body: None,
            content_type,
            accept: "*/*",
            trace: None,
            pass: None,
        }
    }

    /// With the token of `person`.
    #[must_use]
    pub fn by(self, person: &Person) -> Self {
        Self {
            token: Some(person.token.clone()),
            ..self
        }
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        Self {
            body: Some(body.to_string().into_bytes()),
            ..self
        }
    }

    /// With these bytes as body.
    #[must_use]
    pub fn bytes(self, body: Vec<u8>) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// With this content type.
    #[must_use]
    pub fn content_type(self, content_type: &str) -> Self {
        Self {
            content_type: content_type.to_owned(),
            ..self
        }
    }

    /// Taking answers of these types only.
    #[must_use]
    pub fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    /// Within this W3C trace.
    #[must_use]
    pub fn traceparent(self, trace: impl fmt::Display) -> Self {
        Self {
            trace: Some(trace.to_string()),
            ..self
        }
    }

    /// With this Idempotency-Key.
    #[must_use]
    pub fn key(self, key: impl fmt::Display) -> Self {
        Self {
            key: Some(key.to_string()),
            ..self
        }
    }

    /// With a pass of a waiting room.
    #[must_use]
    pub fn pass(self, pass: impl fmt::Display) -> Self {
        Self {
            pass: Some(pass.to_string()),
            ..self
        }
    }

    /// Method and path, as a person would write them.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The body as sent, if it is text.
    #[must_use]
    pub fn body_text(&self) -> Option<&str> {
        self.body
            .as_deref()
            .and_then(|body| std::str::from_utf8(body).ok())
    }
}

/// The way to one edge-proxy. Clones share connections.
#[derive(Clone, Debug)]
pub struct Rest {
    base: String,
    client: Client,
}

impl Rest {
    /// Calls `base`, e.g. `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(base: impl Into<String>) -> Self {
        Self {
            base: base.into(),
            client: Client::new(),
        }
    }

    /// Where it calls.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends `call`; an HTTP error is an answer.
    pub async fn send(&self, call: &Call) -> Result<Answer, RestError> {
        let silent = |error| RestError::Silent(self.base.clone(), error);
        let response = self.request(call).send().await.map_err(silent)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(silent)?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, json, text })
    }

    fn request(&self, call: &Call) -> RequestBuilder {
        let url = format!("{}{}", self.base, call.path);
        let mut request = self.client.request(call.method.clone(), url);
        request = request.header("accept", call.accept);
        if let Some(token) = &call.token {
            request = request.bearer_auth(token);
        }
        if let Some(trace) = &call.trace {
            request = request.header("traceparent", trace);
        }
        if let Some(pass) = &call.pass {
            request = request.header("usher-queue-pass", pass);
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = &call.body {
            request = request
                .header("content-type", &call.content_type)
                .body(body.clone());
        } else if call.method == Method::POST {
            request = request
                .header("content-type", &call.content_type)
                .body("{}");
        }
        request
    }
}

/// An error and its causes in one line.
#[must_use]
pub fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    status::chain(error)
}
