use std::collections::BTreeSet;

use futures_util::future::join_all;
use mesh::identity::Role;
use proto::usher::booking::events::v1::{InventoryChanged, InventoryLevel};
use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::create_hall_request::Layout;

use super::{Stage, create_venue, day, hall, performance, price, request_id, row, show};
use crate::service::{Person, fields, reason};

#[tokio::test(flavor = "multi_thread")]
async fn a_performance_opens_its_inventory_once() {
    let stage = Stage::new().await;
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let body = performance(&stage.show_id, &stage.hall_id, 30);
    let created = client
        .create_performance(service.call(stage.seller, body.clone()))
        .await
        .unwrap();
    let again = client
        .create_performance(service.call(stage.seller, body))
        .await
        .unwrap();
    let created = created.into_inner().performance.unwrap();
    assert_eq!(again.into_inner().performance.unwrap(), created);
    assert_eq!((created.start_time, created.end_time), (day(30), day(31)));
    assert_eq!(
        created.prices,
        [price("R", 150_000, "KRW"), price("S", 90_000, "KRW")]
    );
    assert!(created.counts.is_empty());
    let units = "SELECT format('%s %s %s %s %s', ord, grade, exclusive, capacity, held + sold + blocked + overbook) AS t FROM inv_unit ORDER BY ord";
    let expected = [
        "0 R t 1 0",
        "1 R t 1 0",
        "2 R t 1 0",
        "3 S t 1 0",
        "4 S t 1 0",
        "5 S f 50 0",
    ];
    assert_eq!(service.storage.lines(units).await, expected);
    service.storage.sql("UPDATE inv_unit SET held = 1 WHERE ord = 0; UPDATE inv_unit SET sold = 20, held = 5, blocked = 10 WHERE ord = 5").await;

    let performance_id = created.performance_id;
    let found = client
        .get_performance(service.call(stage.seller, pb::GetPerformanceRequest { performance_id }))
        .await;
    let count = |grade: &str, total, available, held, sold| pb::GradeAvailability {
        grade: grade.to_owned(),
        total,
        available,
        held,
        sold,
    };
    let expected = [count("R", 3, 2, 1, 0), count("S", 52, 17, 5, 20)];
    assert_eq!(
        found.unwrap().into_inner().performance.unwrap().counts,
        expected
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_fit_the_hall_and_the_show() {
    let stage = Stage::new().await;
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let mut refusals = Vec::new();
    for prices in [
        vec![price("R", 1, "KRW")],
        vec![
            price("R", 1, "KRW"),
            price("S", 1, "KRW"),
            price("T", 1, "KRW"),
        ],
        vec![
            price("R", 1, "KRW"),
            price("S", 1, "KRW"),
            price("S", 1, "KRW"),
        ],
        vec![price("R", -1, "KRW"), price("S", 1_000_000_000_001, "KRW")],
        vec![
            price("R", 1, "won"),
            pb::GradePrice {
                grade: "S".to_owned(),
                price: None,
            },
        ],
    ] {
        let mut body = performance(&stage.show_id, &stage.hall_id, 30);
        body.prices = prices;
        refusals.push(
            fields(
                client
                    .create_performance(service.call(stage.seller, body))
                    .await,
            )
            .join(" "),
        );
    }
    let expected = [
        "prices",
        "prices[2].grade",
        "prices[2].grade",
        "prices[0].price.minor_units prices[1].price.minor_units",
        "prices[0].price.currency prices[1].price",
    ];
    assert_eq!(refusals, expected);
    let mut body = performance(&stage.show_id, &stage.hall_id, 30);
    body.prices[1] = price("S", 1, "EUR");
    let refused = client
        .create_performance(service.call(stage.seller, body))
        .await;
    assert_eq!(reason(refused), "InvalidArgument CURRENCY_MISMATCH");
    let mut body = performance("x", "y", 30);
    body.end_time = None;
    let refused = client
        .create_performance(service.call(stage.seller, body))
        .await;
    assert_eq!(fields(refused), ["show_id", "hall_id", "end_time"]);
    assert_eq!(
        service
            .storage
            .lines("SELECT count(*)::text AS t FROM inv_pool")
            .await,
        ["0"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn show_and_hall_have_to_be_the_callers() {
    let mut stage = Stage::new().await;
    let other = Person::new(Role::Seller);
    let venue_id = create_venue(&mut stage.service, other, "Seoul").await;
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let created = client
        .create_hall(service.call(other, hall(&venue_id)))
        .await;
    let their_hall = created.unwrap().into_inner().hall.unwrap().hall_id;
    let created = client.create_show(service.call(other, show())).await;
    let their_show = created.unwrap().into_inner().show.unwrap().show_id;
    let unknown = request_id();
    for (show_id, hall_id, expected) in [
        (
            &their_show,
            &stage.hall_id,
            "PermissionDenied NOT_YOUR_RESOURCE",
        ),
        (
            &stage.show_id,
            &their_hall,
            "PermissionDenied NOT_YOUR_RESOURCE",
        ),
        (&unknown, &stage.hall_id, "NotFound SHOW_NOT_FOUND"),
        (&stage.show_id, &unknown, "NotFound HALL_NOT_FOUND"),
    ] {
        let body = performance(show_id, hall_id, 30);
        assert_eq!(
            reason(
                client
                    .create_performance(service.call(stage.seller, body))
                    .await
            ),
            expected
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timetable_is_listed_by_start() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for start in [50, 30, 40, 40, 45] {
        ids.push(stage.play(start).await.performance_id);
    }
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let expected = [&ids[1], &ids[2], &ids[3], &ids[4], &ids[0]];
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let body = pb::ListPerformancesRequest {
            show_id: stage.show_id.clone(),
            page_size: 2,
            page_token: token,
            ..pb::ListPerformancesRequest::default()
        };
        let page = client
            .list_performances(service.call(stage.seller, body))
            .await
            .unwrap()
            .into_inner();
        assert!(
            page.performances
                .iter()
                .all(|found| found.prices.len() == 2)
        );
        seen.extend(
            page.performances
                .into_iter()
                .map(|found| found.performance_id),
        );
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.iter().collect::<Vec<_>>(), expected);
    let body = pb::ListPerformancesRequest {
        show_id: stage.show_id.clone(),
        start_time_after: day(40),
        ..pb::ListPerformancesRequest::default()
    };
    let page = client
        .list_performances(service.call(stage.seller, body))
        .await
        .unwrap()
        .into_inner();
    let later: Vec<_> = page
        .performances
        .iter()
        .map(|found| &found.performance_id)
        .collect();
    assert_eq!(later, [&ids[4], &ids[0]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_hall_opens_within_its_deadlines() {
    let stage = Stage::new().await;
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let mut body = hall(&stage.venue_id);
    body.name = "Stadium".to_owned();
    let rows = (0..100)
        .map(|index| row(&format!("B{index}"), 1_000, "R"))
        .collect();
    body.layout = Some(Layout::RowLayout(pb::RowLayout { rows }));
    body.areas.clear();
    body.accessible_rows.clear();
    let created = client
        .create_hall(service.call(stage.seller, body))
        .await
        .unwrap()
        .into_inner()
        .hall
        .unwrap();
    assert_eq!(created.unit_count, 100_000);
    let mut body = performance(&stage.show_id, &created.hall_id, 30);
    body.prices.truncate(1);
    let created = client
        .create_performance(service.call(stage.seller, body))
        .await;
    let performance_id = created
        .unwrap()
        .into_inner()
        .performance
        .unwrap()
        .performance_id;
    let found = client
        .get_performance(service.call(stage.seller, pb::GetPerformanceRequest { performance_id }))
        .await;
    assert_eq!(
        found.unwrap().into_inner().performance.unwrap().counts[0].available,
        100_000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pool_is_told_once_with_the_number_of_pools_there_are() {
    let stage = Stage::new().await;
    let service = &stage.service;
    let made = (0..8).map(|number| {
        let mut client = service.client.clone();
        let body = performance(&stage.show_id, &stage.hall_id, 30 + number);
        async move {
            let call = || service.call(stage.seller, body.clone());
            let first = client.create_performance(call()).await.unwrap();
            let again = client.create_performance(call()).await.unwrap();
            let (first, again) = (first.into_inner(), again.into_inner());
            assert_eq!(first, again);
            first.performance.unwrap().pool_id
        }
    });
    let pools: BTreeSet<String> = join_all(made).await.into_iter().collect();
    let told = service.storage.told::<InventoryChanged>().await;
    let levels: Vec<InventoryLevel> = told.into_iter().filter_map(|told| told.level).collect();
    let mut counts = Vec::new();
    for level in &levels {
        assert_eq!(level.show_id, stage.show_id);
        let seen = (level.version, level.room, level.sold, level.sales);
        assert_eq!(seen, (0, 55, 0, 0));
        counts.push(level.pools);
    }
    let told: BTreeSet<String> = levels.into_iter().map(|level| level.pool_id).collect();
    assert_eq!(told, pools);
    counts.sort_unstable();
    assert_eq!(
        counts,
        [1, 2, 3, 4, 5, 6, 7, 8],
        "each knows those before it"
    );
}
