//! Gives entries their places, by the ranks that a seed made.

use mesh::redis::{Function, RedisValue};

use super::reply::{items, natural, text};
use super::{Args, BITS, CHUNK, DRAWN, ENTRIES, LAY, Line, LineError, MOVE, Mode, TAGS};
use crate::domain::draw::{Draw, Ranks};
use crate::domain::lane::{Lane, Spot};

/// Accounts in one call, if they are spread over their buckets: about a millisecond of the server.
const ACCOUNTS_AT_ONCE: u64 = 1_000;
/// Arguments that move one account.
const ARGS_OF_MOVE: usize = 4;

/// Who of a lane has which number, by chunks.
#[derive(Debug, Default)]
struct Bits(Vec<Vec<u8>>);

impl Bits {
    fn set(&mut self, number: u64) {
        let size = usize::try_from(CHUNK / 8).unwrap_or(0);
        let (Ok(chunk), Ok(byte)) = (
            usize::try_from(number / CHUNK),
            usize::try_from(number % CHUNK / 8),
        ) else {
            return;
        };
        if self.0.len() <= chunk {
            self.0.resize_with(chunk + 1, || vec![0; size]);
        }
        if let Some(byte) = self.0.get_mut(chunk).and_then(|bytes| bytes.get_mut(byte)) {
            *byte |= 0x80 >> (number % 8);
        }
    }
}

/// Numbers of the bits that are set, of a chunk.
fn numbers(chunk: u64, bits: &[u8]) -> impl Iterator<Item = u64> {
    (chunk * CHUNK..)
        .step_by(8)
        .zip(bits)
        .flat_map(|(first, byte)| {
            (0..8)
                .filter(move |bit| byte & (0x80 >> bit) != 0)
                .map(move |bit| first + bit)
        })
}

impl Line {
    /// How many numbers each lane has issued, once nobody joins any more; `None` while other settings than those of `version` are in force.
    pub async fn entries(
        &self,
        generation: u64,
        version: u64,
    ) -> Result<Option<[u64; 3]>, LineError> {
        let reply = self.call(ENTRIES, Args::of(generation)).await?;
        if text(&reply, 1)? != Mode::Drawing.name() || natural(&reply, 2)? != version {
            return Ok(None);
        }
        let entries = [3, 4, 5].map(|index| natural(&reply, index));
        let [general, presale, access] = entries;
        Ok(Some([general?, presale?, access?]))
    }

    /// Gives every entry its place: the first one of its lane and as many behind as its rank says. Repeated, and beside another who does the
    /// same, it has the same effect. False: the mode is another one, and not all of it was done.
    pub async fn draw(
        &self,
        generation: u64,
        draw: &Draw,
        ranks: &Ranks,
        buckets: u32,
    ) -> Result<bool, LineError> {
        for lane in Lane::ALL {
            if !self.lay(generation, lane, draw, ranks).await? {
                return Ok(false);
            }
        }
        let people: u64 = Lane::ALL.map(|lane| draw.entrants(lane)).iter().sum();
        let at_once = ACCOUNTS_AT_ONCE * u64::from(buckets) / people.max(1);
        let at_once = usize::try_from(at_once.min(ACCOUNTS_AT_ONCE)).unwrap_or(1);
        let buckets: Vec<u32> = (0..buckets).collect();
        for some in buckets.chunks(at_once.max(1)) {
            if !self.rename(generation, some, draw, ranks).await? {
                return Ok(false);
            }
        }
        let mut args = Args::of(generation);
        for lane in Lane::ALL {
            let (first, next, reserved) = draw.numbers(lane);
            args.number(first).number(next).number(reserved);
        }
        self.drawing(DRAWN, args).await
    }

    /// Calls one of the functions that do nothing in other modes; answers whether it did.
    async fn drawing(&self, function: Function, args: Args) -> Result<bool, LineError> {
        let reply = self.call(function, args).await?;
        Ok(text(&reply, 0)? == "OK")
    }

    async fn lay(
        &self,
        generation: u64,
        lane: Lane,
        draw: &Draw,
        ranks: &Ranks,
    ) -> Result<bool, LineError> {
        let (first, next, _) = draw.numbers(lane);
        let (mut waiting, mut gone) = (Bits::default(), Bits::default());
        for chunk in 0..draw.entrants(lane).div_ceil(CHUNK) {
            let mut args = Args::of(generation);
            args.number(lane.number()).number(chunk);
            let reply = self.call(BITS, args).await?;
            for (index, laid) in [(1, &mut waiting), (2, &mut gone)] {
                for seq in numbers(chunk, bytes(&reply, index)?) {
                    if let Some(place) = draw.place(Spot { lane, seq }, ranks) {
                        laid.set(place.seq - first);
                    }
                }
            }
        }
        // A lane's first place begins a chunk.
        for chunk in 0..(next - first).div_ceil(CHUNK) {
            let index = usize::try_from(chunk).unwrap_or(usize::MAX);
            let of = |bits: &Bits| bits.0.get(index).cloned().unwrap_or_default();
            let mut args = Args::of(generation);
            args.number(lane.number()).number(first / CHUNK + chunk);
            args.0.extend([of(&waiting), of(&gone)]);
            if !self.drawing(LAY, args).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn rename(
        &self,
        generation: u64,
        buckets: &[u32],
        draw: &Draw,
        ranks: &Ranks,
    ) -> Result<bool, LineError> {
        let mut args = Args::of(generation);
        for bucket in buckets {
            args.number(bucket);
        }
        let reply = self.call(TAGS, args).await?;
        let mut moves = Args::default();
        for (bucket, index) in buckets.iter().zip(1..) {
            let known = items(reply.get(index))?;
            for (tag, value) in (0..known.len()).step_by(2).zip((1..).step_by(2)) {
                // seq * 8 + lane: see `place.lua`.
                let old = natural(known, value)?;
                let lane = i64::try_from(old % 8).ok().and_then(Lane::of);
                let entry = lane.map(|lane| Spot { lane, seq: old / 8 });
                let Some(place) = entry.and_then(|entry| draw.place(entry, ranks)) else {
                    continue;
                };
                moves.number(bucket);
                moves.0.push(bytes(known, tag)?.to_vec());
                moves
                    .number(old)
                    .number(place.seq * 8 + u64::from(place.lane.number()));
            }
        }
        let most = usize::try_from(ACCOUNTS_AT_ONCE).unwrap_or(1) * ARGS_OF_MOVE;
        for some in moves.0.chunks(most) {
            let mut args = Args::of(generation);
            args.0.extend_from_slice(some);
            if !self.drawing(MOVE, args).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn bytes(values: &[RedisValue], index: usize) -> Result<&[u8], LineError> {
    match values.get(index) {
        Some(RedisValue::BulkString(bytes)) => Ok(bytes),
        other => Err(LineError::Protocol(format!("{other:?}"))),
    }
}
