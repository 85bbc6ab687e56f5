//! What a hold costs with coupons, before anybody books it.

use mesh::pg::{self, Connection, TxError};
use uuid::Uuid;

use super::create_booking::Error;
use crate::clients::Quoted;
use crate::domain::booking::{BookingRefusal, bookable, discounted};
use crate::domain::price::{CouponChoice, Quote};
use crate::saga::Sagas;
use crate::store::{holds, prices};

/// Quotes a hold of `account_id` with these coupons. Nothing is held.
pub async fn quote_booking(
    sagas: &Sagas,
    account_id: Uuid,
    hold_id: Uuid,
    choice: &CouponChoice,
) -> Result<Quote, Error> {
    let read = async move |connection: &mut Connection| {
        let hold = holds::get(connection, hold_id).await?;
        let lines = prices::order(connection, hold_id).await?;
        Ok((hold, lines, pg::now(connection).await?))
    };
    let (hold, lines, now) = sagas
        .inner
        .database
        .read(read)
        .await
        .map_err(TxError::widen)?;
    let hold = hold.ok_or(BookingRefusal::HoldNotFound)?;
    bookable(&hold, account_id, now)?;
    let coupons = match sagas.inner.coupons.quote(account_id, &lines, choice).await {
        Quoted::Quote(quote) => quote,
        Quoted::NotUsable(coupons) => return Err(BookingRefusal::CouponsNotUsable(coupons).into()),
        Quoted::Fault(problem) => return Err(BookingRefusal::CouponsFault(problem).into()),
        Quoted::Unclear(problem) => {
            tracing::warn!(%hold_id, "coupons are not quoted: {problem}");
            return Err(BookingRefusal::CouponsAway.into());
        }
    };
    Ok(Quote {
        hold_id,
        lines,
        subtotal: hold.total,
        total: discounted(hold.total, &coupons.discounts),
        coupons,
    })
}
