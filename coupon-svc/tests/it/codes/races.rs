//! Many people with one code at once.

use std::convert::Infallible;

use coupon_svc::domain::code::Code;
use coupon_svc::store::codes::{Counting, take_use};
use futures_util::future::join_all;
use mesh::pg::{Connection, Database, DatabaseOptions, TxError};
use mesh::tasks::Tasks;
use proto::usher::coupon::v1 as pb;
use uuid::Uuid;

use super::{admin, generate, redeem, wanted, with_codes};
use crate::service::{Home, reason};

/// How many accounts come at once.
const PEOPLE: usize = 64;

/// Somebody redeems until the answer is final. Whether there was a coupon.
async fn redeem_at_last(instance: &crate::service::Instance, home: &Home, code: &str) -> bool {
    let (account_id, request_id) = (mesh::id::new(), mesh::id::new());
    loop {
        match redeem(instance, home, account_id, request_id, code).await {
            Ok(_) => return true,
            Err(status) => match reason(&status).as_str() {
                "CODE_NOT_VALID" => return false,
                "CLAIM_UNDECIDED" => {}
                other => panic!("{other}"),
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_64_gets_the_coupon_of_a_code_and_five_that_of_one_for_five() {
    let home = Home::new().await;
    let instances = join_all((0..2).map(|_| home.start())).await;
    for uses in [1, 5] {
        let campaign_id = instances[0].campaign(&home, with_codes(100)).await;
        let request = pb::GenerateCodesRequest {
            uses,
            ..wanted(campaign_id, 1)
        };
        let code = generate(&instances[0], &home, admin(), &request)
            .await
            .unwrap()
            .remove(0);
        let tries = (0..PEOPLE).map(|n| redeem_at_last(&instances[n % 2], &home, &code));
        let winners = join_all(tries).await.into_iter().filter(|won| *won).count();
        assert_eq!(u64::try_from(winners).unwrap(), uses);
        let stats = instances[1].stats(&home, campaign_id).await;
        assert_eq!((stats.issued, stats.remaining), (uses, Some(100 - uses)));
    }
    for instance in instances {
        instance.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_at_once_gets_the_same_coupon() {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id = instance.campaign(&home, with_codes(100)).await;
    let codes = generate(&instance, &home, admin(), &wanted(campaign_id, 8))
        .await
        .unwrap();
    for code in &codes {
        let (account_id, request_id) = (mesh::id::new(), mesh::id::new());
        let tries = (0..8).map(|_| redeem(&instance, &home, account_id, request_id, code));
        let got = join_all(tries)
            .await
            .into_iter()
            .map(|got| got.unwrap().coupon_id);
        let got: std::collections::BTreeSet<String> = got.collect();
        assert_eq!(got.len(), 1);
    }
    assert_eq!(instance.stats(&home, campaign_id).await.issued, 8);
    instance.stop().await;
}

/// How many of twelve transactions take a use of a code with one.
async fn take_twelve(counting: Counting) -> usize {
    let home = Home::new().await;
    let instance = home.start().await;
    let campaign_id: Uuid = instance.campaign(&home, with_codes(100)).await;
    let code = generate(&instance, &home, admin(), &wanted(campaign_id, 1))
        .await
        .unwrap();
    let hash = home.code_key.hash(&Code::read(&code[0]).unwrap());
    // Whoever writes is slow, so that the others read before it is there.
    home.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$; \
         CREATE TRIGGER slow BEFORE UPDATE ON code FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    )
    .await;
    let tasks = Tasks::new();
    let options = DatabaseOptions::new("test");
    let database = Database::connect(home.url(), &options, &tasks)
        .await
        .unwrap();
    let takes = (0..12).map(|_| {
        let work = async move |connection: &mut Connection| {
            Ok(take_use(connection, &hash, counting).await?)
        };
        database.transaction::<_, Infallible, _>("take", work)
    });
    let taken = join_all(takes)
        .await
        .into_iter()
        .filter(|taken| match taken {
            Ok(taken) => taken.is_some(),
            Err(TxError::LockTimeout | TxError::Busy) => false,
            Err(error) => panic!("{error}"),
        });
    let taken = taken.count();
    instance.stop().await;
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_used_once_and_by_read_and_write_more_often() {
    assert_eq!(take_twelve(Counting::ByCompareAndSet).await, 1);
    assert!(take_twelve(Counting::ByReadAndWrite).await > 1);
}
