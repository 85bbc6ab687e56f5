//! What payment-svc tells of refunds, through the broker, and what a booking shows of it.

use std::convert::Infallible;

use booking_svc::app::reads::{Reader, booking};
use booking_svc::consumer::{PAYMENTS, PaymentNews};
use booking_svc::domain::cancellation::{CancellationState, PastCancellation};
use mesh::amqp::{Broker, ConsumerOptions, Publisher, consume};
use mesh::config::{Env, ProcessEnv, Secret};
use mesh::events::Events;
use mesh::faults::Faults;
use mesh::health::Health;
use mesh::id;
use mesh::outbox::{Relay, RelayOptions, Waker, append};
use mesh::pg::{Connection, TxError};
use mesh::timings::Timings;
use prost::{Message, Name};
use proto::usher::payment::events::v1::{PaymentRefunded, RefundParked};
use proto::usher::r#type::v1::Money;
use uuid::Uuid;

use crate::saga::{Instance, booking_of, held, until};
use crate::world::World;

/// Messages that were handled, or laid aside.
const HANDLED: &str =
    "SELECT (SELECT count(*) FROM inbox) || ' ' || (SELECT count(*) FROM dead_letter) AS t";

/// A booking whose one line was cancelled, an instance that hears of its refund, and payment-svc as far as the broker sees it.
struct Scene {
    world: World,
    instance: Instance,
    waker: Waker,
    booking_id: Uuid,
    account_id: Uuid,
    refund_id: Uuid,
    told: u32,
}

impl Scene {
    async fn set() -> Self {
        let world = World::new().await;
        let opener = Instance::start(&world);
        let wanted = booking_of(&held(&world, 0).await);
        let (account_id, refund_id) = (wanted.account_id, id::new());
        let booking_id = opener.book(wanted).await.unwrap().booking_id;
        opener.stop().await;
        let cancelled = format!(
            "INSERT INTO cancellation (cancellation_id, booking_id, account_id, request_hash, reason, refund_amount, currency, state)
                VALUES ('{refund_id}', '{booking_id}', '{account_id}', '', 'ill', 1000, 'KRW', 'REFUNDING');
             UPDATE booking_line SET cancellation_id = '{refund_id}', refund_amount = 1000;
             UPDATE saga SET state = 'DONE', lease_owner = NULL, lease_until = NULL"
        );
        world.storage.sql(&cancelled).await;
        let instance = Instance::start(&world);
        let waker = broker(&world, &instance);
        Self {
            world,
            instance,
            waker,
            booking_id,
            account_id,
            refund_id,
            told: 0,
        }
    }

    async fn send<M: Message + Name + Clone + 'static>(&self, event: M) {
        let booking_id = self.booking_id;
        let send = async move |connection: &mut Connection| {
            append(connection, &event, booking_id).await?;
            Ok::<_, TxError<Infallible>>(())
        };
        let sent = self.world.database.transaction("tell", send);
        sent.await.unwrap();
        self.waker.wake();
    }

    /// Sends an event, and waits until it is handled.
    async fn tell<M: Message + Name + Clone + 'static>(&mut self, event: M) {
        self.send(event).await;
        self.told += 1;
        until(&self.world, HANDLED, &format!("{} 0", self.told)).await;
    }

    async fn parks(&mut self, refund_id: Uuid) {
        let (payment_id, booking_id) = (id::new().to_string(), self.booking_id.to_string());
        self.tell(RefundParked {
            payment_id,
            booking_id,
            amount: won(),
            reason: "NOT_CANCELABLE_PAYMENT".to_owned(),
            refund_id: refund_id.to_string(),
        })
        .await;
    }

    async fn is_back(&mut self, refund_id: Uuid) {
        let (payment_id, booking_id) = (id::new().to_string(), self.booking_id.to_string());
        self.tell(PaymentRefunded {
            payment_id,
            booking_id,
            amount: won(),
            refund_id: refund_id.to_string(),
            in_full: false,
        })
        .await;
    }

    /// The booking's version and its one cancellation.
    async fn shown(&self) -> (i64, PastCancellation) {
        let reader = Reader {
            account_id: self.account_id,
            is_admin: false,
        };
        let read = booking(&self.world.database, self.booking_id, reader).await;
        let mut read = read.unwrap().unwrap();
        assert_eq!(read.cancellations.len(), 1);
        (read.version, read.cancellations.remove(0))
    }

    async fn state(&self) -> CancellationState {
        let (_, cancellation) = self.shown().await;
        let done = cancellation.state == CancellationState::Done;
        assert_eq!(cancellation.finish_time.is_some(), done);
        cancellation.state
    }

    async fn end(self) {
        self.instance.stop().await;
    }
}

fn won() -> Option<Money> {
    Some(Money {
        minor_units: 1_000,
        currency: "KRW".to_owned(),
    })
}

/// Events that are appended reach the instance through a broker of their own.
fn broker(world: &World, instance: &Instance) -> Waker {
    let (events, timings) = (Events::embedded().unwrap(), Timings::test());
    let url = ProcessEnv.get("USHER_AMQP_URL");
    let url = Secret::new(url.expect("USHER_AMQP_URL is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`"));
    let (prefix, health) = (format!("t{}.", id::new().simple()), Health::new());
    let (tasks, reconnect) = (&world.tasks, timings.amqp_reconnect);
    let broker = Broker::new(&url, &prefix, "test", &health, tasks, reconnect).unwrap();
    let relay = RelayOptions {
        database: world.database.clone(),
        publisher: Publisher::start(&broker, events),
        events,
        service: "payment-svc".to_owned(),
        owner: "payment-svc test".to_owned(),
        timings: timings.clone(),
        faults: Faults::none(),
    };
    let waker = Relay::start(relay, tasks);
    let options = ConsumerOptions {
        broker,
        database: world.database.clone(),
        events,
        timings,
        faults: Faults::none(),
    };
    let sagas = instance.sagas.clone();
    consume(options, PAYMENTS, PaymentNews { sagas }).unwrap();
    waker
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_refund_is_shown_until_the_money_is_back() {
    let mut scene = Scene::set().await;
    let refund_id = scene.refund_id;
    let (version, cancellation) = scene.shown().await;
    assert_eq!(
        (
            cancellation.cancellation_id,
            cancellation.lines.as_slice(),
            cancellation.refund.minor_units,
            cancellation.state
        ),
        (refund_id, &[0][..], 1_000, CancellationState::Refunding)
    );

    // A refund that no cancellation asked for, such as one of money that nobody may keep.
    scene.parks(id::new()).await;
    assert_eq!(scene.shown().await, (version, cancellation));
    for _ in 0..2 {
        scene.parks(refund_id).await;
        assert_eq!(scene.state().await, CancellationState::Parked);
    }
    assert_eq!(scene.shown().await.0, version + 1, "watchers are told once");
    scene.is_back(id::new()).await;
    assert_eq!(scene.state().await, CancellationState::Parked);
    scene.is_back(refund_id).await;
    assert_eq!(scene.state().await, CancellationState::Done);
    assert_eq!(scene.shown().await.0, version + 2);

    // Messages overtake each other.
    scene.parks(refund_id).await;
    assert_eq!(scene.state().await, CancellationState::Done);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_never_parked_is_done_and_one_without_an_id_is_laid_aside() {
    let mut scene = Scene::set().await;
    scene.is_back(scene.refund_id).await;
    assert_eq!(scene.state().await, CancellationState::Done);
    let event = RefundParked {
        booking_id: scene.booking_id.to_string(),
        ..RefundParked::default()
    };
    scene.send(event).await;
    let aside = "SELECT count(*)::text AS t FROM dead_letter";
    until(&scene.world, aside, "1").await;
    scene.end().await;
}
