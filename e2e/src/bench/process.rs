//! Processes of a bench, and what a process has used.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mesh::config::{Env, ProcessEnv};
use tonic::transport::{Channel, Endpoint};

use super::BenchError;

/// Longest start of a process.
const START_MAX: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The kernel tells processor time in hundredths of a second, whatever its own clock is (proc(5), USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// A binary of the mesh in a process of its own; it ends with this value.
pub(super) struct Process {
    child: Child,
    /// Where it answers.
    pub(super) address: String,
}

impl Process {
    /// Starts the binary `name`, which lies beside this one, on free ports.
    pub(super) async fn start(
        name: &str,
        folder: &Path,
        variables: &[(&str, String)],
    ) -> Result<Self, BenchError> {
        let failed = |what: &str| {
            let what = format!("{name}: {what}");
            move |error| BenchError::Io(what, error)
        };
        let own = std::env::current_exe().map_err(failed("where is its binary"))?;
        let binary = own.with_file_name(name);
        let log_path = folder.join(format!("{name}.log"));
        let addresses = folder.join(format!("{name}.addr"));
        let log = File::create(&log_path).map_err(failed("its log"))?;
        let kept = ["PATH", "HOME", "USHER_TEST_RUN_ID", "USHER_RUN_ID"];
        let kept = kept
            .into_iter()
            .filter_map(|name| Some((name, ProcessEnv.get(name)?)));
        let child = Command::new(&binary)
            .env_clear()
            .envs(kept)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("USHER_ADDR_FILE", &addresses)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed("its log"))?)
            .stderr(log)
            .spawn()
            .map_err(failed(&format!("{} cannot be started", binary.display())))?;
        let mut process = Self {
            child,
            address: String::new(),
        };
        let started = tokio::time::timeout(START_MAX, process.listens(&addresses)).await;
        match started.ok().flatten() {
            Some(address) => process.address = address,
            None => {
                return Err(BenchError::NotServing {
                    name: name.to_owned(),
                    log: log_path,
                });
            }
        }
        Ok(process)
    }

    /// Its address once it has written it; `None` when it ended before.
    async fn listens(&mut self, addresses: &PathBuf) -> Option<String> {
        loop {
            if let Ok(Some(_)) | Err(_) = self.child.try_wait() {
                return None;
            }
            let text = std::fs::read_to_string(addresses).unwrap_or_default();
            let listen = text.lines().find_map(|line| line.strip_prefix("listen="));
            if let Some(listen) = listen.filter(|_| text.ends_with('\n')) {
                return Some(format!("http://{listen}"));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// A connection to it.
    pub(super) async fn connect(&self) -> Result<Channel, BenchError> {
        let failed = |error: tonic::transport::Error| {
            BenchError::Contradiction(format!("{}: {error}", self.address))
        };
        let endpoint = Endpoint::from_shared(self.address.clone()).map_err(failed)?;
        endpoint.tcp_nodelay(true).connect().await.map_err(failed)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill()); // it may be gone already
        drop(self.child.wait());
    }
}

/// Processor time of a process so far, in seconds.
pub(super) fn processor_seconds(pid: u32) -> Result<f64, BenchError> {
    let text = read(pid, "stat")?;
    // The name in front may have blanks and brackets in it.
    let fields: Vec<&str> = text
        .rsplit_once(") ")
        .map_or("", |(_, fields)| fields)
        .split(' ')
        .collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u32>().ok();
    let (Some(user), Some(system)) = (ticks(11), ticks(12)) else {
        return Err(BenchError::Contradiction(format!(
            "/proc/{pid}/stat: {text}"
        )));
    };
    Ok((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

/// Most memory that a process ever had, in MB.
pub(super) fn peak_mb(pid: u32) -> Result<f64, BenchError> {
    let text = read(pid, "status")?;
    let peak = text.lines().find_map(|line| {
        let kb = line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?;
        kb.parse::<u32>().ok()
    });
    let unknown = || BenchError::Contradiction(format!("/proc/{pid}/status: {text}"));
    Ok(f64::from(peak.ok_or_else(unknown)?) * 1_024.0 / 1e6)
}

/// Cores, and how many processes wanted one in the last minute: on a busy machine rounds differ more.
pub(super) fn machine() -> Result<String, BenchError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let path = "/proc/loadavg";
    let load = std::fs::read_to_string(path);
    let load = load.map_err(|error| BenchError::Io(path.to_owned(), error))?;
    let load = load.split(' ').next().unwrap_or_default();
    Ok(format!("{cores} cores, load average {load} when it began"))
}

fn read(pid: u32, file: &str) -> Result<String, BenchError> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).map_err(|error| BenchError::Io(path, error))
}
