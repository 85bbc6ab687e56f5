//! Between the wire and the domain. Every violation of a request is told at once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh::clock::{from_timestamp, to_timestamp};
use mesh::status::{INVALID_REQUEST, Violations, internal};
use prost_types::Timestamp;
use proto::usher::queue::v1 as pb;
use tonic::Status;
use uuid::Uuid;

use crate::app::answer::{Answer, Outlook, Place};
use crate::domain::lane::Lane;
use crate::domain::lottery;
use crate::domain::plan::{LineOrder, Plan};
use crate::domain::room::{Phase, Room};
use crate::rooms::Live;

/// Longest reason in the audit log, in characters.
const REASON_MAX: usize = 200;
/// Grades that one request may name: as many as a hall has at most.
const GRADES_MAX: usize = 100;

pub(super) fn id(wrong: &mut Violations, field: &str, text: &str) -> Option<Uuid> {
    let id = mesh::id::parse(text);
    if id.is_none() {
        wrong.add(field, "must be a UUID of 36 characters");
    }
    id
}

pub(super) fn show(text: &str) -> Result<Uuid, Status> {
    let mut wrong = Violations::new();
    let id = id(&mut wrong, "show_id", text);
    wrong.finish(&INVALID_REQUEST, id)
}

/// The grades that somebody wants.
pub(super) fn grades(wanted: &[String]) -> Result<&[String], Status> {
    let mut wrong = Violations::new();
    if wanted.len() > GRADES_MAX {
        wrong.add("grades", format!("names at most {GRADES_MAX} grades"));
    }
    wrong.finish(&INVALID_REQUEST, Some(wanted))
}

pub(super) fn reason(wrong: &mut Violations, text: &str) -> Option<String> {
    let fits =
        (1..=REASON_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if !fits {
        let remedy = format!(
            "must have 1 to {REASON_MAX} characters and no control characters: it is written to the audit log"
        );
        wrong.add("reason", remedy);
    }
    fits.then(|| text.to_owned())
}

pub(super) fn count(wrong: &mut Violations, field: &str, value: u32, max: u32) -> Option<u32> {
    let fits = (1..=max).contains(&value);
    if !fits {
        wrong.add(field, format!("must be 1..{max}"));
    }
    fits.then_some(value)
}

/// The plan that a request wants, if all of it holds.
pub(super) fn plan(wrong: &mut Violations, settings: Option<&pb::RoomSettings>) -> Option<Plan> {
    let Some(settings) = settings else {
        wrong.add("settings", "set at least capacity and rate");
        return None;
    };
    let weights = settings.weights.unwrap_or_default();
    let or = |value: u32, default: u32| if value == 0 { default } else { value };
    let mut time = |field: &str, time: Option<&Timestamp>| {
        let read = time.map(from_timestamp);
        if read == Some(None) {
            wrong.add(format!("settings.{field}"), "is no time");
        }
        read.flatten()
    };
    let (arm_time, open_time, close_time) = (
        time("arm_time", settings.arm_time.as_ref()),
        time("open_time", settings.open_time.as_ref()),
        time("close_time", settings.close_time.as_ref()),
    );
    let length = |length: Option<&prost_types::Duration>, default: Duration| match length {
        None => default,
        // Refused by its limits below.
        Some(length) => Duration::try_from(*length).unwrap_or(Duration::MAX),
    };
    let default = Plan::default();
    let [general, presale, access, late] = default.weights;
    let plan = Plan {
        capacity: settings.capacity,
        rate: settings.rate,
        burst: or(settings.burst, settings.rate),
        offer: length(settings.offer_duration.as_ref(), default.offer),
        session: length(settings.session_duration.as_ref(), default.session),
        grace: length(settings.grace_duration.as_ref(), default.grace),
        silence: length(settings.silence_duration.as_ref(), default.silence),
        waiting_max: or(settings.waiting_max, default.waiting_max),
        weights: [
            or(weights.general, general),
            or(weights.presale, presale),
            or(weights.access, access),
            or(weights.late, late),
        ],
        arm_time,
        open_time,
        close_time,
        strict: settings.strict,
        waiting_per_place: or(settings.waiting_per_place, default.waiting_per_place),
        order: match settings.order() {
            pb::LineOrder::Lottery => LineOrder::Lottery,
            pb::LineOrder::Unspecified | pb::LineOrder::Arrival => LineOrder::Arrival,
        },
    };
    let broken = plan.broken();
    for (field, remedy) in &broken {
        // A burst that was not set follows the rate, which is told.
        if *field != "burst" || settings.burst != 0 {
            wrong.add(format!("settings.{field}"), remedy.clone());
        }
    }
    broken.is_empty().then_some(plan)
}

pub(super) fn room(room: &Room, now: DateTime<Utc>) -> pb::Room {
    let plan = &room.plan;
    let [general, presale, access, late] = plan.weights;
    pb::Room {
        show_id: room.show_id.to_string(),
        settings: Some(pb::RoomSettings {
            capacity: plan.capacity,
            rate: plan.rate,
            burst: plan.burst,
            offer_duration: duration(plan.offer),
            session_duration: duration(plan.session),
            grace_duration: duration(plan.grace),
            silence_duration: duration(plan.silence),
            waiting_max: plan.waiting_max,
            weights: Some(pb::LaneWeights {
                general,
                presale,
                access,
                late,
            }),
            arm_time: plan.arm_time.map(to_timestamp),
            open_time: plan.open_time.map(to_timestamp),
            close_time: plan.close_time.map(to_timestamp),
            strict: plan.strict,
            waiting_per_place: plan.waiting_per_place,
            order: match plan.order {
                LineOrder::Arrival => pb::LineOrder::Arrival,
                LineOrder::Lottery => pb::LineOrder::Lottery,
            }
            .into(),
        }),
        phase: phase(room.phase(now)).into(),
        epoch: room.epoch,
        generation: room.generation,
        version: room.version,
        seller_id: room
            .seller_id
            .map_or_else(String::new, |seller_id| seller_id.to_string()),
        sold_out: room.sold_out,
    }
}

const fn phase(phase: Phase) -> pb::RoomPhase {
    match phase {
        Phase::NotYetOpen => pb::RoomPhase::NotYetOpen,
        Phase::Armed => pb::RoomPhase::Armed,
        Phase::Open => pb::RoomPhase::Open,
        Phase::Paused => pb::RoomPhase::Paused,
        Phase::Draining => pb::RoomPhase::Draining,
        Phase::Closed => pb::RoomPhase::Closed,
    }
}

fn duration(time: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(time).ok()
}

pub(super) fn stats(live: &Live) -> Result<pb::RoomStats, Status> {
    let (room, view) = (live.room(), live.view());
    let time = |ms: i64| {
        let problem = std::io::Error::other(format!("{ms} ms is no time"));
        DateTime::from_timestamp_millis(ms).ok_or_else(|| internal(&problem))
    };
    let (now, hold) = (time(view.now)?, time(view.hold)?);
    Ok(pb::RoomStats {
        general: view.lane(Lane::General).live,
        presale: view.lane(Lane::Presale).live,
        access: view.lane(Lane::Access).live,
        late: view.late(),
        slots: view.slots,
        over_by: view.slots.saturating_sub(u64::from(room.plan.capacity)),
        admitted: view.admitted(),
        admissions_per_second: live.speed().per_second(),
        recover_time: (hold > now).then(|| to_timestamp(hold)),
        read_time: Some(to_timestamp(now)),
        places_left: live.stock().map(|stock| stock.left),
        sold_out_grades: live.grades().sold_out.clone(),
    })
}

pub(super) fn place(answer: Answer) -> pb::Place {
    let mut place = pb::Place {
        live: answer.live,
        poll_after: duration(answer.poll_after),
        paused: answer.paused,
        open_time: answer.open_time.map(to_timestamp),
        ticket: answer.ticket.unwrap_or_default(),
        sold_out_grades: answer.sold_out_grades,
        ..pb::Place::default()
    };
    if let Some(spot) = answer.spot {
        place.set_lane(lane(spot.lane));
    }
    match answer.place {
        Place::Waiting {
            position,
            late,
            wait,
            outlook,
        } => {
            place.set_state(match outlook {
                Outlook::SoldOut => pb::PlaceState::SoldOut,
                Outlook::Open | Outlook::Unlikely => pb::PlaceState::Waiting,
            });
            place.unlikely = outlook == Outlook::Unlikely;
            place.position = position;
            if late {
                place.set_lane(pb::Lane::Late);
            }
            place.wait_p50 = wait.and_then(|(half, _)| duration(half));
            place.wait_p90 = wait.and_then(|(_, most)| duration(most));
        }
        Place::Entered { entry } => {
            place.set_state(pb::PlaceState::Entered);
            place.entry = entry;
        }
        Place::Offered { until } => {
            place.set_state(pb::PlaceState::Offered);
            place.claim_expire_time = Some(to_timestamp(until));
        }
        Place::Admitted {
            pass,
            pass_ends,
            session_ends,
        } => {
            place.set_state(pb::PlaceState::Admitted);
            place.pass = pass;
            place.pass_expire_time = Some(to_timestamp(pass_ends));
            place.session_expire_time = Some(to_timestamp(session_ends));
        }
        Place::Ended => place.set_state(pb::PlaceState::Ended),
        Place::NotYetOpen => place.set_state(pb::PlaceState::NotYetOpen),
        Place::Closed => place.set_state(pb::PlaceState::Closed),
        Place::SoldOut => place.set_state(pb::PlaceState::SoldOut),
        Place::GradesSoldOut => place.set_state(pb::PlaceState::GradesSoldOut),
        Place::Overloaded => place.set_state(pb::PlaceState::Overloaded),
        Place::TakenOver => place.set_state(pb::PlaceState::TakenOver),
    }
    place
}

/// What everybody may know of a room's draw; `None` where there is none.
pub(super) fn lottery(room: &Room) -> Option<pb::Lottery> {
    let seed = room
        .seed
        .filter(|_| room.plan.order == LineOrder::Lottery)?;
    let mut told = pb::Lottery {
        commitment: hex(&lottery::commitment(&seed)),
        ..pb::Lottery::default()
    };
    if let Some(draw) = room.draw {
        told.seed = hex(&seed);
        told.lanes = Lane::ALL
            .into_iter()
            .map(|in_lane| pb::LotteryLane {
                lane: lane(in_lane).into(),
                entries: draw.entrants(in_lane),
            })
            .collect();
    }
    Some(told)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const fn lane(lane: Lane) -> pb::Lane {
    match lane {
        Lane::General => pb::Lane::General,
        Lane::Presale => pb::Lane::Presale,
        Lane::Access => pb::Lane::Access,
    }
}
