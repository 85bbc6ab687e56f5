//! A module with a name.
