//! What a batch of claims does to one campaign, inside its transaction.

use std::collections::{HashMap, HashSet};

use diesel::QueryResult;
use mesh::clock::to_timestamp;
use mesh::outbox;
use mesh::pg::{self, Connection};
use proto::usher::coupon::events::v1::{CampaignExhausted, CouponClaimed};
use uuid::Uuid;

use crate::domain::campaign::{Campaign, Shut, State};
use crate::domain::coupon::{Coupon, Kept};
use crate::store;
use crate::store::coupons::Wish;
use crate::store::stock::PartLock;

/// A claim that reached Postgres.
#[derive(Clone, Copy, Debug)]
pub(in crate::app) struct Claim {
    pub(in crate::app) wish: Wish,
    /// Whether the gate let it through; else its time is judged here.
    pub(in crate::app) gated: bool,
}

/// What became of it.
#[derive(Clone, Debug)]
pub(in crate::app) enum Ruling {
    /// This coupon, which is new.
    Issued(Coupon),
    /// This coupon, from an earlier try of the same request.
    Known(Coupon),
    /// The account has as many as it can: these.
    Already(Vec<Uuid>),
    /// Every coupon has its owner.
    SoldOut,
    /// Nobody can claim now.
    Shut(Shut),
    /// Somebody else's claim came in between; the next try tells.
    Again,
}

/// Rules on claims in their order, no account twice among them. Answers the campaign as it is then, too.
pub(in crate::app) async fn rule(
    connection: &mut Connection,
    campaign_id: Uuid,
    home: i16,
    claims: &[Claim],
) -> QueryResult<(Option<Campaign>, Vec<Ruling>)> {
    let campaign = store::campaigns::find(connection, campaign_id, false).await?;
    let Some(mut campaign) = campaign else {
        // It was there when it was asked for, and nothing removes one.
        return Ok((None, vec![Ruling::Again; claims.len()]));
    };
    let now = pg::now(connection).await?;
    let shut = campaign.admits(now).err();
    // The gate judges by the clock. What was told to be over since is over.
    let ended = matches!(campaign.state, State::Ended | State::Expired);
    let judged = |claim: &Claim| shut.filter(|_| ended || !claim.gated);
    let admitted = claims.iter().filter(|claim| judged(claim).is_none());
    let wishes: Vec<Wish> = admitted.map(|claim| claim.wish).collect();
    let mut issued: HashSet<Uuid> = HashSet::new();
    let (valid_from, expire_time) = campaign.settings.validity(now);
    if campaign.state != State::Exhausted && !wishes.is_empty() {
        let most = campaign.settings.per_account_max;
        let times = (now, valid_from, expire_time);
        let new = store::coupons::insert(connection, campaign_id, most, times, &wishes).await?;
        issued = limited(connection, &mut campaign, home, &wishes, new).await?;
    }
    let others = claims.iter().map(|claim| claim.wish);
    let others = others.filter(|wish| !issued.contains(&wish.coupon_id));
    let (coupons, owned) = look_up(connection, campaign_id, others.collect()).await?;
    let mut rulings = Vec::with_capacity(claims.len());
    for claim in claims {
        let Wish {
            account_id,
            coupon_id,
        } = claim.wish;
        let most = usize::try_from(campaign.settings.per_account_max).unwrap_or(usize::MAX);
        let has = owned.get(&account_id);
        rulings.push(match coupons.get(&coupon_id) {
            _ if issued.contains(&coupon_id) => Ruling::Issued(Coupon {
                coupon_id,
                campaign_id,
                account_id,
                kept: Kept::Available,
                issue_time: now,
                valid_from,
                expire_time,
            }),
            Some(coupon) if coupon.account_id == account_id => Ruling::Known(coupon.clone()),
            _ if has.is_some_and(|has| has.len() >= most) => {
                Ruling::Already(has.cloned().unwrap_or_default())
            }
            _ => match judged(claim) {
                Some(shut) => Ruling::Shut(shut),
                None if campaign.state == State::Exhausted => Ruling::SoldOut,
                None => Ruling::Again,
            },
        });
    }
    tell(connection, &rulings).await?;
    Ok((Some(campaign), rulings))
}

/// Keeps as many of the `new` coupons as the stock has, those that came first.
async fn limited(
    connection: &mut Connection,
    campaign: &mut Campaign,
    home: i16,
    wishes: &[Wish],
    new: Vec<Uuid>,
) -> QueryResult<HashSet<Uuid>> {
    let mut kept: HashSet<Uuid> = new.into_iter().collect();
    if campaign.settings.stock.is_none() || kept.is_empty() {
        return Ok(kept);
    }
    let campaign_id = campaign.campaign_id;
    let (taken, empty) =
        store::stock::take(connection, campaign_id, home, kept.len(), PartLock::On).await?;
    let in_order = wishes.iter().map(|wish| wish.coupon_id);
    let beyond = in_order
        .filter(|coupon_id| kept.contains(coupon_id))
        .skip(taken);
    let beyond: Vec<Uuid> = beyond.collect();
    store::coupons::unmake(connection, &beyond).await?;
    for coupon_id in &beyond {
        kept.remove(coupon_id);
    }
    if empty {
        // Locked, because an order may have changed it since it was read.
        let locked = store::campaigns::find(connection, campaign_id, true).await?;
        let locked = locked.unwrap_or_else(|| campaign.clone());
        let exhausted = locked.exhausted();
        if exhausted != locked {
            store::campaigns::save(connection, &exhausted).await?;
            let event = CampaignExhausted {
                campaign_id: campaign_id.to_string(),
                exhaust_time: Some(to_timestamp(pg::now(connection).await?)),
            };
            outbox::append(connection, &event, campaign_id).await?;
        }
        *campaign = exhausted;
    }
    Ok(kept)
}

type Owned = HashMap<Uuid, Vec<Uuid>>;

async fn look_up(
    connection: &mut Connection,
    campaign_id: Uuid,
    wishes: Vec<Wish>,
) -> QueryResult<(HashMap<Uuid, Coupon>, Owned)> {
    if wishes.is_empty() {
        return Ok((HashMap::new(), HashMap::new()));
    }
    let ids: Vec<Uuid> = wishes.iter().map(|wish| wish.coupon_id).collect();
    let coupons = store::coupons::of(connection, &ids).await?;
    let others = wishes.iter();
    let others = others.filter(|wish| !coupons.contains_key(&wish.coupon_id));
    let accounts: Vec<Uuid> = others.map(|wish| wish.account_id).collect();
    let owned = if accounts.is_empty() {
        HashMap::new()
    } else {
        store::coupons::owned(connection, campaign_id, &accounts).await?
    };
    Ok((coupons, owned))
}

async fn tell(connection: &mut Connection, rulings: &[Ruling]) -> QueryResult<()> {
    let events = rulings.iter().filter_map(|ruling| match ruling {
        Ruling::Issued(coupon) => Some((
            coupon.coupon_id,
            CouponClaimed {
                coupon_id: coupon.coupon_id.to_string(),
                campaign_id: coupon.campaign_id.to_string(),
                account_id: coupon.account_id.to_string(),
                issue_time: Some(to_timestamp(coupon.issue_time)),
            },
        )),
        _ => None,
    });
    let events: Vec<(Uuid, CouponClaimed)> = events.collect();
    outbox::append_all(connection, &events).await
}
