//! Decides, and reaches out of its layer in every way it can.

use std::time::{Duration, Instant}; // REFUSED: a clock

use chrono::Utc;
use diesel::QueryResult; // REFUSED: a database
use mesh::id;
use mesh::money::Money;
use proto::usher::booking::v1 as pb; // REFUSED: the wire
use tonic::Status; // REFUSED: an answer

use crate::domain::unit::Unit;
use crate::{app, store::holds}; // REFUSED: two layers above
use super::super::grpc; // REFUSED: the same by another road

/// diesel and lapin in a comment are words, as "tonic::Status" in a text is.
fn decide(now: chrono::DateTime<Utc>) {
    let text = "crate::store::load()";
    let later = Utc::now(); // REFUSED: reads the clock
    let fresh = id::new(); // REFUSED: draws an id
    let derived = id::derive(fresh, "x");
    holds::load(); // REFUSED: through its import
    let row = crate::store::load(); // REFUSED: by its full path
}

#[cfg(test)]
mod tests {
    use crate::store;
    use diesel::prelude::*;
}
