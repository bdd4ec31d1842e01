//! The audit trail: written once, read newest first.

use std::collections::BTreeSet;

use rusqlite::{Connection, Params, Row, named_params, params};

use crate::domain::{AccountName, IntegrationId, IntegrationName, Timestamp};
use crate::plan::entry::{Entry, What};

use super::belief::parse_fingerprint;
use super::error::Fault;
use super::{Ledger, LedgerError, parse_account, parse_id, parse_name, schema};

/// Which entries are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// Of these integrations; none: of all, also of those that are no longer configured.
    pub integrations: Option<BTreeSet<IntegrationId>>,
    /// Made at this time or later, by the wall clock.
    pub since: Option<Timestamp>,
    /// About certificates whose fingerprint begins with these hexadecimal digits, of either case.
    pub fingerprint: Option<String>,
    /// No more than these, the newest.
    pub limit: u32,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// The newest first, in the order in which they were written, whatever the wall clock said.
    pub records: Vec<Record>,
    /// How many there are without the limit.
    pub total: u64,
}

/// One entry, and whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The integration.
    pub integration: IntegrationId,
    /// What the configuration called it last, if it ever did.
    pub name: Option<IntegrationName>,
    /// The account it was in then.
    pub account: Option<AccountName>,
    /// What happened.
    pub entry: Entry,
}

/// The entries that a [`Query`] means. A parameter that is NULL asks for nothing in particular.
const MATCHING: &str = "
    FROM history h LEFT JOIN integrations i USING (integration_id)
    WHERE (:integrations IS NULL OR h.integration_id IN (SELECT value FROM json_each(:integrations)))
    AND (:since IS NULL OR h.at_ms >= :since)
    AND (:fingerprint IS NULL OR substr(h.fingerprint, 1, length(:fingerprint)) = :fingerprint)";

impl Ledger {
    /// The audit trail, newest first.
    ///
    /// # Errors
    /// `NotReadable`, `Damaged`.
    pub fn history(&self, query: &Query) -> Result<History, LedgerError> {
        self.read(|connection| select(connection, query))
    }
}

/// Appends entries, and drops the oldest ones beyond [`schema::HISTORY_KEPT`].
pub(super) fn append(
    connection: &Connection,
    integration: IntegrationId,
    entries: &[Entry],
) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let integration = integration.to_string();
    let mut statement = connection.prepare_cached(
        r#"INSERT INTO history (at_ms, integration_id, what, fingerprint, "by", detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"#,
    )?;
    for Entry {
        at,
        what,
        fingerprint,
        by,
        detail,
    } in entries
    {
        let fingerprint = fingerprint.map(|it| it.hex());
        statement.execute(params![
            at.as_millis(),
            integration,
            what.word(),
            fingerprint,
            by,
            detail
        ])?;
    }
    connection
        .prepare_cached("DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?1")?
        .execute([schema::HISTORY_KEPT])?;
    Ok(())
}

fn select(connection: &Connection, query: &Query) -> Result<History, Fault> {
    let integrations = query.integrations.as_ref().map(json);
    let since = query.since.map(Timestamp::as_millis);
    let fingerprint = query.fingerprint.as_ref().map(|it| it.to_ascii_lowercase());
    let matching = named_params! {
        ":integrations": integrations,
        ":since": since,
        ":fingerprint": fingerprint,
    };
    let total = format!("SELECT count(*) {MATCHING}");
    let total: i64 = connection.query_row(&total, matching, |row| row.get(0))?;
    let limit = query.limit;
    let records =
        format!("SELECT h.*, i.name, i.account {MATCHING} ORDER BY h.id DESC LIMIT {limit}");
    Ok(History {
        records: records_of(connection, &records, matching)?,
        total: total.unsigned_abs(),
    })
}

/// Ids have no character that JSON would escape.
fn json(integrations: &BTreeSet<IntegrationId>) -> String {
    let quoted: Vec<String> = integrations.iter().map(|it| format!("\"{it}\"")).collect();
    format!("[{}]", quoted.join(","))
}

fn records_of(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<Vec<Record>, Fault> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
    }
    Ok(records)
}

fn record(row: &Row<'_>) -> Result<Record, Fault> {
    let what: String = row.get("what")?;
    let what = What::parse(&what)
        .ok_or_else(|| Fault::Content("nobody knows a word of its history".to_owned()))?;
    let fingerprint: Option<String> = row.get("fingerprint")?;
    Ok(Record {
        integration: parse_id(row)?,
        name: parse_name(row)?,
        account: parse_account(row)?,
        entry: Entry {
            at: Timestamp::from_millis(row.get("at_ms")?),
            what,
            fingerprint: fingerprint.as_deref().map(parse_fingerprint).transpose()?,
            by: row.get("by")?,
            detail: row.get("detail")?,
        },
    })
}
