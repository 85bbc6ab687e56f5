//! Halls.

use std::sync::Arc;

use mesh::pg::{Connection, TxError, constraint};
use mesh::{id, tasks};
use uuid::Uuid;

use super::{Catalogue, Error, Rejection, Request, Turn, begin};
use crate::domain::hall::{AreaSpec, Hall, HallLayout, RowRange, RowRef, SeatSource, Unit};
use crate::domain::plan::Plan;
use crate::store::hall::NewHall;
use crate::store::{self, venue};
use mesh::page::{Page, PageRequest};

/// A hall to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateHall {
    /// Venue it belongs to.
    pub venue_id: Uuid,
    /// Name, unique in the venue.
    pub name: String,
    /// Where the numbered seats come from.
    pub seats: SeatsFrom,
    /// General-admission areas.
    pub areas: Vec<AreaSpec>,
    /// Rows whose seats are accessible.
    pub accessible_rows: Vec<RowRef>,
}

/// Where the numbered seats of a hall come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatsFrom {
    /// There are none.
    Nowhere,
    /// An imported plan of the same seller.
    Plan(Uuid),
    /// Rows in the short form.
    Rows(Vec<RowRange>),
}

/// Units of a hall and what is drawn beside them.
struct Layout {
    units: Vec<Unit>,
    drawing: Option<Plan>,
}

impl Catalogue {
    /// Creates a hall in a venue of the caller.
    pub async fn create_hall(&self, request: Request, command: CreateHall) -> Result<Hall, Error> {
        let seller_id = request.key.account_id;
        let seats = self.seats(seller_id, command.seats).await?;
        let layout = HallLayout {
            seats,
            areas: command.areas,
            accessible_rows: command.accessible_rows,
        };
        // 100,000 units: not on the threads that answer calls, and not in a transaction.
        let numbered = tasks::blocking(move || number(layout)).await;
        let layout = Arc::new(numbered.map_err(|_| Rejection::Interrupted)??);
        let (venue_id, name) = (command.venue_id, command.name);
        let work = async move |connection: &mut Connection| {
            let first = match begin(connection, request).await? {
                Turn::First(first) => first,
                Turn::Replay(hall_id) => {
                    let hall = store::hall::load(connection, hall_id).await?;
                    return Ok(hall.ok_or(Rejection::HallNotFound)?);
                }
            };
            let venue = venue::load(connection, venue_id)
                .await?
                .ok_or(Rejection::VenueNotFound)?;
            if venue.seller_id != seller_id {
                return Err(Rejection::NotYours.into());
            }
            let new = NewHall {
                hall_id: id::new(),
                venue_id,
                name: &name,
                units: &layout.units,
                drawing: layout.drawing.as_ref(),
            };
            let hall = store::hall::insert(connection, new)
                .await
                .map_err(name_taken)?;
            first.record(connection, hall.hall_id).await?;
            Ok(hall)
        };
        self.database.transaction("create hall", work).await
    }

    async fn seats(&self, seller_id: Uuid, from: SeatsFrom) -> Result<SeatSource, Error> {
        match from {
            SeatsFrom::Nowhere => Ok(SeatSource::None),
            SeatsFrom::Rows(rows) => Ok(SeatSource::Rows(rows)),
            SeatsFrom::Plan(plan_id) => {
                let work = async move |connection: &mut Connection| {
                    store::plan::load(connection, plan_id, seller_id).await
                };
                let plan = self.database.read(work).await.map_err(TxError::widen)?;
                Ok(SeatSource::Plan(plan.ok_or(Rejection::PlanNotFound)?))
            }
        }
    }

    /// Gets one hall.
    pub async fn hall(&self, hall_id: Uuid) -> Result<Hall, Error> {
        let work =
            async move |connection: &mut Connection| store::hall::load(connection, hall_id).await;
        let hall = self.database.read(work).await.map_err(TxError::widen)?;
        Ok(hall.ok_or(Rejection::HallNotFound)?)
    }

    /// Lists the halls of a venue, newest first.
    pub async fn halls(
        &self,
        venue_id: Uuid,
        page: PageRequest<Uuid>,
    ) -> Result<Page<Hall, Uuid>, Error> {
        self.venue(venue_id).await?;
        let (after, limit) = (page.after, page.fetch());
        let work = async move |connection: &mut Connection| {
            store::hall::list(connection, venue_id, after, limit).await
        };
        let halls = self.database.read(work).await.map_err(TxError::widen)?;
        Ok(page.cut(halls, |hall| hall.hall_id))
    }
}

fn number(layout: HallLayout) -> Result<Layout, Rejection> {
    let units = layout.units().map_err(Rejection::Invalid)?;
    let drawing = match layout.seats {
        SeatSource::Plan(plan) => Some(plan.without_seats()),
        SeatSource::None | SeatSource::Rows(_) => None,
    };
    Ok(Layout { units, drawing })
}

fn name_taken(error: diesel::result::Error) -> Error {
    if constraint(&error) == Some("hall_venue_name") {
        TxError::Refused(Rejection::HallNameTaken)
    } else {
        error.into()
    }
}
