//! Pages that are generated, so that they cannot differ from the program: docs/METHODS.md, docs/ERRORS.md, and the variables in README.md.
//!
//! A test compares them with what is committed; `cargo run -p e2e --bin usher-docs` writes them anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub mod errors;
pub mod methods;
pub mod variables;

use thiserror::Error;

/// A page of the checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Path from the root.
    pub path: &'static str,
    /// What it has to say.
    pub text: String,
}

/// Why the pages cannot be made.
#[derive(Debug, Error)]
pub enum DocsError {
    /// The contracts are broken.
    #[error("the methods cannot be listed")]
    Methods(#[from] methods::MethodsError),
    /// Two crates disagree about a reason.
    #[error("the reasons contradict each other")]
    Errors(#[from] errors::Contradiction),
    /// A file.
    #[error("{path} cannot be read or written")]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// README.md has no place for the table.
    #[error("README.md lacks the lines {begin} and {end}", begin = variables::BEGIN, end = variables::END)]
    NoMarkers,
}

/// Every generated page, the README with its table in place.
pub fn pages(root: &Path) -> Result<Vec<Page>, DocsError> {
    let readme = read(&root.join("README.md"))?;
    Ok(vec![
        Page {
            path: "docs/METHODS.md",
            text: methods::page()?,
        },
        Page {
            path: "docs/ERRORS.md",
            text: errors::page()?,
        },
        Page {
            path: "README.md",
            text: variables::replace(&readme).ok_or(DocsError::NoMarkers)?,
        },
    ])
}

/// The pages that differ from what is committed.
pub fn stale(root: &Path) -> Result<Vec<&'static str>, DocsError> {
    let mut stale = Vec::new();
    for page in pages(root)? {
        let path = root.join(page.path);
        if !path.exists() || read(&path)? != page.text {
            stale.push(page.path);
        }
    }
    Ok(stale)
}

/// Writes every page; answers the paths of those that changed.
pub fn write(root: &Path) -> Result<Vec<&'static str>, DocsError> {
    let changed = stale(root)?;
    for page in pages(root)? {
        let path = root.join(page.path);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, page.text))
            .map_err(|source| DocsError::File { path, source })?;
    }
    Ok(changed)
}

fn read(path: &Path) -> Result<String, DocsError> {
    fs::read_to_string(path).map_err(|source| DocsError::File {
        path: path.to_owned(),
        source,
    })
}

/// The folder of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}
