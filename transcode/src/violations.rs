//! What is wrong with a request, all of it at once.

/// Most violations that one answer lists. A caller with more has one mistake repeated; the answer says how many were left out.
pub const MAX_VIOLATIONS: usize = 50;

/// One field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path in proto names, `lines[2].price.currency`. Unknown names stand as they came; `body` is the whole body.
    pub field: String,
    /// What is wrong and what would be right, without the name of the field.
    pub description: String,
}

/// Violations found so far.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    pub(crate) listed: Vec<Violation>,
    pub(crate) left_out: usize,
}

impl Violations {
    pub(crate) fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        if self.listed.len() >= MAX_VIOLATIONS {
            self.left_out += 1;
            return;
        }
        // The root of a body has an empty path.
        let field = Some(field.into())
            .filter(|field| !field.is_empty())
            .unwrap_or_else(|| "body".to_owned());
        self.listed.push(Violation {
            field,
            description: description.into(),
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }
}
