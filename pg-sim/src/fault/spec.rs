//! A fault as it is written in JSON, and its reading.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Break, Fault, Operation, When};

/// Longest latency or span: an hour outlasts every timer of a shop that a test can wait for.
const MILLIS_MAX: u64 = 3_600_000;
/// Most firings of one fault.
const COUNT_MAX: u32 = 1_000;

/// Names of faults on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Latency,
    Reset,
    Close,
    ServerError,
    ProviderError,
    InProgress,
    Garbage,
    WrongAmount,
    RefuseCancel,
    Absent,
    Stale,
}

/// `{"on":"confirm","kind":"reset","when":"after","count":1}`; `count` is 1 when absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultSpec {
    on: Operation,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<When>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    millis: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

/// Why a fault cannot be armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum SpecError {
    #[error("when is missing: before or after")]
    When,
    #[error("millis is missing")]
    Millis,
    #[error("millis is above {MILLIS_MAX}")]
    MillisTooLarge,
    #[error("amount is missing or not above 0")]
    Amount,
    #[error("count is not within 1..={COUNT_MAX}")]
    Count,
    #[error("the fault does not fit the request it is on")]
    Operation,
}

impl FaultSpec {
    /// The request it is about.
    pub(crate) fn on(&self) -> Operation {
        self.on
    }

    /// How often it fires.
    pub(crate) fn count(&self) -> u32 {
        self.count.unwrap_or(1)
    }

    /// Reads it; every combination that cannot fire is refused.
    pub(crate) fn read(&self) -> Result<Fault, SpecError> {
        if !(1..=COUNT_MAX).contains(&self.count()) {
            return Err(SpecError::Count);
        }
        if self.millis.is_some_and(|millis| millis > MILLIS_MAX) {
            return Err(SpecError::MillisTooLarge);
        }
        let span = self.millis.map(Duration::from_millis);
        match self.kind {
            Kind::Latency => Ok(Fault::Latency {
                when: self.when()?,
                time: span.ok_or(SpecError::Millis)?,
            }),
            Kind::Reset => self.broken(Break::Reset),
            Kind::Close => self.broken(Break::Close),
            Kind::ServerError => self.broken(Break::ServerError),
            Kind::ProviderError => self.broken(Break::ProviderError),
            Kind::InProgress => self.broken(Break::InProgress),
            Kind::Garbage => self.broken(Break::Garbage),
            Kind::WrongAmount => {
                let amount = self
                    .amount
                    .filter(|amount| *amount > 0)
                    .ok_or(SpecError::Amount)?;
                self.only_on(Operation::Confirm, Fault::WrongAmount { amount })
            }
            Kind::RefuseCancel => self.only_on(Operation::Cancel, Fault::RefuseCancel),
            Kind::Absent => self.only_on(Operation::Inquire, Fault::Absent { span }),
            Kind::Stale => self.only_on(Operation::Inquire, Fault::Stale { span }),
        }
    }

    fn when(&self) -> Result<When, SpecError> {
        self.when.ok_or(SpecError::When)
    }

    fn broken(&self, how: Break) -> Result<Fault, SpecError> {
        Ok(Fault::Break {
            when: self.when()?,
            how,
        })
    }

    fn only_on(&self, on: Operation, fault: Fault) -> Result<Fault, SpecError> {
        if self.on == on {
            Ok(fault)
        } else {
            Err(SpecError::Operation)
        }
    }
}
