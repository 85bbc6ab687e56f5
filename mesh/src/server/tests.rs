//! The layers over a real socket, with a service whose answers the request chooses.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use proto::usher::payment::v1::payment_service_client::PaymentServiceClient;
use proto::usher::payment::v1::payment_service_server::{PaymentService, PaymentServiceServer};
use proto::usher::payment::v1::*;
use tokio::sync::Notify;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use super::*;
use crate::client::{self, Peer};
use crate::clock;
use crate::health::Need;
use crate::id;
use crate::identity::{
    Claims, JwksSource, MESH_IDENTITY, MESH_TOKEN, Role, SigningKey, VerifierOptions,
};

const TOKEN: &str = "a secret between peers";

/// Answers GetPayment by its payment_id; nothing else is served.
#[derive(Clone, Default)]
struct Payments {
    /// Whom `hop:...` is passed on to.
    next: Option<Peer>,
    entered: Arc<Notify>,
    go_on: Arc<Notify>,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send + 'static>>;

fn unserved<T: 'static>() -> Answer<T> {
    Box::pin(async { Err(Status::unimplemented("not in this test")) })
}

impl PaymentService for Payments {
    fn get_payment<'a, 'b>(
        &'a self,
        request: Request<GetPaymentRequest>,
    ) -> Answer<GetPaymentResponse>
    where
        'a: 'b,
        Self: 'b,
    {
        let this = self.clone();
        Box::pin(async move {
            let caller = caller(&request);
            let given = crate::deadline::left().unwrap_or_default().as_micros();
            if let Some(rest) = request.get_ref().payment_id.strip_prefix("hop:") {
                let payment_id = rest.to_owned();
                let mut client = PaymentServiceClient::new(this.next.clone().unwrap());
                // Much more than anybody has.
                let limit = Duration::from_secs(60);
                let passed = client::request(GetPaymentRequest { payment_id }, limit);
                let mut answer = client.get_payment(passed).await?;
                if let Some(payment) = &mut answer.get_mut().payment {
                    payment.order_id = format!("{given} {}", payment.order_id);
                }
                return Ok(answer);
            }
            match request.get_ref().payment_id.as_str() {
                "panic" => panic!("as the test asked"),
                "never" => std::future::pending().await,
                "wait" => {
                    this.entered.notify_one();
                    this.go_on.notified().await;
                }
                _ => {}
            }
            if request.get_ref().payment_id == "given" {
                let payment = Payment {
                    order_id: given.to_string(),
                    ..Payment::default()
                };
                return Ok(Response::new(GetPaymentResponse {
                    payment: Some(payment),
                    ..GetPaymentResponse::default()
                }));
            }
            let account = caller.account.map(|account| account.account_id.to_string());
            let order_id = caller.peer.or(account).unwrap_or_default();
            let payment = Payment {
                order_id,
                ..Payment::default()
            };
            Ok(Response::new(GetPaymentResponse {
                payment: Some(payment),
                ..GetPaymentResponse::default()
            }))
        })
    }

    fn create_payment<'a, 'b>(
        &'a self,
        _: Request<CreatePaymentRequest>,
    ) -> Answer<CreatePaymentResponse>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async { Ok(Response::new(CreatePaymentResponse::default())) })
    }

    fn list_payments<'a, 'b>(
        &'a self,
        _: Request<ListPaymentsRequest>,
    ) -> Answer<ListPaymentsResponse>
    where
        'a: 'b,
        Self: 'b,
    {
        unserved()
    }

    fn confirm_payment<'a, 'b>(
        &'a self,
        _: Request<ConfirmPaymentRequest>,
    ) -> Answer<ConfirmPaymentResponse>
    where
        'a: 'b,
        Self: 'b,
    {
        unserved()
    }

    fn inquire_payment<'a, 'b>(
        &'a self,
        _: Request<InquirePaymentRequest>,
    ) -> Answer<InquirePaymentResponse>
    where
        'a: 'b,
        Self: 'b,
    {
        unserved()
    }

    fn cancel_payment<'a, 'b>(
        &'a self,
        _: Request<CancelPaymentRequest>,
    ) -> Answer<CancelPaymentResponse>
    where
        'a: 'b,
        Self: 'b,
    {
        unserved()
    }

    fn refund_payment<'a, 'b>(
        &'a self,
        _: Request<RefundPaymentRequest>,
    ) -> Answer<RefundPaymentResponse>
    where
        'a: 'b,
        Self: 'b,
    {
        unserved()
    }

    fn retry_refund<'a, 'b>(&'a self, _: Request<RetryRefundRequest>) -> Answer<RetryRefundResponse>
    where
        'a: 'b,
        Self: 'b,
    {
        unserved()
    }
}

struct Running {
    service: Payments,
    key: SigningKey,
    address: SocketAddr,
    admin: SocketAddr,
    health: Health,
    shutdown: CancellationToken,
    ended: tokio::task::JoinHandle<Result<(), ServerError>>,
    folder: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Running {
    async fn start() -> Self {
        Self::before(None).await
    }

    /// One that passes `hop:...` on.
    async fn before(next: Option<&Running>) -> Self {
        let next = next.map(|next| {
            let peers = format!("http://{}", next.address).parse().unwrap();
            client::peer("booking-svc", &peers, &Secret::new(TOKEN)).unwrap()
        });
        let folder = std::env::temp_dir().join(format!("usher-server-{}", id::new()));
        std::fs::create_dir(&folder).unwrap();
        let key = SigningKey::generate().unwrap();
        std::fs::write(folder.join("jwks.json"), key.to_jwks()).unwrap();
        let config = ServerConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_listen: "127.0.0.1:0".parse().unwrap(),
            addr_file: Some(folder.join("addresses")),
            tokens: VerifierOptions {
                jwks: JwksSource::File(folder.join("jwks.json")),
                issuer: "home".to_owned(),
                audience: "usher".to_owned(),
            },
            mesh_token: Secret::new(TOKEN),
            policy_overlay: None,
            otlp_endpoint: None,
            log: "off".to_owned(),
        };
        let listeners = Listeners::bind(&config).await.unwrap();
        let (address, admin) = (listeners.address(), listeners.admin());
        let (tasks, health, shutdown) = (Tasks::new(), Health::new(), CancellationToken::new());
        health.up("postgres", Need::Required);
        let service = Payments {
            next,
            ..Payments::default()
        };
        let server = Server::new(tasks, health.clone(), Telemetry::detached().unwrap())
            .service(PaymentServiceServer::new(service.clone()));
        let stop = shutdown.clone();
        let owner = Tasks::new();
        let ended = owner.spawn("server", async move {
            server.serve(&config, listeners, stop).await
        });
        Self {
            service,
            key,
            address,
            admin,
            health,
            shutdown,
            ended,
            folder,
        }
    }

    async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }

    fn token(&self, roles: &[Role]) -> String {
        let now = clock::now().timestamp();
        let claims = Claims {
            iss: "home".to_owned(),
            aud: "usher".to_owned(),
            sub: id::new(),
            roles: roles.to_vec(),
            scope: String::new(),
            iat: now,
            exp: now + 60,
            jti: id::new().to_string(),
        };
        self.key.sign(&claims).unwrap()
    }

    /// GetPayment with metadata; answers the payment's order_id or the refusal.
    async fn get(
        &self,
        payment_id: &str,
        metadata: &[(&'static str, &str)],
    ) -> Result<String, Status> {
        let mut client = PaymentServiceClient::new(self.channel().await);
        let payment_id = payment_id.to_owned();
        let response = client
            .get_payment(with(GetPaymentRequest { payment_id }, metadata))
            .await?;
        Ok(response.into_inner().payment.unwrap().order_id)
    }

    async fn admin(&self, path: &str) -> (u16, String) {
        let response = reqwest::get(format!("http://{}{path}", self.admin))
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

fn with<T>(message: T, metadata: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}

#[tokio::test]
async fn the_policy_stands_between_the_wire_and_the_handler() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token(&[Role::User]));
    assert_eq!(
        server
            .get("x", &[("authorization", &bearer)])
            .await
            .unwrap()
            .len(),
        36
    );

    let refused = [
        (vec![], "TOKEN_MISSING"),
        (vec![("authorization", "Bearer nonsense")], "TOKEN_INVALID"),
        (vec![("authorization", "Basic dXNlcjo=")], "TOKEN_INVALID"),
        (vec![(MESH_IDENTITY, "booking-svc")], "CALLER_NOT_ALLOWED"),
        (
            vec![(MESH_IDENTITY, "booking-svc"), (MESH_TOKEN, "guess")],
            "CALLER_NOT_ALLOWED",
        ),
        (
            vec![(MESH_IDENTITY, "queue-svc"), (MESH_TOKEN, TOKEN)],
            "TOKEN_MISSING",
        ),
        (
            vec![("x-user-id", "1"), ("x-user-role", "ADMIN")],
            "TOKEN_MISSING",
        ),
    ];
    for (metadata, expected) in refused {
        let status = server.get("x", &metadata).await.unwrap_err();
        assert_eq!(reason(&status), expected, "{metadata:?}");
    }
    let peer = [(MESH_IDENTITY, "booking-svc"), (MESH_TOKEN, TOKEN)];
    assert_eq!(server.get("x", &peer).await.unwrap(), "booking-svc");
}

#[tokio::test]
async fn a_mesh_method_is_closed_to_every_token() {
    let server = Running::start().await;
    let mut client = PaymentServiceClient::new(server.channel().await);
    for roles in [vec![], vec![Role::User], vec![Role::Admin, Role::Seller]] {
        let bearer = format!("Bearer {}", server.token(&roles));
        let request = with(
            CreatePaymentRequest::default(),
            &[("authorization", &bearer)],
        );
        let status = client.create_payment(request).await.unwrap_err();
        assert_eq!(reason(&status), "CALLER_NOT_ALLOWED", "{roles:?}");
    }
    let bearer = format!("Bearer {}", server.token(&[Role::Seller]));
    let request = with(
        InquirePaymentRequest::default(),
        &[("authorization", &bearer)],
    );
    assert_eq!(
        reason(&client.inquire_payment(request).await.unwrap_err()),
        "ROLE_REQUIRED"
    );
}

#[tokio::test]
async fn a_panic_is_one_failed_call() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token(&[Role::User]));
    let status = server
        .get("panic", &[("authorization", &bearer)])
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Internal, "INTERNAL")
    );
    assert!(!status.message().contains("as the test asked"));
    assert!(server.get("x", &[("authorization", &bearer)]).await.is_ok());
}

#[tokio::test]
async fn a_chain_of_hops_never_gets_more_than_the_first_caller_gave() {
    let last = Running::start().await;
    let middle = Running::before(Some(&last)).await;
    let first = Running::before(Some(&middle)).await;
    let bearer = format!("Bearer {}", first.token(&[Role::User]));
    // Less than the policy's second, which every hop would have without the one before.
    let metadata = [("authorization", bearer.as_str()), ("grpc-timeout", "800m")];
    let given = first.get("hop:hop:given", &metadata).await.unwrap();
    let given: Vec<u64> = given.split(' ').map(|left| left.parse().unwrap()).collect();
    assert_eq!(given.len(), 3);
    assert!(
        given[0] <= 800_000 && given.is_sorted_by(|a, b| a > b),
        "{given:?}"
    );
    // The last one never answers: every hop says so in time.
    let status = first.get("hop:hop:never", &metadata).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn the_callers_deadline_wins_when_it_is_shorter() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token(&[Role::User]));
    let metadata = [("authorization", bearer.as_str()), ("grpc-timeout", "200m")];
    let mut status = server.get("never", &metadata).await.unwrap_err();
    // The answer leaves 10 ms before the client's own timer, which a busy machine may let win now and then.
    for _ in 0..10 {
        if status.code() != Code::Cancelled {
            break;
        }
        status = server.get("never", &metadata).await.unwrap_err();
    }
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE_PASSED")
    );
    // Without one of its own the caller gets the policy's: one second for this method.
    let status = server
        .get("never", &[("authorization", &bearer)])
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_message_over_the_policys_limit_is_refused_unread() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token(&[Role::User]));
    let large = "x".repeat(crate::policy::REQUEST_BYTES_DEFAULT);
    let status = server
        .get(&large, &[("authorization", &bearer)])
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "INVALID_REQUEST")
    );
}

#[tokio::test]
async fn every_answer_carries_the_request_id() {
    let server = Running::start().await;
    let mut client = PaymentServiceClient::new(server.channel().await);
    for (sent, kept) in [("mine-1", true), ("not a plain id", false)] {
        let request = with(GetPaymentRequest::default(), &[(REQUEST_ID, sent)]);
        let status = client.get_payment(request).await.unwrap_err();
        let answered = status
            .metadata()
            .get(REQUEST_ID)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(answered == sent, kept, "{answered}");
    }
}

#[tokio::test]
async fn health_follows_the_checks() {
    let server = Running::start().await;
    let mut client = HealthClient::new(server.channel().await);
    let service = "usher.payment.v1.PaymentService".to_owned();
    let request = tonic_health::pb::HealthCheckRequest { service };
    let mut watch = client.watch(request).await.unwrap().into_inner();
    let mut wait_for = async |wanted: i32| {
        while watch.message().await.unwrap().unwrap().status != wanted {}
    };
    wait_for(1).await;
    assert_eq!(server.admin("/readyz").await.0, 200);
    server.health.down("postgres", Need::Required, "gone");
    wait_for(2).await;
    let (code, body) = server.admin("/readyz").await;
    assert!(code == 503 && body.contains("postgres"), "{code} {body}");
    assert_eq!(server.admin("/livez").await.0, 200);
}

#[tokio::test]
async fn a_drain_finishes_calls_and_ends_although_a_client_stays() {
    let server = Running::start().await;
    let idle = server.channel().await;
    let (entered, go_on) = (
        Arc::clone(&server.service.entered),
        Arc::clone(&server.service.go_on),
    );
    let bearer = format!("Bearer {}", server.token(&[Role::User]));
    let metadata = [("authorization", bearer.as_str())];
    let call = server.get("wait", &metadata);
    let stop = async {
        entered.notified().await;
        server.shutdown.cancel();
        go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(call, stop);
    assert!(answer.is_ok(), "{answer:?}");
    let mut server = server;
    assert!((&mut server.ended).await.unwrap().is_ok());
    drop(idle);
}

#[tokio::test]
async fn the_addresses_are_written_for_others() {
    let server = Running::start().await;
    let text = std::fs::read_to_string(server.folder.join("addresses")).unwrap();
    assert_eq!(
        text,
        format!("listen={}\nadmin={}\n", server.address, server.admin)
    );
}

#[tokio::test]
async fn reflection_names_what_is_served() {
    use tonic_reflection::pb::v1alpha::ServerReflectionRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse;

    let server = Running::start().await;
    let mut client = ServerReflectionClient::new(server.channel().await);
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let stream = tokio_stream::once(request);
    let mut answers = client
        .server_reflection_info(stream)
        .await
        .unwrap()
        .into_inner();
    let answer = answers
        .message()
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else {
        panic!("{answer:?}")
    };
    let mut names: Vec<_> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    names.sort();
    assert!(
        names.contains(&"usher.payment.v1.PaymentService".to_owned()),
        "{names:?}"
    );
    assert!(
        !names.iter().any(|name| name.starts_with("usher.booking")),
        "{names:?}"
    );
}
