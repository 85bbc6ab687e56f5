//! Transactions: owned, retried, bounded, told apart when they fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use mesh::config::Secret;
use mesh::pg::testing::TestDatabase;
use mesh::pg::{Database, DatabaseOptions, DomainError, TxError, constraint};
use mesh::tasks::Tasks;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, Notify};
use tokio_postgres::config::Host;
use tokio_util::sync::CancellationToken;

use crate::support::{Fixture, insert, number, text, until, within};

#[derive(Debug, PartialEq, Eq)]
struct Refused(&'static str);

impl DomainError for Refused {}

/// Ends every other session of the database, as a restart of the server does.
const END_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_no_open_transaction_and_loses_no_write() {
    let fixture = Fixture::new().await;
    let (inside, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (reached, released) = (Arc::clone(&inside), Arc::clone(&go));
    let database = fixture.database.clone();
    let mut caller = Box::pin(database.transaction("write", async move |connection| {
        insert(connection, 1, "written").await?;
        reached.notify_one();
        released.notified().await;
        Ok::<_, TxError<Refused>>(())
    }));
    tokio::select! {
        outcome = &mut caller => panic!("ended before it was released: {outcome:?}"),
        () = inside.notified() => {}
    }
    assert_eq!(fixture.open_transactions().await, 1);
    drop(caller);
    go.notify_one();
    until("the write commits", async || {
        fixture.number("SELECT count(*) AS n FROM effect").await == 1
    })
    .await;
    assert!(
        fixture
            .tasks
            .shutdown(Duration::from_secs(5))
            .await
            .is_empty()
    );
    assert_eq!(fixture.open_transactions().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_rolls_back_and_comes_out_as_it_is() {
    let fixture = Fixture::new().await;
    let outcome = fixture
        .database
        .transaction("write", async |connection| {
            insert(connection, 1, "never").await?;
            Err::<(), _>(Refused("not today"))?;
            Ok(())
        })
        .await;
    assert!(
        matches!(outcome, Err(TxError::Refused(Refused("not today")))),
        "{outcome:?}"
    );
    assert_eq!(fixture.number("SELECT count(*) AS n FROM effect").await, 0);
    assert_eq!(fixture.open_transactions().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_rolls_back() {
    let fixture = Fixture::new().await;
    let outcome = fixture
        .database
        .transaction("write", async |connection| {
            insert(connection, 1, "never").await?;
            if number(connection, "SELECT count(*) AS n FROM effect").await? == 1 {
                panic!("as the test asked");
            }
            Ok::<_, TxError<Refused>>(())
        })
        .await;
    assert!(matches!(outcome, Err(TxError::Unknown)), "{outcome:?}");
    until("the session ends", async || {
        fixture.open_transactions().await == 0
    })
    .await;
    assert_eq!(fixture.number("SELECT count(*) AS n FROM effect").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_tried_again() {
    let mut options = DatabaseOptions::new("test");
    options.lock_timeout = Duration::from_secs(20);
    let fixture = Fixture::with(options).await;
    fixture
        .sql("INSERT INTO effect VALUES (1, 'a'), (2, 'b')")
        .await;
    let (meet, attempts) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let start = |first: i64, second: i64| {
        let (meet, attempts) = (Arc::clone(&meet), Arc::clone(&attempts));
        let database = fixture.database.clone();
        async move {
            database
                .transaction("cross", async move |connection| {
                    let update =
                        |n: i64| format!("UPDATE effect SET label = label || '!' WHERE n = {n}");
                    connection.batch_execute(&update(first)).await?;
                    // Only the first attempts meet: both then hold what the other one wants.
                    if attempts.fetch_add(1, Ordering::Relaxed) < 2 {
                        meet.wait().await;
                    }
                    connection.batch_execute(&update(second)).await?;
                    Ok::<_, TxError<Refused>>(())
                })
                .await
        }
    };
    let (a, b) = tokio::join!(start(1, 2), start(2, 1));
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    assert_eq!(
        attempts.load(Ordering::Relaxed),
        3,
        "one of the two ran again"
    );
    let done = fixture
        .number("SELECT count(*) AS n FROM effect WHERE label LIKE '_!!'")
        .await;
    assert_eq!(done, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_always_collides_ends_in_conflict() {
    let fixture = Fixture::new().await;
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let outcome = fixture
        .database
        .transaction("collide", async move |connection| {
            counted.fetch_add(1, Ordering::Relaxed);
            connection
                .batch_execute("DO $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = 'serialization_failure'; END $$")
                .await?;
            Ok::<_, TxError<Refused>>(())
        })
        .await;
    assert!(matches!(outcome, Err(TxError::Conflict)), "{outcome:?}");
    assert_eq!(attempts.load(Ordering::Relaxed), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_without_a_free_connection_answers_busy_in_time() {
    let mut options = DatabaseOptions::new("test");
    options.pool_size = 1;
    let fixture = Fixture::with(options).await;
    let (inside, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (reached, released, database) = (
        Arc::clone(&inside),
        Arc::clone(&go),
        fixture.database.clone(),
    );
    let holder = fixture.tasks.spawn("holder", async move {
        database
            .transaction("hold", async move |_connection| {
                reached.notify_one();
                released.notified().await;
                Ok::<_, TxError<Refused>>(())
            })
            .await
    });
    within("it is inside", inside.notified()).await;
    let watch = mesh::clock::Stopwatch::start();
    let refused = fixture
        .database
        .transaction("more", async |_connection| Ok::<_, TxError<Refused>>(()))
        .await;
    assert!(matches!(refused, Err(TxError::Busy)), "{refused:?}");
    assert!(
        watch.elapsed() >= Duration::from_millis(500),
        "{:?}",
        watch.elapsed()
    );
    let read = fixture
        .database
        .read(async |connection| number(connection, "SELECT 1::bigint AS n").await)
        .await;
    assert!(matches!(read, Err(TxError::Busy)), "{read:?}");
    // Recovery does not stand behind callers.
    let background = fixture.database.background();
    let read = background
        .read(async |connection| number(connection, "SELECT 1::bigint AS n").await)
        .await;
    assert_eq!(read.unwrap(), 1);
    go.notify_one();
    holder.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_does_not_come_is_a_lock_timeout() {
    let fixture = Fixture::new().await;
    let mut other = fixture.connection().await;
    other
        .batch_execute("BEGIN; LOCK TABLE effect")
        .await
        .unwrap();
    let outcome = fixture
        .database
        .transaction("wait", async |connection| {
            insert(connection, 1, "never").await?;
            Ok::<_, TxError<Refused>>(())
        })
        .await;
    assert!(matches!(outcome, Err(TxError::LockTimeout)), "{outcome:?}");
    other.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swallowed_error_fails_the_transaction() {
    let fixture = Fixture::new().await;
    fixture
        .sql("CREATE UNIQUE INDEX effect_once ON effect (n)")
        .await;
    let outcome = fixture
        .database
        .transaction("swallow", async |connection| {
            insert(connection, 1, "first").await?;
            let twice = insert(connection, 1, "second").await.unwrap_err();
            assert_eq!(constraint(&twice), Some("effect_once"));
            Ok::<_, TxError<Refused>>(())
        })
        .await;
    assert!(matches!(outcome, Err(TxError::Database(_))), "{outcome:?}");
    assert_eq!(fixture.number("SELECT count(*) AS n FROM effect").await, 0);
    // A savepoint is the way to go on after an error.
    let outcome = fixture
        .database
        .transaction("savepoint", async |connection| {
            insert(connection, 1, "first").await?;
            let twice = connection
                .transaction(async |connection| insert(connection, 1, "second").await)
                .await;
            assert!(twice.is_err());
            Ok::<_, TxError<Refused>>(())
        })
        .await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(fixture.number("SELECT count(*) AS n FROM effect").await, 1);
    assert_eq!(fixture.open_transactions().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_constraint_is_told_by_its_name() {
    let fixture = Fixture::new().await;
    fixture
        .sql("ALTER TABLE effect ADD CONSTRAINT effect_late UNIQUE (n) DEFERRABLE INITIALLY DEFERRED")
        .await;
    let outcome = fixture
        .database
        .transaction("late", async |connection| {
            insert(connection, 1, "first").await?;
            insert(connection, 1, "second").await?;
            Ok::<_, TxError<Refused>>(())
        })
        .await;
    assert_eq!(outcome.unwrap_err().constraint(), Some("effect_late"));
    assert_eq!(fixture.open_transactions().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_died_in_the_pool_are_replaced_unseen() {
    let fixture = Fixture::new().await;
    // Fill the pool, so that every connection in it is dead afterwards.
    let meet = Arc::new(Barrier::new(16));
    let fill = (0..16).map(|_| {
        let (database, meet) = (fixture.database.clone(), Arc::clone(&meet));
        fixture.tasks.spawn("fill", async move {
            database
                .transaction("fill", async move |_connection| {
                    meet.wait().await;
                    Ok::<_, TxError<Refused>>(())
                })
                .await
        })
    });
    for filled in fill.collect::<Vec<_>>() {
        filled.await.unwrap().unwrap();
    }
    fixture.sql(END_SESSIONS).await;
    let written = fixture
        .database
        .transaction("write", async |connection| {
            insert(connection, 1, "written").await?;
            Ok::<_, TxError<Refused>>(())
        })
        .await;
    assert!(written.is_ok(), "{written:?}");
    fixture.sql(END_SESSIONS).await;
    let read = fixture
        .database
        .read(async |connection| number(connection, "SELECT count(*) AS n FROM effect").await)
        .await;
    assert_eq!(read.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_before_commit_changed_nothing_and_says_so() {
    let fixture = Fixture::new().await;
    let killer = Arc::new(tokio::sync::Mutex::new(fixture.connection().await));
    let outcome = fixture
        .database
        .transaction("cut", async move |connection| {
            insert(connection, 1, "never").await?;
            killer.lock().await.batch_execute(END_SESSIONS).await?;
            insert(connection, 2, "never").await?;
            Ok::<_, TxError<Refused>>(())
        })
        .await;
    assert!(matches!(outcome, Err(TxError::Unavailable)), "{outcome:?}");
    assert_eq!(fixture.number("SELECT count(*) AS n FROM effect").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_unknown() {
    let fixture = Fixture::new().await;
    // The commit waits in a deferred trigger until the session is ended under it.
    fixture
        .sql(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER effect_wait AFTER INSERT ON effect DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()",
        )
        .await;
    let database = fixture.database.clone();
    let commit = fixture.tasks.spawn("commit", async move {
        database
            .transaction("commit", async |connection| {
                insert(connection, 1, "unknown").await?;
                Ok::<_, TxError<Refused>>(())
            })
            .await
    });
    until("the commit waits", async || {
        fixture
            .number("SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")
            .await
            == 1
    })
    .await;
    fixture.sql(END_SESSIONS).await;
    let outcome = commit.await.unwrap();
    assert!(matches!(outcome, Err(TxError::Unknown)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_not_a_busy_pool() {
    let (fixture, elsewhere) = (Fixture::new().await, Fixture::new().await);
    elsewhere.forbid(&fixture, true).await;
    let outcome = fixture
        .database
        .transaction("away", async |_connection| Ok::<_, TxError<Refused>>(()))
        .await;
    assert!(matches!(outcome, Err(TxError::Unavailable)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_session_carries_its_limits() {
    let fixture = Fixture::new().await;
    let settings = "SELECT current_setting('lock_timeout') || ' ' || current_setting('statement_timeout') || ' '
        || current_setting('idle_in_transaction_session_timeout') || ' ' || current_setting('application_name') AS t";
    for database in [fixture.database.clone(), fixture.database.background()] {
        let read = database
            .read(async |connection| text(connection, settings).await)
            .await;
        assert_eq!(read.unwrap(), "500ms 15s 10s test");
    }
}

/// A way to the server of `url` that somebody cuts: from then on nothing is read of what is sent, and no word comes back.
async fn cuttable(url: &Secret, tasks: &Tasks) -> (Secret, CancellationToken) {
    let config: tokio_postgres::Config = url.expose().parse().unwrap();
    let [Host::Tcp(host)] = config.get_hosts() else {
        panic!("one server");
    };
    let server = (host.clone(), config.get_ports()[0]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (there, here) = (
        format!("{}:{}", server.0, server.1),
        listener.local_addr().unwrap().to_string(),
    );
    let through = Secret::new(url.expose().replace(&there, &here));
    assert_ne!(through.expose(), url.expose());
    let (cut, stop, ways) = (CancellationToken::new(), tasks.stopping(), tasks.clone());
    let silent = cut.clone();
    tasks.spawn("way", async move {
        while let Some(Ok((mut near, _))) = stop.run_until_cancelled(listener.accept()).await {
            let mut far = TcpStream::connect(server.clone()).await.unwrap();
            let (silent, stop) = (silent.clone(), stop.clone());
            ways.spawn("connection", async move {
                let both = tokio::io::copy_bidirectional(&mut near, &mut far);
                drop(silent.run_until_cancelled(both).await);
                stop.cancelled().await;
            });
        }
    });
    (through, cut)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_without_a_word_holds_nobody_for_ever() {
    let storage = TestDatabase::create().await.unwrap();
    let tasks = Tasks::new();
    let (url, cut) = cuttable(storage.url(), &tasks).await;
    let mut options = DatabaseOptions::new("test");
    options.silence = Duration::from_millis(500);
    options.acquire_timeout = Duration::from_secs(5);
    let database = Database::connect(&url, &options, &tasks).await.unwrap();
    let read = database.read(async |connection| number(connection, "SELECT 1::bigint AS n").await);
    assert_eq!(read.await.unwrap(), 1);
    cut.cancel();
    // More than the sockets on the way take: what nobody takes shows the silence also where nothing is lost on the way.
    let long = Arc::new(format!(
        "SELECT length('{}')::bigint AS n",
        "x".repeat(64 << 20)
    ));
    let read = database.read(async move |connection| number(connection, &long).await);
    let outcome = within("the read ends", read).await;
    assert!(matches!(outcome, Err(TxError::Unavailable)), "{outcome:?}");
}
