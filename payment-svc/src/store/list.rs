//! Payments in pages, newest first.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::attempt;
use super::payment::{PaymentRow, Stored, read};
use super::schema::payment;
use super::words::Word;
use crate::domain::{Payment, State};

/// Which payments. An absent filter takes any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only of this account.
    pub account_id: Option<Uuid>,
    /// Only of this booking.
    pub booking_id: Option<Uuid>,
    /// Only in this state.
    pub state: Option<State>,
}

/// The place after a payment: when it was created, and its id.
pub type After = (DateTime<Utc>, Uuid);

/// At most `limit` payments that match, after `after`. Tombstones are none.
pub async fn page(
    connection: &mut AsyncPgConnection,
    filter: Filter,
    after: Option<After>,
    limit: i64,
) -> QueryResult<Vec<Payment>> {
    let mut query = payment::table
        .filter(payment::method.is_not_null())
        .select(PaymentRow::as_select())
        .into_boxed();
    if let Some(account_id) = filter.account_id {
        query = query.filter(payment::account_id.eq(account_id));
    }
    if let Some(booking_id) = filter.booking_id {
        query = query.filter(payment::booking_id.eq(booking_id));
    }
    if let Some(state) = filter.state {
        query = query.filter(payment::state.eq(state.word()));
    }
    if let Some((create_time, payment_id)) = after {
        let older = payment::create_time.lt(create_time);
        query = query.filter(
            older.or(payment::create_time
                .eq(create_time)
                .and(payment::payment_id.lt(payment_id))),
        );
    }
    let rows: Vec<PaymentRow> = query
        .order((payment::create_time.desc(), payment::payment_id.desc()))
        .limit(limit)
        .load(connection)
        .await?;
    let mut payments = Vec::with_capacity(rows.len());
    for row in rows {
        if let Stored::Payment(mut payment, _) = read(row)? {
            payment.attempt = attempt::last(connection, payment.payment_id).await?;
            payments.push(*payment);
        }
    }
    Ok(payments)
}
