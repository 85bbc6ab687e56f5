//! The use cases on a database of their own with a gateway of their own. No relay runs, so the outbox keeps every event.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use mesh::faults::Faults;
use mesh::money::Money;
use mesh::outbox::Waker;
use mesh::pg::idempotency::RequestHash;
use mesh::pg::testing::TestDatabase;
use mesh::pg::{Connection, Database, DatabaseOptions, migrate};
use mesh::tasks::Tasks;
use payment_svc::app::cancel::{Cancel, CancelCall};
use payment_svc::app::confirm::Confirm;
use payment_svc::app::read::Viewer;
use payment_svc::app::refund::AskedRefund;
use payment_svc::app::retry_refund::AskedRetry;
use payment_svc::app::{App, Error, Parts};
use payment_svc::domain::{Method, NewPayment, Payment, RefundRow, State};
use payment_svc::provider::{Provider, Providers};
use payment_svc::store::MIGRATIONS;
use payment_svc::store::payment::Stored;
use payment_svc::timings::PaymentTimings;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::gateway::Gateway;

pub(crate) const AMOUNT: i64 = 15_000;
/// No condition of these tests takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a call waits for its outcome, unless a test says otherwise.
pub(crate) const ANSWER: Duration = Duration::from_secs(20);

pub(crate) struct Shop {
    pub(crate) app: App,
    pub(crate) gateway: Gateway,
    tasks: Tasks,
    // Last: dropped after everything that uses it.
    storage: TestDatabase,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    t: String,
}

pub(crate) fn won(units: i64) -> Money {
    Money::new(units, "KRW".parse().unwrap())
}

pub(crate) fn hash(name: &str) -> RequestHash {
    let mut bytes = [0; 32];
    bytes
        .iter_mut()
        .zip(name.bytes())
        .for_each(|(byte, letter)| *byte = letter);
    RequestHash(bytes)
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_with(Faults::none()).await
    }

    /// One whose instance passes these fault points.
    pub(crate) async fn open_with(faults: Faults) -> Self {
        let storage = TestDatabase::create().await.unwrap();
        migrate(storage.url(), &[MIGRATIONS]).await.unwrap();
        let (gateway, tasks) = (Gateway::start().await, Tasks::new());
        let app = instance(&storage, &gateway, &tasks, faults).await;
        app.start_sweepers();
        Self {
            app,
            gateway,
            tasks,
            storage,
        }
    }

    /// Another instance on the same database and gateway, with sweepers of its own.
    pub(crate) async fn second_instance(&self) -> App {
        let app = instance(&self.storage, &self.gateway, &self.tasks, Faults::none()).await;
        app.start_sweepers();
        app
    }

    /// Ends every instance, and waits until what they had begun is written.
    pub(crate) async fn close(&self) {
        assert_eq!(self.tasks.shutdown(PATIENCE).await, Vec::<&str>::new());
    }

    /// What is asked for an on-site payment that can be confirmed for `seconds`.
    pub(crate) fn order(&self, seconds: i64) -> NewPayment {
        NewPayment {
            payment_id: mesh::id::new(),
            booking_id: mesh::id::new(),
            account_id: mesh::id::new(),
            method: Method::OnSite,
            provider: Some("toss".to_owned()),
            order_name: "two seats".to_owned(),
            amount: won(AMOUNT),
            expire_time: Some(mesh::clock::now() + TimeDelta::seconds(seconds)),
        }
    }

    /// A payment that a robot buyer authorised with these faults; answers its key too.
    pub(crate) async fn authorized(&self, outcome: &str, faults: Value) -> (NewPayment, String) {
        let order = self.order(600);
        self.app
            .create(order.clone(), hash("create"))
            .await
            .unwrap();
        let key = self
            .gateway
            .authorize(order.payment_id, AMOUNT, outcome, faults)
            .await;
        (order, key)
    }

    /// A payment that is captured.
    pub(crate) async fn captured(&self) -> NewPayment {
        let (order, key) = self.authorized("approve", json!([])).await;
        let payment = self.confirm(&order, &key).await.unwrap();
        assert_eq!(payment.state, State::Captured);
        order
    }

    pub(crate) async fn confirm(&self, order: &NewPayment, key: &str) -> Result<Payment, Error> {
        self.app
            .confirm(self.confirmation(order, key), ANSWER)
            .await
    }

    pub(crate) fn confirmation(&self, order: &NewPayment, key: &str) -> Confirm {
        Confirm {
            request_id: mesh::id::new(),
            hash: hash("confirm"),
            account_id: order.account_id,
            payment_id: order.payment_id,
            payment_key: key.to_owned(),
            amount: order.amount,
        }
    }

    pub(crate) async fn cancel(&self, order: &NewPayment) -> Result<Stored, Error> {
        let cancel = Cancel {
            payment_id: order.payment_id,
            booking_id: order.booking_id,
        };
        let call = CancelCall {
            request_id: mesh::id::new(),
            hash: hash("cancel"),
            subject: "booking-svc".to_owned(),
            reason: "test".to_owned(),
            cancel,
        };
        self.app.cancel(call).await
    }

    pub(crate) async fn refund(
        &self,
        order: &NewPayment,
        amount: Option<i64>,
    ) -> Result<(RefundRow, Payment), Error> {
        self.app.refund(self.asked_refund(order, amount)).await
    }

    pub(crate) fn asked_refund(&self, order: &NewPayment, amount: Option<i64>) -> AskedRefund {
        AskedRefund {
            refund_id: mesh::id::new(),
            hash: hash("refund"),
            subject: "booking-svc".to_owned(),
            reason: "test".to_owned(),
            payment_id: order.payment_id,
            amount: amount.map(won),
        }
    }

    /// What an operator asks who wants a refund to be sent again.
    pub(crate) fn asked_retry(&self, refund_id: Uuid) -> AskedRetry {
        AskedRetry {
            request_id: mesh::id::new(),
            hash: hash("retry"),
            account_id: mesh::id::new(),
            refund_id,
            reason: "the shop's balance is filled".to_owned(),
        }
    }

    pub(crate) async fn payment(&self, order: &NewPayment) -> Payment {
        match self
            .app
            .get(order.payment_id, Viewer::Everyone)
            .await
            .unwrap()
        {
            Stored::Payment(payment, _) => *payment,
            Stored::Tombstone(tombstone) => panic!("{tombstone:?}"),
        }
    }

    pub(crate) async fn until_state(&self, order: &NewPayment, state: State) -> Payment {
        until(&format!("{state:?}"), async || {
            self.payment(order).await.state == state
        })
        .await;
        self.payment(order).await
    }

    /// Names of the events of a booking, in the order in which they were written.
    pub(crate) async fn events(&self, order: &NewPayment) -> Vec<String> {
        let sql = format!(
            "SELECT type AS t FROM outbox WHERE aggregate = '{}' ORDER BY id",
            order.booking_id
        );
        let rows: Vec<Line> = diesel::sql_query(sql)
            .get_results(&mut self.connection().await)
            .await
            .unwrap();
        rows.into_iter()
            .map(|row| row.t.rsplit('.').next().unwrap().to_owned())
            .collect()
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let row: Number = diesel::sql_query(sql)
            .get_result(&mut self.connection().await)
            .await
            .unwrap();
        row.n
    }

    pub(crate) async fn sql(&self, sql: &str) -> QueryResult<()> {
        self.connection().await.batch_execute(sql).await
    }

    async fn connection(&self) -> Connection {
        Connection::establish(self.storage.url().expose())
            .await
            .unwrap()
    }

    /// The gateway and the books agree about money, and nothing is open.
    pub(crate) async fn check_books(&self, order: &NewPayment) {
        let payment = self.payment(order).await;
        let [captured, refunded, captures, _] = self.gateway.truth(order.payment_id).await;
        assert_eq!(
            (payment.captured_amount, payment.refunded_amount),
            (captured, refunded),
            "{payment:?}"
        );
        assert!(captures <= 1, "charged {captures} times");
        let open = format!(
            "SELECT count(*) AS n FROM refund WHERE payment_id = '{}' AND state IN ('PENDING', 'SENT')",
            order.payment_id
        );
        assert_eq!(self.number(&open).await, 0, "no refund is open");
    }
}

async fn instance(storage: &TestDatabase, gateway: &Gateway, tasks: &Tasks, faults: Faults) -> App {
    let database = Database::connect(storage.url(), &DatabaseOptions::new("test"), tasks)
        .await
        .unwrap();
    let toss: Arc<dyn Provider> = Arc::new(gateway.toss(Duration::from_secs(2)));
    App::new(Parts {
        database,
        providers: Providers::new([toss]),
        timings: PaymentTimings::test(),
        tasks: tasks.clone(),
        owner: format!("test {}", mesh::id::new()),
        faults,
        outbox: Waker::default(),
    })
}

/// Waits until `condition` holds; fails with `what` when it never does.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, wait).await.is_ok(),
        "never happened: {what}"
    );
}

/// The id that every test of another account uses.
pub(crate) fn stranger() -> Uuid {
    mesh::id::new()
}
