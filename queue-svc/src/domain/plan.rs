//! What an operator decides about a room.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Slots of a room: a sorted set of more is no small one any more.
pub const CAPACITY_MAX: u32 = 1_000_000;
/// Admissions a second: the ceiling of one Redis core.
pub const RATE_MAX: u32 = 100_000;
/// People in a line: 250 MB of Redis.
pub const WAITING_MAX: u32 = 10_000_000;
/// People who wait for each place that is left: more of them wait in vain, whatever buyers take.
pub const WAITING_PER_PLACE_MAX: u32 = 1_000;
/// Share of a lane.
pub const WEIGHT_MAX: u32 = 100;
/// Accounts in a bucket, on average: packed, and found by a short search.
const BUCKET_ACCOUNTS: u32 = 100;
/// A small room needs no more buckets than this, a large one no fewer.
const BUCKETS_MIN: u32 = 64;

/// What an operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Offers and passes at once.
    pub capacity: u32,
    /// Admissions a second.
    pub rate: u32,
    /// Admissions at once after a pause.
    pub burst: u32,
    /// How long an offer stands.
    pub offer: Duration,
    /// How long passes are renewed.
    pub session: Duration,
    /// How long a missed turn is kept.
    pub grace: Duration,
    /// Shortest period of heartbeats.
    pub silence: Duration,
    /// People in line at once.
    pub waiting_max: u32,
    /// Shares of general, presale, access and late.
    pub weights: [u32; 4],
    /// People join from then on.
    pub arm_time: Option<DateTime<Utc>>,
    /// Admission starts.
    pub open_time: Option<DateTime<Utc>>,
    /// The room closes.
    pub close_time: Option<DateTime<Utc>>,
    /// The sale takes one hold for each place.
    pub strict: bool,
    /// Nobody joins while so many times more people wait than there are places left.
    pub waiting_per_place: u32,
    /// Who comes first.
    pub order: LineOrder,
}

/// Who comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LineOrder {
    /// Whoever joins first.
    #[default]
    Arrival,
    /// Chance, among those who join before the room opens; behind them, whoever joins first.
    Lottery,
}

/// What a room gets that was made when its show was published, until somebody decides: what a small sale takes with ease.
const CAPACITY: u32 = 500;
/// See [`CAPACITY`].
const RATE: u32 = 50;
/// What an operator who says nothing gets: enough for a map of seats and a payment page.
const OFFER: Duration = Duration::from_secs(90);
/// See [`OFFER`].
const SESSION: Duration = Duration::from_secs(900);
/// See [`OFFER`].
const GRACE: Duration = Duration::from_secs(600);
/// Two looks at a phone whose screen sleeps.
const SILENCE: Duration = Duration::from_secs(120);
/// People in a line, where nobody says how many: 25 MB of Redis.
const WAITING: u32 = 1_000_000;
/// See [`Plan::waiting_per_place`]: with two places a buyer nineteen of twenty would wait in vain.
const WAITING_PER_PLACE: u32 = 10;
/// People whose turn was missed are served first, but not alone.
const WEIGHTS: [u32; 4] = [1, 1, 1, 4];
/// How long before a sale people may join its room: long enough to gather, too short to camp.
const ARMED_BEFORE: chrono::Duration = chrono::Duration::minutes(30);

impl Default for Plan {
    fn default() -> Self {
        Self {
            capacity: CAPACITY,
            rate: RATE,
            burst: RATE,
            offer: OFFER,
            session: SESSION,
            grace: GRACE,
            silence: SILENCE,
            waiting_max: WAITING,
            weights: WEIGHTS,
            arm_time: None,
            open_time: None,
            close_time: None,
            strict: false,
            waiting_per_place: WAITING_PER_PLACE,
            order: LineOrder::Arrival,
        }
    }
}

impl Plan {
    /// The plan of a show of which only the times of its sale are known.
    #[must_use]
    pub fn of_sale(open: Option<DateTime<Utc>>, close: Option<DateTime<Utc>>) -> Self {
        Self {
            arm_time: open.map(|open| open - ARMED_BEFORE),
            open_time: open,
            close_time: close.filter(|close| open.is_none_or(|open| *close > open)),
            ..Self::default()
        }
    }

    /// Buckets of accounts for a room of this size.
    #[must_use]
    pub fn buckets(&self) -> u32 {
        (self.waiting_max / BUCKET_ACCOUNTS).max(BUCKETS_MIN)
    }

    /// Every limit that is broken: the field and the remedy.
    #[must_use]
    pub fn broken(&self) -> Vec<(&'static str, String)> {
        let mut broken = Vec::new();
        let counts = [
            ("capacity", self.capacity, CAPACITY_MAX),
            ("rate", self.rate, RATE_MAX),
            ("burst", self.burst, RATE_MAX),
            ("waiting_max", self.waiting_max, WAITING_MAX),
            (
                "waiting_per_place",
                self.waiting_per_place,
                WAITING_PER_PLACE_MAX,
            ),
        ];
        for (field, value, max) in counts {
            if !(1..=max).contains(&value) {
                broken.push((field, format!("must be 1..{max}")));
            }
        }
        let times = [
            ("offer_duration", self.offer, 10, 600),
            ("session_duration", self.session, 60, 14_400),
            ("grace_duration", self.grace, 0, 3_600),
            ("silence_duration", self.silence, 60, 600),
        ];
        for (field, value, min, max) in times {
            if value.subsec_nanos() != 0 || !(min..=max).contains(&value.as_secs()) {
                broken.push((field, format!("must be {min}..{max} whole seconds")));
            }
        }
        if self
            .weights
            .iter()
            .any(|weight| !(1..=WEIGHT_MAX).contains(weight))
        {
            broken.push(("weights", format!("each must be 1..{WEIGHT_MAX}")));
        }
        if self.order == LineOrder::Lottery && self.arm_time.is_none() {
            let remedy = "set arm_time and open_time: people enter the draw in between";
            broken.push(("order", remedy.to_owned()));
        }
        if self.arm_time.is_some() && self.open_time.is_none() {
            broken.push(("open_time", "set it when arm_time is set".to_owned()));
        }
        if self.arm_time > self.open_time && self.open_time.is_some() {
            broken.push(("arm_time", "must not be after open_time".to_owned()));
        }
        if self
            .close_time
            .is_some_and(|close| self.open_time.is_some_and(|open| close <= open))
        {
            broken.push(("close_time", "must be after open_time".to_owned()));
        }
        broken
    }
}
