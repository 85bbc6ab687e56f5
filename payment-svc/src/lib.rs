//! payment-svc: takes money through providers and returns it, and never guesses.
//!
//! [`domain`] decides and touches nothing.

pub mod domain;
