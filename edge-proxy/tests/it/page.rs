//! The page of a folder: what is served, and what never is.

use std::path::{Path, PathBuf};

use edge_proxy::{EdgeError, PageError};
use mesh::id;
use mesh::identity::SigningKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::contracts::Contracts;
use crate::door::{Running, config, send};
use crate::operations::build;

/// A folder of a test, with a file beside it that is nobody's business.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let outside = std::env::temp_dir().join(format!("usher-page-{}", id::new()));
        std::fs::create_dir_all(outside.join("files")).unwrap();
        std::fs::write(outside.join("secret.css"), "secret").unwrap();
        let folder = Self(outside);
        folder.put("index.html", "<!doctype html><title>x</title>");
        folder.put("page.css", "p { margin: 0 }");
        folder.put("page.js", "export {};");
        folder.put(".page.js.swp", "half a file");
        folder
    }

    fn path(&self) -> PathBuf {
        self.0.join("files")
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// Why a door with this folder is not built.
    async fn refused(&self, folder: &Path) -> PageError {
        let jwks = SigningKey::generate().unwrap().to_jwks();
        std::fs::write(self.0.join("jwks.json"), jwks).unwrap();
        let mut config = config(&self.0, "usher.booking.v1=http://127.0.0.1:1");
        config.page = Some(folder.to_owned());
        match build(config).await.unwrap_err() {
            EdgeError::Page(error) => error,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sends a request line as it is: clients tidy paths up before they send them.
async fn raw(door: &Running, path: &str) -> String {
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn files_of_the_folder_are_served_as_what_they_are() {
    let folder = Folder::new();
    let door = Running::with(|config| config.page = Some(folder.path())).await;
    for (path, kind, text) in [
        (
            "/page/",
            "text/html; charset=utf-8",
            "<!doctype html><title>x</title>",
        ),
        (
            "/page/index.html",
            "text/html; charset=utf-8",
            "<!doctype html><title>x</title>",
        ),
        (
            "/page/page.css",
            "text/css; charset=utf-8",
            "p { margin: 0 }",
        ),
        (
            "/page/page.js?v=1",
            "text/javascript; charset=utf-8",
            "export {};",
        ),
    ] {
        let answer = door.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, kind),
            "{path}"
        );
        assert_eq!(answer.bytes, text.as_bytes(), "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let head = send(door.request("HEAD", "/page/page.css")).await;
    assert_eq!(
        (head.status, head.header("content-length"), head.bytes.len()),
        (200, "15", 0)
    );
    let post = send(door.request("POST", "/page/page.css")).await;
    assert_eq!(post.refusal(), (405, "METHOD_NOT_ALLOWED".to_owned()));
    assert_eq!(post.header("allow"), "GET, HEAD");
    let unknown = (404, "ROUTE_NOT_FOUND".to_owned());
    assert_eq!(door.get("/page/other.css").await.refusal(), unknown);
    // The page is for callers, and the methods are where they were.
    assert_eq!(
        door.operator("GET", "/page/", None).await.refusal(),
        unknown
    );
    assert_eq!(door.get("/v1/venues/x").await.status, 200);
}

#[tokio::test]
async fn without_a_folder_there_is_no_page() {
    let door = Running::start().await;
    for path in ["/page/", "/page/index.html", "/page"] {
        let refusal = door.get(path).await.refusal();
        assert_eq!(refusal, (404, "ROUTE_NOT_FOUND".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let folder = Folder::new();
    let door = Running::with(|config| config.page = Some(folder.path())).await;
    assert!(
        raw(&door, "/page/page.css")
            .await
            .starts_with("HTTP/1.1 200")
    );
    let absolute = format!("/page/{}", folder.0.join("secret.css").display());
    for path in [
        "/page/../secret.css",
        "/page/..%2fsecret.css",
        "/page/%2e%2e/secret.css",
        "/page/%2e%2e%2fsecret.css",
        "/page/..%5csecret.css",
        "/page/%252e%252e%252fsecret.css",
        "/page/..%c0%afsecret.css",
        "/page/./page.css",
        "/page//page.css",
        "/page/page.css/",
        "/page/page.css%00.html",
        "/page/.page.js.swp",
        "/PAGE/page.css",
        &absolute,
    ] {
        let answer = raw(&door, path).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        assert!(
            !answer.contains("secret\r\n") && !answer.ends_with("secret"),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_folder_that_is_no_page_stops_the_start() {
    let folder = Folder::new();
    let missing = folder.refused(&folder.0.join("nowhere")).await;
    assert!(matches!(missing, PageError::Unreadable(..)), "{missing}");
    let not_a_folder = folder.refused(&folder.0.join("secret.css")).await;
    assert!(
        matches!(not_a_folder, PageError::Unreadable(..)),
        "{not_a_folder}"
    );
    let empty = folder.0.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let empty = folder.refused(&empty).await;
    assert!(matches!(empty, PageError::NoIndex(_)), "{empty}");

    folder.put("large.svg", &"x".repeat(1024 * 1024 + 1));
    let large = folder.refused(&folder.path()).await;
    assert!(matches!(large, PageError::TooLarge(_)), "{large}");
    folder.put("large.svg", &"x".repeat(1024 * 1024));
    for number in 0..29 {
        folder.put(&format!("{number}.svg"), "");
    }
    let many = folder.refused(&folder.path()).await;
    assert!(matches!(many, PageError::TooMany(_)), "{many}");
    std::fs::remove_file(folder.path().join("0.svg")).unwrap();
    drop(Running::with(|config| config.page = Some(folder.path())).await);

    std::fs::remove_file(folder.path().join("1.svg")).unwrap();
    folder.put("notes.txt", "");
    let stranger = folder.refused(&folder.path()).await;
    let text = stranger.to_string();
    assert!(matches!(stranger, PageError::Stranger(_)), "{text}");
    assert!(
        text.contains("notes.txt") && text.contains(".html"),
        "{text}"
    );
}

#[tokio::test]
async fn a_method_at_a_path_of_the_page_stops_the_start() {
    let folder = Folder::new();
    folder.put("abcdef.js", "");
    let jwks = SigningKey::generate().unwrap().to_jwks();
    std::fs::write(folder.0.join("jwks.json"), jwks).unwrap();
    let (before, after) = (b"/v1/ticket-keys", b"/page/abcdef.js");
    let mut bytes = proto::DESCRIPTORS.to_vec();
    let at = bytes
        .windows(before.len())
        .position(|window| window == before);
    let at = at.unwrap();
    bytes[at..at + after.len()].copy_from_slice(after);
    let contracts = Contracts::of(&bytes);
    let mut config = config(&folder.0, "usher.booking.v1=http://127.0.0.1:1");
    config.descriptors = Some(contracts.path());
    assert!(build(config.clone()).await.is_ok());
    config.page = Some(folder.path());
    let taken = build(config).await.unwrap_err();
    assert!(
        matches!(&taken, EdgeError::PathTaken(path) if path == "/page/abcdef.js"),
        "{taken}"
    );
}
