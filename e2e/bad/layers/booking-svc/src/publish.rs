//! Makes events, and reads the table itself.

use crate::domain::hold::Hold;
use crate::store; // REFUSED: publish is given what it publishes
use tonic::Status; // REFUSED: nobody answers from here
