//! What bookings do with coupons: one booking has a coupon at a time, orders come twice and out of order, and nothing is lost.

use std::collections::BTreeMap;
use std::convert::Infallible;

use coupon_svc::app::reservations::{self, Refusal};
use coupon_svc::domain::reservation::Order;
use coupon_svc::store;
use coupon_svc::store::coupons::{self, CouponLock};
use futures_util::future::join_all;
use mesh::pg::{Connection, TxError};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use proto::usher::coupon::v1 as pb;
use tonic::Status;
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::service::{Home, Instance, fields, reason, settings};

/// What is ordered of a reservation, as bookings call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Reserve,
    Commit,
    Release,
    Restore,
}

pub(crate) const CALLS: [Call; 4] = [Call::Reserve, Call::Commit, Call::Release, Call::Restore];

/// Why a call or a command was refused.
#[derive(Debug)]
pub(crate) enum Refused {
    Call(Status),
    Command(Refusal),
}

impl Refused {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Call(status) => reason(status),
            Self::Command(refusal) => format!("{refusal:?}"),
        }
    }

    pub(crate) fn status(&self) -> &Status {
        match self {
            Self::Call(status) => status,
            Self::Command(refusal) => panic!("{refusal}"),
        }
    }
}

/// Reserves by a call; the rest as the consumer of commands does it, in a transaction.
pub(crate) async fn call(
    instance: &Instance,
    home: &Home,
    call: Call,
    (reservation_id, account_id): (Uuid, Uuid),
    coupons: &[Uuid],
) -> Result<(), Refused> {
    let order = match call {
        Call::Reserve => {
            let request = pb::ReserveCouponsRequest {
                request_id: reservation_id.to_string(),
                booking_id: reservation_id.to_string(),
                account_id: account_id.to_string(),
                coupon_ids: coupons.iter().map(Uuid::to_string).collect(),
            };
            let mut client = instance.reservations.clone();
            let answer = client.reserve_coupons(home.peer(request)).await;
            return answer.map(drop).map_err(Refused::Call);
        }
        Call::Commit => Order::Commit,
        Call::Release => Order::Release,
        Call::Restore => Order::Restore,
    };
    let returning = coupons.to_vec();
    let database = home.database().await;
    let work = async move |connection: &mut Connection| {
        // One booking for each reservation.
        let which = (reservation_id, reservation_id);
        reservations::order(connection, which.0, which.1, order, &returning).await
    };
    match database.transaction("order", work).await {
        Ok(()) => Ok(()),
        Err(TxError::Refused(refusal)) => Err(Refused::Command(refusal)),
        Err(error) => panic!("{error}"),
    }
}

/// A coupon of `account_id` that can be used for `uses` bookings.
pub(crate) async fn coupon(instance: &Instance, home: &Home, account_id: Uuid, uses: u32) -> Uuid {
    let settings = pb::CampaignSettings {
        uses_per_coupon: uses,
        ..settings(5)
    };
    let campaign_id = instance.campaign(home, settings).await;
    let claimed = instance.claim(home, campaign_id, account_id, mesh::id::new());
    claimed.await.unwrap().coupon_id.parse().unwrap()
}

pub(crate) async fn state(
    instance: &Instance,
    home: &Home,
    owner: Uuid,
    coupon_id: Uuid,
) -> pb::CouponState {
    let request = pb::GetCouponRequest {
        coupon_id: coupon_id.to_string(),
    };
    let request = home.by(owner, mesh::identity::Role::User, request);
    let answer = instance.coupons.clone().get_coupon(request).await.unwrap();
    answer.into_inner().coupon.unwrap().state()
}

/// Why coupons cannot be used, as it was told.
pub(crate) fn unusable(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let failures = details.precondition_failure().unwrap().violations.clone();
    failures.into_iter().map(|one| one.r#type).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_booking_of_sixteen_gets_the_coupon() {
    let home = Home::new().await;
    let instances = [home.start().await, home.start().await];
    let account = mesh::id::new();
    let only = coupon(&instances[0], &home, account, 1).await;
    let bookings: Vec<Uuid> = (0..16).map(|_| mesh::id::new()).collect();
    let wanted = [only];
    let calls = bookings.iter().enumerate().map(|(n, booking)| {
        let instance = &instances[n % 2];
        call(instance, &home, Call::Reserve, (*booking, account), &wanted)
    });
    let answers = join_all(calls).await;
    let refused: Vec<&Refused> = answers
        .iter()
        .filter_map(|one| one.as_ref().err())
        .collect();
    assert_eq!(refused.len(), 15);
    for status in refused.into_iter().map(Refused::status) {
        assert_eq!(
            (reason(status), unusable(status)),
            ("COUPONS_NOT_USABLE".to_owned(), vec!["RESERVED".to_owned()])
        );
    }
    let state = state(&instances[1], &home, account, only).await;
    assert_eq!(state, pb::CouponState::Reserved);
    for instance in instances {
        instance.stop().await;
    }
}

/// Calls that lead to each state of a reservation.
pub(crate) const WAYS: [&[Call]; 5] = [
    &[],
    &[Call::Reserve],
    &[Call::Reserve, Call::Commit],
    &[Call::Reserve, Call::Release],
    &[Call::Reserve, Call::Commit, Call::Restore],
];

#[tokio::test(flavor = "multi_thread")]
async fn each_order_in_each_state_does_what_the_table_says_and_twice_the_same() {
    use pb::CouponState::{Available, Reserved, Used};

    let home = Home::new().await;
    let instance = home.start().await;
    let (late, spent) = (Err("RESERVATION_RELEASED"), Err("RESERVATION_USED"));
    let (released, used) = (Err("Refused(Released)"), Err("Refused(Used)"));
    let unknown = Err("Refused(NotFound)");
    // By state, by call: the coupon afterwards, or the refusal.
    let table = [
        [Ok(Reserved), unknown, Ok(Available), unknown],
        [Ok(Reserved), Ok(Used), Ok(Available), Ok(Available)],
        [spent, Ok(Used), used, Ok(Available)],
        [late, released, Ok(Available), released],
        [spent, Ok(Available), used, Ok(Available)],
    ];
    for (way, row) in WAYS.iter().zip(table) {
        for (last, expected) in CALLS.into_iter().zip(row) {
            let account = mesh::id::new();
            let coupon_id = coupon(&instance, &home, account, 1).await;
            let who = (mesh::id::new(), account);
            for step in *way {
                call(&instance, &home, *step, who, &[coupon_id])
                    .await
                    .unwrap();
            }
            let before = state(&instance, &home, account, coupon_id).await;
            for _ in 0..2 {
                let answer = call(&instance, &home, last, who, &[coupon_id]).await;
                let after = state(&instance, &home, account, coupon_id).await;
                let answer = answer.map(|()| after).map_err(|refused| refused.name());
                let expected = expected.map_err(str::to_owned);
                assert_eq!(answer, expected, "{last:?} after {way:?}");
                if answer.is_err() {
                    assert_eq!(before, after, "{last:?} after {way:?}");
                }
            }
        }
    }
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_that_comes_after_its_release_is_refused() {
    let home = Home::new().await;
    let instance = home.start().await;
    let account = mesh::id::new();
    let coupon_id = coupon(&instance, &home, account, 1).await;
    let who = (mesh::id::new(), account);
    let call = async |what, who| call(&instance, &home, what, who, &[coupon_id]).await;
    call(Call::Release, who).await.unwrap();
    let late = call(Call::Reserve, who).await.unwrap_err();
    assert_eq!(late.name(), "RESERVATION_RELEASED");
    let other = (mesh::id::new(), account);
    call(Call::Reserve, other).await.unwrap();
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_takes_all_coupons_or_none_and_says_why() {
    let home = Home::new().await;
    let instance = home.start().await;
    let (account, somebody) = (mesh::id::new(), mesh::id::new());
    let mine = coupon(&instance, &home, account, 1).await;
    let foreign = coupon(&instance, &home, somebody, 1).await;
    let over = coupon(&instance, &home, account, 1).await;
    let early = coupon(&instance, &home, account, 1).await;
    let used = coupon(&instance, &home, account, 1).await;
    home.sql(&format!(
        "UPDATE coupon SET expire_time = now() - interval '1 second' WHERE coupon_id = '{over}';
         UPDATE coupon SET valid_from_time = now() + interval '1 hour' WHERE coupon_id = '{early}'"
    ))
    .await;
    let call = async |what, who, coupons: &[Uuid]| call(&instance, &home, what, who, coupons).await;
    let who = (mesh::id::new(), account);
    call(Call::Reserve, who, &[used]).await.unwrap();
    call(Call::Commit, who, &[]).await.unwrap();

    let who = (mesh::id::new(), account);
    let mut all = [mine, foreign, over, early, used];
    all.sort_unstable();
    let refused = call(Call::Reserve, who, &all).await.unwrap_err();
    let mut why = unusable(refused.status());
    why.sort_unstable();
    assert_eq!(why, ["EXPIRED", "NOT_YET_VALID", "UNKNOWN", "USED"]);
    let kept = state(&instance, &home, account, mine).await;
    assert_eq!(kept, pb::CouponState::Available);
    // The refusal left nothing, and the id is free.
    call(Call::Reserve, who, &[mine]).await.unwrap();
    let other = call(Call::Reserve, who, &[mine, early]).await.unwrap_err();
    assert_eq!(other.name(), "REQUEST_ID_REUSED");

    let empty = pb::ReserveCouponsRequest::default();
    let refused = instance.reservations.clone();
    let refused = refused.clone().reserve_coupons(home.peer(empty)).await;
    assert_eq!(
        fields(&refused.unwrap_err()),
        ["request_id", "booking_id", "account_id", "coupon_ids"]
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_late_can_be_used_for_a_week_and_what_is_left_stays_used() {
    let home = Home::new().await;
    let instance = home.start().await;
    home.listen().await;
    let account = mesh::id::new();
    let first = coupon(&instance, &home, account, 1).await;
    let second = coupon(&instance, &home, account, 1).await;
    let who = (mesh::id::new(), account);
    let call = async |what, coupons: &[Uuid]| call(&instance, &home, what, who, coupons).await;
    call(Call::Reserve, &[first, second]).await.unwrap();
    // The time is not looked at again: whoever reserved in time has it.
    home.sql("UPDATE coupon SET expire_time = now() - interval '1 day'")
        .await;
    call(Call::Commit, &[]).await.unwrap();
    assert_eq!(home.told("CouponUsed").await, (2, 2));

    for _ in 0..2 {
        call(Call::Restore, &[first]).await.unwrap();
    }
    assert_eq!(home.told("CouponRestored").await, (1, 1));
    let states = async || {
        (
            state(&instance, &home, account, first).await,
            state(&instance, &home, account, second).await,
        )
    };
    assert_eq!(
        states().await,
        (pb::CouponState::Available, pb::CouponState::Used)
    );
    let week = format!(
        "SELECT count(*) AS n FROM coupon WHERE coupon_id = '{first}' AND expire_time - now() BETWEEN interval '6 days 23 hours' AND interval '7 days'"
    );
    assert_eq!(home.number(&week).await, 1);
    call(Call::Restore, &[first, second]).await.unwrap();
    assert_eq!(
        states().await,
        (pb::CouponState::Available, pb::CouponState::Available)
    );
    assert_eq!(home.told("CouponRestored").await, (2, 2));
    instance.stop().await;
}

/// What is wrong with reservations and coupons, as the tables tell it: nothing.
pub(crate) const CONTRADICTIONS: &str = "
    SELECT count(*) AS n FROM coupon c
    LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE r.held) AS held,
        count(*) FILTER (WHERE NOT r.held AND NOT r.restored AND v.state = 'USED') AS used
        FROM reservation_coupon r JOIN reservation v USING (reservation_id) WHERE r.coupon_id = c.coupon_id) t ON true
    WHERE c.uses <> t.used OR (c.state = 'RESERVED') <> (t.held = 1) OR (c.state <> 'REVOKED' AND (c.state = 'USED') <> (c.uses = c.uses_max))
        OR (c.state = 'AVAILABLE' AND c.revoke_time IS NOT NULL) OR (c.state = 'REVOKED' AND c.revoke_time IS NULL)";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_in_whatever_order_uses_and_holders_add_up() {
    let home = Home::new().await;
    let instances = [home.start().await, home.start().await];
    let account = mesh::id::new();
    let mut coupons = Vec::new();
    for uses in [1, 2, 3] {
        coupons.push(coupon(&instances[0], &home, account, uses).await);
    }
    let bookings: Vec<Uuid> = (0..8).map(|_| mesh::id::new()).collect();
    let what = prop_oneof![
        3 => Just(Call::Reserve),
        2 => Just(Call::Commit),
        1 => Just(Call::Release),
        2 => Just(Call::Restore)
    ];
    let one = (what, 0..bookings.len(), 0..coupons.len(), any::<bool>());
    let waves = proptest::collection::vec(proptest::collection::vec(one, 6), 60);
    let waves = waves.new_tree(&mut TestRunner::deterministic()).unwrap();
    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    for wave in waves.current() {
        let calls = wave.iter().map(|(what, booking, coupon, instance)| {
            let who = (bookings[*booking], account);
            let instance = &instances[usize::from(*instance)];
            call(instance, &home, *what, who, &coupons[*coupon..=*coupon])
        });
        for ((what, ..), answer) in wave.iter().zip(join_all(calls).await) {
            let outcome = answer.map_or_else(|refused| refused.name(), |()| "done".to_owned());
            *done.entry(format!("{what:?} {outcome}")).or_default() += 1;
        }
        assert_eq!(home.number(CONTRADICTIONS).await, 0, "{wave:?}");
    }
    for way in [
        "Reserve done",
        "Commit done",
        "Release done",
        "Restore done",
    ] {
        assert!(done.contains_key(way), "{done:?}");
    }
    home.sql("UPDATE coupon SET uses = 1, uses_max = 5, state = 'AVAILABLE'")
        .await;
    assert!(
        home.number(CONTRADICTIONS).await > 0,
        "the sum sees a coupon that was used by nobody"
    );
    for instance in instances {
        instance.stop().await;
    }
}

/// Eight bookings reserve one coupon at once, with lock and index as the arguments say. Answers how many have it, and how many the index
/// refused.
async fn reserve_eight_times(lock: CouponLock, index: bool) -> (usize, usize) {
    let home = Home::new().await;
    let instance = home.start().await;
    let account = mesh::id::new();
    let only = coupon(&instance, &home, account, 1).await;
    if !index {
        home.sql("DROP INDEX reservation_coupon_one_holder").await;
    }
    // Whoever holds is slow, so that the others look before it is done.
    home.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$; \
         CREATE TRIGGER slow BEFORE INSERT ON reservation_coupon FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    )
    .await;
    let database = home.database().await;
    let holders = (0..8).map(|_| {
        let work = async move |connection: &mut Connection| {
            let reservation_id = mesh::id::new();
            let sql = format!(
                "INSERT INTO reservation VALUES ('{reservation_id}', '{reservation_id}', '{account}', 'RESERVED')"
            );
            diesel_async::SimpleAsyncConnection::batch_execute(connection, &sql).await?;
            let found = coupons::lock(connection, &[only], lock).await?;
            let free = found[&only].kept == coupon_svc::domain::coupon::Kept::Available;
            if free {
                store::reservations::hold(connection, reservation_id, &[only]).await?;
            }
            Ok(free)
        };
        database.transaction::<_, Infallible, _>("hold", work)
    });
    let (mut held, mut refused) = (0, 0);
    for outcome in join_all(holders).await {
        match outcome {
            Ok(free) => held += usize::from(free),
            Err(error @ TxError::Database(_)) => {
                let wall = Some("reservation_coupon_one_holder");
                assert_eq!(error.constraint(), wall);
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    instance.stop().await;
    (held, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_eight_has_the_coupon_and_without_lock_and_index_more_have_it() {
    assert_eq!(reserve_eight_times(CouponLock::On, true).await, (1, 0));
    assert_eq!(reserve_eight_times(CouponLock::On, false).await, (1, 0));
    let (held, refused) = reserve_eight_times(CouponLock::Off, true).await;
    assert!(held == 1 && refused > 0, "{held} held, {refused} refused");
    let (held, _) = reserve_eight_times(CouponLock::Off, false).await;
    assert!(held > 1, "{held} held");
}
