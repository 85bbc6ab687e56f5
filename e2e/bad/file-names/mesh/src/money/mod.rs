//! REFUSED: a module money is money.rs.
