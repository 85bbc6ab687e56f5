//! Sagas: positions, leases, timelines.
//!
//! Every update names the `lease_gen` it read. Whoever claims a saga, or tells it news, raises it; whoever lost it changes nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::data_types::PgInterval;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{
    BigInt, Binary, Integer, Interval, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use super::broken;
use crate::domain::saga::{
    Direction, KIND, Note, Position, State, Step, VERSION, VERSION_WITHOUT_COUPONS,
};

/// A saga as it stands.
#[derive(Clone, Debug)]
pub struct Saga {
    /// Id.
    pub saga_id: Uuid,
    /// Its booking.
    pub booking_id: Uuid,
    /// Where it stands.
    pub at: Position,
    /// Attempts of the present step.
    pub attempts: i32,
    /// The fence.
    pub lease_gen: i64,
    /// When a payment may keep the units no longer.
    pub deadline_time: DateTime<Utc>,
    /// Whether its buyer gave up: the units then count as released, not as expired.
    pub released: bool,
    /// Trace of the call that opened it.
    pub traceparent: Option<String>,
    /// When it was opened.
    pub create_time: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct SagaRow {
    #[diesel(sql_type = SqlUuid)]
    saga_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    subject_id: Uuid,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Text)]
    direction: String,
    #[diesel(sql_type = Text)]
    step: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = BigInt)]
    lease_gen: i64,
    #[diesel(sql_type = Timestamptz)]
    deadline_time: DateTime<Utc>,
    #[diesel(sql_type = Binary)]
    context: Vec<u8>,
    #[diesel(sql_type = Nullable<Text>)]
    traceparent: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    create_time: DateTime<Utc>,
}

const COLUMNS: &str = "saga_id, subject_id, state, direction, step, attempts, lease_gen, deadline_time, context, traceparent, create_time";

/// Context of a saga whose buyer gave up.
const RELEASED: &[u8] = b"released";

impl SagaRow {
    fn read(self) -> QueryResult<Saga> {
        let at = Position {
            state: named(State::ALL, State::name, &self.state)?,
            direction: named(Direction::ALL, Direction::name, &self.direction)?,
            step: named(Step::ALL, Step::name, &self.step)?,
        };
        Ok(Saga {
            saga_id: self.saga_id,
            booking_id: self.subject_id,
            at,
            attempts: self.attempts,
            lease_gen: self.lease_gen,
            deadline_time: self.deadline_time,
            released: self.context == RELEASED,
            traceparent: self.traceparent,
            create_time: self.create_time,
        })
    }
}

pub(super) fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> QueryResult<T> {
    all.iter()
        .copied()
        .find(|value| name(*value) == text)
        .ok_or_else(|| broken(format!("saga {text}")))
}

/// A new saga, leased by who opens it under generation 1.
#[derive(Clone, Debug)]
pub struct NewSaga<'a> {
    /// Id.
    pub saga_id: Uuid,
    /// Its booking.
    pub booking_id: Uuid,
    /// Instance that opens it.
    pub owner: &'a str,
    /// How long it has it.
    pub lease: Duration,
    /// When a payment may keep the units no longer.
    pub deadline_time: DateTime<Utc>,
    /// Step that comes first: the coupons, or the payment of a booking without any.
    pub step: Step,
    /// Trace of the call.
    pub traceparent: Option<String>,
}

/// Inserts a saga whose first call is about to be made.
pub async fn insert(connection: &mut Connection, new: &NewSaga<'_>) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO saga (saga_id, kind, def_version, subject_id, state, direction, step, lease_owner, lease_until, \
         lease_gen, next_run_time, deadline_time, context, traceparent) VALUES ($1, $2, $3, $4, 'RUNNING', 'FORWARD', \
         $9, $5, clock_timestamp() + $6, 1, clock_timestamp(), $7, ''::bytea, $8)",
    )
    .bind::<SqlUuid, _>(new.saga_id)
    .bind::<Text, _>(KIND)
    .bind::<Integer, _>(match new.step {
        Step::Coupons => VERSION,
        _ => VERSION_WITHOUT_COUPONS,
    })
    .bind::<SqlUuid, _>(new.booking_id)
    .bind::<Text, _>(new.owner)
    .bind::<Interval, _>(interval(new.lease))
    .bind::<Timestamptz, _>(new.deadline_time)
    .bind::<Nullable<Text>, _>(new.traceparent.as_deref())
    .bind::<Text, _>(new.step.name())
    .execute(connection)
    .await?;
    Ok(())
}

/// A saga, unlocked.
pub async fn get(connection: &mut Connection, saga_id: Uuid) -> QueryResult<Option<Saga>> {
    let query = format!("SELECT {COLUMNS} FROM saga WHERE saga_id = $1");
    one(diesel::sql_query(query)
        .bind::<SqlUuid, _>(saga_id)
        .load(connection)
        .await?)
}

/// Locks a saga.
pub async fn lock(connection: &mut Connection, saga_id: Uuid) -> QueryResult<Option<Saga>> {
    let query = format!("SELECT {COLUMNS} FROM saga WHERE saga_id = $1 FOR UPDATE");
    one(diesel::sql_query(query)
        .bind::<SqlUuid, _>(saga_id)
        .load(connection)
        .await?)
}

/// The saga of a booking, unlocked.
pub async fn id_of_booking(
    connection: &mut Connection,
    booking_id: Uuid,
) -> QueryResult<Option<Uuid>> {
    let query = format!("SELECT {COLUMNS} FROM saga WHERE kind = $1 AND subject_id = $2");
    let query = diesel::sql_query(query)
        .bind::<Text, _>(KIND)
        .bind::<SqlUuid, _>(booking_id);
    Ok(one(query.load(connection).await?)?.map(|saga| saga.saga_id))
}

/// Locks the saga of a booking.
pub async fn lock_of_booking(
    connection: &mut Connection,
    booking_id: Uuid,
) -> QueryResult<Option<Saga>> {
    let query =
        format!("SELECT {COLUMNS} FROM saga WHERE kind = $1 AND subject_id = $2 FOR UPDATE");
    let query = diesel::sql_query(query)
        .bind::<Text, _>(KIND)
        .bind::<SqlUuid, _>(booking_id);
    one(query.load(connection).await?)
}

fn one(rows: Vec<SagaRow>) -> QueryResult<Option<Saga>> {
    rows.into_iter().next().map(SagaRow::read).transpose()
}

/// Claims due sagas of versions that this program knows. Others that claim at the same time get other ones.
pub async fn claim_due(
    connection: &mut Connection,
    owner: &str,
    lease: Duration,
    limit: i64,
) -> QueryResult<Vec<Saga>> {
    let query = format!(
        "UPDATE saga SET lease_owner = $1, lease_until = clock_timestamp() + $2, lease_gen = lease_gen + 1 \
         WHERE saga_id IN (SELECT saga_id FROM saga WHERE state IN ('RUNNING', 'WAITING', 'COMPENSATING') \
         AND next_run_time <= clock_timestamp() AND (lease_until IS NULL OR lease_until <= clock_timestamp()) \
         AND kind = $3 AND def_version <= $4 ORDER BY next_run_time LIMIT $5 FOR UPDATE SKIP LOCKED) \
         RETURNING {COLUMNS}"
    );
    let rows: Vec<SagaRow> = diesel::sql_query(query)
        .bind::<Text, _>(owner)
        .bind::<Interval, _>(interval(lease))
        .bind::<Text, _>(KIND)
        .bind::<Integer, _>(VERSION)
        .bind::<BigInt, _>(limit)
        .load(connection)
        .await?;
    rows.into_iter().map(SagaRow::read).collect()
}

/// Renews a lease. False: it is another's, or was given back.
pub async fn renew(
    connection: &mut Connection,
    saga_id: Uuid,
    lease_gen: i64,
    lease: Duration,
) -> QueryResult<bool> {
    let rows = diesel::sql_query(
        "UPDATE saga SET lease_until = clock_timestamp() + $3 \
         WHERE saga_id = $1 AND lease_gen = $2 AND lease_until IS NOT NULL",
    )
    .bind::<SqlUuid, _>(saga_id)
    .bind::<BigInt, _>(lease_gen)
    .bind::<Interval, _>(interval(lease))
    .execute(connection)
    .await?;
    Ok(rows == 1)
}

/// Lays a saga aside for a person. False: it is somebody else's now.
pub async fn park(
    connection: &mut Connection,
    saga: &Saga,
    reason: &str,
    by: &str,
) -> QueryResult<bool> {
    let rows = diesel::sql_query(
        "UPDATE saga SET state = 'PARKED', park_reason = $3, park_by = $4, park_time = clock_timestamp(), \
         lease_owner = NULL, lease_until = NULL, lease_gen = lease_gen + 1 WHERE saga_id = $1 AND lease_gen = $2",
    )
    .bind::<SqlUuid, _>(saga.saga_id)
    .bind::<BigInt, _>(saga.lease_gen)
    .bind::<Text, _>(reason)
    .bind::<Text, _>(by)
    .execute(connection)
    .await?;
    Ok(rows == 1)
}

/// Brings those back whose payment may keep the units no longer: laying a saga aside does not lay the deadline aside. They are WAITING,
/// so that the payment is asked about and not opened.
pub async fn unpark_overdue(connection: &mut Connection) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE saga SET state = CASE direction WHEN 'FORWARD' THEN 'WAITING' ELSE 'COMPENSATING' END, park_reason = NULL, \
         park_by = NULL, park_time = NULL, next_run_time = clock_timestamp(), lease_gen = lease_gen + 1 WHERE saga_id IN \
         (SELECT saga_id FROM saga WHERE state = 'PARKED' AND step IN ('coupons', 'pay', 'pin') AND deadline_time <= clock_timestamp() \
         FOR UPDATE SKIP LOCKED)",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What a saga becomes. Its lease ends.
#[derive(Clone, Debug)]
pub struct Moved<'a> {
    /// New position.
    pub to: Position,
    /// Attempts of the new step.
    pub attempts: i32,
    /// When it is due; `None`: now.
    pub due: Option<DateTime<Utc>>,
    /// Whether its buyer gave up.
    pub released: bool,
    /// Why the last attempt failed.
    pub error: Option<&'a str>,
}

/// Moves a saga that was read under `lease_gen`, gives its lease back and raises the generation. False: it is somebody else's now.
pub async fn advance(
    connection: &mut Connection,
    saga_id: Uuid,
    lease_gen: i64,
    moved: &Moved<'_>,
) -> QueryResult<bool> {
    let rows = diesel::sql_query(
        "UPDATE saga SET state = $3, direction = $4, step = $5, attempts = $6, \
         next_run_time = coalesce($7, clock_timestamp()), context = $8, last_error = $9, park_reason = NULL, park_by = NULL, \
         park_time = NULL, lease_owner = NULL, lease_until = NULL, lease_gen = lease_gen + 1 WHERE saga_id = $1 AND lease_gen = $2",
    )
    .bind::<SqlUuid, _>(saga_id)
    .bind::<BigInt, _>(lease_gen)
    .bind::<Text, _>(moved.to.state.name())
    .bind::<Text, _>(moved.to.direction.name())
    .bind::<Text, _>(moved.to.step.name())
    .bind::<Integer, _>(moved.attempts)
    .bind::<Nullable<Timestamptz>, _>(moved.due)
    .bind::<Binary, _>(if moved.released { RELEASED } else { b"" })
    .bind::<Nullable<Text>, _>(moved.error)
    .execute(connection)
    .await?;
    Ok(rows == 1)
}

/// Writes to a saga's timeline. The saga is locked, or new.
pub async fn note(
    connection: &mut Connection,
    saga_id: Uuid,
    step: &str,
    note: Note,
    lease_gen: i64,
) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO saga_event (saga_id, seq, step, kind, attempt, lease_gen) SELECT $1, \
         coalesce(max(seq) + 1, 0), $2, $3, count(*) FILTER (WHERE step = $2 AND kind = $3) + 1, $4 \
         FROM saga_event WHERE saga_id = $1",
    )
    .bind::<SqlUuid, _>(saga_id)
    .bind::<Text, _>(step)
    .bind::<Text, _>(note.name())
    .bind::<BigInt, _>(lease_gen)
    .execute(connection)
    .await?;
    Ok(())
}

fn interval(duration: Duration) -> PgInterval {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval::from_microseconds(micros)
}
