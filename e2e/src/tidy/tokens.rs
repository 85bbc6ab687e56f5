//! Rust source as words and marks, without what a compiler does not read: comments and texts.

/// One thing in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// An identifier or keyword.
    Word(String),
    /// `::`.
    Separator,
    /// Any other sign.
    Mark(char),
    /// A literal: its text is not code.
    Literal(String),
}

/// A token and its line, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Line, from 1.
    pub line: usize,
    /// What stands there.
    pub token: Token,
}

/// A comment and the line it begins on, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Line, from 1.
    pub line: usize,
    /// Its text with its marks.
    pub text: String,
}

/// A source file taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Code.
    pub code: Vec<Placed>,
    /// What people read.
    pub comments: Vec<Comment>,
}

impl Tokens {
    /// Takes `text` apart. It is not a compiler: what rustc refuses comes out as something.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut reader = Reader {
            rest: text,
            line: 1,
            tokens: Self::default(),
        };
        while reader.step() {}
        reader.tokens
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    tokens: Tokens,
}

impl Reader<'_> {
    /// Reads one thing; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else {
            return false;
        };
        if first.is_whitespace() {
            self.take(first.len_utf8());
        } else if self.rest.starts_with("//") {
            let length = self.rest.find('\n').unwrap_or(self.rest.len());
            self.comment(length);
        } else if self.rest.starts_with("/*") {
            self.comment(block_comment(self.rest));
        } else if let Some(length) = literal(self.rest) {
            let line = self.line;
            let text = self.take(length);
            self.push(line, Token::Literal(text));
        } else if self.rest.starts_with("::") {
            self.take(2);
            self.push(self.line, Token::Separator);
        } else if first.is_alphanumeric() || first == '_' {
            self.word();
        } else {
            self.take(first.len_utf8());
            self.push(self.line, Token::Mark(first));
        }
        true
    }

    fn word(&mut self) {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        let start = if self.rest.starts_with("r#") { 2 } else { 0 };
        let (_, name) = self.rest.split_at(start);
        let length = name.find(|c| !inside(c)).unwrap_or(name.len());
        let word = self.take(start + length);
        let word = word.trim_start_matches("r#").to_owned();
        self.push(self.line, Token::Word(word));
    }

    fn comment(&mut self, length: usize) {
        let line = self.line;
        let text = self.take(length);
        self.tokens.comments.push(Comment { line, text });
    }

    fn push(&mut self, line: usize, token: Token) {
        self.tokens.code.push(Placed { line, token });
    }

    fn take(&mut self, length: usize) -> String {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        self.line += taken.matches('\n').count();
        taken.to_owned()
    }
}

/// Length of a block comment, nested ones included.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") if depth == 1 => return at + 2,
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}

/// Length of the text, byte or character literal at the start, if one is there.
fn literal(text: &str) -> Option<usize> {
    let unprefixed = ["br", "cr", "b", "c", "r", ""]
        .into_iter()
        .find_map(|prefix| {
            let rest = text.strip_prefix(prefix)?;
            let begins = if prefix.ends_with('r') {
                rest.trim_start_matches('#').starts_with('"')
            } else {
                rest.starts_with('"') || (prefix != "c" && rest.starts_with('\''))
            };
            begins.then_some((prefix, rest))
        });
    let (prefix, rest) = unprefixed?;
    let length = if prefix.ends_with('r') {
        raw(rest)
    } else if rest.starts_with('"') {
        quoted(rest, '"')
    } else {
        character(rest)?
    };
    Some(prefix.len() + length)
}

/// Length of `#"..."#` with any number of `#`.
fn raw(text: &str) -> usize {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    let (_, body) = text.split_at(hashes + 1);
    body.find(&end)
        .map_or(text.len(), |at| hashes + 1 + at + end.len())
}

/// Length up to the closing `quote`, which a backslash hides.
fn quoted(text: &str, quote: char) -> usize {
    let mut hidden = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if hidden => hidden = false,
            '\\' => hidden = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut inside = text.chars().skip(1);
    let (first, second) = (inside.next()?, inside.next()?);
    if first == '\\' {
        Some(quoted(text, '\''))
    } else if second == '\'' {
        Some(2 + first.len_utf8())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let code = Tokens::of(text).code.into_iter();
        code.filter_map(|placed| match placed.token {
            Token::Word(word) => Some(word),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn comments_and_texts_are_no_code() {
        let text = r##"
            // diesel
            /* a /* b */ lapin */
            let a = "tonic \" proto"; let b = r#"x " y"#; let c = b'\''; let d = 'e'; fn f<'g>(h: &'g str) {}
        "##;
        assert_eq!(
            words(text),
            [
                "let", "a", "let", "b", "let", "c", "let", "d", "fn", "f", "g", "h", "g", "str"
            ]
        );
        let comments: Vec<_> = Tokens::of(text).comments;
        assert_eq!(comments.len(), 2);
        assert_eq!((comments[0].line, comments[1].line), (2, 3));
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let tokens = Tokens::of("/*\n\n*/ a\n\"\n\" b r#type");
        let lines: Vec<_> = tokens.code.iter().map(|placed| placed.line).collect();
        assert_eq!(lines, [3, 4, 5, 5]);
        assert_eq!(tokens.code[3].token, Token::Word("type".to_owned()));
    }
}
