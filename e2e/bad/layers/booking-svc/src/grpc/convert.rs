//! Answers, and a short cut past the use case.

use tonic::Status;

use crate::app::hold;
use crate::store::holds::HoldRow; // REFUSED: row to wire
