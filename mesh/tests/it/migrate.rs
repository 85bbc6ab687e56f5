//! Migrations and the conventions of the tables of mesh.

use std::sync::Arc;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mesh::pg::testing::TestDatabase;
use mesh::pg::{MigrateError, migrate};
use mesh::tasks::Tasks;

use crate::support::Fixture;

/// The migrations of mesh, as a service would bring them by mistake.
const AGAIN: EmbeddedMigrations = embed_migrations!("migrations");

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_that_start_together_both_succeed() {
    let storage = Arc::new(TestDatabase::create().await.unwrap());
    let tasks = Tasks::new();
    let start = || {
        let storage = Arc::clone(&storage);
        tasks.spawn("instance", async move { migrate(storage.url(), &[]).await })
    };
    let (a, b) = (start(), start());
    a.await.unwrap().unwrap();
    b.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_can_be_taken_back() {
    let fixture = Fixture::new().await;
    fixture.sql("DROP TABLE effect").await;
    let left = "SELECT count(*) AS n FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_\\_%'";
    assert!(fixture.number(left).await > 0);
    for down in [
        include_str!("../../migrations/2026-01-01-000001_keep_dead_letters/down.sql"),
        include_str!("../../migrations/2026-01-01-000000_create_mesh_tables/down.sql"),
    ] {
        fixture.sql(down).await;
    }
    assert_eq!(fixture.number(left).await, 0);
    fixture.sql("DELETE FROM __diesel_schema_migrations").await;
    migrate(fixture.storage.url(), &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_migrations_of_one_version_are_refused() {
    let storage = TestDatabase::create().await.unwrap();
    let refused = migrate(storage.url(), &[AGAIN]).await;
    assert!(
        matches!(refused, Err(MigrateError::SameVersion(_))),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_panics_leaves_no_database_behind() {
    let (tasks, elsewhere) = (Tasks::new(), Fixture::new().await);
    let (tell, told) = tokio::sync::oneshot::channel();
    let panicked = tasks.run("test", async move {
        let storage = TestDatabase::create().await.unwrap();
        let url = storage.url().expose().to_owned();
        tell.send(url).unwrap();
        panic!("as the test asked");
    });
    assert!(panicked.await.is_err());
    let url = told.await.unwrap();
    let name = url.rsplit('/').next().unwrap();
    let left = format!("SELECT count(*) AS n FROM pg_database WHERE datname = '{name}'");
    assert_eq!(elsewhere.number(&left).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_and_column_of_mesh_has_a_comment() {
    let fixture = Fixture::new().await;
    fixture.sql("DROP TABLE effect").await;
    let bare = "SELECT count(*) AS n FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE '\\_\\_%'
        AND a.attnum > 0 AND NOT a.attisdropped
        AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)";
    assert_eq!(fixture.number(bare).await, 0);
    fixture.sql("CREATE TABLE effect (n bigint)").await;
    assert_eq!(
        fixture.number(bare).await,
        1,
        "the check sees a bare column"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_only_grows() {
    use diesel_async::SimpleAsyncConnection;
    use mesh::pg::audit::{Entry, append};

    let fixture = Fixture::new().await;
    let mut connection = fixture.connection().await;
    let entry = Entry {
        method: "a.B/C",
        subject: "somebody",
        reason: "because",
        resource_id: "this",
        code: tonic::Code::FailedPrecondition,
    };
    append(&mut connection, &entry).await.unwrap();
    for change in [
        "UPDATE audit_log SET reason = ''",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ] {
        assert!(connection.batch_execute(change).await.is_err(), "{change}");
    }
    let rows = fixture
        .number("SELECT count(*) AS n FROM audit_log WHERE code = 'FailedPrecondition'")
        .await;
    assert_eq!(rows, 1);
}
