//! Percent-decoding (RFC 3986) of path segments, path variables and query parameters.

use std::borrow::Cow;

/// A `%` that is not followed by two hexadecimal digits, or bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What stays as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing: a variable of one segment, where an encoded slash is data.
    Nothing,
    /// `%2F`: a variable of several segments, where decoding it would invent a segment.
    Slash,
    /// Nothing, and `+` reads as a space: the form encoding of a query.
    PlusIsSpace,
}

/// Decodes `text`.
///
/// # Errors
/// [`Malformed`] when an escape is cut short or the result is not UTF-8.
pub(crate) fn decode(text: &str, keep: Keep) -> Result<Cow<'_, str>, Malformed> {
    let plus = keep == Keep::PlusIsSpace;
    let encoded = text.contains('%') || plus && text.contains('+');
    if !encoded {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match (byte, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let value = digit(*high)? << 4 | digit(*low)?;
                if value == b'/' && keep == Keep::Slash {
                    decoded.extend_from_slice(&[b'%', *high, *low]);
                } else {
                    decoded.push(value);
                }
                tail
            }
            (b'%', _) => return Err(Malformed),
            (b'+', tail) if plus => {
                decoded.push(b' ');
                tail
            }
            (byte, tail) => {
                decoded.push(byte);
                tail
            }
        };
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| Malformed)
}

fn digit(byte: u8) -> Result<u8, Malformed> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::{Keep, Malformed, decode};

    #[test]
    fn decodes_by_place() {
        assert_eq!(decode("a%2Fb%20c+d", Keep::Nothing).unwrap(), "a/b c+d");
        assert_eq!(decode("a%2Fb%2f%20", Keep::Slash).unwrap(), "a%2Fb%2f ");
        assert_eq!(decode("a+b%2Bc", Keep::PlusIsSpace).unwrap(), "a b+c");
        assert_eq!(decode("%EC%A2%8C", Keep::Nothing).unwrap(), "좌");
    }

    #[test]
    fn refuses_what_is_cut_short_or_not_utf8() {
        for text in ["%", "%2", "a%zz", "%C3", "%FF%FE"] {
            assert_eq!(decode(text, Keep::Nothing), Err(Malformed), "{text}");
        }
    }
}
