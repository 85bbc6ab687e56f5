//! Imported seating plans.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use super::column;
use super::json::Json;
use super::schema::seating_plan;
use crate::domain::plan::Plan;

/// Adds a plan.
pub async fn insert(
    connection: &mut Connection,
    plan_id: Uuid,
    seller_id: Uuid,
    plan: &Plan,
) -> QueryResult<()> {
    diesel::insert_into(seating_plan::table)
        .values((
            seating_plan::plan_id.eq(plan_id),
            seating_plan::seller_id.eq(seller_id),
            seating_plan::name.eq(&plan.name),
            seating_plan::layout.eq(Json(plan)),
            seating_plan::unit_count.eq(column(plan.seat_count())?),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// A plan of this seller.
pub async fn load(
    connection: &mut Connection,
    plan_id: Uuid,
    seller_id: Uuid,
) -> QueryResult<Option<Plan>> {
    let query = seating_plan::table
        .find(plan_id)
        .filter(seating_plan::seller_id.eq(seller_id));
    let layout: Option<Json<Plan>> = query
        .select(seating_plan::layout)
        .first(connection)
        .await
        .optional()?;
    Ok(layout.map(|Json(plan)| plan))
}
