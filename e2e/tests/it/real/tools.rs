//! Programs of others that speak to the mesh: they come from `dev/requirements.txt`.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use e2e::rest::Person;
use mesh::config::{Env, ProcessEnv};
use mesh::id;
use tokio::process::Command;

/// No tool takes longer, even on a busy machine.
const TOOL_PATIENCE: Duration = Duration::from_secs(300);

/// The folder of the tools.
pub(crate) struct Tools(PathBuf);

impl Tools {
    pub(crate) fn find() -> Self {
        let folder = ProcessEnv.get("USHER_TOOLS_DIR").expect(
            "USHER_TOOLS_DIR is not set: run `make test`, or `dev/tools` and export USHER_TOOLS_DIR=$PWD/.run/venv/bin",
        );
        Self(folder.into())
    }

    /// Runs a tool, which has to succeed; answers what it printed.
    pub(crate) async fn run(&self, name: &str, arguments: &[&str]) -> String {
        let told = self.try_run(name, arguments).await;
        told.unwrap_or_else(|told| panic!("{name} failed:\n{told}"))
    }

    /// Runs a tool; an error is what it printed when it failed.
    pub(crate) async fn try_run(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        let output = self.output(name, arguments).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        match output.status.success() {
            true => Ok(text),
            false => Err(format!("{text}\n{errors}")),
        }
    }

    async fn output(&self, name: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.0.join(name));
        // Some leave notes where they run.
        let folder = std::env::temp_dir().join(format!("usher-tool-{}", id::new()));
        std::fs::create_dir(&folder).unwrap();
        command.args(arguments).stdin(Stdio::null());
        command.current_dir(&folder);
        // Tools of Python say what they said only at their end otherwise, and draw for terminals.
        command.env("PYTHONUNBUFFERED", "1").env("NO_COLOR", "1");
        let run = command.kill_on_drop(true).output();
        let output = tokio::time::timeout(TOOL_PATIENCE, run).await;
        drop(std::fs::remove_dir_all(&folder)); // in the folder of the machine for such things
        output
            .unwrap_or_else(|_| panic!("{name} did not end"))
            .unwrap()
    }
}

/// The header that `grpcurl`, `buf curl` and `schemathesis` take for a person.
pub(crate) fn bearer(person: &Person) -> String {
    format!("authorization: Bearer {}", person.token)
}
