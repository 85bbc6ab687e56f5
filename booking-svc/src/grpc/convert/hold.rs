//! Holds.

use std::collections::BTreeSet;

use mesh::page::{List, PageRequest, SIZE_MAX};
use mesh::pg::idempotency::RequestHash;
use proto::usher::booking::v1 as pb;
use uuid::Uuid;

use super::{Fields, timestamp};
use crate::app::reads::{HoldPlace, Seats};
use crate::domain::finding::Findings;
use crate::domain::hold::{Hold, HoldState, UnitKey};
use crate::domain::inventory::{HoldUnits, Pass, Place, Wish};

/// Lines of one hold: a coach party; more would hold the locks of a batch for too long.
pub(super) const LINES_MAX: usize = 64;
/// Places of one line: the highest cap a show can have.
const QUANTITY_MAX: u32 = 100;
/// Characters of a buyer reference, as of every name.
const REFERENCE_MAX: usize = 200;

/// A request to hold units. `may_name_buyer`: whether the caller is a partner who sells to others.
pub(in crate::grpc) fn hold_units(
    request: &pb::HoldUnitsRequest,
    account_id: Uuid,
    may_name_buyer: bool,
) -> Result<HoldUnits, Findings> {
    let mut fields = Fields::default();
    let hold_id = fields.id("request_id", &request.request_id);
    let wishes = wishes(&mut fields, &request.lines);
    let reference = request.buyer_reference.as_str();
    if !reference.is_empty() && !may_name_buyer {
        fields.violations.add(
            "buyer_reference",
            "is for tokens with the scope sell; leave it empty",
        );
    }
    if reference.chars().count() > REFERENCE_MAX {
        fields.violations.add(
            "buyer_reference",
            format!("must have at most {REFERENCE_MAX} characters"),
        );
    }
    let command = hold_id.map(|hold_id| HoldUnits {
        hold_id,
        account_id,
        buyer_reference: (!reference.is_empty()).then(|| reference.to_owned()),
        request_hash: RequestHash::of(request).0.to_vec(),
        wishes,
        admitted: BTreeSet::new(),
    });
    fields.finish(command)
}

/// A pass that was verified.
pub(in crate::grpc) fn pass(pass: mesh::identity::Pass) -> Pass {
    let place = Place {
        show_id: pass.show_id,
        epoch: pass.epoch,
        lane: pass.lane,
        seq: pass.seq,
    };
    Pass {
        place,
        strict: pass.strict,
    }
}

fn wishes(fields: &mut Fields, lines: &[pb::LineSpec]) -> Vec<Wish> {
    if lines.is_empty() || lines.len() > LINES_MAX {
        fields
            .violations
            .add("lines", format!("must have 1 to {LINES_MAX} entries"));
        return Vec::new();
    }
    let mut seen: BTreeSet<UnitKey> = BTreeSet::new();
    let mut wishes = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let pool_id = fields.id(&format!("lines[{index}].pool_id"), &line.pool_id);
        let ord = i32::try_from(line.ord).ok();
        if ord.is_none() {
            fields
                .violations
                .add(format!("lines[{index}].ord"), "must be a unit of the pool");
        }
        if line.quantity > QUANTITY_MAX {
            fields.violations.add(
                format!("lines[{index}].quantity"),
                format!("must be 1 to {QUANTITY_MAX}"),
            );
        }
        let (Some(pool_id), Some(ord)) = (pool_id, ord) else {
            continue;
        };
        let unit = UnitKey { pool_id, ord };
        if !seen.insert(unit) {
            fields
                .violations
                .add(format!("lines[{index}]"), "must not name a unit twice");
        }
        let quantity = i32::try_from(line.quantity.max(1)).unwrap_or(i32::MAX);
        wishes.push(Wish { unit, quantity });
    }
    wishes
}

/// A list of the caller's holds.
pub(in crate::grpc) fn list_holds(
    request: &pb::ListHoldsRequest,
) -> Result<(List, Option<HoldState>, PageRequest<HoldPlace>), Findings> {
    let mut fields = Fields::default();
    let state = match pb::HoldState::try_from(request.state) {
        Ok(pb::HoldState::Unspecified) => None,
        Ok(pb::HoldState::Held) => Some(HoldState::Held),
        Ok(pb::HoldState::Paying) => Some(HoldState::Paying),
        Ok(pb::HoldState::Closing) => Some(HoldState::Closing),
        Ok(pb::HoldState::Confirmed) => Some(HoldState::Confirmed),
        Ok(pb::HoldState::Released) => Some(HoldState::Released),
        Ok(pb::HoldState::Expired) => Some(HoldState::Expired),
        Err(_) => {
            fields.violations.add("state", "must be a state of holds");
            None
        }
    };
    let filter = pb::ListHoldsRequest {
        state: request.state,
        ..pb::ListHoldsRequest::default()
    };
    let list = List::new("ListHolds", &filter);
    let page = fields.page(list, SIZE_MAX, request.page_size, &request.page_token);
    fields.finish(Some((list, state, page)))
}

/// A hold as answered.
pub(in crate::grpc) fn hold(hold: &Hold, seats: &Seats) -> pb::Hold {
    let lines = hold.lines.iter().map(|line| pb::HoldLine {
        pool_id: line.unit.pool_id.to_string(),
        ord: line.unit.ord.unsigned_abs(),
        seat_guid: seats.get(&line.unit).cloned().unwrap_or_default(),
        grade: line.grade.clone(),
        quantity: line.quantity.unsigned_abs(),
        unit_price: Some(line.unit_price.into()),
    });
    pb::Hold {
        hold_id: hold.hold_id.to_string(),
        show_ids: hold
            .show_ids()
            .into_iter()
            .map(|show_id| show_id.to_string())
            .collect(),
        state: state(hold.state).into(),
        lines: lines.collect(),
        total: Some(hold.total.into()),
        expire_time: Some(timestamp(hold.expire_time)),
    }
}

fn state(state: HoldState) -> pb::HoldState {
    match state {
        HoldState::Held => pb::HoldState::Held,
        HoldState::Paying => pb::HoldState::Paying,
        HoldState::Closing => pb::HoldState::Closing,
        HoldState::Confirmed => pb::HoldState::Confirmed,
        HoldState::Released => pb::HoldState::Released,
        HoldState::Expired => pb::HoldState::Expired,
    }
}
