//! Shows.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use mesh::pg::Connection;
use uuid::Uuid;

use super::schema::{hall, inv_pool, performance, show};
use super::{broken, column, count, currency};
use crate::domain::show::{Show, ShowFilter, ShowSpec, ShowState};

#[derive(Queryable, Selectable)]
#[diesel(table_name = show, check_for_backend(diesel::pg::Pg))]
struct ShowRow {
    show_id: Uuid,
    seller_id: Uuid,
    title: String,
    cast_names: Vec<String>,
    category: String,
    age_rating: String,
    description: String,
    currency: String,
    sale_open_time: DateTime<Utc>,
    sale_close_time: DateTime<Utc>,
    units_per_buyer_max: i32,
    hold_ttl_seconds: i32,
    state: String,
    version: i64,
    create_time: DateTime<Utc>,
    queue_required: bool,
    browse_gated: bool,
}

impl ShowRow {
    fn into_show(self) -> QueryResult<Show> {
        Ok(Show {
            show_id: self.show_id,
            seller_id: self.seller_id,
            spec: ShowSpec {
                title: self.title,
                cast_names: self.cast_names,
                category: self.category,
                age_rating: self.age_rating,
                description: self.description,
                currency: currency(&self.currency)?,
                sale_open_time: self.sale_open_time,
                sale_close_time: self.sale_close_time,
                units_per_buyer_max: count(self.units_per_buyer_max)?,
                hold_ttl: TimeDelta::seconds(self.hold_ttl_seconds.into()),
                queue_required: self.queue_required,
                browse_gated: self.browse_gated,
            },
            state: read_state(&self.state)?,
            version: self.version,
            create_time: self.create_time,
        })
    }
}

fn read_state(state: &str) -> QueryResult<ShowState> {
    match state {
        "DRAFT" => Ok(ShowState::Draft),
        "PUBLISHED" => Ok(ShowState::Published),
        other => Err(broken(format!("state {other:?} of a show"))),
    }
}

fn state_name(state: ShowState) -> &'static str {
    match state {
        ShowState::Draft => "DRAFT",
        ShowState::Published => "PUBLISHED",
    }
}

/// Adds a draft.
pub async fn insert(
    connection: &mut Connection,
    show_id: Uuid,
    seller_id: Uuid,
    spec: &ShowSpec,
) -> QueryResult<Show> {
    let row: ShowRow = diesel::insert_into(show::table)
        .values((
            show::show_id.eq(show_id),
            show::seller_id.eq(seller_id),
            show::title.eq(&spec.title),
            show::cast_names.eq(&spec.cast_names),
            show::category.eq(&spec.category),
            show::age_rating.eq(&spec.age_rating),
            show::description.eq(&spec.description),
            show::currency.eq(spec.currency.code()),
            show::sale_open_time.eq(spec.sale_open_time),
            show::sale_close_time.eq(spec.sale_close_time),
            show::units_per_buyer_max.eq(column(spec.units_per_buyer_max)?),
            show::hold_ttl_seconds.eq(column(spec.hold_ttl.num_seconds())?),
            show::queue_required.eq(spec.queue_required),
            show::browse_gated.eq(spec.browse_gated),
            show::state.eq(state_name(ShowState::Draft)),
            show::version.eq(1),
        ))
        .returning(ShowRow::as_returning())
        .get_result(connection)
        .await?;
    row.into_show()
}

/// One show.
pub async fn load(connection: &mut Connection, show_id: Uuid) -> QueryResult<Option<Show>> {
    let query = show::table.find(show_id).select(ShowRow::as_select());
    let row: Option<ShowRow> = query.first(connection).await.optional()?;
    row.map(ShowRow::into_show).transpose()
}

/// One show, locked against other changes until the transaction ends. Rows that refer to it can be made meanwhile: nobody's sale waits.
pub async fn lock(connection: &mut Connection, show_id: Uuid) -> QueryResult<Option<Show>> {
    let query = show::table
        .find(show_id)
        .select(ShowRow::as_select())
        .for_no_key_update();
    let row: Option<ShowRow> = query.first(connection).await.optional()?;
    row.map(ShowRow::into_show).transpose()
}

/// The show of a pool.
pub async fn load_of_pool(connection: &mut Connection, pool_id: Uuid) -> QueryResult<Option<Show>> {
    let query = inv_pool::table
        .find(pool_id)
        .inner_join(show::table.on(show::show_id.eq(inv_pool::show_id)));
    let row: Option<ShowRow> = query
        .select(ShowRow::as_select())
        .first(connection)
        .await
        .optional()?;
    row.map(ShowRow::into_show).transpose()
}

/// Whether the show has a performance.
pub async fn has_performance(connection: &mut Connection, show_id: Uuid) -> QueryResult<bool> {
    let performances = performance::table.filter(performance::show_id.eq(show_id));
    diesel::select(exists(performances))
        .get_result(connection)
        .await
}

/// Saves state and version of a show that was locked.
pub async fn save_state(connection: &mut Connection, saved: &Show) -> QueryResult<()> {
    diesel::update(show::table.find(saved.show_id))
        .set((
            show::state.eq(state_name(saved.state)),
            show::version.eq(saved.version),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Shows that the viewer may see, newest first: at most `limit`, older than `after`. Drafts are the viewer's own only.
pub async fn list(
    connection: &mut Connection,
    filter: &ShowFilter,
    after: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<Show>> {
    let mut query = show::table.select(ShowRow::as_select()).into_boxed();
    let published = show::state.eq(state_name(ShowState::Published));
    query = match filter.viewer_id {
        Some(viewer_id) => query.filter(published.or(show::seller_id.eq(viewer_id))),
        None => query.filter(published),
    };
    if let Some(state) = filter.state {
        query = query.filter(show::state.eq(state_name(state)));
    }
    if let Some(category) = &filter.category {
        query = query.filter(show::category.eq(category));
    }
    if let Some(seller_id) = filter.seller_id {
        query = query.filter(show::seller_id.eq(seller_id));
    }
    if let Some(venue_id) = filter.venue_id {
        let plays = performance::table
            .inner_join(hall::table)
            .filter(performance::show_id.eq(show::show_id))
            .filter(hall::venue_id.eq(venue_id));
        query = query.filter(exists(plays));
    }
    if let Some(after) = after {
        query = query.filter(show::show_id.lt(after));
    }
    let rows = query
        .order(show::show_id.desc())
        .limit(limit)
        .load(connection)
        .await?;
    rows.into_iter().map(ShowRow::into_show).collect()
}
