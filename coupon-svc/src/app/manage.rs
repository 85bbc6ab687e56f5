//! What sellers and administrators do with campaigns.

use mesh::clock::{self, to_timestamp};
use mesh::page::{Page, PageRequest};
use mesh::pg::idempotency::{Begun, Key, RequestHash, begin};
use mesh::pg::{Connection, Database, DomainError, TxError};
use mesh::{id, outbox, pg};
use proto::usher::coupon::events::v1::{CampaignEndCause, CampaignEnded};
use thiserror::Error;
use uuid::Uuid;

use super::desk::Desk;
use crate::domain::campaign::{Campaign, Issue, Refused, Settings, Standing, State};
use crate::domain::coupon::Counts;
use crate::store;

/// Why something was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such campaign, or another seller's.
    #[error("there is no such campaign")]
    NoCampaign,
    /// No such batch of claims, or somebody else's.
    #[error("there is no such batch of claims")]
    NoClaimBatch,
    /// Not in this state.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The platform has no share in it.
    #[error("a seller's campaign is paid by the seller")]
    PaidBySeller,
    /// Its coupons are had in another way.
    #[error("coupons of this campaign are not claimed")]
    Otherwise(Issue),
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

/// Who decides.
#[derive(Clone, Copy, Debug)]
pub enum Operator {
    /// About every campaign.
    Admin,
    /// About this seller's.
    Seller(Uuid),
}

impl Operator {
    /// The seller whose campaigns they make; `None`: the platform's.
    #[must_use]
    pub const fn seller_id(self) -> Option<Uuid> {
        match self {
            Self::Admin => None,
            Self::Seller(seller_id) => Some(seller_id),
        }
    }

    /// Whether it is theirs.
    pub(super) fn may(self, campaign: &Campaign) -> bool {
        match self {
            Self::Admin => true,
            Self::Seller(seller_id) => campaign.seller_id() == Some(seller_id),
        }
    }
}

/// What is wanted.
#[derive(Clone, Debug)]
pub enum Wish {
    /// A new campaign.
    Create(Box<Settings>),
    /// Other settings.
    Update(Uuid, Box<Settings>),
    /// That it opens.
    Open(Uuid),
    /// That it ends.
    End(Uuid),
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
    /// What.
    pub wish: Wish,
}

/// The use cases. Clones share everything.
#[derive(Clone, Debug)]
pub struct Managing {
    /// Where campaigns are.
    pub database: Database,
    /// What this instance knows of them.
    pub desk: Desk,
}

impl Managing {
    /// Does what is wanted, once; answers the campaign as it is then.
    pub async fn carry_out(&self, command: Command) -> Result<Campaign, Error> {
        let work = async move |connection: &mut Connection| {
            let begun = begin(connection, command.key.clone(), command.hash).await?;
            let first = match begun {
                Begun::First(first) => first,
                Begun::Replay { resource_id } => {
                    let campaign = store::campaigns::find(connection, resource_id, false).await?;
                    return campaign.ok_or_else(|| Refusal::NoCampaign.into());
                }
                Begun::Reused => return Err(Refusal::RequestIdReused.into()),
                Begun::InProgress => return Err(Refusal::RequestInProgress.into()),
            };
            let campaign = change(connection, command.operator, &command.wish).await?;
            first.record(connection, campaign.campaign_id).await?;
            Ok(campaign)
        };
        let campaign = self.database.transaction("campaign", work).await?;
        if campaign.state != State::Draft {
            // In force here at once; other instances look every second.
            let campaign = self.desk.note(campaign.clone());
            match campaign.state {
                State::Open
                    if campaign.gate_epoch == 0 && campaign.settings.issue == Issue::Claim =>
                {
                    self.desk.rebuild(&campaign)
                }
                State::Ended => self.desk.shut(&campaign),
                _ => {}
            }
        }
        Ok(campaign)
    }

    /// A campaign.
    pub async fn get(&self, operator: Operator, campaign_id: Uuid) -> Result<Campaign, Error> {
        let read = async move |connection: &mut Connection| {
            store::campaigns::find(connection, campaign_id, false).await
        };
        let campaign = self.database.read(read).await.map_err(TxError::widen)?;
        let campaign = campaign.filter(|campaign| operator.may(campaign));
        Ok(campaign.ok_or(Refusal::NoCampaign)?)
    }

    /// Campaigns that the operator decides about, newest first.
    pub async fn list(
        &self,
        operator: Operator,
        standing: Option<Standing>,
        page: PageRequest<Uuid>,
    ) -> Result<Page<Campaign, Uuid>, Error> {
        let (after, limit, seller) = (page.after, page.fetch(), operator.seller_id());
        let now = clock::now();
        let read = async move |connection: &mut Connection| {
            store::campaigns::list(connection, seller, standing, now, after, limit).await
        };
        let campaigns = self.database.read(read).await.map_err(TxError::widen)?;
        Ok(page.cut(campaigns, |campaign| campaign.campaign_id))
    }

    /// How many coupons of a campaign stand where, and how many are left of one with a limit.
    pub async fn stats(
        &self,
        operator: Operator,
        campaign_id: Uuid,
    ) -> Result<(Counts, Option<i64>), Error> {
        let campaign = self.get(operator, campaign_id).await?;
        let (now, stock) = (clock::now(), campaign.settings.stock);
        let read = async move |connection: &mut Connection| {
            store::coupons::counts(connection, campaign_id, now).await
        };
        let counts = self.database.read(read).await.map_err(TxError::widen)?;
        let issued = i64::try_from(counts.issued()).unwrap_or(i64::MAX);
        Ok((counts, stock.map(|stock| stock.saturating_sub(issued))))
    }
}

async fn change(
    connection: &mut Connection,
    operator: Operator,
    wish: &Wish,
) -> Result<Campaign, Error> {
    let now = pg::now(connection).await?;
    let campaign_id = match wish {
        Wish::Create(settings) => {
            let campaign = Campaign {
                campaign_id: id::new(),
                settings: settings.as_ref().clone(),
                state: State::Draft,
                version: 1,
                gate_epoch: 0,
                create_time: now,
            };
            store::campaigns::insert(connection, &campaign).await?;
            return Ok(campaign);
        }
        Wish::Update(campaign_id, _) | Wish::Open(campaign_id) | Wish::End(campaign_id) => {
            *campaign_id
        }
    };
    let known = store::campaigns::find(connection, campaign_id, true).await?;
    let known = known.filter(|campaign| operator.may(campaign));
    let known = known.ok_or(Refusal::NoCampaign)?;
    let changed = match wish {
        Wish::Update(_, settings) => {
            let mut settings = settings.as_ref().clone();
            // Whose it is does not change with who decides.
            settings.terms.seller_id = known.seller_id();
            if known.seller_id().is_some() && settings.terms.platform_share > 0 {
                return Err(Refusal::PaidBySeller.into());
            }
            known.changed(settings).map_err(Refusal::from)?
        }
        Wish::Open(_) => known.opened(now).map_err(Refusal::from)?,
        Wish::Create(_) | Wish::End(_) => known.ended(),
    };
    if changed == known {
        return Ok(known);
    }
    store::campaigns::save(connection, &changed).await?;
    match (wish, changed.settings.stock) {
        (Wish::Open(_), Some(stock)) => {
            store::stock::lay_out(connection, campaign_id, stock).await?;
        }
        // The end by time was told when it came.
        (Wish::End(_), _) if known.state != State::Expired => {
            let event = CampaignEnded {
                campaign_id: campaign_id.to_string(),
                end_time: Some(to_timestamp(now)),
                cause: CampaignEndCause::ByOrder.into(),
            };
            outbox::append(connection, &event, campaign_id).await?;
        }
        _ => {}
    }
    Ok(changed)
}
