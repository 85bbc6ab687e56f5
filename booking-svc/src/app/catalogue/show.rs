//! Shows.

use mesh::pg::{Connection, TxError};
use mesh::{id, outbox};
use uuid::Uuid;

use super::{Catalogue, Error, Rejection, Request, Turn, begin, open};
use crate::domain::show::{PublishRefused, Show, ShowFilter, ShowSpec, Viewer};
use crate::publish;
use crate::store::show;
use mesh::page::{Page, PageRequest};

impl From<PublishRefused> for Rejection {
    fn from(refused: PublishRefused) -> Self {
        match refused {
            PublishRefused::NotDraft => Self::ShowNotDraft,
            PublishRefused::NoPerformance => Self::ShowHasNoPerformance,
        }
    }
}

impl Catalogue {
    /// Creates a draft of the caller.
    pub async fn create_show(&self, request: Request, spec: ShowSpec) -> Result<Show, Error> {
        let work = async move |connection: &mut Connection| {
            let seller_id = request.key.account_id;
            match begin(connection, request).await? {
                Turn::First(first) => {
                    let show = show::insert(connection, id::new(), seller_id, &spec).await?;
                    first.record(connection, show.show_id).await?;
                    Ok(show)
                }
                Turn::Replay(show_id) => replayed(connection, show_id).await,
            }
        };
        self.database.transaction("create show", work).await
    }

    /// Publishes a draft of the caller.
    pub async fn publish_show(&self, request: Request, show_id: Uuid) -> Result<Show, Error> {
        let work = async move |connection: &mut Connection| {
            let seller_id = request.key.account_id;
            let first = match begin(connection, request).await? {
                Turn::First(first) => first,
                Turn::Replay(show_id) => return replayed(connection, show_id).await,
            };
            let show = show::lock(connection, show_id)
                .await?
                .ok_or(Rejection::ShowNotFound)?;
            if show.seller_id != seller_id {
                return Err(Rejection::NotYours.into());
            }
            let has_performance = show::has_performance(connection, show_id).await?;
            let show = show.publish(has_performance).map_err(Rejection::from)?;
            show::save_state(connection, &show).await?;
            // Nobody waits for it: the relay finds it within its next poll, without being woken.
            outbox::append(connection, &publish::show_published(&show), show_id).await?;
            first.record(connection, show_id).await?;
            Ok(show)
        };
        self.database.transaction("publish show", work).await
    }

    /// Gets one show that the viewer may look at.
    pub async fn show(&self, show_id: Uuid, viewer: &Viewer) -> Result<Show, Error> {
        let work = async move |connection: &mut Connection| show::load(connection, show_id).await;
        let show = self.database.read(work).await.map_err(TxError::widen)?;
        Ok(open(show, viewer, Rejection::ShowNotFound)?)
    }

    /// Lists published shows and the viewer's own drafts, newest first.
    pub async fn shows(
        &self,
        filter: ShowFilter,
        page: PageRequest<Uuid>,
    ) -> Result<Page<Show, Uuid>, Error> {
        let (after, limit) = (page.after, page.fetch());
        let work = async move |connection: &mut Connection| {
            show::list(connection, &filter, after, limit).await
        };
        let shows = self.database.read(work).await.map_err(TxError::widen)?;
        Ok(page.cut(shows, |show| show.show_id))
    }
}

async fn replayed(connection: &mut Connection, show_id: Uuid) -> Result<Show, Error> {
    let show = show::load(connection, show_id).await?;
    Ok(show.ok_or(Rejection::ShowNotFound)?)
}
