//! Passes of waiting rooms, as callers show them.

use std::collections::BTreeSet;

use mesh::identity::{JwksSource, PassError, PassVerifier, QUEUE_PASS};
use mesh::server;
use mesh::tasks::Tasks;
use tonic::Request;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use super::convert;
use crate::domain::inventory::Pass;
use crate::domain::show::Viewer;

/// Passes of one request that are looked at: one for each line of a hold.
const PASSES_MAX: usize = 64;

/// Checks the passes of requests.
#[derive(Clone, Debug)]
pub struct Passes {
    verifier: Option<PassVerifier>,
}

/// What the passes of a request say.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    /// Those by which waiting rooms let the caller in.
    pub(super) passes: BTreeSet<Pass>,
    /// What is wrong with one that was shown. That matters only to whoever needs one.
    pub(super) wrong: Option<PassError>,
}

impl Passes {
    /// Checks with the keys of `source`, which are read in a task; without one no pass is valid.
    #[must_use]
    pub fn start(source: Option<JwksSource>, tasks: &Tasks) -> Self {
        let verifier = source.map(|source| PassVerifier::start(source, tasks));
        Self { verifier }
    }

    /// What the passes in `metadata` say of `account_id`.
    pub(super) async fn admitted(&self, metadata: &MetadataMap, account_id: Uuid) -> Admitted {
        let mut admitted = Admitted::default();
        for pass in metadata.get_all(QUEUE_PASS).iter().take(PASSES_MAX) {
            let verified = match (pass.to_str(), &self.verifier) {
                (Ok(text), Some(verifier)) => verifier.verify(text, account_id).await,
                _ => Err(PassError::NotValid),
            };
            match verified {
                Ok(pass) => {
                    admitted.passes.insert(convert::pass(pass));
                }
                Err(error) => admitted.wrong = Some(error),
            }
        }
        admitted
    }

    /// Who looks, with the shows that let them in, on a method that anybody may call. A pass is somebody's: without a token none counts.
    pub(super) async fn viewer<T: Sync>(
        &self,
        request: &Request<T>,
    ) -> (Viewer, Option<PassError>) {
        let Some(account) = server::caller(request).account else {
            return (Viewer::default(), None);
        };
        let admitted = self.admitted(request.metadata(), account.account_id).await;
        let shows = admitted.passes.iter().map(|pass| pass.place.show_id);
        let viewer = Viewer {
            account_id: Some(account.account_id),
            is_admin: account.is_admin(),
            admitted: shows.collect(),
        };
        (viewer, admitted.wrong)
    }
}
