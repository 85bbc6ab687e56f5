//! What two states of a mesh have to agree on when nothing happened between them.
//!
//! Left out: what may change without an effect. Leases, times, versions, attempts, and the diaries (`*_event`, `payment_attempt`, `inbox`).

use std::collections::BTreeMap;

use super::RealMesh;
use super::storage::Storage;

/// Tables that only keep a diary, and the shop's own.
const TABLES_LEFT_OUT: &str = "table_name LIKE '%\\_event' OR table_name IN ('payment_attempt', 'inbox', 'outbox_part', '__diesel_schema_migrations')";
/// Columns that change without an effect.
const COLUMNS_LEFT_OUT: &str = "column_name LIKE '%\\_time' OR column_name LIKE 'lease\\_%' OR column_name IN ('version', 'attempts', 'checks', 'last_error', 'traceparent', 'next_attempt_time')";

/// Rows that say nothing: a cap at 0 is the lock that a refused decision took.
const ROWS_KEPT: [(&str, &str); 1] = [("buyer_cap", "taken > 0")];

/// Rows and hash of each table, and what the simulator did.
pub(crate) type Digest = BTreeMap<String, String>;

impl RealMesh {
    /// The digest of all tables of both services and of the money of the simulator.
    pub(crate) async fn tables(&self) -> Digest {
        let mut digest = of("booking", &self.booking).await;
        digest.extend(of("payment", &self.payment).await);
        let call = e2e::rest::Call::get("/oracle/orders?limit=1");
        let totals = self.simulator.send(&call).await.unwrap().at("/totals");
        digest.insert("oracle".to_owned(), totals);
        digest
    }

    /// The same, and the depth of every queue.
    pub(crate) async fn digest(&self) -> Digest {
        let mut digest = self.tables().await;
        for (queue, depth) in self.queues.depths().await {
            digest.insert(format!("queue {queue}"), depth.to_string());
        }
        digest
    }
}

async fn of(name: &str, storage: &Storage) -> Digest {
    let tables = format!(
        "SELECT table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) AS columns
         FROM information_schema.columns WHERE table_schema = 'public' AND NOT ({TABLES_LEFT_OUT}) AND NOT ({COLUMNS_LEFT_OUT})
         GROUP BY table_name ORDER BY table_name"
    );
    let mut digest = Digest::new();
    for table in storage.rows(&tables).await {
        let (table, columns) = (table["table_name"].as_str(), table["columns"].as_str());
        let (table, columns) = (table.unwrap(), columns.unwrap());
        let kept = ROWS_KEPT.iter().find(|(name, _)| *name == table);
        let kept = kept.map_or("true", |(_, condition)| condition);
        let rows = format!(
            "SELECT count(*) || ' rows ' || md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) AS t FROM (SELECT {columns} FROM {table} WHERE {kept}) t"
        );
        digest.insert(
            format!("{name}.{table}"),
            storage.texts(&rows).await.concat(),
        );
    }
    assert!(digest.len() > 5, "{name} has tables: {digest:?}");
    digest
}
