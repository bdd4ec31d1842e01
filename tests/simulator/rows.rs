//! The stored certificates, as they are and as they were.

use std::collections::BTreeMap;
use std::fmt;

use sso_certd::domain::Fingerprint;
use tokio::time::Instant;

use super::certificate;

/// The id in the official description's example; the first one given here.
const FIRST_ID: u64 = 66_138_975;

/// Who brought a row about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Author {
    /// The test or the person at the simulator, in the place of another administrator.
    Hand,
    /// A client, named by the slot of its key: `default/1`.
    Client(String),
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hand => f.write_str("by hand"),
            Self::Client(client) => f.write_str(client),
        }
    }
}

/// One stored certificate.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: u64,
    /// The id of the integration it belongs to.
    pub integration: String,
    pub fingerprint: Fingerprint,
    pub der: Vec<u8>,
    /// The text it came as.
    pub pem: String,
    pub enabled: bool,
    pub made_by: Author,
    /// First and last second in unix time; none if the DER is no certificate (only by hand).
    pub validity: Option<(i64, i64)>,
    since: Instant,
}

impl Row {
    /// A row that is in no list yet.
    pub fn new(id: u64, integration: &str, der: Vec<u8>, pem: String, made_by: Author) -> Self {
        Self {
            id,
            integration: integration.to_owned(),
            fingerprint: Fingerprint::of(&der),
            validity: certificate::validity(&der),
            der,
            pem,
            enabled: false,
            made_by,
            since: Instant::now(),
        }
    }

    /// The same row with another certificate.
    pub fn carry(&mut self, der: Vec<u8>, pem: String) {
        self.fingerprint = Fingerprint::of(&der);
        self.validity = certificate::validity(&der);
        self.der = der;
        self.pem = pem;
    }

    /// Whether somebody can log in by it: enabled, begun and not over.
    pub fn counts(&self, unix_secs: i64) -> bool {
        self.enabled
            && self
                .validity
                .is_some_and(|(first, last)| (first..=last).contains(&unix_secs))
    }
}

/// A change to the rows that has been decided and not yet been made.
#[derive(Clone, Debug)]
pub enum Change {
    /// A row appears.
    Insert(Box<Row>),
    /// It takes the place of the row with its id, if that is still there.
    Replace(Box<Row>),
    /// The row with this id goes.
    Remove(u64),
}

/// All rows of all integrations, and the earlier versions of each.
pub struct Rows {
    live: BTreeMap<u64, Row>,
    past: Vec<(Row, Instant)>,
    next_id: u64,
}

impl Rows {
    pub fn new() -> Self {
        Self {
            live: BTreeMap::new(),
            past: Vec::new(),
            next_id: FIRST_ID,
        }
    }

    /// An id that nobody else gets.
    pub fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    pub fn make(&mut self, change: Change) {
        let now = Instant::now();
        let before = match change {
            Change::Remove(id) => self.live.remove(&id),
            Change::Replace(row) if !self.live.contains_key(&row.id) => None,
            Change::Insert(mut row) | Change::Replace(mut row) => {
                row.since = now;
                self.live.insert(row.id, *row)
            }
        };
        self.past.extend(before.map(|row| (row, now)));
    }

    pub fn all(&self) -> impl Iterator<Item = &Row> {
        self.live.values()
    }

    pub fn get(&self, id: u64) -> Option<&Row> {
        self.live.get(&id)
    }

    /// The rows of one integration as they were at `then`, by id.
    pub fn as_of(&self, integration: &str, then: Instant) -> Vec<Row> {
        let gone = self
            .past
            .iter()
            .filter(|(_, until)| then < *until)
            .map(|(row, _)| row);
        let mut rows: Vec<Row> = self
            .live
            .values()
            .chain(gone)
            .filter(|row| row.integration == integration && row.since <= then)
            .cloned()
            .collect();
        rows.sort_by_key(|row| row.id);
        rows
    }

    /// How many rows of this integration let somebody log in now.
    pub fn cover(&self, integration: &str, unix_secs: i64) -> usize {
        self.live
            .values()
            .filter(|row| row.integration == integration && row.counts(unix_secs))
            .count()
    }
}
