//! A headless Chromium, driven through chromedriver as the W3C's WebDriver says. `dev/tools --browser` installs both.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mesh::id;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::real::until;

/// What the driver says once it listens.
const LISTENS: &str = "was started successfully on port ";
/// The name under which WebDriver hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Chromium refuses its sandbox as root, and containers have little shared memory.
const ARGUMENTS: [&str; 7] = [
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-proxy-server",
    "--no-first-run",
    "--lang=en-US",
];

/// The browser and its driver, one process group. Dropping it ends all of it.
pub(crate) struct Browser {
    driver: Child,
    folder: PathBuf,
    client: Client,
    session: String,
}

impl Browser {
    /// Starts a driver on a free port, and a browser with a profile of its own.
    pub(crate) async fn open(width: u32, height: u32) -> Self {
        let folder = std::env::temp_dir().join(format!("usher-browser-{}", id::new().simple()));
        std::fs::create_dir(&folder).unwrap();
        let mut browser = Self {
            driver: drive(&folder),
            client: Client::builder().no_proxy().build().unwrap(),
            session: String::new(),
            folder,
        };
        let port = browser.port().await;
        let size = format!("--window-size={width},{height}");
        let profile = format!(
            "--user-data-dir={}",
            browser.folder.join("profile").display()
        );
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([&*size, &*profile]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        browser.session = format!("http://127.0.0.1:{port}/session");
        let opened = browser.ask(Method::POST, "", &wanted).await;
        let opened = opened.unwrap_or_else(|error| panic!("no browser: {error}"));
        let session = opened["sessionId"].as_str().unwrap();
        browser.session = format!("{}/{session}", browser.session);
        browser
    }

    async fn port(&mut self) -> u16 {
        let log = self.folder.join("driver.log");
        until("the driver listens", async || {
            let text = std::fs::read_to_string(&log).unwrap();
            let ended = self.driver.try_wait().unwrap();
            assert!(ended.is_none(), "chromedriver ended: {text}");
            let port = text.lines().find_map(|line| line.split_once(LISTENS));
            port?.1.trim_end_matches('.').parse().ok()
        })
        .await
    }

    /// One command; an error is what the driver said.
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let request = self.client.request(method.clone(), url);
        let request = if method == Method::POST {
            request.json(body)
        } else {
            request
        };
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let is_ok = answer.status().is_success();
        let mut answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        let value = answer["value"].take();
        if is_ok {
            Ok(value)
        } else {
            Err(value.to_string())
        }
    }

    async fn must(&self, path: &str, body: Value) -> Value {
        let answer = self.ask(Method::POST, path, &body).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Opens an address.
    pub(crate) async fn go(&self, url: &str) {
        self.must("/url", json!({"url": url})).await;
    }

    /// Loads the page anew.
    pub(crate) async fn reload(&self) {
        self.must("/refresh", json!({})).await;
    }

    /// Says yes to the question that the page asks.
    pub(crate) async fn agree(&self) {
        self.must("/alert/accept", json!({})).await;
    }

    /// Runs a script in the page; answers what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.must("/execute/sync", json!({"script": script, "args": []}))
            .await
    }

    /// Makes the window this large.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        self.must("/window/rect", json!({"width": width, "height": height}))
            .await;
    }

    async fn find(&self, css: &str) -> Option<String> {
        let by = json!({"using": "css selector", "value": css});
        let found = self.ask(Method::POST, "/element", &by).await.ok()?;
        Some(format!("/element/{}", found[ELEMENT].as_str()?))
    }

    /// What people read in an element; nothing where it is hidden.
    pub(crate) async fn text(&self, css: &str) -> Option<String> {
        let path = format!("{}/text", self.find(css).await?);
        let text = self.ask(Method::GET, &path, &Value::Null).await.ok()?;
        text.as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }

    /// Waits until people read this in an element.
    pub(crate) async fn reads(&self, css: &str, wanted: &str) {
        until(&format!("{css} reads {wanted:?}"), async || {
            self.text(css).await.filter(|text| text.contains(wanted))
        })
        .await;
    }

    /// Clicks on an element as soon as it can be clicked.
    pub(crate) async fn click(&self, css: &str) {
        until(&format!("{css} can be clicked"), async || {
            let path = format!("{}/click", self.find(css).await?);
            self.ask(Method::POST, &path, &json!({})).await.ok()
        })
        .await;
    }

    /// What the console of the page was told since the last time.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.must("/se/log", json!({"type": "browser"})).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let text = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
        entries.iter().map(text).collect()
    }

    /// Keeps a picture of the page.
    pub(crate) async fn picture(&self, path: &Path) -> Result<(), String> {
        let picture = self.ask(Method::GET, "/screenshot", &Value::Null).await?;
        let bytes = STANDARD.decode(picture.as_str().unwrap_or_default());
        let bytes = bytes.map_err(|error| error.to_string())?;
        std::fs::write(path, bytes).map_err(|error| error.to_string())
    }

    /// Ends the browser, which leaves its helpers time to end themselves.
    pub(crate) async fn close(self) {
        drop(self.ask(Method::DELETE, "", &Value::Null).await); // whatever is left ends with the group
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = format!("-{}", self.driver.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).status()); // it may be gone already
        drop(self.driver.wait());
        drop(std::fs::remove_dir_all(&self.folder)); // in the folder of the machine for such things
    }
}

/// The driver in a process group of its own, which its browser joins; neither writes anywhere but into `folder`.
fn drive(folder: &Path) -> Child {
    let log = File::create(folder.join("driver.log")).unwrap();
    let mut command = Command::new("chromedriver");
    command
        .arg("--port=0")
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .current_dir(folder)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let started = command.spawn();
    started.unwrap_or_else(|error| panic!("chromedriver: {error}; run: dev/tools --browser"))
}
