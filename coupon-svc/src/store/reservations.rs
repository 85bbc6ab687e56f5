//! Reservations and what they do to coupons. A reservation is locked before its coupons, coupons in ascending order.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::corrupt;
use super::revocations::{Written, gone};
use super::schema::{reservation, reservation_coupon};
use crate::domain::coupon::Gone;
use crate::domain::reservation::{Reservation, State};

/// Adds a reservation. False: there is one of this id, which is not changed.
pub async fn insert(connection: &mut AsyncPgConnection, new: &Reservation) -> QueryResult<bool> {
    let rows = diesel::sql_query(
        "INSERT INTO reservation (reservation_id, booking_id, account_id, state) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind::<SqlUuid, _>(new.reservation_id)
    .bind::<SqlUuid, _>(new.booking_id)
    .bind::<Nullable<SqlUuid>, _>(new.account_id)
    .bind::<Text, _>(new.state.name())
    .execute(connection)
    .await?;
    Ok(rows > 0)
}

/// Locks a reservation.
pub async fn lock(
    connection: &mut AsyncPgConnection,
    reservation_id: Uuid,
) -> QueryResult<Option<Reservation>> {
    let row: Option<(Uuid, Option<Uuid>, String)> = reservation::table
        .find(reservation_id)
        .select((
            reservation::booking_id,
            reservation::account_id,
            reservation::state,
        ))
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?;
    let Some((booking_id, account_id, state)) = row else {
        return Ok(None);
    };
    let coupons = reservation_coupon::table
        .filter(reservation_coupon::reservation_id.eq(reservation_id))
        .order(reservation_coupon::coupon_id)
        .select(reservation_coupon::coupon_id)
        .load(connection)
        .await?;
    let known = State::ALL.into_iter().find(|one| one.name() == state);
    Ok(Some(Reservation {
        reservation_id,
        booking_id,
        account_id,
        state: known.ok_or_else(|| corrupt(format!("reservation.state {state}")))?,
        coupons,
    }))
}

/// Holds coupons for a reservation that is new.
pub async fn hold(
    connection: &mut AsyncPgConnection,
    reservation_id: Uuid,
    coupons: &[Uuid],
) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO reservation_coupon (reservation_id, coupon_id, held) SELECT $1, c, true FROM unnest($2::uuid[]) AS c ORDER BY c",
    )
    .bind::<SqlUuid, _>(reservation_id)
    .bind::<Array<SqlUuid>, _>(coupons)
    .execute(connection)
    .await?;
    diesel::sql_query("UPDATE coupon SET state = 'RESERVED' WHERE coupon_id = ANY($1)")
        .bind::<Array<SqlUuid>, _>(coupons)
        .execute(connection)
        .await?;
    Ok(())
}

/// The coupons of a locked reservation are used once more. Answers those that are REVOKED by it.
pub async fn use_up(
    connection: &mut AsyncPgConnection,
    reservation_id: Uuid,
) -> QueryResult<Vec<Gone>> {
    let coupons = let_go(connection, reservation_id, State::Used).await?;
    let written: Vec<Written> = diesel::sql_query(
        "UPDATE coupon SET uses = uses + 1, \
         state = CASE WHEN uses + 1 = uses_max THEN 'USED' WHEN revoke_time IS NULL THEN 'AVAILABLE' ELSE 'REVOKED' END \
         WHERE coupon_id = ANY($1) RETURNING coupon_id, campaign_id, account_id, state",
    )
    .bind::<Array<SqlUuid>, _>(coupons)
    .load(connection)
    .await?;
    Ok(gone(written))
}

/// The coupons of a locked reservation go back. Answers those that are REVOKED by it.
pub async fn give_back(
    connection: &mut AsyncPgConnection,
    reservation_id: Uuid,
) -> QueryResult<Vec<Gone>> {
    let coupons = let_go(connection, reservation_id, State::Released).await?;
    let written: Vec<Written> = diesel::sql_query(
        "UPDATE coupon SET state = CASE WHEN revoke_time IS NULL THEN 'AVAILABLE' ELSE 'REVOKED' END \
         WHERE coupon_id = ANY($1) AND state = 'RESERVED' RETURNING coupon_id, campaign_id, account_id, state",
    )
    .bind::<Array<SqlUuid>, _>(coupons)
    .load(connection)
    .await?;
    Ok(gone(written))
}

#[derive(QueryableByName)]
struct CouponId {
    #[diesel(sql_type = SqlUuid)]
    coupon_id: Uuid,
}

async fn let_go(
    connection: &mut AsyncPgConnection,
    reservation_id: Uuid,
    state: State,
) -> QueryResult<Vec<Uuid>> {
    turn(connection, reservation_id, state).await?;
    let held: Vec<CouponId> = diesel::sql_query(
        "SELECT c.coupon_id FROM coupon c JOIN reservation_coupon r USING (coupon_id) WHERE r.reservation_id = $1 AND r.held \
         ORDER BY c.coupon_id FOR NO KEY UPDATE OF c",
    )
    .bind::<SqlUuid, _>(reservation_id)
    .load(connection)
    .await?;
    diesel::sql_query("UPDATE reservation_coupon SET held = false WHERE reservation_id = $1")
        .bind::<SqlUuid, _>(reservation_id)
        .execute(connection)
        .await?;
    Ok(held.into_iter().map(|row| row.coupon_id).collect())
}

async fn turn(
    connection: &mut AsyncPgConnection,
    reservation_id: Uuid,
    state: State,
) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE reservation SET state = $2, change_time = clock_timestamp() WHERE reservation_id = $1",
    )
    .bind::<SqlUuid, _>(reservation_id)
    .bind::<Text, _>(state.name())
    .execute(connection)
    .await?;
    Ok(())
}

/// A coupon that comes back, and when it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct Returning {
    /// Coupon.
    #[diesel(sql_type = SqlUuid)]
    pub coupon_id: Uuid,
    /// When it expires.
    #[diesel(sql_type = Timestamptz)]
    pub expire_time: DateTime<Utc>,
    /// Whether it is REVOKED already: it had uses left.
    #[diesel(sql_type = Bool)]
    pub gone: bool,
}

/// Locks those of these coupons that a USED reservation has not given back yet, ascending.
pub async fn lock_used(
    connection: &mut AsyncPgConnection,
    reservation_id: Uuid,
    coupons: &[Uuid],
) -> QueryResult<Vec<Returning>> {
    diesel::sql_query(
        "SELECT c.coupon_id, c.expire_time, c.state = 'REVOKED' AS gone FROM coupon c JOIN reservation_coupon r USING (coupon_id) WHERE r.reservation_id = $1 \
         AND NOT r.restored AND r.coupon_id = ANY($2) ORDER BY c.coupon_id FOR NO KEY UPDATE OF c",
    )
    .bind::<SqlUuid, _>(reservation_id)
    .bind::<Array<SqlUuid>, _>(coupons)
    .load(connection)
    .await
}

/// Gives coupons of a USED reservation back, each until the time that goes with it. A coupon that another booking holds stays held. Answers
/// those that are REVOKED then.
pub async fn restore(
    connection: &mut AsyncPgConnection,
    reservation_id: Uuid,
    coupons: &[Returning],
) -> QueryResult<Vec<Gone>> {
    let ids: Vec<Uuid> = coupons.iter().map(|one| one.coupon_id).collect();
    let times: Vec<DateTime<Utc>> = coupons.iter().map(|one| one.expire_time).collect();
    let written: Vec<Written> = diesel::sql_query(
        "UPDATE coupon c SET uses = c.uses - 1, expire_time = d.expire_time, \
         state = CASE WHEN c.state <> 'USED' THEN c.state WHEN c.revoke_time IS NULL THEN 'AVAILABLE' ELSE 'REVOKED' END \
         FROM unnest($1::uuid[], $2::timestamptz[]) AS d(coupon_id, expire_time) \
         WHERE c.coupon_id = d.coupon_id RETURNING c.coupon_id, c.campaign_id, c.account_id, c.state",
    )
    .bind::<Array<SqlUuid>, _>(&ids)
    .bind::<Array<Timestamptz>, _>(times)
    .load(connection)
    .await?;
    diesel::sql_query(
        "UPDATE reservation_coupon SET restored = true WHERE reservation_id = $1 AND coupon_id = ANY($2)",
    )
    .bind::<SqlUuid, _>(reservation_id)
    .bind::<Array<SqlUuid>, _>(&ids)
    .execute(connection)
    .await?;
    let left = reservation_coupon::table
        .filter(reservation_coupon::reservation_id.eq(reservation_id))
        .filter(reservation_coupon::restored.eq(false))
        .count()
        .get_result::<i64>(connection)
        .await?;
    if left == 0 {
        turn(connection, reservation_id, State::Restored).await?;
    }
    Ok(gone(written))
}

/// The oldest reservation that nobody ended, and how many were made before `then`.
pub async fn old(
    connection: &mut AsyncPgConnection,
    then: DateTime<Utc>,
) -> QueryResult<(Option<Uuid>, i64)> {
    let old = reservation::table
        .filter(reservation::state.eq(State::Reserved.name()))
        .filter(reservation::create_time.lt(then));
    let count = old.count().get_result(connection).await?;
    let oldest = old
        .order(reservation::create_time)
        .select(reservation::reservation_id)
        .first(connection)
        .await
        .optional()?;
    Ok((oldest, count))
}
