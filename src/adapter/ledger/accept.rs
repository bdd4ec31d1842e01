//! Which integration id each name of the configuration had when it was last accepted.

use rusqlite::Connection;

use super::error::Fault;

/// Notes on an integration whether its name had another id before. A name that is new is accepted with the id it has.
pub(super) fn compare(connection: &Connection, id: &str, name: &str) -> Result<(), Fault> {
    connection.execute(
        "INSERT OR IGNORE INTO accepted_ids VALUES (?1, ?2)",
        [name, id],
    )?;
    let accepted: String = connection.query_row(
        "SELECT integration_id FROM accepted_ids WHERE name = ?1",
        [name],
        |row| row.get(0),
    )?;
    let moved_from = Some(accepted).filter(|it| !it.eq_ignore_ascii_case(id));
    let note = "UPDATE integrations SET moved_from = ?1 WHERE integration_id = ?2 AND moved_from IS NOT ?1";
    connection.execute(note, rusqlite::params![moved_from, id])?;
    Ok(())
}

/// Accepts the id that an integration has as that of its name.
pub(super) fn accept(connection: &Connection, id: &str) -> Result<(), Fault> {
    let accept = "INSERT INTO accepted_ids SELECT name, integration_id FROM integrations
        WHERE integration_id = ?1 AND name IS NOT NULL
        ON CONFLICT (name) DO UPDATE SET integration_id = excluded.integration_id";
    connection.execute(accept, [id])?;
    Ok(())
}
