//! The mesh from outside: the benches, the demo, what tests and load share, the rules of the source tree, the generated pages.

pub mod bench;
pub mod demo;
pub mod docs;
pub mod rest;
pub mod tidy;
