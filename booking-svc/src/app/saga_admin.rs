//! What operators do with sagas: look, make due, lay aside. Changes are audited in their transaction.

use mesh::page::{Page, PageRequest};
use mesh::pg::audit::{self, Entry};
use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{Connection, Database, DomainError, TxError};
use thiserror::Error as ThisError;
use uuid::Uuid;

use super::reads::Read;
use crate::domain::saga::{Note, State};
use crate::saga::Sagas;
use crate::store::saga_admin as store;
use crate::store::sagas;

pub use crate::store::saga_admin::{Event, Filter, Record};

/// What is done to a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is due now.
    Retry,
    /// It is laid aside.
    Park,
}

/// A request of an operator.
#[derive(Clone, Debug)]
pub struct Order {
    /// Whose request it is.
    pub key: Key,
    /// Fingerprint of the request.
    pub hash: RequestHash,
    /// The saga.
    pub saga_id: Uuid,
    /// Why.
    pub reason: String,
    /// What to do.
    pub act: Act,
}

/// Why nothing was done.
#[derive(Clone, Debug, ThisError, PartialEq, Eq)]
pub enum SagaRefusal {
    /// No such saga.
    #[error("the saga does not exist")]
    NotFound,
    /// It has ended.
    #[error("the saga has ended: {}", .0.name())]
    Final(State),
    /// It is parked already.
    #[error("the saga is parked already")]
    Parked,
    /// The id came before with another body.
    #[error("the request_id was used for another request")]
    RequestIdReused,
    /// The first call still runs.
    #[error("the first call with this request_id still runs")]
    RequestInProgress,
}

impl DomainError for SagaRefusal {}

/// Why an order was not carried out.
pub type Error = TxError<SagaRefusal>;

/// Sagas that match, newest first.
pub async fn list(
    database: &Database,
    filter: Filter,
    page: PageRequest<Uuid>,
) -> Read<Page<Record, Uuid>> {
    let (limit, before) = (page.fetch(), page.after);
    let read = async move |connection: &mut Connection| {
        store::list(connection, &filter, before, limit).await
    };
    let found = database.read(read).await?;
    Ok(page.cut(found, |saga| saga.saga_id))
}

/// A saga and its timeline.
pub async fn get(database: &Database, saga_id: Uuid) -> Read<Option<(Record, Vec<Event>)>> {
    let read = async move |connection: &mut Connection| {
        let Some(saga) = store::get(connection, saga_id).await? else {
            return Ok(None);
        };
        Ok(Some((saga, store::timeline(connection, saga_id).await?)))
    };
    database.read(read).await
}

/// Carries an order out and answers the saga as it is then.
pub async fn carry_out(sagas: &Sagas, order: Order) -> Result<Record, Error> {
    let saga_id = order.saga_id;
    let work = sagas
        .inner
        .database
        .transaction("saga admin", async move |connection| {
            let first = match begin(connection, order.key.clone(), order.hash).await? {
                Begun::First(first) => first,
                Begun::Replay { .. } => return Ok(None),
                Begun::Reused => return Err(SagaRefusal::RequestIdReused.into()),
                Begun::InProgress => return Err(SagaRefusal::RequestInProgress.into()),
            };
            let saga = sagas::lock(connection, order.saga_id).await?;
            let saga = saga.ok_or(SagaRefusal::NotFound)?;
            match (order.act, saga.at.state) {
                (_, state @ (State::Done | State::Compensated)) => {
                    return Err(SagaRefusal::Final(state).into());
                }
                (Act::Park, State::Parked) => return Err(SagaRefusal::Parked.into()),
                (Act::Park, _) => {
                    let by = order.key.account_id.to_string();
                    sagas::park(connection, &saga, &order.reason, &by).await?;
                }
                (Act::Retry, _) => store::make_due(connection, &saga).await?,
            }
            let step = saga.at.step.name();
            sagas::note(connection, saga.saga_id, step, Note::Admin, saga.lease_gen).await?;
            let (subject, resource_id) =
                (order.key.account_id.to_string(), order.saga_id.to_string());
            let entry = Entry {
                method: order.key.method,
                subject: &subject,
                reason: &order.reason,
                resource_id: &resource_id,
                code: tonic::Code::Ok,
            };
            audit::append(connection, &entry).await?;
            first.record(connection, order.saga_id).await?;
            Ok(Some(saga.booking_id))
        });
    if let Some(booking_id) = work.await? {
        sagas.wake(booking_id);
    }
    let read = async move |connection: &mut Connection| store::get(connection, saga_id).await;
    let saga = sagas
        .inner
        .database
        .read(read)
        .await
        .map_err(TxError::widen)?;
    saga.ok_or_else(|| SagaRefusal::NotFound.into())
}
