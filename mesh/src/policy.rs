//! Who may call a method and within which bounds, read from the method's annotation. edge-proxy refuses early by it, a service enforces it.
//!
//! A served method without a policy stops the process: access is denied by default.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor};
use proto::usher::mesh::v1::{Access as PbAccess, MethodPolicy};
use thiserror::Error;

use crate::status::{CALLER_NOT_ALLOWED, ROLE_REQUIRED, Refusal, TOKEN_MISSING};

/// Bytes a request may have when its policy does not say.
pub const REQUEST_BYTES_DEFAULT: usize = 1024 * 1024;
/// Time a call may take when its policy does not say: only health and reflection, whose watches live long.
const BUILT_IN_DEADLINE: Duration = Duration::from_secs(3600);
/// Services of the libraries we serve with, which carry no annotation of ours. PUBLIC by this constant table.
const BUILT_IN: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];
const EXTENSION: &str = "usher.mesh.v1.policy";

/// Lowest rung of the ladder that may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Anybody.
    Public,
    /// Any valid token.
    User,
    /// A token with the role SELLER or ADMIN.
    Seller,
    /// A token with the role ADMIN.
    Admin,
    /// Named peers alone.
    Mesh,
}

/// How often one subject may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls in one period.
    pub requests: NonZeroU32,
    /// Length of the period.
    pub period: Duration,
    /// Calls at once.
    pub burst: NonZeroU32,
}

/// The policy of one method.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Full name of the method as in a request path: `/package.Service/Method`.
    pub path: String,
    /// Lowest rung that may call.
    pub access: Access,
    /// Peers that may call besides.
    pub callers: Vec<String>,
    /// Scopes of which one is needed; empty: none.
    pub scopes: Vec<String>,
    /// Server-side cap on a call; for a stream its longest life.
    pub deadline: Duration,
    /// Whether a queue pass is verified when present.
    pub queue_pass: bool,
    /// Bound per subject.
    pub rate: Option<Rate>,
    /// Whether calls are written to the audit log.
    pub audit: bool,
    /// Largest request in bytes.
    pub max_request_bytes: usize,
    /// Whether a repeated call does no harm by its own declaration.
    pub repeatable: bool,
    /// Whether the answer is a stream.
    pub server_streaming: bool,
}

/// What a caller has shown of itself.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Rung of its token, if it has one.
    pub access: Option<Access>,
    /// Scopes of its token.
    pub scopes: &'a [String],
    /// Name of the peer, if it proved to be one.
    pub peer: Option<&'a str>,
}

impl Policy {
    /// Whether a caller of this standing may call; otherwise the refusal that says what is missing.
    pub fn admit(&self, standing: Standing<'_>) -> Result<(), Refusal> {
        if standing
            .peer
            .is_some_and(|peer| self.callers.iter().any(|caller| caller == peer))
        {
            return Ok(());
        }
        if self.access == Access::Mesh {
            return Err(CALLER_NOT_ALLOWED.refuse("only services of the mesh call this method"));
        }
        if self.access == Access::Public {
            return Ok(());
        }
        let Some(access) = standing.access else {
            return Err(TOKEN_MISSING.refuse("this method needs an access token"));
        };
        if access < self.access {
            let role = if self.access == Access::Admin {
                "ADMIN"
            } else {
                "SELLER"
            };
            let message = format!("this method needs the role {role}");
            return Err(ROLE_REQUIRED.refuse(message).with("role", role));
        }
        let scoped = self.scopes.is_empty()
            || self
                .scopes
                .iter()
                .any(|scope| standing.scopes.contains(scope));
        if scoped {
            return Ok(());
        }
        let scopes = self.scopes.join(" ");
        let message = format!("this method needs one of the scopes: {scopes}");
        Err(ROLE_REQUIRED.refuse(message).with("scope", scopes))
    }
}

/// Why a process does not start.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// A method has no policy, or one without access.
    #[error("{0} has no policy: annotate it with option (usher.mesh.v1.policy), access included")]
    Missing(String),
    /// A policy says something impossible.
    #[error("the policy of {method} is wrong: {problem}")]
    Wrong {
        /// Full name of the method.
        method: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A served service is not in the descriptor set.
    #[error("{0} is served and has no descriptor")]
    UnknownService(String),
    /// The overlay names what does not exist.
    #[error("the policy overlay names {0}, which is not served")]
    UnknownOverlayMethod(String),
    /// The contracts themselves lack the policy option.
    #[error("the descriptor set does not define usher.mesh.v1.policy")]
    NoExtension,
}

/// The policies of a set of methods by request path.
#[derive(Clone, Debug)]
pub struct Policies {
    by_path: HashMap<String, Arc<Policy>>,
}

impl Policies {
    /// Policies of every method of `services` (full names). Fails on the first method without one.
    pub fn of_services(pool: &DescriptorPool, services: &[&str]) -> Result<Self, PolicyError> {
        let extension = extension(pool)?;
        let mut by_path = HashMap::new();
        for name in services {
            if BUILT_IN.contains(name) {
                continue;
            }
            let service = pool
                .get_service_by_name(name)
                .ok_or_else(|| PolicyError::UnknownService((*name).to_owned()))?;
            for method in service.methods() {
                let policy = read(&method, &extension)?;
                by_path.insert(policy.path.clone(), Arc::new(policy));
            }
        }
        Ok(Self { by_path })
    }

    /// Adds callers to methods: `package.Service/Method` to names. It cannot widen access.
    pub fn overlay(mut self, overlay: &BTreeMap<String, Vec<String>>) -> Result<Self, PolicyError> {
        for (method, callers) in overlay {
            let policy = self
                .by_path
                .get_mut(&format!("/{method}"))
                .ok_or_else(|| PolicyError::UnknownOverlayMethod(method.clone()))?;
            Arc::make_mut(policy)
                .callers
                .extend(callers.iter().cloned());
        }
        Ok(self)
    }

    /// The policy of a request path; built-in services have one too. `None` means: refuse.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Arc<Policy>> {
        if let Some(policy) = self.by_path.get(path) {
            return Some(Arc::clone(policy));
        }
        let service = path.strip_prefix('/')?.split_once('/')?.0;
        BUILT_IN
            .contains(&service)
            .then(|| Arc::new(built_in(path)))
    }

    /// Every policy, by path.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.by_path.values()
    }
}

/// The policy annotated on `method`.
pub fn of_method(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Policy, PolicyError> {
    read(method, &extension(pool)?)
}

fn extension(pool: &DescriptorPool) -> Result<ExtensionDescriptor, PolicyError> {
    pool.all_extensions()
        .find(|extension| extension.full_name() == EXTENSION)
        .ok_or(PolicyError::NoExtension)
}

fn built_in(path: &str) -> Policy {
    Policy {
        path: path.to_owned(),
        access: Access::Public,
        callers: Vec::new(),
        scopes: Vec::new(),
        deadline: BUILT_IN_DEADLINE,
        queue_pass: false,
        rate: None,
        audit: false,
        max_request_bytes: REQUEST_BYTES_DEFAULT,
        repeatable: true,
        server_streaming: true,
    }
}

fn read(method: &MethodDescriptor, extension: &ExtensionDescriptor) -> Result<Policy, PolicyError> {
    let missing = || PolicyError::Missing(method.full_name().to_owned());
    let wrong = |problem| PolicyError::Wrong {
        method: method.full_name().to_owned(),
        problem,
    };
    let options: DynamicMessage = method.options();
    if !options.has_extension(extension) {
        return Err(missing());
    }
    let value = options.get_extension(extension);
    let message = value.as_message().ok_or_else(missing)?;
    let annotated: MethodPolicy = message.transcode_to().map_err(|_| missing())?;
    let deadline = annotated
        .deadline
        .and_then(|deadline| Duration::try_from(deadline).ok())
        .filter(|deadline| !deadline.is_zero())
        .ok_or_else(|| wrong("it has no deadline"))?;
    let access = match annotated.access() {
        PbAccess::Unspecified => return Err(missing()),
        PbAccess::Public => Access::Public,
        PbAccess::User => Access::User,
        PbAccess::Seller => Access::Seller,
        PbAccess::Admin => Access::Admin,
        PbAccess::Mesh => Access::Mesh,
    };
    if access == Access::Mesh && annotated.callers.is_empty() {
        return Err(wrong("MESH names no callers"));
    }
    let max_request_bytes = match annotated.max_request_bytes {
        0 => REQUEST_BYTES_DEFAULT,
        bytes => usize::try_from(bytes).map_err(|_| wrong("max_request_bytes is too large"))?,
    };
    let level = method.method_descriptor_proto().options.as_ref();
    Ok(Policy {
        path: format!("/{}/{}", method.parent_service().full_name(), method.name()),
        access,
        rate: rate(&annotated).map_err(wrong)?,
        callers: annotated.callers,
        scopes: annotated.scopes,
        deadline,
        queue_pass: annotated.queue_pass,
        audit: annotated.audit,
        max_request_bytes,
        repeatable: level.is_some_and(|options| options.idempotency_level.unwrap_or(0) != 0),
        server_streaming: method.is_server_streaming(),
    })
}

fn rate(annotated: &MethodPolicy) -> Result<Option<Rate>, &'static str> {
    let Some(rate) = &annotated.rate else {
        return Ok(None);
    };
    let requests = NonZeroU32::new(rate.requests).ok_or("rate.requests is 0")?;
    let period = match rate.period {
        None => Duration::from_secs(1),
        Some(period) => Duration::try_from(period).map_err(|_| "rate.period is negative")?,
    };
    let burst = NonZeroU32::new(rate.burst).unwrap_or(requests);
    Ok(Some(Rate {
        requests,
        period,
        burst,
    }))
}

#[cfg(test)]
mod tests;
