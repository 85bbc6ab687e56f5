//! Making sure that no money stays.

use chrono::{DateTime, Utc};

use super::event::Event;
use super::ladder::Ladder;
use super::payment::{Cause, Change, Payment, State};
use super::refund::{RefundCause, RefundRow};

impl Payment {
    /// Calls the payment off, whatever its state. In every case that is over, the end is told again; `undone` is its last refund that
    /// is done, for the telling.
    pub fn cancel(
        &mut self,
        undone: Option<&RefundRow>,
        ladder: &Ladder,
        now: DateTime<Utc>,
    ) -> Change {
        self.cancel_requested_time.get_or_insert(now);
        let change = self.call_off(undone);
        self.look_back(change, ladder, now)
    }

    fn call_off(&mut self, undone: Option<&RefundRow>) -> Change {
        match self.state {
            State::AwaitingCustomer => self
                .change(State::Cancelled, Cause::Cancel, String::new())
                .event(Event::Cancelled),
            // The outcome decides; whoever learns it sees that no money may stay.
            State::Processing | State::Unknown => {
                let (next_check_time, checks) = (self.next_check_time, self.checks);
                let change = self.change(
                    self.state,
                    Cause::Cancel,
                    "once the outcome is known".to_owned(),
                );
                (self.next_check_time, self.checks) = (next_check_time, checks);
                change
            }
            State::Captured if self.captured_amount == 0 => self
                .change(
                    State::Cancelled,
                    Cause::Cancel,
                    "nothing was captured".to_owned(),
                )
                .event(Event::Cancelled),
            State::Captured | State::PartiallyRefunded => {
                let change = self.change(self.state, Cause::Cancel, String::new());
                if self.refundable() > 0 {
                    self.undo(change, self.amount.currency, RefundCause::Undo)
                } else {
                    change
                }
            }
            State::Refunded => {
                let change = self.change(State::Refunded, Cause::Cancel, "told again".to_owned());
                match undone {
                    Some(refund) => change.event(Event::Refunded {
                        refund_id: refund.refund_id,
                        amount: refund.amount,
                        in_full: true,
                    }),
                    None => change,
                }
            }
            State::Declined | State::Cancelled | State::Expired => self
                .change(self.state, Cause::Cancel, "told again".to_owned())
                .event(Event::Cancelled),
        }
    }
}
