//! `usher.mesh.v1.DeadLetterService`: what an operator can do about messages that a service could not handle. Each process with a consumer
//! adds [`service`] to its server.

use std::sync::Arc;
use std::time::Duration;

use proto::usher::mesh::v1 as pb;
use proto::usher::mesh::v1::dead_letter_service_server::{
    DeadLetterService, DeadLetterServiceServer,
};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::amqp::park::{self, DeadLetter};
use crate::clock::to_timestamp;
use crate::id;
use crate::identity::Account;
use crate::page::{List, SIZE_MAX};
use crate::pg::audit::{self, Entry};
use crate::pg::idempotency::{Begun, Key, RequestHash, begin};
use crate::pg::{Connection, Database, DomainError};
use crate::server;
use crate::status::{
    DEAD_LETTER_NOT_FOUND, INVALID_REQUEST, REQUEST_ID_REUSED, REQUEST_IN_PROGRESS, TOKEN_MISSING,
    Violations,
};

/// Longest reason of an operator; it is written to the audit log.
const REASON_MAX: usize = 200;
/// A first call ends within its deadline; most end much sooner.
const IN_PROGRESS_RETRY: Duration = Duration::from_millis(500);

/// The service over the dead letters of one database.
#[must_use]
pub fn service(database: Database) -> DeadLetterServiceServer<DeadLetters> {
    DeadLetterServiceServer::new(DeadLetters::new(database))
}

/// Answers DeadLetterService.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    database: Database,
}

/// What an operator wants.
#[derive(Clone, Copy)]
enum Act {
    Replay,
    Discard,
}

/// A checked order.
struct Order {
    act: Act,
    key: Key,
    hash: RequestHash,
    queue: String,
    message_id: Uuid,
    reason: String,
}

/// Why an order was not carried out.
#[derive(Clone, Copy, Debug)]
enum Refused {
    NotFound,
    Reused,
    InProgress,
}

impl DomainError for Refused {}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => DEAD_LETTER_NOT_FOUND.refuse("there is no such dead letter"),
            Refused::Reused => {
                REQUEST_ID_REUSED.refuse("this request_id came before with another body")
            }
            Refused::InProgress => REQUEST_IN_PROGRESS
                .refuse("the first call with this request_id still runs")
                .retry_after(IN_PROGRESS_RETRY),
        }
        .into()
    }
}

#[tonic::async_trait]
impl DeadLetterService for DeadLetters {
    async fn list_dead_letters(
        &self,
        request: Request<pb::ListDeadLettersRequest>,
    ) -> Result<Response<pb::ListDeadLettersResponse>, Status> {
        let asked = request.into_inner();
        let filter = pb::ListDeadLettersRequest {
            queue: asked.queue.clone(),
            ..pb::ListDeadLettersRequest::default()
        };
        let list = List::new("ListDeadLetters", &filter);
        let mut violations = Violations::new();
        let page = list.page(
            asked.page_size,
            SIZE_MAX,
            &asked.page_token,
            |field, text| {
                violations.add(field, text);
            },
        );
        let page = violations.finish(&INVALID_REQUEST, Some(page))?;
        let read = async move |connection: &mut Connection| {
            park::list(connection, asked.queue, page).await
        };
        let page = self.database.read(read).await;
        let page = page.map_err(|error| error.into_status(|never| match never {}))?;
        Ok(Response::new(pb::ListDeadLettersResponse {
            next_page_token: list.token(page.next.as_ref()),
            dead_letters: page.items.into_iter().map(answered).collect(),
        }))
    }

    async fn replay_dead_letter(
        &self,
        request: Request<pb::ReplayDeadLetterRequest>,
    ) -> Result<Response<pb::ReplayDeadLetterResponse>, Status> {
        let account = account(&request)?;
        let asked = request.into_inner();
        let hash = RequestHash::of(&asked);
        let ids = (asked.request_id.as_str(), asked.message_id.as_str());
        let order = order(Act::Replay, &account, ids, asked.queue, asked.reason, hash)?;
        self.carry_out(order).await?;
        Ok(Response::new(pb::ReplayDeadLetterResponse {}))
    }

    async fn discard_dead_letter(
        &self,
        request: Request<pb::DiscardDeadLetterRequest>,
    ) -> Result<Response<pb::DiscardDeadLetterResponse>, Status> {
        let account = account(&request)?;
        let asked = request.into_inner();
        let hash = RequestHash::of(&asked);
        let ids = (asked.request_id.as_str(), asked.message_id.as_str());
        let order = order(Act::Discard, &account, ids, asked.queue, asked.reason, hash)?;
        self.carry_out(order).await?;
        Ok(Response::new(pb::DiscardDeadLetterResponse {}))
    }
}

impl DeadLetters {
    /// Over the dead letters of `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    async fn carry_out(&self, order: Order) -> Result<(), Status> {
        let work = async move |connection: &mut Connection| {
            let first = match begin(connection, order.key.clone(), order.hash).await? {
                Begun::First(first) => first,
                Begun::Replay { .. } => return Ok(()),
                Begun::Reused => return Err(Refused::Reused.into()),
                Begun::InProgress => return Err(Refused::InProgress.into()),
            };
            if let Act::Replay = order.act {
                park::handle_again(connection, &order.queue, order.message_id).await?;
            }
            if !park::delete(connection, &order.queue, order.message_id).await? {
                return Err(Refused::NotFound.into());
            }
            let entry = Entry {
                method: order.key.method,
                subject: &order.key.account_id.to_string(),
                reason: &order.reason,
                resource_id: &format!("{}/{}", order.queue, order.message_id),
                code: Code::Ok,
            };
            audit::append(connection, &entry).await?;
            first.record(connection, order.message_id).await?;
            Ok(())
        };
        let done = self.database.transaction("dead letter order", work).await;
        done.map_err(|error| error.into_status(Status::from))
    }
}

fn answered(row: DeadLetter) -> pb::DeadLetter {
    pb::DeadLetter {
        queue: row.consumer,
        message_id: row.message_id.to_string(),
        r#type: row.type_,
        payload: row.payload,
        payload_bytes: u32::try_from(row.payload_bytes).unwrap_or_default(),
        headers: serde_json::from_value(row.headers).unwrap_or_default(),
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        reason: row.reason,
        park_time: Some(to_timestamp(row.park_time)),
    }
}

/// The account that calls. The policy lets nobody else in; without one the call is refused all the same.
fn account<T>(request: &Request<T>) -> Result<Arc<Account>, Status> {
    let account = server::caller(request).account;
    account.ok_or_else(|| {
        TOKEN_MISSING
            .refuse("this method needs an access token")
            .into()
    })
}

/// Checks an order; `ids` are those of the request and of the message.
fn order(
    act: Act,
    account: &Account,
    ids: (&str, &str),
    queue: String,
    reason: String,
    hash: RequestHash,
) -> Result<Order, Status> {
    let mut violations = Violations::new();
    let mut id_of = |field: &str, text: &str| {
        let id = id::parse(text);
        if id.is_none() {
            violations.add(field, "must be a UUID of 36 characters");
        }
        id
    };
    let ids = (id_of("request_id", ids.0), id_of("message_id", ids.1));
    if queue.is_empty() {
        violations.add("queue", "must be the queue of a dead letter");
    }
    if !(1..=REASON_MAX).contains(&reason.chars().count()) {
        let remedy =
            format!("must have 1 to {REASON_MAX} characters: it is written to the audit log");
        violations.add("reason", remedy);
    }
    let ids = ids.0.zip(ids.1);
    let (request_id, message_id) = violations.finish(&INVALID_REQUEST, ids)?;
    let method = match act {
        Act::Replay => "usher.mesh.v1.DeadLetterService/ReplayDeadLetter",
        Act::Discard => "usher.mesh.v1.DeadLetterService/DiscardDeadLetter",
    };
    Ok(Order {
        act,
        key: Key {
            account_id: account.account_id,
            method,
            request_id,
        },
        hash,
        queue,
        message_id,
        reason,
    })
}
