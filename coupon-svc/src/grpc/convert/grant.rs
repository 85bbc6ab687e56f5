//! Grants, on the wire.

use std::collections::HashSet;

use mesh::clock::to_timestamp;
use mesh::status::Violations;
use proto::usher::coupon::v1 as pb;
use uuid::Uuid;

use super::id;
use crate::domain::grant::{ACCOUNTS_MAX, Grant, Outcome, Recipient, State};

/// Accounts that are named, each once, if all of them hold.
pub(in crate::grpc) fn accounts(wrong: &mut Violations, named: &[String]) -> Option<Vec<Uuid>> {
    if !(1..=ACCOUNTS_MAX).contains(&named.len()) {
        wrong.add("account_ids", format!("must be 1..{ACCOUNTS_MAX}"));
        return None;
    }
    let numbered = named.iter().enumerate();
    let read = numbered.map(|(n, text)| id(wrong, &format!("account_ids[{n}]"), text));
    let read: Vec<Option<Uuid>> = read.collect();
    let mut known = HashSet::new();
    let accounts = read.into_iter().collect::<Option<Vec<Uuid>>>()?;
    Some(
        accounts
            .into_iter()
            .filter(|one| known.insert(*one))
            .collect(),
    )
}

pub(in crate::grpc) fn grant(grant: &Grant) -> pb::Grant {
    let state = match grant.state {
        State::Pending => pb::GrantState::Pending,
        State::Running => pb::GrantState::Running,
        State::Done => pb::GrantState::Done,
        State::Cancelled => pb::GrantState::Cancelled,
    };
    pb::Grant {
        grant_id: grant.grant_id.to_string(),
        campaign_id: grant.campaign_id.to_string(),
        state: state.into(),
        total: grant.total,
        granted: grant.granted,
        already_had: grant.already_had,
        no_stock: grant.no_stock,
        too_late: grant.too_late,
        create_time: Some(to_timestamp(grant.create_time)),
        finish_time: grant.finish_time.map(to_timestamp),
    }
}

pub(in crate::grpc) fn recipient(recipient: &Recipient) -> pb::GrantRecipient {
    let outcome = match recipient.outcome {
        Outcome::Pending => pb::GrantOutcome::Pending,
        Outcome::Granted(_) => pb::GrantOutcome::Granted,
        Outcome::AlreadyHad => pb::GrantOutcome::AlreadyHad,
        Outcome::NoStock => pb::GrantOutcome::NoStock,
        Outcome::TooLate => pb::GrantOutcome::TooLate,
    };
    let coupon_id = recipient.outcome.coupon_id();
    pb::GrantRecipient {
        account_id: recipient.account_id.to_string(),
        outcome: outcome.into(),
        coupon_id: coupon_id.map_or_else(String::new, |coupon_id| coupon_id.to_string()),
    }
}

/// Name of the outcome that a filter asks for; `None`: all.
pub(in crate::grpc) fn outcome_asked(wrong: &mut Violations, outcome: i32) -> Option<&'static str> {
    let known = pb::GrantOutcome::try_from(outcome);
    if known.is_err() {
        wrong.add("outcome", "must be an outcome of grants");
    }
    let outcome = match known.unwrap_or_default() {
        pb::GrantOutcome::Unspecified => return None,
        pb::GrantOutcome::Pending => Outcome::Pending,
        pb::GrantOutcome::Granted => Outcome::Granted(Uuid::nil()),
        pb::GrantOutcome::AlreadyHad => Outcome::AlreadyHad,
        pb::GrantOutcome::NoStock => Outcome::NoStock,
        pb::GrantOutcome::TooLate => Outcome::TooLate,
    };
    Some(outcome.name())
}
