//! Gives the coupons of grants, a batch a transaction: the coupons, what each account got and how far the grant is commit together. An instance
//! that dies leaves whole batches behind, and the next one goes on where they end. While a batch is given the row of its grant is locked,
//! which ends with the session of whoever died; others pass by it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use mesh::outbox::Waker;
use mesh::pg::{self, Connection, Database, TxError};
use mesh::status::chain;
use mesh::tasks::Tasks;
use mesh::{id, random};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use uuid::Uuid;

use crate::app::claims::commit::{self, Claim, Ruling};
use crate::domain::grant::{Grant, Outcome, Recipient};
use crate::store;
use crate::store::coupons::Wish;
use crate::store::stock::SHARDS;

/// Accounts of one transaction: some 100 ms, in which a part of the stock is locked.
const BATCH: i64 = 500;
/// How often it is looked for grants that other instances left or took.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells whoever gives coupons of this instance that there is a grant. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Rings.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

/// Begins to give the coupons of grants.
pub fn start(database: &Database, outbox: &Waker, tasks: &Tasks) -> Bell {
    let bell = Bell::default();
    let (database, outbox, rung) = (database.background(), outbox.clone(), bell.clone());
    tasks.keep_running("grants", move |stop| {
        run(database.clone(), outbox.clone(), rung.clone(), stop)
    });
    bell
}

async fn run(database: Database, outbox: Waker, bell: Bell, stop: CancellationToken) {
    // A part of its own for most instances, so that they do not wait for each other.
    let home = i16::try_from(random::below(SHARDS.unsigned_abs().into())).unwrap_or_default();
    while !stop.is_cancelled() {
        let work = async move |connection: &mut Connection| step(connection, home).await;
        let more = match database.transaction("grants", work).await {
            Ok(Some(granted)) => {
                outbox.wake();
                metrics::counter!("usher_coupon_issued_total").increment(granted);
                true
            }
            Ok(None) => false,
            Err(TxError::Database(failure)) => {
                let text = chain(&failure);
                error!(error = text, "a grant does not go on: {text}");
                false
            }
            Err(failure) => {
                warn!("a grant goes on later: {}", chain(&failure));
                false
            }
        };
        if !more {
            tokio::select! {
                () = stop.cancelled() => {}
                () = bell.0.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// Gives the next batch of any grant. Answers how many got a coupon; `None`: there is nothing to do.
async fn step(connection: &mut Connection, home: i16) -> Result<Option<u64>, TxError<Infallible>> {
    let Some(grant) = store::grants::next(connection).await? else {
        return Ok(None);
    };
    let mut recipients = store::grants::pending(connection, grant.grant_id, BATCH).await?;
    let claims: Vec<Claim> = recipients.iter().map(|one| claim(&grant, one)).collect();
    let (_, rulings) = commit::rule(connection, grant.campaign_id, home, &claims).await?;
    for (recipient, ruling) in recipients.iter_mut().zip(rulings) {
        recipient.outcome = outcome(ruling);
    }
    let outcomes: Vec<Outcome> = recipients.iter().map(|one| one.outcome).collect();
    let granted = outcomes.iter().filter(|one| one.coupon_id().is_some());
    let granted = u64::try_from(granted.count()).unwrap_or_default();
    store::grants::note(connection, grant.grant_id, &recipients).await?;
    let now = pg::now(connection).await?;
    store::grants::save(connection, &grant.advanced(&outcomes, now)).await?;
    Ok(Some(granted))
}

/// What a grant makes for an account: the same coupon, however often it is tried.
fn claim(grant: &Grant, recipient: &Recipient) -> Claim {
    let (account_id, grant_id): (Uuid, Uuid) = (recipient.account_id, grant.grant_id);
    let name = [account_id.as_bytes().as_slice(), grant_id.as_bytes()].concat();
    let wish = Wish {
        account_id,
        coupon_id: id::derive(grant.campaign_id, name),
    };
    Claim { wish, gated: false }
}

fn outcome(ruling: Ruling) -> Outcome {
    match ruling {
        Ruling::Issued(coupon) | Ruling::Known(coupon) => Outcome::Granted(coupon.coupon_id),
        Ruling::Already(_) => Outcome::AlreadyHad,
        Ruling::SoldOut => Outcome::NoStock,
        Ruling::Shut(_) => Outcome::TooLate,
        // Somebody came in between: the next batch has it again.
        Ruling::Again => Outcome::Pending,
    }
}
