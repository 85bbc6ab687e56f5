//! The RPCs: parse, call the use case, answer.

pub mod campaign;
pub mod claim_queue;
pub mod code;
mod convert;
pub mod coupon;
pub mod grant;
pub mod issued;
pub mod reservation;
pub mod status;

use std::sync::Arc;

use mesh::identity::Account;
use mesh::server;
use mesh::status::TOKEN_MISSING;
use tonic::{Request, Status};

/// The account that calls. The policy lets nobody else in; without one the call is refused all the same.
fn account<T>(request: &Request<T>) -> Result<Arc<Account>, Status> {
    let account = server::caller(request).account;
    account.ok_or_else(|| {
        TOKEN_MISSING
            .refuse("this method needs an access token")
            .into()
    })
}
