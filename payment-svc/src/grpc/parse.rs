//! Requests to commands, with every violation told at once.

use chrono::{DateTime, Utc};
use mesh::money::Money;
use mesh::page::{List, PageRequest, SIZE_MAX};
use mesh::pg::idempotency::RequestHash;
use mesh::status::{INVALID_REQUEST, Violations};
use prost_types::Timestamp;
use proto::usher::payment::v1 as pb;
use proto::usher::r#type::v1 as types;
use tonic::Status;
use uuid::Uuid;

use super::convert;
use crate::app::cancel::{Cancel, CancelCall};
use crate::app::confirm::Confirm;
use crate::app::inquire::AskedInquiry;
use crate::app::read::Viewer;
use crate::app::refund::AskedRefund;
use crate::app::retry_refund::AskedRetry;
use crate::app::{After, Filter};
use crate::domain::{Method, NewPayment};

/// Longest order name of Toss, in characters.
const ORDER_NAME_CHARS_MAX: usize = 100;
/// Longest payment key of Toss, in characters.
const PAYMENT_KEY_CHARS_MAX: usize = 200;
/// Longest reason in the audit log, in characters.
const REASON_CHARS_MAX: usize = 200;

pub(super) fn create(request: &pb::CreatePaymentRequest) -> Result<NewPayment, Status> {
    let mut wrong = Violations::new();
    let payment_id = id(&mut wrong, "request_id", &request.request_id);
    let booking_id = id(&mut wrong, "booking_id", &request.booking_id);
    let account_id = id(&mut wrong, "account_id", &request.account_id);
    let order_name = text(
        &mut wrong,
        "order_name",
        &request.order_name,
        ORDER_NAME_CHARS_MAX,
    );
    let amount = money(&mut wrong, "amount", request.amount.as_ref());
    let expire_time = request
        .expire_time
        .as_ref()
        .and_then(|time| instant(&mut wrong, "expire_time", time));
    let method = method(&mut wrong, request, amount);
    let command = || {
        let provider = Some(request.provider.clone()).filter(|name| !name.is_empty());
        let method = method?;
        let expire_time = expire_time.filter(|_| method == Method::OnSite);
        Some(NewPayment {
            payment_id: payment_id?,
            booking_id: booking_id?,
            account_id: account_id?,
            method,
            provider,
            order_name: order_name?,
            amount: amount?,
            expire_time,
        })
    };
    let command = command();
    wrong.finish(&INVALID_REQUEST, command)
}

/// The method, with what it needs of the other fields.
fn method(
    wrong: &mut Violations,
    request: &pb::CreatePaymentRequest,
    amount: Option<Money>,
) -> Option<Method> {
    match request.method() {
        pb::PaymentMethod::OnSite => {
            require(
                wrong,
                !request.provider.is_empty(),
                "provider",
                "name the provider",
            );
            require(
                wrong,
                request.expire_time.is_some(),
                "expire_time",
                "set until when it can be confirmed",
            );
            require(
                wrong,
                amount.is_none_or(|amount| amount.minor_units > 0),
                "amount",
                "must be above 0",
            );
            Some(Method::OnSite)
        }
        pb::PaymentMethod::Free => {
            require(
                wrong,
                request.provider.is_empty(),
                "provider",
                "leave it empty for FREE",
            );
            require(
                wrong,
                amount.is_none_or(|amount| amount.minor_units == 0),
                "amount",
                "must be 0 for FREE",
            );
            Some(Method::Free)
        }
        pb::PaymentMethod::Unspecified => {
            wrong.add("method", "set ON_SITE or FREE");
            None
        }
    }
}

pub(super) fn get(request: &pb::GetPaymentRequest) -> Result<Uuid, Status> {
    let mut wrong = Violations::new();
    let payment_id = id(&mut wrong, "payment_id", &request.payment_id);
    wrong.finish(&INVALID_REQUEST, payment_id)
}

pub(super) fn list(
    request: &pb::ListPaymentsRequest,
    viewer: Viewer,
) -> Result<(List, Filter, PageRequest<After>), Status> {
    let mut wrong = Violations::new();
    let asked = pb::ListPaymentsRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let booking_id = if request.booking_id.is_empty() {
        None
    } else {
        id(&mut wrong, "booking_id", &request.booking_id)
    };
    if pb::PaymentState::try_from(request.state).is_err() {
        wrong.add("state", "is not a state of this version");
    }
    let account_id = match viewer {
        Viewer::Account(account_id) => Some(account_id),
        Viewer::Everyone => None,
    };
    let filter = Filter {
        account_id,
        booking_id,
        state: convert::filter_state(request.state()),
    };
    let list = List::new("ListPayments", &asked);
    let (size, token) = (request.page_size, &request.page_token);
    let page = list.page(size, SIZE_MAX, token, |field, problem| {
        wrong.add(field, problem);
    });
    wrong.finish(&INVALID_REQUEST, Some((list, filter, page)))
}

pub(super) fn confirm(
    request: &pb::ConfirmPaymentRequest,
    account_id: Uuid,
) -> Result<Confirm, Status> {
    let mut wrong = Violations::new();
    let request_id = id(&mut wrong, "request_id", &request.request_id);
    let payment_id = id(&mut wrong, "payment_id", &request.payment_id);
    let payment_key = text(
        &mut wrong,
        "payment_key",
        &request.payment_key,
        PAYMENT_KEY_CHARS_MAX,
    );
    let amount = money(&mut wrong, "amount", request.amount.as_ref());
    let hash = RequestHash::of(request);
    let command = || {
        Some(Confirm {
            request_id: request_id?,
            hash,
            account_id,
            payment_id: payment_id?,
            payment_key: payment_key?,
            amount: amount?,
        })
    };
    let command = command();
    wrong.finish(&INVALID_REQUEST, command)
}

pub(super) fn inquire(
    request: &pb::InquirePaymentRequest,
    account_id: Uuid,
) -> Result<AskedInquiry, Status> {
    let mut wrong = Violations::new();
    let request_id = id(&mut wrong, "request_id", &request.request_id);
    let payment_id = id(&mut wrong, "payment_id", &request.payment_id);
    let reason = text(&mut wrong, "reason", &request.reason, REASON_CHARS_MAX);
    let hash = RequestHash::of(request);
    let command = || {
        Some(AskedInquiry {
            request_id: request_id?,
            hash,
            account_id,
            payment_id: payment_id?,
            reason: reason?,
        })
    };
    let command = command();
    wrong.finish(&INVALID_REQUEST, command)
}

pub(super) fn cancel(
    request: &pb::CancelPaymentRequest,
    subject: String,
) -> Result<CancelCall, Status> {
    let mut wrong = Violations::new();
    let request_id = id(&mut wrong, "request_id", &request.request_id);
    let payment_id = id(&mut wrong, "payment_id", &request.payment_id);
    let booking_id = id(&mut wrong, "booking_id", &request.booking_id);
    let reason = text(&mut wrong, "reason", &request.reason, REASON_CHARS_MAX);
    let hash = RequestHash::of(request);
    let command = || {
        let cancel = Cancel {
            payment_id: payment_id?,
            booking_id: booking_id?,
        };
        Some(CancelCall {
            request_id: request_id?,
            hash,
            subject,
            reason: reason?,
            cancel,
        })
    };
    let command = command();
    wrong.finish(&INVALID_REQUEST, command)
}

pub(super) fn refund(
    request: &pb::RefundPaymentRequest,
    subject: String,
) -> Result<AskedRefund, Status> {
    let mut wrong = Violations::new();
    let refund_id = id(&mut wrong, "request_id", &request.request_id);
    let payment_id = id(&mut wrong, "payment_id", &request.payment_id);
    let reason = text(&mut wrong, "reason", &request.reason, REASON_CHARS_MAX);
    let amount = request
        .amount
        .as_ref()
        .and_then(|amount| money(&mut wrong, "amount", Some(amount)));
    require(
        &mut wrong,
        amount.is_none_or(|amount| amount.minor_units > 0),
        "amount",
        "must be above 0, or absent for all that is left",
    );
    let hash = RequestHash::of(request);
    let command = || {
        Some(AskedRefund {
            refund_id: refund_id?,
            hash,
            subject,
            reason: reason?,
            payment_id: payment_id?,
            amount,
        })
    };
    let command = command();
    wrong.finish(&INVALID_REQUEST, command)
}

pub(super) fn retry(
    request: &pb::RetryRefundRequest,
    account_id: Uuid,
) -> Result<AskedRetry, Status> {
    let mut wrong = Violations::new();
    let request_id = id(&mut wrong, "request_id", &request.request_id);
    let refund_id = id(&mut wrong, "refund_id", &request.refund_id);
    let reason = text(&mut wrong, "reason", &request.reason, REASON_CHARS_MAX);
    let hash = RequestHash::of(request);
    let command = || {
        Some(AskedRetry {
            request_id: request_id?,
            hash,
            account_id,
            refund_id: refund_id?,
            reason: reason?,
        })
    };
    let command = command();
    wrong.finish(&INVALID_REQUEST, command)
}

fn id(wrong: &mut Violations, field: &str, text: &str) -> Option<Uuid> {
    let id = mesh::id::parse(text);
    require(wrong, id.is_some(), field, "must be a UUID");
    id
}

fn text(wrong: &mut Violations, field: &str, text: &str, chars_max: usize) -> Option<String> {
    let fits = !text.trim().is_empty()
        && text.chars().count() <= chars_max
        && !text.chars().any(char::is_control);
    require(
        wrong,
        fits,
        field,
        &format!("must have 1..{chars_max} characters and no control characters"),
    );
    fits.then(|| text.to_owned())
}

fn money(wrong: &mut Violations, field: &str, money: Option<&types::Money>) -> Option<Money> {
    let read =
        money.and_then(|money| Some(Money::new(money.minor_units, money.currency.parse().ok()?)));
    let read = read.filter(|money| money.minor_units >= 0);
    require(
        wrong,
        read.is_some(),
        field,
        "must have minor units from 0 on and an ISO 4217 code in capitals",
    );
    read
}

fn instant(wrong: &mut Violations, field: &str, time: &Timestamp) -> Option<DateTime<Utc>> {
    let read = u32::try_from(time.nanos)
        .ok()
        .and_then(|nanos| DateTime::from_timestamp(time.seconds, nanos));
    require(
        wrong,
        read.is_some(),
        field,
        "must be a time of the calendar",
    );
    read
}

fn require(wrong: &mut Violations, holds: bool, field: &str, remedy: &str) {
    if !holds {
        wrong.add(field, remedy);
    }
}
