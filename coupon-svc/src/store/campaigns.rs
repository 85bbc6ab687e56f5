//! Campaigns.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mesh::pg;
use serde_json::Value;
use uuid::Uuid;

use super::schema::campaign;
use super::{corrupt, sized, terms};
use crate::domain::campaign::{Campaign, Issue, Settings, Standing, State, UseEnd};

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = campaign, treat_none_as_null = true)]
struct Row {
    campaign_id: Uuid,
    seller_id: Option<Uuid>,
    name: String,
    terms: Value,
    stock: Option<i64>,
    per_account_max: i16,
    claim_open_time: DateTime<Utc>,
    claim_close_time: DateTime<Utc>,
    use_open_time: Option<DateTime<Utc>>,
    use_close_time: Option<DateTime<Utc>>,
    use_days: Option<i16>,
    uses_per_coupon: i16,
    issue: String,
    state: String,
    version: i64,
    create_time: DateTime<Utc>,
}

impl Row {
    fn of(campaign: &Campaign) -> QueryResult<Self> {
        let settings = &campaign.settings;
        let (use_close_time, use_days) = match settings.use_end {
            UseEnd::At(time) => (Some(time), None),
            UseEnd::Days(days) => (None, Some(sized(days)?)),
        };
        Ok(Self {
            campaign_id: campaign.campaign_id,
            seller_id: campaign.seller_id(),
            name: settings.name.clone(),
            terms: terms::written(&settings.terms)?,
            stock: settings.stock,
            per_account_max: sized(settings.per_account_max)?,
            claim_open_time: settings.claim_open,
            claim_close_time: settings.claim_close,
            use_open_time: settings.use_open,
            use_close_time,
            use_days,
            uses_per_coupon: sized(settings.uses_per_coupon)?,
            issue: settings.issue.name().to_owned(),
            state: campaign.state.name().to_owned(),
            version: campaign.version,
            create_time: campaign.create_time,
        })
    }

    fn read(self, gate_epoch: i64) -> QueryResult<Campaign> {
        let state = State::ALL
            .into_iter()
            .find(|state| state.name() == self.state);
        let issue = Issue::ALL
            .into_iter()
            .find(|issue| issue.name() == self.issue);
        let use_end = match (self.use_close_time, self.use_days) {
            (Some(time), None) => UseEnd::At(time),
            (None, Some(days)) => UseEnd::Days(sized(days)?),
            _ => return Err(corrupt("campaign_use_end")),
        };
        Ok(Campaign {
            campaign_id: self.campaign_id,
            settings: Settings {
                name: self.name,
                terms: terms::read(self.terms, self.seller_id)?,
                stock: self.stock,
                per_account_max: sized(self.per_account_max)?,
                claim_open: self.claim_open_time,
                claim_close: self.claim_close_time,
                use_open: self.use_open_time,
                use_end,
                uses_per_coupon: sized(self.uses_per_coupon)?,
                issue: issue.ok_or_else(|| corrupt(format!("campaign.issue {}", self.issue)))?,
            },
            state: state.ok_or_else(|| corrupt(format!("campaign.state {}", self.state)))?,
            version: self.version,
            gate_epoch,
            create_time: self.create_time,
        })
    }
}

/// A campaign; with `lock` nobody else changes it until the transaction ends.
pub async fn find(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    lock: bool,
) -> QueryResult<Option<Campaign>> {
    let query = campaign::table
        .find(campaign_id)
        .select((Row::as_select(), campaign::gate_epoch));
    let row: Option<(Row, i64)> = if lock {
        query
            .for_no_key_update()
            .first(connection)
            .await
            .optional()?
    } else {
        query.first(connection).await.optional()?
    };
    row.map(|(row, epoch)| row.read(epoch)).transpose()
}

/// These campaigns.
pub async fn of(
    connection: &mut AsyncPgConnection,
    campaign_ids: &[Uuid],
) -> QueryResult<Vec<Campaign>> {
    let rows: Vec<(Row, i64)> = campaign::table
        .filter(campaign::campaign_id.eq_any(campaign_ids))
        .select((Row::as_select(), campaign::gate_epoch))
        .load(connection)
        .await?;
    rows.into_iter()
        .map(|(row, epoch)| row.read(epoch))
        .collect()
}

/// Campaigns, newest first, those before `after`; with `seller` this seller's alone, with `standing` those that stand so at `now`.
pub async fn list(
    connection: &mut AsyncPgConnection,
    seller: Option<Uuid>,
    standing: Option<Standing>,
    now: DateTime<Utc>,
    after: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<Campaign>> {
    let mut query = campaign::table
        .order(campaign::campaign_id.desc())
        .limit(limit)
        .select((Row::as_select(), campaign::gate_epoch))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(campaign::campaign_id.lt(after));
    }
    if let Some(seller) = seller {
        query = query.filter(campaign::seller_id.eq(seller));
    }
    let is = |state: State| campaign::state.eq(state.name());
    query = match standing {
        None => query,
        Some(Standing::Draft) => query.filter(is(State::Draft)),
        Some(Standing::Exhausted) => query.filter(is(State::Exhausted)),
        Some(Standing::Ended) => query.filter(is(State::Ended)),
        Some(Standing::Open) => {
            query.filter(is(State::Open).and(campaign::claim_close_time.gt(now)))
        }
        Some(Standing::Expired) => {
            // Nobody may have looked yet.
            let over = is(State::Open).and(campaign::claim_close_time.le(now));
            query.filter(over.or(is(State::Expired)))
        }
    };
    let rows: Vec<(Row, i64)> = query.load(connection).await?;
    rows.into_iter()
        .map(|(row, epoch)| row.read(epoch))
        .collect()
}

/// Adds a campaign.
pub async fn insert(connection: &mut AsyncPgConnection, new: &Campaign) -> QueryResult<()> {
    diesel::insert_into(campaign::table)
        .values(Row::of(new)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes what was decided and ordered; its gate stays.
pub async fn save(connection: &mut AsyncPgConnection, changed: &Campaign) -> QueryResult<()> {
    diesel::update(campaign::table.find(changed.campaign_id))
        .set(Row::of(changed)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Begins the epoch of a gate after `known`, for somebody who has `time` to build it. `None`: another one has begun, or somebody builds
/// this one.
pub async fn next_gate(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    known: i64,
    time: Duration,
) -> QueryResult<Option<i64>> {
    let (now, until) = (pg::now(connection).await?, until(connection, time).await?);
    let free = campaign::gate_busy_until
        .is_null()
        .or(campaign::gate_busy_until.lt(now));
    let open = campaign::table
        .find(campaign_id)
        .filter(campaign::gate_epoch.eq(known))
        .filter(free.assume_not_null());
    diesel::update(open)
        .set((
            campaign::gate_epoch.eq(known + 1),
            campaign::gate_busy_until.eq(until),
        ))
        .returning(campaign::gate_epoch)
        .get_result(connection)
        .await
        .optional()
}

/// Has more `time` to build the gate of this epoch. False: somebody has begun another one.
pub async fn go_on_building(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    epoch: i64,
    time: Duration,
) -> QueryResult<bool> {
    let until = until(connection, time).await?;
    let changed = diesel::update(campaign::table.find(campaign_id))
        .filter(campaign::gate_epoch.eq(epoch))
        .set(campaign::gate_busy_until.eq(until))
        .execute(connection)
        .await?;
    Ok(changed > 0)
}

async fn until(connection: &mut AsyncPgConnection, time: Duration) -> QueryResult<DateTime<Utc>> {
    let time = TimeDelta::from_std(time).map_err(|_| corrupt("time to build a gate"))?;
    Ok(pg::now(connection).await? + time)
}

/// Nobody builds the gate of this epoch any more: whoever does not find it may begin the next.
pub async fn gate_built(
    connection: &mut AsyncPgConnection,
    campaign_id: Uuid,
    epoch: i64,
) -> QueryResult<()> {
    diesel::update(campaign::table.find(campaign_id))
        .filter(campaign::gate_epoch.eq(epoch))
        .set(campaign::gate_busy_until.eq(None::<DateTime<Utc>>))
        .execute(connection)
        .await?;
    Ok(())
}
