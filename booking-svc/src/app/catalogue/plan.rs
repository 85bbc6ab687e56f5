//! Seating plans.

use std::sync::Arc;

use mesh::pg::Connection;
use mesh::{id, tasks};
use uuid::Uuid;

use super::{Catalogue, Error, Rejection, Request, Turn, begin};
use crate::domain::plan::{self, Import};
use crate::store;

/// A plan that was imported, now or by an earlier call with the same file.
#[derive(Debug)]
pub struct ImportedPlan {
    /// Id to create halls from.
    pub plan_id: Uuid,
    /// What the file says.
    pub import: Arc<Import>,
}

impl Catalogue {
    /// Imports a plan file of the caller.
    pub async fn import_plan(
        &self,
        request: Request,
        file: Vec<u8>,
    ) -> Result<ImportedPlan, Error> {
        // Half a second of work for the largest files: not on the threads that answer calls, and not in a transaction.
        let parsed = tasks::blocking(move || plan::import(&file)).await;
        let import = parsed.map_err(|_| Rejection::Interrupted)?;
        let import = Arc::new(import.map_err(Rejection::PlanInvalid)?);
        let imported = Arc::clone(&import);
        let work = async move |connection: &mut Connection| {
            let seller_id = request.key.account_id;
            match begin(connection, request).await? {
                Turn::First(first) => {
                    let plan_id = id::new();
                    store::plan::insert(connection, plan_id, seller_id, &imported.plan).await?;
                    first.record(connection, plan_id).await?;
                    Ok(plan_id)
                }
                Turn::Replay(plan_id) => Ok(plan_id),
            }
        };
        let plan_id = self.database.transaction("import plan", work).await?;
        Ok(ImportedPlan { plan_id, import })
    }
}
