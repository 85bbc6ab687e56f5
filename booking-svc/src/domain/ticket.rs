//! Tickets: what a code says ([`code`]), who may have signed it ([`keys`]), how it is drawn ([`qr`]).

pub mod code;
pub mod keys;
pub mod qr;
