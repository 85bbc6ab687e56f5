//! Owns the transaction, and may name what its closure answers with.

use diesel::QueryResult;
use diesel::prelude::*; // REFUSED: a statement belongs to store
use diesel_async::RunQueryDsl; // REFUSED: likewise
use lapin::Channel; // REFUSED: the broker belongs to mesh
use tonic::{Code, Status}; // REFUSED: an answer belongs to grpc, its code goes to the audit log too

use crate::domain::hold;
use crate::grpc::convert; // REFUSED: nobody imports an inbound edge
use crate::store::holds;

fn settled(error: diesel::result::Error) {}
