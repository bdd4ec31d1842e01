//! What the ledger knows of integrations, configured or not.

use super::{Meant, Place, question};
use crate::adapter::control_socket::Answer;
use crate::adapter::ledger::{Ledger, LedgerError};
use crate::daemon::desk::{failed, finish};
use crate::daemon::generation::WaysIn;
use crate::daemon::shared::Shared;
use crate::daemon::tell;
use crate::domain::{IntegrationId, IntegrationName};
use crate::plan::book::Book;
use crate::plan::decision::{Author, Decision, drop_orphan};
use crate::view::decision_question::ask_orphan_text;
use crate::view::decision_text::{dropped_text, refusal_text};
use crate::view::terminal::Terminal;

/// Every integration that is configured or that the ledger knows, with the certificates known in it.
pub(in crate::daemon) async fn places(
    ways_in: &WaysIn,
    shared: &Shared,
) -> Result<Vec<Place>, LedgerError> {
    let configured: Vec<(IntegrationName, IntegrationId)> = ways_in
        .settings
        .integrations
        .iter()
        .map(|(name, it)| (name.clone(), it.integration_id))
        .collect();
    let read = move |ledger: &Ledger| {
        let mut places = Vec::new();
        for (name, id) in &configured {
            places.push(place(name.clone(), *id, false, &ledger.load(*id)?));
        }
        for known in ledger.known_integrations()? {
            if configured.iter().any(|(_, id)| *id == known.id) {
                continue;
            }
            let is_free = |it: &IntegrationName| configured.iter().all(|(name, _)| name != it);
            let by_id = || IntegrationName::parse(&known.id.to_string()).ok();
            if let Some(name) = known.name.filter(is_free).or_else(by_id) {
                places.push(place(name, known.id, true, &ledger.load(known.id)?));
            }
        }
        Ok(places)
    };
    let mut places = match shared.ledger.read(read).await {
        Err(LedgerError::Missing { .. }) => configured_places(ways_in),
        other => other?,
    };
    // What was only just seen is on the board before it is in the books.
    let snapshot = shared.board.read();
    for place in places.iter_mut().filter(|it| !it.is_orphan) {
        let plan = snapshot
            .integrations
            .get(&place.name)
            .and_then(|it| it.plan.as_ref());
        let items = plan.map(|it| it.items.as_slice()).unwrap_or_default();
        place
            .known
            .extend(items.iter().filter_map(|it| it.fingerprint));
    }
    Ok(places)
}

fn configured_places(ways_in: &WaysIn) -> Vec<Place> {
    let empty = Book::default();
    let all = ways_in.settings.integrations.iter();
    all.map(|(name, it)| place(name.clone(), it.integration_id, false, &empty))
        .collect()
}

fn place(name: IntegrationName, id: IntegrationId, is_orphan: bool, book: &Book) -> Place {
    Place {
        name,
        id,
        is_orphan,
        known: book.beliefs.keys().copied().collect(),
    }
}

/// Drops what the ledger has of a certificate whose integration is not configured.
pub(super) async fn forget_orphan(
    shared: &Shared,
    meant: Meant<'_>,
    author: Author,
    is_confirmed: bool,
    terminal: Terminal,
) -> Answer {
    let (fingerprint, Place { name, id, .. }) = (meant.fingerprint, meant.place.clone());
    if !is_confirmed {
        let by_id: Vec<IntegrationName> = IntegrationName::parse(&id.to_string())
            .into_iter()
            .collect();
        let text = ask_orphan_text(&name, fingerprint, terminal);
        return question(text, Some(fingerprint), &by_id);
    }
    let before = match shared.ledger.read(move |it| it.load(id)).await {
        Ok(book) => book,
        Err(error) => return failed(error.to_string(), None, 1, terminal),
    };
    let mut after = before.clone();
    let now = shared.clock.now();
    let entries = match drop_orphan(&mut after, fingerprint, &author, &now) {
        Ok(entries) => entries,
        Err(refusal) => {
            let decision = Decision::Forget;
            return finish(refusal_text(
                &name,
                fingerprint,
                decision,
                refusal,
                terminal,
            ));
        }
    };
    let (book, added) = (after.clone(), entries.clone());
    let save = move |it: &mut Ledger| it.save(id, &before, &book, &added);
    if let Err(error) = shared.ledger.write(save).await {
        return failed(error.to_string(), None, 1, terminal);
    }
    for entry in &entries {
        tell::entry(&name, &after, entry);
    }
    finish(dropped_text(&name, &author.name, terminal))
}
