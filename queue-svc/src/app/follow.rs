//! What rooms take over from the sale: whose a show is, and what is left of it.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use mesh::clock::to_timestamp;
use mesh::pg::Connection;
use mesh::{outbox, pg};
use proto::usher::queue::events::v1::RoomSoldOut;
use uuid::Uuid;

use crate::domain::plan::Plan;
use crate::domain::room::Room;
use crate::domain::stock::{Level, Stock};
use crate::store;

/// A show was published: its owner is known from now on, and with a `plan` it has a room.
pub async fn publish(
    connection: &mut Connection,
    show_id: Uuid,
    seller_id: Uuid,
    plan: Option<Plan>,
) -> QueryResult<()> {
    store::shows::note_owner(connection, show_id, seller_id).await?;
    if let Some(plan) = plan {
        let room = with_stock(connection, Room::new(show_id, Some(seller_id), plan)).await?;
        store::rooms::insert(connection, &room).await?;
    }
    Ok(())
}

/// A booking of somebody ended at `time`, or ends now: sessions in the rooms of its shows that began by then are over.
pub async fn depart(
    connection: &mut Connection,
    show_ids: &[Uuid],
    account_id: Uuid,
    time: Option<DateTime<Utc>>,
) -> QueryResult<()> {
    let time = match time {
        Some(time) => time,
        None => pg::now(connection).await?,
    };
    store::shows::note_departures(connection, show_ids, account_id, time).await
}

/// A room that is new, as what is left of its show makes it.
pub async fn with_stock(connection: &mut Connection, room: Room) -> QueryResult<Room> {
    let stock = stock_of(connection, room.show_id).await?;
    Ok(Room {
        sold_out: stock.is_some_and(Stock::is_sold_out),
        ..room
    })
}

/// What is left of a pool is known; the room is told when nothing is left of its show, or something again.
pub async fn level(connection: &mut Connection, level: &Level) -> QueryResult<()> {
    // The room is locked first: of two pools that sell out at once the later one sees both.
    let room = store::rooms::find(connection, level.show_id, true).await?;
    store::stock::note(connection, level).await?;
    let (Some(room), Some(stock)) = (room, stock_of(connection, level.show_id).await?) else {
        return Ok(());
    };
    let heard = room.heard(stock.is_sold_out());
    if heard == room {
        return Ok(());
    }
    store::rooms::save(connection, &heard).await?;
    if heard.sold_out {
        let event = RoomSoldOut {
            show_id: room.show_id.to_string(),
            sold_out_time: Some(to_timestamp(pg::now(connection).await?)),
        };
        outbox::append(connection, &event, room.show_id).await?;
    }
    Ok(())
}

async fn stock_of(connection: &mut Connection, show_id: Uuid) -> QueryResult<Option<Stock>> {
    let mut stocks = store::stock::of(connection, &[show_id]).await?;
    Ok(stocks.remove(&show_id))
}
