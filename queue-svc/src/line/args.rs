//! Arguments of the functions.

use std::time::Duration;

use super::Tag;
use crate::domain::lane::Spot;

/// Arguments of a function.
#[derive(Default)]
pub(super) struct Args(pub(super) Vec<Vec<u8>>);

impl Args {
    pub(super) fn of(generation: u64) -> Self {
        let mut args = Self::default();
        args.number(generation);
        args
    }

    pub(super) fn number(&mut self, number: impl std::fmt::Display) -> &mut Self {
        self.0.push(number.to_string().into_bytes());
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push(text.as_bytes().to_vec());
        self
    }

    pub(super) fn millis(&mut self, time: Duration) -> &mut Self {
        self.number(time.as_millis())
    }

    pub(super) fn tag(&mut self, tag: &Tag) -> &mut Self {
        self.0.push(tag.digest.to_vec());
        self.number(tag.bucket)
    }

    pub(super) fn spot(&mut self, spot: Spot) -> &mut Self {
        self.number(spot.lane.number()).number(spot.seq)
    }
}
