//! What a process knows about the things it needs.
//!
//! A required check that is down makes the process not ready; a degraded one only shows. Selling goes on without the broker.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;

/// What a check's failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Without it no request can be answered.
    Required,
    /// Without it something waits, nothing is lost.
    Degrading,
}

/// The state of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What its failure means.
    pub need: Need,
    /// Whether it is well.
    pub up: bool,
    /// Why not, in a few words without secrets.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The checks of a process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health {
    checks: Arc<RwLock<BTreeMap<&'static str, Check>>>,
}

impl Health {
    /// No checks: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a check up.
    pub fn up(&self, name: &'static str, need: Need) {
        self.set(
            name,
            Check {
                need,
                up: true,
                detail: String::new(),
            },
        );
    }

    /// Sets a check down.
    pub fn down(&self, name: &'static str, need: Need, detail: impl Into<String>) {
        self.set(
            name,
            Check {
                need,
                up: false,
                detail: detail.into(),
            },
        );
    }

    fn set(&self, name: &'static str, check: Check) {
        let gauge = metrics::gauge!("usher_check_up", "check" => name);
        gauge.set(if check.up { 1.0 } else { 0.0 });
        self.checks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, check);
    }

    /// Whether every required check is up.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner);
        checks
            .values()
            .all(|check| check.up || check.need == Need::Degrading)
    }

    /// Every check by name.
    #[must_use]
    pub fn report(&self) -> BTreeMap<&'static str, Check> {
        self.checks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_required_check_stops_the_process_from_being_ready() {
        let health = Health::new();
        health.up("postgres", Need::Required);
        health.down("broker", Need::Degrading, "refused");
        assert!(health.is_ready());
        health.down("postgres", Need::Required, "refused");
        assert!(!health.is_ready());
    }
}
