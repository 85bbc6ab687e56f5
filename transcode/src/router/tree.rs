//! The tree behind [`super::Router`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::template::Segment;

/// HTTP method of a rule that takes every method (`custom: {kind: "*"}`).
pub(crate) const EVERY_METHOD: &str = "*";

/// Index of a route by HTTP method.
type Methods = BTreeMap<String, usize>;

#[derive(Debug, Default)]
pub(super) struct Node {
    literals: BTreeMap<String, Node>,
    any: Option<Box<Node>>,
    /// Templates that go on with `**` here, the most exact first.
    tails: Vec<Tail>,
    leaf: Leaf,
}

/// What follows a `**`. It holds no `**` itself, so its place is known from the end of the path.
#[derive(Debug)]
struct Tail {
    segments: Vec<Segment>,
    leaf: Leaf,
}

#[derive(Debug, Default)]
pub(super) struct Leaf {
    plain: Methods,
    verbs: BTreeMap<String, Methods>,
}

/// One look-up.
#[derive(Debug)]
pub(super) struct Search<'s> {
    /// Decoded segments, without the verb.
    pub(super) path: &'s [Cow<'s, str>],
    pub(super) verb: Option<&'s str>,
    pub(super) method: &'s str,
    /// HTTP methods of the templates that fit the path alone.
    pub(super) allow: &'s mut BTreeSet<String>,
}

impl Node {
    /// The leaf of a template, made when it is not there.
    pub(super) fn leaf(&mut self, segments: &[Segment]) -> &mut Leaf {
        match segments.split_first() {
            None => &mut self.leaf,
            Some((Segment::Literal(text), rest)) => {
                self.literals.entry(text.clone()).or_default().leaf(rest)
            }
            Some((Segment::Any, rest)) => self.any.get_or_insert_default().leaf(rest),
            Some((Segment::Rest, rest)) => self.tail(rest),
        }
    }

    fn tail(&mut self, segments: &[Segment]) -> &mut Leaf {
        // Longer tails fix more of the path, so they come first; among equals the order of `Segment` decides.
        let key = |tail: &[Segment]| (std::cmp::Reverse(tail.len()), tail.to_vec());
        let found = self
            .tails
            .binary_search_by_key(&key(segments), |tail| key(&tail.segments));
        let at = found.unwrap_or_else(|at| {
            self.tails.insert(
                at,
                Tail {
                    segments: segments.to_vec(),
                    leaf: Leaf::default(),
                },
            );
            at
        });
        &mut self.tails[at].leaf
    }

    /// Index of the most exact route from this node on, `at` being the next segment.
    pub(super) fn find(&self, at: usize, search: &mut Search<'_>) -> Option<usize> {
        let here = match search.path.get(at) {
            None => self.leaf.find(search),
            Some(segment) => {
                let literal = self.literals.get(segment.as_ref());
                let any = self.any.as_deref().filter(|_| !segment.is_empty());
                let mut found = None;
                for child in literal.into_iter().chain(any) {
                    found = found.or_else(|| child.find(at + 1, search));
                }
                found
            }
        };
        here.or_else(|| self.tails.iter().find_map(|tail| tail.find(at, search)))
    }
}

impl Tail {
    fn find(&self, at: usize, search: &mut Search<'_>) -> Option<usize> {
        let start = search.path.len().checked_sub(self.segments.len())?;
        let tail = search.path.get(start..).filter(|_| start >= at)?;
        let fits = self
            .segments
            .iter()
            .zip(tail)
            .all(|(wanted, found)| match wanted {
                Segment::Literal(text) => text == found,
                Segment::Any | Segment::Rest => !found.is_empty(),
            });
        if fits { self.leaf.find(search) } else { None }
    }
}

impl Leaf {
    /// The methods of a verb, made when they are not there.
    pub(super) fn methods(&mut self, verb: Option<&str>) -> &mut Methods {
        match verb {
            Some(verb) => self.verbs.entry(verb.to_owned()).or_default(),
            None => &mut self.plain,
        }
    }

    fn find(&self, search: &mut Search<'_>) -> Option<usize> {
        let methods = match search.verb {
            Some(verb) => self.verbs.get(verb)?,
            None => &self.plain,
        };
        let found = methods
            .get(search.method)
            .or_else(|| methods.get(EVERY_METHOD));
        if found.is_none() {
            search.allow.extend(methods.keys().cloned());
        }
        found.copied()
    }
}
