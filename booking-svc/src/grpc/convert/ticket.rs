//! Tickets.

use proto::google::api::HttpBody;
use proto::usher::booking::v1 as pb;
use uuid::Uuid;

use super::{Fields, timestamp};
use crate::app::page::PageRequest;
use crate::app::reads::TicketPlace;
use crate::domain::finding::Findings;
use crate::domain::ticket::keys::PublicKey;
use crate::domain::ticket::qr::{ModulePixels, ModulePixelsOutOfRange};
use crate::grpc::page::{List, SIZE_MAX};
use crate::store::tickets::TicketRow;

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
    let page = list.page(
        request.page_size,
        SIZE_MAX,
        &request.page_token,
        &mut fields.violations,
    );
    fields.finish(booking_id.map(|booking_id| (list, booking_id, page)))
}

/// A request for an image.
pub(in crate::grpc) fn ticket_qr(
    request: &pb::GetTicketQrRequest,
) -> Result<(Uuid, ModulePixels), Findings> {
    let mut fields = Fields::default();
    let ticket_id = fields.id("ticket_id", &request.ticket_id);
    if pb::QrFormat::try_from(request.format).is_err() {
        fields.violations.add("format", "must be QR_FORMAT_SVG");
    }
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
    fields.finish(ticket_id.zip(module))
}

/// A ticket as answered.
pub(in crate::grpc) fn ticket(row: TicketRow) -> pb::Ticket {
    let state = match row.state.as_str() {
        "ACTIVE" => pb::TicketState::Active,
        "VOID" => pb::TicketState::Void,
        _ => pb::TicketState::Unspecified,
    };
    pb::Ticket {
        ticket_id: row.ticket_id.to_string(),
        booking_id: row.booking_id.to_string(),
        line_no: row.line_no.unsigned_abs(),
        seq: row.seq.unsigned_abs(),
        performance_id: row.performance_id.to_string(),
        ord: row.ord.unsigned_abs(),
        zone: row.zone,
        row: row.row_name,
        number: row.number,
        grade: row.grade,
        state: state.into(),
        code: row.code,
        key_id: row.key_id.unsigned_abs(),
        create_time: Some(timestamp(row.create_time)),
    }
}

/// An SVG as the body of an answer.
pub(in crate::grpc) fn svg(text: String) -> HttpBody {
    HttpBody {
        content_type: "image/svg+xml".to_owned(),
        data: text.into_bytes(),
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
