//! What a hold costs by line, and what coupons take off a booking.

use std::collections::BTreeMap;

use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{Array, BigInt, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use mesh::money::Money;
use mesh::pg::Connection;
use uuid::Uuid;

use super::currency;
use crate::domain::hold::UnitKey;
use crate::domain::price::{Discount, OrderLine, Part};

#[derive(QueryableByName)]
struct OrderRow {
    #[diesel(sql_type = BigInt)]
    line_no: i64,
    #[diesel(sql_type = SqlUuid)]
    seller_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    show_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    performance_id: Uuid,
    #[diesel(sql_type = Text)]
    category: String,
    #[diesel(sql_type = Integer)]
    weekday: i32,
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
    #[diesel(sql_type = Integer)]
    ord: i32,
    #[diesel(sql_type = Integer)]
    quantity: i32,
    #[diesel(sql_type = Text)]
    grade: String,
    #[diesel(sql_type = BigInt)]
    unit_amount: i64,
    #[diesel(sql_type = Text)]
    currency: String,
}

/// The lines of a hold, numbered as those of its booking are.
pub async fn order(connection: &mut Connection, hold_id: Uuid) -> QueryResult<Vec<OrderLine>> {
    let query = "SELECT row_number() OVER (ORDER BY c.pool_id, c.ord) - 1 AS line_no, s.seller_id, p.show_id, \
         f.performance_id, s.category, extract(isodow FROM f.start_time AT TIME ZONE v.time_zone)::integer AS weekday, \
         c.pool_id, c.ord, c.quantity, c.grade, c.unit_amount, c.currency FROM claim c JOIN inv_pool p USING (pool_id) \
         JOIN show s USING (show_id) JOIN performance f ON f.performance_id = p.subject_id JOIN hall h USING (hall_id) \
         JOIN venue v USING (venue_id) WHERE c.hold_id = $1 ORDER BY c.pool_id, c.ord";
    let rows: Vec<OrderRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(hold_id)
        .load(connection)
        .await?;
    let line = |row: OrderRow| {
        Ok(OrderLine {
            line_no: i32::try_from(row.line_no).map_err(|_| super::broken("line number"))?,
            seller_id: row.seller_id,
            show_id: row.show_id,
            performance_id: row.performance_id,
            category: row.category,
            weekday: row.weekday,
            unit: UnitKey {
                pool_id: row.pool_id,
                ord: row.ord,
            },
            grade: row.grade,
            quantity: row.quantity,
            unit_price: Money::new(row.unit_amount, currency(&row.currency)?),
        })
    };
    rows.into_iter().map(line).collect()
}

#[derive(QueryableByName)]
struct DiscountRow {
    #[diesel(sql_type = SqlUuid)]
    booking_id: Uuid,
    #[diesel(sql_type = Integer)]
    line_no: i32,
    #[diesel(sql_type = SqlUuid)]
    coupon_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    campaign_id: Uuid,
    #[diesel(sql_type = BigInt)]
    amount: i64,
    #[diesel(sql_type = BigInt)]
    platform_amount: i64,
}

/// What coupons take off these bookings.
pub async fn discounts(
    connection: &mut Connection,
    bookings: &[Uuid],
) -> QueryResult<BTreeMap<Uuid, Vec<Discount>>> {
    let mut found: BTreeMap<Uuid, Vec<Discount>> = BTreeMap::new();
    if bookings.is_empty() {
        return Ok(found);
    }
    let rows: Vec<DiscountRow> = diesel::sql_query(
        "SELECT booking_id, line_no, coupon_id, campaign_id, amount, platform_amount FROM booking_discount \
         WHERE booking_id = ANY($1) ORDER BY booking_id, coupon_id, line_no",
    )
    .bind::<Array<SqlUuid>, _>(bookings)
    .load(connection)
    .await?;
    for row in rows {
        let discounts = found.entry(row.booking_id).or_default();
        let part = Part {
            line_no: row.line_no,
            amount: row.amount,
            platform_amount: row.platform_amount,
        };
        match discounts.last_mut() {
            Some(last) if last.coupon_id == row.coupon_id => last.parts.push(part),
            _ => discounts.push(Discount {
                coupon_id: row.coupon_id,
                campaign_id: row.campaign_id,
                parts: vec![part],
            }),
        }
    }
    Ok(found)
}

/// Freezes what coupons take off a booking that is new.
pub async fn insert(
    connection: &mut Connection,
    booking_id: Uuid,
    discounts: &[Discount],
) -> QueryResult<()> {
    let parts = || {
        discounts
            .iter()
            .flat_map(|discount| discount.parts.iter().map(move |part| (discount, part)))
    };
    diesel::sql_query(
        "INSERT INTO booking_discount (booking_id, line_no, coupon_id, campaign_id, amount, platform_amount) \
         SELECT $1, * FROM unnest($2::int[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[])",
    )
    .bind::<SqlUuid, _>(booking_id)
    .bind::<Array<Integer>, _>(parts().map(|(_, part)| part.line_no).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(parts().map(|(one, _)| one.coupon_id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(parts().map(|(one, _)| one.campaign_id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(parts().map(|(_, part)| part.amount).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(parts().map(|(_, part)| part.platform_amount).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
