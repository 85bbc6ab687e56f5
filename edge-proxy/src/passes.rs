//! Queue passes, where a method looks at them: what cannot be one is refused before the service is called.
//!
//! | a pass that | here | because |
//! |---|---|---|
//! | nobody signed, or a stranger | refused | nobody comes by it honestly |
//! | is another account's and runs | refused | it is handed around while it is worth something |
//! | has ended, whoever's | goes on | a repetition of a call that had its effect is answered whatever became of the pass, and where none is needed it does no harm |
//! | cannot be judged, for want of keys | goes on | the service looks, too |

use http::HeaderMap;
use mesh::identity::{PassError, PassVerifier, QUEUE_PASS};
use mesh::status::{QUEUE_PASS_NOT_VALID, Refusal};
use uuid::Uuid;

/// Passes of one request that are looked at: as many as services look at. A request with more has a head full of them.
const PASSES_MAX: usize = 64;

/// Refuses a request that shows what is no pass of `account_id`.
pub(crate) async fn look(
    verifier: &PassVerifier,
    headers: &HeaderMap,
    account_id: Uuid,
) -> Result<(), Refusal> {
    for pass in headers.get_all(QUEUE_PASS).iter().take(PASSES_MAX) {
        let verified = match pass.to_str() {
            Ok(text) => verifier.verify(text, account_id).await.map(drop),
            Err(_) => Err(PassError::NotValid),
        };
        match verified {
            Ok(()) | Err(PassError::Ended) => {}
            // Each of the others would wait for keys as long as this one did.
            Err(PassError::KeysAway) => return Ok(()),
            Err(PassError::NotValid) => {
                metrics::counter!("usher_edge_passes_refused_total").increment(1);
                let text = "usher-queue-pass is no valid pass of this account";
                return Err(QUEUE_PASS_NOT_VALID.refuse(text));
            }
        }
    }
    Ok(())
}
