//! Every contract of usher.
//!
//! The `.proto` files beside `src` are the truth; this crate only carries what is generated from them: messages, clients, servers and
//! [`DESCRIPTORS`], from which edge-proxy learns its routes and every service its method policy.

/// Generated code is not ours to lint.
#[allow(
    clippy::all,
    clippy::as_conversions,
    clippy::large_futures,
    clippy::too_many_lines,
    missing_debug_implementations,
    rustdoc::all,
    unused_qualifications
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/usher.rs"));
}

pub use generated::{google, usher};

/// The encoded `FileDescriptorSet` of every contract with its imports, comments and custom options.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
