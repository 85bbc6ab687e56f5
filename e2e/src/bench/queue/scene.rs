//! A room with people in it, the processes around it, and each way of asking them.

use mesh::identity::Role;
use mesh::tasks::Tasks;
use prost::Message;

use super::Plan;
use super::callers::{Callers, Person};
use super::room::Room;
use crate::bench::BenchError;
use crate::bench::load::{Round, closed};
use crate::bench::process::{Process, peak_mb, processor_seconds};
use crate::bench::stage::Stage;

/// Calls at once: enough to keep two cores busy.
pub(super) const CALLERS: usize = 64;
/// Connections that they share.
pub(super) const CONNECTIONS: usize = 4;
/// Joins of one call of the line, as queue-svc makes them at most.
const BATCH: usize = 256;
/// How many bytes answers of the echo may be longer or shorter than real ones: numbers take more or fewer, and how long people wait is told
/// after two minutes.
const ALIKE_BYTES: usize = 16;

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    EchoPoll,
    Poll,
    EchoJoin,
    /// The function of the line, one join at a time.
    JoinOne,
    /// The same with as many as it takes.
    JoinMany,
    Join,
}

impl Way {
    /// In the order of the table.
    pub(super) const ALL: [Self; 6] = [
        Self::EchoPoll,
        Self::Poll,
        Self::EchoJoin,
        Self::JoinOne,
        Self::JoinMany,
        Self::Join,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::EchoPoll => "gRPC echo of poll",
            Self::Poll => "**poll**",
            Self::EchoJoin => "gRPC echo of join",
            Self::JoinOne => "join script, one at a time",
            Self::JoinMany => "join script, 256 at a time",
            Self::Join => "**join**",
        }
    }
}

pub(super) struct Scene {
    pub(super) stage: Stage,
    service: Process,
    echo: Process,
    tasks: Tasks,
    pub(super) room: Room,
    /// People who poll and people who join, at the service and at the echo.
    at_service: [Callers; 2],
    at_echo: [Callers; 2],
}

impl Scene {
    pub(super) async fn set(plan: &Plan, size: u32) -> Result<Self, BenchError> {
        let (stage, tasks) = (Stage::set().await?, Tasks::new());
        let service = stage.serve("queue-svc").await?;
        let echo = stage.serve("usher-echo").await?;
        let room = Room::open(&stage, &service, size, plan.joiners).await?;
        let with_token = |index: u32, ticket: String| -> Result<Person, BenchError> {
            let token = stage.token(room.account(index), Role::User)?;
            Ok(Person { token, ticket })
        };
        let poller = |at: u32| {
            let index = room.spread(at, plan.pollers);
            with_token(index, room.ticket(index)?)
        };
        let pollers: Result<Vec<Person>, _> = (0..plan.pollers).map(poller).collect();
        // Behind everybody who waits.
        let joiner = |at: u32| with_token(size + at, String::new());
        let joiners: Result<Vec<Person>, _> = (0..plan.joiners).map(joiner).collect();
        let (pollers, joiners) = (pollers?.into(), joiners?.into());
        let mut at = Vec::new();
        for process in [&service, &echo] {
            let pollers = Callers::connect(process, &room, &pollers).await?;
            let joiners = Callers::connect(process, &room, &joiners).await?;
            for callers in [&pollers, &joiners] {
                let known = callers.clone();
                let one = move |caller, index| {
                    let known = known.clone();
                    async move { known.show_token(caller, index).await }
                };
                closed(&tasks, CALLERS, callers.count(), one).await?;
            }
            at.push([pollers, joiners]);
        }
        let (Some(at_echo), Some(at_service)) = (at.pop(), at.pop()) else {
            return Err(BenchError::Contradiction("two servers".to_owned()));
        };
        Ok(Self {
            stage,
            service,
            echo,
            tasks,
            room,
            at_service,
            at_echo,
        })
    }

    const fn process(&self, way: Way) -> &Process {
        match way {
            Way::EchoPoll | Way::EchoJoin => &self.echo,
            Way::Poll | Way::Join | Way::JoinOne | Way::JoinMany => &self.service,
        }
    }

    /// Processor seconds of service, Redis and load generator so far.
    pub(super) fn used(&self, way: Way) -> Result<[f64; 3], BenchError> {
        Ok([
            processor_seconds(self.process(way).pid())?,
            processor_seconds(self.stage.redis_pid)?,
            processor_seconds(std::process::id())?,
        ])
    }

    /// Peak memory of service and Redis, MB.
    pub(super) fn peaks(&self, way: Way) -> Result<[f64; 2], BenchError> {
        Ok([
            peak_mb(self.process(way).pid())?,
            peak_mb(self.stage.redis_pid)?,
        ])
    }

    pub(super) async fn round(&self, way: Way, polls: usize) -> Result<Round, BenchError> {
        let ([pollers, joiners], [echo_pollers, echo_joiners]) = (&self.at_service, &self.at_echo);
        match way {
            Way::EchoPoll => self.polls(echo_pollers, polls).await,
            Way::Poll => self.polls(pollers, polls).await,
            Way::EchoJoin => self.joins(echo_joiners).await,
            Way::Join => self.joins(joiners).await,
            Way::JoinOne => self.joins_by_script(1).await,
            Way::JoinMany => self.joins_by_script(BATCH).await,
        }
    }

    async fn polls(&self, callers: &Callers, count: usize) -> Result<Round, BenchError> {
        let callers = callers.clone();
        let poll = move |caller, index| {
            let callers = callers.clone();
            async move { callers.poll(caller, index).await.map(drop) }
        };
        closed(&self.tasks, CALLERS, count, poll).await
    }

    async fn joins(&self, callers: &Callers) -> Result<Round, BenchError> {
        let (callers, count) = (callers.clone(), callers.count());
        let join = move |caller, index| {
            let callers = callers.clone();
            async move { callers.join(caller, index).await.map(drop) }
        };
        closed(&self.tasks, CALLERS, count, join).await
    }

    /// One call after the other.
    async fn joins_by_script(&self, batch: usize) -> Result<Round, BenchError> {
        let (room, count) = (self.room.clone(), self.joiners());
        let join = move |_, index: usize| {
            let room = room.clone();
            let first = index * batch;
            async move { room.joins(first..(first + batch).min(count)).await }
        };
        let calls = count.div_ceil(batch);
        let round = closed(&self.tasks, 1, calls, join).await?;
        Ok(Round {
            done: u32::try_from(count).unwrap_or(u32::MAX),
            ..round
        })
    }

    fn joiners(&self) -> usize {
        self.at_service[1].count()
    }

    /// Whoever joined is forgotten, so that the next round is of strangers and the line is as long as before.
    pub(super) async fn clean_up(&self, way: Way) -> Result<(), BenchError> {
        match way {
            Way::EchoPoll | Way::Poll | Way::EchoJoin => Ok(()),
            Way::JoinOne | Way::JoinMany | Way::Join => {
                let redis = &self.stage.redis;
                self.room.forget_joiners(redis, self.joiners()).await
            }
        }
    }

    /// Compares answers of the echo with real ones: a limit of shorter answers would be none.
    pub(super) async fn answers_are_alike(&self) -> Result<String, BenchError> {
        let ([pollers, joiners], [echo_pollers, echo_joiners]) = (&self.at_service, &self.at_echo);
        let last = pollers.count() - 1;
        let polls = [
            echo_pollers.poll(0, last).await?,
            pollers.poll(0, last).await?,
        ];
        let joins = [echo_joiners.join(0, 0).await?, joiners.join(0, 0).await?];
        self.room.forget_joiners(&self.stage.redis, 1).await?;
        let [polls, joins] = [polls, joins].map(|places| places.map(|place| place.encoded_len()));
        let told = format!(
            "Bytes of an answer with {} waiting, and of the echo's: poll {} and {}, join {} and {}.",
            crate::bench::grouped(self.room.size),
            polls[1],
            polls[0],
            joins[1],
            joins[0]
        );
        let alike = |[echo, real]: [usize; 2]| echo.abs_diff(real) <= ALIKE_BYTES;
        if alike(polls) && alike(joins) {
            Ok(told)
        } else {
            Err(BenchError::Contradiction(told))
        }
    }
}
