//! Why an account asks nothing now, kept over a restart.

use std::time::Duration;

use rusqlite::{Connection, params};

use crate::domain::{AccountName, IntegrationId, Moment};

use super::belief::{moment, nanos};
use super::error::Fault;
use super::{Ledger, LedgerError};

/// One reason to wait, in the ledger's plain words; the gate knows what they mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SavedWait {
    /// What is closed. With the integration it occurs once an account.
    pub barrier: String,
    /// For which integration; none: for the account.
    pub integration: Option<IntegrationId>,
    /// Since when.
    pub since: Moment,
    /// For how long from then on.
    pub wait: Duration,
    /// Failures in a row.
    pub failures: u32,
    /// Why, in a word or two.
    pub reason: String,
}

impl Ledger {
    /// Replaces what was saved of this account's waits; durable when it returns. The same ones again cost nothing.
    ///
    /// # Errors
    /// `NotWritable`, `Damaged`.
    pub fn save_waits(
        &mut self,
        account: &AccountName,
        waits: &[SavedWait],
    ) -> Result<(), LedgerError> {
        let mut sorted = waits.to_vec();
        sorted.sort_by(|a, b| (&a.barrier, a.integration).cmp(&(&b.barrier, b.integration)));
        if self.waits(account)? == sorted {
            return Ok(());
        }
        self.write(|connection| {
            connection.execute("DELETE FROM waits WHERE account = ?1", [account.as_str()])?;
            waits
                .iter()
                .try_for_each(|it| insert(connection, account, it))
        })
    }

    /// What was saved of this account's waits, by barrier and integration.
    ///
    /// # Errors
    /// `NotReadable`, `Damaged`.
    pub fn waits(&self, account: &AccountName) -> Result<Vec<SavedWait>, LedgerError> {
        self.read(|connection| select(connection, account))
    }
}

fn insert(connection: &Connection, account: &AccountName, wait: &SavedWait) -> Result<(), Fault> {
    let integration = wait
        .integration
        .map(|it| it.to_string())
        .unwrap_or_default();
    connection
        .prepare_cached("INSERT INTO waits VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
        .execute(params![
            account.as_str(),
            wait.barrier,
            integration,
            wait.since.wall.as_millis(),
            wait.since.boot.as_str(),
            nanos(wait.since.since_boot),
            nanos(wait.wait),
            wait.failures,
            wait.reason,
        ])?;
    Ok(())
}

fn select(connection: &Connection, account: &AccountName) -> Result<Vec<SavedWait>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM waits WHERE account = ?1 ORDER BY barrier, integration_id",
    )?;
    let mut rows = statement.query([account.as_str()])?;
    let mut waits = Vec::new();
    while let Some(row) = rows.next()? {
        let integration: String = row.get("integration_id")?;
        let integration = match integration.as_str() {
            "" => None,
            text => Some(super::parse_integration(text)?),
        };
        let since = moment(row, "since")?
            .ok_or_else(|| Fault::Content("a wait in it has no start".to_owned()))?;
        waits.push(SavedWait {
            barrier: row.get("barrier")?,
            integration,
            since,
            wait: Duration::from_nanos(row.get::<_, i64>("wait_ns")?.unsigned_abs()),
            failures: row.get("failures")?,
            reason: row.get("reason")?,
        });
    }
    Ok(waits)
}
