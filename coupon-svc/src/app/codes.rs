//! What sellers and administrators do with codes.

pub mod redeem;

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::try_unfold;
use mesh::page::{Page, PageRequest};
use mesh::pg::idempotency::{Begun, First, Key, RequestHash, begin};
use mesh::pg::{self, Connection, Database, DomainError, TxError};
use mesh::{id, random};
use thiserror::Error;
use uuid::Uuid;

use super::manage::Operator;
use crate::domain::campaign::{Campaign, Issue, STOCK_MAX, Standing};
use crate::domain::code::{Batch, Code, CodeKey};
use crate::guesses::Guesses;
use crate::store;

/// Codes of one transaction and of one piece of the answer: some 20 kB, and some 20 ms.
const CHUNK: u32 = 1_000;

/// Why something was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such campaign, or another seller's.
    #[error("there is no such campaign")]
    NoCampaign,
    /// No such batch, or another seller's.
    #[error("there is no such batch of codes")]
    NoBatch,
    /// Its coupons are had in this way.
    #[error("coupons of this campaign are had in another way: {}", .0.name())]
    Otherwise(Issue),
    /// Nobody could redeem them.
    #[error("its claim window is over")]
    Over,
    /// More uses than coupons.
    #[error("uses must be 1..{0}")]
    TooManyUses(i64),
    /// The text is a code already.
    #[error("this text is a code already; choose another one")]
    TextTaken,
    /// Texts were tried too often.
    #[error("too many texts were taken")]
    TooMany(Duration),
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

/// Codes that somebody wants.
#[derive(Clone, Debug)]
pub struct Wish {
    /// For which campaign.
    pub campaign_id: Uuid,
    /// How many.
    pub count: u32,
    /// Accounts that can redeem each.
    pub uses: i64,
    /// Text of the only one.
    pub text: Option<Code>,
}

/// The use cases. Clones share everything.
#[derive(Clone, Debug)]
pub struct Codes {
    /// Where they are.
    pub database: Database,
    /// What they follow from.
    pub key: CodeKey,
    /// How many wrong ones there may be.
    pub guesses: Guesses,
}

/// What a request is, as far as it is not a refusal.
enum Known {
    First(First),
    Replay(Uuid),
}

async fn known(connection: &mut Connection, key: Key, hash: RequestHash) -> Result<Known, Error> {
    match begin(connection, key, hash).await? {
        Begun::First(first) => Ok(Known::First(first)),
        Begun::Replay { resource_id } => Ok(Known::Replay(resource_id)),
        Begun::Reused => Err(Refusal::RequestIdReused.into()),
        Begun::InProgress => Err(Refusal::RequestInProgress.into()),
    }
}

impl Codes {
    /// Begins a batch, once. Its codes are made as they are read: [`Codes::stream`].
    pub async fn generate(
        &self,
        operator: Operator,
        key: Key,
        hash: RequestHash,
        wish: Wish,
    ) -> Result<Batch, Error> {
        let (account_id, chosen) = (key.account_id, wish.text.is_some());
        if chosen {
            // Whoever sees which texts are taken guesses codes of others.
            let charged = self.guesses.charge(account_id).await;
            charged.map_err(|wait| Error::Refused(Refusal::TooMany(wait)))?;
        }
        let text = wish.text.as_ref().map(|text| self.key.hash(text));
        let work = async move |connection: &mut Connection| {
            let first = match known(connection, key.clone(), hash).await? {
                Known::First(first) => first,
                Known::Replay(batch_id) => {
                    let batch = store::codes::find(connection, batch_id, false).await?;
                    return batch.ok_or_else(|| Refusal::NoBatch.into());
                }
            };
            let request_key = key.derived();
            // Requests are remembered for a day; the codes of an order stay the same after that.
            if let Some((batch, asked)) = store::codes::ordered(connection, request_key).await? {
                if asked != hash.0 {
                    return Err(Refusal::RequestIdReused.into());
                }
                first.record(connection, batch.batch_id).await?;
                return Ok(batch);
            }
            let mut batch = checked(connection, operator, &wish).await?;
            store::codes::insert(connection, &batch, (request_key, &hash.0)).await?;
            if let Some(hash) = text {
                if store::codes::add(connection, &batch, 1, vec![hash]).await? == 0 {
                    return Err(Refusal::TextTaken.into());
                }
                batch.stored = 1;
            }
            first.record(connection, batch.batch_id).await?;
            Ok(batch)
        };
        let made = self.database.transaction("generate codes", work).await;
        let taken = matches!(made, Err(TxError::Refused(Refusal::TextTaken)));
        if chosen && !taken {
            self.guesses.refund(account_id).await;
        }
        made
    }

    /// The codes of a batch in pieces, each stored before it is told. Nothing is done that nobody reads.
    pub fn stream(
        self,
        batch: Batch,
        text: Option<Code>,
    ) -> impl Stream<Item = Result<Vec<Code>, TxError<Infallible>>> {
        try_unfold(
            (self, batch, text, 0),
            async |(codes, batch, text, from)| {
                if from >= batch.codes {
                    return Ok(None);
                }
                let to = batch.codes.min(from + CHUNK);
                let chunk: Vec<Code> = match &text {
                    Some(text) => vec![text.clone()],
                    None => (from..to).map(|n| codes.key.nth(&batch.seed, n)).collect(),
                };
                if to > batch.stored {
                    codes.keep(&batch, to, &chunk).await?;
                }
                Ok(Some((chunk, (codes, batch, text, to))))
            },
        )
    }

    async fn keep(
        &self,
        batch: &Batch,
        to: u32,
        chunk: &[Code],
    ) -> Result<(), TxError<Infallible>> {
        let hashes: Vec<_> = chunk.iter().map(|code| self.key.hash(code)).collect();
        let batch = batch.clone();
        let work = async move |connection: &mut Connection| {
            store::codes::add(connection, &batch, to, hashes).await?;
            Ok(())
        };
        self.database.transaction("keep codes", work).await
    }

    /// Batches of a campaign, newest first, and how many coupons people got with each.
    pub async fn list(
        &self,
        operator: Operator,
        campaign_id: Uuid,
        page: PageRequest<Uuid>,
    ) -> Result<(Page<Batch, Uuid>, HashMap<Uuid, u64>), Error> {
        let (after, limit) = (page.after, page.fetch());
        let read = async move |connection: &mut Connection| {
            let campaign = store::campaigns::find(connection, campaign_id, false).await?;
            if !campaign.is_some_and(|campaign| operator.may(&campaign)) {
                return Ok(None);
            }
            let batches = store::codes::list(connection, campaign_id, after, limit).await?;
            let ids: Vec<Uuid> = batches.iter().map(|batch| batch.batch_id).collect();
            let redeemed = store::codes::redeemed(connection, &ids).await?;
            Ok(Some((batches, redeemed)))
        };
        let found = self.database.read(read).await.map_err(TxError::widen)?;
        let (batches, redeemed) = found.ok_or(Refusal::NoCampaign)?;
        Ok((page.cut(batches, |batch| batch.batch_id), redeemed))
    }

    /// Stops the codes of a batch, once; answers it, and how many coupons people got with it.
    pub async fn revoke(
        &self,
        operator: Operator,
        key: Key,
        hash: RequestHash,
        batch_id: Uuid,
    ) -> Result<(Batch, u64), Error> {
        let work = async move |connection: &mut Connection| {
            let known = known(connection, key.clone(), hash).await?;
            let batch = store::codes::find(connection, batch_id, true).await?;
            let mut batch = batch.ok_or(Refusal::NoBatch)?;
            let campaign = store::campaigns::find(connection, batch.campaign_id, false).await?;
            if !campaign.is_some_and(|campaign| operator.may(&campaign)) {
                return Err(Refusal::NoBatch.into());
            }
            if batch.revoke_time.is_none() {
                let now = pg::now(connection).await?;
                store::codes::revoke(connection, batch_id, now).await?;
                batch.revoke_time = Some(now);
            }
            let redeemed = store::codes::redeemed(connection, &[batch_id]).await?;
            if let Known::First(first) = known {
                first.record(connection, batch_id).await?;
            }
            Ok((batch, redeemed.get(&batch_id).copied().unwrap_or_default()))
        };
        self.database.transaction("revoke codes", work).await
    }
}

/// The batch that is wished for, if it can be.
async fn checked(
    connection: &mut Connection,
    operator: Operator,
    wish: &Wish,
) -> Result<Batch, Error> {
    let campaign = store::campaigns::find(connection, wish.campaign_id, false).await?;
    let campaign = campaign.filter(|campaign: &Campaign| operator.may(campaign));
    let campaign = campaign.ok_or(Refusal::NoCampaign)?;
    let settings = &campaign.settings;
    if settings.issue != Issue::Code {
        return Err(Refusal::Otherwise(settings.issue).into());
    }
    let now = pg::now(connection).await?;
    if matches!(campaign.standing(now), Standing::Ended | Standing::Expired) {
        return Err(Refusal::Over.into());
    }
    let most = settings.stock.unwrap_or(STOCK_MAX);
    if wish.uses > most {
        return Err(Refusal::TooManyUses(most).into());
    }
    Ok(Batch {
        batch_id: id::new(),
        campaign_id: wish.campaign_id,
        seed: random::bytes(),
        codes: wish.count,
        uses_max: wish.uses,
        stored: 0,
        create_time: now,
        revoke_time: None,
    })
}
