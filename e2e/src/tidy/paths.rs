//! Which paths a source file names, as they read from the root of its crate.

use std::collections::HashMap;

use super::tokens::{Placed, Token};

/// A path and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Line, from 1.
    pub line: usize,
    /// Its names: `crate` first, or an external crate.
    pub names: Vec<String>,
}

impl Path {
    /// Whether the path is `prefix` (`a::b`) or lies below it.
    #[must_use]
    pub fn is_below(&self, prefix: &str) -> bool {
        let mut names = self.names.iter();
        prefix
            .split("::")
            .all(|name| names.next().is_some_and(|own| own == name))
    }
}

/// Paths of the code of a file in `module` (`["app", "inventory"]`), the tests inside of it left out.
#[must_use]
pub fn paths(code: &[Placed], module: &[&str]) -> Vec<Path> {
    let code = without_tests(code);
    let mut reader = Reader {
        code: &code,
        at: 0,
        paths: Vec::new(),
        imported: HashMap::new(),
    };
    reader.read();
    let imported = reader.imported;
    let mut paths = reader.paths;
    for path in &mut paths {
        expand(path, &imported);
        path.names = absolute(&path.names, module);
    }
    paths
}

/// The code without `#[cfg(test)]` items.
fn without_tests(code: &[Placed]) -> Vec<Placed> {
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(placed) = code.get(at) {
        if is_test_attribute(code, at) {
            at = item_end(code, at + 7);
        } else {
            kept.push(placed.clone());
            at += 1;
        }
    }
    kept
}

/// `# [ cfg ( test ) ]`.
fn is_test_attribute(code: &[Placed], at: usize) -> bool {
    let wanted = [
        Token::Mark('#'),
        Token::Mark('['),
        Token::Word("cfg".to_owned()),
        Token::Mark('('),
        Token::Word("test".to_owned()),
        Token::Mark(')'),
        Token::Mark(']'),
    ];
    let found = code.iter().skip(at).map(|placed| &placed.token);
    found.take(wanted.len()).eq(wanted.iter())
}

/// Index behind the item that begins at `at`: behind its `;`, or behind its closing brace.
fn item_end(code: &[Placed], at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, placed) in code.iter().enumerate().skip(at) {
        match placed.token {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') if depth <= 1 => return offset + 1,
            Token::Mark('}') => depth -= 1,
            Token::Mark(';') if depth == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// Puts the imported path in place of the name it goes by.
fn expand(path: &mut Path, imported: &HashMap<String, Vec<String>>) {
    let known = path.names.first().and_then(|first| imported.get(first));
    if let Some(full) = known
        && full.len() > 1
        && !path.names.starts_with(full)
    {
        let rest = path.names.split_off(1);
        path.names = full.iter().cloned().chain(rest).collect();
    }
}

fn absolute(names: &[String], module: &[&str]) -> Vec<String> {
    let mut base = vec!["crate"];
    base.extend(module);
    let mut rest = names;
    match rest.split_first() {
        Some((first, others)) if first == "self" => rest = others,
        Some((first, _)) if first == "super" => {}
        _ => return names.to_vec(),
    }
    while let Some((first, others)) = rest.split_first()
        && first == "super"
    {
        if base.len() > 1 {
            base.pop();
        }
        rest = others;
    }
    let base = base.into_iter().map(str::to_owned);
    base.chain(rest.iter().cloned()).collect()
}

struct Reader<'a> {
    code: &'a [Placed],
    at: usize,
    paths: Vec<Path>,
    imported: HashMap<String, Vec<String>>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(placed) = self.code.get(self.at) {
            match &placed.token {
                Token::Word(word) if word == "use" && !self.next_is('<') => {
                    self.at += 1;
                    self.tree(&[]);
                }
                Token::Word(_) if !self.after_dot() => self.plain(),
                _ => self.at += 1,
            }
        }
    }

    fn token(&self) -> Option<&Token> {
        self.code.get(self.at).map(|placed| &placed.token)
    }

    fn next_is(&self, mark: char) -> bool {
        let next = self.code.get(self.at + 1);
        next.is_some_and(|placed| placed.token == Token::Mark(mark))
    }

    fn after_dot(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.code.get(at));
        before.is_some_and(|placed| placed.token == Token::Mark('.'))
    }

    /// A path in code: a name alone is a variable or something imported, and says nothing.
    fn plain(&mut self) {
        let line = self.line();
        let names = self.names();
        if names.len() > 1 {
            self.paths.push(Path { line, names });
        }
    }

    fn line(&self) -> usize {
        self.code.get(self.at).map_or(0, |placed| placed.line)
    }

    /// `a::b::c`, up to what is no name.
    fn names(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            match self.token() {
                Some(Token::Word(word)) => names.push(word.clone()),
                _ => return names,
            }
            self.at += 1;
            if self.token() != Some(&Token::Separator) {
                return names;
            }
            self.at += 1;
        }
    }

    /// One tree of a `use`, with what stands before it.
    fn tree(&mut self, before: &[String]) {
        if self.token() == Some(&Token::Separator) {
            self.at += 1;
        }
        let line = self.line();
        let names: Vec<String> = before.iter().cloned().chain(self.names()).collect();
        match self.token() {
            Some(Token::Mark('{')) => self.group(&names),
            Some(Token::Mark('*')) => {
                self.at += 1;
                self.paths.push(Path { line, names });
            }
            _ => self.leaf(line, names),
        }
    }

    fn group(&mut self, before: &[String]) {
        self.at += 1;
        loop {
            match self.token() {
                Some(Token::Mark('}')) => {
                    self.at += 1;
                    return;
                }
                Some(Token::Mark(',')) => self.at += 1,
                Some(Token::Word(_) | Token::Separator | Token::Mark('{' | '*')) => {
                    self.tree(before);
                }
                _ => return,
            }
        }
    }

    fn leaf(&mut self, line: usize, mut names: Vec<String>) {
        if names.len() > 1 && names.last().is_some_and(|last| last == "self") {
            names.pop();
        }
        let mut alias = names.last().cloned();
        if self.token() == Some(&Token::Word("as".to_owned())) {
            self.at += 1;
            alias = self.names().pop();
        }
        if let Some(alias) = alias {
            self.imported.insert(alias, names.clone());
        }
        self.paths.push(Path { line, names });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tokens::Tokens;

    fn all(text: &str, module: &[&str]) -> Vec<String> {
        let code = Tokens::of(text).code;
        let found = paths(&code, module).into_iter();
        found.map(|path| path.names.join("::")).collect()
    }

    #[test]
    fn groups_and_aliases_are_opened() {
        let text = "use crate::{app, store::{self, holds as h, *}}; fn f() { h::load(); x.y::<Z>(); app::run() }";
        assert_eq!(
            all(text, &[]),
            [
                "crate::app",
                "crate::store",
                "crate::store::holds",
                "crate::store",
                "crate::store::holds::load",
                "crate::app::run"
            ]
        );
    }

    #[test]
    fn relative_paths_are_read_from_the_root() {
        let text = "use super::super::store; use self::x; type A = super::B;";
        assert_eq!(
            all(text, &["app", "inventory"]),
            ["crate::store", "crate::app::inventory::x", "crate::app::B"]
        );
    }

    #[test]
    fn tests_inside_of_a_file_are_left_out() {
        let text = "#[cfg(test)] mod tests { use diesel::x; fn f() { {} } } #[cfg(test)] mod more; use a::b;";
        assert_eq!(all(text, &[]), ["a::b"]);
    }
}
