//! Mechanism in the wrong room.

use diesel::prelude::*; // REFUSED: mesh::pg
use lapin::Channel; // REFUSED: mesh::amqp
use tonic::Status;
