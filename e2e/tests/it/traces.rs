//! One purchase is one tree of spans: from REST over gRPC and RabbitMQ to the ticket, as a collector of traces gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use e2e::rest::Call;
use mesh::identity::Role;
use mesh::tasks::Tasks;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::real::{RealMesh, ShowPlan, Timings, lines, on_site, until};

/// The root that the buyer's client would have recorded.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const ROOT: &str = "b7ad6b7169203331";

/// A span and the service that recorded it.
type Recorded = (String, Span);

/// Takes what a collector would take.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Recorded>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.unwrap_or_default().attributes;
            let name = attributes.into_iter().find(|it| it.key == "service.name");
            let name = name.and_then(|it| it.value?.value);
            let Some(Value::StringValue(service)) = name else {
                return Err(Status::invalid_argument("a resource without service.name"));
            };
            let spans = resource.scope_spans.into_iter().flat_map(|it| it.spans);
            let spans = spans.map(|span| (service.clone(), span));
            self.0.lock().unwrap().extend(spans);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start(&self, tasks: &Tasks) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(self.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        tasks.spawn("collector", server);
        format!("http://{address}")
    }

    /// The spans of the purchase by their id.
    fn purchase(&self) -> BTreeMap<String, Recorded> {
        let spans = self.0.lock().unwrap();
        let own = spans
            .iter()
            .filter(|(_, span)| hex(&span.trace_id) == TRACE);
        own.map(|it| (hex(&it.1.span_id), it.clone())).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Services and names on the way from the root to a span.
fn path(spans: &BTreeMap<String, Recorded>, span: &Span) -> Vec<String> {
    let (mut way, mut next) = (Vec::new(), hex(&span.span_id));
    while next != ROOT {
        let (service, span) = spans
            .get(&next)
            .unwrap_or_else(|| panic!("nobody recorded the parent {next} of {way:?}"));
        way.insert(0, format!("{service}: {}", span.name));
        next = hex(&span.parent_span_id);
        assert!(way.len() < 30, "a circle: {way:?}");
    }
    way
}

#[tokio::test(flavor = "multi_thread")]
async fn one_purchase_is_one_tree() {
    let (collector, tasks) = (Collector::default(), Tasks::new());
    let address = collector.start(&tasks).await;
    let mut mesh = RealMesh::start_traced(Timings::Standard, &address).await;
    let sale = mesh.on_sale(ShowPlan::default()).await;
    let buyer = mesh.person(&[Role::User]);
    let traced = |call: Call| call.by(&buyer).traceparent(format!("00-{TRACE}-{ROOT}-01"));

    let hold = traced(Call::post("/v1/holds").json(&lines(sale.pool_id, &[1])));
    let hold = mesh.ask(&hold).await;
    let total = hold.json["hold"]["total"].clone();
    let body = on_site(hold.at("/hold/holdId"), &total);
    let booking = mesh
        .ask(&traced(Call::post("/v1/bookings").json(&body)))
        .await;
    let payment_id = booking.at("/booking/payment/paymentId");
    let amount: i64 = total["minorUnits"].as_str().unwrap().parse().unwrap();
    let authorize = Call::post(format!("/sim/orders/{payment_id}/authorize"));
    let authorize = authorize.json(&json!({"amount": amount, "outcome": "approve"}));
    let key = mesh
        .simulator
        .send(&authorize)
        .await
        .unwrap()
        .at("/paymentKey");
    let confirm = Call::post(format!("/v1/payments/{payment_id}:confirm"));
    let confirm = confirm.json(&json!({"paymentKey": key, "amount": total}));
    mesh.ask(&traced(confirm)).await;

    let issued = "booking-svc: booking-svc.tickets usher.booking.events.v1.BookingConfirmed";
    let ways = until("the ticket's span arrives", async || {
        let spans = collector.purchase();
        let name = |(service, span): &Recorded| format!("{service}: {}", span.name);
        let arrived = spans.values().any(|it| name(it) == issued);
        // Its ancestors come from other processes, each in its own time.
        let whole = spans.values().all(|(_, span)| {
            let parent = hex(&span.parent_span_id);
            parent == ROOT || spans.contains_key(&parent)
        });
        let ways = || spans.values().map(|(_, span)| path(&spans, span));
        (arrived && whole).then(|| ways().collect::<BTreeSet<_>>())
    })
    .await;
    let way = |steps: &[&str]| {
        let steps: Vec<String> = steps.iter().map(|step| (*step).to_owned()).collect();
        assert!(ways.contains(&steps), "{steps:?} is not in {ways:#?}");
    };
    let create = "booking-svc: /usher.booking.v1.BookingService/CreateBooking";
    way(&[
        "edge-proxy: POST /v1/holds",
        "booking-svc: /usher.booking.v1.InventoryService/HoldUnits",
    ]);
    way(&[
        "edge-proxy: POST /v1/bookings",
        create,
        "booking-svc: saga book/pay",
        "payment-svc: /usher.payment.v1.PaymentService/CreatePayment",
    ]);
    way(&[
        "edge-proxy: POST /v1/payments/{payment_id}:confirm",
        "payment-svc: /usher.payment.v1.PaymentService/ConfirmPayment",
        "booking-svc: booking-svc.payments usher.payment.events.v1.PaymentCaptured",
    ]);
    way(&[
        "edge-proxy: POST /v1/bookings",
        create,
        "booking-svc: saga book/confirm",
        issued,
    ]);
    last_spans(&mut mesh, &collector).await;
}

/// What was recorded just before a stop arrives, too: a batch would wait for a second, and the process is gone long before.
async fn last_spans(mesh: &mut RealMesh, collector: &Collector) {
    const LAST: &str = "11111111111111111111111111111111";
    let last = Call::get("/v1/ticket-keys").traceparent(format!("00-{LAST}-{ROOT}-01"));
    mesh.ask(&last).await;
    let mut edge = mesh.take("edge-proxy");
    edge.signal("TERM");
    edge.ended().await;
    let spans = collector.0.lock().unwrap();
    let mut own = spans.iter().filter(|(_, span)| hex(&span.trace_id) == LAST);
    assert!(
        own.any(|(service, _)| service == "edge-proxy"),
        "it was lost"
    );
}
