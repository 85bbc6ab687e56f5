//! BookingService.

use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;
use mesh::deadline;
use mesh::pg::Database;
use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::booking_service_server::BookingService;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::convert::WrongBooking;
use super::status::sale;
use super::watch::watch;
use super::{account, convert, once, reader, status};
use crate::app::cancel_booking::{CancelBooking, cancel_booking};
use crate::app::create_booking::create_booking;
use crate::app::quote_booking::quote_booking;
use crate::app::reads;
use crate::domain::booking::Booking;
use crate::saga::Sagas;

/// Time kept for the answer of a call that waits for an outcome.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);
/// Longest wait of a call whose deadline is not known.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Answers BookingService.
#[derive(Clone, Debug)]
pub struct BookingApi {
    /// The sagas.
    pub sagas: Sagas,
    /// Where bookings are read.
    pub database: Database,
    /// Cancelled when the instance begins to stop.
    pub stopping: CancellationToken,
}

impl BookingApi {
    async fn answer(&self, booking: &Booking) -> Result<pb::Booking, Status> {
        present(&self.database, booking).await
    }
}

/// A booking as answered.
pub(super) async fn present(database: &Database, booking: &Booking) -> Result<pb::Booking, Status> {
    let units = booking.lines.iter().map(|line| line.unit).collect();
    let seats = reads::seats(database, units).await.map_err(sale::unread)?;
    Ok(convert::booking(booking, &seats))
}

#[tonic::async_trait]
impl BookingService for BookingApi {
    async fn create_booking(
        &self,
        request: Request<pb::CreateBookingRequest>,
    ) -> Result<Response<pb::CreateBookingResponse>, Status> {
        let account = account(&request)?;
        let left = deadline::left().unwrap_or(WAIT_MAX);
        let wanted = convert::create_booking(request.get_ref(), account.account_id);
        let wanted = wanted.map_err(|wrong| match wrong {
            WrongBooking::Invalid(findings) => status::invalid(findings),
            WrongBooking::Provider(provider) => sale::no_provider(&provider),
        })?;
        let answer_by = Instant::now() + left.saturating_sub(ANSWER_MARGIN);
        let booked = create_booking(&self.sagas, wanted, answer_by)
            .await
            .map_err(sale::not_booked)?;
        let booking = Some(self.answer(&booked).await?);
        Ok(Response::new(pb::CreateBookingResponse { booking }))
    }

    async fn quote_booking(
        &self,
        request: Request<pb::QuoteBookingRequest>,
    ) -> Result<Response<pb::QuoteBookingResponse>, Status> {
        let account_id = account(&request)?.account_id;
        let (hold_id, choice) =
            convert::quote_booking(request.get_ref()).map_err(status::invalid)?;
        let quoted = quote_booking(&self.sagas, account_id, hold_id, &choice).await;
        let quote = Some(convert::quote(&quoted.map_err(sale::not_booked)?));
        Ok(Response::new(pb::QuoteBookingResponse { quote }))
    }

    async fn get_booking(
        &self,
        request: Request<pb::GetBookingRequest>,
    ) -> Result<Response<pb::GetBookingResponse>, Status> {
        let reader = reader(&request)?;
        let booking_id = convert::one_id("booking_id", &request.get_ref().booking_id)
            .map_err(status::invalid)?;
        let found = reads::booking(&self.database, booking_id, reader)
            .await
            .map_err(sale::unread)?;
        let booking = Some(self.answer(&found.ok_or_else(sale::no_booking)?).await?);
        Ok(Response::new(pb::GetBookingResponse { booking }))
    }

    async fn cancel_booking(
        &self,
        request: Request<pb::CancelBookingRequest>,
    ) -> Result<Response<pb::CancelBookingResponse>, Status> {
        let account = account(&request)?;
        let body = request.get_ref();
        let (request_id, booking_id, lines) =
            convert::cancel_booking(body).map_err(status::invalid)?;
        let method = "usher.booking.v1.BookingService/CancelBooking";
        let once = once(method, &account, request_id, body);
        let wanted = CancelBooking {
            key: once.key,
            hash: once.hash,
            booking_id,
            lines,
            reason: body.reason.clone(),
            is_admin: account.is_admin(),
        };
        let cancelled = cancel_booking(&self.sagas, wanted)
            .await
            .map_err(sale::not_cancelled)?;
        let booking = Some(self.answer(&cancelled).await?);
        Ok(Response::new(pb::CancelBookingResponse { booking }))
    }

    async fn list_bookings(
        &self,
        request: Request<pb::ListBookingsRequest>,
    ) -> Result<Response<pb::ListBookingsResponse>, Status> {
        let account_id = account(&request)?.account_id;
        let (list, filter, page) =
            convert::list_bookings(request.get_ref(), account_id).map_err(status::invalid)?;
        let page = reads::bookings(&self.database, filter, page)
            .await
            .map_err(sale::unread)?;
        let mut bookings = Vec::with_capacity(page.items.len());
        let units = page
            .items
            .iter()
            .flat_map(|booking| booking.lines.iter().map(|line| line.unit));
        let seats = reads::seats(&self.database, units.collect())
            .await
            .map_err(sale::unread)?;
        bookings.extend(
            page.items
                .iter()
                .map(|booking| convert::booking(booking, &seats)),
        );
        let next_page_token = list.token(page.next.as_ref());
        Ok(Response::new(pb::ListBookingsResponse {
            bookings,
            next_page_token,
        }))
    }

    type WatchBookingStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchBookingResponse, Status>> + Send>>;

    async fn watch_booking(
        &self,
        request: Request<pb::WatchBookingRequest>,
    ) -> Result<Response<Self::WatchBookingStream>, Status> {
        let reader = reader(&request)?;
        let booking_id = convert::one_id("booking_id", &request.get_ref().booking_id)
            .map_err(status::invalid)?;
        let changes = self.sagas.changes();
        let found = reads::booking(&self.database, booking_id, reader)
            .await
            .map_err(sale::unread)?;
        let first = found.ok_or_else(sale::no_booking)?;
        let stream = watch(
            self.database.clone(),
            changes,
            first,
            reader,
            self.stopping.clone(),
        );
        Ok(Response::new(Box::pin(stream)))
    }
}
