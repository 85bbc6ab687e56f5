//! The definition of the saga `book` as its interruptions see it: what is done, what is undone, and the moments at which an instance can
//! die, lose its lease or be late. Tests halt it there; see [`mesh::faults::Faults`].

use crate::domain::saga::Step;

/// Whether a step is done or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Towards the sale.
    Do,
    /// Back.
    Undo,
}

/// The fault points of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    /// Nothing says yet that it will happen.
    pub before_intent: &'static str,
    /// That it will happen is written down, or about to commit with its effect when the step is local.
    pub after_intent: &'static str,
    /// It happened; this side has not committed that it did.
    pub after_effect: &'static str,
    /// It is committed; nobody was told, nothing follows yet.
    pub after_result: &'static str,
}

macro_rules! moments {
    ($step:literal) => {
        Moments {
            before_intent: concat!($step, "/before intent"),
            after_intent: concat!($step, "/after intent"),
            after_effect: concat!($step, "/after effect"),
            after_result: concat!($step, "/after result"),
        }
    };
}

impl Moments {
    /// All of them, in order.
    #[must_use]
    pub fn all(self) -> [&'static str; 4] {
        let Self {
            before_intent,
            after_intent,
            after_effect,
            after_result,
        } = self;
        [before_intent, after_intent, after_effect, after_result]
    }
}

/// Opening the saga pins the hold, in one transaction.
pub const PIN: Moments = moments!("pin");
/// The coupons are reserved at coupon-svc. They are given back by a command that leaves with the failure of the booking: its moments are
/// those of what fails it.
pub const COUPONS: Moments = moments!("coupons");
/// The payment is opened at payment-svc; its result is the news of the money.
pub const PAY: Moments = moments!("pay");
/// The sale, in a batch of the inventory.
pub const CONFIRM: Moments = moments!("confirm");
/// The tickets, by the consumer of the confirmation.
pub const TICKETS: Moments = moments!("tickets");
/// The payment is called off by a command; its result is the news that no money stays.
pub const UNDO_PAY: Moments = moments!("undo pay");
/// The units are freed, in a batch of the inventory.
pub const UNDO_PIN: Moments = moments!("undo pin");

/// What is done, in this order, and what is undone, last first. After the pivot `pay` nothing is undone.
pub const DEFINITION: [(Step, Op, Moments); 7] = [
    (Step::Pin, Op::Do, PIN),
    (Step::Coupons, Op::Do, COUPONS),
    (Step::Pay, Op::Do, PAY),
    (Step::Confirm, Op::Do, CONFIRM),
    (Step::Tickets, Op::Do, TICKETS),
    (Step::Pay, Op::Undo, UNDO_PAY),
    (Step::Pin, Op::Undo, UNDO_PIN),
];
