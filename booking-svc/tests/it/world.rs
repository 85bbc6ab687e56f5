//! A show on sale, and instances that sell it.

use booking_svc::app::inventory::{Failure, Inventory, InventoryOptions};
use booking_svc::domain::hold::{Hold, UnitKey};
use booking_svc::domain::inventory::{Command, HoldUnits, Wish};
use booking_svc::store::inventory::PoolLock;
use mesh::id;
use mesh::pg::{Database, DatabaseOptions};
use mesh::tasks::Tasks;
use std::collections::BTreeSet;
use uuid::Uuid;

use crate::support::Storage;

/// A published show with `pools` performances of ten seats and an area for 5, 4 units a buyer.
const WORLD: &str = "
    INSERT INTO venue VALUES (id(1), id(9), 'Opera', '', 'Seoul', 'KR', 'Asia/Seoul');
    INSERT INTO hall VALUES (id(1), id(1), 'Main', 1, 11, '{}');
    INSERT INTO hall_unit SELECT id(1), n, 'SEAT', 'g' || n, 'Z', 'A', n::text, 'R', NULL, NULL, false, 1 FROM generate_series(0, 9) n;
    INSERT INTO hall_unit VALUES (id(1), 10, 'AREA', NULL, 'Z', '', 'Pit', 'S', NULL, NULL, false, 5);
    INSERT INTO show VALUES (id(1), id(9), 'Hamlet', '{}', '', '', '', 'KRW', now() - interval '1 day', now() + interval '1 day', 4, 300, 'PUBLISHED', 1);
    INSERT INTO inv_pool SELECT id(n), 'PERFORMANCE', id(n), id(1), 0, 1, 'OPEN', 15 FROM generate_series(1, 4) n;
    INSERT INTO inv_unit SELECT id(p), ord, grade, kind = 'SEAT', capacity FROM generate_series(1, 4) p, hall_unit;
    INSERT INTO inv_grade SELECT pool_id, grade, sum(capacity) FROM inv_unit GROUP BY 1, 2;
    INSERT INTO performance SELECT id(n), id(1), id(1), 1, id(n), now() + interval '2 days', now() + interval '3 days', 'SCHEDULED' FROM generate_series(1, 4) n;
    INSERT INTO price SELECT id(n), g, 1000, 'KRW' FROM generate_series(1, 4) n, unnest(ARRAY['R', 'S']) g;
";

const ID: &str = "CREATE FUNCTION id(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS \
     $$ SELECT lpad(to_hex(n), 32, '0')::uuid $$;";

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) tasks: Tasks,
    pub(crate) storage: Storage,
}

impl World {
    pub(crate) async fn new() -> Self {
        let storage = Storage::new().await;
        storage.sql(&format!("{ID}{WORLD}")).await;
        let tasks = Tasks::new();
        let options = DatabaseOptions::new("test");
        let database = Database::connect(storage.database.url(), &options, &tasks)
            .await
            .unwrap();
        Self {
            database,
            tasks,
            storage,
        }
    }

    pub(crate) fn inventory(&self, pool_lock: PoolLock) -> Inventory {
        let options = InventoryOptions {
            pool_lock,
            ..InventoryOptions::default()
        };
        Inventory::start(&self.database, &self.tasks, options)
    }

    /// The equations of the audit, from the tables alone: what does not add up.
    pub(crate) async fn faults(&self) -> Vec<String> {
        let sql = "
            SELECT format('unit %s/%s held %s sold %s claims %s', u.pool_id, u.ord, u.held, u.sold, coalesce(c.n, 0)) AS t
              FROM inv_unit u LEFT JOIN (SELECT pool_id, ord, sum(quantity) AS n FROM claim WHERE state <> 'FREED' GROUP BY 1, 2) c
              USING (pool_id, ord) WHERE u.held + u.sold <> coalesce(c.n, 0) OR u.held + u.sold > u.capacity
            UNION ALL
            SELECT format('pool %s room %s sold %s sales %s of %s', p.pool_id, p.room, p.sold, p.sales, u)
              FROM inv_pool p, LATERAL (SELECT sum(capacity) AS room, sum(sold) AS sold, (SELECT count(DISTINCT hold_id) FROM claim c
                WHERE c.pool_id = p.pool_id AND c.state = 'SOLD') AS sales FROM inv_unit u WHERE u.pool_id = p.pool_id) u
              WHERE (p.room, p.sold, p.sales) IS DISTINCT FROM (u.room, u.sold, u.sales)
            UNION ALL
            SELECT format('grade %s/%s room %s sold %s of %s', pool_id, grade, g.room, g.sold, u)
              FROM inv_grade g FULL JOIN (SELECT pool_id, grade, sum(capacity) AS room, sum(sold) AS sold FROM inv_unit GROUP BY 1, 2) u
              USING (pool_id, grade) WHERE (g.room, g.sold) IS DISTINCT FROM (u.room, u.sold)
            UNION ALL
            SELECT format('cap of %s is %s, claims %s', b.buyer, b.taken, coalesce(c.n, 0)) FROM buyer_cap b LEFT JOIN
              (SELECT h.account_id::text AS buyer, sum(quantity) AS n FROM claim c JOIN hold h USING (hold_id)
               WHERE c.state <> 'FREED' GROUP BY 1) c USING (buyer) WHERE b.taken <> coalesce(c.n, 0) OR b.taken > b.taken_max
            UNION ALL
            SELECT format('claim %s is %s of a hold %s', c.hold_id, c.state, h.state) FROM claim c JOIN hold h USING (hold_id)
              WHERE c.state <> CASE WHEN h.state IN ('HELD', 'PAYING', 'CLOSING') THEN 'HELD'
                                    WHEN h.state = 'CONFIRMED' AND c.state <> 'FREED' THEN 'SOLD' ELSE 'FREED' END";
        self.storage.lines(sql).await
    }
}

/// The pool of this number.
fn pool(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// What `account_id` wishes for: (pool, unit, quantity).
pub(crate) fn hold(account_id: Uuid, wishes: &[(u128, i32, i32)]) -> HoldUnits {
    let wish = |(number, ord, quantity): &(u128, i32, i32)| Wish {
        unit: UnitKey {
            pool_id: pool(*number),
            ord: *ord,
        },
        quantity: *quantity,
    };
    HoldUnits {
        hold_id: id::new(),
        account_id,
        buyer_reference: None,
        request_hash: vec![1],
        wishes: wishes.iter().map(wish).collect(),
        admitted: BTreeSet::new(),
    }
}

pub(crate) async fn submit(inventory: &Inventory, wanted: HoldUnits) -> Result<Hold, Failure> {
    inventory.submit(Command::Hold(wanted)).await
}
