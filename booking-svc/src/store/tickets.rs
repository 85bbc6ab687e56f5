//! Tickets.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::money::Money;
use mesh::pg::Connection;
use uuid::Uuid;

use super::{broken, count as counted, currency};
use crate::domain::price::place_share;
use crate::domain::ticket::{Ticket, TicketState};

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

#[derive(QueryableByName)]
struct TicketRow {
    #[diesel(sql_type = SqlUuid)]
    ticket_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    booking_id: Uuid,
    #[diesel(sql_type = Integer)]
    line_no: i32,
    #[diesel(sql_type = Integer)]
    seq: i32,
    #[diesel(sql_type = SqlUuid)]
    account_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    performance_id: Uuid,
    #[diesel(sql_type = Integer)]
    ord: i32,
    #[diesel(sql_type = Text)]
    zone: String,
    #[diesel(sql_type = Text)]
    row_name: String,
    #[diesel(sql_type = Text)]
    number: String,
    #[diesel(sql_type = Text)]
    grade: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Integer)]
    key_id: i32,
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = Timestamptz)]
    create_time: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    unit_amount: i64,
    #[diesel(sql_type = Integer)]
    quantity: i32,
    #[diesel(sql_type = BigInt)]
    discount: i64,
    #[diesel(sql_type = Text)]
    currency: String,
}

impl TicketRow {
    fn into_ticket(self) -> QueryResult<Ticket> {
        let (quantity, seq) = (self.quantity.into(), self.seq.into());
        let paid = self.unit_amount - place_share(self.discount, quantity, seq);
        let unknown = || broken(format!("ticket state {:?}", self.state));
        Ok(Ticket {
            state: TicketState::parse(&self.state).ok_or_else(unknown)?,
            ticket_id: self.ticket_id,
            booking_id: self.booking_id,
            line_no: counted(self.line_no)?,
            seq: counted(self.seq)?,
            account_id: self.account_id,
            performance_id: self.performance_id,
            ord: counted(self.ord)?,
            zone: self.zone,
            row: self.row_name,
            number: self.number,
            grade: self.grade,
            key_id: counted(self.key_id)?,
            code: self.code,
            create_time: self.create_time,
            paid: Money::new(paid, currency(&self.currency)?),
        })
    }
}

const SELECT: &str = "SELECT t.ticket_id, t.booking_id, t.line_no, t.seq, t.account_id, t.performance_id, t.ord, \
     u.zone, coalesce(u.row_name, '') AS row_name, coalesce(u.number, '') AS number, u.grade, t.state, t.key_id, t.code, \
     t.create_time, l.unit_amount, l.quantity, b.currency::text, coalesce((SELECT sum(d.amount) FROM booking_discount d \
     WHERE d.booking_id = t.booking_id AND d.line_no = t.line_no), 0)::bigint AS discount \
     FROM ticket t JOIN performance f USING (performance_id) JOIN hall_unit u ON u.hall_id = f.hall_id AND u.ord = t.ord \
     JOIN booking b USING (booking_id) JOIN booking_line l USING (booking_id, line_no)";

/// One ticket.
pub async fn get(connection: &mut Connection, ticket_id: Uuid) -> QueryResult<Option<Ticket>> {
    let query = format!("{SELECT} WHERE t.ticket_id = $1");
    let rows: Vec<TicketRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(ticket_id)
        .load(connection)
        .await?;
    rows.into_iter()
        .next()
        .map(TicketRow::into_ticket)
        .transpose()
}

/// Tickets of a booking by line and number, after `after` (line, number).
pub async fn list(
    connection: &mut Connection,
    booking_id: Uuid,
    after: Option<(i32, i32)>,
    limit: i64,
) -> QueryResult<Vec<Ticket>> {
    let query = format!(
        "{SELECT} WHERE t.booking_id = $1 AND ($2 IS NULL OR (t.line_no, t.seq) > ($2, $3)) \
         ORDER BY t.line_no, t.seq, t.reissue LIMIT $4"
    );
    let rows: Vec<TicketRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(booking_id)
        .bind::<Nullable<Integer>, _>(after.map(|(line, _)| line))
        .bind::<Nullable<Integer>, _>(after.map(|(_, seq)| seq))
        .bind::<BigInt, _>(limit)
        .load(connection)
        .await?;
    rows.into_iter().map(TicketRow::into_ticket).collect()
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
