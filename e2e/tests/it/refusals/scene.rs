//! A mesh in which there is something to get wrong: holds, bookings and payments in every state.

use chrono::TimeDelta;
use e2e::rest::{Call, Person};
use mesh::id;
use mesh::identity::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::real::{Order, RealMesh, Sale, Seats, ShowPlan, id_at, until};

pub(super) struct Scene {
    pub(super) buyer: Person,
    pub(super) stranger: Person,
    pub(super) seller: Person,
    pub(super) admin: Person,
    pub(super) sale: Sale,
    pub(super) in_dollars: Sale,
    pub(super) not_open: Sale,
    pub(super) over: Sale,
    pub(super) begun: Sale,
    /// A show that nobody published.
    pub(super) draft: Uuid,
    pub(super) hall_name: String,
    /// Hold that lives, its request id, and its total.
    pub(super) held: Uuid,
    pub(super) total: Value,
    pub(super) expired: Uuid,
    pub(super) released: Uuid,
    /// Bookings, by where their money stands.
    pub(super) waiting: Order,
    pub(super) paid: (Order, String),
    /// A ticket of the paid booking.
    pub(super) ticket: Uuid,
    pub(super) declined: Order,
    pub(super) abandoned: Order,
    pub(super) late: Order,
    /// A booking whose saga an operator laid aside.
    pub(super) laid_aside: Order,
    /// Sagas: of the paid booking, and the one that was laid aside.
    pub(super) ended_saga: Uuid,
    pub(super) parked_saga: Uuid,
}

impl Scene {
    pub(super) async fn set(mesh: &RealMesh) -> Self {
        let buyer = mesh.person(&[Role::User]);
        let plan = ShowPlan {
            seats: Seats::Row(21),
            ..ShowPlan::default()
        };
        let sale = mesh.on_sale(plan).await;
        let pool = sale.pool_id;
        let hold = mesh.hold(&buyer, pool, &[0]).await;
        let expired = id_at(&mesh.hold(&buyer, pool, &[1]).await, "/hold/holdId");
        let released = id_at(&mesh.hold(&buyer, pool, &[2]).await, "/hold/holdId");
        let release = Call::post(format!("/v1/holds/{released}:release"));
        mesh.ask(&release.by(&buyer)).await;
        let waiting = mesh.order(&buyer, pool, &[3]).await;
        let paid = mesh.order(&buyer, pool, &[4, 5]).await;
        let key = mesh.pay(&buyer, &paid, "approve").await;
        let tickets = mesh.tickets(&buyer, paid.booking_id, 2).await;
        let declined = mesh.order(&buyer, pool, &[6]).await;
        mesh.pay(&buyer, &declined, "decline_final").await;
        let abandoned = mesh.order(&buyer, pool, &[7]).await;
        let cancel = Call::post(format!("/v1/bookings/{}:cancel", abandoned.booking_id));
        mesh.ask(&cancel.by(&buyer)).await;
        let late = mesh.order(&buyer, pool, &[8]).await;
        let laid_aside = mesh.order(&mesh.person(&[Role::User]), pool, &[20]).await;
        let admin = mesh.person(&[Role::Admin]);
        let parked_saga = saga_of(mesh, &laid_aside).await;
        park(mesh, &admin, parked_saga).await;
        let scene = Self {
            stranger: mesh.person(&[Role::User]),
            seller: sale.seller.clone(),
            admin,
            in_dollars: mesh
                .on_sale(ShowPlan {
                    currency: "USD",
                    ..ShowPlan::default()
                })
                .await,
            not_open: mesh
                .on_sale(window(TimeDelta::hours(1), TimeDelta::days(20)))
                .await,
            over: mesh
                .on_sale(window(TimeDelta::hours(-2), TimeDelta::hours(-1)))
                .await,
            begun: mesh.on_sale(ShowPlan::default()).await,
            draft: draft(mesh, &sale.seller).await,
            hall_name: mesh
                .booking
                .texts("SELECT name FROM hall ORDER BY hall_id LIMIT 1")
                .await
                .concat(),
            held: id_at(&hold, "/hold/holdId"),
            total: hold.json["hold"]["total"].clone(),
            expired,
            released,
            waiting,
            ended_saga: saga_of(mesh, &paid).await,
            paid: (paid, key),
            ticket: id_at(&tickets, "/tickets/0/ticketId"),
            declined,
            abandoned,
            late,
            laid_aside,
            parked_saga,
            sale,
            buyer,
        };
        scene.age(mesh).await;
        scene.settle(mesh).await;
        scene
    }

    /// Lets time pass for those that it has to pass for.
    async fn age(&self, mesh: &RealMesh) {
        let past = "now() - interval '1 second'";
        mesh.booking
            .run(&format!(
                "UPDATE hold SET expire_time = {past} WHERE hold_id = '{}'",
                self.expired
            ))
            .await;
        mesh.booking
            .run(&format!(
                "UPDATE performance SET start_time = {past} WHERE performance_id = '{}'",
                self.begun.performance_id
            ))
            .await;
        mesh.payment
            .run(&format!(
                "UPDATE payment SET expire_time = {past} WHERE payment_id = '{}'",
                self.late.payment_id
            ))
            .await;
    }

    /// Waits until what was begun has ended, but for the hold and the booking that stay open.
    async fn settle(&self, mesh: &RealMesh) {
        for order in [&self.declined, &self.abandoned, &self.late] {
            mesh.reaches(&self.buyer, order.booking_id, "BOOKING_STATE_FAILED")
                .await;
        }
        let expired = format!("SELECT state FROM hold WHERE hold_id = '{}'", self.expired);
        until("the hold has expired", async || {
            (mesh.booking.texts(&expired).await == ["EXPIRED"]).then_some(())
        })
        .await;
        until("only the open bookings are under way", async || {
            let others = mesh.under_way().await.into_iter().filter(|row| {
                let of = |order: &Order| [order.payment_id, order.booking_id, order.hold_id];
                let open = [of(&self.waiting), of(&self.laid_aside)].concat();
                !open.iter().any(|id| row.contains(&id.to_string()))
            });
            (others.count() == 0).then_some(())
        })
        .await;
    }
}

/// An operator lays a saga aside.
async fn park(mesh: &RealMesh, admin: &Person, saga_id: Uuid) {
    let park = Call::post(format!("/v1/admin/sagas/{saga_id}:park")).by(admin);
    let park = park.json(&json!({"reason": "scene"}));
    let parked = mesh.admin.send(&park);
    assert!(parked.await.unwrap().is_ok(), "an operator parks a saga");
}

async fn saga_of(mesh: &RealMesh, order: &Order) -> Uuid {
    let sql = format!(
        "SELECT saga_id FROM saga WHERE subject_id = '{}'",
        order.booking_id
    );
    mesh.booking.texts(&sql).await.concat().parse().unwrap()
}

fn window(open: TimeDelta, close: TimeDelta) -> ShowPlan {
    ShowPlan {
        window: (open, close),
        seats: Seats::Row(2),
        ..ShowPlan::default()
    }
}

async fn draft(mesh: &RealMesh, seller: &Person) -> Uuid {
    let show = json!({
        "title": format!("Draft {}", id::new()), "category": "musical", "ageRating": "8+", "currency": "KRW",
        "saleOpenTime": "2020-01-01T00:00:00Z", "saleCloseTime": "2100-01-01T00:00:00Z", "unitsPerBuyerMax": 4,
    });
    let show = mesh
        .ask(&Call::post("/v1/shows").by(seller).json(&show))
        .await;
    id_at(&show, "/show/showId")
}
