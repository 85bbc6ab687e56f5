//! Places of strict waiting rooms: each gets one hold.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::result::Error;
use diesel::sql_types::{Array, BigInt, Integer, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use super::super::count;
use crate::domain::inventory::{Change, Place};

#[derive(QueryableByName)]
struct PlaceRow {
    #[diesel(sql_type = SqlUuid)]
    show_id: Uuid,
    #[diesel(sql_type = BigInt)]
    epoch: i64,
    #[diesel(sql_type = Integer)]
    lane: i32,
    #[diesel(sql_type = BigInt)]
    seq: i64,
}

/// Places as columns.
#[derive(Default)]
struct Columns {
    shows: Vec<Uuid>,
    epochs: Vec<i64>,
    lanes: Vec<i32>,
    seqs: Vec<i64>,
}

impl Columns {
    fn of<'p>(places: impl Iterator<Item = &'p Place>) -> QueryResult<Self> {
        let mut columns = Self::default();
        for place in places {
            columns.shows.push(place.show_id);
            columns.epochs.push(number(place.epoch)?);
            columns.lanes.push(place.lane.into());
            columns.seqs.push(number(place.seq)?);
        }
        Ok(columns)
    }
}

/// Numbers of places count people: none comes near the end of the column.
fn number(number: u64) -> QueryResult<i64> {
    let wrong = |_| Error::SerializationError("the number of a place does not fit".into());
    i64::try_from(number).map_err(wrong)
}

/// Which of `places` got their hold already. Read behind the locks of their buyers, it is true until the transaction ends, except for
/// places that two accounts show: [`burn`] finds those.
pub async fn burned(
    connection: &mut Connection,
    places: &BTreeSet<Place>,
) -> QueryResult<BTreeSet<Place>> {
    if places.is_empty() {
        return Ok(BTreeSet::new());
    }
    let columns = Columns::of(places.iter())?;
    let rows: Vec<PlaceRow> = diesel::sql_query(
        "SELECT b.show_id, b.epoch, b.lane, b.seq FROM burned_place b \
         JOIN unnest($1::uuid[], $2::bigint[], $3::int[], $4::bigint[]) AS k(show_id, epoch, lane, seq) \
         USING (show_id, epoch, lane, seq)",
    )
    .bind::<Array<SqlUuid>, _>(columns.shows)
    .bind::<Array<BigInt>, _>(columns.epochs)
    .bind::<Array<Integer>, _>(columns.lanes)
    .bind::<Array<BigInt>, _>(columns.seqs)
    .load(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Place {
                show_id: row.show_id,
                epoch: count(row.epoch)?,
                lane: count(row.lane)?,
                seq: count(row.seq)?,
            })
        })
        .collect()
}

/// Writes down the places that new holds took. False: another transaction took one of them meanwhile, and this one has to decide again.
///
/// Comes after everything else that waits, in ascending order: whoever waits here is waited for by nobody who is waited for.
pub async fn burn(connection: &mut Connection, changes: &[Change]) -> QueryResult<bool> {
    let burned = changes.iter().flat_map(|change| {
        let places = change.burned.iter();
        places.map(|place| (*place, change.hold.hold_id))
    });
    let burned: BTreeMap<Place, Uuid> = burned.collect();
    if burned.is_empty() {
        return Ok(true);
    }
    let (places, columns) = (burned.len(), Columns::of(burned.keys())?);
    let written = diesel::sql_query(
        "INSERT INTO burned_place (show_id, epoch, lane, seq, hold_id) \
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::int[], $4::bigint[], $5::uuid[]) \
         AS k(show_id, epoch, lane, seq, hold_id) ORDER BY show_id, epoch, lane, seq ON CONFLICT DO NOTHING",
    )
    .bind::<Array<SqlUuid>, _>(columns.shows)
    .bind::<Array<BigInt>, _>(columns.epochs)
    .bind::<Array<Integer>, _>(columns.lanes)
    .bind::<Array<BigInt>, _>(columns.seqs)
    .bind::<Array<SqlUuid>, _>(burned.into_values().collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(written == places)
}
