//! What people are told: what the line said of their place, with the ticket and the pass that go with it.

use chrono::{DateTime, Utc};
use mesh::pg::Connection;
use mesh::status::chain;
use tracing::warn;

use super::answer::{Answer, Place, Refusal};
use super::guest::Guest;
use super::wait::Waiting;
use crate::credentials::pass::Pass;
use crate::credentials::ticket::Ticket;
use crate::domain::lane::Spot;
use crate::line::{Mode, Session, Standing, Told};
use crate::store;

impl Waiting {
    /// What the line said, and in which generation, as its owner is told; a first pass is written down before.
    pub(super) async fn tell(
        &self,
        guest: &Guest,
        (told, generation): (Told, u64),
        known: Option<&Ticket>,
        shown: u64,
    ) -> Result<Answer, Refusal> {
        let place = match (told.standing, told.spot) {
            (Standing::Waiting, Some(spot)) if guest.room.is_entered(guest.now) => {
                let answer = guest.entered(spot);
                return self.with_ticket(guest, answer, known, generation);
            }
            (Standing::Waiting | Standing::Late, Some(spot)) => {
                let (place, position) = guest.waiting(spot, told, shown);
                let answer = guest.answer(place, told.spot, position);
                return self.with_ticket(guest, answer, known, generation);
            }
            (Standing::Offered { until }, _) => Place::Offered { until: time(until) },
            (Standing::Admitted(session), Some(spot)) => self.admit(guest, spot, session).await?,
            (Standing::Refused(Mode::Drawing), _) => return Err(Refusal::soon()),
            (Standing::Refused(mode), _) if mode == guest.room.mode(guest.now) => {
                return Ok(guest.outside());
            }
            // Settings are on their way to the line, or numbers are.
            (Standing::Refused(_) | Standing::Exhausted(_), _) => return Err(Refusal::soon()),
            (Standing::Full, _) if guest.is_sold_out() => Place::SoldOut,
            (Standing::Full, _) if guest.live.waiting_max() < guest.room.plan.waiting_max => {
                Place::Overloaded
            }
            (Standing::Full, _) => return Err(Refusal::Full),
            _ => Place::Ended,
        };
        let answer = guest.answer(place, told.spot, 1);
        self.with_ticket(guest, answer, known, generation)
    }

    /// With a ticket, where its owner has none that says the same.
    fn with_ticket(
        &self,
        guest: &Guest,
        mut answer: Answer,
        known: Option<&Ticket>,
        generation: u64,
    ) -> Result<Answer, Refusal> {
        if let Some(spot) = answer.spot
            && known.is_none_or(|ticket| ticket.spot != spot || ticket.generation != generation)
        {
            let ticket = Ticket {
                show_id: guest.room.show_id,
                account_id: guest.account_id,
                epoch: guest.room.epoch,
                generation,
                spot,
            };
            answer.ticket = Some(ticket.seal(&self.ring, guest.now)?);
        }
        Ok(answer)
    }

    pub(super) async fn use_up(&self, guest: &Guest, spot: Spot) -> Result<(), Refusal> {
        let (show_id, epoch) = (guest.room.show_id, guest.room.epoch);
        let work = async move |connection: &mut Connection| {
            Ok(store::places::use_up(connection, show_id, epoch, &[spot]).await?)
        };
        Ok(self.database.transaction("use a place", work).await?)
    }

    async fn admit(&self, guest: &Guest, spot: Spot, session: Session) -> Result<Place, Refusal> {
        let (show_id, epoch) = (guest.room.show_id, guest.room.epoch);
        let first = if session.pass == 1 {
            "first"
        } else {
            "renewed"
        };
        metrics::counter!("usher_queue_passes_total", "pass" => first).increment(1);
        if session.pass == 1 {
            self.use_up(guest, spot).await?;
        }
        let pass = Pass {
            show_id,
            account_id: guest.account_id,
            epoch,
            spot,
            session,
            strict: guest.room.plan.strict,
        };
        let pass = pass.sign(&self.ring, guest.now).map_err(|error| {
            warn!(error = chain(&error), "no pass can be signed");
            Refusal::Keys
        })?;
        Ok(Place::Admitted {
            pass,
            pass_ends: time(session.pass_ends),
            session_ends: time(session.ends),
        })
    }
}

fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}
