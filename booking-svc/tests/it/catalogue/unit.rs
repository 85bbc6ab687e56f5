use proto::usher::booking::v1 as pb;

use super::{Stage, request_id};
use crate::service::{fields, reason};

fn all(pool_id: &str) -> pb::ListUnitsRequest {
    pb::ListUnitsRequest {
        pool_id: pool_id.to_owned(),
        ..pb::ListUnitsRequest::default()
    }
}

/// A pool with units in every state.
async fn half_sold() -> (Stage, String) {
    let stage = Stage::new().await;
    let pool_id = stage.play(30).await.pool_id;
    let counters = "UPDATE inv_unit SET held = 1 WHERE ord = 1; UPDATE inv_unit SET sold = 1 WHERE ord = 2;
        UPDATE inv_unit SET blocked = 1 WHERE ord = 3; UPDATE inv_unit SET held = 20, sold = 29 WHERE ord = 5";
    stage.service.storage.sql(counters).await;
    (stage, pool_id)
}

fn line(unit: &pb::Unit) -> String {
    let price = unit.price.as_ref().unwrap().minor_units;
    let state = unit.state().as_str_name().trim_start_matches("UNIT_STATE_");
    let seat = format!("{} {}/{}/{}", unit.ord, unit.zone, unit.row, unit.number);
    format!(
        "{seat} {} {price} {state} {} {}",
        unit.grade, unit.available, unit.accessible
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn units_show_their_seat_their_price_and_what_is_left() {
    let (stage, pool_id) = half_sold().await;
    let page = stage
        .service
        .units(stage.seller, all(&pool_id))
        .await
        .unwrap();
    let seen: Vec<_> = page.units.iter().map(line).collect();
    let expected = [
        "0 Stalls/A/1 R 150000 AVAILABLE 1 false",
        "1 Stalls/A/2 R 150000 HELD_OUT 0 false",
        "2 Stalls/A/3 R 150000 SOLD_OUT 0 false",
        "3 Stalls/B/1 S 90000 SOLD_OUT 0 true",
        "4 Stalls/B/2 S 90000 AVAILABLE 1 true",
        "5 Floor//Pit S 90000 AVAILABLE 1 false",
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        (page.units[0].seat_guid.as_str(), page.units[0].kind()),
        ("Stalls / A / 1", pb::UnitKind::Seat)
    );
    assert_eq!(
        (page.units[5].seat_guid.as_str(), page.units[5].kind()),
        ("", pb::UnitKind::Area)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_found_by_zone_grade_and_state() {
    let (stage, pool_id) = half_sold().await;
    let by = |set: &dyn Fn(&mut pb::ListUnitsRequest)| {
        let mut body = all(&pool_id);
        set(&mut body);
        body
    };
    for (body, expected) in [
        (
            by(&|body| body.set_state(pb::UnitState::Available)),
            vec![0, 4, 5],
        ),
        (by(&|body| body.set_state(pb::UnitState::HeldOut)), vec![1]),
        (
            by(&|body| body.set_state(pb::UnitState::SoldOut)),
            vec![2, 3],
        ),
        (by(&|body| body.zone = "Floor".to_owned()), vec![5]),
        (by(&|body| body.grade = "S".to_owned()), vec![3, 4, 5]),
        (by(&|body| body.grade = "none".to_owned()), vec![]),
    ] {
        let page = stage
            .service
            .units(stage.seller, body.clone())
            .await
            .unwrap();
        let ords: Vec<_> = page.units.iter().map(|unit| unit.ord).collect();
        assert_eq!(ords, expected, "{body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn units_come_page_by_page() {
    let stage = Stage::new().await;
    let pool_id = stage.play(30).await.pool_id;
    let (mut ords, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let body = pb::ListUnitsRequest {
            pool_id: pool_id.clone(),
            page_size: 4,
            page_token: token,
            ..pb::ListUnitsRequest::default()
        };
        let page = stage
            .service
            .units(stage.seller, body.clone())
            .await
            .unwrap();
        ords.extend(page.units.iter().map(|unit| unit.ord));
        pages += 1;
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        let grade = "R".to_owned();
        let page_token = token.clone();
        let other = pb::ListUnitsRequest {
            grade,
            page_token,
            ..body
        };
        assert_eq!(
            fields(stage.service.units(stage.seller, other).await),
            ["page_token"]
        );
    }
    assert_eq!((ords, pages), ((0..6).collect::<Vec<_>>(), 2));
    let body = pb::ListUnitsRequest {
        pool_id: request_id(),
        ..pb::ListUnitsRequest::default()
    };
    assert_eq!(
        reason(stage.service.units(stage.seller, body).await),
        "NotFound POOL_NOT_FOUND"
    );
}
