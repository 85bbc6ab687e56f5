//! An instance of queue-svc in a process of its own, which a test may stop and kill.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use mesh::config::{Env, ProcessEnv, Secret};

use crate::service::{Door, Home, until};

/// A process that dies with the test.
pub(crate) struct Process {
    child: Child,
    variables: Vec<(&'static str, String)>,
    addresses: PathBuf,
    log: PathBuf,
    pub(crate) door: Door,
}

impl Process {
    /// Starts one on a free port and waits until it serves.
    pub(crate) async fn start(home: &Home, redis: &Secret) -> Self {
        let name = mesh::id::new();
        let addresses = home.folder().join(format!("{name}.addr"));
        let log = home.folder().join(format!("{name}.log"));
        let mut variables = home.variables();
        variables.extend([
            ("USHER_REDIS_URL", redis.expose().to_owned()),
            ("USHER_ADDR_FILE", addresses.display().to_string()),
            ("USHER_LOG", "warn".to_owned()),
        ]);
        let mut child = spawn(&variables, &log);
        let listen = until("a process writes its addresses", async || {
            if let Some(status) = child.try_wait().unwrap() {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("queue-svc ended: {status}\\n{log}");
            }
            let text = std::fs::read_to_string(&addresses).ok()?;
            let listen = text.lines().find_map(|line| line.strip_prefix("listen="))?;
            text.ends_with('\n').then(|| listen.to_owned())
        })
        .await;
        let door = Door::at(&listen);
        door.serves().await;
        variables.push(("USHER_LISTEN", listen));
        Self {
            child,
            variables,
            addresses,
            log,
            door,
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill()); // it may be gone already
        self.child.wait().unwrap();
    }

    /// Starts it at the address that people know.
    pub(crate) async fn start_again(&mut self) {
        std::fs::remove_file(&self.addresses).unwrap();
        self.child = spawn(&self.variables, &self.log);
        self.door.serves().await;
    }

    /// SIGSTOP: it does nothing, and nobody is told.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// SIGCONT: it goes on where it was.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success(), "{signal}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// It sees no variable of ours but `variables` and the mark by which `dev/test` finds what a test leaves behind.
fn spawn(variables: &[(&'static str, String)], log: &PathBuf) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    let kept = ["PATH", "HOME", "USHER_TEST_RUN_ID"];
    let kept = kept
        .into_iter()
        .filter_map(|name| Some((name, ProcessEnv.get(name)?)));
    let mut command = Command::new(env!("CARGO_BIN_EXE_queue-svc"));
    command.env_clear().envs(kept);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap());
    command.stderr(log).spawn().unwrap()
}
