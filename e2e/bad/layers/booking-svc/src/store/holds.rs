//! Rows, and a way back up.

use diesel::prelude::*;

use crate::app::hold; // REFUSED: a layer above
use crate::domain::hold::Hold;
use crate::store::schema;
