//! Payments that somebody has to look after now.

use std::time::Duration;

use chrono::TimeDelta;
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::corrupt;
use super::schema::payment;
use super::words::Word;
use crate::domain::State;

/// A payment to inquire, under a lease.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The payment.
    pub payment_id: Uuid,
    /// Number of the lease.
    pub lease_gen: i64,
}

/// Claims payments whose outcome is awaited and whose next check is due, for `time`.
pub async fn claim(
    connection: &mut AsyncPgConnection,
    owner: &str,
    limit: i64,
    time: Duration,
) -> QueryResult<Vec<Claim>> {
    let free = payment::lease_until
        .is_null()
        .or(payment::lease_until.lt(now.into_sql::<Nullable<Timestamptz>>()));
    let due: Vec<Uuid> = payment::table
        .filter(
            payment::next_check_time
                .le(now.into_sql::<Nullable<Timestamptz>>())
                .and(free),
        )
        .order(payment::next_check_time)
        .select(payment::payment_id)
        .limit(limit)
        .for_update()
        .skip_locked()
        .load(connection)
        .await?;
    let time = TimeDelta::from_std(time).map_err(|_| corrupt("a lease beyond the calendar"))?;
    let until = mesh::pg::now(connection).await? + time;
    let rows: Vec<(Uuid, i64)> =
        diesel::update(payment::table.filter(payment::payment_id.eq_any(due)))
            .set((
                payment::lease_owner.eq(owner),
                payment::lease_until.eq(until),
                payment::lease_gen.eq(payment::lease_gen + 1),
            ))
            .returning((payment::payment_id, payment::lease_gen))
            .get_results(connection)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(payment_id, lease_gen)| Claim {
            payment_id,
            lease_gen,
        })
        .collect())
}

/// Whether the lease still holds. The payment has to be locked.
pub async fn holds(connection: &mut AsyncPgConnection, claim: Claim) -> QueryResult<bool> {
    let lease_gen: i64 = payment::table
        .find(claim.payment_id)
        .select(payment::lease_gen)
        .first(connection)
        .await?;
    Ok(lease_gen == claim.lease_gen)
}

/// Payments that nobody confirmed in time.
pub async fn past_deadline(
    connection: &mut AsyncPgConnection,
    limit: i64,
) -> QueryResult<Vec<Uuid>> {
    payment::table
        .filter(payment::state.eq(State::AwaitingCustomer.word()))
        .filter(payment::expire_time.le(now.into_sql::<Nullable<Timestamptz>>()))
        .order(payment::expire_time)
        .select(payment::payment_id)
        .limit(limit)
        .for_update()
        .skip_locked()
        .load(connection)
        .await
}
