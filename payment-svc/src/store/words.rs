//! Words of states in the database, one list each, read and written from it.

use diesel::QueryResult;

use super::corrupt;
use crate::domain::{AttemptState, Cause, Method, RefundCause, RefundState, State};

/// A value with one word in the database.
pub(super) trait Word: Copy + PartialEq + 'static {
    /// Every value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The word of this value.
    fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(value, _)| *value == self)
            .map_or("", |(_, word)| word)
    }

    /// The value of a word.
    fn read(word: &str) -> QueryResult<Self> {
        let found = Self::WORDS.iter().find(|(_, known)| *known == word);
        found
            .map(|(value, _)| *value)
            .ok_or_else(|| corrupt(format!("unknown word {word:?}")))
    }
}

impl Word for State {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::AwaitingCustomer, "AWAITING_CUSTOMER"),
        (Self::Processing, "PROCESSING"),
        (Self::Unknown, "UNKNOWN"),
        (Self::Captured, "CAPTURED"),
        (Self::Declined, "DECLINED"),
        (Self::Cancelled, "CANCELLED"),
        (Self::Expired, "EXPIRED"),
        (Self::PartiallyRefunded, "PARTIALLY_REFUNDED"),
        (Self::Refunded, "REFUNDED"),
    ];
}

impl Word for Method {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::OnSite, "ON_SITE"), (Self::Free, "FREE")];
}

impl Word for AttemptState {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Intent, "INTENT"),
        (Self::Pending, "PENDING"),
        (Self::Unknown, "UNKNOWN"),
        (Self::Approved, "APPROVED"),
        (Self::Declined, "DECLINED"),
        (Self::Absent, "ABSENT"),
    ];
}

impl Word for Cause {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Create, "CREATE"),
        (Self::Confirm, "CONFIRM"),
        (Self::Answer, "ANSWER"),
        (Self::Inquiry, "INQUIRY"),
        (Self::Deadline, "DEADLINE"),
        (Self::Cancel, "CANCEL"),
        (Self::Refund, "REFUND"),
    ];
}

impl Word for RefundCause {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Undo, "UNDO"),
        (Self::LateCapture, "LATE_CAPTURE"),
        (Self::Operator, "OPERATOR"),
    ];
}

impl Word for RefundState {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Pending, "PENDING"),
        (Self::Sent, "SENT"),
        (Self::Done, "DONE"),
        (Self::Parked, "PARKED"),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_word_of_its_own() {
        for state in State::ALL {
            assert_eq!(State::read(state.word()).unwrap(), state);
        }
        assert!(State::read("").is_err());
    }
}
