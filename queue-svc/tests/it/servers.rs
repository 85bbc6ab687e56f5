//! A Redis of the test's own, which it may kill.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use mesh::config::Secret;
use mesh::redis::{CallError, Redis};
use redis::Pipeline;

use crate::service::until;

/// A Redis that dies with the test.
pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
    more: Vec<String>,
    pub(crate) redis: Redis,
}

impl Server {
    /// One that writes nothing by itself.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more settings.
    pub(crate) async fn start_with(more: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let folder = std::env::temp_dir().join(format!("usher-redis-{}", mesh::id::new()));
        std::fs::create_dir(&folder).unwrap();
        let more: Vec<String> = more.iter().map(|&text| text.to_owned()).collect();
        let child = spawn(port, &folder, &more);
        let url = Secret::new(format!("redis://127.0.0.1:{port}"));
        let redis = Redis::open(&url).unwrap();
        let server = Self {
            child,
            port,
            folder,
            more,
            redis,
        };
        server.answers().await;
        server
    }

    async fn answers(&self) {
        until("it answers", async || self.run(&["PING"]).await.ok()).await;
    }

    pub(crate) async fn run(&self, command: &[&str]) -> Result<String, CallError> {
        let mut order = Pipeline::with_capacity(1);
        order.cmd(command[0]).arg(&command[1..]);
        let answer = self.redis.run(&order).await?;
        Ok(format!("{answer:?}"))
    }

    pub(crate) async fn follow(&self, primary: &Self) {
        let port = primary.port.to_string();
        self.run(&["REPLICAOF", "127.0.0.1", &port]).await.unwrap();
        until("it has the data of the other", async || {
            let told = self.run(&["INFO", "replication"]).await.ok()?;
            (told.contains("role:slave") && told.contains("master_link_status:up")).then_some(())
        })
        .await;
    }

    pub(crate) async fn lead(&self) {
        self.run(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    }

    /// Its replicas hear nothing any more.
    pub(crate) async fn fall_silent_to_replicas(&self) {
        self.run(&["ACL", "SETUSER", "default", "-psync", "-sync"])
            .await
            .unwrap();
        self.run(&["CLIENT", "KILL", "TYPE", "replica"])
            .await
            .unwrap();
        until("no replica is connected", async || {
            let told = self.run(&["INFO", "replication"]).await.ok()?;
            told.contains("connected_slaves:0").then_some(())
        })
        .await;
    }

    pub(crate) fn url(&self) -> Secret {
        Secret::new(format!("redis://127.0.0.1:{}", self.port))
    }

    /// It stops to answer anybody.
    pub(crate) fn silence(&self) {
        let pid = self.child.id().to_string();
        let stopped = Command::new("kill").args(["-STOP", &pid]).status().unwrap();
        assert!(stopped.success());
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Everything that it has written is gone, too.
    pub(crate) fn wipe(&self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
        std::fs::create_dir(&self.folder).unwrap();
    }

    /// Starts it where it was, with what it had written.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(self.port, &self.folder, &self.more);
        self.answers().await;
    }
}

fn spawn(port: u16, folder: &PathBuf, more: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", ""]);
    command.args(["--repl-diskless-sync-delay", "0"]);
    command.arg("--port").arg(port.to_string());
    command.arg("--dir").arg(folder);
    command.args(more).stdout(Stdio::null()).spawn().unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
