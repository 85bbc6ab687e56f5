//! The methods one listener serves: route, policy, and the channel to the service behind.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use mesh::client::pool::Pool;
use mesh::policy::{Access, Policies, Policy};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use transcode::{Failure, Match, Miss, Route, Router, openapi};

use crate::edge::EdgeError;
use crate::rates::Rates;
use crate::terms;

/// Title of the contract.
const TITLE: &str = "usher";

/// Which methods a listener serves. Methods for the mesh alone are in neither: outside they do not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// For callers: PUBLIC, USER, SELLER.
    Public,
    /// For operators: ADMIN.
    Admin,
}

impl Side {
    fn serves(self, access: Access) -> bool {
        match access {
            Access::Public | Access::User | Access::Seller => self == Self::Public,
            Access::Admin => self == Self::Admin,
            Access::Mesh => false,
        }
    }
}

/// The routed packages of a pool with everything that is known about them.
pub(crate) struct Contracts {
    pub(crate) pool: DescriptorPool,
    pub(crate) policies: Policies,
    pub(crate) peers: HashMap<String, Pool>,
    pub(crate) address_factor: NonZeroU32,
}

/// One method behind the door.
pub(crate) struct Entry {
    pub(crate) policy: Arc<Policy>,
    pub(crate) rates: Option<Rates>,
    pub(crate) path: PathAndQuery,
    pub(crate) peer: Pool,
}

/// The methods of one listener.
pub(crate) struct Table {
    router: Router,
    /// By full name of the method.
    entries: HashMap<String, Entry>,
}

impl Contracts {
    fn policy(&self, method: &MethodDescriptor) -> Option<Arc<Policy>> {
        if !self.peers.contains_key(method.parent_file().package_name()) {
            return None;
        }
        self.policies.get(&grpc_path(method))
    }

    fn entry(&self, method: &MethodDescriptor) -> Option<Entry> {
        let policy = self.policy(method)?;
        Some(Entry {
            rates: policy
                .rate
                .map(|rate| Rates::new(rate, self.address_factor)),
            policy,
            path: PathAndQuery::try_from(grpc_path(method)).ok()?,
            peer: self.peers.get(method.parent_file().package_name())?.clone(),
        })
    }
}

impl Table {
    pub(crate) fn build(contracts: &Contracts, side: Side) -> Result<Self, EdgeError> {
        let serves = |method: &MethodDescriptor| {
            contracts
                .policy(method)
                .is_some_and(|policy| side.serves(policy.access))
        };
        let router = Router::build(&contracts.pool, serves)?;
        let methods = router.routes().iter().map(Route::method);
        let entries = methods
            .filter_map(|method| Some((method.full_name().to_owned(), contracts.entry(method)?)));
        Ok(Self {
            entries: entries.collect(),
            router,
        })
    }

    /// The method of a request line.
    pub(crate) fn find(&self, method: &str, path: &str) -> Result<(&Entry, Match<'_>), Failure> {
        let found = self.router.find(method, path).map_err(|miss| match miss {
            Miss::UnknownPath => Failure::route_not_found(),
            Miss::WrongMethod { allow } => {
                Failure::method_not_allowed(allow.iter().map(String::as_str))
            }
        })?;
        let entry = self.entries.get(found.route.method().full_name());
        entry
            .map(|entry| (entry, found))
            .ok_or_else(Failure::route_not_found)
    }

    /// Whether a method has this path, whatever the verb of HTTP.
    pub(crate) fn has(&self, path: &str) -> bool {
        !matches!(self.router.find("GET", path), Err(Miss::UnknownPath))
    }

    /// The contract of this listener, as JSON.
    pub(crate) fn document(&self) -> Bytes {
        let version = env!("CARGO_PKG_VERSION");
        let terms = |route: &Route| {
            let entry = self.entries.get(route.method().full_name());
            let takes_body = route.takes_body();
            entry.map_or_else(terms::unknown, |entry| terms::of(&entry.policy, takes_body))
        };
        let document = openapi::document(&self.router, TITLE, version, terms);
        document.to_string().into()
    }

    /// How many routes there are.
    pub(crate) fn len(&self) -> usize {
        self.router.routes().len()
    }
}

fn grpc_path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}
