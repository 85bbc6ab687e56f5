//! A gate inside of a database: a statement on a table waits there, in its transaction, until the test opens it.

use super::RealMesh;
use super::storage::Storage;
use super::until;

/// A gate on one kind of statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    /// What waits, as a trigger says it: `DELETE ON outbox`.
    pub(crate) statement: &'static str,
    /// For which rows.
    pub(crate) rows: &'static str,
}

impl Gate {
    /// Closes it. A statement waits as long as its own timeout lets it.
    pub(crate) async fn close(self, storage: &Storage) {
        let Self { statement, rows } = self;
        storage
            .run(&format!(
                "CREATE SCHEMA gate;
                 CREATE TABLE gate.state (open boolean);
                 INSERT INTO gate.state VALUES (false);
                 CREATE FUNCTION gate.pass() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN
                     WHILE NOT (SELECT open FROM gate.state) LOOP PERFORM pg_sleep(0.01); END LOOP;
                     IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
                     RETURN NEW;
                 END $$;
                 CREATE TRIGGER gate BEFORE {statement} FOR EACH ROW WHEN ({rows}) EXECUTE FUNCTION gate.pass();"
            ))
            .await;
    }

    /// Waits until a statement stands before it.
    pub(crate) async fn reached(self, storage: &Storage) {
        until(
            &format!("{} stands before its gate", self.statement),
            async || (waiting(storage).await > 0).then_some(()),
        )
        .await;
    }

    /// Opens it and takes it away.
    pub(crate) async fn open(self, storage: &Storage) {
        storage.run("UPDATE gate.state SET open = true").await;
        until("nobody stands before the gate", async || {
            (waiting(storage).await == 0).then_some(())
        })
        .await;
        storage.run("DROP SCHEMA gate CASCADE").await;
    }

    /// Ends the sessions that stand before it, so that what they do is undone, and takes it away.
    pub(crate) async fn undo(self, storage: &Storage) {
        let ended = format!("SELECT pg_terminate_backend(pid)::text FROM {WAITING}");
        storage.texts(&ended).await;
        self.open(storage).await;
    }
}

/// Sessions in the loop of the trigger.
const WAITING: &str = "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' AND wait_event = 'PgSleep'";

async fn waiting(storage: &Storage) -> i64 {
    storage
        .number(&format!("SELECT count(*) FROM {WAITING}"))
        .await
}

impl RealMesh {
    /// Messages of a queue that nobody has in work.
    pub(crate) async fn depth(&self, queue: &str) -> u32 {
        self.queues
            .depths()
            .await
            .get(queue)
            .copied()
            .unwrap_or_default()
    }
}
