//! The conventions of the tables.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::Storage;

mod constraints;

/// Tables of mesh and of diesel, which others answer for.
const FOREIGN: &str = "('outbox', 'outbox_part', 'inbox', 'dead_letter', 'retry_message', 'idempotency', 'audit_log', '__diesel_schema_migrations')";

/// Every table of the service.
const TABLES: &str = "booking booking_discount booking_line burned_place buyer_cap cancellation claim hall hall_unit hold inv_grade inv_pool inv_unit performance price saga saga_event \
     seating_plan show ticket venue";

fn ours() -> String {
    format!(
        "SELECT c.oid, c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname NOT IN {FOREIGN}"
    )
}

async fn tables(storage: &Storage) -> String {
    let sql = format!(
        "SELECT relname::text AS t FROM ({}) AS ours ORDER BY 1",
        ours()
    );
    storage.lines(&sql).await.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_down_and_up_again() {
    let storage = Storage::new().await;
    assert_eq!(tables(&storage).await, TABLES);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let entries = fs::read_dir(folder).unwrap();
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for migration in folders.iter().rev() {
        storage
            .sql(&fs::read_to_string(migration.join("down.sql")).unwrap())
            .await;
    }
    assert_eq!(tables(&storage).await, "");
    for migration in &folders {
        storage
            .sql(&fs::read_to_string(migration.join("up.sql")).unwrap())
            .await;
    }
    assert_eq!(tables(&storage).await, TABLES);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_and_column_says_what_it_is() {
    let storage = Storage::new().await;
    let sql = format!(
        "SELECT format('%s.%s', ours.relname, a.attname) AS t FROM ({}) AS ours
         JOIN pg_attribute a ON a.attrelid = ours.oid AND a.attnum >= 0 AND NOT a.attisdropped
         WHERE col_description(ours.oid, a.attnum) IS NULL OR obj_description(ours.oid, 'pg_class') IS NULL",
        ours()
    );
    assert_eq!(storage.lines(&sql).await, Vec::<String>::new());
    storage
        .sql("ALTER TABLE venue ADD COLUMN bad_example int")
        .await;
    assert_eq!(storage.lines(&sql).await, ["venue.bad_example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_foreign_key_has_an_index() {
    let storage = Storage::new().await;
    let sql = format!(
        "SELECT k.conname::text AS t FROM ({}) AS ours JOIN pg_constraint k ON k.conrelid = ours.oid AND k.contype = 'f'
         WHERE NOT EXISTS (
             SELECT FROM pg_index i WHERE i.indrelid = k.conrelid
             AND (i.indpred IS NULL OR k.conname = 'claim_unit_fkey')
             AND (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(k.conkey)] @> k.conkey
         )",
        ours()
    );
    assert_eq!(storage.lines(&sql).await, Vec::<String>::new());
    storage.sql("DROP INDEX performance_hall").await;
    assert_eq!(storage.lines(&sql).await, ["performance_hall_fkey"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_constraint_is_named_after_its_table() {
    let storage = Storage::new().await;
    let sql = format!(
        "SELECT k.conname::text AS t FROM ({}) AS ours JOIN pg_constraint k ON k.conrelid = ours.oid
         WHERE k.conname NOT LIKE ours.relname || '\\_%' OR k.conname ~ '_check[0-9]*$'",
        ours()
    );
    assert_eq!(storage.lines(&sql).await, Vec::<String>::new());
    storage
        .sql("ALTER TABLE venue ADD CHECK (name <> '')")
        .await;
    assert_eq!(storage.lines(&sql).await, ["venue_name_check"]);
}

/// `column type` of every column that diesel knows, by table.
fn declared() -> BTreeMap<String, Vec<String>> {
    let sources = [
        include_str!("../../src/store/schema/catalogue.rs"),
        include_str!("../../src/store/schema/inventory.rs"),
        include_str!("../../src/store/schema/sales.rs"),
    ];
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut table = String::new();
    for line in sources
        .iter()
        .flat_map(|source| source.lines())
        .map(str::trim)
    {
        if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with(") {")) {
            table = name.to_owned();
        } else if let Some((column, kind)) =
            line.split_once(" -> ").filter(|_| !line.starts_with("//"))
        {
            let entry = format!("{column} {}", kind.trim_end_matches(','));
            tables.entry(table.clone()).or_default().push(entry);
        }
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn diesel_sees_the_tables_as_they_are() {
    let storage = Storage::new().await;
    let declared = declared();
    assert_eq!(
        declared.keys().cloned().collect::<Vec<_>>().join(" "),
        TABLES
    );
    for (table, columns) in declared {
        let sql = format!(
            "SELECT column_name || ' ' || CASE WHEN is_nullable = 'YES' THEN 'Nullable<' || kind || '>' ELSE kind END AS t
             FROM information_schema.columns, LATERAL (SELECT CASE udt_name
                 WHEN 'uuid' THEN 'Uuid' WHEN 'text' THEN 'Text' WHEN '_text' THEN 'Array<Text>' WHEN 'timestamptz' THEN 'Timestamptz'
                 WHEN 'int4' THEN 'Integer' WHEN 'int8' THEN 'BigInt' WHEN 'bool' THEN 'Bool' WHEN 'jsonb' THEN 'Jsonb'
                 WHEN 'bytea' THEN 'Binary' WHEN 'float8' THEN 'Double' WHEN 'bpchar' THEN 'Bpchar' END) AS k (kind)
             WHERE table_name = '{table}' ORDER BY ordinal_position"
        );
        assert_eq!(storage.lines(&sql).await, columns, "{table}");
    }
}
