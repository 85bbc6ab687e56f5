//! A hundred thousand people claim ten thousand coupons while coupon-svc, Redis and Postgres are killed: each coupon has one owner, and
//! everybody was told the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use e2e::rest::Person;
use futures_util::stream::{self, StreamExt};
use mesh::identity::Role;
use mesh::redis::Redis;
use mesh::{id, random};
use proto::usher::coupon::v1 as pb;
use proto::usher::coupon::v1::coupon_service_client::CouponServiceClient;
use redis::Pipeline;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::kills::kill_server;
use crate::real::{Process, RealMesh, Timings, redis_url, won_off};

/// Coupons of the campaign.
const STOCK: usize = 10_000;
/// People who want one.
const PEOPLE: usize = 100_000;
/// Of them at once.
const AT_ONCE: usize = 400;
/// How long a client waits for an answer before it asks again.
const CALL: Duration = Duration::from_secs(10);
/// Pause of a client that is told to repeat.
const REPEAT: Duration = Duration::from_millis(100);
/// Coupons that have to be claimed between two faults, so that each meets claims.
const BETWEEN: usize = 1_000;

/// What dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// kill -9 of one of the two instances.
    Instance(usize),
    /// kill -9 of Redis.
    Redis,
    /// FLUSHALL.
    Flush,
    /// kill -9 of Postgres, which recovers.
    Postgres,
}

const FAULTS: [Fault; 5] = [
    Fault::Instance(0),
    Fault::Flush,
    Fault::Postgres,
    Fault::Redis,
    Fault::Instance(1),
];

/// A coupon, whose it is, and the request that it was the answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claimed {
    coupon_id: Uuid,
    owner: Uuid,
    request_id: Uuid,
}

/// One person's way to an answer that is final: the coupon, or that none is left.
async fn claim(
    channels: &[Channel],
    campaign_id: Uuid,
    person: Person,
    request_id: Uuid,
) -> Option<Claimed> {
    let owner = person.account_id;
    let mut turn = random::below(channels.len());
    loop {
        turn += 1;
        let mut request = Request::new(pb::ClaimCouponRequest {
            request_id: request_id.to_string(),
            campaign_id: campaign_id.to_string(),
        });
        let bearer = format!("Bearer {}", person.token).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        request.set_timeout(CALL);
        let channel = channels[turn % channels.len()].clone();
        match CouponServiceClient::new(channel)
            .claim_coupon(request)
            .await
        {
            Ok(answer) => {
                let coupon = answer.into_inner().coupon.unwrap();
                return Some(Claimed {
                    coupon_id: coupon.coupon_id.parse().unwrap(),
                    owner,
                    request_id,
                });
            }
            Err(status) if reason(&status) == "COUPONS_SOLD_OUT" => return None,
            Err(status) => {
                let again = [
                    Code::Unavailable,
                    Code::DeadlineExceeded,
                    Code::ResourceExhausted,
                    Code::Cancelled,
                    Code::Unknown,
                ];
                assert!(again.contains(&status.code()), "{status:?}");
                tokio::time::sleep(REPEAT + random::jitter(REPEAT)).await;
            }
        }
    }
}

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details
        .error_info()
        .map_or_else(String::new, |info| info.reason.clone())
}

async fn strike(fault: Fault, instances: &mut [Process; 2]) {
    match fault {
        Fault::Instance(number) => {
            instances[number].kill();
            instances[number].start_again().await;
            instances[number].ready().await;
        }
        Fault::Redis => mesh::tasks::blocking(|| kill_server("redis"))
            .await
            .unwrap(),
        Fault::Postgres => mesh::tasks::blocking(|| kill_server("pg")).await.unwrap(),
        Fault::Flush => {
            let redis = Redis::open(&mesh::config::Secret::new(redis_url())).unwrap();
            let mut flush = Pipeline::with_capacity(1);
            flush.cmd("FLUSHALL");
            // Redis may be away for a moment; the next one strikes.
            drop(redis.run(&flush).await);
        }
    }
}

/// What people were told is what is kept: every coupon, and one each.
async fn as_told(mesh: &RealMesh, got: &BTreeMap<Uuid, Claimed>) {
    let rows = "SELECT coupon_id || ' ' || account_id AS t FROM coupon ORDER BY 1";
    let kept: BTreeSet<String> = mesh.coupon.texts(rows).await.into_iter().collect();
    let told = got
        .iter()
        .map(|(coupon_id, claimed)| format!("{coupon_id} {}", claimed.owner));
    assert_eq!(kept, told.collect(), "what was told is what is kept");
    let owners: BTreeSet<Uuid> = got.values().map(|claimed| claimed.owner).collect();
    assert_eq!(owners.len(), STOCK, "one each");
    let left = "SELECT coalesce(sum(remaining), 0) FROM campaign_stock";
    assert_eq!(mesh.coupon.number(left).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_claim_ten_thousand_coupons_while_everything_is_killed() {
    let mut mesh = RealMesh::start_pairs(Timings::Standard).await;
    let campaign_id = mesh
        .campaign(i64::try_from(STOCK).unwrap(), won_off(5_000))
        .await;
    let mut instances = ["coupon-svc", "coupon-svc.2"].map(|name| mesh.take(name));
    let channels = instances.each_ref().map(|instance| {
        let endpoint = Endpoint::from_shared(instance.address()).unwrap();
        endpoint.connect_lazy()
    });
    let (claimed, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let claims = async {
        let people = (0..PEOPLE).map(|_| mesh.person(&[Role::User]));
        let claims = people.map(|person| claim(&channels, campaign_id, person, id::new()));
        let mut answers = Box::pin(stream::iter(claims).buffer_unordered(AT_ONCE));
        let (mut got, mut in_vain) = (BTreeMap::new(), 0);
        while let Some(answer) = answers.next().await {
            match answer {
                Some(answer) => {
                    let other = got.insert(answer.coupon_id, answer);
                    assert_eq!(other, None, "two answers, one coupon");
                    claimed.fetch_add(1, Ordering::Relaxed);
                }
                None => in_vain += 1,
            }
        }
        over.store(true, Ordering::Relaxed);
        (got, in_vain)
    };
    let faults = async {
        let mut struck: Vec<(Fault, usize)> = Vec::new();
        for fault in FAULTS.into_iter().cycle() {
            let before = claimed.load(Ordering::Relaxed);
            let wanted = before + BETWEEN;
            while claimed.load(Ordering::Relaxed) < wanted && !over.load(Ordering::Relaxed) {
                tokio::time::sleep(REPEAT).await;
                if claimed.load(Ordering::Relaxed) >= STOCK {
                    break;
                }
            }
            if over.load(Ordering::Relaxed) {
                break;
            }
            struck.push((fault, claimed.load(Ordering::Relaxed)));
            strike(fault, &mut instances).await;
        }
        struck
    };
    let ((got, in_vain), struck) = tokio::join!(claims, faults);
    let while_claimed = struck.iter().filter(|(_, claimed)| *claimed < STOCK);
    let kinds: BTreeSet<Fault> = while_claimed.map(|(fault, _)| *fault).collect();
    assert_eq!(
        kinds.len(),
        FAULTS.len(),
        "each fault met claims: {struck:?}"
    );
    assert_eq!((got.len(), in_vain), (STOCK, PEOPLE - STOCK));
    as_told(&mesh, &got).await;
    // Whoever asks again is told the same, whatever Redis lost meanwhile.
    let again = got.values().map(|claimed| {
        let person = Person::new(claimed.owner, &[Role::User], mesh.key()).unwrap();
        claim(&channels, campaign_id, person, claimed.request_id)
    });
    let again = stream::iter(again).buffer_unordered(AT_ONCE).collect();
    let again: Vec<Option<Claimed>> = again.await;
    let again = again.into_iter().flatten();
    let again: BTreeMap<Uuid, Claimed> =
        again.map(|claimed| (claimed.coupon_id, claimed)).collect();
    assert_eq!(again, got);
}
