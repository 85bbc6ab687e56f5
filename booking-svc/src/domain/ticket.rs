//! Tickets: what a code says ([`code`]), who may have signed it ([`keys`]), how it is drawn ([`qr`]).

use chrono::{DateTime, Utc};
use mesh::money::Money;
use uuid::Uuid;

pub mod code;
pub mod keys;
pub mod qr;

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketState {
    /// Good for one admission.
    Active,
    /// Taken back; its code admits nobody.
    Void,
}

impl TicketState {
    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ACTIVE" => Some(Self::Active),
            "VOID" => Some(Self::Void),
            _ => None,
        }
    }
}

/// What admits one person, with the place it admits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Id.
    pub ticket_id: Uuid,
    /// Booking.
    pub booking_id: Uuid,
    /// Line of the booking.
    pub line_no: u32,
    /// Number within the line, from 0.
    pub seq: u32,
    /// Holder.
    pub account_id: Uuid,
    /// Performance.
    pub performance_id: Uuid,
    /// Unit in the performance's pool.
    pub ord: u32,
    /// Zone.
    pub zone: String,
    /// Row; empty for an area.
    pub row: String,
    /// Number, or the name of an area.
    pub number: String,
    /// Grade.
    pub grade: String,
    /// Where it stands.
    pub state: TicketState,
    /// Key of the signature.
    pub key_id: u16,
    /// Signed code.
    pub code: String,
    /// When it was issued.
    pub create_time: DateTime<Utc>,
    /// What was paid for it.
    pub paid: Money,
}
