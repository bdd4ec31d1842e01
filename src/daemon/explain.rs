//! What `explain` tells: one certificate's life, from the board, the books and the audit trail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::adapter::control_socket::Answer;
use crate::adapter::ledger::{Ledger, LedgerError, Query, Record};
use crate::daemon::desk::{failed, finish};
use crate::daemon::generation::WaysIn;
use crate::daemon::shared::Shared;
use crate::domain::{Fingerprint, FingerprintPrefix, IntegrationId, IntegrationName};
use crate::plan::book::Book;
use crate::plan::entry::Entry;
use crate::plan::policy::Policy;
use crate::plan::rollover::Plan;
use crate::view::explain_text::{Explained, explain_text};
use crate::view::terminal::Terminal;

/// The exit code for what is no fingerprint.
const USAGE: u8 = 64;

/// Entries read for one answer, and shown of one certificate.
const MOST_READ: u32 = 10_000;
const MOST_SHOWN: usize = 50;

/// Certificates named where digits fit more than one.
const MOST_NAMED: usize = 5;

/// A problem, and what to do about it.
type Problem = (String, Option<String>);

/// Tells the life of the certificate whose fingerprint begins with these digits, in every integration that knows it.
pub(super) async fn explain(
    ways_in: &WaysIn,
    shared: &Shared,
    names: &BTreeSet<IntegrationName>,
    prefix: &str,
    terminal: Terminal,
) -> Answer {
    let digits = match FingerprintPrefix::parse(prefix) {
        Ok(digits) => digits,
        Err(error) => return failed(error.to_string(), None, USAGE, terminal),
    };
    let snapshot = shared.board.read();
    let mut places = places(ways_in, shared, names);
    let (ids, wanted) = (places.keys().copied().collect(), digits.to_string());
    let is_whole = names.is_empty();
    let read = move |ledger: &Ledger| Archive::read(ledger, &ids, wanted, is_whole);
    let archive = match shared.ledger.read(read).await {
        Ok(archive) => archive,
        Err(LedgerError::Missing { .. }) => Archive::default(),
        Err(error) => return failed(error.to_string(), None, 1, terminal),
    };
    for record in &archive.records {
        places
            .entry(record.integration)
            .or_insert_with(|| Place::of_record(record));
    }
    for (id, book) in archive.books {
        if let Some(place) = places.get_mut(&id) {
            place.book = book;
        }
    }
    let fingerprint = match resolve(&places, &archive.records, &digits) {
        Ok(fingerprint) => fingerprint,
        Err((text, help)) => return failed(text, help, 1, terminal),
    };
    let all: Vec<Explained> = places
        .into_iter()
        .filter(|(id, place)| place.knows(fingerprint) || has_record(&archive.records, *id))
        .map(|(id, place)| place.explain(id, fingerprint, &archive.records, snapshot.is_live))
        .collect();
    finish(explain_text(&all, shared.clock.now().wall, terminal))
}

/// One integration, and everything that is known there.
struct Place {
    name: String,
    policy: Option<Policy>,
    plan: Option<Arc<Plan>>,
    book: Book,
}

/// The integrations asked about; all of them, and those no longer configured, if none is named.
fn places(
    ways_in: &WaysIn,
    shared: &Shared,
    names: &BTreeSet<IntegrationName>,
) -> BTreeMap<IntegrationId, Place> {
    let snapshot = shared.board.read();
    let asked = |it: &&IntegrationName| names.is_empty() || names.contains(*it);
    let mut places = BTreeMap::new();
    for name in ways_in.settings.integrations.keys().filter(asked) {
        let Some(settings) = ways_in.settings.integrations.get(name) else {
            continue;
        };
        let shown = snapshot.integrations.get(name);
        let place = Place {
            name: name.to_string(),
            policy: Some(settings.policy.clone()),
            plan: shown.and_then(|it| it.plan.clone()),
            book: Book::default(),
        };
        places.insert(settings.integration_id, place);
    }
    if names.is_empty() {
        for orphan in &snapshot.orphans {
            let place = Place::orphaned(orphan.label());
            places.insert(orphan.integration_id, place);
        }
    }
    places
}

impl Place {
    fn orphaned(name: String) -> Self {
        Self {
            name,
            policy: None,
            plan: None,
            book: Book::default(),
        }
    }

    fn of_record(record: &Record) -> Self {
        let name = record.name.as_ref().map(ToString::to_string);
        Self::orphaned(name.unwrap_or_else(|| record.integration.to_string()))
    }

    fn fingerprints(&self) -> impl Iterator<Item = Fingerprint> {
        let items = self.plan.iter().flat_map(|it| &it.items);
        let planned = items.filter_map(|it| it.fingerprint);
        planned.chain(self.book.beliefs.keys().copied())
    }

    fn knows(&self, fingerprint: Fingerprint) -> bool {
        self.fingerprints().any(|it| it == fingerprint)
    }

    fn explain(
        self,
        id: IntegrationId,
        fingerprint: Fingerprint,
        records: &[Record],
        is_live: bool,
    ) -> Explained {
        let mut history: Vec<Entry> = records
            .iter()
            .filter(|it| it.integration == id)
            .map(|it| it.entry.clone())
            .collect();
        let earlier = history.len().saturating_sub(MOST_SHOWN);
        history.truncate(MOST_SHOWN);
        history.reverse();
        let Self {
            name,
            policy,
            plan,
            book,
        } = self;
        Explained {
            name,
            fingerprint,
            policy,
            plan,
            book,
            history,
            earlier,
            is_live,
        }
    }
}

/// What the ledger has.
#[derive(Default)]
struct Archive {
    books: Vec<(IntegrationId, Book)>,
    /// The newest first.
    records: Vec<Record>,
}

impl Archive {
    fn read(
        ledger: &Ledger,
        ids: &BTreeSet<IntegrationId>,
        digits: String,
        is_whole: bool,
    ) -> Result<Self, LedgerError> {
        let books = ids.iter().map(|it| Ok((*it, ledger.load(*it)?)));
        let query = Query {
            integrations: (!is_whole).then(|| ids.clone()),
            since: None,
            fingerprint: Some(digits),
            limit: MOST_READ,
        };
        Ok(Self {
            books: books.collect::<Result<_, LedgerError>>()?,
            records: ledger.history(&query)?.records,
        })
    }
}

fn has_record(records: &[Record], id: IntegrationId) -> bool {
    records.iter().any(|it| it.integration == id)
}

/// The one certificate whose fingerprint begins with these digits.
fn resolve(
    places: &BTreeMap<IntegrationId, Place>,
    records: &[Record],
    digits: &FingerprintPrefix,
) -> Result<Fingerprint, Problem> {
    let mut known: BTreeMap<Fingerprint, BTreeSet<&str>> = BTreeMap::new();
    for place in places.values() {
        for fingerprint in place.fingerprints() {
            known.entry(fingerprint).or_default().insert(&place.name);
        }
    }
    for record in records {
        let name = places.get(&record.integration).map(|it| it.name.as_str());
        if let Some(fingerprint) = record.entry.fingerprint {
            known.entry(fingerprint).or_default().extend(name);
        }
    }
    let named = |(fingerprint, names): (&Fingerprint, &BTreeSet<&str>)| {
        let names: Vec<&str> = names.iter().copied().collect();
        format!("{} ({})", fingerprint.short(), names.join(", "))
    };
    let fitting: Vec<_> = known.iter().filter(|(it, _)| digits.fits(it)).collect();
    match fitting.as_slice() {
        [(fingerprint, _)] => Ok(**fingerprint),
        [] => {
            let near = known.iter().max_by_key(|(it, _)| digits.shared(it));
            let near = near.filter(|(it, _)| digits.shared(it) >= 2).map(named);
            let help = near.map_or_else(
                || "sso-certd status --all lists what is known".to_owned(),
                |it| format!("near: {it}"),
            );
            Err((format!("no certificate begins with {digits}"), Some(help)))
        }
        several => {
            let names: Vec<String> = several
                .iter()
                .take(MOST_NAMED)
                .map(|(fingerprint, names)| named((fingerprint, names)))
                .collect();
            let rest = several.len().saturating_sub(MOST_NAMED);
            let more = if rest > 0 {
                format!(", and {rest} more")
            } else {
                String::new()
            };
            let text = format!(
                "{digits} fits {} certificates: {}{more}",
                several.len(),
                names.join(", ")
            );
            Err((text, None))
        }
    }
}
