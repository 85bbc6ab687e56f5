//! The saga `book`, version 2: open, pin, coupons, pay (the pivot), confirm, tickets. Version 1 has no coupons, and nor has a booking without
//! any: an instance that does not know them leaves the others alone.
//!
//! What is learned about a payment, by event or by asking, goes through [`learn`]: order and repetition do not matter. Money belongs to a
//! booking only while its saga runs FORWARD; going BACK is final, and the payment is cancelled in every case. Coupons are given back with the
//! failure of the booking, by a command that waits for coupon-svc.
//!
//! | direction, step | captured | wrong amount | declined, may retry | declined | expired | cancelled or refunded |
//! |---|---|---|---|---|---|---|
//! | FORWARD pay | confirm | give up | show it | hold to HELD, FAILED | free the units, FAILED | free the units, FAILED |
//! | FORWARD confirm, tickets | - | - | - | - | - | - |
//! | BACK pay | cancel again | cancel again | - | free the units | free the units | free the units |
//! | BACK pin, ended | cancel again | cancel again | - | - | - | - |

/// Kind of this saga in the database.
pub const KIND: &str = "book";
/// Version of the definition that this program runs.
pub const VERSION: i32 = 2;
/// Version of a saga without coupons.
pub const VERSION_WITHOUT_COUPONS: i32 = 1;

/// A step with something left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take the hold back from the saga: the undo of pinning.
    Pin,
    /// Have the coupons reserved. Given back by a command, not by a step.
    Coupons,
    /// Get the money, or, going BACK, make sure that none stays.
    Pay,
    /// Sell the units.
    Confirm,
    /// Have the tickets issued.
    Tickets,
}

/// Where a saga stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Somebody has to act when it is due.
    Running,
    /// It waits for an event; due only to ask.
    Waiting,
    /// Going back.
    Compensating,
    /// Ended with a sale.
    Done,
    /// Ended without.
    Compensated,
    /// Laid aside for a person.
    Parked,
}

/// Which way it goes. Never from BACK to FORWARD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards the sale.
    Forward,
    /// Undoing.
    Back,
}

macro_rules! names {
    ($kind:ty { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $kind {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Name in the database.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

names!(Step { Pin => "pin", Coupons => "coupons", Pay => "pay", Confirm => "confirm", Tickets => "tickets" });
names!(State {
    Running => "RUNNING",
    Waiting => "WAITING",
    Compensating => "COMPENSATING",
    Done => "DONE",
    Compensated => "COMPENSATED",
    Parked => "PARKED",
});
names!(Direction { Forward => "FORWARD", Back => "BACK" });

/// What a saga's timeline records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// About to call.
    Intent,
    /// Done.
    Ok,
    /// Failed for good.
    Fail,
    /// Called, outcome unclear.
    Unknown,
    /// About to undo.
    UndoIntent,
    /// Undone.
    UndoOk,
    /// An operator did something.
    Admin,
}

names!(Note {
    Intent => "INTENT",
    Ok => "OK",
    Fail => "FAIL",
    Unknown => "UNKNOWN",
    UndoIntent => "UNDO_INTENT",
    UndoOk => "UNDO_OK",
    Admin => "ADMIN",
});

/// The position of a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// State.
    pub state: State,
    /// Direction.
    pub direction: Direction,
    /// Step.
    pub step: Step,
}

/// What became of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The money is taken.
    Captured,
    /// Money was taken, and not what the booking costs: it does not belong to the booking.
    WrongAmount,
    /// Refused by the provider.
    Declined {
        /// Code of the provider.
        code: String,
        /// Whether the buyer may try again.
        may_retry: bool,
    },
    /// Not paid in time.
    Expired,
    /// Ended without money, or all of it went back.
    Gone,
}

/// What a booking becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BookingTurn {
    /// It stays.
    Keep,
    /// It waits on, showing a decline.
    ShowDecline {
        /// Code of the provider.
        code: String,
    },
    /// It fails.
    Fail {
        /// Reason, as in Booking.failure.
        reason: &'static str,
        /// Code of the provider.
        code: String,
    },
}

/// What a hold becomes by compare-and-set; counters move only in the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldTurn {
    /// It stays.
    Keep,
    /// PAYING to HELD: the buyer keeps the units.
    BackToHeld,
    /// PAYING to CLOSING.
    Close,
}

/// What follows from news or from a decision to give up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// New position.
    pub to: Position,
    /// Entry of the timeline.
    pub note: (Step, Note),
    /// The booking.
    pub booking: BookingTurn,
    /// The hold.
    pub hold: HoldTurn,
    /// Whether payment-svc is told to make sure that no money stays.
    pub cancel_payment: bool,
    /// Step whose call comes next: that it will is written down first.
    pub intent: Option<Step>,
}

/// PAYMENT_DECLINED and its kin, as in Booking.failure.reason.
pub mod reason {
    /// The provider refused for good.
    pub const PAYMENT_DECLINED: &str = "PAYMENT_DECLINED";
    /// Not paid in time.
    pub const PAYMENT_EXPIRED: &str = "PAYMENT_EXPIRED";
    /// The payment could not be opened, or was called off.
    pub const PAYMENT_UNAVAILABLE: &str = "PAYMENT_UNAVAILABLE";
    /// Another amount was taken than the booking costs.
    pub const PAYMENT_AMOUNT_MISMATCH: &str = "PAYMENT_AMOUNT_MISMATCH";
    /// The buyer gave up.
    pub const ABANDONED: &str = "ABANDONED";
    /// A coupon was used, or expired, between the quote and the booking.
    pub const COUPONS_NOT_USABLE: &str = "COUPONS_NOT_USABLE";
    /// coupon-svc did not answer in time.
    pub const COUPONS_UNAVAILABLE: &str = "COUPONS_UNAVAILABLE";
    /// The units were freed before the money came.
    pub const HOLD_LOST: &str = "HOLD_LOST";
}

const FREE_THE_UNITS: Position = Position {
    state: State::Compensating,
    direction: Direction::Back,
    step: Step::Pin,
};
const CLOSING: Position = Position {
    state: State::Compensating,
    direction: Direction::Back,
    step: Step::Pay,
};
const ENDED: Position = Position {
    state: State::Compensated,
    direction: Direction::Back,
    step: Step::Pin,
};

/// What follows when `news` reaches a saga at `at`. `None`: nothing new.
#[must_use]
pub fn learn(at: Position, news: &News) -> Option<Turn> {
    match (at.direction, at.step, news) {
        (Direction::Forward, Step::Pay, news) => Some(forward(at, news)),
        // Paid and on the way, or sold: nothing that a payment tells changes it.
        (Direction::Forward, Step::Pin | Step::Coupons | Step::Confirm | Step::Tickets, _) => None,
        // Money that came although the saga went back: it does not belong to the booking.
        (Direction::Back, _, News::Captured | News::WrongAmount) => Some(Turn {
            cancel_payment: true,
            ..stay(at)
        }),
        (
            Direction::Back,
            Step::Pay,
            News::Declined {
                may_retry: true, ..
            },
        ) => None,
        (Direction::Back, Step::Pay, News::Declined { .. } | News::Expired | News::Gone) => {
            Some(Turn {
                to: FREE_THE_UNITS,
                note: (Step::Pay, Note::UndoOk),
                ..stay(at)
            })
        }
        (Direction::Back, Step::Pin | Step::Coupons | Step::Confirm | Step::Tickets, _) => None,
    }
}

fn stay(at: Position) -> Turn {
    Turn {
        to: at,
        note: (Step::Pay, Note::UndoIntent),
        booking: BookingTurn::Keep,
        hold: HoldTurn::Keep,
        cancel_payment: false,
        intent: None,
    }
}

/// The coupons are the booking's: the payment is next.
#[must_use]
pub fn coupons_reserved(at: Position) -> Turn {
    Turn {
        to: Position {
            state: State::Running,
            step: Step::Pay,
            ..at
        },
        note: (Step::Coupons, Note::Ok),
        intent: Some(Step::Pay),
        ..stay(at)
    }
}

/// The coupons cannot be had: nothing was paid yet, and the buyer keeps the units.
#[must_use]
pub fn without_coupons(at: Position, reason: &'static str) -> Turn {
    Turn {
        to: ENDED,
        note: (Step::Coupons, Note::Fail),
        booking: BookingTurn::Fail {
            reason,
            code: String::new(),
        },
        hold: HoldTurn::BackToHeld,
        ..stay(at)
    }
}

fn forward(at: Position, news: &News) -> Turn {
    let failed = |reason, code: &str| BookingTurn::Fail {
        reason,
        code: code.to_owned(),
    };
    let ended = |to, hold, booking| Turn {
        to,
        note: (Step::Pay, Note::Fail),
        booking,
        hold,
        cancel_payment: false,
        intent: None,
    };
    match news {
        News::WrongAmount => give_up(reason::PAYMENT_AMOUNT_MISMATCH),
        News::Captured => Turn {
            to: Position {
                state: State::Running,
                step: Step::Confirm,
                ..at
            },
            note: (Step::Pay, Note::Ok),
            ..stay(at)
        },
        News::Declined {
            code,
            may_retry: true,
        } => Turn {
            note: (Step::Pay, Note::Fail),
            booking: BookingTurn::ShowDecline { code: code.clone() },
            ..stay(at)
        },
        News::Declined {
            code,
            may_retry: false,
        } => ended(
            ENDED,
            HoldTurn::BackToHeld,
            failed(reason::PAYMENT_DECLINED, code),
        ),
        News::Expired => ended(
            FREE_THE_UNITS,
            HoldTurn::Keep,
            failed(reason::PAYMENT_EXPIRED, ""),
        ),
        News::Gone => ended(
            FREE_THE_UNITS,
            HoldTurn::Keep,
            failed(reason::PAYMENT_UNAVAILABLE, ""),
        ),
    }
}

/// The saga gives up before the money is known: the payment is cancelled and the units are kept until that is done.
#[must_use]
pub fn give_up(reason: &'static str) -> Turn {
    Turn {
        to: CLOSING,
        note: (Step::Pay, Note::UndoIntent),
        booking: BookingTurn::Fail {
            reason,
            code: String::new(),
        },
        hold: HoldTurn::Close,
        cancel_payment: true,
        intent: None,
    }
}

/// The units are freed although it is not known whether money stays: the longest a payment may keep them. Money found later is late money.
#[must_use]
pub fn stop_waiting() -> Turn {
    Turn {
        to: FREE_THE_UNITS,
        note: (Step::Pay, Note::Unknown),
        booking: BookingTurn::Keep,
        hold: HoldTurn::Keep,
        cancel_payment: true,
        intent: None,
    }
}

#[cfg(test)]
mod tests;
