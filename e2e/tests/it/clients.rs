//! Clients that are not ours: generated Python stubs, grpcurl, buf curl, and a caller that makes up requests from the OpenAPI document.

use std::path::PathBuf;

use chrono::TimeDelta;
use e2e::docs::root;
use e2e::rest::{Answer, Call, Person, Rest};
use mesh::identity::Role;
use mesh::{clock, id};
use serde_json::{Value, json};

use crate::real::{RealMesh, ShowPlan, Timings, Tools, bearer, until};

/// `host:port` of one process.
fn host(mesh: &RealMesh, name: &str) -> String {
    let address = mesh.address(name);
    address.strip_prefix("http://").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_python_client_buys_a_seat_and_verifies_its_ticket() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let buyer = mesh.person(&[Role::User]);
    let script = root().join("e2e/clients/python/buy.py");
    let proto = root().join("proto");
    let (booking, payment) = (host(&mesh, "booking-svc"), host(&mesh, "payment-svc"));
    let pool = sale.pool_id.to_string();
    let arguments = [
        script.to_str().unwrap(),
        "--proto",
        proto.to_str().unwrap(),
        "--booking",
        &booking,
        "--payment",
        &payment,
        "--provider",
        mesh.simulator.base(),
        "--token",
        &buyer.token,
        "--pool",
        &pool,
        "--ord",
        "3",
    ];
    let told = Tools::find().run("python", &arguments).await;
    let told: Value = serde_json::from_str(told.trim()).unwrap();
    assert_eq!(told["verified"], told["ticket_id"], "{told}");
    let image = (&told["image_type"], &told["image_is_png"]);
    assert_eq!(image, (&"image/png".into(), &true.into()), "{told}");
    let states = told["states"].as_array().unwrap();
    assert_eq!(states.last().unwrap(), "BOOKING_STATE_CONFIRMED", "{told}");
    let path = format!("/v1/tickets/{}", told["ticket_id"].as_str().unwrap());
    let ticket = mesh.ask(&Call::get(path).by(&buyer)).await;
    assert_eq!(ticket.json["ticket"]["code"], told["code"], "{told}");
    mesh.audit().await;
}

/// A process, its services, a call that it answers, and what is in the answer; empty: the booking.
const SERVICES: [(&str, &[&str], &str, &str); 4] = [
    (
        "booking-svc",
        &[
            "usher.booking.v1.BookingService",
            "usher.booking.v1.CatalogService",
            "usher.booking.v1.InventoryService",
            "usher.booking.v1.SagaAdminService",
            "usher.booking.v1.TicketService",
            "usher.mesh.v1.DeadLetterService",
        ],
        "usher.booking.v1.BookingService/ListBookings",
        "",
    ),
    (
        "payment-svc",
        &[
            "usher.mesh.v1.DeadLetterService",
            "usher.payment.v1.PaymentService",
        ],
        "usher.payment.v1.PaymentService/ListPayments",
        "",
    ),
    (
        "queue-svc",
        &["usher.queue.v1.QueueService", "usher.queue.v1.RoomService"],
        "usher.queue.v1.QueueService/GetPassKeys",
        "Ed25519",
    ),
    (
        "coupon-svc",
        &[
            "usher.coupon.v1.CampaignService",
            "usher.coupon.v1.CodeService",
            "usher.coupon.v1.ClaimQueueService",
            "usher.coupon.v1.CouponService",
            "usher.coupon.v1.GrantService",
            "usher.coupon.v1.IssuedCouponService",
        ],
        "usher.coupon.v1.CouponService/ListMyCoupons",
        "Ten percent",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn grpcurl_and_buf_curl_need_no_proto_files() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let buyer = mesh.person(&[Role::User]);
    let order = mesh.order(&buyer, sale.pool_id, &[1]).await;
    claimed(&mesh, &sale.seller, &buyer).await;
    let (tools, bearer) = (Tools::find(), bearer(&buyer));
    for (process, services, method, told) in SERVICES {
        let host = host(&mesh, process);
        let listed = tools.run("grpcurl", &["-plaintext", &host, "list"]).await;
        for service in services {
            assert!(listed.lines().any(|line| line == *service), "{listed}");
            let describe = ["-plaintext", &host, "describe", service];
            let described = tools.run("grpcurl", &describe).await;
            assert!(described.contains("rpc "), "{described}");
        }
        let call = ["-plaintext", "-H", &bearer, "-d", "{}", &host, method];
        let answer = tools.run("grpcurl", &call).await;
        let (booking_id, url) = (
            order.booking_id.to_string(),
            format!("http://{host}/{method}"),
        );
        let told = if told.is_empty() { &booking_id } else { told };
        assert!(answer.contains(told), "{answer}");
        let call = [
            "curl",
            "--http2-prior-knowledge",
            "--protocol",
            "grpc",
            "-H",
            &bearer,
            "-d",
            "{}",
            &url,
        ];
        let answer = tools.run("buf", &call).await;
        assert!(answer.contains(told), "{answer}");
    }
}

/// Requests of the caller that makes them up, for each method; the seed is printed with a failure.
const MADE_UP: &str = "25";
/// What it looks at: no answer is a fault of ours, and each is as the document says.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance";

#[tokio::test(flavor = "multi_thread")]
async fn made_up_requests_get_no_fault_and_what_the_document_says() {
    let mesh = RealMesh::start(Timings::Standard).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    // One account in every role, so that ids of its own lead somewhere.
    let person = mesh.person(&[Role::User, Role::Seller, Role::Admin]);
    let paid = mesh.order(&person, sale.pool_id, &[2]).await;
    mesh.pay(&person, &paid, "approve").await;
    // Of another booking than the one that will be cancelled on the way.
    let kept = mesh.order(&person, sale.pool_id, &[3]).await;
    mesh.pay(&person, &kept, "approve").await;
    let tickets = mesh.tickets(&person, kept.booking_id, 1).await;
    let coupon = claimed(&mesh, &person, &person).await;
    let granted = granted(&mesh, &person).await;
    let ids = [
        ("batch_id", queued(&mesh, &person).await.at("/batchId")),
        ("grant_id", granted.at("/grant/grantId")),
        ("campaign_id", coupon.at("/coupon/campaignId")),
        ("coupon_id", coupon.at("/coupon/couponId")),
        ("venue_id", sale.venue_id.to_string()),
        ("hall_id", sale.hall_id.to_string()),
        ("show_id", sale.show_id.to_string()),
        ("performance_id", sale.performance_id.to_string()),
        ("pool_id", sale.pool_id.to_string()),
        ("hold_id", paid.hold_id.to_string()),
        ("booking_id", paid.booking_id.to_string()),
        ("payment_id", paid.payment_id.to_string()),
        ("ticket_id", tickets.at("/tickets/0/ticketId")),
    ];
    let mut known = "[parameters]\n".to_owned();
    for (name, id) in ids {
        known.push_str(&format!("\"path.{name}\" = \"{id}\"\n"));
    }
    known.push_str(&format!(
        "\"query.campaignId\" = \"{}\"\n",
        coupon.at("/coupon/campaignId")
    ));
    let maker = Maker::new(&known, bearer(&person));
    for (listener, config) in [
        (&mesh.rest, "known"),
        (&mesh.rest, "none"),
        (&mesh.admin, "none"),
    ] {
        let document = maker.document(listener).await;
        maker
            .tools
            .run("openapi-spec-validator", &[&document])
            .await;
        let told = maker.calls(&document, listener.base(), config).await;
        assert!(told.is_ok(), "{}", told.unwrap_err());
    }
    wait_for_a_draw(&mesh, &person).await;
    let metrics = mesh.admin.send(&Call::get("/metrics")).await.unwrap();
    let document = mesh.rest.send(&Call::get("/openapi.json")).await.unwrap();
    for (path, methods) in document.json["paths"].as_object().unwrap() {
        let label = format!("route=\"GET {path}\",code=\"200\"");
        let answered = methods.get("get").is_none() || metrics.text.contains(&label);
        assert!(answered, "no made-up request was good enough for {path}");
    }
    // The caller would notice: a document that says something else is refused.
    let lie = document
        .text
        .replace("\"int64\"", "\"int64\",\"maxLength\":1");
    assert_ne!(lie, document.text);
    let document = maker.write("lie.json", &lie);
    let told = maker.calls(&document, mesh.rest.base(), "known").await;
    assert!(told.unwrap_err().contains("Response violates schema"));
    mesh.audit().await;
}

/// A campaign of `seller` that is open.
async fn campaign(mesh: &RealMesh, seller: &Person, issue: &str) -> String {
    let time = |hours| clock::now() + TimeDelta::hours(hours);
    let settings = json!({
        "name": "Ten percent", "stock": 5, "claimOpenTime": time(-1), "claimCloseTime": time(1), "useDays": 30,
        "terms": {"currency": "KRW", "kind": "DISCOUNT_KIND_ORDER_PERCENT", "value": 10}, "issue": issue,
    });
    let create = Call::post("/v1/campaigns").by(seller).key(id::new());
    let made = mesh.ask(&create.json(&json!({"settings": settings}))).await;
    let campaign = format!("/v1/campaigns/{}", made.at("/campaign/campaignId"));
    let open = Call::post(format!("{campaign}:open"))
        .by(seller)
        .key(id::new());
    mesh.ask(&open.json(&json!({}))).await;
    campaign
}

/// A grant of a coupon to `seller`, by themselves.
async fn granted(mesh: &RealMesh, seller: &Person) -> Answer {
    let campaign = campaign(mesh, seller, "ISSUE_MODE_GRANT").await;
    let grant = Call::post(format!("{campaign}:grant"))
        .by(seller)
        .key(id::new());
    mesh.ask(&grant.json(&json!({"accountIds": [seller.account_id.to_string()]})))
        .await
}

/// Claims that `seller` queued, of themselves.
async fn queued(mesh: &RealMesh, seller: &Person) -> Answer {
    let campaign = campaign(mesh, seller, "ISSUE_MODE_CLAIM").await;
    let claims =
        json!([{"requestId": id::new().to_string(), "accountId": seller.account_id.to_string()}]);
    let queue = Call::post(format!("{campaign}:claimAsync"))
        .by(seller)
        .key(id::new());
    mesh.ask(&queue.json(&json!({"claims": claims}))).await
}

/// A coupon of a campaign of `seller`, that `buyer` claimed.
async fn claimed(mesh: &RealMesh, seller: &Person, buyer: &Person) -> Answer {
    let campaign = campaign(mesh, seller, "ISSUE_MODE_CLAIM").await;
    let claim = Call::post(format!("{campaign}:claim"))
        .by(buyer)
        .key(id::new());
    mesh.ask(&claim.json(&json!({}))).await
}

/// A room, a draw and a ticket cannot be made up: they are asked about where they are.
async fn wait_for_a_draw(mesh: &RealMesh, person: &Person) {
    let show = format!("/v1/shows/{}", id::new());
    let time = |hours| clock::now() + TimeDelta::hours(hours);
    let settings = json!({
        "capacity": 1, "rate": 1, "order": "LINE_ORDER_LOTTERY", "armTime": time(-1), "openTime": time(1),
    });
    let room = Call::put(format!("{show}/room")).by(person).key(id::new());
    mesh.ask(&room.json(&json!({"settings": settings, "reason": "a draw"})))
        .await;
    let join = Call::post(format!("{show}/queue:join")).by(person);
    let join = join.key(id::new()).json(&json!({}));
    let entered = until("the line answers", async || {
        let answer = mesh.rest.send(&join).await.ok()?;
        answer.is_ok().then_some(answer)
    })
    .await;
    assert_eq!(entered.at("/place/state"), "PLACE_STATE_ENTERED");
    let lottery = mesh.ask(&Call::get(format!("{show}/queue/lottery"))).await;
    assert_eq!(lottery.at("/lottery/commitment").len(), 64);
    let room = mesh
        .ask(&Call::get(format!("{show}/room")).by(person))
        .await;
    assert_eq!(room.at("/room/phase"), "ROOM_PHASE_ARMED");
    let stats = Call::get(format!("{show}/room/stats")).by(person);
    assert_eq!(mesh.ask(&stats).await.at("/stats/slots"), "0");
    let ticket = entered.at("/place/ticket");
    let watch = Call::get(format!("{show}/queue:watch?ticket={ticket}")).by(person);
    let told = mesh.ask(&watch).await;
    assert!(told.text.contains("PLACE_STATE_ENTERED"), "{}", told.text);
}

/// Makes up requests from a document.
struct Maker {
    tools: Tools,
    folder: Folder,
    bearer: String,
}

impl Maker {
    /// `known` holds ids that exist.
    fn new(known: &str, bearer: String) -> Self {
        let maker = Self {
            tools: Tools::find(),
            folder: Folder::new(),
            bearer,
        };
        maker.write("known.toml", known);
        maker.write("none.toml", "");
        maker
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The document of a listener, as a file.
    async fn document(&self, listener: &Rest) -> String {
        let answer = listener.send(&Call::get("/openapi.json")).await.unwrap();
        self.write("openapi.json", &answer.text)
    }

    /// Sends the requests; what is wrong with the answers, if anything is.
    async fn calls(&self, document: &str, base: &str, config: &str) -> Result<String, String> {
        let config = self.folder.0.join(format!("{config}.toml"));
        let begin = ["--config-file", config.to_str().unwrap(), "run", document];
        let rest = ["--url", base, "--header", &self.bearer, "--checks", CHECKS];
        // One worker: Python 3.11 loses count of its syntax trees when several threads make them.
        let bounds = ["--phases", "coverage,fuzzing", "--max-examples", MADE_UP];
        let manner = ["--continue-on-failure", "--warnings", "off"];
        let arguments = [&begin[..], &rest, &bounds, &manner].concat();
        self.tools.try_run("schemathesis", &arguments).await
    }
}

/// A folder that goes away with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("usher-clients-{}", id::new()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0)); // in the folder of the machine for such things
    }
}
