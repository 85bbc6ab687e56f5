//! Wires, and starts to work.

use diesel::prelude::*; // REFUSED: a statement belongs to store
use tonic::transport::Server;

use crate::grpc::HoldApi;
use crate::store::MIGRATIONS;
