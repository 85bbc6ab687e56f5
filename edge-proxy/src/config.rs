//! What the door is told: `USHER_LISTEN`, `USHER_ADMIN_LISTEN`, `USHER_ADDR_FILE`, `USHER_JWKS`, `USHER_JWT_ISSUER`,
//! `USHER_JWT_AUDIENCE`, `USHER_LOG`, `USHER_OTLP_ENDPOINT` of the mesh, and the variables below.

use std::num::NonZeroU32;
use std::path::PathBuf;

use mesh::config::{self, Reader, Secret, Unreadable, Variable};
use mesh::identity::{JwksSource, VerifierOptions};
use mesh::process::Program;
use mesh::server::ServerConfig;

use crate::cors::Origins;
use crate::limits::Limits;
use crate::routes::Routes;

/// Where packages live.
const EDGE_ROUTES: Variable = Variable::required(
    "USHER_EDGE_ROUTES",
    "which package lives where: package=http://a:1,http://b:2;other.package=http://c:3",
);
/// The contracts.
const EDGE_DESCRIPTORS: Variable = Variable::optional(
    "USHER_EDGE_DESCRIPTORS",
    "file with an encoded FileDescriptorSet, imports and options included; without it the contracts of this build",
);
/// How many subjects one address may stand for.
const ADDRESS_FACTOR: Variable = Variable::with_default(
    "USHER_EDGE_ADDRESS_FACTOR",
    "20",
    "a client address may call this many times as often as one subject: offices and phone networks share addresses",
);
/// Who may call from a browser.
const CORS_ORIGINS: Variable = Variable::optional(
    "USHER_EDGE_CORS_ORIGINS",
    "origins of pages whose scripts may call: https://a.example,http://localhost:3000, or * for all; without it browsers let none",
);
/// A page of its own.
const PAGE: Variable = Variable::optional(
    "USHER_EDGE_PAGE",
    "folder of a page that is served at /page/, for demonstrations; without it there is none",
);

/// Keys of passes.
const QUEUE_JWKS: Variable = Variable::optional(
    "USHER_QUEUE_JWKS",
    "file or http(s) URL of the JWKS that queue passes are looked at with before a call goes on; without it only the service looks",
);

/// The variables of this crate.
pub const EDGE_VARIABLES: &[&Variable] = &[
    &EDGE_ROUTES,
    &EDGE_DESCRIPTORS,
    &ADDRESS_FACTOR,
    &CORS_ORIGINS,
    &QUEUE_JWKS,
    &PAGE,
];

const SHARED_VARIABLES: &[&Variable] = &[
    &config::LISTEN,
    &config::ADMIN_LISTEN,
    &config::ADDR_FILE,
    &config::JWKS,
    &config::JWT_ISSUER,
    &config::JWT_AUDIENCE,
    &config::LOG,
    &config::OTLP_ENDPOINT,
];

/// What `--help` says.
pub const PROGRAM: Program = Program {
    name: "edge-proxy",
    about: "REST and JSON in, gRPC out",
    variables: &[SHARED_VARIABLES, EDGE_VARIABLES],
};

/// The configuration of the door.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listeners, keys, log. The door is no member of the mesh and knows no secret of it: `mesh_token` is empty and never used.
    pub server: ServerConfig,
    /// Which package lives where.
    pub routes: Routes,
    /// File with other contracts than the embedded ones.
    pub descriptors: Option<PathBuf>,
    /// How many subjects one address may stand for.
    pub address_factor: NonZeroU32,
    /// Pages of which origins may call from a browser; without them none.
    pub cors_origins: Option<Origins>,
    /// Keys of queue passes; without them only the service looks.
    pub queue_jwks: Option<JwksSource>,
    /// Folder of a page for browsers; without it there is none.
    pub page: Option<PathBuf>,
    /// Bounds.
    pub limits: Limits,
}

impl Config {
    /// Reads every variable; mistakes are collected by the reader.
    ///
    /// # Errors
    /// [`Unreadable`] when one of them is missing or wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let (listen, admin_listen) = (
            reader.read(&config::LISTEN),
            reader.read(&config::ADMIN_LISTEN),
        );
        let addr_file = reader.read_optional(&config::ADDR_FILE);
        let jwks = reader.read::<JwksSource>(&config::JWKS);
        let (issuer, audience) = (
            reader.read(&config::JWT_ISSUER),
            reader.read(&config::JWT_AUDIENCE),
        );
        let log = reader.read(&config::LOG);
        let otlp_endpoint = reader.read_optional(&config::OTLP_ENDPOINT);
        let routes = reader.read(&EDGE_ROUTES);
        let descriptors = reader.read_optional(&EDGE_DESCRIPTORS);
        let address_factor = reader.read(&ADDRESS_FACTOR);
        let cors_origins = reader.read_optional(&CORS_ORIGINS);
        let queue_jwks = reader.read_optional(&QUEUE_JWKS);
        let page = reader.read_optional(&PAGE);
        let tokens = VerifierOptions {
            jwks: jwks?,
            issuer: issuer?,
            audience: audience?,
        };
        Ok(Self {
            server: ServerConfig {
                listen: listen?,
                admin_listen: admin_listen?,
                addr_file: addr_file?,
                tokens,
                mesh_token: Secret::new(""),
                policy_overlay: None,
                log: log?,
                otlp_endpoint: otlp_endpoint?,
            },
            routes: routes?,
            descriptors: descriptors?,
            address_factor: address_factor?,
            cors_origins: cors_origins?,
            queue_jwks: queue_jwks?,
            page: page?,
            limits: Limits::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mesh::config::load;

    use super::Config;

    #[test]
    fn every_mistake_is_told_at_once() {
        let env = [
            ("USHER_LISTEN", "nowhere"),
            ("USHER_EDGE_ROUTES", "x"),
            ("USHER_EDGE_ADDRESS_FACTOR", "0"),
            ("USHER_EDGE_CORS_ORIGINS", "example.com"),
        ];
        let env: BTreeMap<_, _> = env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let mistakes = load(&env, Config::read).unwrap_err().to_string();
        for name in [
            "USHER_LISTEN",
            "USHER_JWKS",
            "USHER_EDGE_ROUTES",
            "USHER_EDGE_ADDRESS_FACTOR",
            "USHER_EDGE_CORS_ORIGINS",
        ] {
            assert!(mistakes.contains(name), "{name}: {mistakes}");
        }
    }

    #[test]
    fn the_secret_of_the_mesh_is_not_asked_for() {
        let env = [
            ("USHER_JWKS", "keys.json"),
            ("USHER_EDGE_ROUTES", "a.v1=http://x:1"),
            ("USHER_MESH_TOKEN", "a secret between peers"),
        ];
        let env: BTreeMap<_, _> = env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let config = load(&env, Config::read).unwrap();
        assert_eq!(config.server.mesh_token.expose(), "");
        assert_eq!(config.address_factor.get(), 20);
    }
}
