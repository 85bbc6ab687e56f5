//! Venues.

use mesh::id;
use mesh::pg::{Connection, TxError};
use uuid::Uuid;

use super::{Catalogue, Error, Rejection, Request, Turn, begin};
use crate::domain::venue::{Venue, VenueFilter, VenueSpec};
use crate::store::venue;
use mesh::page::{Page, PageRequest};

impl Catalogue {
    /// Creates a venue of the caller.
    pub async fn create_venue(&self, request: Request, spec: VenueSpec) -> Result<Venue, Error> {
        let work = async move |connection: &mut Connection| {
            let seller_id = request.key.account_id;
            match begin(connection, request).await? {
                Turn::First(first) => {
                    let venue = venue::insert(connection, id::new(), seller_id, &spec).await?;
                    first.record(connection, venue.venue_id).await?;
                    Ok(venue)
                }
                Turn::Replay(venue_id) => {
                    let venue = venue::load(connection, venue_id).await?;
                    Ok(venue.ok_or(Rejection::VenueNotFound)?)
                }
            }
        };
        self.database.transaction("create venue", work).await
    }

    /// Gets one venue.
    pub async fn venue(&self, venue_id: Uuid) -> Result<Venue, Error> {
        let work = async move |connection: &mut Connection| venue::load(connection, venue_id).await;
        let venue = self.database.read(work).await.map_err(TxError::widen)?;
        Ok(venue.ok_or(Rejection::VenueNotFound)?)
    }

    /// Lists venues, newest first.
    pub async fn venues(
        &self,
        filter: VenueFilter,
        page: PageRequest<Uuid>,
    ) -> Result<Page<Venue, Uuid>, Error> {
        let (after, limit) = (page.after, page.fetch());
        let work = async move |connection: &mut Connection| {
            venue::list(connection, &filter, after, limit).await
        };
        let venues = self.database.read(work).await.map_err(TxError::widen)?;
        Ok(page.cut(venues, |venue| venue.venue_id))
    }
}
