//! Configuration, read once.
//!
//! `USHER_LISTEN` (127.0.0.1:7190), `USHER_ADDR_FILE`, `USHER_TOSS_SECRET` (required), `USHER_LOG` (info), `USHER_SIM_REMOTE` (false),
//! `USHER_SIM_SEED` (0), `USHER_SIM_RATES` ([]). [`VARIABLES`] is the table.

use std::net::SocketAddr;
use std::path::PathBuf;

use mesh::config::{ADDR_FILE, LOG, Reader, Secret, Unreadable, Variable};

use crate::fault::Rates;

/// Where the gateway answers.
pub const LISTEN: Variable = Variable::with_default(
    "USHER_LISTEN",
    "127.0.0.1:7190",
    "address of the gateway, the robot and the oracle; port 0 takes a free one",
);
/// Secret of the shop.
pub const TOSS_SECRET: Variable = Variable::required(
    "USHER_TOSS_SECRET",
    "secret key of the shop, the user of HTTP Basic",
)
.secret();
/// Leave to listen on more than the loopback.
pub const REMOTE: Variable = Variable::with_default(
    "USHER_SIM_REMOTE",
    "false",
    "true allows an address that is not loopback; whoever reaches it makes payments succeed",
);
/// Seed of the rates.
pub const SEED: Variable = Variable::with_default(
    "USHER_SIM_SEED",
    "0",
    "seed of USHER_SIM_RATES; the same seed breaks the same requests",
);
/// Faults by chance.
pub const RATES: Variable = Variable::with_default(
    "USHER_SIM_RATES",
    "[]",
    "JSON list of [fault, firings per million requests] for every order",
);

/// Every variable, for the README's table.
pub const VARIABLES: &[&Variable] = &[
    &LISTEN,
    &ADDR_FILE,
    &TOSS_SECRET,
    &LOG,
    &REMOTE,
    &SEED,
    &RATES,
];

/// How the simulator runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// File that gets the bound address.
    pub addr_file: Option<PathBuf>,
    /// Log filter.
    pub log: String,
    /// Secret of the shop.
    pub toss_secret: Secret,
    /// Faults by chance, seeded.
    pub rates: Rates,
}

impl Config {
    /// Reads every variable before it gives up on one.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let (listen, remote) = (
            reader.read::<SocketAddr>(&LISTEN),
            reader.read::<bool>(&REMOTE),
        );
        let (addr_file, log) = (reader.read_optional(&ADDR_FILE), reader.read(&LOG));
        let (toss_secret, seed, rates) = (
            reader.read(&TOSS_SECRET),
            reader.read(&SEED),
            reader.read::<Rates>(&RATES),
        );
        let (listen, remote) = (listen?, remote?);
        if !remote && !listen.ip().is_loopback() {
            return Err(reader.mistake(
                &LISTEN,
                "is not a loopback address and USHER_SIM_REMOTE is not true",
            ));
        }
        Ok(Self {
            listen,
            addr_file: addr_file?,
            log: log?,
            toss_secret: toss_secret?,
            rates: rates?.seeded(seed?),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mesh::config::{Mistakes, load};

    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, Mistakes> {
        let env: BTreeMap<String, String> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        load(&env, Config::read)
    }

    #[test]
    fn only_the_loopback_is_served_unless_told_otherwise() {
        let secret = ("USHER_TOSS_SECRET", "sk");
        assert!(config(&[secret]).unwrap().listen.ip().is_loopback());
        let open = ("USHER_LISTEN", "0.0.0.0:1");
        assert!(
            config(&[secret, open])
                .unwrap_err()
                .to_string()
                .contains("USHER_SIM_REMOTE")
        );
        assert_eq!(
            config(&[secret, open, ("USHER_SIM_REMOTE", "true")])
                .unwrap()
                .listen
                .port(),
            1
        );
    }

    #[test]
    fn every_mistake_is_told_and_the_secret_never() {
        let told = config(&[("USHER_LISTEN", "here"), ("USHER_SIM_RATES", "x")])
            .unwrap_err()
            .to_string();
        for name in ["USHER_LISTEN", "USHER_SIM_RATES", "USHER_TOSS_SECRET"] {
            assert!(told.contains(name), "{told}");
        }
        assert!(
            !format!("{:?}", config(&[("USHER_TOSS_SECRET", "hunter2")]).unwrap())
                .contains("hunter2")
        );
    }
}
