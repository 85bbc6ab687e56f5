//! A page for browsers, from the files of one folder: for demonstrations, where nobody has a front end yet.
//!
//! Files are read at start and found by their exact names, so no path of a request reaches the file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderValue, Method, Response};
use thiserror::Error;
use tokio::io::AsyncReadExt;
use transcode::Failure;

/// Where the page is; the file behind it is [`INDEX`].
pub(crate) const PREFIX: &str = "/page/";
/// What is answered at the prefix itself.
const INDEX: &str = "index.html";
/// Most files: all of them stay in memory.
const FILES_MAX: usize = 32;
/// Largest file, for the same reason.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Extensions and what browsers are told of them; nothing else is served.
const KINDS: [(&str, &str); 5] = [
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
];
/// Nothing from elsewhere, no inline script, no frame around it.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A folder that is no page.
#[derive(Debug, Error)]
pub enum PageError {
    /// The folder or a file in it cannot be read.
    #[error("{0} cannot be read")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// Nothing to begin with.
    #[error("the folder {0} has no index.html")]
    NoIndex(PathBuf),
    /// Something else than a file of a page.
    #[error(
        "{0} is no file of a page: give it a name of a-z, 0-9, '-' and '_' that ends with .html, .css, .js, .svg or .ico, or hide it with a dot"
    )]
    Stranger(PathBuf),
    /// A large file.
    #[error("{0} has more than 1 MiB")]
    TooLarge(PathBuf),
    /// Many files.
    #[error("the folder {0} has more than 32 files")]
    TooMany(PathBuf),
}

/// The files of a page, by name.
#[derive(Clone, Debug)]
pub(crate) struct Page(BTreeMap<String, File>);

#[derive(Clone, Debug)]
struct File {
    content_type: &'static str,
    bytes: Bytes,
}

impl Page {
    /// Reads every file of a folder; hidden ones are left out.
    pub(crate) async fn read(folder: &Path) -> Result<Self, PageError> {
        let unreadable = |error| PageError::Unreadable(folder.to_owned(), error);
        let mut entries = tokio::fs::read_dir(folder).await.map_err(unreadable)?;
        let mut files = BTreeMap::new();
        while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            let known = name.to_str().and_then(|name| Some((name, kind(name)?)));
            let Some((name, content_type)) = known else {
                return Err(PageError::Stranger(path));
            };
            if files.len() == FILES_MAX {
                return Err(PageError::TooMany(folder.to_owned()));
            }
            let bytes = read(&path).await?;
            let file = File {
                content_type,
                bytes,
            };
            files.insert(name.to_owned(), file);
        }
        match files.contains_key(INDEX) {
            true => Ok(Self(files)),
            false => Err(PageError::NoIndex(folder.to_owned())),
        }
    }

    /// The paths that are answered.
    pub(crate) fn paths(&self) -> impl Iterator<Item = String> {
        let names = self.0.keys().map(String::as_str);
        names.chain([""]).map(|name| format!("{PREFIX}{name}"))
    }

    /// The answer to a request for one of the files; `None` when it is for something else.
    pub(crate) fn answer(
        &self,
        method: &Method,
        path: &str,
    ) -> Option<Result<Response<Bytes>, Failure>> {
        let name = path.strip_prefix(PREFIX)?;
        let name = if name.is_empty() { INDEX } else { name };
        let file = self.0.get(name)?;
        // The answer to HEAD loses its body on the way out.
        if ![Method::GET, Method::HEAD].contains(method) {
            return Some(Err(Failure::method_not_allowed(["GET", "HEAD"])));
        }
        Some(Ok(file.answer()))
    }
}

impl File {
    fn answer(&self) -> Response<Bytes> {
        let mut response = Response::new(self.bytes.clone());
        // Whoever changes a file and starts again sees the change.
        let headers = [
            (CONTENT_TYPE, self.content_type),
            (CONTENT_SECURITY_POLICY, POLICY),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-store"),
        ];
        for (name, value) in headers {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The content type of a name that needs no escapes in a path; `None` for others.
fn kind(name: &str) -> Option<&'static str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let plain = !stem.is_empty() && stem.chars().all(plain);
    let known = KINDS.iter().find(|(known, _)| *known == extension);
    known.filter(|_| plain).map(|(_, kind)| *kind)
}

/// A file, which may have grown since it was listed.
async fn read(path: &Path) -> Result<Bytes, PageError> {
    let unreadable = |error| PageError::Unreadable(path.to_owned(), error);
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut bytes = Vec::new();
    let mut rest = file.take(FILE_BYTES_MAX + 1);
    rest.read_to_end(&mut bytes).await.map_err(unreadable)?;
    match rest.limit() {
        0 => Err(PageError::TooLarge(path.to_owned())),
        _ => Ok(bytes.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn names_that_need_no_escapes_have_a_kind() {
        assert_eq!(kind("index.html"), Some("text/html; charset=utf-8"));
        assert_eq!(kind("a-1_b.js"), Some("text/javascript; charset=utf-8"));
        for other in [
            "index", ".html", "a.exe", "A.css", "a b.css", "a.b.css", "..", "a/b.css", "a%2e.css",
        ] {
            assert_eq!(kind(other), None, "{other}");
        }
    }
}
