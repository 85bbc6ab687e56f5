//! Configuration from the environment, read once into types.
//!
//! A crate declares its [`Variable`]s as constants; [`load`] reads them through a [`Reader`] and reports every mistake of a start at
//! once. The README's table is generated from the same constants. Secrets cannot be printed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

mod secret;
mod variables;

pub use secret::Secret;
pub use variables::*;

/// Exit code of a process whose configuration is wrong (EX_USAGE of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// One environment variable: the row of the README's table.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Name, starting with `USHER_`.
    pub name: &'static str,
    /// Value when it is absent. `None` with `required` false means that the thing is off.
    pub default: Option<&'static str>,
    /// Whether the process refuses to start without a value.
    pub required: bool,
    /// Whether its value may never be shown.
    pub secret: bool,
    /// What it does, in one sentence.
    pub meaning: &'static str,
}

impl Variable {
    /// A variable that has to be set.
    #[must_use]
    pub const fn required(name: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            default: None,
            required: true,
            secret: false,
            meaning,
        }
    }

    /// A variable that may be absent.
    #[must_use]
    pub const fn optional(name: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            default: None,
            required: false,
            secret: false,
            meaning,
        }
    }

    /// A variable with a default.
    #[must_use]
    pub const fn with_default(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            default: Some(default),
            required: false,
            secret: false,
            meaning,
        }
    }

    /// The same variable, never shown.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// Where variables come from.
pub trait Env {
    /// The value of `name`, if it is set to anything but the empty text.
    fn get(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnv;

impl Env for ProcessEnv {
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

impl Env for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        Self::get(self, name)
            .cloned()
            .filter(|value| !value.is_empty())
    }
}

/// Marks a value that could not be read; the [`Reader`] already knows why.
#[derive(Clone, Copy, Debug)]
pub struct Unreadable;

/// Every mistake of one start.
#[derive(Debug, Error)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "the configuration has {} mistake(s):",
            self.0.len()
        )?;
        self.0
            .iter()
            .try_for_each(|mistake| writeln!(formatter, "  {mistake}"))
    }
}

/// Reads variables and remembers what was wrong with each.
pub struct Reader<'a> {
    env: &'a dyn Env,
    mistakes: Vec<String>,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reader")
            .field("mistakes", &self.mistakes)
            .finish_non_exhaustive()
    }
}

impl Reader<'_> {
    /// The value of a variable that is required or has a default.
    pub fn read<T>(&mut self, variable: &Variable) -> Result<T, Unreadable>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        match self.read_optional(variable)? {
            Some(value) => Ok(value),
            None => Err(self.mistake(variable, "is not set")),
        }
    }

    /// The value of a variable that may be absent.
    pub fn read_optional<T>(&mut self, variable: &Variable) -> Result<Option<T>, Unreadable>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let set = self
            .env
            .get(variable.name)
            .or_else(|| variable.default.map(str::to_owned));
        match set
            .map(|text| text.trim().parse::<T>().map_err(|error| (text, error)))
            .transpose()
        {
            Ok(value) => Ok(value),
            Err((_, error)) if variable.secret => Err(self.mistake(variable, &error.to_string())),
            Err((text, error)) => Err(self.mistake(variable, &format!("is {text:?}: {error}"))),
        }
    }

    /// Notes what is wrong with `variable` beyond its own spelling.
    pub fn mistake(&mut self, variable: &Variable, problem: &str) -> Unreadable {
        self.mistakes.push(format!(
            "{} {problem} ({})",
            variable.name, variable.meaning
        ));
        Unreadable
    }
}

/// Reads a configuration; `read` fetches every variable first and only then gives up, so that all mistakes are reported together.
pub fn load<T>(
    env: &dyn Env,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Unreadable>,
) -> Result<T, Mistakes> {
    let mut reader = Reader {
        env,
        mistakes: Vec::new(),
    };
    match read(&mut reader) {
        Ok(config) if reader.mistakes.is_empty() => Ok(config),
        Ok(_) | Err(Unreadable) => Err(Mistakes(reader.mistakes)),
    }
}

#[cfg(test)]
mod tests;
