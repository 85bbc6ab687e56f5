//! Rooms, and the numbers that their lines may issue.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{room, room_lane};
use super::{corrupt, natural, signed};
use crate::domain::draw::Draw;
use crate::domain::lane::{Block, Lane};
use crate::domain::lottery::Seed;
use crate::domain::plan::{LineOrder, Plan};
use crate::domain::room::{Room, State};

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = room, treat_none_as_null = true)]
struct RoomRow {
    show_id: Uuid,
    state: String,
    paused: bool,
    version: i64,
    capacity: i32,
    rate: i32,
    burst: i32,
    offer_seconds: i32,
    session_seconds: i32,
    grace_seconds: i32,
    silence_seconds: i32,
    waiting_max: i32,
    weights: Vec<i32>,
    arm_time: Option<DateTime<Utc>>,
    open_time: Option<DateTime<Utc>>,
    close_time: Option<DateTime<Utc>>,
    seller_id: Option<Uuid>,
    strict: bool,
    waiting_per_place: i32,
    sold_out: bool,
    opening_told: bool,
    lottery: bool,
    order_fixed: bool,
    seed: Option<Vec<u8>>,
    drawn: bool,
    draw_entrants: Option<Vec<i64>>,
    draw_first: Option<Vec<i64>>,
    draw_reserved: Option<Vec<i64>>,
}

/// Counters that only a flush or a recovery changes, and what is fixed for an epoch.
type Counters = (i64, i64, i32);

const COUNTERS: (room::epoch, room::generation, room::buckets) =
    (room::epoch, room::generation, room::buckets);

const fn word(state: State) -> &'static str {
    match state {
        State::Scheduled => "SCHEDULED",
        State::Open => "OPEN",
        State::Draining => "DRAINING",
        State::Closed => "CLOSED",
    }
}

fn state(word_: &str) -> QueryResult<State> {
    let states = [
        State::Scheduled,
        State::Open,
        State::Draining,
        State::Closed,
    ];
    let found = states.into_iter().find(|state| word(*state) == word_);
    found.ok_or_else(|| corrupt(format!("room.state is {word_}")))
}

fn seconds(time: Duration) -> QueryResult<i32> {
    natural(time.as_secs())
}

impl RoomRow {
    fn of(room: &Room) -> QueryResult<Self> {
        let plan = &room.plan;
        Ok(Self {
            show_id: room.show_id,
            state: word(room.state).to_owned(),
            paused: room.paused,
            version: signed(room.version)?,
            capacity: natural(plan.capacity)?,
            rate: natural(plan.rate)?,
            burst: natural(plan.burst)?,
            offer_seconds: seconds(plan.offer)?,
            session_seconds: seconds(plan.session)?,
            grace_seconds: seconds(plan.grace)?,
            silence_seconds: seconds(plan.silence)?,
            waiting_max: natural(plan.waiting_max)?,
            weights: plan
                .weights
                .into_iter()
                .map(natural)
                .collect::<QueryResult<_>>()?,
            arm_time: plan.arm_time,
            open_time: plan.open_time,
            close_time: plan.close_time,
            seller_id: room.seller_id,
            strict: plan.strict,
            waiting_per_place: natural(plan.waiting_per_place)?,
            sold_out: room.sold_out,
            opening_told: room.opening_told,
            lottery: plan.order == LineOrder::Lottery,
            order_fixed: room.order_fixed,
            seed: room.seed.map(Vec::from),
            drawn: room.draw.is_some_and(|draw| draw.done),
            draw_entrants: room.draw.map(|draw| draw.entrants.map(i64::from).to_vec()),
            draw_first: of_draw(room.draw, |draw| draw.first)?,
            draw_reserved: of_draw(room.draw, |draw| draw.reserved)?,
        })
    }

    fn read(self, (epoch, generation, buckets): Counters) -> QueryResult<Room> {
        let time = |seconds: i32| natural(seconds).map(Duration::from_secs);
        let draw = self.draw()?;
        let weights: Vec<u32> = self
            .weights
            .into_iter()
            .map(natural)
            .collect::<QueryResult<_>>()?;
        Ok(Room {
            show_id: self.show_id,
            plan: Plan {
                capacity: natural(self.capacity)?,
                rate: natural(self.rate)?,
                burst: natural(self.burst)?,
                offer: time(self.offer_seconds)?,
                session: time(self.session_seconds)?,
                grace: time(self.grace_seconds)?,
                silence: time(self.silence_seconds)?,
                waiting_max: natural(self.waiting_max)?,
                weights: weights.try_into().map_err(|_| corrupt("room.weights"))?,
                arm_time: self.arm_time,
                open_time: self.open_time,
                close_time: self.close_time,
                strict: self.strict,
                waiting_per_place: natural(self.waiting_per_place)?,
                order: if self.lottery {
                    LineOrder::Lottery
                } else {
                    LineOrder::Arrival
                },
            },
            state: state(&self.state)?,
            paused: self.paused,
            epoch: natural(epoch)?,
            generation: natural(generation)?,
            version: natural(self.version)?,
            buckets: natural(buckets)?,
            seller_id: self.seller_id,
            sold_out: self.sold_out,
            opening_told: self.opening_told,
            order_fixed: self.order_fixed,
            seed: self
                .seed
                .map(|seed| Seed::try_from(seed).map_err(|_| corrupt("room.seed")))
                .transpose()?,
            draw,
        })
    }

    fn draw(&self) -> QueryResult<Option<Draw>> {
        let (Some(entrants), Some(first), Some(reserved)) =
            (&self.draw_entrants, &self.draw_first, &self.draw_reserved)
        else {
            return Ok(None);
        };
        Ok(Some(Draw {
            entrants: by_lane(entrants)?,
            first: by_lane(first)?,
            reserved: by_lane(reserved)?,
            done: self.drawn,
        }))
    }
}

fn of_draw(draw: Option<Draw>, numbers: fn(Draw) -> [u64; 3]) -> QueryResult<Option<Vec<i64>>> {
    let signed = |numbers: [u64; 3]| numbers.into_iter().map(signed).collect();
    draw.map(|draw| signed(numbers(draw))).transpose()
}

fn by_lane<T: TryFrom<i64>>(numbers: &[i64]) -> QueryResult<[T; 3]> {
    let read: Vec<T> = numbers
        .iter()
        .map(|number| natural(*number))
        .collect::<QueryResult<_>>()?;
    read.try_into().map_err(|_| corrupt("a draw of a room"))
}

/// A room; with `lock` nobody else changes it until the transaction ends.
pub async fn find(
    connection: &mut AsyncPgConnection,
    show_id: Uuid,
    lock: bool,
) -> QueryResult<Option<Room>> {
    let query = room::table
        .find(show_id)
        .select((RoomRow::as_select(), COUNTERS));
    let row: Option<(RoomRow, Counters)> = if lock {
        query.for_update().first(connection).await.optional()?
    } else {
        query.first(connection).await.optional()?
    };
    row.map(|(row, counters)| row.read(counters)).transpose()
}

fn read_all(rows: Vec<(RoomRow, Counters)>) -> QueryResult<Vec<Room>> {
    rows.into_iter()
        .map(|(row, counters)| row.read(counters))
        .collect()
}

/// Rooms by show, those after `after` first; with `seller` this seller's alone.
pub async fn list(
    connection: &mut AsyncPgConnection,
    seller: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<Room>> {
    let mut query = room::table
        .filter(room::show_id.gt(after.unwrap_or(Uuid::nil())))
        .order(room::show_id)
        .limit(limit)
        .select((RoomRow::as_select(), COUNTERS))
        .into_boxed();
    if let Some(seller) = seller {
        query = query.filter(room::seller_id.eq(seller));
    }
    let rows: Vec<(RoomRow, Counters)> = query.load(connection).await?;
    read_all(rows)
}

/// These rooms.
pub async fn of(connection: &mut AsyncPgConnection, show_ids: &[Uuid]) -> QueryResult<Vec<Room>> {
    let rows: Vec<(RoomRow, Counters)> = room::table
        .filter(room::show_id.eq_any(show_ids))
        .select((RoomRow::as_select(), COUNTERS))
        .load(connection)
        .await?;
    read_all(rows)
}

/// Further rooms whose line has to be looked after: those that are not closed, or were by their schedule after `since`, without the `known`
/// ones. Where there are more than `limit`, those that were ordered to be open come first, then the newest.
pub async fn alive(
    connection: &mut AsyncPgConnection,
    since: DateTime<Utc>,
    known: &[Uuid],
    limit: i64,
) -> QueryResult<Vec<Room>> {
    let open = room::close_time.is_null().or(room::close_time.gt(since));
    let alive = room::state
        .ne(word(State::Closed))
        .and(open.assume_not_null());
    let rows: Vec<(RoomRow, Counters)> = room::table
        .filter(alive.and(room::show_id.ne_all(known)))
        .order((
            room::state.eq(word(State::Open)).desc(),
            room::create_time.desc(),
        ))
        .limit(limit)
        .select((RoomRow::as_select(), COUNTERS))
        .load(connection)
        .await?;
    read_all(rows)
}

/// Adds a room with its lanes. False: there is one already.
pub async fn insert(connection: &mut AsyncPgConnection, new: &Room) -> QueryResult<bool> {
    let inserted = diesel::insert_into(room::table)
        .values((
            RoomRow::of(new)?,
            room::buckets.eq(natural::<_, i32>(new.buckets)?),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    let lanes = Lane::ALL.map(|lane| {
        let lane = i16::from(lane.number());
        (room_lane::show_id.eq(new.show_id), room_lane::lane.eq(lane))
    });
    diesel::insert_into(room_lane::table)
        .values(lanes.to_vec())
        .execute(connection)
        .await?;
    Ok(true)
}

/// Writes what was decided and ordered; the generation stays.
pub async fn save(connection: &mut AsyncPgConnection, changed: &Room) -> QueryResult<()> {
    let epoch = (
        room::epoch.eq(signed(changed.epoch)?),
        room::buckets.eq(natural::<_, i32>(changed.buckets)?),
    );
    diesel::update(room::table.find(changed.show_id))
        .set((RoomRow::of(changed)?, epoch))
        .execute(connection)
        .await?;
    Ok(())
}

/// Begins the generation after `known` in `epoch` and takes `count` numbers of each lane for it. `None`: somebody else has begun it, or an
/// epoch.
pub async fn next_generation(
    connection: &mut AsyncPgConnection,
    show_id: Uuid,
    (epoch, known): (u64, u64),
    count: u64,
) -> QueryResult<Option<[Block; 3]>> {
    let moved = diesel::update(room::table.find(show_id))
        .filter(room::epoch.eq(signed(epoch)?))
        .filter(room::generation.eq(signed(known)?))
        // What moved in a draw may be lost: it is repeated, on what there is.
        .set((
            room::generation.eq(room::generation + 1),
            room::drawn.eq(false),
        ))
        .execute(connection)
        .await?;
    if moved == 0 {
        return Ok(None);
    }
    let mut blocks = [Block { first: 0, end: 0 }; 3];
    for (block, lane) in blocks.iter_mut().zip(Lane::ALL) {
        *block = take(connection, show_id, lane, count).await?;
    }
    Ok(Some(blocks))
}

/// Takes the next `count` numbers of a lane for `generation`: nobody else ever gets them. `None`: another generation has begun, and its
/// numbers are not for a line that still lives in this one, perhaps on a server that others have given up.
pub async fn reserve(
    connection: &mut AsyncPgConnection,
    show_id: Uuid,
    generation: u64,
    lane: Lane,
    count: u64,
) -> QueryResult<Option<Block>> {
    let current: i64 = room::table
        .find(show_id)
        .select(room::generation)
        .for_update()
        .first(connection)
        .await?;
    if current == signed(generation)? {
        take(connection, show_id, lane, count).await.map(Some)
    } else {
        Ok(None)
    }
}

pub(super) async fn take(
    connection: &mut AsyncPgConnection,
    show_id: Uuid,
    lane: Lane,
    count: u64,
) -> QueryResult<Block> {
    let count = signed(count)?;
    let end: i64 = diesel::update(room_lane::table.find((show_id, i16::from(lane.number()))))
        .set(room_lane::reserved.eq(room_lane::reserved + count))
        .returning(room_lane::reserved)
        .get_result(connection)
        .await?;
    Ok(Block {
        first: natural(end - count)?,
        end: natural(end)?,
    })
}
