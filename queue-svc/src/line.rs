//! The line of a room: who stands where, who was offered a slot, who holds a pass. It lives in Redis and changes by functions alone, each
//! whole or not at all; [`Line`] calls them. What each does, and the keys, stand in `line/functions`, `place.lua` first.

mod args;
mod draw;
mod reply;
mod terms;
pub mod view;

use std::time::Duration;

use mesh::redis::{CallError, Function, Library, Redis, RedisValue, Wait};
use thiserror::Error;
use uuid::Uuid;

use crate::domain::lane::{Block, Lane, Spot};
use args::Args;
use reply::{integer, items, standing, text};
use view::View;

pub use crate::domain::settings::{Millis, Mode, Settings, Silence};
pub use reply::{Session, Standing};
pub use terms::{Admitted, Asker, Joiner, Tag, Told};

const FUNCTIONS: [Function; 19] = [
    CONFIGURE, RECOVER, RESERVE, JOIN, TOUCH, ADMIT, CLAIM, RENEW, LEAVE, DEPART, BEAT, REAP, VIEW,
    ENTRIES, BITS, LAY, TAGS, MOVE, DRAWN,
];
const CONFIGURE: Function = Function("configure");
const RECOVER: Function = Function("recover");
const RESERVE: Function = Function("reserve");
const JOIN: Function = Function("join");
const TOUCH: Function = Function("touch");
const ADMIT: Function = Function("admit");
const CLAIM: Function = Function("claim");
const RENEW: Function = Function("renew");
const LEAVE: Function = Function("leave");
const DEPART: Function = Function("depart");
const BEAT: Function = Function("beat");
const REAP: Function = Function("reap");
const VIEW: Function = Function("view");
const ENTRIES: Function = Function("entries");
const BITS: Function = Function("bits");
const LAY: Function = Function("lay");
const TAGS: Function = Function("tags");
const MOVE: Function = Function("move");
const DRAWN: Function = Function("drawn");

/// What defines them, in the order of definition.
const SOURCES: [&str; 8] = [
    include_str!("line/functions/place.lua"),
    include_str!("line/functions/room.lua"),
    include_str!("line/functions/join.lua"),
    include_str!("line/functions/admit.lua"),
    include_str!("line/functions/pass.lua"),
    include_str!("line/functions/silence.lua"),
    include_str!("line/functions/view.lua"),
    include_str!("line/functions/draw.lua"),
];

/// Keys that are removed by one command: far below a millisecond of the server, which frees them elsewhere.
const FORGET_AT_ONCE: usize = 500;

/// Numbers of a chunk of the line; one bitmap has 8 KiB of them.
pub const CHUNK: u64 = 65_536;

/// The line's functions on the clock and the identity of the server.
#[must_use]
pub fn library() -> Library {
    library_on(include_str!("line/functions/clock.lua"))
}

/// The same on other `clock(P)` and `fence(P)`: tests set them.
#[must_use]
pub fn library_on(seams: &str) -> Library {
    let source: String = [seams].into_iter().chain(SOURCES).collect();
    Library::new("usher_queue", source, &FUNCTIONS)
}

/// Why the line did not do something.
#[derive(Debug, Error)]
pub enum LineError {
    /// Redis is another one than the room was set up on, or has lost it; the room has to recover. With the generation that is stored.
    #[error("the room stands on another server, at generation {0}")]
    Fenced(u64),
    /// The room has recovered meanwhile: this is its generation now.
    #[error("the room is at generation {0}")]
    Generation(u64),
    /// Redis.
    #[error("the line cannot be reached")]
    Call(#[from] CallError),
    /// The functions answered what nobody understands.
    #[error("the line answered {0}")]
    Protocol(String),
}

/// The line of one room in one epoch. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Line {
    redis: Redis,
    functions: Library,
    meta: String,
    wait: Option<Wait>,
}

impl Line {
    /// The line of `show_id` in `epoch`. With `wait` a pass is answered only when so many replicas know of it.
    #[must_use]
    pub fn new(
        redis: Redis,
        library: Library,
        show_id: Uuid,
        epoch: u64,
        wait: Option<Wait>,
    ) -> Self {
        let meta = format!("usher:queue:{{{show_id}}}:{epoch}:m");
        Self {
            redis,
            functions: library,
            meta,
            wait,
        }
    }

    /// What every key of it begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.meta.trim_end_matches('m')
    }

    /// Applies settings, unless newer ones are in force.
    pub async fn configure(&self, generation: u64, settings: &Settings) -> Result<(), LineError> {
        let mut args = Args::of(generation);
        args.number(settings.version).text(settings.mode.name());
        args.number(settings.capacity)
            .number(settings.rate)
            .number(settings.burst);
        for time in [
            settings.offer,
            settings.pass,
            settings.skew,
            settings.session,
            settings.grace,
        ] {
            args.millis(time);
        }
        for weight in settings.weights {
            args.number(weight);
        }
        self.call(CONFIGURE, args).await.map(drop)
    }

    /// Takes the room over for `generation` on this server: nobody is admitted for `hold`, places of before keep their order, new numbers
    /// come from `blocks`. Does nothing when the room is there already.
    pub async fn recover(
        &self,
        generation: u64,
        hold: Duration,
        blocks: [Block; 3],
    ) -> Result<(), LineError> {
        let mut args = Args::of(generation);
        args.millis(hold);
        for block in blocks {
            args.number(block.first).number(block.end);
        }
        self.call(RECOVER, args).await.map(drop)
    }

    /// Lets numbers of a lane below `end` be issued.
    pub async fn reserve(&self, generation: u64, lane: Lane, end: u64) -> Result<(), LineError> {
        let mut args = Args::of(generation);
        args.number(lane.number()).number(end);
        self.call(RESERVE, args).await.map(drop)
    }

    /// Gives everybody a place, or tells the one they have; nobody new where `waiting_max` wait. Answers the time of the line and one answer each, in order.
    pub async fn join(
        &self,
        generation: u64,
        waiting_max: u32,
        joiners: &[Joiner],
    ) -> Result<(Millis, Vec<Told>), LineError> {
        let mut args = Args::of(generation);
        args.number(waiting_max);
        for joiner in joiners {
            let adopted = joiner
                .adopt
                .map_or((0, 0), |spot| (spot.lane.number(), spot.seq));
            args.tag(&joiner.tag).number(joiner.lane.number());
            args.number(adopted.0).number(adopted.1);
        }
        // It may admit at once.
        self.told(JOIN, args, joiners.len(), true).await
    }

    /// Tells where places stand.
    pub async fn touch(
        &self,
        generation: u64,
        askers: &[Asker],
    ) -> Result<(Millis, Vec<Told>), LineError> {
        let mut args = Args::of(generation);
        for asker in askers {
            args.tag(&asker.tag).spot(asker.spot);
            args.number(u8::from(asker.adopt));
        }
        self.told(TOUCH, args, askers.len(), false).await
    }

    /// Offers free slots to those whose turn it is, `most` at once. Anybody may call it at any time.
    pub async fn admit(&self, generation: u64, most: u32) -> Result<Admitted, LineError> {
        let mut args = Args::of(generation);
        args.number(most);
        let reply = self.call(ADMIT, args).await?;
        let read = |index: usize| -> Result<u32, LineError> {
            let number = integer(&reply, index)?;
            u32::try_from(number).map_err(|_| LineError::Protocol(format!("{number} slots")))
        };
        Ok(Admitted {
            granted: read(2)?,
            used: read(3)?,
            purged: read(4)?,
            missed: read(5)?,
        })
    }

    /// Turns offers into passes.
    pub async fn claim(
        &self,
        generation: u64,
        spots: &[Spot],
    ) -> Result<(Millis, Vec<Told>), LineError> {
        let mut args = Args::of(generation);
        for spot in spots {
            args.spot(*spot);
        }
        self.told(CLAIM, args, spots.len(), true).await
    }

    /// The next pass for each of these, which were verified.
    pub async fn renew(
        &self,
        generation: u64,
        passes: &[(Tag, Spot, Session)],
    ) -> Result<(Millis, Vec<Told>), LineError> {
        let mut args = Args::of(generation);
        for (tag, spot, session) in passes {
            args.tag(tag).spot(*spot).number(session.pass);
            args.number(session.pass_ends).number(session.ends);
        }
        self.told(RENEW, args, passes.len(), true).await
    }

    /// Gives up a place.
    pub async fn leave(&self, generation: u64, spot: Spot) -> Result<(), LineError> {
        let mut args = Args::of(generation);
        args.spot(spot);
        self.call(LEAVE, args).await.map(drop)
    }

    /// Ends sessions of accounts that began by a time: passes are not renewed any more.
    pub async fn depart(
        &self,
        generation: u64,
        departed: &[(Tag, Millis)],
    ) -> Result<(), LineError> {
        let mut args = Args::of(generation);
        for (tag, time) in departed {
            args.tag(tag).number(time);
        }
        self.call(DEPART, args).await.map(drop)
    }

    /// Notes who of a chunk was heard from: one bit each, the first number in the highest bit of the first byte.
    pub async fn beat(
        &self,
        generation: u64,
        lane: Lane,
        chunk: u64,
        bits: Vec<u8>,
    ) -> Result<(), LineError> {
        let mut args = Args::of(generation);
        args.number(lane.number()).number(chunk);
        args.0.push(bits);
        self.call(BEAT, args).await.map(drop)
    }

    /// Ends the period of a chunk if it is over; answers how many are gone.
    pub async fn reap(
        &self,
        generation: u64,
        lane: Lane,
        chunk: u64,
        silence: Silence,
    ) -> Result<u64, LineError> {
        let mut args = Args::of(generation);
        args.number(lane.number()).number(chunk);
        for time in [
            silence.pause,
            silence.least,
            silence.slack,
            silence.pause_max,
        ] {
            args.millis(time);
        }
        let reply = self.call(REAP, args).await?;
        let gone = integer(&reply, 1)?;
        u64::try_from(gone).map_err(|_| LineError::Protocol(format!("{gone} gone")))
    }

    /// Removes everything of the line that a view knows, with so many buckets. For a line that nobody uses any more.
    pub async fn forget(&self, view: &View, buckets: u32) -> Result<(), LineError> {
        let prefix = self.prefix();
        let mut keys: Vec<String> = ["m", "slots", "info", "late", "grace"]
            .map(|name| format!("{prefix}{name}"))
            .into();
        for lane in Lane::ALL {
            let number = lane.number();
            keys.extend(["n", "v", "r"].map(|name| format!("{prefix}{name}:{number}")));
            for chunk in view.lane(lane).known_chunks() {
                let bits = ["a", "g"].map(|name| format!("{prefix}{name}:{number}:{chunk}"));
                let heard = [0, 1].map(|period| format!("{prefix}b:{number}:{chunk}:{period}"));
                keys.extend(bits.into_iter().chain(heard));
            }
        }
        keys.extend((0..buckets).map(|bucket| format!("{prefix}d:{bucket}")));
        for some in keys.chunks(FORGET_AT_ONCE) {
            self.redis.remove(some).await?;
        }
        Ok(())
    }

    async fn told(
        &self,
        function: Function,
        args: Args,
        expected: usize,
        gated: bool,
    ) -> Result<(Millis, Vec<Told>), LineError> {
        let reply = match (self.wait, gated) {
            (Some(wait), true) => self.call_replicated(function, args, wait).await?,
            _ => self.call(function, args).await?,
        };
        let now = integer(&reply, 1)?;
        let told: Vec<Told> = items(reply.get(2))?
            .iter()
            .map(standing)
            .collect::<Result<_, _>>()?;
        if told.len() == expected {
            Ok((now, told))
        } else {
            Err(LineError::Protocol(format!("{} places", told.len())))
        }
    }

    async fn call(&self, function: Function, args: Args) -> Result<Vec<RedisValue>, LineError> {
        let keys = [self.meta.as_str()];
        let reply = self.redis.call(&self.functions, function, &keys, &args.0);
        checked(reply.await?)
    }

    /// An effect that too few replicas have is told as unknown: it stands, and nobody gets a pass by it.
    async fn call_replicated(
        &self,
        function: Function,
        args: Args,
        wait: Wait,
    ) -> Result<Vec<RedisValue>, LineError> {
        let keys = [self.meta.as_str()];
        let call = self
            .redis
            .call_replicated(&self.functions, function, &keys, &args.0, wait);
        let (reply, replicas) = call.await?;
        let reply = checked(reply)?;
        if replicas < wait.replicas {
            metrics::counter!("usher_queue_wait_shortfalls_total").increment(1);
            let known = format!("{replicas} of {} replicas have it", wait.replicas);
            return Err(CallError::Unknown(known).into());
        }
        Ok(reply)
    }
}

fn checked(reply: RedisValue) -> Result<Vec<RedisValue>, LineError> {
    let RedisValue::Array(reply) = reply else {
        return Err(LineError::Protocol(format!("{reply:?}")));
    };
    let generation = || -> Result<u64, LineError> {
        let generation = integer(&reply, 1)?;
        u64::try_from(generation).map_err(|_| LineError::Protocol(generation.to_string()))
    };
    match text(&reply, 0)?.as_str() {
        "OK" | "OLD" => Ok(reply),
        "FENCED" => Err(LineError::Fenced(generation()?)),
        "GENERATION" => Err(LineError::Generation(generation()?)),
        other => Err(LineError::Protocol(other.to_owned())),
    }
}
