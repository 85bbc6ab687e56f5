//! Campaigns: who can have how many coupons of which kind, and when.
//!
//! | state | open | end | the last coupon goes |
//! |---|---|---|---|
//! | DRAFT | OPEN | ENDED | - |
//! | OPEN | unchanged | ENDED | EXHAUSTED |
//! | EXHAUSTED | unchanged | ENDED | - |
//! | EXPIRED | unchanged | ENDED | - |
//! | ENDED | [`Refused::NotDraft`] | unchanged | - |

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use uuid::Uuid;

use super::terms::Terms;

/// Largest stock: what one campaign can be counted and rebuilt with in seconds.
pub const STOCK_MAX: i64 = 10_000_000;
/// Most coupons of one account: more than anybody uses, and an account's coupons fit one page.
pub const PER_ACCOUNT_MAX: u32 = 100;
/// Most bookings of one coupon: a card for a hundred visits; what is for more is a campaign without stock.
pub const USES_MAX: u32 = 100;
/// Longest life of a coupon by days: ten years, beyond which a date should be named.
pub const USE_DAYS_MAX: u32 = 3_650;
/// Characters of a name, as of every name.
pub const NAME_CHARS_MAX: usize = 200;

/// When coupons expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseEnd {
    /// At this time.
    At(DateTime<Utc>),
    /// So many days after somebody got one.
    Days(u32),
}

/// How people get coupons of a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Issue {
    /// First come, first served.
    #[default]
    Claim,
    /// With a code.
    Code,
    /// To accounts that are named.
    Grant,
}

impl Issue {
    /// All.
    pub const ALL: [Self; 3] = [Self::Claim, Self::Code, Self::Grant];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claim => "CLAIM",
            Self::Code => "CODE",
            Self::Grant => "GRANT",
        }
    }
}

/// What is decided about a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name that buyers see.
    pub name: String,
    /// What its coupons are worth.
    pub terms: Terms,
    /// Coupons; `None`: as many as are asked for.
    pub stock: Option<i64>,
    /// Coupons that one account can have.
    pub per_account_max: u32,
    /// First moment to claim.
    pub claim_open: DateTime<Utc>,
    /// When claiming ends.
    pub claim_close: DateTime<Utc>,
    /// First moment to use a coupon; `None`: as soon as somebody has it.
    pub use_open: Option<DateTime<Utc>>,
    /// When they expire.
    pub use_end: UseEnd,
    /// Bookings that one coupon can be used for.
    pub uses_per_coupon: u32,
    /// How people get its coupons.
    pub issue: Issue,
}

impl Settings {
    /// What does not hold: field and remedy.
    #[must_use]
    pub fn broken(&self) -> Vec<(&'static str, String)> {
        let mut broken = Vec::new();
        let named = (1..=NAME_CHARS_MAX).contains(&self.name.chars().count());
        if !named || self.name.chars().any(char::is_control) {
            let remedy =
                format!("must have 1 to {NAME_CHARS_MAX} characters and no control characters");
            broken.push(("name", remedy));
        }
        if self
            .stock
            .is_some_and(|stock| !(1..=STOCK_MAX).contains(&stock))
        {
            let remedy = format!("must be 1..{STOCK_MAX}, or -1 for as many as are asked for");
            broken.push(("stock", remedy));
        }
        if !(1..=PER_ACCOUNT_MAX).contains(&self.per_account_max) {
            broken.push(("per_account_max", format!("must be 1..{PER_ACCOUNT_MAX}")));
        }
        if !(1..=USES_MAX).contains(&self.uses_per_coupon) {
            broken.push(("uses_per_coupon", format!("must be 1..{USES_MAX}")));
        }
        if self.claim_close <= self.claim_open {
            broken.push((
                "claim_close_time",
                "must be after claim_open_time".to_owned(),
            ));
        }
        match self.use_end {
            UseEnd::At(close) if close < self.claim_close => {
                let remedy =
                    "must not be before claim_close_time: coupons would expire before they are had";
                broken.push(("use_close_time", remedy.to_owned()));
            }
            UseEnd::At(close) if self.use_open.is_some_and(|open| close <= open) => {
                broken.push(("use_close_time", "must be after use_open_time".to_owned()));
            }
            UseEnd::Days(days) if !(1..=USE_DAYS_MAX).contains(&days) => {
                broken.push(("use_days", format!("must be 1..{USE_DAYS_MAX}")));
            }
            UseEnd::Days(_) if self.use_open.is_some_and(|open| open > self.claim_open) => {
                let remedy = "must not be after claim_open_time beside use_days: coupons could expire before they are valid";
                broken.push(("use_open_time", remedy.to_owned()));
            }
            UseEnd::At(_) | UseEnd::Days(_) => {}
        }
        broken
    }

    /// When a coupon that is issued at `now` is valid: from and until.
    #[must_use]
    pub fn validity(&self, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let from = self.use_open.map_or(now, |open| open.max(now));
        let until = match self.use_end {
            UseEnd::At(close) => close,
            UseEnd::Days(days) => now + TimeDelta::days(i64::from(days)),
        };
        (from, until)
    }
}

/// What was ordered of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Being prepared.
    Draft,
    /// Its coupons can be had within its window.
    Open,
    /// Every coupon was issued.
    Exhausted,
    /// Its window is over.
    Expired,
    /// Ended by order.
    Ended,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Draft,
        Self::Open,
        Self::Exhausted,
        Self::Expired,
        Self::Ended,
    ];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Open => "OPEN",
            Self::Exhausted => "EXHAUSTED",
            Self::Expired => "EXPIRED",
            Self::Ended => "ENDED",
        }
    }
}

/// Where a campaign stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Being prepared.
    Draft,
    /// Its coupons can be had within its window.
    Open,
    /// Every coupon was issued.
    Exhausted,
    /// Ended by order.
    Ended,
    /// Its window is over.
    Expired,
}

/// Why nobody can claim now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Shut {
    /// Too early.
    #[error("coupons can be claimed from {0} on")]
    NotOpen(DateTime<Utc>),
    /// Too late.
    #[error("claiming has ended")]
    Over,
}

/// Why an order was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It stands.
    #[error("only a DRAFT can be changed")]
    NotDraft,
    /// Nobody could claim.
    #[error("its claim window is over")]
    WindowOver,
}

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Id.
    pub campaign_id: Uuid,
    /// What was decided. Its terms name the seller whose it is.
    pub settings: Settings,
    /// What was ordered.
    pub state: State,
    /// Plus 1 with every change.
    pub version: i64,
    /// Plus 1 before its gate is built anew.
    pub gate_epoch: i64,
    /// When it was created.
    pub create_time: DateTime<Utc>,
}

impl Campaign {
    /// Seller whose it is; `None`: the platform's.
    #[must_use]
    pub const fn seller_id(&self) -> Option<Uuid> {
        self.settings.terms.seller_id
    }

    /// Where it stands at `now`.
    #[must_use]
    pub fn standing(&self, now: DateTime<Utc>) -> Standing {
        match self.state {
            State::Draft => Standing::Draft,
            State::Open if now >= self.settings.claim_close => Standing::Expired,
            State::Open => Standing::Open,
            State::Exhausted => Standing::Exhausted,
            State::Expired => Standing::Expired,
            State::Ended => Standing::Ended,
        }
    }

    /// Whether somebody can claim at `now`, as far as its window goes.
    pub fn admits(&self, now: DateTime<Utc>) -> Result<(), Shut> {
        match self.standing(now) {
            Standing::Ended | Standing::Expired => Err(Shut::Over),
            _ if now < self.settings.claim_open => Err(Shut::NotOpen(self.settings.claim_open)),
            _ => Ok(()),
        }
    }

    /// The campaign with other settings.
    pub fn changed(&self, settings: Settings) -> Result<Self, Refused> {
        if self.state != State::Draft {
            return Err(Refused::NotDraft);
        }
        let mut campaign = self.clone();
        if campaign.settings != settings {
            campaign.settings = settings;
            campaign.version += 1;
        }
        Ok(campaign)
    }

    /// The campaign once it is open.
    pub fn opened(&self, now: DateTime<Utc>) -> Result<Self, Refused> {
        match self.state {
            State::Ended => Err(Refused::NotDraft),
            State::Open | State::Exhausted | State::Expired => Ok(self.clone()),
            State::Draft if now >= self.settings.claim_close => Err(Refused::WindowOver),
            State::Draft => Ok(self.turned(State::Open)),
        }
    }

    /// The campaign once it is over.
    #[must_use]
    pub fn ended(&self) -> Self {
        self.turned(State::Ended)
    }

    /// The campaign once its last coupon went.
    #[must_use]
    pub fn exhausted(&self) -> Self {
        match self.state {
            State::Open => self.turned(State::Exhausted),
            _ => self.clone(),
        }
    }

    fn turned(&self, state: State) -> Self {
        let mut campaign = self.clone();
        if campaign.state != state {
            campaign.state = state;
            campaign.version += 1;
        }
        campaign
    }
}
