use mesh::identity::Role;
use proto::usher::booking::v1 as pb;
use tonic::Code;

use super::{create_venue, request_id, venue};
use crate::service::{Person, Service, fields, reason};

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_is_created_once_however_often_it_is_asked_for() {
    let service = Service::start().await;
    let (seller, mut client) = (Person::new(Role::Seller), service.client.clone());
    let body = venue("Seoul");
    let first = client
        .create_venue(service.call(seller, body.clone()))
        .await
        .unwrap()
        .into_inner();
    let again = client
        .create_venue(service.call(seller, body.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again);
    let created = first.venue.unwrap();
    assert_eq!(
        (created.seller_id, created.city.as_str()),
        (seller.account_id.to_string(), "Seoul")
    );

    let mut other = body.clone();
    other.name = "Another".to_owned();
    let refused = client.create_venue(service.call(seller, other)).await;
    assert_eq!(reason(refused), "InvalidArgument REQUEST_ID_REUSED");
    // The same id of somebody else is another request.
    let somebody = Person::new(Role::Seller);
    let theirs = client
        .create_venue(service.call(somebody, body))
        .await
        .unwrap()
        .into_inner();
    assert_ne!(theirs.venue.unwrap().venue_id, created.venue_id);

    let venue_id = created.venue_id.clone();
    let found = client
        .get_venue(service.call(None, pb::GetVenueRequest { venue_id }))
        .await
        .unwrap();
    assert_eq!(found.into_inner().venue.unwrap().venue_id, created.venue_id);
    let venue_id = request_id();
    let unknown = client
        .get_venue(service.call(None, pb::GetVenueRequest { venue_id }))
        .await;
    assert_eq!(reason(unknown), "NotFound VENUE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_request_that_race_have_one_effect() {
    let service = Service::start().await;
    let (seller, body) = (Person::new(Role::Seller), venue("Seoul"));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (mut client, request) = (service.client.clone(), service.call(seller, body.clone()));
        calls.spawn(async move { client.create_venue(request).await });
    }
    let mut ids = std::collections::BTreeSet::new();
    for answer in calls.join_all().await {
        match answer {
            Ok(created) => {
                ids.insert(created.into_inner().venue.unwrap().venue_id);
            }
            Err(status) => {
                assert_eq!(status.code(), Code::Aborted);
                assert_eq!(reason(Err::<(), _>(status)), "Aborted REQUEST_IN_PROGRESS");
            }
        }
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(
        service
            .storage
            .lines("SELECT count(*)::text AS t FROM venue")
            .await,
        ["1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_sellers_create_and_all_that_is_wrong_is_told() {
    let service = Service::start().await;
    let mut client = service.client.clone();
    let nobody = client
        .create_venue(service.call(None, venue("Seoul")))
        .await;
    assert_eq!(reason(nobody), "Unauthenticated TOKEN_MISSING");
    let buyer = client
        .create_venue(service.call(Person::new(Role::User), venue("Seoul")))
        .await;
    assert_eq!(reason(buyer), "PermissionDenied ROLE_REQUIRED");
    let wrong = pb::CreateVenueRequest {
        request_id: "1".to_owned(),
        address: "x".repeat(201),
        ..pb::CreateVenueRequest::default()
    };
    let refused = client
        .create_venue(service.call(Person::new(Role::Seller), wrong))
        .await;
    let expected = [
        "request_id",
        "name",
        "address",
        "city",
        "country_code",
        "time_zone",
    ];
    assert_eq!(fields(refused), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_are_listed_newest_first_and_page_by_page() {
    let mut service = Service::start().await;
    let (one, two) = (Person::new(Role::Seller), Person::new(Role::Seller));
    let mut seoul = Vec::new();
    for index in 0..5 {
        let seller = if index == 0 { two } else { one };
        seoul.insert(0, create_venue(&mut service, seller, "Seoul").await);
    }
    create_venue(&mut service, one, "Busan").await;
    let mut client = service.client.clone();
    let asked = |city: &str, token: &str| pb::ListVenuesRequest {
        city: city.to_owned(),
        page_size: 2,
        page_token: token.to_owned(),
        ..pb::ListVenuesRequest::default()
    };
    let (mut seen, mut token, mut sizes) = (Vec::new(), String::new(), Vec::new());
    loop {
        let page = client
            .list_venues(service.call(None, asked("Seoul", &token)))
            .await
            .unwrap()
            .into_inner();
        sizes.push(page.venues.len());
        seen.extend(page.venues.into_iter().map(|venue| venue.venue_id));
        if page.next_page_token.is_empty() {
            break;
        }
        let other = client
            .list_venues(service.call(None, asked("Busan", &page.next_page_token)))
            .await;
        assert_eq!(fields(other), ["page_token"]);
        token = page.next_page_token;
    }
    assert_eq!((seen, sizes), (seoul.clone(), vec![2, 2, 1]));
    let body = pb::ListVenuesRequest {
        seller_id: two.account_id.to_string(),
        ..pb::ListVenuesRequest::default()
    };
    let page = client
        .list_venues(service.call(None, body))
        .await
        .unwrap()
        .into_inner();
    let ids: Vec<_> = page
        .venues
        .into_iter()
        .map(|venue| venue.venue_id)
        .collect();
    assert_eq!(ids, [seoul[4].clone()]);
}
