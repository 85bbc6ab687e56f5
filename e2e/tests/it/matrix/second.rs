//! A second pair of hands on the sagas: takes a step with the knowledge that somebody else has.

use booking_svc::app::inventory::{Inventory, InventoryOptions};
use booking_svc::app::timings::BookTimings;
use booking_svc::clients::{Coupons, Payments};
use booking_svc::saga::{Parts, Sagas};
use booking_svc::store::sagas::{self, Saga};
use mesh::faults::Faults;
use mesh::outbox::Waker;
use mesh::pg::{Database, DatabaseOptions};
use mesh::tasks::Tasks;
use mesh::{client, config::Secret, id};
use uuid::Uuid;

use crate::real::{MESH_TOKEN, PATIENCE, RealMesh};

pub(crate) struct Second {
    sagas: Sagas,
    database: Database,
}

impl Second {
    pub(crate) async fn start(mesh: &RealMesh) -> Self {
        let tasks = Tasks::new();
        let options = DatabaseOptions::new("second");
        let database = Database::connect(mesh.booking.url(), &options, &tasks)
            .await
            .unwrap();
        // Its runner would take due sagas itself, now and then before the instance that is to be halted there.
        let runner = Tasks::new();
        let peer = |name: &str| {
            let peers = mesh.address(name).parse().unwrap();
            client::peer("booking-svc", &peers, &Secret::new(MESH_TOKEN)).unwrap()
        };
        let sagas = Sagas::start(Parts {
            database: database.clone(),
            inventory: Inventory::start(&database, &tasks, InventoryOptions::default()),
            payments: Payments::new(peer("payment-svc")),
            coupons: Coupons::new(peer("coupon-svc")),
            outbox: Waker::default(),
            timings: BookTimings::standard(),
            owner: format!("second {}", id::new()),
            tasks: runner.clone(),
            faults: Faults::none(),
        });
        let left = runner.shutdown(PATIENCE).await;
        assert!(left.is_empty(), "the second runner still runs: {left:?}");
        Self { sagas, database }
    }

    /// The saga of a buyer as it stands, unless somebody has it locked.
    pub(crate) async fn saga_of(&self, mesh: &RealMesh, account_id: Uuid) -> Option<Saga> {
        let free = format!(
            "SELECT saga_id FROM saga WHERE subject_id IN (SELECT booking_id FROM booking WHERE account_id = '{account_id}')
             FOR UPDATE SKIP LOCKED"
        );
        let saga_id = mesh.booking.locked_texts(&free).await.pop()?;
        let saga_id = saga_id.parse().unwrap();
        let read = async move |connection: &mut mesh::pg::Connection| {
            sagas::get(connection, saga_id).await
        };
        self.database.read(read).await.unwrap()
    }

    /// Takes the step that `saga` stood at.
    pub(crate) async fn take_step(&self, saga: Saga) {
        self.sagas.take_step(saga).await;
    }
}
