//! How often one subject may call one method (GCRA, by the policy's rate).

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tonic::Status;
use uuid::Uuid;

use super::Stack;
use super::authorize::Applied;
use crate::identity::Caller;
use crate::policy::{Policy, Rate};
use crate::status::RATE_LIMITED;

/// Subjects remembered for one method before those that are quiet are forgotten.
const SUBJECTS_MAX: usize = 100_000;

/// One limiter a method.
#[derive(Default)]
pub(crate) struct Rates {
    by_path: Mutex<HashMap<String, Arc<DefaultKeyedRateLimiter<Uuid>>>>,
}

impl Rates {
    /// Counts a call. Answers how long to wait when it is one too many.
    fn check(&self, policy: &Policy, rate: Rate, subject: Uuid) -> Result<(), Duration> {
        let limiter = {
            let mut by_path = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = by_path.entry(policy.path.clone());
            Arc::clone(entry.or_insert_with(|| Arc::new(RateLimiter::keyed(quota(rate)))))
        };
        if limiter.len() > SUBJECTS_MAX {
            limiter.retain_recent();
        }
        let now = DefaultClock::default().now();
        limiter
            .check_key(&subject)
            .map_err(|early| early.wait_time_from(now))
    }
}

fn quota(rate: Rate) -> Quota {
    let each = rate.period / rate.requests.get();
    let quota = Quota::with_period(each.max(Duration::from_nanos(1)));
    quota
        .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
        .allow_burst(rate.burst)
}

pub(super) async fn layer(
    State(stack): State<Arc<Stack>>,
    request: Request,
    next: Next,
) -> Response {
    let extensions = request.extensions();
    let policy = extensions
        .get::<Applied>()
        .map(|applied| Arc::clone(&applied.0));
    let account = extensions
        .get::<Caller>()
        .and_then(|caller| caller.account.clone());
    if let (Some(policy), Some(account)) = (policy, account)
        && let Some(rate) = policy.rate
        && let Err(wait) = stack.rates.check(&policy, rate, account.account_id)
    {
        let refusal = RATE_LIMITED
            .refuse("too many calls of this account")
            .retry_after(wait);
        return Status::from(refusal).into_http();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptors;
    use crate::policy::Policies;

    #[test]
    fn each_subject_has_its_own_burst() {
        let pool = descriptors::pool().unwrap();
        let policies = Policies::of_services(&pool, &["usher.booking.v1.CatalogService"]).unwrap();
        let policy = policies
            .get("/usher.booking.v1.CatalogService/CreateVenue")
            .unwrap();
        let number = |count| NonZeroU32::new(count).unwrap();
        let rate = Rate {
            requests: number(1),
            period: Duration::from_secs(3600),
            burst: number(2),
        };
        let (rates, one, other) = (Rates::default(), crate::id::new(), crate::id::new());
        assert_eq!(rates.check(&policy, rate, one), Ok(()));
        assert_eq!(rates.check(&policy, rate, one), Ok(()));
        let wait = rates.check(&policy, rate, one).unwrap_err();
        assert!(
            wait > Duration::from_secs(3500) && wait <= Duration::from_secs(3600),
            "{wait:?}"
        );
        assert_eq!(rates.check(&policy, rate, other), Ok(()));
    }
}
