//! What the functions answer, read.

use mesh::redis::RedisValue;

use super::{LineError, Millis, Mode, Told};
use crate::domain::lane::{Lane, Spot};

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In its lane.
    Waiting,
    /// In the late line: its turn came while nobody was there.
    Late,
    /// A slot waits for it.
    Offered {
        /// Until then.
        until: Millis,
    },
    /// It has a pass.
    Admitted(Session),
    /// It is over: left, or used.
    Ended,
    /// Nobody is given a place now.
    Refused(Mode),
    /// As many wait as the room takes.
    Full,
    /// The numbers of this lane are used up; more have to be reserved.
    Exhausted(Lane),
}

impl Standing {
    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Late => "late",
            Self::Offered { .. } => "offered",
            Self::Admitted(_) => "admitted",
            Self::Ended => "ended",
            Self::Refused(_) => "refused",
            Self::Full => "full",
            Self::Exhausted(_) => "no_number",
        }
    }
}

/// A pass of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Number of the pass, from 1.
    pub pass: u64,
    /// End of the pass: whole seconds.
    pub pass_ends: Millis,
    /// No pass ends later.
    pub ends: Millis,
}

fn protocol(value: &impl std::fmt::Debug) -> LineError {
    LineError::Protocol(format!("{value:?}"))
}

pub(super) fn text(values: &[RedisValue], index: usize) -> Result<String, LineError> {
    match values.get(index) {
        Some(RedisValue::BulkString(bytes)) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Some(RedisValue::SimpleString(text)) => Ok(text.clone()),
        Some(RedisValue::Okay) => Ok("OK".to_owned()),
        other => Err(protocol(&other)),
    }
}

pub(super) fn integer(values: &[RedisValue], index: usize) -> Result<i64, LineError> {
    match values.get(index) {
        Some(RedisValue::Int(number)) => Ok(*number),
        Some(RedisValue::BulkString(bytes)) => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| protocol(bytes)),
        other => Err(protocol(&other)),
    }
}

pub(super) fn natural(values: &[RedisValue], index: usize) -> Result<u64, LineError> {
    let number = integer(values, index)?;
    u64::try_from(number).map_err(|_| protocol(&number))
}

pub(super) fn items(value: Option<&RedisValue>) -> Result<&[RedisValue], LineError> {
    match value {
        Some(RedisValue::Array(items)) => Ok(items),
        other => Err(protocol(&other)),
    }
}

/// One entry of the answers of join, touch, claim and renew.
pub(super) fn standing(entry: &RedisValue) -> Result<Told, LineError> {
    let entry = items(Some(entry))?;
    let name = text(entry, 0)?;
    let lane = || Lane::of(integer(entry, 1)?).ok_or_else(|| protocol(&entry));
    match name.as_str() {
        "REFUSED" => {
            // A room that nobody configured yet takes nobody.
            let mode = Mode::of(&text(entry, 1)?).unwrap_or(Mode::Closed);
            return Ok(Told {
                spot: None,
                standing: Standing::Refused(mode),
            });
        }
        "FULL" => {
            return Ok(Told {
                spot: None,
                standing: Standing::Full,
            });
        }
        "RESERVE" => {
            let lane = lane()?;
            return Ok(Told {
                spot: None,
                standing: Standing::Exhausted(lane),
            });
        }
        _ => {}
    }
    let standing = match name.as_str() {
        "WAITING" => Standing::Waiting,
        "LATE" => Standing::Late,
        "OFFERED" => Standing::Offered {
            until: integer(entry, 3)?,
        },
        "ADMITTED" => Standing::Admitted(Session {
            pass_ends: integer(entry, 3)?,
            pass: natural(entry, 4)?,
            ends: integer(entry, 5)?,
        }),
        "ENDED" => Standing::Ended,
        _ => return Err(protocol(&entry)),
    };
    let spot = Spot {
        lane: lane()?,
        seq: natural(entry, 2)?,
    };
    Ok(Told {
        spot: Some(spot),
        standing,
    })
}
