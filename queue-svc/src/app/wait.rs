//! What people in line do: join, poll, claim, renew, leave.

use std::sync::Arc;

use mesh::clock;
use mesh::pg::{Connection, Database};
use uuid::Uuid;

use super::answer::{Answer, Place, Refusal};
use super::guest::{Guest, one, unavailable};
use crate::credentials::KeyRing;
use crate::credentials::invitation::{CODE_CHARS, digest_of};
use crate::credentials::pass::Pass;
use crate::credentials::ticket::{Ticket, tag};
use crate::domain::lane::{Lane, Spot};
use crate::domain::room::{Phase, Room};
use crate::line::{Asker, Joiner, Standing, Told};
use crate::rooms::{Found, Rooms};
use crate::store;

/// A ticket, and the place that it stands for by now.
#[derive(Clone, Copy)]
struct Held {
    ticket: Ticket,
    spot: Spot,
}

/// What somebody says who comes to the door.
#[derive(Clone, Copy, Debug, Default)]
pub struct Knock<'k> {
    /// Ticket of before.
    pub ticket: Option<&'k str>,
    /// Position that was shown last; 0: none.
    pub shown: u64,
    /// Invitation to another lane.
    pub invitation: Option<&'k str>,
    /// Grades that are wanted; none: any.
    pub grades: &'k [String],
}

/// The use cases of people. Clones share everything.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The rooms.
    pub rooms: Rooms,
    /// Where used places are.
    pub database: Database,
    /// Keys of tickets and passes.
    pub ring: KeyRing,
}

impl Waiting {
    async fn guest(&self, show_id: Uuid, account_id: Uuid) -> Result<Guest, Refusal> {
        let live = match self.rooms.find(show_id).await? {
            Found::Live(live) => live,
            Found::Over => return Err(Refusal::Over),
            Found::Nowhere => return Err(Refusal::NoRoom),
        };
        let (room, now) = (live.room(), clock::now());
        let phase = room.phase(now);
        Ok(Guest {
            account_id,
            live,
            room,
            phase,
            now,
        })
    }

    fn ticket(&self, guest: &Guest, text: &str) -> Result<Held, Refusal> {
        let Guest {
            room,
            account_id,
            now,
            ..
        } = guest;
        let ticket = Ticket::open(text, &self.ring, room.show_id, *account_id, *now)?;
        if ticket.epoch != room.epoch {
            return Err(Refusal::Reset);
        }
        let spot = guest.place_of(ticket.spot)?;
        Ok(Held { ticket, spot })
    }

    /// Gives a place, or tells the one there is.
    pub async fn join(
        &self,
        show_id: Uuid,
        account_id: Uuid,
        knock: Knock<'_>,
    ) -> Result<Answer, Refusal> {
        let guest = self.guest(show_id, account_id).await?;
        let ticket = knock.ticket.map(|text| self.ticket(&guest, text));
        let ticket = ticket.transpose()?;
        let grades = guest.live.grades();
        let strangers = grades.strangers(knock.grades);
        if !strangers.is_empty() {
            return Err(Refusal::Grades(strangers, grades.all.clone()));
        }
        // An operator may have put off a room that people had joined already; before that nobody has a place to tell.
        let early = guest.phase == Phase::NotYetOpen
            && ticket.is_none()
            && guest.live.is_reached()
            && guest.live.is_idle();
        if early || guest.phase == Phase::Closed {
            return Ok(guest.outside());
        }
        // Somebody may have a place in a line that is not empty, and no ticket at hand.
        if guest.is_sold_out() && ticket.is_none() && guest.live.is_idle() {
            return Ok(guest.answer(Place::SoldOut, None, 1));
        }
        // Nobody waits for what is gone. Whoever has a place without a ticket at hand asks without grades.
        if ticket.is_none() && grades.are_gone(knock.grades) {
            let place = if guest.is_sold_out() {
                Place::SoldOut
            } else {
                Place::GradesSoldOut
            };
            return Ok(guest.answer(place, None, 1));
        }
        if guest.room.is_drawing(guest.now) || guest.is_behind() {
            return Err(Refusal::soon());
        }
        let lane = match knock.invitation {
            Some(code) => self.invited(&guest, code).await?,
            None => Lane::General,
        };
        let adopt = match ticket {
            Some(ticket) => self.adoptable(&guest, &ticket).await?,
            None => None,
        };
        let joiner = Joiner {
            tag: self.tag(&guest),
            lane,
            adopt,
        };
        let (told, generation) = guest.live.join(joiner).await?;
        // What was shown of another place says nothing about this one.
        let same = ticket.is_some_and(|held| told.spot == Some(held.spot));
        let shown = if same { knock.shown } else { 0 };
        self.tell(&guest, (told, generation), None, shown).await
    }

    /// A room as it was decided and ordered. One that is over is read from where it is kept.
    pub async fn room(&self, show_id: Uuid) -> Result<Arc<Room>, Refusal> {
        match self.rooms.find(show_id).await? {
            Found::Live(live) => Ok(live.room()),
            Found::Nowhere => Err(Refusal::NoRoom),
            Found::Over => {
                let read = async move |connection: &mut Connection| {
                    store::rooms::find(connection, show_id, false).await
                };
                let room = self.database.read(read).await?;
                room.map(Arc::new).ok_or(Refusal::NoRoom)
            }
        }
    }

    /// The lane that a code invites to. It is the account's from now on, also when no place is given.
    async fn invited(&self, guest: &Guest, code: &str) -> Result<Lane, Refusal> {
        if code.len() != CODE_CHARS {
            return Err(Refusal::Invitation);
        }
        let (show_id, account_id, digest) = (guest.room.show_id, guest.account_id, digest_of(code));
        let work = async move |connection: &mut Connection| {
            Ok(store::invitations::take(connection, show_id, digest, account_id).await?)
        };
        let lane = self.database.transaction("use an invitation", work).await?;
        lane.ok_or(Refusal::Invitation)
    }

    fn tag(&self, guest: &Guest) -> crate::line::Tag {
        let room = &guest.room;
        tag(
            &self.ring,
            room.show_id,
            room.epoch,
            guest.account_id,
            room.buckets,
        )
    }

    /// The place of a ticket that the line may have forgotten: written before Redis lost something, and never turned into a pass.
    async fn adoptable(&self, guest: &Guest, held: &Held) -> Result<Option<Spot>, Refusal> {
        if held.ticket.generation >= guest.room.generation {
            return Ok(None);
        }
        let (show_id, epoch, spot) = (held.ticket.show_id, held.ticket.epoch, held.spot);
        let spots = [spot, held.ticket.spot];
        let read = async move |connection: &mut Connection| {
            store::places::used(connection, show_id, epoch, &spots).await
        };
        let used = self.database.read(read).await?;
        Ok(spots
            .iter()
            .all(|spot| !used.contains(spot))
            .then_some(spot))
    }

    /// Tells where a ticket stands, and notes that its owner is there. From memory for whoever waits; who does not is asked about.
    pub async fn poll(
        &self,
        show_id: Uuid,
        account_id: Uuid,
        ticket: &str,
        shown: u64,
    ) -> Result<Answer, Refusal> {
        let guest = self.guest(show_id, account_id).await?;
        let held = self.ticket(&guest, ticket)?;
        if guest.phase == Phase::Closed {
            return Ok(guest.outside());
        }
        guest.live.heard(held.spot);
        if !guest.live.is_reached() {
            return Err(guest.away(held.spot));
        }
        if guest.room.is_drawing(guest.now) {
            return guest.drawing(held.spot);
        }
        if guest.is_behind() {
            return Err(Refusal::soon());
        }
        let (known, spot) = (Some(&held.ticket), held.spot);
        // What was shown of an entry says nothing about its place.
        let shown = if spot == held.ticket.spot { shown } else { 0 };
        let renewed = held.ticket.generation < guest.room.generation;
        if !renewed && guest.live.view().position(spot).is_some() {
            let told = Told {
                spot: Some(spot),
                standing: Standing::Waiting,
            };
            return self
                .tell(&guest, (told, guest.room.generation), known, shown)
                .await;
        }
        let mut told = self.touch(&guest, spot, false).await?;
        // Most places survive a loss; Postgres is asked about those that the line does not know.
        if told.standing == Standing::Ended && self.adoptable(&guest, &held).await?.is_some() {
            told = self.touch(&guest, spot, true).await?;
        }
        if let Standing::Admitted(_) = told.standing {
            // A pass is told by calls alone that wait for the replicas.
            return self.pass_of(&guest, &held).await;
        }
        self.tell(&guest, (told, guest.room.generation), known, shown)
            .await
    }

    async fn touch(&self, guest: &Guest, spot: Spot, adopt: bool) -> Result<Told, Refusal> {
        let tag = self.tag(guest);
        let askers = [Asker { tag, spot, adopt }];
        let touched = guest.live.line().touch(guest.room.generation, &askers);
        one(guest, touched.await)
    }

    /// Turns an offer into a pass.
    pub async fn claim(
        &self,
        show_id: Uuid,
        account_id: Uuid,
        ticket: &str,
    ) -> Result<Answer, Refusal> {
        let guest = self.guest(show_id, account_id).await?;
        let held = self.ticket(&guest, ticket)?;
        self.pass_of(&guest, &held).await
    }

    async fn pass_of(&self, guest: &Guest, held: &Held) -> Result<Answer, Refusal> {
        let claimed = guest
            .live
            .line()
            .claim(guest.room.generation, &[held.spot])
            .await;
        let told = one(guest, claimed)?;
        match told.standing {
            Standing::Admitted(_) => {
                let known = Some(&held.ticket);
                self.tell(guest, (told, guest.room.generation), known, 0)
                    .await
            }
            // The room recovers; the offer waits.
            Standing::Offered { .. } => Err(guest.away(held.spot)),
            _ => Err(Refusal::NoOffer),
        }
    }

    /// The next pass.
    pub async fn renew(
        &self,
        show_id: Uuid,
        account_id: Uuid,
        pass: &str,
    ) -> Result<Answer, Refusal> {
        let guest = self.guest(show_id, account_id).await?;
        let pass = Pass::verify(pass, &self.ring, show_id, account_id, guest.now)?;
        if pass.epoch != guest.room.epoch {
            return Err(Refusal::Reset);
        }
        let shown = [(self.tag(&guest), pass.spot, pass.session)];
        let renewed = guest.live.line().renew(guest.room.generation, &shown).await;
        let told = one(&guest, renewed)?;
        match told.standing {
            Standing::Admitted(_) => {
                self.tell(&guest, (told, guest.room.generation), None, 0)
                    .await
            }
            _ => Err(Refusal::SessionOver),
        }
    }

    /// Gives a place up.
    pub async fn leave(
        &self,
        show_id: Uuid,
        account_id: Uuid,
        ticket: &str,
    ) -> Result<Answer, Refusal> {
        let guest = self.guest(show_id, account_id).await?;
        let held = self.ticket(&guest, ticket)?;
        if guest.room.is_drawing(guest.now) || guest.is_behind() {
            return Err(Refusal::soon());
        }
        if guest.room.is_entered(guest.now) {
            // Whoever enters again has one chance: an entry that was given up never comes back, whatever is lost.
            self.use_up(&guest, held.spot).await?;
        }
        let left = guest
            .live
            .line()
            .leave(guest.room.generation, held.spot)
            .await;
        left.map_err(|error| unavailable(&guest, &error))?;
        Ok(guest.answer(Place::Ended, None, 1))
    }
}
