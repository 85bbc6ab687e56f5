use mesh::identity::Role;
use proto::google::api::HttpBody;
use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::create_hall_request::Layout;

use super::{Stage, create_venue, hall, request_id, row};
use crate::service::{Person, Service, fields, reason};

const PLAN: &[u8] = include_bytes!("../../../../dev/catalogue/plan-300.json");

fn plan(data: &[u8]) -> pb::ImportSeatingPlanRequest {
    pb::ImportSeatingPlanRequest {
        request_id: request_id(),
        plan: Some(HttpBody {
            content_type: "application/json".to_owned(),
            data: data.to_vec(),
            extensions: Vec::new(),
        }),
    }
}

fn count(zone: &str, grade: &str, seats: u32, places: u32) -> pb::GradeCount {
    pb::GradeCount {
        zone: zone.to_owned(),
        grade: grade.to_owned(),
        seats,
        places,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_becomes_a_hall_of_its_seller() {
    let mut service = Service::start().await;
    let (seller, other) = (Person::new(Role::Seller), Person::new(Role::Seller));
    let venue_id = create_venue(&mut service, seller, "Seoul").await;
    let theirs = create_venue(&mut service, other, "Seoul").await;
    let mut client = service.client.clone();
    let body = plan(PLAN);
    let imported = client
        .import_seating_plan(service.call(seller, body.clone()))
        .await
        .unwrap()
        .into_inner();
    let again = client
        .import_seating_plan(service.call(seller, body))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(imported, again);
    assert_eq!(
        (
            imported.seat_count,
            imported.counts.len(),
            imported.warnings.len()
        ),
        (300, 4, 0)
    );

    let mut body = hall(&venue_id);
    body.layout = Some(Layout::PlanId(imported.plan_id.clone()));
    body.accessible_rows[0].row = "W".to_owned();
    let created = client
        .create_hall(service.call(seller, body.clone()))
        .await
        .unwrap()
        .into_inner()
        .hall
        .unwrap();
    let again = client
        .create_hall(service.call(seller, body.clone()))
        .await
        .unwrap()
        .into_inner()
        .hall
        .unwrap();
    assert_eq!(created, again);
    assert_eq!((created.unit_count, created.layout_rev), (301, 1));
    let expected = [
        count("Stalls", "VIP", 54, 0),
        count("Stalls", "R", 90, 0),
        count("Stalls", "S", 76, 0),
        count("Balcony", "A", 80, 0),
        count("Floor", "S", 0, 50),
    ];
    assert_eq!(created.counts, expected);
    let ords = "SELECT format('%s %s %s', min(ord), max(ord), count(*) FILTER (WHERE accessible)) AS t FROM hall_unit";
    assert_eq!(service.storage.lines(ords).await, ["0 300 4"]);

    let found = client
        .get_hall(service.call(
            None,
            pb::GetHallRequest {
                hall_id: created.hall_id.clone(),
            },
        ))
        .await;
    assert_eq!(found.unwrap().into_inner().hall.unwrap(), created);
    body.venue_id = theirs;
    let borrowed = client.create_hall(service.call(other, body)).await;
    assert_eq!(reason(borrowed), "NotFound PLAN_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hall_needs_its_sellers_venue_and_a_free_name() {
    let stage = Stage::new().await;
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let taken = client
        .create_hall(service.call(stage.seller, hall(&stage.venue_id)))
        .await;
    assert_eq!(reason(taken), "AlreadyExists HALL_NAME_TAKEN");
    let stranger = client
        .create_hall(service.call(Person::new(Role::Seller), hall(&stage.venue_id)))
        .await;
    assert_eq!(reason(stranger), "PermissionDenied NOT_YOUR_RESOURCE");
    let nowhere = client
        .create_hall(service.call(stage.seller, hall(&request_id())))
        .await;
    assert_eq!(reason(nowhere), "NotFound VENUE_NOT_FOUND");
    let unknown = client
        .get_hall(service.call(
            None,
            pb::GetHallRequest {
                hall_id: request_id(),
            },
        ))
        .await;
    assert_eq!(reason(unknown), "NotFound HALL_NOT_FOUND");
    let body = pb::ListHallsRequest {
        venue_id: request_id(),
        ..pb::ListHallsRequest::default()
    };
    assert_eq!(
        reason(client.list_halls(service.call(None, body)).await),
        "NotFound VENUE_NOT_FOUND"
    );
    let body = pb::ListHallsRequest {
        venue_id: stage.venue_id.clone(),
        ..pb::ListHallsRequest::default()
    };
    let page = client
        .list_halls(service.call(None, body))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((page.halls.len(), page.next_page_token.as_str()), (1, ""));
    assert_eq!(page.halls[0].hall_id, stage.hall_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_layout_is_told_and_nothing_is_kept() {
    let stage = Stage::new().await;
    let (service, mut client) = (&stage.service, stage.service.client.clone());
    let mut body = hall(&stage.venue_id);
    body.name = "Other".to_owned();
    let rows = vec![row("A", 0, "R"), row("B", 2, "")];
    body.layout = Some(Layout::RowLayout(pb::RowLayout { rows }));
    body.areas[0].capacity = 0;
    let refused = client.create_hall(service.call(stage.seller, body)).await;
    let expected = [
        "row_layout.rows[0].to",
        "row_layout.rows[1].grade",
        "accessible_rows[0]",
        "areas[0].capacity",
    ];
    assert_eq!(fields(refused), expected);

    let file = br#"{"name": "", "categories": [], "zones": [{"name": "Z", "position": {"x": 0}, "rows": 7}]}"#;
    let refused = client
        .import_seating_plan(service.call(stage.seller, plan(file)))
        .await;
    let refused = refused.map(|_| ());
    assert_eq!(
        fields(refused.clone()),
        ["name", "zones[0].position.y", "zones[0].rows"]
    );
    assert_eq!(reason(refused), "InvalidArgument SEATING_PLAN_INVALID");
    let kept = "SELECT format('%s %s', (SELECT count(*) FROM hall), (SELECT count(*) FROM seating_plan)) AS t";
    assert_eq!(service.storage.lines(kept).await, ["1 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_may_be_as_large_as_the_contract_says() {
    let service = Service::start().await;
    let (seller, mut client) = (Person::new(Role::Seller), service.client.clone());
    let padded = |mebibytes: usize| {
        let mut file = b"{\"background\": \"".to_vec();
        file.resize(mebibytes * 1024 * 1024 - 1024, b'x');
        file.extend(b"\",");
        file.extend(&PLAN[1..]);
        plan(&file)
    };
    let imported = client
        .import_seating_plan(service.call(seller, padded(31)))
        .await;
    assert_eq!(imported.unwrap().into_inner().seat_count, 300);
    let refused = client
        .import_seating_plan(service.call(seller, padded(32)))
        .await;
    // The size is refused as a whole, before any field is read.
    assert_eq!(fields(refused), [""]);
    let mut large = hall(&request_id());
    large.name = "x".repeat(2 * 1024 * 1024);
    let refused = client.create_hall(service.call(seller, large)).await;
    assert_eq!(fields(refused), [""], "other methods keep to 1 MiB");
}
