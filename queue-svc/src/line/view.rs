//! A copy of a room in memory: positions are answered from it, without Redis. Chunks that changed are fetched anew, nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mesh::redis::RedisValue;

use super::reply::{integer, items, natural, text};
use super::{Args, CHUNK, Line, LineError, Millis, VIEW};
use crate::domain::lane::{Lane, Spot};

/// Chunks in one answer: 256 KiB, about 0.3 ms of the server.
const CHUNKS_AT_ONCE: u32 = 32;
/// Bits of a word.
const WORD: u64 = 64;

/// The room as it was at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Server and history of the data.
    pub fence: String,
    /// What the room was set up on; another one than [`View::fence`] means that it has to recover.
    pub owner: String,
    /// Generation; 0 when Redis does not know the room.
    pub generation: u64,
    /// When.
    pub now: Millis,
    /// Until when nobody is admitted.
    pub hold: Millis,
    /// Settings in force.
    pub version: u64,
    /// Offers and passes.
    pub slots: u64,
    lanes: [LaneView; 3],
    late: HashMap<Spot, u64>,
    late_count: u64,
    late_admitted: u64,
}

/// One lane of it.
#[derive(Clone, Debug, Default)]
pub struct LaneView {
    /// Next number.
    pub next: u64,
    /// End of the reserved numbers.
    pub reserved: u64,
    /// Nobody below it waits.
    pub head: u64,
    /// How many wait.
    pub live: u64,
    /// How many were offered a slot, since the epoch began.
    pub admitted: u64,
    /// Shared, because a view is copied whenever it is published.
    chunks: BTreeMap<u64, Arc<Chunk>>,
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    version: u64,
    count: u64,
    words: Vec<u64>,
}

impl Chunk {
    fn new(version: u64, bytes: &[u8]) -> Self {
        // Redis numbers bits from the highest of the first byte.
        let word = |bytes: &[u8]| {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(bytes) {
                *to = *from;
            }
            u64::from_be_bytes(word)
        };
        let words: Vec<u64> = bytes.chunks(8).map(word).collect();
        Self {
            version,
            count: words.iter().map(|word| u64::from(word.count_ones())).sum(),
            words,
        }
    }

    fn word(&self, index: u64) -> u64 {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.words.get(index).copied().unwrap_or(0)
    }

    fn has(&self, bit: u64) -> bool {
        self.word(bit / WORD) >> (WORD - 1 - bit % WORD) & 1 == 1
    }

    /// How many there are before `bit`.
    fn before(&self, bit: u64) -> u64 {
        let whole = usize::try_from(bit / WORD).unwrap_or(usize::MAX);
        let ones = |word: &u64| u64::from(word.count_ones());
        let words: u64 = self.words.iter().take(whole).map(ones).sum();
        let part = match bit % WORD {
            0 => 0,
            bits => self.word(bit / WORD) >> (WORD - bits),
        };
        words + u64::from(part.count_ones())
    }
}

impl LaneView {
    /// How many wait with a lower number.
    fn before(&self, seq: u64) -> u64 {
        let (index, bit) = (seq / CHUNK, seq % CHUNK);
        let earlier = self.chunks.range(..index);
        let earlier: u64 = earlier.map(|(_, chunk)| chunk.count).sum();
        let chunk = self.chunks.get(&index);
        earlier + chunk.map_or(0, |chunk| chunk.before(bit))
    }

    /// Every chunk that ever had somebody in it.
    pub(super) fn known_chunks(&self) -> impl Iterator<Item = u64> {
        self.chunks.keys().copied()
    }

    /// Chunks that may have somebody in them, each with the greatest position in it.
    pub fn chunks(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut before = 0;
        self.chunks
            .iter()
            .filter(|(_, chunk)| chunk.count > 0)
            .map(move |(index, chunk)| {
                before += chunk.count;
                (*index, before)
            })
    }
}

impl View {
    /// A lane.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> &LaneView {
        match lane {
            Lane::General => &self.lanes[0],
            Lane::Presale => &self.lanes[1],
            Lane::Access => &self.lanes[2],
        }
    }

    /// Everybody who waits and is there, the late ones included.
    #[must_use]
    pub fn live(&self) -> u64 {
        let lanes: u64 = self.lanes.iter().map(|lane| lane.live).sum();
        lanes + self.late()
    }

    /// How many came back late and wait.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late_count
    }

    /// How many were offered a slot, since the epoch began.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        let lanes: u64 = self.lanes.iter().map(|lane| lane.admitted).sum();
        lanes + self.late_admitted
    }

    /// The position of a place, from 1, and whether it is in the late line; `None` when it does not wait, or joined after this view.
    #[must_use]
    pub fn position(&self, spot: Spot) -> Option<(u64, bool)> {
        let lane = self.lane(spot.lane);
        let chunk = lane.chunks.get(&(spot.seq / CHUNK));
        if chunk.is_some_and(|chunk| chunk.has(spot.seq % CHUNK)) {
            return Some((lane.before(spot.seq) + 1, false));
        }
        self.late.get(&spot).map(|before| (before + 1, true))
    }

    /// The position of somebody who joined after this view, or came back to the place: what it can be at most.
    #[must_use]
    pub fn position_of_newcomer(&self, spot: Spot) -> u64 {
        let lane = self.lane(spot.lane);
        lane.before(spot.seq) + spot.seq.saturating_sub(lane.next) + 1
    }
}

impl Line {
    /// Brings a view up to date. More chunks than fit one answer are fetched by further ones; until the last, positions may be too small.
    pub async fn refresh(&self, view: &mut View) -> Result<(), LineError> {
        loop {
            let mut args = Args::default();
            args.number(CHUNKS_AT_ONCE);
            for (lane, lane_view) in Lane::ALL.into_iter().zip(&view.lanes) {
                for (index, chunk) in &lane_view.chunks {
                    args.number(lane.number())
                        .number(index)
                        .number(chunk.version);
                }
            }
            let reply = self.view(args).await?;
            if view.read(&reply)? == 0 {
                return Ok(());
            }
        }
    }

    async fn view(&self, args: Args) -> Result<Vec<RedisValue>, LineError> {
        let keys = [self.meta.as_str()];
        match self
            .redis
            .call(&self.functions, VIEW, &keys, &args.0)
            .await?
        {
            RedisValue::Array(reply) => Ok(reply),
            other => Err(LineError::Protocol(format!("{other:?}"))),
        }
    }
}

impl View {
    /// Takes an answer in; tells how many chunks are still to come.
    fn read(&mut self, reply: &[RedisValue]) -> Result<u64, LineError> {
        let fence = text(reply, 0)?;
        let meta = items(reply.get(2))?;
        let mut fields = HashMap::new();
        for pair in meta.chunks(2) {
            fields.insert(text(pair, 0)?, pair);
        }
        let number = |name: &str| -> Result<u64, LineError> {
            fields.get(name).map_or(Ok(0), |pair| natural(pair, 1))
        };
        let generation = number("gen")?;
        if fence != self.fence || generation != self.generation {
            // Versions of chunks mean nothing on another history of the data: what this answer left out has to come, too.
            *self = Self {
                fence,
                generation,
                ..Self::default()
            };
            return Ok(1);
        }
        self.owner = fields
            .get("fence")
            .map_or(Ok(String::new()), |pair| text(pair, 1))?;
        self.now = integer(reply, 1)?;
        self.hold = fields.get("hold").map_or(Ok(0), |pair| integer(pair, 1))?;
        self.version = number("version")?;
        self.slots = natural(reply, 5)?;
        self.late_admitted = number("x:4")?;
        for (lane, view) in Lane::ALL.into_iter().zip(&mut self.lanes) {
            let field = |name: &str| number(&format!("{name}:{}", lane.number()));
            view.next = field("s")?;
            view.reserved = field("hw")?;
            view.head = field("h")?;
            view.live = field("n")?;
            view.admitted = field("x")?;
        }
        for chunk in items(reply.get(3))? {
            let chunk = items(Some(chunk))?;
            let (lane, index, version) =
                (integer(chunk, 0)?, natural(chunk, 1)?, natural(chunk, 2)?);
            let (Some(lane), Some(RedisValue::BulkString(bits))) = (Lane::of(lane), chunk.get(3))
            else {
                return Err(LineError::Protocol(format!("{chunk:?}")));
            };
            let view = match lane {
                Lane::General => &mut self.lanes[0],
                Lane::Presale => &mut self.lanes[1],
                Lane::Access => &mut self.lanes[2],
            };
            let chunk = Arc::new(Chunk::new(version, bits));
            view.chunks.insert(index, chunk);
        }
        self.late.clear();
        self.late_count = natural(reply, 7)?;
        for (before, member) in (0..).zip(items(reply.get(6))?) {
            let member = text(std::slice::from_ref(member), 0)?;
            let spot = member.split_once(':').and_then(|(lane, seq)| {
                let lane = Lane::of(lane.parse().ok()?)?;
                Some(Spot {
                    lane,
                    seq: seq.parse().ok()?,
                })
            });
            self.late
                .insert(spot.ok_or(LineError::Protocol(member))?, before);
        }
        natural(reply, 4)
    }
}
