//! `history`: the audit trail, newest first.

use serde::Serialize;

use crate::domain::text::printable;
use crate::domain::{AccountName, Fingerprint, IntegrationName};
use crate::plan::entry::Entry;

use super::table::{Cell, Column, Fit, Table};
use super::terminal::{Page, Rendered, Terminal, Tone};

/// One entry of the trail, with whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The integration's name when it was written.
    pub name: IntegrationName,
    /// Its account's name then.
    pub account: AccountName,
    /// What happened.
    pub entry: Entry,
}

/// `history` as text. `records` come newest first; `total` is how many there are in all.
pub fn history_text(records: &[Record], total: usize, terminal: Terminal) -> Rendered {
    let mut page = Page::new(terminal);
    if records.is_empty() {
        let line = if total == 0 {
            "Nothing has happened yet.".to_owned()
        } else {
            format!("None of {total} entries.")
        };
        page.line(&line);
        return page.finish(0);
    }
    let mut table = Table::new(vec![
        Column::new("TIME (UTC)", Fit::Always),
        Column::new("INTEGRATION", Fit::Always),
        Column::new("WHAT", Fit::Always),
        Column::new("CERTIFICATE", Fit::Always),
        Column::new("BY", Fit::Always),
        Column::new("DETAIL", Fit::Under),
    ]);
    for Record { name, entry, .. } in records {
        let which = entry.fingerprint.as_ref().map(Fingerprint::short);
        table.row(
            None,
            vec![
                Cell::new(entry.at.minute(), Tone::Dim),
                Cell::from(name.as_str()),
                Cell::from(entry.what.word()),
                Cell::from(which.unwrap_or_else(|| "–".to_owned())),
                Cell::from(printable(&entry.by, LONGEST_BY)),
                Cell::from(printable(&entry.detail, LONGEST_DETAIL)),
            ],
        );
    }
    page.table(&table);
    page.blank();
    let entries = if total == 1 { "entry" } else { "entries" };
    page.toned(
        &format!(
            "{} of {total} {entries}. Machine-readable: --json",
            records.len()
        ),
        Tone::Dim,
    );
    page.finish(0)
}

/// One line of `history --json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RecordJson<'a> {
    /// 1.
    pub schema: u32,
    /// When, RFC 3339.
    pub at: String,
    /// The integration's name when it was written.
    pub integration: &'a str,
    /// Its account's name then.
    pub account: &'a str,
    /// What happened, a word of a closed list.
    pub what: &'static str,
    /// To which certificate, 64 digits; absent for what concerns the integration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Who did it.
    pub by: &'a str,
    /// What else there is to know.
    pub detail: &'a str,
}

/// One entry as a line of JSON.
pub fn record_json(record: &Record) -> RecordJson<'_> {
    let Record {
        name,
        account,
        entry,
    } = record;
    RecordJson {
        schema: 1,
        at: entry.at.to_string(),
        integration: name.as_str(),
        account: account.as_str(),
        what: entry.what.word(),
        fingerprint: entry.fingerprint.map(|it| it.hex()),
        by: &entry.by,
        detail: &entry.detail,
    }
}

/// A user's name is cut here.
const LONGEST_BY: usize = 32;
/// A detail is cut here.
const LONGEST_DETAIL: usize = 300;

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::plan::entry::What;
    use crate::view::testing::{NARROW_ASCII, WIDE, adfs_next, at};

    fn records() -> Vec<Record> {
        let record = |time, what, detail: &str| Record {
            name: IntegrationName::parse("adfs").unwrap(),
            account: AccountName::default(),
            entry: Entry::new(at(time), what, Some(adfs_next().fingerprint()), detail),
        };
        let mut gone = record("2026-11-20 11:05:00", What::Gone, "");
        gone.entry.fingerprint = None;
        gone.entry.by = "bob\u{1b}[31m".to_owned();
        vec![
            record(
                "2026-11-24 09:12:03",
                What::Trusted,
                "read back, id 66138975",
            ),
            record(
                "2026-11-24 09:12:02",
                What::Uploaded,
                "200 in 412 ms, after a change",
            ),
            gone,
        ]
    }

    #[test]
    fn the_trail_is_a_table() {
        let wide = Terminal { width: 120, ..WIDE };
        let rendered = history_text(&records(), 212, wide);
        assert_eq!(rendered.exit, 0);
        expect![[r#"
            TIME (UTC)        INTEGRATION  WHAT      CERTIFICATE       BY             DETAIL
            2026-11-24 09:12  adfs         trusted   d49e9ef2931aaea1  sso-certd      read back, id 66138975
            2026-11-24 09:12  adfs         uploaded  d49e9ef2931aaea1  sso-certd      200 in 412 ms, after a change
            2026-11-20 11:05  adfs         gone      –                 bob\u{1b}[31m

            3 of 212 entries. Machine-readable: --json
        "#]]
        .assert_eq(&rendered.text);
    }

    #[test]
    fn on_a_narrow_terminal_the_detail_goes_below() {
        expect![[r#"
            TIME (UTC)        INTEGRATION  WHAT      CERTIFICATE       BY
            2026-11-24 09:12  adfs         trusted   d49e9ef2931aaea1  sso-certd
                              read back, id 66138975
            2026-11-24 09:12  adfs         uploaded  d49e9ef2931aaea1  sso-certd
                              200 in 412 ms, after a change
            2026-11-20 11:05  adfs         gone      -                 bob\u{1b}[31m

            3 of 212 entries. Machine-readable: --json
        "#]]
        .assert_eq(&history_text(&records(), 212, NARROW_ASCII).text);
    }

    #[test]
    fn an_empty_trail_says_so() {
        assert_eq!(
            history_text(&[], 0, WIDE).text,
            "Nothing has happened yet.\n"
        );
        assert_eq!(history_text(&[], 7, WIDE).text, "None of 7 entries.\n");
    }

    #[test]
    fn one_entry_is_one_line_of_json() {
        let records = records();
        let json = serde_json::to_string(&record_json(&records[0])).unwrap();
        let expected = format!(
            r#"{{"schema":1,"at":"2026-11-24T09:12:03Z","integration":"adfs","account":"default","what":"trusted","fingerprint":"{}","by":"sso-certd","detail":"read back, id 66138975"}}"#,
            adfs_next().fingerprint()
        );
        assert_eq!(json, expected);
    }
}
