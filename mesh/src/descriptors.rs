//! The descriptors of every contract, with the custom options that the generated code drops.

use std::sync::OnceLock;

use prost_reflect::DescriptorPool;
use thiserror::Error;

/// The embedded descriptor set does not decode: the build is broken.
#[derive(Clone, Copy, Debug, Error)]
#[error("the embedded descriptor set does not decode")]
pub struct BrokenDescriptors;

/// The pool of every contract, decoded once a process. Cloning a pool is cheap.
pub fn pool() -> Result<DescriptorPool, BrokenDescriptors> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(proto::DESCRIPTORS).ok());
    pool.clone().ok_or(BrokenDescriptors)
}
