//! The demo: a catalogue on sale, one purchase told step by step, and a waiting room that fills and drains. Everything goes through REST, as a front end would.

use std::path::PathBuf;

use mesh::config::{self, ProcessEnv, Variable};
use mesh::identity::{KeyError, Role, SigningKey};
use thiserror::Error;
use uuid::Uuid;

use crate::rest::{Person, Rest, RestError};

mod buy;
mod crowd;
mod gate;
mod qr;
mod seed;

pub use buy::buy;
pub use crowd::crowd;
pub use gate::{GateError, Verified, verify};
pub use seed::{Entry, Sale, seed};

/// Where edge-proxy is.
pub const EDGE_URL: Variable =
    Variable::with_default("USHER_EDGE_URL", "http://127.0.0.1:8080", "edge-proxy");
/// Where booking-svc is.
pub const BOOKING_URL: Variable = Variable::with_default(
    "USHER_BOOKING_URL",
    "http://127.0.0.1:7110",
    "booking-svc, for grpcurl",
);
/// Where the payment simulator is.
pub const PG_SIM_URL: Variable = Variable::with_default(
    "USHER_PG_SIM_URL",
    "http://127.0.0.1:7190",
    "the payment simulator",
);
/// Keys of the development mesh.
pub const KEYS_DIR: Variable = Variable::with_default(
    "USHER_KEYS_DIR",
    ".run/dev/keys",
    "keys made by usher-token init",
);

/// What the demo reads.
pub const VARIABLES: &[&Variable] = &[&EDGE_URL, &BOOKING_URL, &PG_SIM_URL, &KEYS_DIR];

/// Why the demo stopped.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The environment.
    #[error(transparent)]
    Config(#[from] config::Mistakes),
    /// No key to sign tokens with.
    #[error("{0} cannot be read; make run creates it")]
    NoKey(PathBuf, #[source] std::io::Error),
    /// A key that is none.
    #[error("the signing key is not one")]
    Key(#[from] KeyError),
    /// Nobody answers.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// The mesh refused what the demo needs.
    #[error("{call} was answered {status}: {body}")]
    Refused {
        /// Method and path.
        call: String,
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
    },
    /// A thing the demo waits for did not happen.
    #[error("{0}")]
    Waited(String),
    /// The ticket is not genuine.
    #[error("the ticket was refused at the gate")]
    Gate(#[from] GateError),
}

/// Whom and what the demo talks to.
#[derive(Debug)]
pub struct Stage {
    /// edge-proxy.
    pub edge: Rest,
    /// The payment simulator.
    pub simulator: Rest,
    /// booking-svc's address for grpcurl, without scheme.
    pub booking: String,
    key: SigningKey,
}

impl Stage {
    /// Reads the environment and the signing key.
    pub fn set() -> Result<Self, DemoError> {
        let (edge, booking, simulator, keys) = config::load(&ProcessEnv, |reader| {
            let edge = reader.read::<String>(&EDGE_URL);
            let booking = reader.read::<String>(&BOOKING_URL);
            let simulator = reader.read::<String>(&PG_SIM_URL);
            let keys = reader.read::<PathBuf>(&KEYS_DIR);
            Ok((edge?, booking?, simulator?, keys?))
        })?;
        let path = keys.join("signing.pem");
        let pem = std::fs::read_to_string(&path).map_err(|error| DemoError::NoKey(path, error))?;
        Ok(Self {
            edge: Rest::new(edge),
            simulator: Rest::new(simulator),
            booking: booking.trim_start_matches("http://").to_owned(),
            key: SigningKey::from_pem(&pem)?,
        })
    }

    /// Somebody with these roles.
    pub fn person(&self, account_id: Uuid, roles: &[Role]) -> Result<Person, DemoError> {
        Ok(Person::new(account_id, roles, &self.key)?)
    }
}
