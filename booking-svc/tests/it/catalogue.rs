//! The catalogue over the wire.

use mesh::id;
use mesh::identity::Role;
use prost_types::Timestamp;
use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::create_hall_request::Layout;
use proto::usher::r#type::v1::Money;

use crate::service::{Person, Service};

mod gate;
mod hall;
mod performance;
mod show;
mod unit;
mod venue;

fn request_id() -> String {
    id::new().to_string()
}

/// Days after 2026-01-01.
fn day(days: i64) -> Option<Timestamp> {
    let seconds = 1_767_225_600 + days * 86_400;
    Some(Timestamp { seconds, nanos: 0 })
}

fn venue(city: &str) -> pb::CreateVenueRequest {
    pb::CreateVenueRequest {
        request_id: request_id(),
        name: "Opera".to_owned(),
        address: "1 Main Street".to_owned(),
        city: city.to_owned(),
        country_code: "KR".to_owned(),
        time_zone: "Asia/Seoul".to_owned(),
    }
}

fn row(row: &str, to: u32, grade: &str) -> pb::RowRange {
    pb::RowRange {
        zone: "Stalls".to_owned(),
        row: row.to_owned(),
        from: 1,
        to,
        grade: grade.to_owned(),
    }
}

/// Five seats in two rows and a pit for 50.
fn hall(venue_id: &str) -> pb::CreateHallRequest {
    let rows = vec![row("A", 3, "R"), row("B", 2, "S")];
    pb::CreateHallRequest {
        request_id: request_id(),
        venue_id: venue_id.to_owned(),
        name: "Main".to_owned(),
        layout: Some(Layout::RowLayout(pb::RowLayout { rows })),
        areas: vec![pb::AreaSpec {
            name: "Pit".to_owned(),
            zone: "Floor".to_owned(),
            grade: "S".to_owned(),
            capacity: 50,
        }],
        accessible_rows: vec![pb::RowRef {
            zone: "Stalls".to_owned(),
            row: "B".to_owned(),
        }],
    }
}

fn show() -> pb::CreateShowRequest {
    pb::CreateShowRequest {
        request_id: request_id(),
        title: "Hamlet".to_owned(),
        cast_names: vec!["A".to_owned(), "B".to_owned()],
        category: "play".to_owned(),
        age_rating: "12+".to_owned(),
        description: "one\ntwo".to_owned(),
        currency: "KRW".to_owned(),
        sale_open_time: day(0),
        sale_close_time: day(60),
        units_per_buyer_max: 4,
        hold_ttl: None,
        queue_required: false,
        browse_gated: false,
    }
}

fn price(grade: &str, minor_units: i64, currency: &str) -> pb::GradePrice {
    let currency = currency.to_owned();
    pb::GradePrice {
        grade: grade.to_owned(),
        price: Some(Money {
            minor_units,
            currency,
        }),
    }
}

fn performance(show_id: &str, hall_id: &str, start: i64) -> pb::CreatePerformanceRequest {
    pb::CreatePerformanceRequest {
        request_id: request_id(),
        show_id: show_id.to_owned(),
        hall_id: hall_id.to_owned(),
        start_time: day(start),
        end_time: day(start + 1),
        prices: vec![price("R", 150_000, "KRW"), price("S", 90_000, "KRW")],
    }
}

/// A seller with a venue, a hall and a draft.
struct Stage {
    service: Service,
    seller: Person,
    venue_id: String,
    hall_id: String,
    show_id: String,
}

impl Stage {
    async fn new() -> Self {
        Self::with(Service::start().await, show()).await
    }

    async fn with(mut service: Service, show: pb::CreateShowRequest) -> Self {
        let seller = Person::new(Role::Seller);
        let venue_id = create_venue(&mut service, seller, "Seoul").await;
        let created = service
            .client
            .clone()
            .create_hall(service.call(seller, hall(&venue_id)))
            .await;
        let hall_id = created.unwrap().into_inner().hall.unwrap().hall_id;
        let created = service
            .client
            .clone()
            .create_show(service.call(seller, show))
            .await;
        let show_id = created.unwrap().into_inner().show.unwrap().show_id;
        Self {
            service,
            seller,
            venue_id,
            hall_id,
            show_id,
        }
    }

    async fn play(&self, start: i64) -> pb::Performance {
        let body = performance(&self.show_id, &self.hall_id, start);
        let created = self
            .service
            .client
            .clone()
            .create_performance(self.service.call(self.seller, body))
            .await;
        created.unwrap().into_inner().performance.unwrap()
    }

    async fn publish(&self) -> pb::Show {
        let body = pb::PublishShowRequest {
            request_id: request_id(),
            show_id: self.show_id.clone(),
        };
        let published = self
            .service
            .client
            .clone()
            .publish_show(self.service.call(self.seller, body))
            .await;
        published.unwrap().into_inner().show.unwrap()
    }
}

async fn create_venue(service: &mut Service, seller: Person, city: &str) -> String {
    let created = service
        .client
        .clone()
        .create_venue(service.call(seller, venue(city)))
        .await;
    created.unwrap().into_inner().venue.unwrap().venue_id
}
