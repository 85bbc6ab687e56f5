//! REST and JSON in, gRPC out.
//!
//! It learns every route, message and policy from descriptors; no business has a word in here, and adding a method needs no code in here.
//!
//! - [`Config`]: what it is told. `routes`: which package lives where.
//! - `edge`: builds two doors, one for callers and one for operators, and serves both until the end.
//! - `door`: what happens to one request, in order; the file to read first.
//! - `table`, `rates`, `identify`, `passes`, `body`, `headers`, `deadline`, `upstream`: the steps of the door, one file each.
//! - `answer`, `stream`, `places`: what goes out, whole or in parts, and room for it. `terms`: what /openapi.json says of a policy.
//! - `compress`, `cors`: what the layers around the door do. `page`: files for browsers, where a folder is named.
//! - `transport`: sockets, protocol limits and the drain. `readiness`: what /readyz says.
//!
//! Not served here yet: gRPC and gRPC-Web from outside.

mod answer;
mod body;
mod compress;
mod config;
mod cors;
mod deadline;
mod door;
mod edge;
mod headers;
mod identify;
mod limits;
mod page;
mod passes;
mod places;
mod rates;
mod readiness;
mod reasons;
mod routes;
mod stream;
mod table;
mod terms;
mod transport;
mod upstream;

pub use config::{Config, EDGE_VARIABLES, PROGRAM};
pub use cors::{NotOrigins, Origins};
pub use edge::{Edge, EdgeError, run};
pub use limits::Limits;
pub use page::PageError;
pub use reasons::REASONS;
pub use routes::{NotRoutes, Routes};
