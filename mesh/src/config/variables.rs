//! The variables that more than one process reads.

use super::Variable;

/// Where the process answers.
pub const LISTEN: Variable = Variable::with_default(
    "USHER_LISTEN",
    "127.0.0.1:0",
    "address the service answers on; port 0 takes a free one",
);
/// Where health and metrics are.
pub const ADMIN_LISTEN: Variable = Variable::with_default(
    "USHER_ADMIN_LISTEN",
    "127.0.0.1:0",
    "address of /livez, /readyz and /metrics, and on edge-proxy of ADMIN methods",
);
/// Where the bound addresses are written.
pub const ADDR_FILE: Variable = Variable::optional(
    "USHER_ADDR_FILE",
    "file that gets the bound addresses, one listen= and one admin= line",
);
/// The service's own database.
pub const DATABASE_URL: Variable =
    Variable::required("USHER_DATABASE_URL", "Postgres database of this service").secret();
/// The message broker.
pub const AMQP_URL: Variable = Variable::required(
    "USHER_AMQP_URL",
    "RabbitMQ, amqp://user:password@host:port/vhost",
)
.secret();
/// Prefix of every exchange and queue.
pub const AMQP_PREFIX: Variable = Variable::optional(
    "USHER_AMQP_PREFIX",
    "goes before every exchange and queue name, so that tests can share a broker",
);
/// Keys of access tokens.
pub const JWKS: Variable = Variable::required(
    "USHER_JWKS",
    "file or http(s) URL of the JWKS that access tokens are verified with",
);
/// Issuer of access tokens.
pub const JWT_ISSUER: Variable = Variable::with_default(
    "USHER_JWT_ISSUER",
    "usher-dev",
    "only tokens of this issuer are taken",
);
/// Audience of access tokens.
pub const JWT_AUDIENCE: Variable = Variable::with_default(
    "USHER_JWT_AUDIENCE",
    "usher",
    "only tokens for this audience are taken",
);
/// Secret between peers.
pub const MESH_TOKEN: Variable = Variable::required(
    "USHER_MESH_TOKEN",
    "shared secret by which peers know each other, at least 16 characters",
)
.secret();
/// More callers.
pub const POLICY_OVERLAY: Variable = Variable::optional(
    "USHER_POLICY_OVERLAY",
    "JSON file {\"package.Service/Method\": [\"caller\"]} that adds callers; it cannot widen access",
);
/// Log filter.
pub const LOG: Variable = Variable::with_default(
    "USHER_LOG",
    "info",
    "log filter, e.g. info,mesh=debug; lines are JSON on standard error",
);
/// Where traces go.
pub const OTLP_ENDPOINT: Variable = Variable::optional(
    "USHER_OTLP_ENDPOINT",
    "collector that gets traces by OTLP over gRPC, http://127.0.0.1:4317; without it they stay in the logs as trace_id",
);
/// Preset of timers.
pub const TIMINGS: Variable = Variable::with_default(
    "USHER_TIMINGS",
    "standard",
    "standard, or test: ladders, sweeps and deadlines 100 times shorter",
);

/// Every variable of this module, for the README's table.
pub const VARIABLES: &[&Variable] = &[
    &LISTEN,
    &ADMIN_LISTEN,
    &ADDR_FILE,
    &DATABASE_URL,
    &AMQP_URL,
    &AMQP_PREFIX,
    &JWKS,
    &JWT_ISSUER,
    &JWT_AUDIENCE,
    &MESH_TOKEN,
    &POLICY_OVERLAY,
    &LOG,
    &OTLP_ENDPOINT,
    &TIMINGS,
];
