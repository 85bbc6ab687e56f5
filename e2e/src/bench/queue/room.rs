//! A room of the service, filled by the functions of the line in large batches: people who were loaded are accounts, and the service finds
//! them.

use std::ops::Range;
use std::time::Duration;

use mesh::clock;
use mesh::id;
use mesh::identity::Role;
use mesh::redis::{Redis, RedisValue};
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::room_service_client::RoomServiceClient;
use queue_svc::credentials::KeyRing;
use queue_svc::credentials::ticket::{Ticket, tag};
use queue_svc::domain::lane::{Lane, Spot};
use queue_svc::line::{Joiner, Line, library};
use redis::Pipeline;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::bench::process::Process;
use crate::bench::stage::Stage;
use crate::bench::{BenchError, failed};

/// Joins of one call.
const BATCH: u32 = 256;
/// One inside and everybody else in line: admission goes on, and takes nobody away who is measured.
const CAPACITY: u32 = 1;
/// Whoever polls once in a bench is not gone before its end.
const SILENCE_SECONDS: i64 = 600;
/// How many may have left the head of the line since they were loaded.
const ADMITTED_MAX: u64 = 50;
/// Pause between two looks, and how many looks are enough.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const LOOKS: u32 = 3_000;
/// Keys that are asked about or removed by one call.
const KEYS_AT_ONCE: usize = 500;
/// The rule of queue-svc: accounts of a bucket, and the fewest buckets. [`Room::open`] notices when it is another one.
const BUCKET_ACCOUNTS: u32 = 100;
const BUCKETS_MIN: u32 = 64;

/// A room that is open. Clones share its connection.
#[derive(Clone)]
pub(super) struct Room {
    pub(super) show_id: Uuid,
    /// People whom it was filled with.
    pub(super) size: u32,
    line: Line,
    ring: KeyRing,
    generation: u64,
    waiting_max: u32,
    buckets: u32,
}

impl Room {
    /// Opens a room, and waits until its line is set up and `size` people are in it.
    pub(super) async fn open(
        stage: &Stage,
        service: &Process,
        size: u32,
        joiners: u32,
    ) -> Result<Self, BenchError> {
        let show_id = id::new();
        let waiting_max = size + joiners;
        let ring = KeyRing::from_json(&stage.ring, clock::now())?;
        let line = Line::new(stage.redis.clone(), library(), show_id, 1, None);
        let mut room = Self {
            show_id,
            size,
            line,
            ring,
            generation: 0,
            waiting_max,
            buckets: (waiting_max / BUCKET_ACCOUNTS).max(BUCKETS_MIN),
        };
        let operator = Operator::new(stage, service, show_id).await?;
        operator.open(waiting_max).await?;
        room.generation = operator.generation().await?;
        room.fill().await?;
        operator.everybody_is_seen(size).await?;
        let mut last = room.join(size - 1..size).await?;
        match last.pop() {
            Some(spot) if spot.seq == u64::from(size - 1) => Ok(room),
            other => Err(BenchError::Contradiction(format!(
                "the last of {size} is found at {other:?}"
            ))),
        }
    }

    /// Who the person `index` is; the line has them in this order.
    pub(super) fn account(&self, index: u32) -> Uuid {
        id::derive(self.show_id, index.to_string())
    }

    /// One of `count` people, evenly spread over the line, behind those who may be let in.
    pub(super) fn spread(&self, at: u32, count: u32) -> u32 {
        let head = u32::try_from(ADMITTED_MAX).unwrap_or_default();
        let room = u64::from(self.size - head);
        let offset = room * u64::from(at) / u64::from(count);
        head + u32::try_from(offset).unwrap_or_default()
    }

    /// The ticket of somebody whom the room was filled with.
    pub(super) fn ticket(&self, index: u32) -> Result<String, BenchError> {
        let ticket = Ticket {
            show_id: self.show_id,
            account_id: self.account(index),
            epoch: 1,
            generation: self.generation,
            spot: Spot {
                lane: Lane::General,
                seq: u64::from(index),
            },
        };
        Ok(ticket.seal(&self.ring, clock::now())?)
    }

    fn joiner(&self, index: u32) -> Joiner {
        let account_id = self.account(index);
        Joiner {
            tag: tag(&self.ring, self.show_id, 1, account_id, self.buckets),
            lane: Lane::General,
            adopt: None,
        }
    }

    /// Lets people join by one call of the line; answers where they stand. Settings and numbers that are on their way are waited for.
    async fn join(&self, people: Range<u32>) -> Result<Vec<Spot>, BenchError> {
        let joiners: Vec<Joiner> = people.map(|index| self.joiner(index)).collect();
        for _ in 0..LOOKS {
            let (generation, waiting_max) = (self.generation, self.waiting_max);
            let (_, told) = self.line.join(generation, waiting_max, &joiners).await?;
            let spots: Vec<Spot> = told.into_iter().filter_map(|told| told.spot).collect();
            if spots.len() == joiners.len() {
                return Ok(spots);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(BenchError::Contradiction("no places are given".to_owned()))
    }

    async fn fill(&self) -> Result<(), BenchError> {
        for first in (0..self.size).step_by(usize::try_from(BATCH).unwrap_or(1)) {
            self.join(first..(first + BATCH).min(self.size)).await?;
        }
        Ok(())
    }

    /// Joiners behind everybody, by one call.
    pub(super) async fn joins(&self, joiners: Range<usize>) -> Result<(), BenchError> {
        let number = |at: usize| self.size + u32::try_from(at).unwrap_or(u32::MAX);
        let people = number(joiners.start)..number(joiners.end);
        self.join(people).await.map(drop)
    }

    /// The line has never heard of the first `count` joiners.
    pub(super) async fn forget_joiners(
        &self,
        redis: &Redis,
        count: usize,
    ) -> Result<(), BenchError> {
        let end = self.size + u32::try_from(count).unwrap_or(u32::MAX);
        for first in (self.size..end).step_by(usize::try_from(BATCH).unwrap_or(1)) {
            let people = first..(first + BATCH).min(end);
            for spot in self.join(people.clone()).await? {
                self.line.leave(self.generation, spot).await?;
            }
            let mut forget = Pipeline::with_capacity(people.len());
            for index in people {
                let tag = self.joiner(index).tag;
                let key = format!("{}d:{}", self.line.prefix(), tag.bucket);
                forget.cmd("HDEL").arg(key).arg(&tag.digest);
            }
            redis.run(&forget).await?;
        }
        Ok(())
    }

    async fn keys(&self, redis: &Redis) -> Result<Vec<String>, BenchError> {
        let mut look = Pipeline::with_capacity(1);
        look.cmd("KEYS").arg(format!("{}*", self.line.prefix()));
        let found = redis.run(&look).await?.pop();
        let keys = found.and_then(|keys| redis::from_redis_value(keys).ok());
        keys.ok_or_else(|| BenchError::Contradiction("Redis tells no keys".to_owned()))
    }

    /// Keys of the line, and the bytes that Redis says they take.
    pub(super) async fn memory(&self, redis: &Redis) -> Result<(usize, u32), BenchError> {
        let keys = self.keys(redis).await?;
        let mut bytes = 0;
        for some in keys.chunks(KEYS_AT_ONCE) {
            let mut ask = Pipeline::with_capacity(some.len());
            for key in some {
                let usage = ask.cmd("MEMORY").arg("USAGE").arg(key);
                usage.arg("SAMPLES").arg(0);
            }
            for size in redis.run(&ask).await? {
                if let RedisValue::Int(size) = size {
                    bytes += u32::try_from(size).unwrap_or_default();
                }
            }
        }
        Ok((keys.len(), bytes))
    }

    /// Removes the line.
    pub(super) async fn forget(&self, redis: &Redis) -> Result<(), BenchError> {
        for some in self.keys(redis).await?.chunks(KEYS_AT_ONCE) {
            redis.remove(some).await?;
        }
        Ok(())
    }
}

/// Who runs the room.
struct Operator {
    rooms: RoomServiceClient<Channel>,
    token: tonic::metadata::MetadataValue<tonic::metadata::Ascii>,
    show_id: Uuid,
}

impl Operator {
    async fn new(stage: &Stage, service: &Process, show_id: Uuid) -> Result<Self, BenchError> {
        Ok(Self {
            rooms: RoomServiceClient::new(service.connect().await?),
            token: stage.token(id::new(), Role::Admin)?,
            show_id,
        })
    }

    fn order<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = self.token.clone();
        request.metadata_mut().insert("authorization", token);
        request
    }

    async fn open(&self, waiting_max: u32) -> Result<(), BenchError> {
        let settings = pb::RoomSettings {
            capacity: CAPACITY,
            rate: 1,
            waiting_max,
            silence_duration: Some(prost_types::Duration {
                seconds: SILENCE_SECONDS,
                nanos: 0,
            }),
            ..pb::RoomSettings::default()
        };
        let put = self.order(pb::PutRoomRequest {
            request_id: id::new().to_string(),
            show_id: self.show_id.to_string(),
            settings: Some(settings),
            reason: "bench".to_owned(),
        });
        let mut rooms = self.rooms.clone();
        rooms.put_room(put).await.map_err(failed("PutRoom"))?;
        let open = self.order(pb::OpenRoomRequest {
            request_id: id::new().to_string(),
            show_id: self.show_id.to_string(),
            reason: "bench".to_owned(),
        });
        rooms.open_room(open).await.map_err(failed("OpenRoom"))?;
        Ok(())
    }

    /// Waits until the line is set up.
    async fn generation(&self) -> Result<u64, BenchError> {
        for _ in 0..LOOKS {
            let get = self.order(pb::GetRoomRequest {
                show_id: self.show_id.to_string(),
            });
            let room = self.rooms.clone().get_room(get).await;
            let room = room.map_err(failed("GetRoom"))?.into_inner().room;
            let generation = room.unwrap_or_default().generation;
            if generation > 0 {
                return Ok(generation);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(BenchError::Contradiction(
            "the line is not set up".to_owned(),
        ))
    }

    /// Waits until the service has seen everybody.
    async fn everybody_is_seen(&self, size: u32) -> Result<(), BenchError> {
        for _ in 0..LOOKS {
            let get = self.order(pb::GetRoomStatsRequest {
                show_id: self.show_id.to_string(),
            });
            let stats = self.rooms.clone().get_room_stats(get).await;
            let stats = stats.map_err(failed("GetRoomStats"))?.into_inner().stats;
            if stats.unwrap_or_default().general + ADMITTED_MAX >= u64::from(size) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(BenchError::Contradiction(format!(
            "{size} are not all seen"
        )))
    }
}
