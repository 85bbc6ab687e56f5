//! The page of `dev/run` in a real browser: a person waits, comes in, and holds a seat.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use e2e::rest::{Call, Person};
use futures_util::FutureExt;
use mesh::identity::Role;
use serde_json::json;

use crate::browser::Browser;
use crate::real::{RealMesh, Sale, ShowPlan, Timings, lines, until};
use crate::waiting::{enter, join, open_room, operate, step};

/// How often whoever is inside renews: a pass lives a minute.
const RENEW_EVERY: Duration = Duration::from_secs(15);
/// A desk and a phone.
const DESK: (u32, u32) = (1100, 1000);
const PHONE: (u32, u32) = (390, 844);

/// What the story is told with.
struct Stage<'a> {
    mesh: &'a RealMesh,
    browser: &'a Browser,
    sale: Sale,
    /// The person at the page.
    person: Person,
    /// Renewals that were not the page's, each counted before it is sent.
    renewals: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_waits_comes_in_and_holds_a_seat_in_a_browser() {
    let mesh = RealMesh::start_with_page(Timings::Standard).await;
    let plan = ShowPlan {
        queue_required: true,
        ..ShowPlan::default()
    };
    let browser = Browser::open(DESK.0, DESK.1).await;
    let stage = Stage {
        sale: mesh.on_sale(plan).await,
        person: mesh.person(&[Role::User]),
        renewals: AtomicU64::new(0),
        mesh: &mesh,
        browser: &browser,
    };
    let told = AssertUnwindSafe(stage.story()).catch_unwind().await;
    stage
        .keep_picture(if told.is_ok() { "end" } else { "failure" })
        .await;
    browser.close().await;
    if let Err(panic) = told {
        resume_unwind(panic);
    }
}

impl Stage<'_> {
    async fn story(&self) {
        self.comes_too_early().await;
        open_room(self.mesh, self.sale.show_id, 1).await;
        let inside = self.mesh.person(&[Role::User]);
        let pass = enter(self.mesh, self.sale.show_id, &inside)
            .await
            .at("/place/pass");
        tokio::select! {
            () = self.stays(&inside, &pass) => {}
            () = self.waits_and_buys(&inside, &pass) => {}
        }
    }

    /// Keeps somebody inside for as long as the story takes.
    async fn stays(&self, inside: &Person, pass: &str) {
        let mut pass = pass.to_owned();
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let renew = step(self.sale.show_id, "renew", inside, &json!({"pass": pass}));
            self.renewals.fetch_add(1, Ordering::Relaxed);
            pass = self.mesh.ask(&renew).await.at("/place/pass");
        }
    }

    async fn waits_and_buys(&self, inside: &Person, pass: &str) {
        self.waits().await;
        self.is_followed_elsewhere_for_a_while().await;
        self.comes_in().await;
        self.picks_and_holds(inside, pass).await;
        self.gives_back_and_leaves().await;
        let told = self.browser.console().await;
        let broken = told
            .iter()
            .filter(|line| line.contains("Content Security Policy"));
        assert_eq!(broken.count(), 0, "{told:#?}");
    }

    /// The room is not open: nobody has a place yet, and the page says so.
    async fn comes_too_early(&self) {
        let show_id = self.sale.show_id;
        let settings = json!({"settings": {"capacity": 1, "rate": 1000}, "reason": "not yet"});
        let room = Call::put(format!("/v1/shows/{show_id}/room"));
        operate(self.mesh, room.json(&settings)).await;
        let link = format!(
            "{}/page/#show={show_id}&token={}",
            self.mesh.rest.base(),
            self.person.token
        );
        self.browser.go(&link).await;
        self.browser.reads("#title", "A show").await;
        let address = self.browser.run("return location.href").await;
        assert!(!address.as_str().unwrap().contains("token"), "{address}");
        self.browser.click("#join button").await;
        self.browser.reads("#over-title", "Not open yet").await;
    }

    async fn waits(&self) {
        let (mesh, show_id) = (self.mesh, self.sale.show_id);
        let (front, _) = join(mesh, show_id, mesh.person(&[Role::User])).await;
        self.browser.click("#again").await;
        self.browser.reads("#position", "2").await;
        self.browser.reads("#live", "2 waiting").await;
        self.keep_picture("waiting").await;
        self.browser.run("window.unbroken = true").await;
        let leave = step(
            show_id,
            "leave",
            &front.person,
            &json!({"ticket": front.ticket}),
        );
        mesh.ask(&leave).await;
        self.browser.reads("#position", "1").await;
        assert_eq!(self.browser.run("return window.unbroken").await, true);
        // It was told by the one stream that is open: nobody polled.
        assert_eq!(
            (
                self.calls("GET", "watch").await,
                self.calls("POST", "poll").await
            ),
            (1, 0)
        );

        let joins = self.calls("POST", "join").await;
        self.browser.reload().await;
        self.browser.reads("#live", "1 waiting").await;
        self.browser.reads("#position", "1").await;
        assert!(self.browser.run("return window.unbroken").await.is_null());
        assert_eq!(
            self.calls("POST", "join").await,
            joins,
            "the place was kept, not taken anew"
        );
    }

    /// Calls of one step of the line that edge-proxy has answered well.
    async fn calls(&self, method: &str, verb: &str) -> u64 {
        let route = format!("{method} /v1/shows/{{show_id}}/queue:{verb}");
        let counter = format!("usher_edge_requests_total{{route=\"{route}\",code=\"200\"}}");
        self.mesh.counter("edge-proxy", &counter).await
    }

    async fn is_followed_elsewhere_for_a_while(&self) {
        let ticket = "return JSON.parse(sessionStorage.getItem('usher.page')).ticket";
        let ticket = self.browser.run(ticket).await;
        let path = format!("/v1/shows/{}/queue:watch", self.sale.show_id);
        let other = reqwest::Client::new()
            .get(format!("{}{path}", self.mesh.rest.base()))
            .query(&[("ticket", ticket.as_str().unwrap())])
            .bearer_auth(&self.person.token)
            .header("accept", "text/event-stream");
        let other = other.send().await.unwrap();
        assert_eq!(other.status(), 200);
        self.browser
            .reads("#over-title", "Followed elsewhere")
            .await;
        drop(other);
        self.browser.click("#again").await;
        self.browser.reads("#live", "1 waiting").await;
        self.browser.reads("#position", "1").await;
    }

    async fn comes_in(&self) {
        let show_id = self.sale.show_id;
        let more = json!({"capacity": 2, "reason": "the shop is fast"});
        let more = Call::post(format!("/v1/shows/{show_id}/room:set-capacity")).json(&more);
        operate(self.mesh, more).await;
        self.browser.reads("#inside-title", "You are in").await;
        self.browser.reads("#pass", "Pass valid for 0:").await;
        until("all seats are on the map", async || {
            let seats = "return document.querySelectorAll('#map button.seat').length";
            (self.browser.run(seats).await == 20).then_some(())
        })
        .await;
    }

    /// What the map says of a seat.
    async fn becomes(&self, ord: u32, state: &str) {
        let css = format!("#map [data-ord='{ord}']");
        let script = format!("return document.querySelector(\"{css}\").dataset.state");
        until(&format!("seat {ord} is {state}"), async || {
            (self.browser.run(&script).await == state).then_some(())
        })
        .await;
    }

    async fn picks_and_holds(&self, inside: &Person, pass: &str) {
        let browser = self.browser;
        browser.click("#map [data-ord='3']").await;
        browser.click("#map [data-ord='5']").await;
        browser
            .reads("#chosen", "Stalls A 4, Stalls A 6: ₩100,000")
            .await;
        // Somebody else takes one that nobody chose, and one that was chosen.
        let theirs = Call::post("/v1/holds").by(inside).pass(pass);
        let theirs = theirs.json(&lines(self.sale.pool_id, &[5, 7]));
        self.mesh.ask(&theirs).await;
        self.becomes(5, "held").await;
        self.becomes(7, "held").await;
        browser
            .reads("#notice", "Somebody else was faster: Stalls A 6.")
            .await;
        browser.reads("#chosen", "Stalls A 4: ₩50,000").await;
        browser.click("#map [data-ord='7']").await;
        assert_eq!(
            browser.text("#chosen").await.unwrap(),
            "Stalls A 4: ₩50,000"
        );

        browser.click("#hold").await;
        browser.reads("#holds .hold", "Stalls A 4, R").await;
        browser.reads("#holds .left", "Kept for ").await;
        self.becomes(3, "mine").await;
        let held = Call::get("/v1/holds?state=HOLD_STATE_HELD").by(&self.person);
        let held = self.mesh.ask(&held).await;
        assert_eq!(held.at("/holds/0/lines/0/ord"), "3", "{}", held.text);
        assert_eq!(
            held.json["holds"].as_array().unwrap().len(),
            1,
            "{}",
            held.text
        );
        self.keep_picture("held").await;
        browser.resize(PHONE.0, PHONE.1).await;
        let wide = "return document.documentElement.scrollWidth > innerWidth";
        assert_eq!(browser.run(wide).await, false, "a phone scrolls sideways");
        self.keep_picture("phone").await;
    }

    async fn gives_back_and_leaves(&self) {
        self.browser.click("#holds .hold button").await;
        self.becomes(3, "free").await;
        until("the page renews its pass", async || {
            let others = self.renewals.load(Ordering::Relaxed);
            (self.calls("POST", "renew").await > others).then_some(())
        })
        .await;
        self.browser.click("#finish").await;
        self.browser.agree().await;
        self.browser.reads("#over-title", "You have left").await;
        let show_id = self.sale.show_id;
        let close = Call::post(format!("/v1/shows/{show_id}/room:close"));
        operate(self.mesh, close.json(&json!({"reason": "the end"}))).await;
        self.browser.click("#again").await;
        self.browser
            .reads("#over-title", "The waiting room is closed")
            .await;
    }

    /// Pictures lie beside what cargo built, for people.
    #[expect(clippy::print_stderr, reason = "the story of a failed test")]
    async fn keep_picture(&self, name: &str) {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page-{name}.png"));
        match self.browser.picture(&path).await {
            Ok(()) => eprintln!("picture: {}", path.display()),
            Err(error) => eprintln!("no picture: {error}"),
        }
    }
}
