//! One request to the gateway: what breaks is drawn, the effect happens at most once per idempotency key, then the answer leaves or
//! does not. It runs in an owned task, so that an effect happens although the shop hung up.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::book::{Book, KeyState, Now, Refusal, Scope};
use crate::desk::{self, Desk};
use crate::fault::{Break, Fault, Operation, Plan};
use crate::toss::error;

/// A page as a broken proxy would serve it, under status 200.
const GARBAGE: &str = "<html><body>We are improving our service.</body></html>";

/// An answer as it is sent, and as it is kept for its idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

/// How the connection ends when there is no answer. Travels as a response extension to [`crate::serve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hangup {
    Reset,
    Close,
}

/// What is known of a request before it is handled.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) on: Operation,
    pub(crate) order_id: Option<String>,
    pub(crate) scope: Option<Scope>,
    pub(crate) header: Option<Fault>,
}

/// Runs one request to its end, whoever waits for it.
pub(crate) async fn exchange<F>(desk: Arc<Desk>, call: Call, effect: F) -> Response
where
    F: FnOnce(&mut Book, Option<&Fault>, Now) -> Answer + Send + 'static,
{
    let tasks = desk.tasks.clone();
    match tasks.run("exchange", run(desk, call, effect)).await {
        Ok(response) => response,
        Err(_) => broken(Break::ServerError),
    }
}

async fn run<F>(desk: Arc<Desk>, call: Call, effect: F) -> Response
where
    F: FnOnce(&mut Book, Option<&Fault>, Now) -> Answer,
{
    let plan = Plan::draw(
        &mut desk.book(),
        &desk.rates,
        call.on,
        call.order_id.as_deref(),
        call.header.as_ref(),
    );
    if let Some(how) = plan.break_before {
        wait(plan.latency_before).await;
        return broken(how);
    }
    let state = call
        .scope
        .as_ref()
        .map_or(KeyState::Fresh, |scope| desk.book().keys.begin(scope));
    let answer = match state {
        KeyState::Answered(answer) => answer,
        KeyState::Running => error::in_progress(),
        KeyState::Full => error::refused(&Refusal::Full("idempotency keys")),
        KeyState::Fresh => {
            wait(plan.latency_before).await;
            let mut book = desk.book();
            let answer = effect(
                &mut book,
                call.header.as_ref().filter(|fault| fault.is_twist()),
                desk::now(),
            );
            if let Some(scope) = call.scope {
                book.keys.finish(scope, answer.clone());
            }
            answer
        }
    };
    wait(plan.latency_after).await;
    plan.break_after
        .map_or_else(|| answer.into_response(), broken)
}

async fn wait(time: Option<Duration>) {
    if let Some(time) = time {
        tokio::time::sleep(time).await;
    }
}

fn broken(how: Break) -> Response {
    match how {
        Break::Reset => hang_up(Hangup::Reset),
        Break::Close => hang_up(Hangup::Close),
        Break::ServerError => error::server_error().into_response(),
        Break::ProviderError => error::provider_error().into_response(),
        Break::InProgress => error::in_progress().into_response(),
        Break::Garbage => GARBAGE.into_response(),
    }
}

fn hang_up(how: Hangup) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.extensions_mut().insert(how);
    response
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json;charset=UTF-8");
        (self.status, [(header::CONTENT_TYPE, json)], self.body).into_response()
    }
}
