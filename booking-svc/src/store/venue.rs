//! Venues.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use super::schema::venue;
use crate::domain::venue::{Venue, VenueFilter, VenueSpec};

#[derive(Queryable, Selectable)]
#[diesel(table_name = venue, check_for_backend(diesel::pg::Pg))]
struct VenueRow {
    venue_id: Uuid,
    seller_id: Uuid,
    name: String,
    address: String,
    city: String,
    country_code: String,
    time_zone: String,
    create_time: DateTime<Utc>,
}

impl From<VenueRow> for Venue {
    fn from(row: VenueRow) -> Self {
        Self {
            venue_id: row.venue_id,
            seller_id: row.seller_id,
            spec: VenueSpec {
                name: row.name,
                address: row.address,
                city: row.city,
                country_code: row.country_code,
                time_zone: row.time_zone,
            },
            create_time: row.create_time,
        }
    }
}

/// Adds a venue.
pub async fn insert(
    connection: &mut Connection,
    venue_id: Uuid,
    seller_id: Uuid,
    spec: &VenueSpec,
) -> QueryResult<Venue> {
    let row: VenueRow = diesel::insert_into(venue::table)
        .values((
            venue::venue_id.eq(venue_id),
            venue::seller_id.eq(seller_id),
            venue::name.eq(&spec.name),
            venue::address.eq(&spec.address),
            venue::city.eq(&spec.city),
            venue::country_code.eq(&spec.country_code),
            venue::time_zone.eq(&spec.time_zone),
        ))
        .returning(VenueRow::as_returning())
        .get_result(connection)
        .await?;
    Ok(row.into())
}

/// One venue.
pub async fn load(connection: &mut Connection, venue_id: Uuid) -> QueryResult<Option<Venue>> {
    let query = venue::table.find(venue_id).select(VenueRow::as_select());
    let row = query.first(connection).await.optional()?;
    Ok(row.map(Venue::from))
}

/// Venues, newest first: at most `limit`, older than `after`.
pub async fn list(
    connection: &mut Connection,
    filter: &VenueFilter,
    after: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<Venue>> {
    let mut query = venue::table.select(VenueRow::as_select()).into_boxed();
    if let Some(city) = &filter.city {
        query = query.filter(venue::city.eq(city));
    }
    if let Some(seller_id) = filter.seller_id {
        query = query.filter(venue::seller_id.eq(seller_id));
    }
    if let Some(after) = after {
        query = query.filter(venue::venue_id.lt(after));
    }
    let rows = query
        .order(venue::venue_id.desc())
        .limit(limit)
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(Venue::from).collect())
}
