//! The mesh from outside: the demo, and what tests and load share.

pub mod demo;
pub mod rest;
