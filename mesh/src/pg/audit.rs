//! The audit log: who did what, and why they said so.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tonic::Code;

use super::schema::audit_log;
use crate::id;

/// One audited call.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// package.Service/Method.
    pub method: &'a str,
    /// Account or mesh identity that called.
    pub subject: &'a str,
    /// The reason field of the request.
    pub reason: &'a str,
    /// What the call was about.
    pub resource_id: &'a str,
    /// What it was answered with.
    pub code: Code,
}

/// Appends an entry. In the transaction of the effect when there is one, so that neither exists without the other.
pub async fn append(connection: &mut AsyncPgConnection, entry: &Entry<'_>) -> QueryResult<()> {
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::audit_id.eq(id::new()),
            audit_log::method.eq(entry.method),
            audit_log::subject.eq(entry.subject),
            audit_log::reason.eq(entry.reason),
            audit_log::resource_id.eq(entry.resource_id),
            audit_log::code.eq(format!("{:?}", entry.code)),
        ))
        .execute(connection)
        .await?;
    Ok(())
}
