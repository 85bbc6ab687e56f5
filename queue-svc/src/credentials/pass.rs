//! The pass: a JWT (EdDSA, RFC 8037) that says that its owner is inside. Whoever sells checks it without asking anybody.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use mesh::identity::PASS_ISSUER;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::keys::{KeyRing, KeysError};
use crate::domain::lane::{Lane, Spot};
use crate::line::Session;

/// Longest text that is looked at as a pass.
const PASS_CHARS_MAX: usize = 1_024;

/// What a pass says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Show.
    pub show_id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// Epoch of the place.
    pub epoch: u64,
    /// Place.
    pub spot: Spot,
    /// Pass and session.
    pub session: Session,
    /// The sale takes one hold for the place.
    pub strict: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    exp: i64,
    jti: String,
    epoch: u64,
    lane: u8,
    seq: u64,
    /// Number of the pass.
    no: u64,
    /// End of the session, ms.
    ses: i64,
    /// Absent in most.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

/// Why a pass was not signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// No key.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The library.
    #[error("the pass cannot be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// Why a text is no pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PassError {
    /// Not one of ours, of another show or account, or of a key that is retired.
    #[error("is no pass of this account for this show")]
    NotValid,
    /// Its time is over.
    #[error("has expired")]
    Expired,
}

impl Pass {
    /// The pass as its owner gets it. The same place and number give the same text while the key signs: a lost answer costs nothing.
    pub fn sign(&self, ring: &KeyRing, now: DateTime<Utc>) -> Result<String, SignError> {
        let key = ring.signer(now)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(key.kid());
        let Spot { lane, seq } = self.spot;
        let claims = Claims {
            iss: PASS_ISSUER.to_owned(),
            aud: self.show_id.to_string(),
            sub: self.account_id.to_string(),
            exp: self.session.pass_ends / 1_000,
            jti: format!(
                "{}:{}:{seq}:{}",
                self.epoch,
                lane.number(),
                self.session.pass
            ),
            epoch: self.epoch,
            lane: lane.number(),
            seq,
            no: self.session.pass,
            ses: self.session.ends,
            strict: self.strict,
        };
        Ok(encode(&header, &claims, &key.signing)?)
    }

    /// The pass that `text` is, for `account_id` at `show_id`; good until `now` reaches its end, without leeway: its slot outlives it by
    /// twice the bound on clock skew.
    pub fn verify(
        text: &str,
        ring: &KeyRing,
        show_id: Uuid,
        account_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Self, PassError> {
        let pass = read(text, ring, show_id, now).ok_or(PassError::NotValid)?;
        if pass.account_id != account_id {
            return Err(PassError::NotValid);
        }
        if now.timestamp_millis() >= pass.session.pass_ends {
            return Err(PassError::Expired);
        }
        Ok(pass)
    }
}

fn read(text: &str, ring: &KeyRing, show_id: Uuid, now: DateTime<Utc>) -> Option<Pass> {
    if text.len() > PASS_CHARS_MAX {
        return None;
    }
    let header = decode_header(text).ok()?;
    let key = ring.of_kid(&header.kid?, now)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[PASS_ISSUER]);
    validation.set_audience(&[show_id]);
    // Compared above with the caller's clock.
    validation.validate_exp = false;
    let claims = decode::<Claims>(text, &key.verifying, &validation)
        .ok()?
        .claims;
    Some(Pass {
        show_id,
        account_id: mesh::id::parse(&claims.sub)?,
        epoch: claims.epoch,
        spot: Spot {
            lane: Lane::of(i64::from(claims.lane))?,
            seq: claims.seq,
        },
        session: Session {
            pass: claims.no,
            pass_ends: claims.exp.checked_mul(1_000)?,
            ends: claims.ses,
        },
        strict: claims.strict,
    })
}

#[cfg(test)]
mod tests {
    use super::super::keys::tests::{at, two};
    use super::*;

    fn pass() -> Pass {
        Pass {
            show_id: mesh::id::new(),
            account_id: mesh::id::new(),
            epoch: 2,
            spot: Spot {
                lane: Lane::General,
                seq: 41,
            },
            session: Session {
                pass: 3,
                pass_ends: at(60).timestamp_millis(),
                ends: at(900).timestamp_millis() + 123,
            },
            strict: true,
        }
    }

    #[test]
    fn a_pass_is_good_for_its_account_and_show_until_it_ends() {
        let (ring, pass) = (two(), pass());
        let text = pass.sign(&ring, at(0)).unwrap();
        assert_eq!(
            pass.sign(&ring, at(1)).unwrap(),
            text,
            "signed again it is the same"
        );
        let verify =
            |show_id, account_id, now| Pass::verify(&text, &ring, show_id, account_id, now);
        assert_eq!(verify(pass.show_id, pass.account_id, at(59)), Ok(pass));
        assert_eq!(
            verify(pass.show_id, pass.account_id, at(60)),
            Err(PassError::Expired)
        );
        let other = mesh::id::new();
        assert_eq!(
            verify(other, pass.account_id, at(1)),
            Err(PassError::NotValid)
        );
        assert_eq!(verify(pass.show_id, other, at(1)), Err(PassError::NotValid));
    }

    #[test]
    fn what_others_sign_is_no_pass() {
        let (ring, pass) = (two(), pass());
        let text = pass.sign(&ring, at(0)).unwrap();
        let verify = |text: &str| Pass::verify(text, &ring, pass.show_id, pass.account_id, at(1));
        let [header, claims, signature] = text.split('.').collect::<Vec<_>>()[..] else {
            panic!("{text}");
        };
        for forged in [
            format!("{header}.{claims}."),
            format!("{header}.{claims}.{}", &signature[1..]),
            // {"alg":"none"} and {"alg":"HS256","kid":"queue-1"}
            format!("eyJhbGciOiJub25lIn0.{claims}.{signature}"),
            format!("eyJhbGciOiJIUzI1NiIsImtpZCI6InF1ZXVlLTEifQ.{claims}.{signature}"),
            "a".repeat(2_000),
            String::new(),
        ] {
            assert_eq!(verify(&forged), Err(PassError::NotValid), "{forged}");
        }
    }
}
