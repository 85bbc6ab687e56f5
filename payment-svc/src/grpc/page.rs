//! Page tokens: the place after the last row, bound to the filter of the page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use uuid::Uuid;

use crate::app::{After, Filter};
use crate::domain::Payment;

/// Rows a page when nobody says.
const SIZE_DEFAULT: i64 = 50;
/// Most rows a page.
const SIZE_MAX: i64 = 200;
/// Owner of every filter's fingerprint.
const FILTERS: Uuid = Uuid::from_u128(0x51f3_09a4_6c7d_4f7e_8a21_7b90_c4de_1123);

/// A token that is none, or of another filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrongToken;

/// Rows of a page: the wish, clamped.
pub(super) fn size(wished: i32) -> i64 {
    if wished <= 0 {
        SIZE_DEFAULT
    } else {
        i64::from(wished).min(SIZE_MAX)
    }
}

/// The token of the page after `last`.
pub(super) fn token(filter: &Filter, last: &Payment) -> String {
    let mut bytes = Vec::with_capacity(40);
    bytes.extend(last.create_time.timestamp_micros().to_be_bytes());
    bytes.extend(last.payment_id.as_bytes());
    bytes.extend(fingerprint(filter).as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a token names; none for the first page.
pub(super) fn after(filter: &Filter, token: &str) -> Result<Option<After>, WrongToken> {
    if token.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| WrongToken)?;
    let (micros, rest) = bytes.split_first_chunk::<8>().ok_or(WrongToken)?;
    let (payment_id, print) = rest.split_first_chunk::<16>().ok_or(WrongToken)?;
    if print != fingerprint(filter).as_bytes() {
        return Err(WrongToken);
    }
    let create_time =
        DateTime::from_timestamp_micros(i64::from_be_bytes(*micros)).ok_or(WrongToken)?;
    Ok(Some(After {
        create_time,
        payment_id: Uuid::from_bytes(*payment_id),
    }))
}

fn fingerprint(filter: &Filter) -> Uuid {
    mesh::id::derive(FILTERS, &format!("{filter:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_size_whatever_is_wished() {
        assert_eq!(
            [-1, 0, 1, 200, 201, i32::MAX].map(size),
            [50, 50, 1, 200, 200, 200]
        );
    }

    #[test]
    fn garbage_is_no_place() {
        for wrong in ["x", "AAAA", "not base64!"] {
            assert_eq!(after(&Filter::default(), wrong), Err(WrongToken), "{wrong}");
        }
        assert_eq!(after(&Filter::default(), ""), Ok(None));
    }
}
