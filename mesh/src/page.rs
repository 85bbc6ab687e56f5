//! Lists in pages: where one ended, the next begins.
//!
//! Page tokens are opaque and good only for the list and filter they were made for: URL-safe Base64 of eight bytes that name list and
//! filter, then of the place behind which the next page starts. They grant nothing: who may see what is decided by the query.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Items of a page when nothing is asked.
const SIZE_DEFAULT: usize = 50;
/// Most items of a page, unless a list says otherwise: its answer stays far below the limit of a message.
pub const SIZE_MAX: usize = 200;

/// One page of a list, as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<C> {
    /// Items, at least 1.
    pub size: usize,
    /// Place behind which it starts; `None` is the beginning.
    pub after: Option<C>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// Its items.
    pub items: Vec<T>,
    /// Place behind which the next page starts; `None` at the end.
    pub next: Option<C>,
}

impl<C> PageRequest<C> {
    /// Items to fetch: one more than asked tells whether there is a next page.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX - 1) + 1
    }

    /// The page from what was fetched.
    pub fn cut<T>(&self, mut items: Vec<T>, place: impl Fn(&T) -> C) -> Page<T, C> {
        let more = items.len() > self.size;
        items.truncate(self.size);
        let next = items.last().filter(|_| more).map(place);
        Page { items, next }
    }
}

/// Eight bytes: a token of another filter passes once in 10^19 tries, and then only starts at an odd place.
const FILTER_BYTES: usize = 8;

/// A list with one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List([u8; FILTER_BYTES]);

/// A place in a list.
pub trait Place: Sized {
    /// As a token has it.
    fn to_bytes(&self) -> Vec<u8>;
    /// From a token; `None` when it is no such place.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl List {
    /// The list of RPC `name`, filtered by `filter`: the request without its page fields.
    #[must_use]
    pub fn new(name: &str, filter: &impl Message) -> Self {
        let mut hash = Sha256::new();
        hash.update(name);
        hash.update([0]);
        hash.update(filter.encode_to_vec());
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; FILTER_BYTES];
        bytes
            .iter_mut()
            .zip(digest)
            .for_each(|(byte, digest)| *byte = digest);
        Self(bytes)
    }

    /// Reads `page_size`, which is clamped to `max`, and `page_token`. `wrong` is told each field that is wrong, and why.
    pub fn page<C: Place>(
        self,
        size: i32,
        max: usize,
        token: &str,
        mut wrong: impl FnMut(&'static str, &'static str),
    ) -> PageRequest<C> {
        let size = match usize::try_from(size) {
            Ok(0) => SIZE_DEFAULT,
            Ok(size) => size.min(max),
            Err(_) => {
                wrong("page_size", "must not be negative");
                SIZE_DEFAULT
            }
        };
        let after = if token.is_empty() {
            None
        } else {
            self.place(token)
        };
        if after.is_none() && !token.is_empty() {
            wrong(
                "page_token",
                "must be the next_page_token of the page before, with the same filter",
            );
        }
        PageRequest { size, after }
    }

    fn place<C: Place>(self, token: &str) -> Option<C> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (filter, place) = bytes.split_first_chunk::<FILTER_BYTES>()?;
        if *filter == self.0 {
            C::from_bytes(place)
        } else {
            None
        }
    }

    /// The token of the page behind `next`; empty at the end.
    #[must_use]
    pub fn token<C: Place>(self, next: Option<&C>) -> String {
        next.map_or_else(String::new, |place| {
            URL_SAFE_NO_PAD.encode([&self.0[..], &place.to_bytes()].concat())
        })
    }
}

impl Place for Uuid {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes).ok()
    }
}

impl Place for u32 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        // Postgres counts units in an int4.
        let number = Self::from_be_bytes(bytes.try_into().ok()?);
        i32::try_from(number).is_ok().then_some(number)
    }
}

impl Place for (u32, u32) {
    fn to_bytes(&self) -> Vec<u8> {
        [self.0.to_bytes(), self.1.to_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (first, second) = bytes.split_first_chunk::<4>()?;
        Some((u32::from_bytes(first)?, u32::from_bytes(second)?))
    }
}

/// Times that a token can have, in microseconds since 1970: the years to 9999, which protobuf ends with. chrono knows times that
/// Postgres does not, and a query with one of them fails.
const MICROS: RangeInclusive<i64> = 0..=253_402_300_799_999_999;

impl Place for (DateTime<Utc>, Uuid) {
    fn to_bytes(&self) -> Vec<u8> {
        [
            &self.0.timestamp_micros().to_be_bytes()[..],
            self.1.as_bytes(),
        ]
        .concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (micros, id) = bytes.split_first_chunk()?;
        let micros = i64::from_be_bytes(*micros);
        let micros = MICROS.contains(&micros).then_some(micros)?;
        let time = DateTime::from_timestamp_micros(micros)?;
        Some((time, Uuid::from_slice(id).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of this name, filtered by a message with one text.
    fn list(name: &str, city: &str) -> List {
        List::new(name, &city.to_owned())
    }

    fn read<C: Place>(list: List, size: i32, token: &str) -> (PageRequest<C>, Vec<&'static str>) {
        let mut fields = Vec::new();
        let page = list.page(size, SIZE_MAX, token, |field, _| fields.push(field));
        (page, fields)
    }

    #[test]
    fn a_token_is_good_for_its_list_and_filter_only() {
        let place = Uuid::from_u128(7);
        let token = list("ListVenues", "Seoul").token(Some(&place));
        let (page, wrong) = read::<Uuid>(list("ListVenues", "Seoul"), 0, &token);
        assert_eq!((page.after, wrong.len()), (Some(place), 0));
        for (name, city) in [("ListVenues", "Busan"), ("ListShows", "Seoul")] {
            let (page, wrong) = read::<Uuid>(list(name, city), 0, &token);
            assert_eq!((page.after, wrong), (None, vec!["page_token"]));
        }
        for token in ["x", "AAAA", &token[..token.len() - 2]] {
            assert_eq!(
                read::<Uuid>(list("ListVenues", "Seoul"), 0, token).1,
                ["page_token"]
            );
        }
        assert_eq!(list("ListVenues", "Seoul").token::<Uuid>(None), "");
    }

    #[test]
    fn sizes_are_clamped() {
        let size = |asked| read::<Uuid>(list("ListVenues", ""), asked, "").0.size;
        assert_eq!(
            (size(0), size(1), size(200), size(201), size(i32::MAX)),
            (50, 1, 200, 200, 200)
        );
        assert_eq!(
            read::<Uuid>(list("ListVenues", ""), -1, "").1,
            ["page_size"]
        );
    }

    #[test]
    fn every_kind_of_place_survives() {
        let time = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
        let place = (time, Uuid::from_u128(9));
        assert_eq!(
            <(DateTime<Utc>, Uuid)>::from_bytes(&place.to_bytes()),
            Some(place)
        );
        assert_eq!(u32::from_bytes(&7_u32.to_bytes()), Some(7));
        assert_eq!(u32::from_bytes(&u32::MAX.to_bytes()), None);
        assert_eq!(u32::from_bytes(&[0; 5]), None);
    }

    #[test]
    fn a_time_that_postgres_does_not_know_is_no_place() {
        let read = |micros: i64| {
            let bytes = [&micros.to_be_bytes()[..], Uuid::nil().as_bytes()].concat();
            <(DateTime<Utc>, Uuid)>::from_bytes(&bytes).map(|(time, _)| time.to_rfc3339())
        };
        let last = "9999-12-31T23:59:59.999999+00:00";
        assert_eq!(read(0).as_deref(), Some("1970-01-01T00:00:00+00:00"));
        assert_eq!(read(253_402_300_799_999_999).as_deref(), Some(last));
        for micros in [-1, 253_402_300_800_000_000, i64::MIN, i64::MAX] {
            assert_eq!(read(micros), None, "{micros}");
        }
        for time in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            assert_eq!(read(time.timestamp_micros()), None, "{time}");
        }
    }

    #[test]
    fn only_a_page_that_is_not_the_last_has_a_next_one() {
        let request = PageRequest {
            size: 2,
            after: None,
        };
        assert_eq!(request.fetch(), 3);
        let page = request.cut(vec![1, 2, 3], |item| *item);
        assert_eq!((page.items, page.next), (vec![1, 2], Some(2)));
        let page = request.cut(vec![1, 2], |item| *item);
        assert_eq!((page.items, page.next), (vec![1, 2], None));
        let page = request.cut(Vec::new(), |item: &i32| *item);
        assert_eq!((page.items, page.next), (vec![], None));
    }
}
