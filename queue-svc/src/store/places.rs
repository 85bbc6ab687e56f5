//! Places that became passes.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::used_place;
use super::{corrupt, natural, signed};
use crate::domain::lane::{Lane, Spot};

/// Notes that places became passes; again, it changes nothing.
pub async fn use_up(
    connection: &mut AsyncPgConnection,
    show_id: Uuid,
    epoch: u64,
    spots: &[Spot],
) -> QueryResult<()> {
    let epoch = signed(epoch)?;
    let rows: Vec<_> = spots
        .iter()
        .map(|spot| {
            Ok((
                used_place::show_id.eq(show_id),
                used_place::epoch.eq(epoch),
                used_place::lane.eq(i16::from(spot.lane.number())),
                used_place::seq.eq(signed(spot.seq)?),
            ))
        })
        .collect::<QueryResult<_>>()?;
    diesel::insert_into(used_place::table)
        .values(rows)
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(())
}

/// Which of these places became passes.
pub async fn used(
    connection: &mut AsyncPgConnection,
    show_id: Uuid,
    epoch: u64,
    spots: &[Spot],
) -> QueryResult<BTreeSet<Spot>> {
    let seqs: Vec<i64> = spots
        .iter()
        .map(|spot| signed(spot.seq))
        .collect::<QueryResult<_>>()?;
    let rows: Vec<(i16, i64)> = used_place::table
        .filter(used_place::show_id.eq(show_id))
        .filter(used_place::epoch.eq(signed(epoch)?))
        .filter(used_place::lane.eq_any(Lane::ALL.map(|lane| i16::from(lane.number()))))
        .filter(used_place::seq.eq_any(seqs))
        .select((used_place::lane, used_place::seq))
        .load(connection)
        .await?;
    rows.into_iter()
        .map(|(lane, seq)| {
            let lane = Lane::of(i64::from(lane)).ok_or_else(|| corrupt("used_place.lane"))?;
            let seq = natural(seq)?;
            Ok(Spot { lane, seq })
        })
        .collect()
}
