//! The seam for identifiers. Ids are UUIDv7, so that rows made together lie together in an index.

use uuid::Uuid;

/// A new id.
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
#[must_use]
pub fn new() -> Uuid {
    Uuid::now_v7()
}

/// The id that follows from `owner` and `name`: the same every time, so that a repeated step uses the same key (UUIDv5).
#[must_use]
pub fn derive(owner: Uuid, name: impl AsRef<[u8]>) -> Uuid {
    Uuid::new_v5(&owner, name.as_ref())
}

/// Reads an id in its one canonical spelling: 36 characters, lower or upper case, with hyphens.
#[must_use]
pub fn parse(text: &str) -> Option<Uuid> {
    if text.len() == 36 {
        Uuid::try_parse(text).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_spelling_is_read() {
        let id = new();
        assert_eq!(parse(&id.to_string()), Some(id));
        assert_eq!(parse(&id.simple().to_string()), None);
        assert_eq!(parse(&id.urn().to_string()), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_derived_id_depends_on_owner_and_name() {
        let (a, b) = (new(), new());
        assert_eq!(derive(a, "pay/do"), derive(a, "pay/do"));
        assert_ne!(derive(a, "pay/do"), derive(a, "pay/undo"));
        assert_ne!(derive(a, "pay/do"), derive(b, "pay/do"));
    }
}
