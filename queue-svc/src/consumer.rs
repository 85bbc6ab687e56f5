//! The inbound edge of messages: what booking-svc tells of shows, of what is left of them, and of people whose bookings ended.

use chrono::{DateTime, Utc};
use mesh::amqp::{Handler, Message, Poison};
use mesh::clock::from_timestamp;
use mesh::id;
use mesh::pg::{Connection, TxError};
use prost::Name;
use prost_types::Timestamp;
use proto::usher::booking::events::v1::{
    BookingConfirmed, BookingFailed, InventoryChanged, InventoryLevel, InventoryReturned,
    InventorySoldOut, ShowPublished,
};
use uuid::Uuid;

use crate::app::follow;
use crate::domain::plan::Plan;
use crate::domain::stock::{Grades, Level};

/// Queue of what happens to shows.
pub const SHOWS: &str = "queue-svc.shows";
/// Queue of bookings that ended.
pub const BOOKINGS: &str = "queue-svc.bookings";

/// Follows shows.
#[derive(Clone, Copy, Debug)]
pub struct Shows;

/// Follows bookings.
#[derive(Clone, Copy, Debug)]
pub struct Bookings;

impl Handler for Shows {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        let kind = message.kind.as_str();
        if kind == ShowPublished::full_name() {
            let event: ShowPublished = message.decode()?;
            let (show_id, seller_id) = (uuid(&event.show_id)?, uuid(&event.seller_id)?);
            let plan = plan_of(&event)?;
            return Ok(follow::publish(connection, show_id, seller_id, plan).await?);
        }
        let level = if kind == InventoryChanged::full_name() {
            message.decode::<InventoryChanged>()?.level
        } else if kind == InventorySoldOut::full_name() {
            message.decode::<InventorySoldOut>()?.level
        } else {
            message.decode::<InventoryReturned>()?.level
        };
        let level = level.ok_or_else(|| Poison::new("it has no level"))?;
        Ok(follow::level(connection, &read(&level)?).await?)
    }
}

impl Handler for Bookings {
    async fn handle(
        &self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), TxError<Poison>> {
        let (account_id, show_ids, time) = if message.kind == BookingConfirmed::full_name() {
            let event: BookingConfirmed = message.decode()?;
            (event.account_id, event.show_ids, event.confirm_time)
        } else {
            let event: BookingFailed = message.decode()?;
            (event.account_id, event.show_ids, event.fail_time)
        };
        let shows: Vec<Uuid> = show_ids
            .iter()
            .map(|text| uuid(text))
            .collect::<Result<_, _>>()?;
        // Messages of before it was told have no time.
        let time = time.as_ref().map(self::time).transpose()?;
        let account_id = uuid(&account_id)?;
        Ok(follow::depart(connection, &shows, account_id, time).await?)
    }
}

/// The plan of the room that a show gets by being published: one that asks for passes.
fn plan_of(event: &ShowPublished) -> Result<Option<Plan>, Poison> {
    let time = |time: &Option<Timestamp>| time.as_ref().map(self::time).transpose();
    let (open, close) = (time(&event.sale_open_time)?, time(&event.sale_close_time)?);
    Ok(event.queue_required.then(|| Plan::of_sale(open, close)))
}

fn read(level: &InventoryLevel) -> Result<Level, Poison> {
    let count = |count: u64| {
        i64::try_from(count).map_err(|_| Poison::new(format!("it counts {count} places")))
    };
    let mut grades = Grades::default();
    for grade in &level.grades {
        grades.all.push(grade.grade.clone());
        if grade.sold >= grade.room {
            grades.sold_out.push(grade.grade.clone());
        }
    }
    Ok(Level {
        pool_id: uuid(&level.pool_id)?,
        show_id: uuid(&level.show_id)?,
        version: count(level.version)?,
        room: count(level.room)?,
        sold: count(level.sold)?,
        sales: count(level.sales)?,
        pools: i32::try_from(level.pools)
            .ok()
            .filter(|pools| *pools > 0)
            .ok_or_else(|| Poison::new(format!("its show has {} pools", level.pools)))?,
        grades,
    })
}

fn uuid(text: &str) -> Result<Uuid, Poison> {
    id::parse(text).ok_or_else(|| Poison::new(format!("it has an id that is none: {text:?}")))
}

fn time(timestamp: &Timestamp) -> Result<DateTime<Utc>, Poison> {
    from_timestamp(timestamp).ok_or_else(|| Poison::new("it has a time that is none"))
}
