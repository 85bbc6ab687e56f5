//! Which messages are published where, read from their `usher.mesh.v1.event` option: publisher and consumers declare the same from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use prost_reflect::{DescriptorPool, Value};
use proto::usher::mesh::v1::EventPolicy;
use thiserror::Error;

use crate::descriptors::{self, BrokenDescriptors};

const EXTENSION: &str = "usher.mesh.v1.event";
/// Longest name that AMQP carries, less the room for `.park` and a prefix.
const NAME_MAX: usize = 128;
/// Longest routing key of AMQP.
const KIND_MAX: usize = 255;

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Durable topic exchange, without prefix.
    pub exchange: String,
    /// Queues that receive it, without prefix. Empty: nobody yet, and the message still leaves.
    pub consumers: Vec<String>,
}

/// The route of every message that has one, by full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    routes: BTreeMap<String, Route>,
}

/// Why the options cannot be used.
#[derive(Clone, Debug, Error)]
pub enum EventsError {
    /// The embedded descriptors are broken.
    #[error(transparent)]
    Descriptors(#[from] BrokenDescriptors),
    /// An option says something impossible.
    #[error("the event option of {message} {problem}")]
    Wrong {
        /// Full name of the message.
        message: String,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Events {
    /// The events of the embedded contracts, read once a process.
    pub fn embedded() -> Result<&'static Self, EventsError> {
        static EVENTS: OnceLock<Result<Events, EventsError>> = OnceLock::new();
        let events = EVENTS.get_or_init(|| Self::read(&descriptors::pool()?));
        events.as_ref().map_err(Clone::clone)
    }

    /// The events of `pool`.
    pub fn read(pool: &DescriptorPool) -> Result<Self, EventsError> {
        let Some(extension) = pool.get_extension_by_name(EXTENSION) else {
            return Err(BrokenDescriptors.into());
        };
        let mut routes = BTreeMap::new();
        for message in pool.all_messages() {
            let options = message.options();
            if !options.has_extension(&extension) {
                continue;
            }
            let name = message.full_name().to_owned();
            let Value::Message(option) = options.get_extension(&extension).into_owned() else {
                return Err(wrong(name, "is no EventPolicy"));
            };
            let policy: EventPolicy = match option.transcode_to() {
                Ok(policy) => policy,
                Err(_) => return Err(wrong(name, "is no EventPolicy")),
            };
            routes.insert(name.clone(), route(name, policy)?);
        }
        Ok(Self { routes })
    }

    /// Where messages of this type go.
    #[must_use]
    pub fn route(&self, kind: &str) -> Option<&Route> {
        self.routes.get(kind)
    }

    /// Types that `queue` receives.
    #[must_use]
    pub fn types_of(&self, queue: &str) -> BTreeSet<&str> {
        let receives = |route: &Route| route.consumers.iter().any(|consumer| consumer == queue);
        let types = self.routes.iter().filter(|(_, route)| receives(route));
        types.map(|(kind, _)| kind.as_str()).collect()
    }

    /// Every type with its route.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Route)> {
        self.routes
            .iter()
            .map(|(kind, route)| (kind.as_str(), route))
    }
}

fn route(message: String, policy: EventPolicy) -> Result<Route, EventsError> {
    let named = |name: &String| {
        !name.is_empty()
            && name.len() <= NAME_MAX
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    if message.len() > KIND_MAX {
        return Err(wrong(message, "stands on a name that is no routing key"));
    }
    if !named(&policy.exchange) {
        return Err(wrong(message, "names no exchange"));
    }
    if !policy.consumers.iter().all(named) {
        return Err(wrong(message, "names a queue that cannot be"));
    }
    Ok(Route {
        exchange: policy.exchange,
        consumers: policy.consumers,
    })
}

fn wrong(message: String, problem: &'static str) -> EventsError {
    EventsError::Wrong { message, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_the_contracts_has_a_route() {
        let events = Events::embedded().unwrap();
        assert!(events.iter().count() >= 10);
        for (kind, route) in events.iter() {
            for queue in &route.consumers {
                assert!(events.types_of(queue).contains(kind), "{kind} -> {queue}");
            }
        }
        assert!(events.route("usher.mesh.v1.EventPolicy").is_none());
        assert!(events.types_of("nobody.nothing").is_empty());
    }

    #[test]
    fn an_impossible_option_is_refused() {
        let policy = |exchange: &str, queue: &str| EventPolicy {
            exchange: exchange.to_owned(),
            consumers: vec![queue.to_owned()],
        };
        let read = |policy| route("a.B".to_owned(), policy);
        assert!(route("a".repeat(KIND_MAX + 1), policy("a", "b.c")).is_err());
        assert!(read(policy("a", "b.c")).is_ok());
        assert!(read(policy("", "b.c")).is_err());
        assert!(read(policy("a", "")).is_err());
        assert!(read(policy("a", "b c")).is_err());
        assert!(read(policy("a", &"b".repeat(NAME_MAX + 1))).is_err());
    }
}
