//! Sagas as operators see and move them.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use super::sagas::{Saga, named};
use crate::domain::saga::{Direction, State};

/// Everything about a saga but its context, which may say what is nobody's business.
#[derive(Clone, Debug, QueryableByName)]
pub struct Record {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub saga_id: Uuid,
    /// Definition.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Version of the definition.
    #[diesel(sql_type = Integer)]
    pub def_version: i32,
    /// Booking.
    #[diesel(sql_type = SqlUuid)]
    pub subject_id: Uuid,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Text)]
    direction: String,
    /// Step it is at.
    #[diesel(sql_type = Text)]
    pub step: String,
    /// Attempts of the step.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// Who works on it.
    #[diesel(sql_type = Nullable<Text>)]
    pub lease_owner: Option<String>,
    /// When it is due.
    #[diesel(sql_type = Timestamptz)]
    pub next_run_time: DateTime<Utc>,
    /// When its payment may keep the units no longer.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub deadline_time: Option<DateTime<Utc>>,
    /// Why the last attempt failed.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
    /// Why it is parked.
    #[diesel(sql_type = Nullable<Text>)]
    pub park_reason: Option<String>,
    /// Who parked it.
    #[diesel(sql_type = Nullable<Text>)]
    pub park_by: Option<String>,
    /// When.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub park_time: Option<DateTime<Utc>>,
    /// When it was opened.
    #[diesel(sql_type = Timestamptz)]
    pub create_time: DateTime<Utc>,
}

impl Record {
    /// Where it stands.
    pub fn state(&self) -> QueryResult<State> {
        named(State::ALL, State::name, &self.state)
    }

    /// Which way it goes.
    pub fn direction(&self) -> QueryResult<Direction> {
        named(Direction::ALL, Direction::name, &self.direction)
    }
}

const COLUMNS: &str = "saga_id, kind, def_version, subject_id, state, direction, step, attempts, lease_owner, next_run_time, deadline_time, \
     last_error, park_reason, park_by, park_time, create_time";

/// Which sagas.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this definition.
    pub kind: Option<String>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this booking.
    pub booking_id: Option<Uuid>,
    /// Only those opened at least this many seconds ago.
    pub min_age_seconds: i64,
}

/// At most `limit` sagas that match, newest first, behind `before`.
pub async fn list(
    connection: &mut Connection,
    filter: &Filter,
    before: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<Record>> {
    let query = format!(
        "SELECT {COLUMNS} FROM saga WHERE ($1 IS NULL OR kind = $1) AND ($2 IS NULL OR state = $2) \
         AND ($3 IS NULL OR subject_id = $3) AND create_time <= clock_timestamp() - make_interval(secs => $4) \
         AND ($5 IS NULL OR saga_id < $5) ORDER BY saga_id DESC LIMIT $6"
    );
    diesel::sql_query(query)
        .bind::<Nullable<Text>, _>(filter.kind.as_deref())
        .bind::<Nullable<Text>, _>(filter.state.map(State::name))
        .bind::<Nullable<SqlUuid>, _>(filter.booking_id)
        .bind::<BigInt, _>(filter.min_age_seconds)
        .bind::<Nullable<SqlUuid>, _>(before)
        .bind::<BigInt, _>(limit)
        .load(connection)
        .await
}

/// One saga.
pub async fn get(connection: &mut Connection, saga_id: Uuid) -> QueryResult<Option<Record>> {
    let query = format!("SELECT {COLUMNS} FROM saga WHERE saga_id = $1");
    let rows: Vec<Record> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(saga_id)
        .load(connection)
        .await?;
    Ok(rows.into_iter().next())
}

/// An entry of a timeline.
#[derive(Clone, Debug, QueryableByName)]
pub struct Event {
    /// Number.
    #[diesel(sql_type = Integer)]
    pub seq: i32,
    /// Step.
    #[diesel(sql_type = Text)]
    pub step: String,
    /// What happened.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Attempt of the step.
    #[diesel(sql_type = Integer)]
    pub attempt: i32,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub create_time: DateTime<Utc>,
}

/// The timeline of a saga, oldest first.
pub async fn timeline(connection: &mut Connection, saga_id: Uuid) -> QueryResult<Vec<Event>> {
    diesel::sql_query(
        "SELECT seq, step, kind, attempt, create_time FROM saga_event WHERE saga_id = $1 ORDER BY seq",
    )
    .bind::<SqlUuid, _>(saga_id)
    .load(connection)
    .await
}

/// Makes a locked saga due now. Whoever works on it is fenced; a parked one goes on in its direction.
pub async fn make_due(connection: &mut Connection, saga: &Saga) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE saga SET state = CASE WHEN state <> 'PARKED' THEN state WHEN direction = 'FORWARD' THEN 'RUNNING' ELSE 'COMPENSATING' END, \
         park_reason = NULL, park_by = NULL, park_time = NULL, next_run_time = clock_timestamp(), attempts = 0, lease_owner = NULL, \
         lease_until = NULL, lease_gen = lease_gen + 1 WHERE saga_id = $1 AND lease_gen = $2",
    )
    .bind::<SqlUuid, _>(saga.saga_id)
    .bind::<BigInt, _>(saga.lease_gen)
    .execute(connection)
    .await?;
    Ok(())
}
