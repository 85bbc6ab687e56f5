//! A code becomes a coupon. Every code that gives nothing is refused alike, at times that say nothing about the cause.

use std::time::Duration;

use mesh::clock::Stopwatch;
use mesh::outbox::Waker;
use mesh::pg::{Connection, Database, DomainError, TxError};
use mesh::status::chain;
use mesh::{id, random};
use thiserror::Error;
use tracing::{error, warn};
use uuid::Uuid;

use crate::app::claims::commit::{self, Claim, Ruling};
use crate::domain::campaign::{Campaign, Issue, State};
use crate::domain::code::{Code, CodeKey, Hash};
use crate::domain::coupon::Coupon;
use crate::guesses::Guesses;
use crate::store;
use crate::store::codes::Counting;
use crate::store::coupons::Wish;
use crate::store::stock::SHARDS;

/// Refusals leave at multiples of this time after the code came: above the 99th percentile of a success, so that looking at a code, finding
/// nothing and finding something that cannot be had all fit into the first one.
pub const FLOOR: Duration = Duration::from_millis(250);
/// How long it is tried again where others stand in the way; shorter than the method's deadline.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// Pause before it is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Why there is no coupon. Nothing was changed, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Unknown, revoked, used up, out of its time, or of a campaign without coupons.
    #[error("this code gives no coupon")]
    NotValid,
    /// The account redeemed this code before, for this coupon.
    #[error("the account redeemed this code before")]
    Own(Uuid),
    /// The account has as many coupons of the campaign as it can: these.
    #[error("the account has as many coupons of this campaign as it can")]
    Already(Vec<Uuid>),
    /// The id was used for another code.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// Too many wrong codes.
    #[error("too many wrong codes")]
    TooMany(Duration),
    /// Nobody knows yet. The same request, repeated, tells.
    #[error("it is not known yet whether this code gave a coupon")]
    Undecided,
    /// A fault of ours, with an alarm in the log.
    #[error("the code could not be redeemed")]
    Fault,
}

/// Who redeems, and with which request.
type Who = (Uuid, Uuid);
type Got = (Campaign, Coupon);

/// Why a transaction gave no coupon, and was undone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum Undone {
    #[error("not valid")]
    NotValid,
    #[error("as many as it can")]
    Already(Vec<Uuid>),
    /// Somebody came in between; the next try tells.
    #[error("again")]
    Again,
}

impl DomainError for Undone {}

/// What a look at earlier redemptions tells.
enum Earlier {
    None,
    Same(Box<Got>),
    OtherCode,
    OwnCode(Uuid),
}

/// The way from codes to coupons. Clones share it.
#[derive(Clone, Debug)]
pub struct Redeeming {
    /// Where codes and coupons are.
    pub database: Database,
    /// What codes are kept by.
    pub key: CodeKey,
    /// How many wrong ones there may be.
    pub guesses: Guesses,
    /// Wakes the relay, so that a coupon is told at once; without it the relay looks by itself.
    pub outbox: Option<Waker>,
    /// [`FLOOR`], but in a test that shows what it is for.
    pub floor: Duration,
}

impl Redeeming {
    /// Gets a coupon for a code. The same request gets the same one.
    pub async fn redeem(
        &self,
        account_id: Uuid,
        request_id: Uuid,
        code: &Code,
    ) -> Result<Got, Refusal> {
        let since = Stopwatch::start();
        let charged = self.guesses.charge(account_id).await;
        charged.map_err(Refusal::TooMany)?;
        let hash = self.key.hash(code);
        let outcome = self.decide(since, (account_id, request_id), hash).await;
        let wrong = matches!(outcome, Err(Refusal::NotValid | Refusal::Already(_)));
        if wrong {
            metrics::counter!("usher_coupon_codes_refused_total").increment(1);
        } else {
            self.guesses.refund(account_id).await;
        }
        if outcome.is_err() {
            self.hold(since).await;
        }
        outcome
    }

    /// Waits for the next multiple of the floor.
    async fn hold(&self, since: Stopwatch) {
        let (floor, spent) = (self.floor.as_millis(), since.elapsed().as_millis());
        if floor > 0 {
            let left = floor - spent % floor;
            tokio::time::sleep(Duration::from_millis(
                u64::try_from(left).unwrap_or_default(),
            ))
            .await;
        }
    }

    async fn decide(&self, since: Stopwatch, who: Who, hash: Hash) -> Result<Got, Refusal> {
        loop {
            match self.once(who, hash).await {
                Ok(outcome) => return outcome,
                Err(TxError::Database(error)) => {
                    let text = chain(&error);
                    error!(error = text, "a code could not be redeemed: {text}");
                    return Err(Refusal::Fault);
                }
                Err(error) if since.elapsed() > PATIENCE => {
                    warn!("a code is not redeemed: {}", chain(&error));
                    return Err(Refusal::Undecided);
                }
                Err(_) => tokio::time::sleep(PAUSE + random::jitter(PAUSE * 2)).await,
            }
        }
    }

    /// One try; an error stands for another one.
    async fn once(&self, who: Who, hash: Hash) -> Result<Result<Got, Refusal>, TxError<Undone>> {
        match self.earlier(who, hash).await? {
            Earlier::Same(got) => return Ok(Ok(*got)),
            Earlier::OtherCode => return Ok(Err(Refusal::RequestIdReused)),
            // Told below, behind the same work as every other refusal.
            Earlier::OwnCode(_) | Earlier::None => {}
        }
        let work = async move |connection: &mut Connection| issue(connection, who, &hash).await;
        let refusal = match self.database.transaction("redeem", work).await {
            Ok(got) => {
                metrics::counter!("usher_coupon_issued_total").increment(1);
                self.outbox.iter().for_each(Waker::wake);
                return Ok(Ok(got));
            }
            Err(TxError::Refused(Undone::NotValid)) => Ok(Refusal::NotValid),
            Err(TxError::Refused(Undone::Already(coupons))) => Ok(Refusal::Already(coupons)),
            Err(again @ TxError::Refused(Undone::Again)) => Err(again),
            Err(error) => return Err(error),
        };
        // The same request may have won on another connection.
        Ok(match self.earlier(who, hash).await? {
            Earlier::Same(got) => Ok(*got),
            Earlier::OtherCode => Err(Refusal::RequestIdReused),
            Earlier::OwnCode(coupon_id) => Err(Refusal::Own(coupon_id)),
            Earlier::None => Err(refusal?),
        })
    }

    async fn earlier(&self, who: Who, hash: Hash) -> Result<Earlier, TxError<Undone>> {
        let read = async move |connection: &mut Connection| {
            let same = store::codes::redemption(connection, who.0, who.1).await?;
            let own = store::codes::redeemed_by(connection, who.0, &hash).await?;
            let Some((redeemed, coupon_id)) = same else {
                return Ok(own.map_or(Earlier::None, Earlier::OwnCode));
            };
            if redeemed != hash {
                return Ok(Earlier::OtherCode);
            }
            let mut found = store::coupons::of(connection, &[coupon_id]).await?;
            let coupon = found.remove(&coupon_id);
            let campaign_id = coupon.as_ref().map(|coupon| coupon.campaign_id);
            let campaign_id = campaign_id.unwrap_or_default();
            let campaign = store::campaigns::find(connection, campaign_id, false).await?;
            let got = campaign.zip(coupon);
            Ok(got.map_or(Earlier::None, |got| Earlier::Same(Box::new(got))))
        };
        self.database.read(read).await.map_err(TxError::widen)
    }
}

/// Takes a use of the code and issues a coupon as every way to coupons does; without one the use goes back.
async fn issue(
    connection: &mut Connection,
    (account_id, request_id): Who,
    hash: &Hash,
) -> Result<Got, TxError<Undone>> {
    let taken = store::codes::take_use(connection, hash, Counting::ByCompareAndSet).await?;
    // Asked also where there is no code, as everything here that can be.
    let campaign_id = taken.unwrap_or_default();
    let campaign = store::campaigns::find(connection, campaign_id, false).await?;
    let campaign = campaign.filter(|campaign| {
        campaign.settings.issue == Issue::Code && campaign.state != State::Draft
    });
    let campaign = campaign.ok_or(Undone::NotValid)?;
    let name = [account_id.as_bytes().as_slice(), request_id.as_bytes()].concat();
    let wish = Wish {
        account_id,
        coupon_id: id::derive(campaign_id, name),
    };
    let home = i16::try_from(random::below(SHARDS.unsigned_abs().into())).unwrap_or_default();
    let claim = Claim { wish, gated: false };
    let (_, mut rulings) = commit::rule(connection, campaign_id, home, &[claim]).await?;
    match rulings.pop() {
        Some(Ruling::Issued(coupon)) => {
            let who = (account_id, request_id);
            if store::codes::note(connection, who, hash, coupon.coupon_id).await? {
                Ok((campaign, coupon))
            } else {
                Err(Undone::Again.into())
            }
        }
        Some(Ruling::Already(coupons)) => Err(Undone::Already(coupons).into()),
        Some(Ruling::SoldOut | Ruling::Shut(_)) => Err(Undone::NotValid.into()),
        // Of the same request on another connection, or of somebody who came in between.
        Some(Ruling::Known(_) | Ruling::Again) | None => Err(Undone::Again.into()),
    }
}
