use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mesh::money::{Money, MoneyError};
use uuid::Uuid;

use super::pass::let_in;
use super::{Change, Command, Decision, HoldUnits, Rejection, ShowRules, Snapshot, Unit, Wish};
use crate::domain::hold::{Hold, HoldLine, HoldState, UnitKey, buyer};

/// What `command` does to `snapshot` at `now`, the database's clock after the locks were taken.
pub fn decide(
    snapshot: &Snapshot,
    command: &Command,
    now: DateTime<Utc>,
) -> Result<Decision, Rejection> {
    let existing = snapshot.holds.get(&command.hold_id());
    match (command, existing) {
        (Command::Hold(wanted), Some(hold)) => replay(wanted, hold),
        (Command::Hold(wanted), None) => grant(snapshot, wanted, now),
        (_, None) => Err(Rejection::HoldNotFound),
        (Command::Release { account_id, .. }, Some(hold)) => release(hold, *account_id),
        (Command::Expire { .. }, Some(hold)) if hold.is_reclaimable(now) => {
            Ok(turn(hold, HoldState::Expired))
        }
        (Command::Expire { .. }, Some(hold)) => Ok(Decision::Unchanged(hold.clone())),
        (Command::Confirm { .. }, Some(hold)) => match hold.state {
            HoldState::Paying => Ok(turn(hold, HoldState::Confirmed)),
            HoldState::Confirmed => Ok(Decision::Unchanged(hold.clone())),
            other => Err(Rejection::WrongState(other)),
        },
        (Command::Return { units, .. }, Some(hold)) => give_back(hold, units),
        (Command::Free { released, .. }, Some(hold)) => match hold.state {
            HoldState::Paying | HoldState::Closing if *released => {
                Ok(turn(hold, HoldState::Released))
            }
            HoldState::Paying | HoldState::Closing => Ok(turn(hold, HoldState::Expired)),
            HoldState::Released | HoldState::Expired => Ok(Decision::Unchanged(hold.clone())),
            other => Err(Rejection::WrongState(other)),
        },
    }
}

fn turn(hold: &Hold, state: HoldState) -> Decision {
    Decision::Change(Change {
        from: Some(Box::new(hold.clone())),
        hold: Hold {
            state,
            ..hold.clone()
        },
        burned: BTreeSet::new(),
    })
}

fn give_back(hold: &Hold, units: &BTreeSet<UnitKey>) -> Result<Decision, Rejection> {
    if hold.state != HoldState::Confirmed {
        return Err(Rejection::WrongState(hold.state));
    }
    let lines = hold.lines.iter().map(|line| line.unit);
    let sold: BTreeSet<UnitKey> = lines.filter(|unit| !hold.returned.contains(unit)).collect();
    let gone: BTreeSet<UnitKey> = units.difference(&sold).copied().collect();
    if !gone.is_empty() {
        return Err(Rejection::NotSold(gone));
    }
    let returned = hold.returned.union(units).copied().collect();
    Ok(Decision::Change(Change {
        from: Some(Box::new(hold.clone())),
        hold: Hold {
            returned,
            ..hold.clone()
        },
        burned: BTreeSet::new(),
    }))
}

fn replay(wanted: &HoldUnits, hold: &Hold) -> Result<Decision, Rejection> {
    let same = hold.account_id == wanted.account_id && hold.request_hash == wanted.request_hash;
    if same {
        Ok(Decision::Unchanged(hold.clone()))
    } else {
        Err(Rejection::RequestIdReused)
    }
}

fn release(hold: &Hold, account_id: Uuid) -> Result<Decision, Rejection> {
    if hold.account_id != account_id {
        return Err(Rejection::HoldNotFound);
    }
    match hold.state {
        HoldState::Held => Ok(turn(hold, HoldState::Released)),
        HoldState::Released | HoldState::Expired => Ok(Decision::Unchanged(hold.clone())),
        HoldState::Paying | HoldState::Closing | HoldState::Confirmed => {
            Err(Rejection::WrongState(hold.state))
        }
    }
}

fn grant(
    snapshot: &Snapshot,
    wanted: &HoldUnits,
    now: DateTime<Utc>,
) -> Result<Decision, Rejection> {
    let found = find(snapshot, wanted)?;
    for (wish, _, show) in &found {
        on_sale(snapshot, wish, show, now)?;
    }
    let burned = let_in(snapshot, wanted, &guarded(snapshot, &found))?;
    let lines: Vec<HoldLine> = found
        .iter()
        .map(|(wish, unit, _)| line(snapshot, wish, unit))
        .collect();
    let total = total(&lines)?;
    let taken: Vec<_> = found
        .iter()
        .filter(|(wish, unit, _)| unit.available() < wish.quantity)
        .map(|(wish, unit, _)| (wish.unit, unit.level()))
        .collect();
    if !taken.is_empty() {
        return Err(Rejection::UnitsTaken(taken));
    }
    within_caps(snapshot, wanted, &lines)?;
    let ttl = found
        .iter()
        .map(|(_, _, show)| show.hold_ttl)
        .min()
        .unwrap_or_default();
    let beyond = found
        .iter()
        .map(|(_, _, show)| show.beyond_ttl)
        .min()
        .unwrap_or_default();
    let hold = Hold {
        hold_id: wanted.hold_id,
        account_id: wanted.account_id,
        buyer_reference: wanted.buyer_reference.clone(),
        state: HoldState::Held,
        request_hash: wanted.request_hash.clone(),
        lines,
        returned: BTreeSet::new(),
        total,
        expire_time: later(now, ttl),
        max_expire_time: later(now, ttl + beyond),
        create_time: now,
    };
    Ok(Decision::Change(Change {
        from: None,
        hold,
        burned,
    }))
}

type Found<'a> = Vec<(&'a Wish, &'a Unit, &'a ShowRules)>;

/// The units and shows of the wishes. A draft is as good as absent.
fn find<'a>(snapshot: &'a Snapshot, wanted: &'a HoldUnits) -> Result<Found<'a>, Rejection> {
    let mut found = Vec::with_capacity(wanted.wishes.len());
    for (index, wish) in wanted.wishes.iter().enumerate() {
        let missing = || Rejection::PoolNotFound(wish.unit.pool_id);
        let pool = snapshot.pools.get(&wish.unit.pool_id).ok_or_else(missing)?;
        let show = snapshot
            .shows
            .get(&pool.show_id)
            .filter(|show| show.published);
        let show = show.ok_or_else(missing)?;
        let unit = snapshot
            .units
            .get(&wish.unit)
            .ok_or(Rejection::UnknownUnit(index))?;
        if unit.exclusive && wish.quantity != 1 {
            return Err(Rejection::SeatQuantity(index));
        }
        found.push((wish, unit, show));
    }
    Ok(found)
}

fn on_sale(
    snapshot: &Snapshot,
    wish: &Wish,
    show: &ShowRules,
    now: DateTime<Utc>,
) -> Result<(), Rejection> {
    let Some(pool) = snapshot.pools.get(&wish.unit.pool_id) else {
        return Err(Rejection::PoolNotFound(wish.unit.pool_id));
    };
    if now < show.sale_open_time {
        return Err(Rejection::SaleNotOpen {
            show_id: pool.show_id,
            opens: show.sale_open_time,
        });
    }
    if now >= show.sale_close_time {
        return Err(Rejection::SaleClosed(pool.show_id));
    }
    if now >= pool.start_time {
        return Err(Rejection::PerformanceStarted(wish.unit.pool_id));
    }
    Ok(())
}

fn guarded(snapshot: &Snapshot, found: &Found<'_>) -> BTreeSet<Uuid> {
    let guarded = found.iter().filter(|(_, _, show)| show.queue_required);
    guarded
        .filter_map(|(wish, _, _)| snapshot.pools.get(&wish.unit.pool_id))
        .map(|pool| pool.show_id)
        .collect()
}

fn line(snapshot: &Snapshot, wish: &Wish, unit: &Unit) -> HoldLine {
    HoldLine {
        unit: wish.unit,
        show_id: snapshot
            .pools
            .get(&wish.unit.pool_id)
            .map_or(Uuid::nil(), |pool| pool.show_id),
        exclusive: unit.exclusive,
        quantity: wish.quantity,
        grade: unit.grade.clone(),
        unit_price: unit.price,
    }
}

fn total(lines: &[HoldLine]) -> Result<Money, Rejection> {
    let refuse = |error| match error {
        MoneyError::TwoCurrencies(..) => Rejection::TwoCurrencies,
        MoneyError::TooLarge => Rejection::TotalTooLarge,
    };
    let mut sum: Option<Money> = None;
    for line in lines {
        let quantity = u32::try_from(line.quantity).map_err(|_| Rejection::TotalTooLarge)?;
        let price = line.unit_price.times(quantity).map_err(refuse)?;
        sum = Some(match sum {
            None => price,
            Some(sum) => sum.plus(price).map_err(refuse)?,
        });
    }
    sum.ok_or(Rejection::TotalTooLarge)
}

fn within_caps(
    snapshot: &Snapshot,
    wanted: &HoldUnits,
    lines: &[HoldLine],
) -> Result<(), Rejection> {
    let mut asked: BTreeMap<Uuid, i32> = BTreeMap::new();
    for line in lines {
        *asked.entry(line.show_id).or_default() += line.quantity;
    }
    let buyer = buyer(wanted.account_id, wanted.buyer_reference.as_deref());
    for (show_id, asked) in asked {
        let cap = snapshot.caps.get(&(show_id, buyer.clone()));
        let rule = snapshot
            .shows
            .get(&show_id)
            .map_or(0, |show| show.units_per_buyer_max);
        let (taken, max) = cap.map_or((0, rule), |cap| (cap.taken, cap.taken_max));
        if taken + asked > max {
            return Err(Rejection::BuyerCapReached {
                show_id,
                max,
                taken,
                asked,
            });
        }
    }
    Ok(())
}

fn later(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by).map_or(DateTime::<Utc>::MAX_UTC, |by| now + by)
}
