//! Invitations to lanes, by the digests of their codes.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::corrupt;
use super::schema::invitation;
use crate::domain::lane::Lane;

/// Adds invitations; those that there are stay as they are.
pub async fn insert(
    connection: &mut AsyncPgConnection,
    show_id: Uuid,
    lane: Lane,
    digests: &[[u8; 32]],
) -> QueryResult<()> {
    let rows: Vec<_> = digests
        .iter()
        .map(|digest| {
            (
                invitation::show_id.eq(show_id),
                invitation::digest.eq(digest.to_vec()),
                invitation::lane.eq(i16::from(lane.number())),
            )
        })
        .collect();
    diesel::insert_into(invitation::table)
        .values(rows)
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes an invitation an account's; `None` when there is none, or it is another's.
pub async fn take(
    connection: &mut AsyncPgConnection,
    show_id: Uuid,
    digest: [u8; 32],
    account_id: Uuid,
) -> QueryResult<Option<Lane>> {
    let free = invitation::account_id
        .is_null()
        .or(invitation::account_id.eq(account_id).assume_not_null());
    let lane: Option<i16> = diesel::update(invitation::table.find((show_id, digest.to_vec())))
        .filter(free)
        .set(invitation::account_id.eq(account_id))
        .returning(invitation::lane)
        .get_result(connection)
        .await
        .optional()?;
    lane.map(|lane| Lane::of(i64::from(lane)).ok_or_else(|| corrupt("invitation.lane")))
        .transpose()
}
