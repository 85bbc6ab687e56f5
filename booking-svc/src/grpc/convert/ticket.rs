//! Tickets.

use mesh::page::{List, PageRequest, SIZE_MAX};
use proto::google::api::HttpBody;
use proto::usher::booking::v1 as pb;
use uuid::Uuid;

use super::{Fields, timestamp};
use crate::app::reads::TicketPlace;
use crate::domain::finding::Findings;
use crate::domain::ticket::keys::PublicKey;
use crate::domain::ticket::qr::{Format, Image, ModulePixels, ModulePixelsOutOfRange};
use crate::domain::ticket::{Ticket, TicketState};

/// A list of the tickets of a booking.
pub(in crate::grpc) fn list_tickets(
    request: &pb::ListTicketsRequest,
) -> Result<(List, Uuid, PageRequest<TicketPlace>), Findings> {
    let mut fields = Fields::default();
    let booking_id = fields.id("booking_id", &request.booking_id);
    let filter = pb::ListTicketsRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let list = List::new("ListTickets", &filter);
    let page = fields.page(list, SIZE_MAX, request.page_size, &request.page_token);
    fields.finish(booking_id.map(|booking_id| (list, booking_id, page)))
}

/// A request for an image.
pub(in crate::grpc) fn ticket_qr(
    request: &pb::GetTicketQrRequest,
) -> Result<(Uuid, Format, ModulePixels), Findings> {
    let mut fields = Fields::default();
    let ticket_id = fields.id("ticket_id", &request.ticket_id);
    let format = match pb::QrFormat::try_from(request.format) {
        Ok(pb::QrFormat::Unspecified | pb::QrFormat::Svg) => Some(Format::Svg),
        Ok(pb::QrFormat::Png) => Some(Format::Png),
        Err(_) => {
            let remedy = "must be QR_FORMAT_SVG or QR_FORMAT_PNG";
            fields.violations.add("format", remedy);
            None
        }
    };
    let module = if request.module_pixels == 0 {
        Some(ModulePixels::default())
    } else {
        let refused = |problem: &ModulePixelsOutOfRange| {
            fields.violations.add("module_pixels", problem.to_string());
        };
        ModulePixels::try_from(request.module_pixels)
            .inspect_err(refused)
            .ok()
    };
    let wanted = format.zip(module);
    fields.finish(
        ticket_id
            .zip(wanted)
            .map(|(id, (format, module))| (id, format, module)),
    )
}

/// A ticket as answered.
pub(in crate::grpc) fn ticket(ticket: Ticket) -> pb::Ticket {
    let (state, code) = match ticket.state {
        TicketState::Active => (pb::TicketState::Active, ticket.code),
        TicketState::Void => (pb::TicketState::Void, String::new()),
    };
    pb::Ticket {
        ticket_id: ticket.ticket_id.to_string(),
        booking_id: ticket.booking_id.to_string(),
        line_no: ticket.line_no,
        seq: ticket.seq,
        performance_id: ticket.performance_id.to_string(),
        ord: ticket.ord,
        zone: ticket.zone,
        row: ticket.row,
        number: ticket.number,
        grade: ticket.grade,
        state: state.into(),
        code,
        key_id: u32::from(ticket.key_id),
        create_time: Some(timestamp(ticket.create_time)),
        paid: Some(ticket.paid.into()),
    }
}

/// An image as the body of an answer.
pub(in crate::grpc) fn image(image: Image) -> HttpBody {
    HttpBody {
        content_type: image.content_type.to_owned(),
        data: image.bytes,
        extensions: Vec::new(),
    }
}

/// A key as answered.
pub(in crate::grpc) fn ticket_key(key: PublicKey) -> pb::TicketKey {
    pb::TicketKey {
        key_id: u32::from(key.key_id),
        public_key: key.public_key,
        valid_from_time: Some(timestamp(key.valid_from)),
        valid_until_time: key.valid_until.map(timestamp),
    }
}
