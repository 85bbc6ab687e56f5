//! From an HTTP method and a path to a [`Route`].
//!
//! A tree of segments, searched depth first with the most exact child first: literal, then `*`, then `**`; behind `**` the longer tail
//! first. A template with a custom verb comes before one without. The leftmost difference decides, so `/v1/a/*` wins over `/v1/*/b` for
//! `/v1/a/b`. A template that fits the path and lacks the HTTP method does not end the search; what such templates do accept becomes
//! `Allow`. No tree node is looked at twice for one path and verb, so a path cannot make the search long.

mod tree;

use std::borrow::Cow;
use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, MethodDescriptor};

use crate::build::BuildErrors;
use crate::percent::{self, Keep};
use crate::route::Route;
use crate::rule;
use tree::{Node, Search};

/// The routes of a descriptor pool.
#[derive(Debug)]
pub struct Router {
    routes: Vec<Route>,
    root: Node,
}

/// A route that fits a request line, with the raw text of its path variables.
#[derive(Debug)]
pub struct Match<'r> {
    /// The route.
    pub route: &'r Route,
    /// Raw text of each path variable, in the order of the template.
    pub(crate) captures: Vec<String>,
}

/// Why no route fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// No template fits the path.
    UnknownPath,
    /// Templates fit the path, with other HTTP methods.
    WrongMethod {
        /// The methods that would do, for the header `Allow`.
        allow: BTreeSet<String>,
    },
}

impl Router {
    /// Reads `google.api.http` of every method of `pool` that `serve` picks.
    ///
    /// # Errors
    /// Every mistake of the annotations at once: templates that do not parse, fields that do not exist, two methods with one route,
    /// streaming requests, a pool without `google/api/annotations.proto`.
    pub fn build(
        pool: &DescriptorPool,
        serve: impl Fn(&MethodDescriptor) -> bool,
    ) -> Result<Self, BuildErrors> {
        let mut router = Self {
            routes: Vec::new(),
            root: Node::default(),
        };
        let mut errors = Vec::new();
        let http = rule::extension(pool)?;
        for method in pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
        {
            if !serve(&method) {
                continue;
            }
            for route in rule::routes(&method, &http) {
                match route {
                    Ok(route) => errors.extend(router.add(route).err()),
                    Err(error) => errors.push(error),
                }
            }
        }
        if errors.is_empty() {
            Ok(router)
        } else {
            Err(BuildErrors(errors))
        }
    }

    /// Every route, in the order of the descriptors.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Finds the route of a request line. `path` is raw, without the query.
    ///
    /// # Errors
    /// [`Miss`] when no route fits.
    pub fn find(&self, method: &str, path: &str) -> Result<Match<'_>, Miss> {
        let raw = split(path).ok_or(Miss::UnknownPath)?;
        let mut allow = BTreeSet::new();
        let with_verb = raw.split_last().and_then(|(last, before)| {
            let (base, verb) = last.rsplit_once(':')?;
            Some(([before, &[base]].concat(), Some(verb)))
        });
        for (raw, verb) in with_verb.into_iter().chain([(raw, None)]) {
            let segments: Vec<_> = raw.iter().map(|segment| decoded(segment)).collect();
            let mut search = Search {
                path: &segments,
                verb,
                method,
                allow: &mut allow,
            };
            if let Some(route) = self
                .root
                .find(0, &mut search)
                .and_then(|at| self.routes.get(at))
            {
                let template = &route.template;
                let captures = template
                    .variables
                    .iter()
                    .map(|v| template.capture(v, &raw))
                    .collect();
                return Ok(Match { route, captures });
            }
        }
        if allow.is_empty() {
            Err(Miss::UnknownPath)
        } else {
            Err(Miss::WrongMethod { allow })
        }
    }

    fn add(&mut self, route: Route) -> Result<(), crate::build::BuildError> {
        let methods = self
            .root
            .leaf(&route.template.segments)
            .methods(route.template.verb.as_deref());
        let taken = methods
            .get(&route.http_method)
            .and_then(|at| self.routes.get(*at));
        if let Some(taken) = taken {
            return Err(crate::build::BuildError::Duplicate {
                first: taken.method.full_name().to_owned(),
                second: route.method.full_name().to_owned(),
                route: format!("{} {}", route.http_method, route.pattern),
            });
        }
        methods.insert(route.http_method.clone(), self.routes.len());
        self.routes.push(route);
        Ok(())
    }
}

/// The segments of a path: none for `/`. `None` for a request target that is no path, such as `*`.
fn split(path: &str) -> Option<Vec<&str>> {
    let rest = path.strip_prefix('/')?;
    Some(if rest.is_empty() {
        Vec::new()
    } else {
        rest.split('/').collect()
    })
}

/// A segment as literals see it. One that does not decode equals no literal; as a variable it is refused later, with its field.
fn decoded(segment: &str) -> Cow<'_, str> {
    percent::decode(segment, Keep::Nothing).unwrap_or(Cow::Borrowed(segment))
}
