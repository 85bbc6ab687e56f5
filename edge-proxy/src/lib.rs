//! REST and JSON in, gRPC out.
//!
//! It learns every route, message and policy from descriptors; no business has a word in here, and adding a method needs no code in here.
//!
//! - [`Config`]: what it is told. `routes`: which package lives where.
//! - `edge`: builds two doors, one for callers and one for operators, and serves both until the end.
//! - `door`: what happens to one request, in order; the file to read first.
//! - `table`, `rates`, `identify`, `body`, `headers`, `deadline`, `upstream`: the steps of the door, one file each.
//! - `transport`: sockets, protocol limits and the drain. `readiness`: what /readyz says.
//!
//! Not served here yet: streamed answers, which are refused as 501; gRPC and gRPC-Web from outside; CORS.

mod body;
mod config;
mod deadline;
mod door;
mod edge;
mod headers;
mod identify;
mod limits;
mod rates;
mod readiness;
mod reasons;
mod routes;
mod table;
mod transport;
mod upstream;

pub use config::{Config, EDGE_VARIABLES, PROGRAM};
pub use edge::{Edge, EdgeError, run};
pub use limits::Limits;
pub use reasons::REASONS;
pub use routes::{NotRoutes, Routes};
