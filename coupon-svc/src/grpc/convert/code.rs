//! Codes and their batches, on the wire.

use mesh::clock::to_timestamp;
use mesh::status::Violations;
use proto::usher::coupon::v1 as pb;

use super::id;
use crate::app::codes::Wish;
use crate::domain::campaign::STOCK_MAX;
use crate::domain::code::{BATCH_MAX, Batch, CHARS_MAX, CHARS_MIN, Code};

/// What somebody typed, if it may be a code.
pub(in crate::grpc) fn read(wrong: &mut Violations, field: &str, text: &str) -> Option<Code> {
    let code = Code::read(text);
    if code.is_none() {
        let remedy = format!(
            "must have {CHARS_MIN} to {CHARS_MAX} letters and digits, spaces and dashes aside"
        );
        wrong.add(field, remedy);
    }
    code
}

/// Codes that somebody wants, if all of it holds.
pub(in crate::grpc) fn wish(
    wrong: &mut Violations,
    request: &pb::GenerateCodesRequest,
) -> Option<Wish> {
    let campaign_id = id(wrong, "campaign_id", &request.campaign_id);
    if !(1..=BATCH_MAX).contains(&request.count) {
        wrong.add("count", format!("must be 1..{BATCH_MAX}"));
    } else if request.count > 1 && !request.text.is_empty() {
        wrong.add("count", "must be 1 beside text: a text is one code");
    }
    let uses = i64::try_from(request.uses.max(1)).ok();
    let uses = uses.filter(|uses| *uses <= STOCK_MAX);
    if uses.is_none() {
        wrong.add("uses", format!("must be 1..{STOCK_MAX}"));
    }
    let text = match request.text.as_str() {
        "" => Some(None),
        text => read(wrong, "text", text).map(Some),
    };
    Some(Wish {
        campaign_id: campaign_id?,
        count: request.count,
        uses: uses?,
        text: text?,
    })
}

pub(in crate::grpc) fn batch(batch: &Batch, redeemed: u64) -> pb::CodeBatch {
    pb::CodeBatch {
        batch_id: batch.batch_id.to_string(),
        campaign_id: batch.campaign_id.to_string(),
        count: batch.codes,
        uses: batch.uses_max.unsigned_abs(),
        streamed: batch.stored,
        redeemed,
        create_time: Some(to_timestamp(batch.create_time)),
        revoke_time: batch.revoke_time.map(to_timestamp),
    }
}
