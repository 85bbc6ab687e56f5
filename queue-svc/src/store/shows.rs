//! Shows that were published, and people whose bookings ended.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{departure, room, show_owner};

/// Notes whose a show is, also in its room.
pub async fn note_owner(
    connection: &mut AsyncPgConnection,
    show_id: Uuid,
    seller_id: Uuid,
) -> QueryResult<()> {
    diesel::insert_into(show_owner::table)
        .values((
            show_owner::show_id.eq(show_id),
            show_owner::seller_id.eq(seller_id),
        ))
        .on_conflict(show_owner::show_id)
        .do_update()
        .set(show_owner::seller_id.eq(seller_id))
        .execute(connection)
        .await?;
    diesel::update(room::table.find(show_id))
        .set(room::seller_id.eq(seller_id))
        .execute(connection)
        .await?;
    Ok(())
}

/// Whose a show is, once it was published.
pub async fn owner(connection: &mut AsyncPgConnection, show_id: Uuid) -> QueryResult<Option<Uuid>> {
    let owner = show_owner::table
        .find(show_id)
        .select(show_owner::seller_id);
    owner.first(connection).await.optional()
}

/// A session that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = departure)]
pub struct Departure {
    /// Room.
    pub show_id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// Sessions that began later go on.
    pub depart_time: DateTime<Utc>,
}

/// Notes that somebody's sessions in these rooms are over; shows without a room are left out.
pub async fn note_departures(
    connection: &mut AsyncPgConnection,
    show_ids: &[Uuid],
    account_id: Uuid,
    time: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO departure (show_id, account_id, depart_time) \
         SELECT show_id, $2, $3 FROM room WHERE show_id = ANY($1) AND state <> 'CLOSED' \
         AND (close_time IS NULL OR close_time > now() - interval '1 hour') ORDER BY show_id \
         ON CONFLICT (show_id, account_id) DO UPDATE SET told_generation = NULL, \
         depart_time = greatest(departure.depart_time, excluded.depart_time)",
    )
    .bind::<Array<SqlUuid>, _>(show_ids)
    .bind::<SqlUuid, _>(account_id)
    .bind::<Timestamptz, _>(time)
    .execute(connection)
    .await?;
    Ok(())
}

/// Sessions of these rooms that are over and of which the line of this generation may not know yet.
pub async fn departures(
    connection: &mut AsyncPgConnection,
    show_ids: &[Uuid],
    limit: i64,
) -> QueryResult<Vec<Departure>> {
    let known = departure::told_generation.is_not_distinct_from(room::generation.nullable());
    departure::table
        .inner_join(room::table.on(room::show_id.eq(departure::show_id)))
        .filter(departure::show_id.eq_any(show_ids))
        .filter(diesel::dsl::not(known))
        .order((departure::show_id, departure::account_id))
        .limit(limit)
        .select(Departure::as_select())
        .load(connection)
        .await
}

/// Notes that the line of a generation knows of departures; one that was noted anew meanwhile is told again.
pub async fn note_told(
    connection: &mut AsyncPgConnection,
    told: &[Departure],
    generation: i64,
) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE departure d SET told_generation = $4, told_time = now() \
         FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS k(show_id, account_id, depart_time) \
         WHERE d.show_id = k.show_id AND d.account_id = k.account_id AND d.depart_time <= k.depart_time",
    )
    .bind::<Array<SqlUuid>, _>(told.iter().map(|row| row.show_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(told.iter().map(|row| row.account_id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(told.iter().map(|row| row.depart_time).collect::<Vec<_>>())
    .bind::<BigInt, _>(generation)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes departures that were told long enough ago for every pass of their sessions to have ended, and those from rooms that are over.
pub async fn forget_departures(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::sql_query(
        "DELETE FROM departure d USING room r WHERE r.show_id = d.show_id AND (r.state = 'CLOSED' \
         OR r.close_time < now() - interval '1 hour' \
         OR (d.told_generation = r.generation AND d.told_time < now() - interval '2 minutes'))",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks a room as one whose opening was told. False: it was already.
pub async fn tell_opening(connection: &mut AsyncPgConnection, show_id: Uuid) -> QueryResult<bool> {
    let told = diesel::update(room::table.find(show_id))
        .filter(room::opening_told.eq(false))
        .set(room::opening_told.eq(true))
        .execute(connection)
        .await?;
    Ok(told > 0)
}
