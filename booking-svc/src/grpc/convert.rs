//! Requests into commands, with all that is wrong at once; values of the domain into answers.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use mesh::money::{Currency, Money};
use mesh::page::{List, PageRequest, Place};
use mesh::{clock, id};
use prost_types::{Duration, Timestamp};
use proto::usher::r#type::v1 as money;
use uuid::Uuid;

use crate::domain::finding::Findings;
use crate::domain::text::check_label;

mod booking;
mod hall;
mod hold;
mod performance;
mod saga;
mod show;
mod ticket;
mod unit;
mod venue;

pub(super) use booking::{
    WrongBooking, booking, cancel_booking, create_booking, list_bookings, quote, quote_booking,
};
pub(super) use hall::{create_hall, imported_plan, list_halls};
pub(super) use hold::{hold, hold_units, list_holds, pass};
pub(super) use performance::{create_performance, list_performances, performance, with_counts};
pub(super) use saga::{list_sagas, saga, saga_event, saga_order};
pub(super) use show::{create_show, list_shows};
pub(super) use ticket::{image, list_tickets, ticket, ticket_key, ticket_qr};
pub(super) use unit::list_units;
pub(super) use venue::{create_venue, list_venues};

pub(super) use mesh::clock::to_timestamp as timestamp;

/// Digits of a second that Postgres keeps.
const SECOND_DIGITS: u16 = 6;

/// Reads the fields of a request and remembers what was wrong with each.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) violations: Findings,
}

impl Fields {
    /// An id that has to be there.
    pub(super) fn id(&mut self, field: &str, text: &str) -> Option<Uuid> {
        let id = id::parse(text);
        if id.is_none() {
            self.violations
                .add(field, "must be a UUID of 36 characters");
        }
        id
    }

    /// An id that may be absent.
    pub(super) fn optional_id(&mut self, field: &str, text: &str) -> Option<Uuid> {
        if text.is_empty() {
            None
        } else {
            self.id(field, text)
        }
    }

    /// A text to look for, which may be absent: what no name can be is not looked for.
    pub(super) fn label(&mut self, field: &str, text: &str) -> Option<String> {
        if let Err(problem) = check_label(text) {
            self.violations.add(field, problem.to_string());
        }
        Some(text.to_owned()).filter(|text| !text.is_empty())
    }

    /// An instant that has to be there, to the microsecond.
    pub(super) fn time(&mut self, field: &str, time: Option<&Timestamp>) -> Option<DateTime<Utc>> {
        let Some(time) = time else {
            self.violations.add(field, "must be set");
            return None;
        };
        // A day of grace at the beginning, because tickets are valid from a day before the start and their codes count from 1970.
        let sane = clock::from_timestamp(time)
            .filter(|time| (24 * 3_600..253_402_300_800).contains(&time.timestamp()));
        if sane.is_none() {
            self.violations
                .add(field, "must be from 1970-01-02 to 9999-12-31");
        }
        sane.map(|time| time.trunc_subsecs(SECOND_DIGITS))
    }

    /// A length of time that may be absent.
    pub(super) fn duration(
        &mut self,
        field: &str,
        duration: Option<&Duration>,
        default: TimeDelta,
    ) -> Option<TimeDelta> {
        let Some(duration) = duration else {
            return Some(default);
        };
        let nanos = u32::try_from(duration.nanos).ok();
        let time = nanos.and_then(|nanos| TimeDelta::new(duration.seconds, nanos));
        if time.is_none() {
            self.violations.add(field, "must be a positive duration");
        }
        time
    }

    /// A currency.
    pub(super) fn currency(&mut self, field: &str, code: &str) -> Option<Currency> {
        code.parse()
            .inspect_err(|problem: &mesh::money::UnknownCurrency| {
                self.violations.add(field, problem.to_string())
            })
            .ok()
    }

    /// An amount that has to be there.
    pub(super) fn money(&mut self, field: &str, money: Option<&money::Money>) -> Option<Money> {
        let Some(money) = money else {
            self.violations.add(field, "must be set");
            return None;
        };
        let currency = self.currency(&format!("{field}.currency"), &money.currency)?;
        Some(Money::new(money.minor_units, currency))
    }

    /// page_size and page_token of a list.
    pub(super) fn page<C: Place>(
        &mut self,
        list: List,
        max: usize,
        size: i32,
        token: &str,
    ) -> PageRequest<C> {
        list.page(size, max, token, |field, problem| {
            self.violations.add(field, problem);
        })
    }

    /// `command`, unless something was wrong.
    pub(super) fn finish<T>(self, command: Option<T>) -> Result<T, Findings> {
        match command {
            Some(command) => self.violations.or_else_refuse(command),
            None => Err(self.violations),
        }
    }
}

/// Reads the one id of a request.
pub(super) fn one_id(field: &str, text: &str) -> Result<Uuid, Findings> {
    let mut fields = Fields::default();
    let id = fields.id(field, text);
    fields.finish(id)
}

/// Reads request_id and one other id.
pub(super) fn two_ids(request_id: &str, field: &str, text: &str) -> Result<(Uuid, Uuid), Findings> {
    let mut fields = Fields::default();
    let ids = (fields.id("request_id", request_id), fields.id(field, text));
    fields.finish(ids.0.zip(ids.1))
}

/// A count that the contract writes in 32 bits; ours are bounded far below.
pub(super) fn narrow<T>(count: T) -> u32
where
    u32: TryFrom<T>,
{
    u32::try_from(count).unwrap_or(u32::MAX)
}
