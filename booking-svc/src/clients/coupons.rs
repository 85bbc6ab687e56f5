//! Calls to coupon-svc: the only place where its Status becomes something that bookings understand.

use std::time::Duration;

use mesh::client::{self, Peer};
use mesh::status::UNLISTED;
use mesh::{clock, id};
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::coupon_service_client::CouponServiceClient;
use proto::usher::coupon::v1::reservation_service_client::ReservationServiceClient;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use super::{reason, text};
use crate::domain::price::{
    CouponChoice, CouponQuote, Discount, NotUsable, OrderLine, Part, Unusable, Unused, check,
};

/// Time of one try: coupon-svc answers in milliseconds, the search for the best combination included.
const TRY_LIMIT: Duration = Duration::from_millis(800);
/// Tries of a quote, whose caller waits: once more after a lost connection.
const QUOTE_TRIES: u32 = 2;
/// Tries of a reservation in a row before the saga rests and comes again: together shorter than the shortest lease, 2 s.
const RESERVE_TRIES: u32 = 2;

/// The way to coupon-svc.
#[derive(Clone, Debug)]
pub struct Coupons {
    quotes: CouponServiceClient<Peer>,
    reservations: ReservationServiceClient<Peer>,
}

/// What coupon-svc says about the coupons of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quoted {
    /// What they take off.
    Quote(CouponQuote),
    /// These of the chosen ones cannot be used.
    NotUsable(NotUsable),
    /// coupon-svc took the question for wrong, or its answer does not fit the order: it would be the same the next time.
    Fault(String),
    /// coupon-svc did not answer, or not clearly.
    Unclear(String),
}

/// What became of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The coupons are the booking's.
    Done,
    /// They are not, and will not be.
    Refused(String),
    /// coupon-svc did not answer, or not clearly: nothing is known.
    Unclear(String),
}

/// Coupons to be reserved.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// Id, the same in every try.
    pub reservation_id: Uuid,
    /// Booking.
    pub booking_id: Uuid,
    /// Owner of the coupons.
    pub account_id: Uuid,
    /// Coupons.
    pub coupons: Vec<Uuid>,
}

impl Coupons {
    /// Calls through `peer`.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        Self {
            quotes: CouponServiceClient::new(peer.clone()),
            reservations: ReservationServiceClient::new(peer),
        }
    }

    /// Asks what coupons of an account take off these lines, which have one currency.
    pub async fn quote(
        &self,
        account_id: Uuid,
        lines: &[OrderLine],
        choice: &CouponChoice,
    ) -> Quoted {
        let coupon_ids = match choice {
            CouponChoice::None => return Quoted::Quote(CouponQuote::default()),
            CouponChoice::Chosen(coupons) => coupons.iter().map(Uuid::to_string).collect(),
            CouponChoice::Best => Vec::new(),
        };
        let currency = lines.first().map(|line| line.unit_price.currency);
        let request = pb::QuoteBestRequest {
            account_id: account_id.to_string(),
            currency: currency.map(|it| it.code().to_owned()).unwrap_or_default(),
            lines: lines.iter().map(order_line).collect(),
            coupon_ids,
        };
        let mut last = String::new();
        for _ in 0..QUOTE_TRIES {
            let mut client = self.quotes.clone();
            let call = client.quote_best(client::request(request.clone(), TRY_LIMIT));
            let answer = call.await.map(|response| response.into_inner().quote);
            match quoted(answer, lines) {
                Ok(quoted) => return quoted,
                Err(problem) => last = problem,
            }
        }
        Quoted::Unclear(last)
    }

    /// Reserves coupons for a booking; safe to repeat.
    pub async fn reserve(&self, wanted: &Reservation) -> Reserved {
        let request = pb::ReserveCouponsRequest {
            request_id: wanted.reservation_id.to_string(),
            booking_id: wanted.booking_id.to_string(),
            account_id: wanted.account_id.to_string(),
            coupon_ids: wanted.coupons.iter().map(Uuid::to_string).collect(),
        };
        let mut last = String::new();
        for _ in 0..RESERVE_TRIES {
            let mut client = self.reservations.clone();
            let call = client.reserve_coupons(client::request(request.clone(), TRY_LIMIT));
            match reserved(call.await.map(drop)) {
                Ok(reserved) => return reserved,
                Err(problem) => last = problem,
            }
        }
        Reserved::Unclear(last)
    }
}

/// What an answer says; fails with the problem where the next try may be answered otherwise.
fn quoted(
    answer: Result<Option<pb::Quote>, Status>,
    lines: &[OrderLine],
) -> Result<Quoted, String> {
    match answer {
        Ok(quote) => Ok(understood(quote, lines)),
        Err(status) if reason(&status) == "COUPONS_NOT_USABLE" => {
            Ok(Quoted::NotUsable(unusable(&status)))
        }
        Err(status) if is_final(status.code()) => Ok(Quoted::Fault(text(&status))),
        Err(status) => Err(text(&status)),
    }
}

/// The same of a reservation.
fn reserved(answer: Result<(), Status>) -> Result<Reserved, String> {
    match answer {
        Ok(()) => Ok(Reserved::Done),
        // Whatever the state of coupons or reservation is, waiting does not change it back.
        Err(status) if is_final(status.code()) => Ok(Reserved::Refused(text(&status))),
        Err(status) => Err(text(&status)),
    }
}

/// Whether who asks the same again is answered the same. What else went wrong may be over by then.
fn is_final(code: Code) -> bool {
    matches!(code, Code::InvalidArgument | Code::FailedPrecondition)
}

fn order_line(line: &OrderLine) -> pb::OrderLine {
    pb::OrderLine {
        line_no: line.line_no.unsigned_abs(),
        seller_id: line.seller_id.to_string(),
        show_id: line.show_id.to_string(),
        performance_id: line.performance_id.to_string(),
        category: line.category.clone(),
        grade: line.grade.clone(),
        pool_id: line.unit.pool_id.to_string(),
        ord: line.unit.ord.unsigned_abs(),
        property_id: String::new(),
        // Both count from Monday, 1.
        weekday: line.weekday,
        quantity: line.quantity.unsigned_abs(),
        unit_price: line.unit_price.minor_units,
    }
}

/// A quote that fits the lines it was asked for.
fn understood(quote: Option<pb::Quote>, lines: &[OrderLine]) -> Quoted {
    let Some(quote) = quote else {
        return Quoted::Fault("an answer without quote".into());
    };
    let discounts: Option<Vec<Discount>> = quote.applied.iter().map(discount).collect();
    let Some(discounts) = discounts else {
        return Quoted::Fault("a quote with an id or a number that is none".into());
    };
    if let Err(misfit) = check(lines, &discounts) {
        return Quoted::Fault(misfit.to_string());
    }
    Quoted::Quote(CouponQuote {
        discounts,
        unused: quote.unused.into_iter().map(unused).collect(),
        exact: quote.exact,
    })
}

fn discount(applied: &pb::AppliedCoupon) -> Option<Discount> {
    let part = |part: &pb::Allocation| {
        Some(Part {
            line_no: i32::try_from(part.line_no).ok()?,
            amount: part.amount,
            platform_amount: part.platform_pays,
        })
    };
    Some(Discount {
        coupon_id: id::parse(&applied.coupon_id)?,
        campaign_id: id::parse(&applied.campaign_id)?,
        parts: applied
            .allocations
            .iter()
            .map(part)
            .collect::<Option<_>>()?,
    })
}

fn unused(unused: pb::UnusedCoupon) -> Unused {
    Unused {
        coupon_id: unused.coupon_id,
        reason: unused.reason,
        amount: unused.amount,
        time: unused.time.and_then(|time| clock::from_timestamp(&time)),
        coupon_ids: unused.coupon_ids,
        group: unused.group,
    }
}

fn unusable(status: &Status) -> NotUsable {
    let details = status.get_error_details();
    let unlisted = details
        .error_info()
        .and_then(|info| info.metadata.get(UNLISTED));
    let failures = details.precondition_failure().map(|it| &it.violations);
    let failures = failures.into_iter().flatten();
    let unusable = failures.map(|failure| Unusable {
        coupon_id: failure.subject.clone(),
        kind: failure.r#type.clone(),
        description: failure.description.clone(),
    });
    NotUsable {
        coupons: unusable.collect(),
        unlisted: unlisted
            .and_then(|count| count.parse().ok())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
