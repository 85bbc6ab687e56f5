//! REFUSED: helps whom with what?
