//! Reads JSON as events, with the path of the place, and goes on after a value of the wrong type.

use std::fmt;

use struson::reader::{JsonReader, JsonStreamReader, ReaderError, ReaderSettings, ValueType};

use super::Point;
use crate::domain::finding::Findings;
use crate::domain::text::{TextProblem, check_label, check_name};

/// Depth of the deepest value: a plan needs 9, the rest is for what editors add below keys that are skipped.
pub(super) const NESTING_MAX: u32 = 32;

/// Largest coordinate in either direction: a plan a thousand screens wide. Sums of three stay exact to a thousandth.
pub(super) const COORDINATE_MAX: f64 = 1_000_000.0;

/// `Err` means that the text is not JSON from here on: reading ends.
pub(super) type Read<T> = Result<T, ReaderError>;

/// A key that we know.
#[derive(Debug)]
pub(super) struct Member {
    name: &'static str,
    required: bool,
}

pub(super) const fn required(name: &'static str) -> Member {
    let required = true;
    Member { name, required }
}

pub(super) const fn optional(name: &'static str) -> Member {
    let required = false;
    Member { name, required }
}

#[derive(Debug)]
enum Step {
    Key(&'static str),
    Index(usize),
}

/// A reader of JSON that knows where it is and collects what is wrong.
pub(super) struct Events<'a> {
    json: JsonStreamReader<&'a [u8]>,
    path: Vec<Step>,
    violations: Findings,
}

impl<'a> Events<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        let settings = ReaderSettings {
            // We name places by our own path, at no cost for places that are right.
            track_path: false,
            max_nesting_depth: Some(NESTING_MAX),
            // A number too large for us is one violation, not the end of reading.
            restrict_number_values: false,
            ..ReaderSettings::default()
        };
        Self {
            json: JsonStreamReader::new_custom(file, settings),
            path: Vec::new(),
            violations: Findings::new(),
        }
    }

    /// Ends reading after `outcome`: what is wrong, and whether the text was JSON to its end.
    pub(super) fn finish(mut self, outcome: Read<()>) -> (Findings, bool) {
        let place = self.place();
        let end = outcome.and_then(|()| self.json.consume_trailing_whitespace());
        if let Err(error) = &end {
            self.violations.add(place, explain(error));
        }
        (self.violations, end.is_ok())
    }

    /// Path of the present place.
    fn place(&self) -> String {
        if self.path.is_empty() {
            return "$".to_owned();
        }
        let mut place = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) if place.is_empty() => place.push_str(key),
                Step::Key(key) => place.extend([".", key]),
                Step::Index(index) => place.push_str(&format!("[{index}]")),
            }
        }
        place
    }

    /// Notes that the present place breaks a rule.
    fn refuse(&mut self, problem: impl fmt::Display) {
        let place = self.place();
        self.violations.add(place, problem.to_string());
    }

    /// Reads an object: calls `read` for each member that we know, skips the others, notes missing and repeated ones.
    /// False when there is no object.
    pub(super) fn object(
        &mut self,
        members: &'static [Member],
        mut read: impl FnMut(&mut Self, &'static str) -> Read<()>,
    ) -> Read<bool> {
        if !self.expect(ValueType::Object, "an object")? {
            return Ok(false);
        }
        self.json.begin_object()?;
        let mut seen = vec![false; members.len()];
        while self.json.has_next()? {
            let name = self.json.next_name()?;
            let known = members
                .iter()
                .zip(&mut seen)
                .find(|(member, _)| member.name == name);
            let Some((member, seen)) = known else {
                self.json.skip_value()?;
                continue;
            };
            self.path.push(Step::Key(member.name));
            if std::mem::replace(seen, true) {
                self.refuse("is given twice");
                self.json.skip_value()?;
            } else if !member.required && self.json.peek()? == ValueType::Null {
                // Editors write null for what is not set.
                self.json.next_null()?;
            } else {
                read(self, member.name)?;
            }
            self.path.pop();
        }
        self.json.end_object()?;
        for (member, _) in members
            .iter()
            .zip(&seen)
            .filter(|(member, seen)| member.required && !**seen)
        {
            self.path.push(Step::Key(member.name));
            self.refuse("is missing");
            self.path.pop();
        }
        Ok(true)
    }

    /// Reads an array of at most `max` items; more are counted, noted once and skipped.
    pub(super) fn array(
        &mut self,
        max: usize,
        mut read: impl FnMut(&mut Self) -> Read<()>,
    ) -> Read<()> {
        if !self.expect(ValueType::Array, "an array")? {
            return Ok(());
        }
        self.json.begin_array()?;
        let mut count = 0;
        while self.json.has_next()? {
            if count < max {
                self.path.push(Step::Index(count));
                read(self)?;
                self.path.pop();
            } else {
                self.json.skip_value()?;
            }
            count += 1;
        }
        self.json.end_array()?;
        if count > max {
            self.refuse(format!("has {count} entries; at most {max} are allowed"));
        }
        Ok(())
    }

    /// Reads and drops one value.
    pub(super) fn skip(&mut self) -> Read<()> {
        self.json.skip_value()
    }

    /// Whether a string comes next.
    pub(super) fn at_string(&mut self) -> Read<bool> {
        Ok(self.json.peek()? == ValueType::String)
    }

    /// Reads a name of 1..200 characters. `None` was noted.
    pub(super) fn name(&mut self) -> Read<Option<String>> {
        self.text(check_name)
    }

    /// Reads a text of 0..200 characters. `None` was noted.
    pub(super) fn label(&mut self) -> Read<Option<String>> {
        self.text(check_label)
    }

    fn text(&mut self, check: impl Fn(&str) -> Result<(), TextProblem>) -> Read<Option<String>> {
        if !self.expect(ValueType::String, "a string")? {
            return Ok(None);
        }
        let text = self.json.next_str()?;
        match check(text) {
            Ok(()) => Ok(Some(text.to_owned())),
            Err(problem) => {
                self.refuse(problem);
                Ok(None)
            }
        }
    }

    /// Reads a coordinate or a length. `None` was noted.
    pub(super) fn number(&mut self) -> Read<Option<f64>> {
        if !self.expect(ValueType::Number, "a number")? {
            return Ok(None);
        }
        let number = self.json.next_number_as_str()?.parse::<f64>().ok();
        let number = number.filter(|number| number.abs() <= COORDINATE_MAX);
        if number.is_none() {
            self.refuse(format!("must be a number of at most {COORDINATE_MAX}"));
        }
        Ok(number)
    }

    /// Reads `{x, y}`. `None` was noted.
    pub(super) fn point(&mut self) -> Read<Option<Point>> {
        const POINT: &[Member] = &[required("x"), required("y")];
        let (mut x, mut y) = (None, None);
        self.object(POINT, |events, member| {
            let number = events.number()?;
            match member {
                "x" => x = number,
                _ => y = number,
            }
            Ok(())
        })?;
        Ok(x.zip(y).map(|(x, y)| Point { x, y }))
    }

    fn expect(&mut self, expected: ValueType, name: &str) -> Read<bool> {
        let actual = self.json.peek()?;
        if actual == expected {
            return Ok(true);
        }
        self.refuse(format!("must be {name}, not {}", describe(actual)));
        self.json.skip_value()?;
        Ok(false)
    }
}

fn describe(value: ValueType) -> &'static str {
    match value {
        ValueType::Array => "an array",
        ValueType::Object => "an object",
        ValueType::String => "a string",
        ValueType::Number => "a number",
        ValueType::Boolean => "true or false",
        ValueType::Null => "null",
    }
}

/// Says in one line where and why the text stops being JSON. Lines and columns count from 1, as editors count.
fn explain(error: &ReaderError) -> String {
    let (what, location) = match error {
        ReaderError::SyntaxError(error) => ("is not JSON", &error.location),
        ReaderError::MaxNestingDepthExceeded { location, .. } => ("is nested too deep", location),
        ReaderError::IoError { location, .. } => ("is not UTF-8", location),
        ReaderError::UnexpectedStructure { location, .. } => ("ends too early", location),
        ReaderError::UnexpectedValueType { location, .. }
        | ReaderError::UnsupportedNumberValue { location, .. } => ("is not understood", location),
        _ => return "is not understood".to_owned(),
    };
    location.line_pos.map_or_else(
        || what.to_owned(),
        |place| {
            format!(
                "{what} from line {}, column {}",
                place.line + 1,
                place.column + 1
            )
        },
    )
}
