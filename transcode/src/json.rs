//! `ProtoJSON` to messages, strictly: a body that could be read in two ways is refused.

mod message;
mod tree;

pub(crate) use message::{field_value, message};
pub use tree::MAX_JSON_DEPTH;
pub(crate) use tree::parse;
