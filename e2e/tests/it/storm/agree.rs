//! Owners by HTTP, captures of the provider, payments, claims and tickets are the same sets, by id.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Purchase;
use crate::real::{RealMesh, Sale, id_in};

type Purchases = BTreeSet<Purchase>;

pub(super) async fn agree(mesh: &RealMesh, sale: &Sale, purchases: &Purchases) {
    captures(mesh, purchases).await;
    payments(mesh, purchases).await;
    claims(mesh, sale, purchases).await;
    tickets(mesh, purchases).await;
    let loose = "SELECT ord FROM inv_unit WHERE held <> 0 OR sold <> 1";
    let loose = mesh.booking.texts(loose).await;
    assert_eq!(loose, [""; 0], "units that are not sold once");
}

async fn captures(mesh: &RealMesh, purchases: &Purchases) {
    let orders = mesh.orders().await.into_iter();
    let captured = orders.filter(|(_, order)| number(order, "captured") != 0);
    let captures: BTreeSet<(Uuid, i64)> = captured
        .map(|(order_id, order)| {
            let times = (number(&order, "captures"), number(&order, "refunds"));
            assert_eq!(times, (1, 0), "{order}");
            (id_in(&json!(order_id)), number(&order, "captured"))
        })
        .collect();
    let paid = purchases.iter().map(|p| (p.payment_id, p.total));
    assert_eq!(captures, paid.collect(), "captures of the provider");
}

async fn payments(mesh: &RealMesh, purchases: &Purchases) {
    let sql =
        "SELECT payment_id, captured_amount, account_id FROM payment WHERE state = 'CAPTURED'";
    let rows = mesh.payment.rows(sql).await;
    let row = |row: &Value| {
        let ids = (id_in(&row["payment_id"]), id_in(&row["account_id"]));
        (ids.0, number(row, "captured_amount"), ids.1)
    };
    let payments: BTreeSet<_> = rows.iter().map(row).collect();
    let paid = purchases
        .iter()
        .map(|p| (p.payment_id, p.total, p.account_id));
    assert_eq!(payments, paid.collect(), "payments");
}

async fn claims(mesh: &RealMesh, sale: &Sale, purchases: &Purchases) {
    let sql = format!(
        "SELECT h.hold_id, h.account_id, c.ord FROM claim c JOIN hold h USING (hold_id) WHERE c.pool_id = '{}' AND c.state = 'SOLD'",
        sale.pool_id
    );
    let rows = mesh.booking.rows(&sql).await;
    let row = |row: &Value| {
        let ids = (id_in(&row["hold_id"]), id_in(&row["account_id"]));
        (ids.0, ids.1, number(row, "ord"))
    };
    let claims: BTreeSet<_> = rows.iter().map(row).collect();
    let owners = purchases.iter().flat_map(|p| {
        let own = p.units.iter();
        own.map(|ord| (p.hold_id, p.account_id, *ord))
    });
    assert_eq!(claims, owners.collect(), "claims");
}

async fn tickets(mesh: &RealMesh, purchases: &Purchases) {
    let sql = "SELECT ticket_id, booking_id, account_id, ord FROM ticket WHERE state = 'ACTIVE'";
    let rows = mesh.booking.rows(sql).await;
    let row = |row: &Value| {
        let ids = (id_in(&row["ticket_id"]), id_in(&row["booking_id"]));
        (ids.0, ids.1, id_in(&row["account_id"]), number(row, "ord"))
    };
    let tickets: BTreeSet<_> = rows.iter().map(row).collect();
    let issued = purchases.iter().flat_map(|p| {
        let own = p.tickets.iter();
        own.map(|(ticket_id, ord)| (*ticket_id, p.booking_id, p.account_id, *ord))
    });
    assert_eq!(tickets, issued.collect(), "tickets");
}

fn number(row: &Value, name: &str) -> i64 {
    row[name].as_i64().unwrap()
}
