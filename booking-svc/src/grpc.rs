//! The inbound edge: each RPC parses into a command, calls the use case and answers from what it got.

mod bookings;
mod catalog;
mod convert;
mod inventory;
mod passes;
mod sagas;
mod status;
mod tickets;
mod units;
mod watch;

pub use bookings::BookingApi;
pub use catalog::CatalogApi;
pub use inventory::InventoryApi;
pub use passes::Passes;
pub use sagas::SagaAdminApi;
pub use status::REASONS;
pub use tickets::TicketApi;
pub use units::list_units;

use std::sync::Arc;

use mesh::identity::Account;
use mesh::pg::idempotency::{Key, RequestHash};
use mesh::server;
use mesh::status::TOKEN_MISSING;
use prost::Message;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::app::catalogue;
use crate::app::reads::Reader;
use crate::domain::show::Viewer;

/// The account that calls. The policy lets nobody else in; without one the call is refused all the same.
fn account<T>(request: &Request<T>) -> Result<Arc<Account>, Status> {
    let account = server::caller(request).account;
    account.ok_or_else(|| {
        TOKEN_MISSING
            .refuse("this method needs an access token")
            .into()
    })
}

/// The account that calls, as a reader of what is its own.
fn reader<T>(request: &Request<T>) -> Result<Reader, Status> {
    let account = account(request)?;
    Ok(Reader {
        account_id: account.account_id,
        is_admin: account.is_admin(),
    })
}

/// Who looks, on a method that anybody may call and that asks for no pass.
fn viewer<T>(request: &Request<T>) -> Viewer {
    server::caller(request)
        .account
        .map_or_else(Viewer::default, |account| Viewer {
            account_id: Some(account.account_id),
            is_admin: account.is_admin(),
            ..Viewer::default()
        })
}

/// A request that has its effect once.
fn once(
    method: &'static str,
    account: &Account,
    request_id: Uuid,
    body: &impl Message,
) -> catalogue::Request {
    catalogue::Request {
        key: Key {
            account_id: account.account_id,
            method,
            request_id,
        },
        hash: RequestHash::of(body),
    }
}
