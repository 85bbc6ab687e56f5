//! The variables that every server reads.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::{self, Env, Mistakes, Reader, Secret, Unreadable};
use crate::identity::{JwksSource, MESH_TOKEN_MIN, VerifierOptions};
use crate::telemetry::{Observed, OtlpEndpoint};

/// What every server needs to know.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it answers.
    pub listen: SocketAddr,
    /// Where health and metrics are.
    pub admin_listen: SocketAddr,
    /// File that gets the bound addresses.
    pub addr_file: Option<PathBuf>,
    /// Keys, issuer, audience.
    pub tokens: VerifierOptions,
    /// Secret between peers.
    pub mesh_token: Secret,
    /// Callers added to policies.
    pub policy_overlay: Option<PathBuf>,
    /// Log filter.
    pub log: String,
    /// Where traces go.
    pub otlp_endpoint: Option<OtlpEndpoint>,
}

impl ServerConfig {
    /// Reads the shared variables.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let (listen, admin_listen) = (
            reader.read(&config::LISTEN),
            reader.read(&config::ADMIN_LISTEN),
        );
        let addr_file = reader.read_optional(&config::ADDR_FILE);
        let jwks = reader.read::<JwksSource>(&config::JWKS);
        let issuer = reader.read(&config::JWT_ISSUER);
        let audience = reader.read(&config::JWT_AUDIENCE);
        let mesh_token = read_mesh_token(reader);
        let policy_overlay = reader.read_optional(&config::POLICY_OVERLAY);
        let log = reader.read(&config::LOG);
        let otlp_endpoint = reader.read_optional(&config::OTLP_ENDPOINT);
        Ok(Self {
            listen: listen?,
            admin_listen: admin_listen?,
            addr_file: addr_file?,
            tokens: VerifierOptions {
                jwks: jwks?,
                issuer: issuer?,
                audience: audience?,
            },
            mesh_token: mesh_token?,
            policy_overlay: policy_overlay?,
            log: log?,
            otlp_endpoint: otlp_endpoint?,
        })
    }

    /// What the process tells of itself.
    #[must_use]
    pub fn observed(&self) -> Observed<'_> {
        Observed {
            log: &self.log,
            otlp: self.otlp_endpoint.as_ref(),
        }
    }

    /// Reads the shared variables alone.
    pub fn from_env(env: &dyn Env) -> Result<Self, Mistakes> {
        config::load(env, Self::read)
    }
}

/// The secret between peers, long enough not to be guessed.
pub fn read_mesh_token(reader: &mut Reader<'_>) -> Result<Secret, Unreadable> {
    let token: Secret = reader.read(&config::MESH_TOKEN)?;
    if token.expose().len() < MESH_TOKEN_MIN {
        return Err(reader.mistake(&config::MESH_TOKEN, "is too short"));
    }
    Ok(token)
}
