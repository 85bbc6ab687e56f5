//! Calls to payment-svc, and in `coupons` to coupon-svc: the only places where a Status becomes something the saga understands.

use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh::client::{self, Peer};
use mesh::clock;
use mesh::money::Money;
use proto::usher::payment::v1::payment_service_client::PaymentServiceClient;
use proto::usher::payment::v1::{
    CreatePaymentRequest, GetPaymentRequest, Payment, PaymentMethod, PaymentState,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::domain::booking::{Method, PROVIDER};
use crate::domain::saga::News;

mod coupons;

pub use coupons::{Coupons, Quoted, Reservation, Reserved};

/// Time of one try: a payment is opened locally in milliseconds, no provider is asked.
const TRY_LIMIT: Duration = Duration::from_millis(800);
/// Tries in a row before the saga rests and comes again: together shorter than the shortest lease, 2 s.
const TRIES: u32 = 2;

/// The way to payment-svc.
#[derive(Clone, Debug)]
pub struct Payments {
    client: PaymentServiceClient<Peer>,
}

/// A payment to be opened.
#[derive(Clone, Debug)]
pub struct PaymentOrder {
    /// Id, the same in every try.
    pub payment_id: Uuid,
    /// Booking it pays.
    pub booking_id: Uuid,
    /// Buyer.
    pub account_id: Uuid,
    /// What the provider shows to the buyer.
    pub order_name: String,
    /// Amount.
    pub amount: Money,
    /// Method.
    pub method: Method,
    /// Until when it can be confirmed.
    pub expire_time: DateTime<Utc>,
}

/// What is known of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It waits for its buyer, or for the provider: news will come.
    Open,
    /// This became of it.
    News(News),
    /// payment-svc does not know it.
    Absent,
    /// payment-svc did not answer, or not clearly: nothing is known.
    Unclear(String),
}

impl Payments {
    /// Calls through `peer`.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        Self {
            client: PaymentServiceClient::new(peer),
        }
    }

    /// Opens a payment; safe to repeat, the id is the request's.
    pub async fn open(&self, order: &PaymentOrder) -> Known {
        let request = CreatePaymentRequest {
            request_id: order.payment_id.to_string(),
            booking_id: order.booking_id.to_string(),
            account_id: order.account_id.to_string(),
            order_name: order.order_name.clone(),
            amount: Some(order.amount.into()),
            method: method(order.method).into(),
            provider: provider(order.method),
            expire_time: Some(clock::to_timestamp(order.expire_time)),
        };
        let mut last = String::new();
        for _ in 0..TRIES {
            let mut client = self.client.clone();
            let call = client.create_payment(client::request(request.clone(), TRY_LIMIT));
            match call.await.map(|response| response.into_inner().payment) {
                Ok(payment) => return known(payment, order.amount),
                Err(status) if reason(&status) == "PAYMENT_CANCELLED" => {
                    return Known::News(News::Gone);
                }
                Err(status) => last = text(&status),
            }
        }
        Known::Unclear(last)
    }

    /// Asks what became of a payment of `amount`.
    pub async fn ask(&self, payment_id: Uuid, amount: Money) -> Known {
        let request = GetPaymentRequest {
            payment_id: payment_id.to_string(),
        };
        let mut client = self.client.clone();
        match client
            .get_payment(client::request(request, TRY_LIMIT))
            .await
        {
            Ok(response) => known(response.into_inner().payment, amount),
            Err(status) if status.code() == Code::NotFound => Known::Absent,
            Err(status) => Known::Unclear(text(&status)),
        }
    }
}

fn known(payment: Option<Payment>, amount: Money) -> Known {
    let Some(payment) = payment else {
        return Known::Unclear("an answer without payment".into());
    };
    let declined = |payment: &Payment| News::Declined {
        code: payment
            .last_decline
            .as_ref()
            .map(|it| it.provider_code.clone())
            .unwrap_or_default(),
        may_retry: false,
    };
    match payment.state() {
        PaymentState::AwaitingCustomer | PaymentState::Processing | PaymentState::Unknown => {
            Known::Open
        }
        PaymentState::Captured | PaymentState::PartiallyRefunded => {
            // Not what was captured: money that came a second time is on its way back and is nobody's.
            let right = payment.kept_amount == Some(amount.into());
            Known::News(if right {
                News::Captured
            } else {
                News::WrongAmount
            })
        }
        PaymentState::Declined => Known::News(declined(&payment)),
        PaymentState::Expired => Known::News(News::Expired),
        PaymentState::Cancelled | PaymentState::Refunded => Known::News(News::Gone),
        PaymentState::Unspecified => Known::Unclear("a payment without state".into()),
    }
}

fn method(method: Method) -> PaymentMethod {
    match method {
        Method::OnSite => PaymentMethod::OnSite,
        Method::Free => PaymentMethod::Free,
    }
}

fn provider(method: Method) -> String {
    match method {
        Method::OnSite => PROVIDER.to_owned(),
        Method::Free => String::new(),
    }
}

fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}

fn text(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
