//! From text to [`Template`].

use super::{MAX_SEGMENTS, Segment, Template, Variable};

/// Parses a template.
///
/// # Errors
/// A sentence that says what is wrong and where (byte offset).
pub(crate) fn parse(text: &str) -> Result<Template, String> {
    let mut parser = Parser {
        text,
        at: 0,
        segments: Vec::new(),
        variables: Vec::new(),
    };
    parser.expect('/')?;
    if !matches!(parser.peek(), None | Some(':')) {
        parser.segments(false)?;
    }
    let verb = if parser.take(':') {
        Some(parser.literal()?)
    } else {
        None
    };
    if parser.at != text.len() {
        return Err(parser.wrong("the end"));
    }
    let Parser {
        segments,
        variables,
        ..
    } = parser;
    if segments.len() > MAX_SEGMENTS {
        return Err(format!("more than {MAX_SEGMENTS} segments"));
    }
    if segments
        .iter()
        .filter(|segment| **segment == Segment::Rest)
        .count()
        > 1
    {
        return Err("`**` stands more than once".to_owned());
    }
    for (at, variable) in variables.iter().enumerate() {
        if variables
            .iter()
            .skip(at + 1)
            .any(|other| other.field == variable.field)
        {
            return Err(format!("variable {} stands twice", variable.field));
        }
    }
    Ok(Template {
        segments,
        verb,
        variables,
    })
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

impl<'t> Parser<'t> {
    fn segments(&mut self, inside: bool) -> Result<(), String> {
        loop {
            self.segment(inside)?;
            if !self.take('/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, inside: bool) -> Result<(), String> {
        match self.peek() {
            Some('*') => {
                self.take('*');
                let segment = if self.take('*') {
                    Segment::Rest
                } else {
                    Segment::Any
                };
                self.segments.push(segment);
                Ok(())
            }
            Some('{') if inside => Err(format!("a variable inside a variable at {}", self.at)),
            Some('{') => self.variable(),
            _ => {
                let literal = self.literal()?;
                self.segments.push(Segment::Literal(literal));
                Ok(())
            }
        }
    }

    fn variable(&mut self) -> Result<(), String> {
        self.expect('{')?;
        let start = self.segments.len();
        let field = self.field_path()?;
        if self.take('=') {
            self.segments(true)?;
        } else {
            self.segments.push(Segment::Any);
        }
        self.expect('}')?;
        self.variables.push(Variable {
            field,
            start,
            end: self.segments.len(),
        });
        Ok(())
    }

    fn field_path(&mut self) -> Result<String, String> {
        let path = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
        let idents = path
            .split('.')
            .all(|ident| ident.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
        if idents {
            Ok(path.to_owned())
        } else {
            Err(self.wrong("a field path such as `a.b`"))
        }
    }

    /// Characters that stand for themselves in a path (RFC 3986 pchar without `%`, `:` and `*`), so that a literal equals its decoded segment.
    fn literal(&mut self) -> Result<String, String> {
        let literal = self.run(|c| c.is_ascii_alphanumeric() || "-._~!$&'()+,;=@".contains(c));
        if literal.is_empty() {
            Err(self.wrong("a literal"))
        } else {
            Ok(literal.to_owned())
        }
    }

    fn run(&mut self, accept: impl Fn(char) -> bool) -> &'t str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(self.wrong(&format!("`{wanted}`")))
        }
    }

    fn wrong(&self, wanted: &str) -> String {
        match self.peek() {
            Some(found) => format!("expected {wanted} at {}, found `{found}`", self.at),
            None => format!("expected {wanted} at {}, found the end", self.at),
        }
    }
}
