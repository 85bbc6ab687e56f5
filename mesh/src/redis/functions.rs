//! Functions on the server, by one of two ways: Redis Functions, which survive a restart, or scripts by digest where those are forbidden.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::ConnectionManager;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, Script, ServerErrorKind, Value, cmd};
use sha2::{Digest, Sha256};
use tracing::warn;

use super::Wait;
use crate::trace::hex;

/// A function of a [`Library`], by its name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function(pub &'static str);

/// Lua that defines functions as fields of a table `F`, each taking keys and arguments.
///
/// The name on the server has a digest of the source in it: processes of two releases each call their own.
#[derive(Clone, Debug)]
pub struct Library {
    name: String,
    source: String,
    scripts: Arc<[(Function, Script)]>,
}

impl Library {
    /// A library called `name` (letters, digits and `_`) with these functions.
    #[must_use]
    pub fn new(name: &str, source: impl Into<String>, functions: &[Function]) -> Self {
        let source = source.into();
        let digest = Sha256::digest(source.as_bytes());
        let digest = hex(digest.get(..8).unwrap_or_default());
        // With the first line a script is refused before it begins when memory is full, not in its middle.
        let script = |function: &Function| {
            let script = format!("#!lua\n{source}\nreturn F.{}(KEYS, ARGV)\n", function.0);
            (*function, Script::new(&script))
        };
        Self {
            name: format!("{name}_{digest}"),
            scripts: functions.iter().map(script).collect(),
            source,
        }
    }

    /// As `FUNCTION LOAD` takes it. While a library is loaded there is no loop over a table.
    fn functions(&self) -> String {
        let Self {
            name,
            source,
            scripts,
        } = self;
        let register = |(function, _): &(Function, Script)| {
            let function = function.0;
            format!("redis.register_function('{name}_{function}', F.{function})\n")
        };
        let registered: String = scripts.iter().map(register).collect();
        format!("#!lua name={name}\n{source}\n{registered}")
    }

    fn script(&self, function: Function) -> Result<&Script, RedisError> {
        let found = self.scripts.iter().find(|(name, _)| *name == function);
        let missing = || {
            let kind = ErrorKind::InvalidClientConfig;
            RedisError::from((kind, "the library has no such function"))
        };
        found.map(|(_, script)| script).ok_or_else(missing)
    }

    fn call(&self, function: Function, keys: &[&str], args: &[Vec<u8>]) -> Cmd {
        let mut call = cmd("FCALL");
        call.arg(format!("{}_{}", self.name, function.0));
        with(call, keys, args)
    }
}

fn with(mut call: Cmd, keys: &[&str], args: &[Vec<u8>]) -> Cmd {
    call.arg(keys.len()).arg(keys).arg(args);
    call
}

/// How functions are called on this server.
#[derive(Debug, Default)]
pub(super) struct Way {
    scripts: AtomicBool,
}

impl Way {
    /// Calls a function; loads it first where the server says that it has none. Answers the number of replicas that have it, too.
    pub(super) async fn call(
        &self,
        connection: &mut ConnectionManager,
        library: &Library,
        function: Function,
        keys: &[&str],
        args: &[Vec<u8>],
        wait: Option<Wait>,
    ) -> Result<(Value, u32), RedisError> {
        let script = library.script(function)?;
        let scripts = self.scripts.load(Ordering::Relaxed);
        let order = |scripts: bool| {
            if scripts {
                let mut call = cmd("EVALSHA");
                call.arg(script.get_hash());
                with(call, keys, args)
            } else {
                library.call(function, keys, args)
            }
        };
        match send(connection, order(scripts), wait).await {
            Err(error) if is_missing(&error) => {}
            answer => return answer,
        }
        let scripts = match load(connection, library, script, scripts).await {
            Err(error) if !scripts && is_forbidden(&error) => {
                warn!("this Redis forbids functions, scripts are used instead");
                self.scripts.store(true, Ordering::Relaxed);
                load(connection, library, script, true).await?;
                true
            }
            Err(error) => return Err(error),
            Ok(()) => scripts,
        };
        send(connection, order(scripts), wait).await
    }
}

async fn send(
    connection: &mut ConnectionManager,
    order: Cmd,
    wait: Option<Wait>,
) -> Result<(Value, u32), RedisError> {
    let Some(wait) = wait else {
        return Ok((order.query_async(connection).await?, 0));
    };
    let mut both = Pipeline::with_capacity(2);
    both.add_command(order);
    let milliseconds = u64::try_from(wait.timeout.as_millis()).unwrap_or(u64::MAX);
    both.cmd("WAIT").arg(wait.replicas).arg(milliseconds);
    both.query_async(connection).await
}

async fn load(
    connection: &mut ConnectionManager,
    library: &Library,
    script: &Script,
    scripts: bool,
) -> Result<(), RedisError> {
    if scripts {
        return script.load_async(connection).await.map(drop);
    }
    // REPLACE, because two processes may start at once; what is replaced is the same, byte by byte.
    let loaded = cmd("FUNCTION")
        .arg("LOAD")
        .arg("REPLACE")
        .arg(library.functions())
        .query_async::<Value>(connection)
        .await;
    loaded.map(drop)
}

fn is_missing(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::NoScript))
        || says(error, "function not found")
        || is_forbidden(error)
}

/// Functions are unknown to the server, or not allowed to this user.
fn is_forbidden(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::NoPerm))
        || says(error, "unknown command")
}

fn says(error: &RedisError, words: &str) -> bool {
    error.to_string().to_ascii_lowercase().contains(words)
}
