//! The whole service over gRPC and the broker: who may call, what is refused, and the command that comes as a message.

use std::sync::{Arc, Mutex};

use mesh::amqp::{Broker, ConsumerOptions, Handler, Message, Poison, Publisher, consume};
use mesh::events::Events;
use mesh::faults::Faults;
use mesh::health::Health;
use mesh::identity::Role;
use mesh::outbox::{Relay, RelayOptions, Waker, append};
use mesh::pg::testing::TestDatabase;
use mesh::pg::{Connection, Database, DatabaseOptions, TxError, migrate};
use mesh::tasks::Tasks;
use mesh::timings::Timings;
use proto::usher::booking::events::v1::CancelPaymentCommand;
use proto::usher::payment::v1 as pb;
use proto::usher::r#type::v1::Money;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::service::{Caller, Order, Service, amqp_url, reason};
use crate::shop::{AMOUNT, until};

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_may_do_what_is_theirs_and_no_more() {
    let service = Service::start().await;
    let (buyer, other) = (mesh::id::new(), mesh::id::new());
    let order = service.paid(buyer).await;
    let (owner, thief, operator) = (
        Caller::Account(buyer, Role::User),
        Caller::Account(other, Role::User),
        Caller::Account(other, Role::Admin),
    );

    let shown = service.get(order.payment_id, &owner).await.unwrap();
    assert_eq!(
        (shown.order_id, shown.captured_amount.unwrap().minor_units),
        (order.payment_id.to_string(), AMOUNT)
    );
    assert!(service.get(order.payment_id, &operator).await.is_ok());
    assert_eq!(
        reason(&service.get(order.payment_id, &thief).await.unwrap_err()),
        "PAYMENT_NOT_FOUND"
    );
    assert_eq!(
        service
            .get(order.payment_id, &Caller::Nobody)
            .await
            .unwrap_err()
            .code(),
        Code::Unauthenticated
    );
    let outsider = service
        .get(order.payment_id, &Caller::Peer("queue-svc"))
        .await
        .unwrap_err();
    assert_eq!(
        outsider.code(),
        Code::Unauthenticated,
        "a peer that the policy does not name needs a token like anybody"
    );

    let forged = service
        .create(order.request(other), &operator)
        .await
        .unwrap_err();
    assert_eq!(
        forged.code(),
        Code::PermissionDenied,
        "only booking-svc opens payments: {forged:?}"
    );
    let refund = pb::RefundPaymentRequest {
        request_id: mesh::id::new().to_string(),
        payment_id: order.payment_id.to_string(),
        amount: None,
        reason: "mine".to_owned(),
    };
    let refused = service
        .client
        .clone()
        .refund_payment(service.request(refund, &operator))
        .await
        .unwrap_err();
    assert_eq!(
        refused.code(),
        Code::PermissionDenied,
        "people refund through CancelBooking"
    );
    service.stop().await;
}

/// GetPayment's refunds.
async fn refunds(service: &Service, order: &Order, caller: &Caller) -> Vec<pb::Refund> {
    let request = pb::GetPaymentRequest {
        payment_id: order.payment_id.to_string(),
    };
    let mut client = service.client.clone();
    let answer = client.get_payment(service.request(request, caller)).await;
    answer.unwrap().into_inner().refunds
}

async fn retry(
    service: &Service,
    refund_id: &str,
    caller: &Caller,
) -> Result<pb::RetryRefundResponse, Status> {
    let request = pb::RetryRefundRequest {
        request_id: mesh::id::new().to_string(),
        refund_id: refund_id.to_owned(),
        reason: "the balance is filled".to_owned(),
    };
    let mut client = service.client.clone();
    let answer = client.retry_refund(service.request(request, caller)).await;
    answer.map(tonic::Response::into_inner)
}

/// Two refunds of an order, of which the provider refuses the second.
async fn refund_twice(service: &Service, order: &Order, owner: &Caller) {
    for (amount, faults) in [
        (1_000, json!([])),
        (2_000, json!([{"on": "cancel", "kind": "refuse_cancel"}])),
    ] {
        service.gateway.arm(order.payment_id, faults).await;
        let refund = pb::RefundPaymentRequest {
            request_id: mesh::id::new().to_string(),
            payment_id: order.payment_id.to_string(),
            amount: Some(pb_won(amount)),
            reason: "a seat less".to_owned(),
        };
        let peer = service.request(refund, &Caller::Peer("booking-svc"));
        service.client.clone().refund_payment(peer).await.unwrap();
        until("the refund is no longer under way", async || {
            let refunds = refunds(service, order, owner).await;
            let ended = [pb::RefundState::Done, pb::RefundState::Parked];
            refunds.iter().all(|refund| ended.contains(&refund.state()))
        })
        .await;
    }
}

fn pb_won(minor_units: i64) -> Money {
    Money {
        minor_units,
        currency: "KRW".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_are_shown_and_an_operator_alone_retries_those_that_are_parked() {
    let service = Service::start().await;
    let buyer = mesh::id::new();
    let order = service.paid(buyer).await;
    let (owner, operator) = (
        Caller::Account(buyer, Role::User),
        Caller::Account(mesh::id::new(), Role::Admin),
    );
    assert_eq!(refunds(&service, &order, &owner).await, []);
    refund_twice(&service, &order, &owner).await;
    let shown = refunds(&service, &order, &owner).await;
    let told = |refund: &pb::Refund| {
        let amount = refund.amount.clone().unwrap().minor_units;
        (amount, refund.state(), refund.park_reason.clone())
    };
    assert_eq!(
        shown.iter().map(told).collect::<Vec<_>>(),
        [
            (1_000, pb::RefundState::Done, String::new()),
            (
                2_000,
                pb::RefundState::Parked,
                "NOT_CANCELABLE_PAYMENT".to_owned()
            ),
        ]
    );
    let (done, parked) = (&shown[0].refund_id, &shown[1].refund_id);

    for caller in [&owner, &Caller::Peer("booking-svc"), &Caller::Nobody] {
        let denied = retry(&service, parked, caller).await.unwrap_err();
        let codes = [Code::PermissionDenied, Code::Unauthenticated];
        assert!(codes.contains(&denied.code()), "{denied:?}");
    }
    let unknown = retry(&service, &mesh::id::new().to_string(), &operator).await;
    assert_eq!(reason(&unknown.unwrap_err()), "REFUND_NOT_FOUND");
    let ended = retry(&service, done, &operator).await.unwrap_err();
    assert_eq!(
        (ended.code(), reason(&ended).as_str()),
        (Code::FailedPrecondition, "REFUND_NOT_PARKED")
    );
    let nothing = pb::RetryRefundRequest::default();
    let mut client = service.client.clone();
    let invalid = client.retry_refund(service.request(nothing, &operator));
    let invalid = invalid.await.unwrap_err();
    let fields = invalid.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = fields.into_iter().map(|it| it.field).collect();
    assert_eq!(fields, ["request_id", "refund_id", "reason"]);

    let retried = retry(&service, parked, &operator).await.unwrap();
    let refund = retried.refund.unwrap();
    assert_eq!((refund.retries, refund.park_reason), (1, String::new()));
    until("the money is back", async || {
        refunds(&service, &order, &owner).await[1].state() == pb::RefundState::Done
    })
    .await;
    assert_eq!(
        service.gateway.truth(order.payment_id).await,
        [AMOUNT, 3_000, 1, 2]
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_violation_is_told_at_once() {
    let service = Service::start().await;
    let peer = Caller::Peer("booking-svc");
    let refused = service
        .create(pb::CreatePaymentRequest::default(), &peer)
        .await
        .unwrap_err();
    let fields: Vec<String> = refused
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    for field in [
        "request_id",
        "booking_id",
        "account_id",
        "order_name",
        "amount",
        "method",
    ] {
        assert!(
            fields.iter().any(|told| told == field),
            "{field} in {fields:?}"
        );
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_what_is_ones_own_and_belong_to_their_filter() {
    let service = Service::start().await;
    let peer = Caller::Peer("booking-svc");
    let buyer = mesh::id::new();
    let mut made = Vec::new();
    for _ in 0..5 {
        let order = Order {
            payment_id: mesh::id::new(),
            booking_id: mesh::id::new(),
        };
        service.create(order.request(buyer), &peer).await.unwrap();
        made.push(order.payment_id.to_string());
    }
    made.reverse();
    let list = async |request: pb::ListPaymentsRequest, caller: &Caller| {
        service
            .client
            .clone()
            .list_payments(service.request(request, caller))
            .await
            .map(tonic::Response::into_inner)
    };
    let owner = Caller::Account(buyer, Role::User);
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = list(
            pb::ListPaymentsRequest {
                page_size: 2,
                page_token,
                ..Default::default()
            },
            &owner,
        )
        .await
        .unwrap();
        assert!(page.payments.len() <= 2);
        listed.extend(page.payments.into_iter().map(|payment| payment.payment_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, made, "newest first, each once");
    let first = list(
        pb::ListPaymentsRequest {
            page_size: 2,
            ..Default::default()
        },
        &owner,
    )
    .await
    .unwrap();
    let elsewhere = pb::ListPaymentsRequest {
        page_token: first.next_page_token,
        state: pb::PaymentState::Captured.into(),
        ..Default::default()
    };
    assert_eq!(
        reason(&list(elsewhere, &owner).await.unwrap_err()),
        "INVALID_REQUEST"
    );
    let stranger = Caller::Account(mesh::id::new(), Role::User);
    assert!(
        list(pb::ListPaymentsRequest::default(), &stranger)
            .await
            .unwrap()
            .payments
            .is_empty()
    );
    service.stop().await;
}

/// Keeps what booking-svc would hear.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Handler for Heard {
    async fn handle(&self, _: &mut Connection, message: &Message) -> Result<(), TxError<Poison>> {
        let name = message
            .kind
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_owned();
        self.0.lock().unwrap().push(name);
        Ok(())
    }
}

/// booking-svc, as far as the broker sees it: an outbox, and the queue of its answers.
struct Booking {
    database: Database,
    waker: Waker,
    heard: Heard,
    tasks: Tasks,
    _storage: TestDatabase,
}

impl Booking {
    async fn start(prefix: &str) -> Self {
        let (storage, tasks, events) = (
            TestDatabase::create().await.unwrap(),
            Tasks::new(),
            Events::embedded().unwrap(),
        );
        migrate(storage.url(), &[]).await.unwrap();
        let database = Database::connect(storage.url(), &DatabaseOptions::new("test"), &tasks)
            .await
            .unwrap();
        let timings = Timings::test();
        let broker = Broker::new(
            &amqp_url(),
            prefix,
            "test",
            &Health::new(),
            &tasks,
            timings.amqp_reconnect,
        )
        .unwrap();
        let publisher = Publisher::start(&broker, events);
        let relay = RelayOptions {
            database: database.clone(),
            publisher,
            events,
            service: "booking-svc".to_owned(),
            owner: "booking-svc test".to_owned(),
            timings: timings.clone(),
            faults: Faults::none(),
        };
        let waker = Relay::start(relay, &tasks);
        let heard = Heard::default();
        let options = ConsumerOptions {
            broker,
            database: database.clone(),
            events,
            timings,
            faults: Faults::none(),
        };
        consume(options, "booking-svc.payments", heard.clone()).unwrap();
        Self {
            database,
            waker,
            heard,
            tasks,
            _storage: storage,
        }
    }

    async fn send(&self, order: &Order) {
        let booking_id = order.booking_id;
        let command = CancelPaymentCommand {
            payment_id: order.payment_id.to_string(),
            booking_id: booking_id.to_string(),
            saga_id: mesh::id::new().to_string(),
            reason: "test".to_owned(),
        };
        let send = self.database.transaction("send", async move |connection| {
            append(connection, &command, booking_id).await?;
            Ok::<_, TxError<std::convert::Infallible>>(())
        });
        send.await.unwrap();
        self.waker.wake();
    }

    fn heard(&self, name: &str) -> usize {
        self.heard
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|heard| *heard == name)
            .count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_through_the_broker_returns_the_money_and_the_answer_comes_back() {
    let service = Service::start().await;
    let order = service.paid(mesh::id::new()).await;
    let booking = Booking::start(&service.prefix).await;
    booking.send(&order).await;
    booking.send(&order).await;
    let peer = Caller::Peer("booking-svc");
    until("the money is back", async || {
        service.get(order.payment_id, &peer).await.unwrap().state() == pb::PaymentState::Refunded
    })
    .await;
    until("booking-svc heard of it", async || {
        booking.heard("PaymentRefunded") >= 1
    })
    .await;
    assert_eq!(booking.heard("PaymentCaptured"), 1);
    assert_eq!(
        service.gateway.truth(order.payment_id).await,
        [AMOUNT, AMOUNT, 1, 1]
    );
    assert!(
        booking
            .tasks
            .shutdown(std::time::Duration::from_secs(10))
            .await
            .is_empty()
    );
    service.stop().await;
}
