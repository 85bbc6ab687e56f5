//! Path templates of `google.api.http`.
//!
//! ```text
//! Template  = "/" [ Segments ] [ ":" LITERAL ]
//! Segments  = Segment { "/" Segment }
//! Segment   = "*" | "**" | LITERAL | Variable
//! Variable  = "{" IDENT { "." IDENT } [ "=" Segments ] "}"
//! ```
//!
//! Wider than the specification in one place: segments may follow `**`, as in Envoy. `**` may stand once.

mod parse;
#[cfg(test)]
mod tests;

pub(crate) use parse::parse;

/// Longest template. It bounds the depth of the search; the longest contract of today has seven.
pub(crate) const MAX_SEGMENTS: usize = 32;

/// What one place of the path must be. The order is the precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Segment {
    /// Exactly this text.
    Literal(String),
    /// One segment that is not empty.
    Any,
    /// Zero or more segments.
    Rest,
}

/// A variable and the places of the template it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Path of the field it fills, `a.b`.
    pub(crate) field: String,
    /// First place it covers.
    pub(crate) start: usize,
    /// Place after the last one it covers.
    pub(crate) end: usize,
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) segments: Vec<Segment>,
    pub(crate) verb: Option<String>,
    pub(crate) variables: Vec<Variable>,
}

impl Template {
    /// The raw text of `variable` in a path of which this template is known to match the segments.
    pub(crate) fn capture(&self, variable: &Variable, path: &[&str]) -> String {
        let rest = self
            .segments
            .iter()
            .position(|segment| *segment == Segment::Rest);
        // Places behind `**` move by as much as it covers.
        let place = |at: usize| match rest {
            Some(rest) if at > rest => (at + path.len()).saturating_sub(self.segments.len()),
            _ => at,
        };
        path.get(place(variable.start)..place(variable.end))
            .map(|raw| raw.join("/"))
            .unwrap_or_default()
    }

    /// Whether `variable` can hold more than one segment, which keeps `%2F` encoded.
    pub(crate) fn is_multi(&self, variable: &Variable) -> bool {
        let covered = self
            .segments
            .get(variable.start..variable.end)
            .unwrap_or_default();
        covered.len() != 1 || covered.contains(&Segment::Rest)
    }
}
