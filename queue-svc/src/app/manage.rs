//! What operators do with rooms. Every change is audited, in its own transaction.

use mesh::page::{Page, PageRequest};
use mesh::pg::audit::{self, Entry};
use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{Connection, Database, DomainError, TxError};
use thiserror::Error;
use uuid::Uuid;

use super::follow::with_stock;
use crate::domain::lane::Lane;
use crate::domain::plan::Plan;
use crate::domain::room::{Blocked, Closed, Order, Phase, Room};
use crate::rooms::Rooms;
use crate::store;

/// Why an order was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such room.
    #[error("this show has no waiting room")]
    NoRoom,
    /// Another seller's.
    #[error("the show belongs to another seller, or was not published yet")]
    NotYours,
    /// A closed room stays so.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// People joined under the other rule.
    #[error("people have joined under the order that was told to them")]
    OrderFixed,
    /// The id was used for something else.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// The first call with the id still runs.
    #[error("the first call with this request id still runs")]
    RequestInProgress,
}

impl DomainError for Refusal {}

/// Why a use case did not do what was asked, or may not have.
pub type Error = TxError<Refusal>;

/// Who runs rooms.
#[derive(Clone, Copy, Debug)]
pub enum Operator {
    /// Every room.
    Admin,
    /// Those of this seller's shows.
    Seller(Uuid),
}

impl Operator {
    /// Whether this is one of theirs.
    pub fn may(self, owner: Option<Uuid>) -> Result<(), Refusal> {
        match self {
            Self::Admin => Ok(()),
            Self::Seller(seller_id) if owner == Some(seller_id) => Ok(()),
            Self::Seller(_) => Err(Refusal::NotYours),
        }
    }
}

/// What is wanted of a room.
#[derive(Clone, Debug)]
pub enum Wish {
    /// A room with this plan, new or not.
    Plan(Box<Plan>),
    /// Another state.
    Order(Order),
    /// Invitations to a lane, by these digests.
    Invite(Lane, Vec<[u8; 32]>),
}

/// A wish and who has it.
#[derive(Clone, Debug)]
pub struct Command {
    /// Caller, method and request.
    pub key: Key,
    /// What was asked, for replays.
    pub hash: RequestHash,
    /// Who.
    pub operator: Operator,
    /// Room.
    pub show_id: Uuid,
    /// Why.
    pub reason: String,
    /// What.
    pub wish: Wish,
}

/// The use cases of operators. Clones share everything.
#[derive(Clone, Debug)]
pub struct Managing {
    /// The rooms of this instance.
    pub rooms: Rooms,
    /// Where rooms are.
    pub database: Database,
}

impl Managing {
    /// Does what is wanted, once; answers the room as it is then.
    pub async fn carry_out(&self, command: Command) -> Result<Room, Error> {
        let work = async move |connection: &mut Connection| {
            let begun = begin(connection, command.key.clone(), command.hash).await?;
            let first = match begun {
                Begun::First(first) => first,
                Begun::Replay { .. } => {
                    let room = store::rooms::find(connection, command.show_id, false).await?;
                    return room.ok_or_else(|| Refusal::NoRoom.into());
                }
                Begun::Reused => return Err(Refusal::RequestIdReused.into()),
                Begun::InProgress => return Err(Refusal::RequestInProgress.into()),
            };
            let room = change(connection, &command).await?;
            let entry = Entry {
                method: command.key.method,
                subject: &command.key.account_id.to_string(),
                reason: &command.reason,
                resource_id: &command.show_id.to_string(),
                code: tonic::Code::Ok,
            };
            audit::append(connection, &entry).await?;
            first.record(connection, command.show_id).await?;
            Ok(room)
        };
        let room = self.database.transaction("room", work).await?;
        // In force here at once; other instances look every second.
        self.rooms.apply(room.clone());
        Ok(room)
    }

    /// A room.
    pub async fn get(&self, operator: Operator, show_id: Uuid) -> Result<Room, Error> {
        let read = async move |connection: &mut Connection| {
            store::rooms::find(connection, show_id, false).await
        };
        let room = self.database.read(read).await.map_err(TxError::widen)?;
        let room = room.ok_or(Refusal::NoRoom)?;
        operator.may(room.seller_id)?;
        Ok(room)
    }

    /// Rooms by show, those that the operator runs.
    pub async fn list(
        &self,
        operator: Operator,
        page: PageRequest<Uuid>,
    ) -> Result<Page<Room, Uuid>, Error> {
        let (after, limit) = (page.after, page.fetch());
        let seller = match operator {
            Operator::Admin => None,
            Operator::Seller(seller_id) => Some(seller_id),
        };
        let read = async move |connection: &mut Connection| {
            store::rooms::list(connection, seller, after, limit).await
        };
        let rooms = self.database.read(read).await.map_err(TxError::widen)?;
        Ok(page.cut(rooms, |room| room.show_id))
    }
}

async fn change(connection: &mut Connection, command: &Command) -> Result<Room, Error> {
    let known = store::rooms::find(connection, command.show_id, true).await?;
    if let Some(room) = &known {
        command.operator.may(room.seller_id)?;
    }
    let changed = match (&command.wish, known) {
        (Wish::Plan(plan), None) => {
            let owner = store::shows::owner(connection, command.show_id).await?;
            command.operator.may(owner)?;
            let room = Room::new(command.show_id, owner, plan.as_ref().clone());
            let room = with_stock(connection, room.seeded(mesh::random::bytes())).await?;
            if store::rooms::insert(connection, &room).await? {
                return Ok(room);
            }
            // Somebody else made it this moment: it is locked by the next try.
            return Err(TxError::Conflict);
        }
        (Wish::Order(_) | Wish::Invite(..), None) => return Err(Refusal::NoRoom.into()),
        (Wish::Invite(lane, digests), Some(room)) => {
            if room.phase(mesh::clock::now()) == Phase::Closed {
                return Err(Refusal::Closed(Closed).into());
            }
            store::invitations::insert(connection, room.show_id, *lane, digests).await?;
            return Ok(room);
        }
        (Wish::Plan(plan), Some(room)) => room.planned(plan.as_ref().clone(), mesh::clock::now()),
        (Wish::Order(order), Some(room)) => room.ordered(*order).map_err(Blocked::from),
    };
    let changed = changed.map_err(|blocked| match blocked {
        Blocked::Closed(closed) => Refusal::Closed(closed),
        Blocked::OrderFixed => Refusal::OrderFixed,
    })?;
    let changed = changed.seeded(mesh::random::bytes());
    store::rooms::save(connection, &changed).await?;
    Ok(changed)
}
