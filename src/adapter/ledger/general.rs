//! What is believed of an integration as a whole.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row, params};

use crate::domain::{CertificateId, Fingerprint, IntegrationId, Moment, PublicKeyId, Timestamp};
use crate::plan::book::{Book, GoneCertificate, Pause, TrustRecord, Write, WriteRefusal};

use super::accept::accept;
use super::belief::{moment, nanos, newer, parse_certificate_id, parse_fingerprint};
use super::error::Fault;
use super::parse_integration;

/// The book of an integration without its beliefs; none if it was never heard of.
pub(super) fn load(
    connection: &Connection,
    integration: IntegrationId,
) -> Result<Option<Book>, Fault> {
    let integration = integration.to_string();
    let mut statement =
        connection.prepare_cached("SELECT * FROM integrations WHERE integration_id = ?1")?;
    let mut rows = statement.query([&integration])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let time = |name: &str| -> Result<Option<Timestamp>, Fault> {
        let millis: Option<i64> = row.get(name)?;
        Ok(millis.map(Timestamp::from_millis))
    };
    let pause = match (time("paused_ms")?, row.get("paused_by")?) {
        (Some(at), Some(by)) => Some(Pause { at, by }),
        _ => None,
    };
    Ok(Some(Book {
        beliefs: BTreeMap::new(),
        first_list: time("first_list_ms")?,
        last_list: time("last_list_ms")?,
        unreadable: unreadable(connection, &integration)?,
        pause,
        retired_at: moment(row, "retired")?,
        patched_at: moment(row, "patched")?,
        is_sending: match row.get("sending") {
            Err(rusqlite::Error::InvalidColumnName(_)) => true, // of version 1, opened for reading alone
            other => other?,
        },
        refused_writes: refused_writes(connection, &integration)?,
        trust: trust(row)?,
        moved_from: match newer::<String>(row, "moved_from")? {
            Some(id) => Some(parse_integration(&id)?),
            None => None,
        },
        gone: gone(connection, &integration)?,
    }))
}

/// Stores what differs.
pub(super) fn put(
    connection: &Connection,
    integration: IntegrationId,
    before: &Book,
    after: &Book,
) -> Result<(), Fault> {
    let integration = integration.to_string();
    let columns = "INSERT INTO integrations (integration_id, first_list_ms, last_list_ms, paused_ms, paused_by,
        retired_wall_ms, retired_boot_id, retired_boot_ns, patched_wall_ms, patched_boot_id, patched_boot_ns,
        sending, trust_has_counted, trust_valid_until_ms, trust_lost_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
        ON CONFLICT DO UPDATE SET first_list_ms = excluded.first_list_ms, last_list_ms = excluded.last_list_ms,
        paused_ms = excluded.paused_ms, paused_by = excluded.paused_by, retired_wall_ms = excluded.retired_wall_ms,
        retired_boot_id = excluded.retired_boot_id, retired_boot_ns = excluded.retired_boot_ns,
        patched_wall_ms = excluded.patched_wall_ms, patched_boot_id = excluded.patched_boot_id,
        patched_boot_ns = excluded.patched_boot_ns, sending = excluded.sending,
        trust_has_counted = excluded.trust_has_counted, trust_valid_until_ms = excluded.trust_valid_until_ms,
        trust_lost_ms = excluded.trust_lost_ms";
    let millis = |it: Option<Timestamp>| it.map(Timestamp::as_millis);
    let (retired, patched) = (after.retired_at.as_ref(), after.patched_at.as_ref());
    let values = params![
        integration,
        millis(after.first_list),
        millis(after.last_list),
        millis(after.pause.as_ref().map(|it| it.at)),
        after.pause.as_ref().map(|it| &it.by),
        retired.map(|it| it.wall.as_millis()),
        retired.map(|it| it.boot.as_str()),
        retired.map(|it| nanos(it.since_boot)),
        patched.map(|it| it.wall.as_millis()),
        patched.map(|it| it.boot.as_str()),
        patched.map(|it| nanos(it.since_boot)),
        after.is_sending,
        after.trust.has_counted,
        millis(after.trust.valid_until),
        millis(after.trust.lost_at),
    ];
    connection.prepare_cached(columns)?.execute(values)?;
    if before.unreadable != after.unreadable {
        put_unreadable(connection, &integration, &after.unreadable)?;
    }
    if before.refused_writes != after.refused_writes {
        put_refused_writes(connection, &integration, &after.refused_writes)?;
    }
    if before.moved_from != after.moved_from {
        let moved_from = after.moved_from.map(|it| it.to_string());
        let note = "UPDATE integrations SET moved_from = ?1 WHERE integration_id = ?2";
        connection.execute(note, params![moved_from, integration])?;
        if moved_from.is_none() {
            accept(connection, &integration)?;
        }
    }
    if before.gone != after.gone {
        put_gone(connection, &integration, &before.gone, &after.gone)?;
    }
    Ok(())
}

/// Nobody noted it before version 4.
fn trust(row: &Row<'_>) -> Result<TrustRecord, rusqlite::Error> {
    let time = |name| newer(row, name).map(|it| it.map(Timestamp::from_millis));
    Ok(TrustRecord {
        has_counted: newer(row, "trust_has_counted")?.unwrap_or_default(),
        valid_until: time("trust_valid_until_ms")?,
        lost_at: time("trust_lost_ms")?,
    })
}

fn put_unreadable(
    connection: &Connection,
    integration: &str,
    ids: &BTreeSet<CertificateId>,
) -> Result<(), Fault> {
    connection.execute(
        "DELETE FROM unreadable_rows WHERE integration_id = ?1",
        [integration],
    )?;
    let mut statement = connection.prepare_cached("INSERT INTO unreadable_rows VALUES (?1, ?2)")?;
    for id in ids {
        statement.execute([integration, id.as_str()])?;
    }
    Ok(())
}

fn unreadable(
    connection: &Connection,
    integration: &str,
) -> Result<BTreeSet<CertificateId>, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT certificate_id FROM unreadable_rows WHERE integration_id = ?1")?;
    let mut rows = statement.query([integration])?;
    let mut ids = BTreeSet::new();
    while let Some(row) = rows.next()? {
        ids.insert(parse_certificate_id(&row.get::<_, String>(0)?)?);
    }
    Ok(ids)
}

type Gone = BTreeMap<Fingerprint, GoneCertificate>;

/// Writes what differs: there may be a thousand.
fn put_gone(
    connection: &Connection,
    integration: &str,
    before: &Gone,
    after: &Gone,
) -> Result<(), Fault> {
    let mut delete = connection
        .prepare_cached("DELETE FROM gone WHERE integration_id = ?1 AND fingerprint = ?2")?;
    let mut insert = connection.prepare_cached("INSERT INTO gone VALUES (?1, ?2, ?3, ?4)")?;
    for (fingerprint, _) in before.iter().filter(|(it, old)| after.get(it) != Some(old)) {
        delete.execute([integration, &fingerprint.hex()])?;
    }
    for (fingerprint, gone) in after.iter().filter(|(it, new)| before.get(it) != Some(new)) {
        let (key, at) = (gone.key.hex(), gone.at.as_millis());
        insert.execute(params![integration, fingerprint.hex(), key, at])?;
    }
    Ok(())
}

fn gone(connection: &Connection, integration: &str) -> Result<Gone, Fault> {
    if !connection.table_exists(None, "gone")? {
        return Ok(BTreeMap::new()); // of version 3 or older, opened for reading alone
    }
    let mut statement =
        connection.prepare_cached("SELECT * FROM gone WHERE integration_id = ?1")?;
    let mut rows = statement.query([integration])?;
    let mut gone = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let fingerprint = parse_fingerprint(&row.get::<_, String>("fingerprint")?)?;
        let key = PublicKeyId::parse(&row.get::<_, String>("key_id")?)
            .ok_or_else(|| Fault::Content("a key in it is none".to_owned()))?;
        let at = Timestamp::from_millis(row.get("at_ms")?);
        gone.insert(fingerprint, GoneCertificate { key, at });
    }
    Ok(gone)
}

fn put_refused_writes(
    connection: &Connection,
    integration: &str,
    refused: &BTreeMap<Write, WriteRefusal>,
) -> Result<(), Fault> {
    connection.execute(
        "DELETE FROM refused_writes WHERE integration_id = ?1",
        [integration],
    )?;
    let mut statement =
        connection.prepare_cached("INSERT INTO refused_writes VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (write, WriteRefusal { at, is_forbidden }) in refused {
        statement.execute(params![
            integration,
            write.word(),
            is_forbidden,
            at.wall.as_millis(),
            at.boot.as_str(),
            nanos(at.since_boot)
        ])?;
    }
    Ok(())
}

fn refused_writes(
    connection: &Connection,
    integration: &str,
) -> Result<BTreeMap<Write, WriteRefusal>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM refused_writes WHERE integration_id = ?1")?;
    let mut rows = statement.query([integration])?;
    let mut refused = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (write, refusal) = refused_write(row)?;
        refused.insert(write, refusal);
    }
    Ok(refused)
}

fn refused_write(row: &Row<'_>) -> Result<(Write, WriteRefusal), Fault> {
    let word: String = row.get("operation")?;
    let write = [Write::Update, Write::Delete]
        .into_iter()
        .find(|it| it.word() == word);
    let at: Option<Moment> = moment(row, "at")?;
    let is_forbidden = row.get("forbidden")?;
    write
        .zip(at)
        .map(|(write, at)| (write, WriteRefusal { at, is_forbidden }))
        .ok_or_else(|| Fault::Content("a refused write in it is none".to_owned()))
}
