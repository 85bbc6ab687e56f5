//! An inquiry by our own order id tells something, or nothing.

use chrono::{DateTime, Utc};

use super::attempt::AttemptState;
use super::event::Event;
use super::ladder::{ABSENT_READS, Ladder};
use super::outcome::Finding;
use super::payment::{Cause, Change, Payment, State};

impl Payment {
    /// What an inquiry about the last attempt found. None when the payment awaits nothing, or when the finding changes nothing.
    pub fn found(
        &mut self,
        finding: Finding,
        ladder: &Ladder,
        now: DateTime<Utc>,
    ) -> Option<Change> {
        let looks_back = self.looks_back();
        let unheard = matches!(finding, Finding::Unknown { .. });
        let change = match self.find(finding, ladder, now) {
            None if looks_back && unheard => return Some(self.look_again(ladder, now)),
            None if looks_back => self.change(self.state, Cause::Inquiry, "nothing new".to_owned()),
            change => change?,
        };
        if looks_back {
            (self.next_check_time, self.checks) = (None, 0);
        }
        Some(self.look_back(change, ladder, now))
    }

    /// A look back that nobody answered was none, for as long as an answer may still come.
    fn look_again(&mut self, ladder: &Ladder, now: DateTime<Utc>) -> Change {
        let sent = self.attempt.as_ref().map(|attempt| attempt.last_send_time);
        let change = self.change(self.state, Cause::Inquiry, "no answer".to_owned());
        let again = sent.is_some_and(|sent| !ladder.is_forgotten(sent, now));
        self.next_check_time = again.then(|| ladder.slowest(now));
        change
    }

    fn find(&mut self, finding: Finding, ladder: &Ladder, now: DateTime<Utc>) -> Option<Change> {
        let attempt = self.attempt.as_ref()?;
        let key = attempt.payment_key.clone();
        if let Finding::Captured {
            payment_key,
            amount,
            ..
        } = finding
        {
            return self.captured(&payment_key, amount, Cause::Inquiry);
        }
        if !matches!(self.state, State::Processing | State::Unknown) {
            return None;
        }
        match finding {
            Finding::Failed {
                payment_key,
                decline,
            } if payment_key == key => Some(self.declined(decline, Cause::Inquiry)),
            // An older attempt of the order says nothing about this one.
            Finding::Failed { .. } | Finding::Nothing => Some(self.nothing(ladder, now)),
            Finding::Unknown { why } => Some(self.still_unknown(&why, ladder, now)),
            Finding::Captured { .. } => None,
        }
    }

    /// A read without money. It counts only when nothing that we sent can still be on its way.
    fn nothing(&mut self, ladder: &Ladder, now: DateTime<Utc>) -> Change {
        let Some(attempt) = &mut self.attempt else {
            return self.still_unknown("no attempt", ladder, now);
        };
        if now < ladder.conclusive(attempt.last_send_time) {
            return self.still_unknown("no money yet", ladder, now);
        }
        attempt.absent_reads += 1;
        if attempt.absent_reads < ABSENT_READS {
            return self.still_unknown("no money, to be read again", ladder, now);
        }
        attempt.state = AttemptState::Absent;
        let expired = self.expire_time.is_some_and(|deadline| deadline <= now);
        if self.cancel_requested_time.is_none() && expired {
            return self
                .change(State::Expired, Cause::Inquiry, "proven absent".to_owned())
                .event(Event::Expired);
        }
        self.without_money(Cause::Inquiry, "proven absent".to_owned())
    }

    fn still_unknown(&mut self, why: &str, ladder: &Ladder, now: DateTime<Utc>) -> Change {
        if let Some(attempt) = &mut self.attempt
            && attempt.state == AttemptState::Intent
        {
            attempt.state = AttemptState::Unknown;
        }
        let checks = self.checks.saturating_add(1);
        let change = self.change(State::Unknown, Cause::Inquiry, why.to_owned());
        self.checks = checks;
        self.next_check_time = Some(ladder.next(checks, now));
        change
    }
}
