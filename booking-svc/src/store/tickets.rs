//! Tickets.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

/// A ticket to be issued.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// Id.
    pub ticket_id: Uuid,
    /// Booking.
    pub booking_id: Uuid,
    /// Line.
    pub line_no: i32,
    /// Number within the line.
    pub seq: i32,
    /// Holder.
    pub account_id: Uuid,
    /// Performance.
    pub performance_id: Uuid,
    /// Pool of the unit.
    pub pool_id: Uuid,
    /// Unit.
    pub ord: i32,
    /// Whether it is a seat.
    pub exclusive: bool,
    /// Key of the signature.
    pub key_id: i32,
    /// Signed code.
    pub code: String,
}

/// A ticket with the place it admits to.
#[derive(Clone, Debug, QueryableByName)]
pub struct TicketRow {
    /// Id.
    #[diesel(sql_type = SqlUuid)]
    pub ticket_id: Uuid,
    /// Booking.
    #[diesel(sql_type = SqlUuid)]
    pub booking_id: Uuid,
    /// Line.
    #[diesel(sql_type = Integer)]
    pub line_no: i32,
    /// Number within the line.
    #[diesel(sql_type = Integer)]
    pub seq: i32,
    /// Holder.
    #[diesel(sql_type = SqlUuid)]
    pub account_id: Uuid,
    /// Performance.
    #[diesel(sql_type = SqlUuid)]
    pub performance_id: Uuid,
    /// Unit.
    #[diesel(sql_type = Integer)]
    pub ord: i32,
    /// Zone.
    #[diesel(sql_type = Text)]
    pub zone: String,
    /// Row; empty for an area.
    #[diesel(sql_type = Text)]
    pub row_name: String,
    /// Number, or the name of an area.
    #[diesel(sql_type = Text)]
    pub number: String,
    /// Grade.
    #[diesel(sql_type = Text)]
    pub grade: String,
    /// ACTIVE or VOID.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Key of the signature.
    #[diesel(sql_type = Integer)]
    pub key_id: i32,
    /// Signed code.
    #[diesel(sql_type = Text)]
    pub code: String,
    /// When it was issued.
    #[diesel(sql_type = Timestamptz)]
    pub create_time: DateTime<Utc>,
}

const SELECT: &str = "SELECT t.ticket_id, t.booking_id, t.line_no, t.seq, t.account_id, t.performance_id, t.ord, \
     u.zone, coalesce(u.row_name, '') AS row_name, coalesce(u.number, '') AS number, u.grade, t.state, t.key_id, t.code, \
     t.create_time FROM ticket t JOIN performance f USING (performance_id) \
     JOIN hall_unit u ON u.hall_id = f.hall_id AND u.ord = t.ord";

/// One ticket.
pub async fn get(connection: &mut Connection, ticket_id: Uuid) -> QueryResult<Option<TicketRow>> {
    let query = format!("{SELECT} WHERE t.ticket_id = $1");
    let rows: Vec<TicketRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(ticket_id)
        .load(connection)
        .await?;
    Ok(rows.into_iter().next())
}

/// Tickets of a booking by line and number, after `after` (line, number).
pub async fn list(
    connection: &mut Connection,
    booking_id: Uuid,
    after: Option<(i32, i32)>,
    limit: i64,
) -> QueryResult<Vec<TicketRow>> {
    let query = format!(
        "{SELECT} WHERE t.booking_id = $1 AND ($2 IS NULL OR (t.line_no, t.seq) > ($2, $3)) \
         ORDER BY t.line_no, t.seq, t.reissue LIMIT $4"
    );
    diesel::sql_query(query)
        .bind::<SqlUuid, _>(booking_id)
        .bind::<Nullable<Integer>, _>(after.map(|(line, _)| line))
        .bind::<Nullable<Integer>, _>(after.map(|(_, seq)| seq))
        .bind::<BigInt, _>(limit)
        .load(connection)
        .await
}

/// How many tickets a booking has.
pub async fn count(connection: &mut Connection, booking_id: Uuid) -> QueryResult<i64> {
    let row: CountRow =
        diesel::sql_query("SELECT count(*) AS count FROM ticket WHERE booking_id = $1")
            .bind::<SqlUuid, _>(booking_id)
            .get_result(connection)
            .await?;
    Ok(row.count)
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Start and end of a performance: the validity of its tickets.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub struct Times {
    /// Start.
    #[diesel(sql_type = Timestamptz)]
    pub start_time: DateTime<Utc>,
    /// End.
    #[diesel(sql_type = Timestamptz)]
    pub end_time: DateTime<Utc>,
}

/// The times of a performance.
pub async fn times(connection: &mut Connection, performance_id: Uuid) -> QueryResult<Times> {
    diesel::sql_query("SELECT start_time, end_time FROM performance WHERE performance_id = $1")
        .bind::<SqlUuid, _>(performance_id)
        .get_result(connection)
        .await
}

/// Inserts a ticket; one that exists for the same line and number stays.
pub async fn insert(connection: &mut Connection, ticket: &NewTicket) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO ticket (ticket_id, booking_id, line_no, seq, reissue, account_id, performance_id, pool_id, ord, \
         exclusive, state, key_id, code) VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, 'ACTIVE', $10, $11) \
         ON CONFLICT ON CONSTRAINT ticket_seq DO NOTHING",
    )
    .bind::<SqlUuid, _>(ticket.ticket_id)
    .bind::<SqlUuid, _>(ticket.booking_id)
    .bind::<Integer, _>(ticket.line_no)
    .bind::<Integer, _>(ticket.seq)
    .bind::<SqlUuid, _>(ticket.account_id)
    .bind::<SqlUuid, _>(ticket.performance_id)
    .bind::<SqlUuid, _>(ticket.pool_id)
    .bind::<Integer, _>(ticket.ord)
    .bind::<Bool, _>(ticket.exclusive)
    .bind::<Integer, _>(ticket.key_id)
    .bind::<Text, _>(&ticket.code)
    .execute(connection)
    .await?;
    Ok(())
}
