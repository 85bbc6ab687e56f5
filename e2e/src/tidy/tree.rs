//! The files of a checkout.

use std::fs;
use std::io;
use std::path::Path;

/// Kinds of files that rules read.
const READ: [&str; 5] = ["rs", "md", "toml", "sql", "proto"];

/// Folders that hold no source of ours: outputs, examples that are wrong on purpose, contracts of others.
const SKIPPED: [&str; 3] = ["target", "e2e/bad", "proto/google"];

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path from the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl File {
    /// The folder at the root it lies in: the name of its crate.
    #[must_use]
    pub fn crate_name(&self) -> &str {
        self.path.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// The path below `<crate>/src/`, without `.rs`, as module names; `None` for other files. `lib.rs` and `main.rs` are the root: empty.
    #[must_use]
    pub fn module(&self) -> Option<Vec<&str>> {
        let (_, inside) = self.path.split_once('/')?;
        let inside = inside.strip_prefix("src/")?.strip_suffix(".rs")?;
        Some(match inside {
            "lib" | "main" => Vec::new(),
            inside => inside.split('/').collect(),
        })
    }

    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether all of it is a test.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

/// All files that rules read, in the order of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The files.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads every file below `root`, hidden folders left out.
    ///
    /// # Errors
    /// When a folder or file cannot be read, or is not UTF-8.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        collect(root, "", &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { files })
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if name.starts_with('.') || SKIPPED.contains(&path.as_str()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if READ.iter().any(|kind| name.ends_with(&format!(".{kind}"))) {
            let text = fs::read_to_string(entry.path())?;
            files.push(File { path, text });
        }
    }
    Ok(())
}
