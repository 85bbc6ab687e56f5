//! The tables: they go up and down, say what they are, and refuse what the code would never write.

use std::fs;
use std::path::Path;

use coupon_svc::store::MIGRATIONS;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use mesh::pg::testing::TestDatabase;
use mesh::pg::{Connection, constraint, migrate};

/// Every table of the service.
const TABLES: [&str; 11] = [
    "campaign",
    "campaign_stock",
    "coupon",
    "reservation",
    "reservation_coupon",
    "code_batch",
    "code",
    "code_redemption",
    "claim_batch",
    "coupon_grant",
    "grant_recipient",
];
/// One row of everything, all right.
const WORLD: &str = "
    CREATE FUNCTION id(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT lpad(n::text, 32, '0')::uuid $$;
    INSERT INTO campaign (campaign_id, name, terms, stock, per_account_max, claim_open_time, claim_close_time, use_days, state)
        VALUES (id(1), 'c', '{}', 5, 1, '2026-01-01Z', '2026-01-02Z', 30, 'OPEN');
    INSERT INTO campaign_stock VALUES (id(1), 0, 5);
    INSERT INTO coupon VALUES (id(1), id(1), id(7), 1, 'RESERVED', '2026-01-01Z', '2026-01-01Z', '2026-02-01Z');
    INSERT INTO reservation VALUES (id(1), id(9), id(7), 'RESERVED'), (id(2), id(8), id(7), 'RESERVED');
    INSERT INTO reservation_coupon VALUES (id(1), id(1), true);
    INSERT INTO code_batch VALUES (id(1), id(1), sha256('s'), 2, 1, 1, '2026-01-01Z');
    INSERT INTO code VALUES (sha256('c'), id(1), 1, 1);
    INSERT INTO code_redemption VALUES (id(7), id(1), sha256('c'), id(1));
    INSERT INTO claim_batch VALUES (id(1), id(1), id(7), sha256('r'), '2026-01-01Z');
    INSERT INTO coupon_grant (grant_id, campaign_id, total, granted, create_time) VALUES (id(1), id(1), 2, 1, '2026-01-01Z');
    UPDATE code_batch SET request_key = id(1), request_hash = 'h'; UPDATE coupon_grant SET request_key = id(1), request_hash = 'h';
    INSERT INTO grant_recipient VALUES (id(1), 1, id(7), 'GRANTED', id(1)), (id(1), 2, id(8), 'PENDING', NULL);
";
/// (the wall, a write that runs against it).
const WALLS: &[(&str, &str)] = &[
    ("campaign_stock_size", "UPDATE campaign SET stock = 0"),
    (
        "campaign_stock_size",
        "UPDATE campaign SET stock = 10000001",
    ),
    (
        "campaign_per_account",
        "UPDATE campaign SET per_account_max = 101",
    ),
    (
        "campaign_claim_window",
        "UPDATE campaign SET claim_close_time = claim_open_time",
    ),
    ("campaign_use_end", "UPDATE campaign SET use_days = NULL"),
    (
        "campaign_use_end",
        "UPDATE campaign SET use_close_time = '2026-02-01Z'",
    ),
    ("campaign_state", "UPDATE campaign SET state = 'AJAR'"),
    (
        "campaign_stock_remaining",
        "UPDATE campaign_stock SET remaining = -1",
    ),
    (
        "campaign_stock_shard",
        "INSERT INTO campaign_stock VALUES (id(1), 16, 1)",
    ),
    (
        "campaign_stock_campaign_fkey",
        "INSERT INTO campaign_stock VALUES (id(2), 1, 1)",
    ),
    (
        "coupon_owner",
        "INSERT INTO coupon SELECT id(2), campaign_id, account_id, n, 'AVAILABLE', issue_time, valid_from_time, expire_time FROM coupon",
    ),
    ("coupon_state", "UPDATE coupon SET state = 'LOST'"),
    ("coupon_n", "UPDATE coupon SET n = 101"),
    (
        "coupon_campaign_fkey",
        "UPDATE coupon SET campaign_id = id(2)",
    ),
    ("campaign_uses", "UPDATE campaign SET uses_per_coupon = 101"),
    ("coupon_uses", "UPDATE coupon SET uses = 2"),
    ("coupon_used", "UPDATE coupon SET state = 'USED'"),
    ("coupon_used", "UPDATE coupon SET uses = 1"),
    ("coupon_revoked", "UPDATE coupon SET state = 'REVOKED'"),
    (
        "coupon_revoked",
        "UPDATE coupon SET state = 'AVAILABLE', revoke_time = now()",
    ),
    (
        "reservation_coupon_restored",
        "UPDATE reservation_coupon SET restored = true",
    ),
    (
        "reservation_state",
        "UPDATE reservation SET state = 'LAPSED'",
    ),
    (
        "reservation_account",
        "UPDATE reservation SET account_id = NULL",
    ),
    (
        "reservation_coupon_one_holder",
        "INSERT INTO reservation_coupon VALUES (id(2), id(1), true)",
    ),
    (
        "reservation_coupon_reservation_fkey",
        "INSERT INTO reservation_coupon VALUES (id(3), id(1), false)",
    ),
    (
        "reservation_coupon_coupon_fkey",
        "INSERT INTO reservation_coupon VALUES (id(2), id(2), false)",
    ),
    ("campaign_issue", "UPDATE campaign SET issue = 'THROW'"),
    (
        "code_batch_campaign_fkey",
        "UPDATE code_batch SET campaign_id = id(2)",
    ),
    ("code_batch_seed", "UPDATE code_batch SET seed = 's'"),
    ("code_batch_codes", "UPDATE code_batch SET codes = 100001"),
    ("code_batch_uses", "UPDATE code_batch SET uses_max = 0"),
    ("code_batch_stored", "UPDATE code_batch SET stored = 3"),
    (
        "code_batch_request",
        "INSERT INTO code_batch SELECT id(2), campaign_id, seed, codes, uses_max, stored, create_time, revoke_time, request_key, request_hash FROM code_batch",
    ),
    (
        "code_batch_request_hash",
        "UPDATE code_batch SET request_hash = NULL",
    ),
    ("code_batch_fkey", "UPDATE code SET batch_id = id(2)"),
    ("code_hash_size", "INSERT INTO code VALUES ('c', id(1), 1)"),
    ("code_uses", "UPDATE code SET uses = 2"),
    (
        "code_redemption_once",
        "INSERT INTO code_redemption VALUES (id(7), id(2), sha256('c'), id(1))",
    ),
    (
        "code_redemption_coupon",
        "INSERT INTO code_redemption VALUES (id(8), id(1), sha256('c'), id(1))",
    ),
    (
        "code_redemption_code_fkey",
        "UPDATE code_redemption SET code_hash = sha256('d')",
    ),
    (
        "code_redemption_coupon_fkey",
        "UPDATE code_redemption SET coupon_id = id(2)",
    ),
    (
        "claim_batch_campaign_fkey",
        "UPDATE claim_batch SET campaign_id = id(2)",
    ),
    (
        "claim_batch_hash",
        "UPDATE claim_batch SET request_hash = 'r'",
    ),
    (
        "claim_batch_decided",
        "UPDATE claim_batch SET decided = 'd'",
    ),
    (
        "coupon_grant_campaign_fkey",
        "UPDATE coupon_grant SET campaign_id = id(2)",
    ),
    (
        "coupon_grant_state",
        "UPDATE coupon_grant SET state = 'LOST', finish_time = now()",
    ),
    (
        "coupon_grant_total",
        "UPDATE coupon_grant SET total = 10001",
    ),
    (
        "coupon_grant_counts",
        "UPDATE coupon_grant SET no_stock = 2",
    ),
    (
        "coupon_grant_counts",
        "UPDATE coupon_grant SET too_late = -1",
    ),
    (
        "coupon_grant_done",
        "UPDATE coupon_grant SET state = 'DONE', finish_time = now()",
    ),
    (
        "coupon_grant_finish",
        "UPDATE coupon_grant SET finish_time = now()",
    ),
    (
        "coupon_grant_request",
        "INSERT INTO coupon_grant (grant_id, campaign_id, total, create_time, request_key, request_hash) SELECT id(2), campaign_id, total, create_time, request_key, request_hash FROM coupon_grant",
    ),
    (
        "coupon_grant_request_hash",
        "UPDATE coupon_grant SET request_hash = NULL",
    ),
    (
        "grant_recipient_once",
        "INSERT INTO grant_recipient VALUES (id(1), 3, id(7))",
    ),
    (
        "grant_recipient_coupon",
        "UPDATE grant_recipient SET outcome = 'GRANTED', coupon_id = id(1)",
    ),
    (
        "grant_recipient_grant_fkey",
        "INSERT INTO grant_recipient VALUES (id(2), 1, id(7))",
    ),
    (
        "grant_recipient_coupon_fkey",
        "UPDATE grant_recipient SET coupon_id = id(2) WHERE n = 1",
    ),
    (
        "grant_recipient_outcome",
        "UPDATE grant_recipient SET outcome = 'LOST' WHERE n = 2",
    ),
    (
        "grant_recipient_got",
        "UPDATE grant_recipient SET outcome = 'GRANTED' WHERE n = 2",
    ),
];

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

async fn number(connection: &mut Connection, sql: &str) -> i64 {
    let row: Number = diesel::sql_query(sql).get_result(connection).await.unwrap();
    row.n
}

async fn migrated() -> (TestDatabase, Connection) {
    let storage = TestDatabase::create().await.unwrap();
    migrate(storage.url(), &[MIGRATIONS]).await.unwrap();
    let connection = Connection::establish(storage.url().expose()).await.unwrap();
    (storage, connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_down_and_up_again_and_every_column_says_what_it_is() {
    let (_storage, mut connection) = migrated().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let entries = fs::read_dir(folder).unwrap();
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let tables = format!("relkind = 'r' AND relname IN ('{}')", TABLES.join("', '"));
    let count = format!("SELECT count(*) AS n FROM pg_class WHERE {tables}");
    let all = i64::try_from(TABLES.len()).unwrap();
    assert_eq!(number(&mut connection, &count).await, all);
    for migration in folders.iter().rev() {
        let down = fs::read_to_string(migration.join("down.sql")).unwrap();
        connection.batch_execute(&down).await.unwrap();
    }
    assert_eq!(number(&mut connection, &count).await, 0);
    for migration in &folders {
        let up = fs::read_to_string(migration.join("up.sql")).unwrap();
        connection.batch_execute(&up).await.unwrap();
    }
    assert_eq!(number(&mut connection, &count).await, all);
    let silent = format!(
        "SELECT count(*) AS n FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped \
         WHERE {tables} AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)"
    );
    assert_eq!(number(&mut connection, &silent).await, 0);
    let bad = "ALTER TABLE coupon ADD COLUMN bad_example int";
    connection.batch_execute(bad).await.unwrap();
    assert_eq!(number(&mut connection, &silent).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wall_stands() {
    let (_storage, mut connection) = migrated().await;
    connection.batch_execute(WORLD).await.unwrap();
    for (wall, write) in WALLS {
        let refused = connection.batch_execute(&format!("BEGIN; {write}")).await;
        let error = refused.expect_err(write);
        assert_eq!(constraint(&error), Some(*wall), "{write}: {error}");
        connection.batch_execute("ROLLBACK").await.unwrap();
    }
}
