//! A tonic server that answers a few methods of the contracts and remembers what it was sent.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use mesh::tasks::Tasks;
use proto::google::api::HttpBody;
use proto::usher::booking::v1::*;
use proto::usher::coupon::v1::{GenerateCodesRequest, GenerateCodesResponse};
use proto::usher::payment::v1::{InquirePaymentRequest, InquirePaymentResponse};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tonic_types::{ErrorDetails, StatusExt};

/// What reached the server, and a way to hold an answer back.
#[derive(Clone, Default)]
pub(crate) struct Services {
    pub(crate) seen: Arc<Mutex<Vec<MetadataMap>>>,
    pub(crate) entered: Arc<Notify>,
    pub(crate) go_on: Arc<Notify>,
    /// A stream was dropped.
    pub(crate) left: Arc<Notify>,
}

impl Services {
    /// Serves on a free port.
    pub(crate) async fn start(&self, tasks: &Tasks) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let this = self.clone();
        let routes = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let this = this.clone();
            async move { this.answer(request.map(Body::new)).await }
        });
        let server = tonic::transport::Server::builder().add_routes(Routes::from(routes));
        tasks.spawn(
            "services",
            server.serve_with_incoming(TcpIncoming::from(listener)),
        );
        address
    }

    /// Metadata of the last call.
    pub(crate) fn last(&self) -> MetadataMap {
        self.seen.lock().unwrap().last().expect("a call").clone()
    }

    /// How many calls came through.
    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    async fn answer(
        self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Infallible> {
        let path = request.uri().path().to_owned();
        let method = path.rsplit('/').next().unwrap_or_default();
        Ok(match method {
            "GetVenue" => self.call(request, Self::get_venue).await,
            "CreateVenue" => self.call(request, Self::create_venue).await,
            "ListVenues" => self.call(request, Self::list_venues).await,
            "ImportSeatingPlan" => self.call(request, Self::import_seating_plan).await,
            "HoldUnits" => self.call(request, Self::hold_units).await,
            "PublishShow" => self.call(request, Self::publish_show).await,
            "GetTicketQr" => self.call(request, Self::get_ticket_qr).await,
            "WatchBooking" => self.watch(request).await,
            "GenerateCodes" => self.files(request).await,
            "InquirePayment" => self.call(request, Self::inquire_payment).await,
            _ => Status::unimplemented("not in this test").into_http(),
        })
    }

    async fn create_venue(
        self,
        request: CreateVenueRequest,
    ) -> Result<CreateVenueResponse, Status> {
        let venue = Venue {
            venue_id: request.request_id,
            name: request.name,
            city: request.city,
            ..Venue::default()
        };
        Ok(CreateVenueResponse { venue: Some(venue) })
    }

    async fn list_venues(self, request: ListVenuesRequest) -> Result<ListVenuesResponse, Status> {
        let venue = Venue {
            city: request.city,
            ..Venue::default()
        };
        let next_page_token = format!("{}/{}", request.page_size, request.page_token);
        Ok(ListVenuesResponse {
            venues: vec![venue],
            next_page_token,
        })
    }

    async fn import_seating_plan(
        self,
        request: ImportSeatingPlanRequest,
    ) -> Result<ImportSeatingPlanResponse, Status> {
        let plan = request.plan.unwrap_or_default();
        let plan_id = format!(
            "{} {} {}",
            request.request_id,
            plan.content_type,
            plan.data.len()
        );
        Ok(ImportSeatingPlanResponse {
            plan_id,
            ..ImportSeatingPlanResponse::default()
        })
    }

    async fn publish_show(
        self,
        request: PublishShowRequest,
    ) -> Result<PublishShowResponse, Status> {
        let show = Show {
            show_id: request.show_id,
            title: request.request_id,
            ..Show::default()
        };
        Ok(PublishShowResponse { show: Some(show) })
    }

    async fn hold_units(self, _: HoldUnitsRequest) -> Result<HoldUnitsResponse, Status> {
        Ok(HoldUnitsResponse::default())
    }

    async fn get_ticket_qr(
        self,
        request: GetTicketQrRequest,
    ) -> Result<GetTicketQrResponse, Status> {
        let image = HttpBody {
            content_type: "image/svg+xml".to_owned(),
            data: format!("<svg>{}</svg>", request.module_pixels).into_bytes(),
            ..HttpBody::default()
        };
        Ok(GetTicketQrResponse { image: Some(image) })
    }

    async fn inquire_payment(
        self,
        _: InquirePaymentRequest,
    ) -> Result<InquirePaymentResponse, Status> {
        Ok(InquirePaymentResponse::default())
    }

    /// Answers by the id: an error with details, a wait, a panic, or the venue.
    async fn get_venue(self, request: GetVenueRequest) -> Result<GetVenueResponse, Status> {
        match request.venue_id.as_str() {
            "none" => {
                let details = ErrorDetails::with_error_info(
                    "VENUE_NOT_FOUND",
                    "usher",
                    [("venue_id".to_owned(), "none".to_owned())],
                );
                return Err(Status::with_error_details(
                    tonic::Code::NotFound,
                    "no such venue",
                    details,
                ));
            }
            "busy" => {
                let mut details = ErrorDetails::with_retry_info(Some(Duration::from_millis(2500)));
                details.set_debug_info(vec!["secret stack".to_owned()], "secret");
                return Err(Status::with_error_details(
                    tonic::Code::ResourceExhausted,
                    "busy",
                    details,
                ));
            }
            "never" => std::future::pending().await,
            "large" => {
                let venue = Venue {
                    name: "x".repeat(17 * 1024 * 1024),
                    ..Venue::default()
                };
                return Ok(GetVenueResponse { venue: Some(venue) });
            }
            "wait" => {
                self.entered.notify_one();
                self.go_on.notified().await;
            }
            _ => {}
        }
        let venue = Venue {
            venue_id: request.venue_id,
            name: "Hall of Fame".to_owned(),
            ..Venue::default()
        };
        Ok(GetVenueResponse { venue: Some(venue) })
    }

    async fn watch(self, request: http::Request<Body>) -> http::Response<Body> {
        let mut grpc =
            Grpc::new(ProstCodec::<WatchBookingResponse, WatchBookingRequest>::default());
        grpc.server_streaming(Watch(self), request).await
    }

    async fn files(self, request: http::Request<Body>) -> http::Response<Body> {
        let mut grpc =
            Grpc::new(ProstCodec::<GenerateCodesResponse, GenerateCodesRequest>::default());
        grpc.server_streaming(Files(self), request).await
    }

    async fn call<Q, A, F, W>(self, request: http::Request<Body>, work: F) -> http::Response<Body>
    where
        Q: prost::Message + Default + Send + 'static,
        A: prost::Message + Default + Send + 'static,
        F: Fn(Self, Q) -> W,
        W: Future<Output = Result<A, Status>> + Send + 'static,
    {
        let method = Method {
            services: self,
            work,
            kind: std::marker::PhantomData,
        };
        Grpc::new(ProstCodec::<A, Q>::default())
            .max_decoding_message_size(64 * 1024 * 1024)
            .max_encoding_message_size(64 * 1024 * 1024)
            .unary(method, request)
            .await
    }
}

/// What each booking does while it is watched, by its id.
struct Watch(Services);

type States = std::pin::Pin<Box<dyn Stream<Item = Result<WatchBookingResponse, Status>> + Send>>;

impl ServerStreamingService<WatchBookingRequest> for Watch {
    type Response = WatchBookingResponse;
    type ResponseStream = States;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<States>, Status>> + Send>>;

    fn call(&mut self, request: Request<WatchBookingRequest>) -> Self::Future {
        let services = self.0.clone();
        services
            .seen
            .lock()
            .unwrap()
            .push(request.metadata().clone());
        let id = request.into_inner().booking_id;
        Box::pin(async move { Ok(Response::new(states(services, &id)?)) })
    }
}

fn states(services: Services, id: &str) -> Result<States, Status> {
    let state = |note: &str| {
        let booking = Booking {
            booking_id: note.to_owned(),
            ..Booking::default()
        };
        Ok(WatchBookingResponse {
            booking: Some(booking),
        })
    };
    let broken = || {
        let details = ErrorDetails::with_error_info("DEPENDENCY_DOWN", "usher", []);
        Status::with_error_details(tonic::Code::Unavailable, "gone", details)
    };
    let left = OnDrop(Arc::clone(&services.left));
    let wait = stream::once(async move {
        let _left = left;
        services.entered.notify_one();
        services.go_on.notified().await;
        state("b")
    });
    Ok(match id {
        "two" => stream::iter([state("a"), state("b")]).boxed(),
        "none" => stream::empty().boxed(),
        "fails" => stream::iter([state("a"), Err(broken())]).boxed(),
        "refused" => return Err(broken()),
        "refused-late" => stream::iter([Err(broken())]).boxed(),
        "quiet" => stream::iter([state("a")]).chain(wait).boxed(),
        _ => wait.boxed(),
    })
}

/// A file in pieces, by the id of the request.
struct Files(Services);

type Pieces = std::pin::Pin<Box<dyn Stream<Item = Result<GenerateCodesResponse, Status>> + Send>>;

impl ServerStreamingService<GenerateCodesRequest> for Files {
    type Response = GenerateCodesResponse;
    type ResponseStream = Pieces;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Pieces>, Status>> + Send>>;

    fn call(&mut self, request: Request<GenerateCodesRequest>) -> Self::Future {
        let (services, id) = (self.0.clone(), request.into_inner().campaign_id);
        let piece = |content_type: &str, data: &str| {
            let file = HttpBody {
                content_type: content_type.to_owned(),
                data: data.as_bytes().to_vec(),
                ..HttpBody::default()
            };
            Ok(GenerateCodesResponse { file: Some(file) })
        };
        let two = stream::iter([piece("text/csv", "a\r\n"), piece("", "b\r\n")]);
        let left = OnDrop(Arc::clone(&services.left));
        let wait = stream::once(async move {
            let _left = left;
            services.go_on.notified().await;
            Err(Status::unavailable("gone"))
        });
        let pieces: Pieces = match id.as_str() {
            "two" => two.boxed(),
            "none" => stream::empty().boxed(),
            "fails" => two
                .chain(stream::iter([Err(Status::unavailable("gone"))]))
                .boxed(),
            "refused" => stream::iter([Err(Status::unavailable("gone"))]).boxed(),
            _ => two.chain(wait).boxed(),
        };
        Box::pin(async move { Ok(Response::new(pieces)) })
    }
}

/// Tells when it is dropped.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

struct Method<Q, F> {
    services: Services,
    work: F,
    kind: std::marker::PhantomData<fn(Q)>,
}

impl<Q, A, F, W> UnaryService<Q> for Method<Q, F>
where
    A: 'static,
    F: Fn(Services, Q) -> W,
    W: Future<Output = Result<A, Status>> + Send + 'static,
{
    type Response = A;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<A>, Status>> + Send>>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        self.services
            .seen
            .lock()
            .unwrap()
            .push(request.metadata().clone());
        let answer = (self.work)(self.services.clone(), request.into_inner());
        Box::pin(async move { Ok(Response::new(answer.await?)) })
    }
}
