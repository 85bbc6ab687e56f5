//! Data flows one way inside a service, and imports point the same way.
//!
//! `pb request -> Command -> decide -> rows + outbox rows`: the inbound edges `grpc` and `consumer` know `app` and `saga`, those know `store`,
//! `publish` and `clients`, those know `domain`, and `domain` knows ids, money and time.

use super::paths::{Path, paths};
use super::tokens::Tokens;
use super::{File, Finding, Tree};

/// What a layer may not name. Where a path is below several prefixes, the longest decides.
struct Layer {
    module: &'static str,
    refused: &'static [&'static str],
    allowed: &'static [&'static str],
}

/// One entry for each module of a service's root; a module that is not listed follows [`ELSEWHERE`] alone.
const LAYERS: &[Layer] = &[
    Layer {
        module: "domain",
        refused: &[
            "crate",
            "mesh",
            "mesh::id::new",
            "proto",
            "prost",
            "tokio",
            "futures_util",
            "tracing",
            "metrics",
            "reqwest",
            "rand",
            "std::env",
            "std::fs",
            "std::io",
            "std::net",
            "std::process",
            "std::thread",
            "std::time::Instant",
            "std::time::SystemTime",
            "chrono::Local",
            "chrono::Utc::now",
            "uuid::Uuid::now_v7",
            "uuid::Uuid::new_v4",
        ],
        allowed: &["crate::domain", "mesh::id", "mesh::money"],
    },
    Layer {
        module: "store",
        refused: &["crate", "proto"],
        allowed: &[
            "crate::domain",
            "crate::store",
            "diesel",
            "diesel_async",
            "diesel_migrations",
        ],
    },
    Layer {
        module: "publish",
        refused: &["crate", "tonic"],
        allowed: &["crate::domain", "crate::publish", "diesel::QueryResult"],
    },
    Layer {
        module: "clients",
        refused: &["crate"],
        allowed: &["crate::domain", "crate::clients", "tonic::Status"],
    },
    Layer {
        module: "provider",
        refused: &["crate", "proto"],
        allowed: &["crate::domain", "crate::provider"],
    },
    Layer {
        module: "app",
        refused: &["crate::grpc", "crate::consumer", "crate::service", "tonic"],
        allowed: TRANSACTION_LINE,
    },
    Layer {
        module: "saga",
        refused: &["crate::grpc", "crate::consumer", "crate::service", "tonic"],
        allowed: TRANSACTION_LINE,
    },
    Layer {
        module: "grpc",
        refused: &["crate::store", "crate::consumer", "crate::service"],
        allowed: &["tonic::Status"],
    },
    Layer {
        module: "consumer",
        refused: &["crate::store", "crate::grpc", "crate::service", "tonic"],
        allowed: TRANSACTION_LINE,
    },
];

/// What the closure of a transaction answers with, and what the audit log is told: types, no statements and no answers.
const TRANSACTION_LINE: &[&str] = &[
    "diesel::QueryResult",
    "diesel::result::Error",
    "tonic::Code",
];

/// Refused in every module of a service that does not allow it. `lapin` is nowhere allowed.
const ELSEWHERE: &[&str] = &[
    "diesel",
    "diesel_async",
    "diesel_migrations",
    "lapin",
    "tonic::Status",
];

/// In mesh each library has its place too.
const MESH: &[(&str, &[&str])] = &[
    ("lapin", &["amqp"]),
    ("diesel", &["pg", "inbox", "outbox", "amqp"]),
    ("diesel_async", &["pg", "inbox", "outbox", "amqp"]),
    ("diesel_migrations", &["pg"]),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let Some(module) = file.module().filter(|_| !file.is_test()) else {
            continue;
        };
        let named = paths(&Tokens::of(&file.text).code, &module);
        let layer = module.first().copied().unwrap_or_default();
        if file.crate_name().ends_with("-svc") {
            service(file, layer, &named, &mut findings);
        } else if file.crate_name() == "mesh" {
            mesh(file, layer, &named, &mut findings);
        }
    }
    findings.dedup(); // an import and its use on one line
    findings
}

fn service(file: &File, module: &str, named: &[Path], findings: &mut Vec<Finding>) {
    let layer = LAYERS.iter().find(|layer| layer.module == module);
    let (refused, allowed) =
        layer.map_or((&[][..], &[][..]), |layer| (layer.refused, layer.allowed));
    for path in named {
        let refusing = longest(path, refused).max(longest(path, ELSEWHERE));
        if refusing > longest(path, allowed) {
            let whole = path.names.join("::");
            let problem = match module {
                "" => format!("the root of a service does not name {whole}"),
                module => format!("{module} does not name {whole}"),
            };
            findings.push(Finding::new(file, path.line, problem));
        }
    }
}

fn mesh(file: &File, module: &str, named: &[Path], findings: &mut Vec<Finding>) {
    for path in named {
        let wrong = MESH
            .iter()
            .find(|(library, homes)| path.is_below(library) && !homes.contains(&module));
        if let Some((library, homes)) = wrong {
            let problem = format!("{library} stays in mesh::{}", homes.join(", mesh::"));
            findings.push(Finding::new(file, path.line, problem));
        }
    }
}

/// Names of the longest prefix that `path` lies below; 0 without one.
fn longest(path: &Path, prefixes: &[&str]) -> usize {
    let below = prefixes.iter().filter(|prefix| path.is_below(prefix));
    below
        .map(|prefix| prefix.split("::").count())
        .max()
        .unwrap_or(0)
}
