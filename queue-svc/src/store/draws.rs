//! Draws of lotteries: their numbers are fixed here before anything moves.

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::rooms::{find, save, take};
use crate::domain::draw::Draw;
use crate::domain::lane::Lane;
use crate::domain::room::Room;

/// Fixes the numbers of a draw of so many entries, unless that was done, or the room has changed since `known`: a pause and its end let people
/// join who are not counted, and so does another generation. Places begin a chunk of `chunk` numbers.
pub async fn begin(
    connection: &mut AsyncPgConnection,
    known: &Room,
    entrants: [u32; 3],
    chunk: u64,
) -> QueryResult<()> {
    let found = find(connection, known.show_id, true).await?;
    let state = |room: &Room| (room.version, room.epoch, room.generation);
    let unchanged = |room: &Room| state(room) == state(known);
    let Some(room) = found.filter(|room| unchanged(room) && room.draw.is_none()) else {
        return Ok(());
    };
    let mut draw = Draw {
        entrants,
        first: [0; 3],
        reserved: [0; 3],
        done: false,
    };
    for ((lane, count), (first, reserved)) in Lane::ALL
        .into_iter()
        .zip(entrants)
        .zip(draw.first.iter_mut().zip(&mut draw.reserved))
    {
        if count > 0 {
            let count = u64::from(count).next_multiple_of(chunk);
            let block = take(connection, room.show_id, lane, count).await?;
            (*first, *reserved) = (block.first, block.end);
        }
    }
    let room = Room {
        draw: Some(draw),
        ..room
    };
    save(connection, &room).await
}

/// Notes that every entry has its place on the line of this epoch and generation.
pub async fn end(
    connection: &mut AsyncPgConnection,
    show_id: Uuid,
    line: (u64, u64),
) -> QueryResult<()> {
    let found = find(connection, show_id, true).await?;
    if let Some(room) = found.filter(|room| (room.epoch, room.generation) == line) {
        save(connection, &room.drawn()).await?;
    }
    Ok(())
}
