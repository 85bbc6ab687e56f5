//! One binary in a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use e2e::rest::{Call, Rest};

use super::until;

/// Lines of a log that a failure shows.
const SHOWN_LINES: usize = 20;

pub(crate) struct Process {
    name: String,
    variables: Vec<(String, String)>,
    folder: PathBuf,
    child: Child,
    listen: String,
    admin: String,
}

impl Process {
    /// Starts `name` on free ports and waits for its addresses.
    pub(crate) async fn start(name: &str, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = variables.iter().map(own).collect();
        let free = "127.0.0.1:0";
        let child = spawn(name, folder, &variables, free, free);
        let mut process = Self {
            name: name.to_owned(),
            variables,
            folder: folder.to_owned(),
            child,
            listen: String::new(),
            admin: String::new(),
        };
        process.read_addresses().await;
        process
    }

    /// Starts it again at the addresses that others know.
    pub(crate) async fn start_again(&mut self) {
        self.kill();
        std::fs::remove_file(self.addresses()).unwrap();
        self.child = spawn(
            &self.name,
            &self.folder,
            &self.variables,
            &self.listen,
            &self.admin,
        );
        self.read_addresses().await;
    }

    async fn read_addresses(&mut self) {
        let path = self.addresses();
        let what = format!("{} writes its addresses", self.name);
        let text = until(&what, async || {
            self.check_alive();
            let text = std::fs::read_to_string(&path).ok();
            text.filter(|text| text.ends_with('\n'))
        })
        .await;
        let value = |name| text.lines().find_map(|line| line.strip_prefix(name));
        self.listen = value("listen=").unwrap().to_owned();
        self.admin = value("admin=").unwrap_or_default().to_owned();
    }

    fn check_alive(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            self.print_log();
            panic!("{} ended: {status}", self.name);
        }
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Where its health is.
    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// The environment it runs with.
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&self) {
        let (base, path) = match self.admin.as_str() {
            "" => (self.address(), "/livez"),
            _ => (self.admin(), "/readyz"),
        };
        let rest = Rest::new(base);
        until(&format!("{} is ready", self.name), async || {
            let answer = rest.send(&Call::get(path)).await;
            answer.ok().filter(|answer| answer.status == 200)
        })
        .await;
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill()); // it may be gone already
        self.child.wait().unwrap();
    }

    /// Sends a signal, such as STOP, CONT or TERM.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success(), "{signal} to {}", self.name);
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) {
        let what = format!("{} ends", self.name);
        let child = &mut self.child;
        let status = until(&what, async || child.try_wait().unwrap()).await;
        assert!(status.success(), "{what}: {status}");
    }

    /// Whether its log has a line with this text.
    pub(crate) fn logged(&self, text: &str) -> bool {
        let log = std::fs::read_to_string(log(&self.folder, &self.name));
        log.unwrap_or_default().contains(text)
    }

    /// What a failed test shows of a process: all but the lines of normal life.
    #[expect(clippy::print_stderr, reason = "the story of a failed test")]
    pub(crate) fn print_log(&self) {
        let text = std::fs::read_to_string(log(&self.folder, &self.name)).unwrap_or_default();
        let odd = |line: &&str| !line.contains("\"level\":\"INFO\"");
        let lines: Vec<&str> = text.lines().filter(odd).collect();
        let from = lines.len().saturating_sub(SHOWN_LINES);
        eprintln!(
            "--- {}: {} lines, {} of them odd\n{}",
            self.name,
            text.lines().count(),
            lines.len(),
            lines[from..].join("\n")
        );
    }

    fn addresses(&self) -> PathBuf {
        addresses(&self.folder, &self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn addresses(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.addr"))
}

fn log(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

/// The process sees no variable of ours but those of `variables` and the mark by which `dev/test` finds what a test leaves behind.
fn spawn(
    name: &str,
    folder: &Path,
    variables: &[(String, String)],
    listen: &str,
    admin: &str,
) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(log(folder, name))
        .unwrap();
    let mut command = Command::new(binary(name));
    command
        .env_clear()
        .envs(kept())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .env("USHER_LISTEN", listen)
        .env("USHER_ADMIN_LISTEN", admin)
        .env("USHER_ADDR_FILE", addresses(folder, name))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    command.spawn().unwrap()
}

fn kept() -> impl Iterator<Item = (&'static str, String)> {
    use mesh::config::{Env, ProcessEnv};
    let names = ["PATH", "HOME", "USHER_TEST_RUN_ID", "USHER_LOG"];
    names
        .into_iter()
        .filter_map(|name| Some((name, ProcessEnv.get(name)?)))
}

/// The binary beside the tests' own: `target/debug/deps/it-1234` and `target/debug/<name>`.
pub(crate) fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    // Of several instances the second is called `name.2`.
    let name = name.split('.').next().unwrap();
    let path = own.parent().unwrap().parent().unwrap().join(name);
    assert!(
        path.exists(),
        "{} is not built: run `make test`, or `cargo build --workspace --bins`",
        path.display()
    );
    path
}
