//! The gate of a campaign, in Redis: it refuses those who come too late before they cost Postgres anything. It grants nothing, and losing
//! all of it costs speed alone. What each function does stands in `gate/functions.lua`.

use std::time::Duration;

use mesh::redis::{CallError, Function, Library, Redis, RedisValue};
use thiserror::Error;
use uuid::Uuid;

use crate::domain::campaign::{Campaign, Issue, State};

const CLAIM: Function = Function("claim");
const SETTLE: Function = Function("settle");
const LATE: Function = Function("late");
const LOAD: Function = Function("load");
const BUILD: Function = Function("build");
const STATE: Function = Function("state");
const CORRECT: Function = Function("correct");
const FUNCTIONS: [Function; 7] = [CLAIM, SETTLE, LATE, LOAD, BUILD, STATE, CORRECT];

/// How long somebody who was let through has to get the coupon, before others look what became of it: far longer than a commit takes.
pub const PAUSE: Duration = Duration::from_secs(10);
/// Accounts of one bucket, on average: hashes of so few stay packed.
const BUCKET: i64 = 64;

/// The functions of gates.
#[must_use]
pub fn library() -> Library {
    Library::new(
        "usher_coupon",
        include_str!("gate/functions.lua"),
        &FUNCTIONS,
    )
}

/// Why a gate did not do something.
#[derive(Debug, Error)]
pub enum GateError {
    /// It is not there: never built, or forgotten.
    #[error("the gate is not built")]
    NotBuilt,
    /// It goes by a newer version of the campaign.
    #[error("the campaign has changed")]
    Outdated,
    /// It takes too long to answer.
    #[error("the gate does not answer")]
    Silent,
    /// Redis.
    #[error("the gate cannot be reached")]
    Call(#[from] CallError),
    /// The functions answered what nobody understands.
    #[error("the gate answered {0}")]
    Protocol(String),
}

/// What the gate says to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Go on to Postgres.
    Pass,
    /// The account has a place already: Postgres tells what comes of it.
    Has,
    /// Every coupon has its owner.
    Full,
    /// Nobody knows yet whether those who were let through get all that is left.
    Crowded,
    /// Too early.
    Early,
    /// Too late.
    Late,
}

/// What became of a claim that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// A coupon, which is new.
    New,
    /// A coupon that there was.
    Known,
    /// Nothing.
    Nothing,
}

/// A claim: the account and the coupon that it is about.
pub type Claimant = (Uuid, Uuid);

/// What a gate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateState {
    /// Places that are taken.
    pub count: i64,
    /// Those of them that are coupons.
    pub won: i64,
    /// Claims that are on their way.
    pub under_way: i64,
}

/// The gate of one campaign in one epoch. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Gate {
    redis: Redis,
    functions: Library,
    meta: String,
    settings: [i64; 4],
    buckets: i64,
}

impl Gate {
    /// The gate of a campaign; `None` where there is nothing to keep: coupons are not claimed, or as many are issued as are asked for.
    #[must_use]
    pub fn of(redis: &Redis, functions: &Library, campaign: &Campaign) -> Option<Self> {
        let settings = &campaign.settings;
        let limit = settings.stock.filter(|_| settings.issue == Issue::Claim)?;
        let close = match campaign.state {
            State::Ended => 0,
            _ => settings.claim_close.timestamp_millis(),
        };
        Some(Self {
            redis: redis.clone(),
            functions: functions.clone(),
            meta: format!(
                "usher:coupon:{{{}}}:{}:m",
                campaign.campaign_id, campaign.gate_epoch
            ),
            settings: [
                campaign.version,
                settings.claim_open.timestamp_millis(),
                close,
                limit,
            ],
            buckets: limit / BUCKET + 1,
        })
    }

    fn bucket(&self, account_id: Uuid) -> Vec<u8> {
        let number = i64::from(spread(account_id)) % self.buckets;
        number.to_string().into_bytes()
    }

    fn settings(&self) -> Vec<Vec<u8>> {
        let numbers = self.settings.iter();
        numbers
            .map(|number| number.to_string().into_bytes())
            .collect()
    }

    async fn call(&self, function: Function, args: &[Vec<u8>]) -> Result<RedisValue, GateError> {
        let keys = [self.meta.as_str()];
        let call = self.redis.call(&self.functions, function, &keys, args);
        Ok(call.await?)
    }

    /// Asks for claims, in order.
    pub async fn claim(&self, claimants: &[Claimant]) -> Result<Vec<Said>, GateError> {
        let mut args = self.settings();
        args.push(PAUSE.as_millis().to_string().into_bytes());
        for (account_id, coupon_id) in claimants {
            args.push(self.bucket(*account_id));
            args.push(account_id.as_bytes().to_vec());
            args.push(coupon_id.as_bytes().to_vec());
        }
        let codes = match self.call(CLAIM, &args).await? {
            RedisValue::Int(0) => return Err(GateError::NotBuilt),
            RedisValue::Int(-1) => return Err(GateError::Outdated),
            value => items(value)?,
        };
        let said = |code| match integer(&code)? {
            1 => Ok(Said::Pass),
            2 => Ok(Said::Has),
            3 => Ok(Said::Full),
            4 => Ok(Said::Crowded),
            5 => Ok(Said::Early),
            6 => Ok(Said::Late),
            other => Err(GateError::Protocol(other.to_string())),
        };
        let said: Vec<Said> = codes.into_iter().map(said).collect::<Result<_, _>>()?;
        if said.len() == claimants.len() {
            Ok(said)
        } else {
            Err(GateError::Protocol(format!("{} codes", said.len())))
        }
    }

    /// Tells what became of claims.
    pub async fn settle(&self, claims: &[(Claimant, Became)]) -> Result<(), GateError> {
        let mut args = Vec::with_capacity(claims.len() * 4);
        for ((account_id, coupon_id), became) in claims {
            let what: &[u8] = match became {
                Became::New => b"n",
                Became::Known => b"w",
                Became::Nothing => b"l",
            };
            args.push(what.to_vec());
            args.push(self.bucket(*account_id));
            args.push(account_id.as_bytes().to_vec());
            args.push(coupon_id.as_bytes().to_vec());
        }
        match self.call(SETTLE, &args).await? {
            RedisValue::Int(0) => Err(GateError::NotBuilt),
            _ => Ok(()),
        }
    }

    /// Claims about which nobody said anything in time, `most` at once.
    pub async fn late(&self, most: usize) -> Result<Vec<Claimant>, GateError> {
        let members = items(self.call(LATE, &[most.to_string().into_bytes()]).await?)?;
        let claimant = |member: RedisValue| {
            let RedisValue::BulkString(bytes) = &member else {
                return Err(GateError::Protocol(format!("{member:?}")));
            };
            let pair = bytes.split_at_checked(16);
            let pair = pair.and_then(|(account, coupon)| {
                Some((
                    Uuid::from_slice(account).ok()?,
                    Uuid::from_slice(coupon).ok()?,
                ))
            });
            pair.ok_or_else(|| GateError::Protocol(format!("{member:?}")))
        };
        members.into_iter().map(claimant).collect()
    }

    /// Notes how many places accounts have, in a gate that is being built.
    pub async fn load(&self, owners: &[(Uuid, i64)]) -> Result<(), GateError> {
        let [_, _, close, ..] = self.settings;
        let mut args = vec![close.to_string().into_bytes()];
        for (account_id, places) in owners {
            args.push(self.bucket(*account_id));
            args.push(account_id.as_bytes().to_vec());
            args.push(places.to_string().into_bytes());
        }
        self.call(LOAD, &args).await.map(drop)
    }

    /// Opens a gate that was loaded; `issued` coupons have their owners.
    pub async fn build(&self, issued: i64) -> Result<(), GateError> {
        let mut args = self.settings();
        args.push(issued.to_string().into_bytes());
        self.call(BUILD, &args).await.map(drop)
    }

    /// What it counts.
    pub async fn state(&self) -> Result<GateState, GateError> {
        let numbers = items(self.call(STATE, &[]).await?)?;
        let numbers: Vec<i64> = numbers.iter().map(integer).collect::<Result<_, _>>()?;
        match numbers[..] {
            [] => Err(GateError::NotBuilt),
            [count, won, under_way] => Ok(GateState {
                count,
                won,
                under_way,
            }),
            _ => Err(GateError::Protocol(format!("{numbers:?}"))),
        }
    }

    /// Counts as Postgres does, if nothing happened since `seen` and nobody is on the way. Answers whether it does.
    pub async fn correct(&self, seen: GateState, issued: i64) -> Result<bool, GateError> {
        let seen = format!("{}:{}", seen.count, seen.won).into_bytes();
        let corrected = self
            .call(CORRECT, &[seen, issued.to_string().into_bytes()])
            .await?;
        Ok(integer(&corrected)? == 1)
    }

    /// Makes whoever still asks it notice that there is another.
    pub async fn close(&self) -> Result<(), GateError> {
        Ok(self.redis.remove(std::slice::from_ref(&self.meta)).await?)
    }
}

fn spread(account_id: Uuid) -> u32 {
    // UUIDv7 begins with the time; its end is random, also of ids that were made together.
    let (_, low) = account_id.as_u64_pair();
    u32::try_from(low % u64::from(u32::MAX)).unwrap_or_default()
}

fn items(value: RedisValue) -> Result<Vec<RedisValue>, GateError> {
    match value {
        RedisValue::Array(items) => Ok(items),
        other => Err(GateError::Protocol(format!("{other:?}"))),
    }
}

fn integer(value: &RedisValue) -> Result<i64, GateError> {
    match value {
        RedisValue::Int(number) => Ok(*number),
        other => Err(GateError::Protocol(format!("{other:?}"))),
    }
}
