//! TicketService.

use std::sync::Arc;

use mesh::clock;
use mesh::pg::Database;
use mesh::status::internal;
use proto::usher::booking::v1 as pb;
use proto::usher::booking::v1::ticket_service_server::TicketService;
use tonic::{Request, Response, Status};

use super::status::sale;
use super::{convert, reader, status};
use crate::app::reads::{self, Reader};
use crate::domain::ticket::TicketState;
use crate::domain::ticket::keys::KeyRing;
use crate::domain::ticket::qr;

/// Answers TicketService.
#[derive(Clone, Debug)]
pub struct TicketApi {
    /// Where tickets are read.
    pub database: Database,
    /// Keys that sign.
    pub keys: Arc<KeyRing>,
}

#[tonic::async_trait]
impl TicketService for TicketApi {
    async fn list_tickets(
        &self,
        request: Request<pb::ListTicketsRequest>,
    ) -> Result<Response<pb::ListTicketsResponse>, Status> {
        let reader = reader(&request)?;
        let (list, booking_id, page) =
            convert::list_tickets(request.get_ref()).map_err(status::invalid)?;
        let booking = reads::booking(&self.database, booking_id, reader).await;
        booking
            .map_err(sale::unread)?
            .ok_or_else(sale::no_booking)?;
        let page = reads::tickets(&self.database, booking_id, page)
            .await
            .map_err(sale::unread)?;
        let next_page_token = list.token(page.next.as_ref());
        let tickets = page.items.into_iter().map(convert::ticket).collect();
        Ok(Response::new(pb::ListTicketsResponse {
            tickets,
            next_page_token,
        }))
    }

    async fn get_ticket(
        &self,
        request: Request<pb::GetTicketRequest>,
    ) -> Result<Response<pb::GetTicketResponse>, Status> {
        let reader = reader(&request)?;
        let ticket_id =
            convert::one_id("ticket_id", &request.get_ref().ticket_id).map_err(status::invalid)?;
        let found = reads::ticket(&self.database, ticket_id, reader)
            .await
            .map_err(sale::unread)?;
        let ticket = Some(convert::ticket(found.ok_or_else(sale::no_ticket)?));
        Ok(Response::new(pb::GetTicketResponse { ticket }))
    }

    async fn get_ticket_qr(
        &self,
        request: Request<pb::GetTicketQrRequest>,
    ) -> Result<Response<pb::GetTicketQrResponse>, Status> {
        // The code admits whoever shows it: only its holder draws it.
        let reader = Reader {
            is_admin: false,
            ..reader(&request)?
        };
        let wanted = convert::ticket_qr(request.get_ref()).map_err(status::invalid)?;
        let (ticket_id, format, module) = wanted;
        let found = reads::ticket(&self.database, ticket_id, reader)
            .await
            .map_err(sale::unread)?;
        let ticket = found.ok_or_else(sale::no_ticket)?;
        if ticket.state == TicketState::Void {
            return Err(sale::ticket_void());
        }
        let image = qr::draw(&ticket.code, format, module).map_err(|error| internal(&error))?;
        Ok(Response::new(pb::GetTicketQrResponse {
            image: Some(convert::image(image)),
        }))
    }

    async fn list_ticket_keys(
        &self,
        _: Request<pb::ListTicketKeysRequest>,
    ) -> Result<Response<pb::ListTicketKeysResponse>, Status> {
        let keys = self.keys.public_keys(clock::now());
        let keys = keys.into_iter().map(convert::ticket_key).collect();
        Ok(Response::new(pb::ListTicketKeysResponse { keys }))
    }
}
