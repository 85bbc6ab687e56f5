//! What sellers and administrators do with grants. The coupons are given by [`work`].

mod revoke;
pub mod work;

use mesh::id;
use mesh::page::{Page, PageRequest};
use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{self, Connection, Database, DomainError, TxError};
use thiserror::Error;
use uuid::Uuid;

use self::work::Bell;
use super::manage::Operator;
use crate::domain::campaign::{self, Campaign, Issue, Shut};
use crate::domain::grant::{Finished, Grant, Recipient, State};
use crate::store;

/// Why something was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such campaign, or another seller's.
    #[error("there is no such campaign")]
    NoCampaign,
    /// No such grant, or another seller's.
    #[error("there is no such grant")]
    NoGrant,
    /// Its coupons are had in this way.
    #[error("coupons of this campaign are had in another way: {}", .0.name())]
    Otherwise(Issue),
    /// It is being prepared.
    #[error("the campaign is a DRAFT: open it first")]
    Draft,
    /// Not now.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// It is done.
    #[error(transparent)]
    Finished(#[from] Finished),
    /// Some of its coupons are still to be given.
    #[error("the grant is under way")]
    Unfinished,
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

/// What is wanted.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Coupons of this campaign for these accounts, no account twice.
    Grant(Uuid, Vec<Uuid>),
    /// That the rest of this grant is cancelled.
    Cancel(Uuid),
}

/// The use cases. Clones share everything.
#[derive(Clone, Debug)]
pub struct Grants {
    /// Where they are.
    pub database: Database,
    /// Wakes whoever gives the coupons.
    pub bell: Bell,
}

impl Grants {
    /// Does what is wanted, once; answers the grant as it is then.
    pub async fn carry_out(
        &self,
        operator: Operator,
        key: Key,
        hash: RequestHash,
        wish: Wish,
    ) -> Result<Grant, Error> {
        let work = async move |connection: &mut Connection| {
            let first = match begin(connection, key.clone(), hash).await? {
                Begun::First(first) => first,
                Begun::Replay { resource_id } => {
                    let grant = store::grants::find(connection, resource_id, false).await?;
                    return grant.ok_or_else(|| Refusal::NoGrant.into());
                }
                Begun::Reused => return Err(Refusal::RequestIdReused.into()),
                Begun::InProgress => return Err(Refusal::RequestInProgress.into()),
            };
            let grant = match &wish {
                Wish::Grant(campaign_id, accounts) => {
                    let request = (key.derived(), hash);
                    order(connection, operator, *campaign_id, accounts, request).await?
                }
                Wish::Cancel(grant_id) => cancel(connection, operator, *grant_id).await?,
            };
            first.record(connection, grant.grant_id).await?;
            Ok(grant)
        };
        let grant = self.database.transaction("grant", work).await?;
        self.bell.ring();
        Ok(grant)
    }

    /// A grant.
    pub async fn get(&self, operator: Operator, grant_id: Uuid) -> Result<Grant, Error> {
        let read = async move |connection: &mut Connection| {
            theirs(connection, operator, grant_id, false).await
        };
        let found = self.database.read(read).await.map_err(TxError::widen)?;
        Ok(found.ok_or(Refusal::NoGrant)?)
    }

    /// Grants of a campaign, newest first.
    pub async fn list(
        &self,
        operator: Operator,
        campaign_id: Uuid,
        page: PageRequest<Uuid>,
    ) -> Result<Page<Grant, Uuid>, Error> {
        let (after, limit) = (page.after, page.fetch());
        let read = async move |connection: &mut Connection| {
            let campaign = store::campaigns::find(connection, campaign_id, false).await?;
            if !campaign.is_some_and(|campaign| operator.may(&campaign)) {
                return Ok(None);
            }
            let grants = store::grants::list(connection, campaign_id, after, limit).await?;
            Ok(Some(grants))
        };
        let found = self.database.read(read).await.map_err(TxError::widen)?;
        let grants = found.ok_or(Refusal::NoCampaign)?;
        Ok(page.cut(grants, |grant| grant.grant_id))
    }

    /// Accounts of a grant as they were named; with `outcome` those that got this.
    pub async fn recipients(
        &self,
        operator: Operator,
        grant_id: Uuid,
        outcome: Option<&'static str>,
        page: PageRequest<u32>,
    ) -> Result<Page<Recipient, u32>, Error> {
        let (after, limit) = (page.after, page.fetch());
        let read = async move |connection: &mut Connection| {
            if theirs(connection, operator, grant_id, false)
                .await?
                .is_none()
            {
                return Ok(None);
            }
            let found = store::grants::recipients(connection, grant_id, outcome, after, limit);
            Ok(Some(found.await?))
        };
        let found = self.database.read(read).await.map_err(TxError::widen)?;
        let recipients = found.ok_or(Refusal::NoGrant)?;
        Ok(page.cut(recipients, |recipient| recipient.n))
    }
}

/// A grant that the operator decides about.
async fn theirs(
    connection: &mut Connection,
    operator: Operator,
    grant_id: Uuid,
    lock: bool,
) -> diesel::QueryResult<Option<Grant>> {
    let Some(grant) = store::grants::find(connection, grant_id, lock).await? else {
        return Ok(None);
    };
    let campaign = store::campaigns::find(connection, grant.campaign_id, false).await?;
    let may = campaign.is_some_and(|campaign| operator.may(&campaign));
    Ok(may.then_some(grant))
}

async fn order(
    connection: &mut Connection,
    operator: Operator,
    campaign_id: Uuid,
    accounts: &[Uuid],
    (request_key, hash): (Uuid, RequestHash),
) -> Result<Grant, Error> {
    // Requests are remembered for a day; nobody is to get two coupons for one order after that.
    if let Some((grant, asked)) = store::grants::ordered(connection, request_key).await? {
        if asked != hash.0 {
            return Err(Refusal::RequestIdReused.into());
        }
        return Ok(grant);
    }
    let campaign = store::campaigns::find(connection, campaign_id, false).await?;
    let campaign = campaign.filter(|campaign: &Campaign| operator.may(campaign));
    let campaign = campaign.ok_or(Refusal::NoCampaign)?;
    if campaign.settings.issue != Issue::Grant {
        return Err(Refusal::Otherwise(campaign.settings.issue).into());
    }
    if campaign.state == campaign::State::Draft {
        return Err(Refusal::Draft.into());
    }
    let now = pg::now(connection).await?;
    campaign.admits(now).map_err(Refusal::Shut)?;
    let grant = Grant {
        grant_id: id::new(),
        campaign_id,
        state: State::Pending,
        total: u32::try_from(accounts.len()).unwrap_or(u32::MAX),
        granted: 0,
        already_had: 0,
        no_stock: 0,
        too_late: 0,
        create_time: now,
        finish_time: None,
    };
    store::grants::insert(connection, &grant, accounts, (request_key, &hash.0)).await?;
    Ok(grant)
}

async fn cancel(
    connection: &mut Connection,
    operator: Operator,
    grant_id: Uuid,
) -> Result<Grant, Error> {
    // Waits for a batch that is being given: what it gives stays given.
    let grant = theirs(connection, operator, grant_id, true).await?;
    let grant = grant.ok_or(Refusal::NoGrant)?;
    let now = pg::now(connection).await?;
    let cancelled = grant.cancelled(now).map_err(Refusal::Finished)?;
    if cancelled != grant {
        store::grants::save(connection, &cancelled).await?;
    }
    Ok(cancelled)
}
