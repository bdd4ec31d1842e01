//! The ledger: what is believed of each integration, durable, and the audit trail of how it came to be believed.
//!
//! One SQLite file, `ledger.sqlite` in the state directory, in plain tables that a person can read. A save is one
//! transaction that is on the disk when it returns: an intent saved here before a POST survives whatever happens during
//! it. Nothing is decided here, and nothing is stored but what is passed in.
//!
//! What is damaged or newer is refused, never repaired or replaced; what is missing starts empty.
//!
//! The calls are short and block; one owner keeps the ledger and makes them one after the other.

mod accept;
mod belief;
mod error;
mod general;
mod history;
mod lock;
mod open;
mod place;
mod schema;
#[cfg(test)]
mod tests;
mod waits;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row, TransactionBehavior, params};

use crate::domain::{AccountName, Certificate, Fingerprint, IntegrationId, IntegrationName};
use crate::plan::book::Book;
use crate::plan::entry::Entry;

use error::Fault;
pub use error::{LedgerError, Obstacle};
pub use history::{History, Query, Record};
pub use lock::Holder;
use place::FileIdentity;
pub use waits::SavedWait;

/// Reads a certificate from its DER.
pub type ReadCertificate = fn(&[u8]) -> Option<Certificate>;

/// An open ledger. Closing it, by dropping it, folds the write-ahead log into the file and lets the next instance in.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
    read: ReadCertificate,
    /// The files that were opened for writing; none for reading, or while the disk is full.
    files: Vec<FileIdentity>,
    /// Given back after the connection is closed: fields are dropped in order. None for reading.
    lock: Option<lock::InstanceLock>,
}

/// An integration that the ledger has something about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownIntegration {
    /// Its id.
    pub id: IntegrationId,
    /// What the configuration called it last, if it ever did.
    pub name: Option<IntegrationName>,
    /// The account it was in then.
    pub account: Option<AccountName>,
}

impl Ledger {
    /// Who holds the ledger of this directory, if anybody does. Nothing is made or written, and nobody is kept out.
    ///
    /// # Errors
    /// `NotReadable`.
    pub fn holder(directory: &Path) -> Result<Option<Holder>, LedgerError> {
        lock::holder(directory)
    }

    /// What is believed of this integration; an empty book if it was never heard of.
    ///
    /// # Errors
    /// `NotReadable`, `Damaged`.
    pub fn load(&self, integration: IntegrationId) -> Result<Book, LedgerError> {
        self.read(|connection| {
            let mut book = general::load(connection, integration)?.unwrap_or_default();
            book.beliefs = belief::all(connection, integration, self.read)?
                .into_iter()
                .collect();
            Ok(book)
        })
    }

    /// Makes what is stored `after`, and appends the entries: all of it or nothing, durable when it returns. Only what
    /// differs from `before`, which is what was loaded or saved last, is written; if nothing does, nothing is.
    ///
    /// # Errors
    /// `NotWritable`, `Damaged`: nothing of it is stored, and the same call may be made again.
    pub fn save(
        &mut self,
        integration: IntegrationId,
        before: &Book,
        after: &Book,
        entries: &[Entry],
    ) -> Result<(), LedgerError> {
        if before == after && entries.is_empty() {
            return Ok(());
        }
        self.write(|connection| {
            general::put(connection, integration, before, after)?;
            for fingerprint in differing(before, after) {
                belief::put(
                    connection,
                    integration,
                    fingerprint,
                    after.beliefs.get(&fingerprint),
                )?;
            }
            history::append(connection, integration, entries)
        })
    }

    /// Notes what the configuration calls an integration, and whether that name had another id before: then nothing is
    /// written for it until a book without `moved_from` is saved.
    ///
    /// # Errors
    /// `NotWritable`, `Damaged`.
    pub fn label(
        &mut self,
        integration: IntegrationId,
        name: &IntegrationName,
        account: &AccountName,
    ) -> Result<(), LedgerError> {
        self.write(|connection| {
            let label =
                "INSERT INTO integrations (integration_id, name, account, sending) VALUES (?1, ?2, ?3, 0)
                ON CONFLICT DO UPDATE SET name = excluded.name, account = excluded.account
                WHERE name IS NOT excluded.name OR account IS NOT excluded.account";
            let (id, name) = (integration.to_string(), name.as_str());
            connection.execute(label, params![id, name, account.as_str()])?;
            accept::compare(connection, &id, name)
        })
    }

    /// Every integration that the ledger has something about, configured or not, by id.
    ///
    /// # Errors
    /// `NotReadable`, `Damaged`.
    pub fn known_integrations(&self) -> Result<Vec<KnownIntegration>, LedgerError> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT integration_id, name, account FROM integrations ORDER BY integration_id",
            )?;
            let mut rows = statement.query([])?;
            let mut known = Vec::new();
            while let Some(row) = rows.next()? {
                known.push(KnownIntegration {
                    id: parse_id(row)?,
                    name: parse_name(row)?,
                    account: parse_account(row)?,
                });
            }
            Ok(known)
        })
    }

    /// Whether it was opened for writing, and so keeps other instances out.
    pub const fn is_for_writing(&self) -> bool {
        self.lock.is_some()
    }

    /// Whether the ledger, its directory and its lock are still what their paths lead to. If not, what is written is not
    /// durable, as nobody will find it again, and another instance may hold what is there now.
    pub fn is_in_place(&self) -> bool {
        let has_lock = self
            .lock
            .as_ref()
            .is_none_or(lock::InstanceLock::is_in_place);
        has_lock && self.files.iter().all(FileIdentity::is_there)
    }

    /// Reads one state of the ledger, though an instance may write to it meanwhile.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        let read = || {
            let transaction = self.connection.unchecked_transaction()?;
            work(&transaction)
        };
        read().map_err(|it: Fault| it.while_reading(&self.path))
    }

    /// Writes all of it or nothing.
    fn write(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<(), Fault>,
    ) -> Result<(), LedgerError> {
        if self.files.is_empty() && self.lock.is_some() {
            self.catch_up()?;
        }
        if !self.is_in_place() {
            return Err(LedgerError::NotWritable {
                path: self.path.clone(),
                obstacle: Obstacle::Moved,
            });
        }
        let write = || {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            work(&transaction)?;
            Ok(transaction.commit()?)
        };
        let written: Result<(), Fault> = write();
        written.map_err(|it| it.while_writing(&self.path))
    }
}

fn differing(before: &Book, after: &Book) -> BTreeSet<Fingerprint> {
    let both = before.beliefs.keys().chain(after.beliefs.keys());
    both.filter(|it| before.beliefs.get(it) != after.beliefs.get(it))
        .copied()
        .collect()
}

fn parse_integration(text: &str) -> Result<IntegrationId, Fault> {
    IntegrationId::parse(text)
        .map_err(|_| Fault::Content("an integration id in it is none".to_owned()))
}

fn parse_id(row: &Row<'_>) -> Result<IntegrationId, Fault> {
    parse_integration(&row.get::<_, String>("integration_id")?)
}

fn parse_name(row: &Row<'_>) -> Result<Option<IntegrationName>, Fault> {
    let name: Option<String> = row.get("name")?;
    let name = name.as_deref().map(IntegrationName::parse).transpose();
    name.map_err(|_| Fault::Content("a name in it is none".to_owned()))
}

fn parse_account(row: &Row<'_>) -> Result<Option<AccountName>, Fault> {
    let account: Option<String> = row.get("account")?;
    let account = account.as_deref().map(AccountName::parse).transpose();
    account.map_err(|_| Fault::Content("an account in it is none".to_owned()))
}
