//! RoomService.

use mesh::clock;
use mesh::identity::Account;
use mesh::page::{List, SIZE_MAX};
use mesh::pg::idempotency::{Key, RequestHash};
use mesh::status::{INVALID_REQUEST, Violations};
use prost::Message;
use proto::usher::queue::v1 as pb;
use proto::usher::queue::v1::room_service_server::RoomService;
use tonic::{Request, Response, Status};

use super::{account, convert, status};
use crate::app::manage::{Command, Managing, Operator, Wish};
use crate::credentials::KeyRing;
use crate::credentials::invitation::{codes, digest_of};
use crate::domain::lane::Lane;
use crate::domain::plan::{CAPACITY_MAX, RATE_MAX};
use crate::domain::room::Order;
use crate::rooms::Found;

/// Invitations of one order: their codes fit one answer, their rows one statement.
const INVITATIONS_MAX: u32 = 1_000;

/// Answers RoomService.
#[derive(Clone, Debug)]
pub struct RoomApi {
    /// The use cases.
    pub managing: Managing,
    /// Makes codes of invitations.
    pub ring: KeyRing,
}

/// What every order has.
struct Asked<'a> {
    method: &'static str,
    request_id: &'a str,
    show_id: &'a str,
    reason: &'a str,
}

impl RoomApi {
    async fn order<T: Asks>(
        &self,
        request: &Request<T>,
        order: Order,
    ) -> Result<Option<pb::Room>, Status> {
        let wish = Some(Wish::Order(order));
        self.carry_out(request, wish, Violations::new()).await
    }

    async fn carry_out<T: Asks>(
        &self,
        request: &Request<T>,
        wish: Option<Wish>,
        mut wrong: Violations,
    ) -> Result<Option<pb::Room>, Status> {
        let account = account(request)?;
        let asked = request.get_ref().asked();
        let request_id = convert::id(&mut wrong, "request_id", asked.request_id);
        let show_id = convert::id(&mut wrong, "show_id", asked.show_id);
        let reason = convert::reason(&mut wrong, asked.reason);
        let parts = || Some((request_id?, show_id?, reason?, wish?));
        let parts = parts();
        let (request_id, show_id, reason, wish) = wrong.finish(&INVALID_REQUEST, parts)?;
        let command = Command {
            key: Key {
                account_id: account.account_id,
                method: asked.method,
                request_id,
            },
            hash: RequestHash::of(request.get_ref()),
            operator: operator(&account),
            show_id,
            reason,
            wish,
        };
        let room = self.managing.carry_out(command).await;
        let room = room.map_err(status::managing)?;
        Ok(Some(convert::room(&room, clock::now())))
    }
}

fn operator(account: &Account) -> Operator {
    if account.is_admin() {
        Operator::Admin
    } else {
        Operator::Seller(account.account_id)
    }
}

/// What every request that changes a room has.
trait Asks: Message {
    fn asked(&self) -> Asked<'_>;
}

macro_rules! asks {
    ($($request:ident = $method:literal),* $(,)?) => {
        $(impl Asks for pb::$request {
            fn asked(&self) -> Asked<'_> {
                Asked {
                    method: concat!("usher.queue.v1.RoomService/", $method),
                    request_id: &self.request_id,
                    show_id: &self.show_id,
                    reason: &self.reason,
                }
            }
        })*
    };
}

asks! {
    PutRoomRequest = "PutRoom",
    OpenRoomRequest = "OpenRoom",
    PauseRoomRequest = "PauseRoom",
    ResumeRoomRequest = "ResumeRoom",
    DrainRoomRequest = "DrainRoom",
    CloseRoomRequest = "CloseRoom",
    FlushRoomRequest = "FlushRoom",
    SetRoomRateRequest = "SetRoomRate",
    SetRoomCapacityRequest = "SetRoomCapacity",
    CreateInvitationsRequest = "CreateInvitations",
}

#[tonic::async_trait]
impl RoomService for RoomApi {
    async fn put_room(
        &self,
        request: Request<pb::PutRoomRequest>,
    ) -> Result<Response<pb::PutRoomResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let plan = convert::plan(&mut wrong, body.settings.as_ref());
        let wish = plan.map(|plan| Wish::Plan(Box::new(plan)));
        let room = self.carry_out(&request, wish, wrong).await?;
        Ok(Response::new(pb::PutRoomResponse { room }))
    }

    async fn get_room(
        &self,
        request: Request<pb::GetRoomRequest>,
    ) -> Result<Response<pb::GetRoomResponse>, Status> {
        let operator = operator(&*account(&request)?);
        let show_id = convert::show(&request.get_ref().show_id)?;
        let room = self.managing.get(operator, show_id).await;
        let room = room.map_err(status::managing)?;
        let room = Some(convert::room(&room, clock::now()));
        Ok(Response::new(pb::GetRoomResponse { room }))
    }

    async fn list_rooms(
        &self,
        request: Request<pb::ListRoomsRequest>,
    ) -> Result<Response<pb::ListRoomsResponse>, Status> {
        let operator = operator(&*account(&request)?);
        let asked = request.into_inner();
        let list = List::new("ListRooms", &pb::ListRoomsRequest::default());
        let mut wrong = Violations::new();
        let page = list.page(
            asked.page_size,
            SIZE_MAX,
            &asked.page_token,
            |field, text| {
                wrong.add(field, text);
            },
        );
        let page = wrong.finish(&INVALID_REQUEST, Some(page))?;
        let page = self.managing.list(operator, page).await;
        let page = page.map_err(status::managing)?;
        let now = clock::now();
        Ok(Response::new(pb::ListRoomsResponse {
            rooms: page
                .items
                .iter()
                .map(|room| convert::room(room, now))
                .collect(),
            next_page_token: list.token(page.next.as_ref()),
        }))
    }

    async fn get_room_stats(
        &self,
        request: Request<pb::GetRoomStatsRequest>,
    ) -> Result<Response<pb::GetRoomStatsResponse>, Status> {
        let operator = operator(&*account(&request)?);
        let show_id = convert::show(&request.get_ref().show_id)?;
        let found = self.managing.rooms.find(show_id).await;
        let live = match found.map_err(status::unread)? {
            Found::Live(live) => live,
            Found::Over => return Err(status::over()),
            Found::Nowhere => return Err(status::no_room()),
        };
        let owner = live.room().seller_id;
        operator
            .may(owner)
            .map_err(|refusal| status::managing(refusal.into()))?;
        let stats = Some(convert::stats(&live)?);
        Ok(Response::new(pb::GetRoomStatsResponse { stats }))
    }

    async fn open_room(
        &self,
        request: Request<pb::OpenRoomRequest>,
    ) -> Result<Response<pb::OpenRoomResponse>, Status> {
        let room = self.order(&request, Order::Open).await?;
        Ok(Response::new(pb::OpenRoomResponse { room }))
    }

    async fn pause_room(
        &self,
        request: Request<pb::PauseRoomRequest>,
    ) -> Result<Response<pb::PauseRoomResponse>, Status> {
        let room = self.order(&request, Order::Pause).await?;
        Ok(Response::new(pb::PauseRoomResponse { room }))
    }

    async fn resume_room(
        &self,
        request: Request<pb::ResumeRoomRequest>,
    ) -> Result<Response<pb::ResumeRoomResponse>, Status> {
        let room = self.order(&request, Order::Resume).await?;
        Ok(Response::new(pb::ResumeRoomResponse { room }))
    }

    async fn drain_room(
        &self,
        request: Request<pb::DrainRoomRequest>,
    ) -> Result<Response<pb::DrainRoomResponse>, Status> {
        let room = self.order(&request, Order::Drain).await?;
        Ok(Response::new(pb::DrainRoomResponse { room }))
    }

    async fn close_room(
        &self,
        request: Request<pb::CloseRoomRequest>,
    ) -> Result<Response<pb::CloseRoomResponse>, Status> {
        let room = self.order(&request, Order::Close).await?;
        Ok(Response::new(pb::CloseRoomResponse { room }))
    }

    async fn flush_room(
        &self,
        request: Request<pb::FlushRoomRequest>,
    ) -> Result<Response<pb::FlushRoomResponse>, Status> {
        let room = self.order(&request, Order::Flush).await?;
        Ok(Response::new(pb::FlushRoomResponse { room }))
    }

    async fn set_room_rate(
        &self,
        request: Request<pb::SetRoomRateRequest>,
    ) -> Result<Response<pb::SetRoomRateResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let rate = convert::count(&mut wrong, "rate", body.rate, RATE_MAX);
        let wish = rate.map(|rate| Wish::Order(Order::SetRate(rate)));
        let room = self.carry_out(&request, wish, wrong).await?;
        Ok(Response::new(pb::SetRoomRateResponse { room }))
    }

    async fn set_room_capacity(
        &self,
        request: Request<pb::SetRoomCapacityRequest>,
    ) -> Result<Response<pb::SetRoomCapacityResponse>, Status> {
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let capacity = convert::count(&mut wrong, "capacity", body.capacity, CAPACITY_MAX);
        let wish = capacity.map(|capacity| Wish::Order(Order::SetCapacity(capacity)));
        let room = self.carry_out(&request, wish, wrong).await?;
        Ok(Response::new(pb::SetRoomCapacityResponse { room }))
    }

    async fn create_invitations(
        &self,
        request: Request<pb::CreateInvitationsRequest>,
    ) -> Result<Response<pb::CreateInvitationsResponse>, Status> {
        let account_id = account(&request)?.account_id;
        let body = request.get_ref();
        let mut wrong = Violations::new();
        let count = convert::count(&mut wrong, "count", body.count, INVITATIONS_MAX);
        let lane = match body.lane() {
            pb::Lane::Presale => Some(Lane::Presale),
            pb::Lane::Access => Some(Lane::Access),
            pb::Lane::Unspecified | pb::Lane::General | pb::Lane::Late => {
                wrong.add("lane", "must be LANE_PRESALE or LANE_ACCESS");
                None
            }
        };
        let made = || {
            let (show_id, request_id) = (
                mesh::id::parse(&body.show_id)?,
                mesh::id::parse(&body.request_id)?,
            );
            let lane = lane?;
            let codes = codes(&self.ring, show_id, account_id, request_id, lane, count?);
            Some((lane, codes))
        };
        let (wish, codes) = match made() {
            Some((lane, codes)) => {
                let digests = codes.iter().map(|code| digest_of(code)).collect();
                (Some(Wish::Invite(lane, digests)), codes)
            }
            None => (None, Vec::new()),
        };
        self.carry_out(&request, wish, wrong).await?;
        Ok(Response::new(pb::CreateInvitationsResponse { codes }))
    }
}
