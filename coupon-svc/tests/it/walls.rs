//! What stands behind the claims: without each wall more is issued than there is, and with it nothing is.

use std::convert::Infallible;

use coupon_svc::store::stock::{PartLock, lay_out, take};
use futures_util::future::join_all;
use mesh::config::Secret;
use mesh::pg::{Connection, Database, DatabaseOptions, TxError};
use mesh::tasks::Tasks;
use uuid::Uuid;

use crate::service::{Home, settings};

/// Whoever writes here is slow, so that the others read before it is there.
fn slow(event: &str) -> String {
    format!(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$; \
         CREATE TRIGGER slow {event} FOR EACH STATEMENT EXECUTE FUNCTION slow()"
    )
}

/// One account claims at four instances in one moment, which no gate holds back. Answers how many coupons it has of a campaign that gives one.
async fn claim_four_times(unique: bool) -> i64 {
    let home = Home::new().await;
    // Nobody listens there.
    let nowhere = Secret::new("redis://127.0.0.1:1");
    let instances = join_all((0..4).map(|_| home.start_on(&nowhere))).await;
    let campaign_id = instances[0].campaign(&home, settings(100)).await;
    home.sql(&slow("BEFORE INSERT ON coupon")).await;
    if !unique {
        let wall = "ALTER TABLE coupon DROP CONSTRAINT coupon_owner";
        home.sql(wall).await;
    }
    let account = mesh::id::new();
    let claims = instances
        .iter()
        .map(|instance| instance.claim(&home, campaign_id, account, mesh::id::new()));
    let got = join_all(claims).await.into_iter().flatten().count();
    let kept = home.number("SELECT count(*) AS n FROM coupon").await;
    assert_eq!(
        i64::try_from(got).unwrap(),
        kept,
        "whoever is told has it, and the other way round"
    );
    for instance in instances {
        instance.stop().await;
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_has_one_coupon_and_without_the_wall_it_has_more() {
    assert_eq!(claim_four_times(true).await, 1);
    assert!(claim_four_times(false).await > 1);
}

/// Twelve transactions take one coupon each of a campaign of five, with the lock and the CHECK as the arguments say. Answers how many were
/// taken, and how many transactions a constraint refused.
async fn take_twelve(lock: PartLock, check: bool) -> (usize, usize) {
    let home = Home::new().await;
    let instance = home.start().await;
    let admin = (mesh::id::new(), mesh::identity::Role::Admin);
    let campaign = instance.create(&home, admin, settings(5)).await.unwrap();
    let campaign_id: Uuid = campaign.campaign_id.parse().unwrap();
    lay_out(&mut home.connection().await, campaign_id, 5)
        .await
        .unwrap();
    if !check {
        home.sql("ALTER TABLE campaign_stock DROP CONSTRAINT campaign_stock_remaining")
            .await;
    }
    home.sql(&slow("BEFORE UPDATE ON campaign_stock")).await;
    let tasks = Tasks::new();
    let options = DatabaseOptions::new("test");
    let database = Database::connect(home.url(), &options, &tasks).await;
    let database = database.unwrap();
    let takes = (0..12).map(|_| {
        let work = async move |connection: &mut Connection| {
            Ok(take(connection, campaign_id, 0, 1, lock).await?)
        };
        database.transaction::<_, Infallible, _>("take", work)
    });
    let (mut taken, mut refused) = (0, 0);
    for outcome in join_all(takes).await {
        match outcome {
            Ok((count, _)) => taken += count,
            Err(error @ TxError::Database(_)) => {
                assert_eq!(error.constraint(), Some("campaign_stock_remaining"));
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    instance.stop().await;
    (taken, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn five_coupons_are_five_and_without_lock_and_check_they_are_more() {
    assert_eq!(take_twelve(PartLock::On, true).await, (5, 0));
    let (taken, refused) = take_twelve(PartLock::Off, true).await;
    assert!(
        taken <= 5 && refused > 0,
        "{taken} taken, {refused} refused"
    );
    let (taken, _) = take_twelve(PartLock::Off, false).await;
    assert!(taken > 5, "{taken} taken");
}
