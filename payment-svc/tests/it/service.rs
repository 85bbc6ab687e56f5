//! The whole service on servers of its own, and clients of every kind.

use std::net::SocketAddr;
use std::path::PathBuf;

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection as AmqpConnection, ConnectionProperties};
use mesh::amqp::park_queue;
use mesh::config::{Env, ProcessEnv, Secret};
use mesh::events::Events;
use mesh::faults::Faults;
use mesh::identity::{
    Claims, JwksSource, MESH_IDENTITY, MESH_TOKEN, Role, SigningKey, VerifierOptions,
};
use mesh::pg::testing::TestDatabase;
use mesh::process::Runtime;
use mesh::server::{Listeners, ServerConfig};
use mesh::tasks::Tasks;
use mesh::telemetry::Telemetry;
use payment_svc::config::Config;
use payment_svc::service::{ServiceError, serve_on};
use payment_svc::timings::PaymentTimings;
use proto::usher::payment::v1 as pb;
use proto::usher::payment::v1::payment_service_client::PaymentServiceClient;
use proto::usher::r#type::v1::Money;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::gateway::{Gateway, SECRET};
use crate::shop::{AMOUNT, until};

const TOKEN: &str = "a secret between peers";

/// A running payment-svc, and the other end of its broker.
pub(crate) struct Service {
    pub(crate) client: PaymentServiceClient<Channel>,
    pub(crate) key: SigningKey,
    pub(crate) gateway: Gateway,
    pub(crate) prefix: String,
    pub(crate) folder: PathBuf,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: tokio::task::JoinHandle<Result<(), ServiceError>>,
    pub(crate) owner: Tasks,
    _storage: TestDatabase,
}

pub(crate) fn amqp_url() -> Secret {
    let url = ProcessEnv.get("USHER_AMQP_URL");
    Secret::new(url.expect("USHER_AMQP_URL is not set: run `make test`, or `dev/stack up --name test` and `. .run/test/env`"))
}

impl Service {
    pub(crate) async fn start() -> Self {
        let (storage, gateway, owner) = (
            TestDatabase::create().await.unwrap(),
            Gateway::start().await,
            Tasks::new(),
        );
        let folder = std::env::temp_dir().join(format!("usher-payment-{}", mesh::id::new()));
        std::fs::create_dir(&folder).unwrap();
        let key = SigningKey::generate().unwrap();
        std::fs::write(folder.join("jwks.json"), key.to_jwks()).unwrap();
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let server = ServerConfig {
            listen: loopback,
            admin_listen: loopback,
            addr_file: None,
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
        let listeners = Listeners::bind(&server).await.unwrap();
        let address = listeners.address();
        let prefix = format!("t{}.", mesh::id::new().simple());
        let config = Config {
            server,
            database_url: storage.url().clone(),
            amqp_url: amqp_url(),
            amqp_prefix: prefix.clone(),
            timings: PaymentTimings::test(),
            toss_url: gateway.running.url().parse().unwrap(),
            toss_secret: Secret::new(SECRET),
        };
        let shutdown = CancellationToken::new();
        let runtime = Runtime {
            tasks: Tasks::new(),
            telemetry: Telemetry::detached().unwrap(),
            shutdown: shutdown.clone(),
        };
        let ended = owner.spawn("payment-svc", async move {
            serve_on(config, listeners, runtime, Faults::none()).await
        });
        let channel = Channel::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        let service = Self {
            client: PaymentServiceClient::new(channel),
            key,
            gateway,
            prefix,
            folder,
            shutdown,
            ended,
            owner,
            _storage: storage,
        };
        until("it serves", async || {
            service
                .get(Uuid::nil(), &Caller::Peer("booking-svc"))
                .await
                .is_err_and(|status| status.code() == Code::NotFound)
        })
        .await;
        service
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
        self.owner.shutdown(std::time::Duration::from_secs(5)).await;
        std::fs::remove_dir_all(&self.folder).unwrap();
        let connection =
            AmqpConnection::connect(amqp_url().expose(), ConnectionProperties::default())
                .await
                .unwrap();
        let channel = connection.create_channel().await.unwrap();
        for (_, route) in Events::embedded().unwrap().iter() {
            for queue in &route.consumers {
                for name in [queue.clone(), park_queue(queue)] {
                    channel
                        .queue_delete(
                            format!("{}{name}", self.prefix).into(),
                            QueueDeleteOptions::default(),
                        )
                        .await
                        .unwrap();
                }
            }
            channel
                .exchange_delete(
                    format!("{}{}", self.prefix, route.exchange).into(),
                    ExchangeDeleteOptions::default(),
                )
                .await
                .unwrap();
        }
        connection.close(200, "done".into()).await.unwrap();
    }

    pub(crate) fn request<T>(&self, message: T, caller: &Caller) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        match caller {
            Caller::Nobody => {}
            Caller::Peer(name) => {
                metadata.insert(MESH_IDENTITY, name.parse().unwrap());
                metadata.insert(MESH_TOKEN, TOKEN.parse().unwrap());
            }
            Caller::Account(account_id, role) => {
                let now = mesh::clock::now().timestamp();
                let claims = Claims {
                    iss: "home".to_owned(),
                    aud: "usher".to_owned(),
                    sub: *account_id,
                    roles: vec![*role],
                    scope: String::new(),
                    iat: now,
                    exp: now + 60,
                    jti: mesh::id::new().to_string(),
                };
                metadata.insert(
                    "authorization",
                    format!("Bearer {}", self.key.sign(&claims).unwrap())
                        .parse()
                        .unwrap(),
                );
            }
        }
        request
    }

    pub(crate) async fn get(
        &self,
        payment_id: Uuid,
        caller: &Caller,
    ) -> Result<pb::Payment, Status> {
        let request = pb::GetPaymentRequest {
            payment_id: payment_id.to_string(),
        };
        let response = self
            .client
            .clone()
            .get_payment(self.request(request, caller))
            .await?;
        Ok(response.into_inner().payment.unwrap())
    }

    pub(crate) async fn create(
        &self,
        request: pb::CreatePaymentRequest,
        caller: &Caller,
    ) -> Result<pb::Payment, Status> {
        let response = self
            .client
            .clone()
            .create_payment(self.request(request, caller))
            .await?;
        Ok(response.into_inner().payment.unwrap())
    }

    pub(crate) async fn confirm(
        &self,
        order: &Order,
        key: &str,
        caller: &Caller,
    ) -> Result<pb::Payment, Status> {
        let request = pb::ConfirmPaymentRequest {
            request_id: mesh::id::new().to_string(),
            payment_id: order.payment_id.to_string(),
            payment_key: key.to_owned(),
            amount: Some(won()),
        };
        let response = self
            .client
            .clone()
            .confirm_payment(self.request(request, caller))
            .await?;
        Ok(response.into_inner().payment.unwrap())
    }

    /// A payment that booking-svc opened and its buyer paid.
    pub(crate) async fn paid(&self, buyer: Uuid) -> Order {
        let order = Order {
            payment_id: mesh::id::new(),
            booking_id: mesh::id::new(),
        };
        self.create(order.request(buyer), &Caller::Peer("booking-svc"))
            .await
            .unwrap();
        let key = self
            .gateway
            .authorize(order.payment_id, AMOUNT, "approve", json!([]))
            .await;
        let paid = self
            .confirm(&order, &key, &Caller::Account(buyer, Role::User))
            .await
            .unwrap();
        assert_eq!(paid.state(), pb::PaymentState::Captured);
        order
    }
}

pub(crate) enum Caller {
    Nobody,
    Peer(&'static str),
    Account(Uuid, Role),
}

pub(crate) struct Order {
    pub(crate) payment_id: Uuid,
    pub(crate) booking_id: Uuid,
}

impl Order {
    pub(crate) fn request(&self, buyer: Uuid) -> pb::CreatePaymentRequest {
        let until = mesh::clock::now().timestamp() + 600;
        pb::CreatePaymentRequest {
            request_id: self.payment_id.to_string(),
            booking_id: self.booking_id.to_string(),
            account_id: buyer.to_string(),
            order_name: "two seats".to_owned(),
            amount: Some(won()),
            method: pb::PaymentMethod::OnSite.into(),
            provider: "toss".to_owned(),
            expire_time: Some(prost_types::Timestamp {
                seconds: until,
                nanos: 0,
            }),
        }
    }
}

pub(crate) fn won() -> Money {
    Money {
        minor_units: AMOUNT,
        currency: "KRW".to_owned(),
    }
}

pub(crate) fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}
