//! Removal of old rows, and what readiness sees.

use std::time::Duration;

use mesh::health::Health;

use crate::support::{Fixture, until};

#[tokio::test(flavor = "multi_thread")]
async fn rows_past_their_time_are_removed_in_batches_and_no_others() {
    let fixture = Fixture::new().await;
    fixture
        .sql(
            "INSERT INTO inbox SELECT 'c', gen_random_uuid(), now() - interval '15 days' FROM generate_series(1, 2500);
             INSERT INTO inbox SELECT 'c', gen_random_uuid(), now() - interval '13 days' FROM generate_series(1, 9);
             INSERT INTO dead_letter (consumer, message_id, type, payload, attempts, reason)
                 VALUES ('c', '00000000-0000-4000-8000-000000000001', '', '', 0, 'an operator may still replay it');
             INSERT INTO inbox VALUES ('c', '00000000-0000-4000-8000-000000000001', now() - interval '15 days');
             INSERT INTO idempotency SELECT gen_random_uuid(), 'm', gen_random_uuid(), decode(repeat('00', 32), 'hex'), gen_random_uuid(),
                 now() - hours * interval '1 hour' FROM generate_series(1, 48) AS hours",
        )
        .await;
    fixture.database.keep_swept(Duration::from_millis(20));
    until("old rows are gone", async || {
        fixture.number("SELECT count(*) AS n FROM inbox").await == 10
            && fixture
                .number("SELECT count(*) AS n FROM idempotency")
                .await
                == 23
    })
    .await;
    assert!(
        fixture
            .tasks
            .shutdown(Duration::from_secs(5))
            .await
            .is_empty()
    );
    assert_eq!(fixture.number("SELECT count(*) AS n FROM inbox").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_database() {
    let (fixture, elsewhere, health) = (Fixture::new().await, Fixture::new().await, Health::new());
    fixture
        .database
        .keep_watched(&health, Duration::from_millis(20));
    let up = || {
        health
            .report()
            .get("postgres")
            .is_some_and(|check| check.up)
    };
    until("it is up", async || up()).await;
    elsewhere.forbid(&fixture, true).await;
    until("it is down", async || !up()).await;
    assert!(!health.is_ready());
    elsewhere.forbid(&fixture, false).await;
    until("it is up again", async || up()).await;
    assert!(
        fixture
            .tasks
            .shutdown(Duration::from_secs(5))
            .await
            .is_empty()
    );
}
