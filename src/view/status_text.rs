//! `status`: one sentence, then what matters.

use std::collections::BTreeSet;

use crate::domain::Timestamp;
use crate::domain::text::{file_name, left as how_long, span};
use crate::plan::outlook::Outlook;
use crate::plan::rollover::Item;
use crate::plan::state::State;

use super::alarms::{Advice, Alarm, alarms};
use super::named::which;
use super::next::{Next, ORPHAN_NEXT};
use super::remarks::{Noted, remarks_on};
use super::sentence::{Sentence, sentence_of};
use super::snapshot::{Orphan, Snapshot};
use super::standing::{Standing, items, latest_end, standings};
use super::status_notes::{is_folded, note_on_folded, notes_on_accounts, notes_on_failures};
use super::table::{Cell, Column, Fit, Table};
use super::terminal::{Mark, Page, Rendered, Terminal, Tone};
use super::when::{ago, clock, left};

/// How much `status` shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatusOptions {
    /// Everything: every integration, certificates that are over or denied, every thing to do.
    pub all: bool,
    /// Nothing while the exit code is 0, else the sentence alone: fit for a timer that mails what it is told.
    pub quiet: bool,
}

/// More integrations than this are shown only if something is the matter with them.
const MOST_ROWS: usize = 20;
/// More things to do than this are counted.
const MOST_TODOS: usize = 20;
/// The exit code of `status`: 3 if only the ledger speaks, 2 while an alarm is more than a note, 0 otherwise.
pub fn exit(snapshot: &Snapshot, now: Timestamp) -> u8 {
    exit_of(snapshot, &alarms(snapshot, now))
}

fn exit_of(snapshot: &Snapshot, alarms: &[Alarm]) -> u8 {
    if !snapshot.is_live {
        3
    } else if alarms.iter().any(Alarm::needs_somebody) {
        2
    } else {
        0
    }
}

/// `status` as text. [`Snapshot::only`] chooses the integrations beforehand.
pub fn status_text(
    snapshot: &Snapshot,
    now: Timestamp,
    terminal: Terminal,
    options: StatusOptions,
) -> Rendered {
    let alarms = alarms(snapshot, now);
    let standings = standings(snapshot, &alarms);
    let Sentence { mark, text } = sentence_of(snapshot, &alarms, &standings, now);
    let exit = exit_of(snapshot, &alarms);
    let mut page = Page::new(terminal);
    if options.quiet && exit == 0 {
        return page.finish(exit);
    }
    page.marked(mark, &text);
    if options.quiet {
        return page.finish(exit);
    }
    if !snapshot.is_live {
        page.line("  help: systemctl status sso-certd");
    }
    notes_on_accounts(&mut page, snapshot, &standings, now);
    notes_on_failures(&mut page, snapshot, &standings, now);
    let is_long = standings.len() > MOST_ROWS && !options.all;
    if is_long {
        page.line(&format!("  {}", summary(&standings)));
    }
    let table = table(&standings, snapshot, now, options, is_long);
    if !table.is_empty() {
        page.blank();
        page.table(&table);
    }
    if !options.all {
        note_on_folded(&mut page, &standings, &snapshot.orphans, is_long, now);
    }
    to_do(&mut page, &advice(&alarms, true), options);
    notes(&mut page, &advice(&alarms, false), options);
    let mut footer = Vec::new();
    if is_long {
        footer.extend(ends(snapshot, &standings, now));
    }
    footer.extend(last_line(snapshot, now));
    if !footer.is_empty() {
        page.blank();
    }
    for line in footer {
        page.toned(&format!("  {line}"), Tone::Dim);
    }
    page.finish(exit)
}

fn summary(standings: &[Standing<'_>]) -> String {
    let needing = standings
        .iter()
        .filter(|it| it.mark().needs_person())
        .count();
    let waiting = standings
        .iter()
        .filter(|it| it.mark() == Mark::Waits)
        .count();
    let all = standings.len();
    let need = if needing == 1 { "needs" } else { "need" };
    let wait = if waiting == 1 {
        "waits by itself"
    } else {
        "wait by themselves"
    };
    let well = all - needing - waiting;
    let are = if well == 1 { "is" } else { "are" };
    format!("{needing} of {all} integrations {need} you, {waiting} {wait}, {well} {are} well.")
}

fn table(
    standings: &[Standing<'_>],
    snapshot: &Snapshot,
    now: Timestamp,
    options: StatusOptions,
    is_long: bool,
) -> Table {
    let mut table = Table::marked(vec![
        Column::new("INTEGRATION", Fit::Always),
        Column::new("CERTIFICATE", Fit::Always),
        Column::new("UNTIL", Fit::Always),
        Column::right("LEFT"),
        Column::new("STATE", Fit::Always),
        Column::new("NEXT", Fit::Under),
        Column::new("FROM", Fit::Droppable),
    ]);
    for standing in standings {
        if is_long && standing.mark() == Mark::Fine {
            continue;
        }
        rows(&mut table, standing, snapshot, now, options);
    }
    if options.all {
        for orphan in &snapshot.orphans {
            orphan_rows(&mut table, orphan, now);
        }
    }
    table
}

/// What the ledger still has of an integration that is no longer configured.
fn orphan_rows(table: &mut Table, orphan: &Orphan, now: Timestamp) {
    for (index, it) in orphan.certificates.iter().enumerate() {
        let name = if index == 0 {
            orphan.label()
        } else {
            String::new()
        };
        let end = it.certificate.as_ref().map(|it| it.validity().not_after);
        let cells = [
            name,
            it.fingerprint.short(),
            end.map_or_else(|| "–".to_owned(), Timestamp::date),
            end.map_or_else(|| "–".to_owned(), |it| left(it, now)),
            State::Orphaned.word().to_owned(),
            ORPHAN_NEXT.to_owned(),
            "–".to_owned(),
        ];
        let cells = cells.map(|it| Cell::new(it, Tone::Dim));
        table.row(None, cells.into_iter().collect());
    }
}

fn rows(
    table: &mut Table,
    standing: &Standing<'_>,
    snapshot: &Snapshot,
    now: Timestamp,
    options: StatusOptions,
) {
    let it = standing.it;
    let no_outlook = Outlook::default();
    let next = Next {
        items: items(it),
        outlook: it.plan.as_ref().map_or(&no_outlook, |it| &it.outlook),
        mode: it.mode,
        now,
    };
    let mark = if snapshot.is_live {
        Some(standing.mark())
    } else {
        None
    };
    let shown: Vec<&Item> = items(it)
        .iter()
        .filter(|item| options.all || !is_folded(item, standing))
        .collect();
    if shown.is_empty() {
        let next = if it.plan.is_some() {
            "no certificate here or at SendGrid"
        } else {
            "not compared yet"
        };
        let name = Cell::from(it.name.as_str());
        let mut cells = vec![name];
        cells.extend(["–", "–", "–", "–", next, "–"].map(Cell::from));
        table.row(mark, cells);
    }
    for (index, item) in shown.into_iter().enumerate() {
        let end = item.certificate.as_ref().map(|it| it.validity().not_after);
        let (mark, name) = if index == 0 {
            (mark, it.name.as_str())
        } else {
            (is_not_ours(item).then_some(Mark::NotOurs), "")
        };
        let files: Vec<String> = item.paths.iter().map(|it| file_name(it)).collect();
        let files = if files.is_empty() {
            "–".to_owned()
        } else {
            files.join(", ")
        };
        table.row(
            mark,
            vec![
                Cell::from(name),
                Cell::from(which(item)),
                Cell::from(end.map_or_else(|| "–".to_owned(), Timestamp::date)),
                Cell::from(end.map_or_else(|| "–".to_owned(), |end| left(end, it.clocks(now)))),
                Cell::new(item.state.word(), tone(item.state)),
                Cell::from(next.of(item)),
                Cell::new(files, Tone::Dim),
            ],
        );
        for Noted { text, .. } in remarks_on(item, it.expiry.warn, it.clocks(now)) {
            table.note(&format!("remark: {text}"));
        }
    }
}

const fn is_not_ours(item: &Item) -> bool {
    matches!(
        item.state,
        State::Inherited | State::Acknowledged | State::Unmanaged
    )
}

const fn tone(state: State) -> Tone {
    match state {
        State::Trusted | State::Ahead | State::Found => Tone::Fine,
        State::Planned | State::Settling | State::Waiting => Tone::Waits,
        State::Held | State::Rejected => Tone::NeedsYou,
        State::Removed | State::Replaced | State::Undecodable => Tone::Broken,
        State::Unmanaged | State::Inherited | State::Acknowledged | State::Duplicate => {
            Tone::NotOurs
        }
        State::Denied | State::Expired | State::Superseded | State::Disabled | State::Orphaned => {
            Tone::Dim
        }
    }
}

/// What to do about the alarms, or about the notes; what several integrations share once.
fn advice(alarms: &[Alarm], is_needed: bool) -> Vec<&Advice> {
    let mut seen = BTreeSet::new();
    alarms
        .iter()
        .filter(|it| it.needs_somebody() == is_needed)
        .flat_map(|it| &it.advice)
        .filter(|it| seen.insert(*it))
        .collect()
}

fn to_do(page: &mut Page, advice: &[&Advice], options: StatusOptions) {
    if !advice.is_empty() {
        page.blank();
        page.line("  To do");
        let numbered = |number: usize| format!("{number:<2}");
        entries(page, advice, &numbered, options);
    }
}

/// What is worth knowing and needs nobody.
fn notes(page: &mut Page, advice: &[&Advice], options: StatusOptions) {
    if !advice.is_empty() {
        page.blank();
        page.line("  Notes");
        entries(page, advice, &|_| "- ".to_owned(), options);
    }
}

fn entries(
    page: &mut Page,
    advice: &[&Advice],
    bullet: &dyn Fn(usize) -> String,
    options: StatusOptions,
) {
    let most = if options.all { usize::MAX } else { MOST_TODOS };
    for (number, entry) in (1..).zip(advice.iter().take(most)) {
        page.line(&format!("  {} {}", bullet(number), entry.what));
        for (label, text) in &entry.notes {
            page.line(&format!("       {label:<10}  {text}"));
        }
    }
    let rest = advice.len().saturating_sub(most);
    if rest > 0 {
        page.line(&format!(
            "  … and {rest} more: sso-certd status --all, or sso-certd status NAME"
        ));
    }
}

/// Of many integrations: which ends first, and how much each account has been asked.
fn ends(snapshot: &Snapshot, standings: &[Standing<'_>], now: Timestamp) -> Vec<String> {
    let mut soonest: Vec<_> = standings
        .iter()
        .filter_map(|it| Some((latest_end(it.it)?, &it.it.name)))
        .collect();
    soonest.sort();
    let soonest: Vec<String> = soonest
        .iter()
        .take(3)
        .map(|(end, name)| format!("{name} in {}", how_long(end.since(now))))
        .collect();
    let mut lines = Vec::new();
    if !soonest.is_empty() {
        lines.push(format!("Ends first: {}.", soonest.join(", ")));
    }
    let accounts: Vec<String> = snapshot
        .accounts
        .values()
        .filter_map(|it| Some((it, it.rate_limit?, it.rate_remaining?)))
        .map(|(it, limit, remaining)| format!("{} {remaining} of {limit}", it.name))
        .collect();
    if !accounts.is_empty() {
        lines.push(format!(
            "Requests left at SendGrid: {}.",
            accounts.join(", ")
        ));
    }
    lines.push("All: sso-certd status --all".to_owned());
    lines
}

fn last_line(snapshot: &Snapshot, now: Timestamp) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(next) = snapshot.schedule.next_run.filter(|_| snapshot.is_live) {
        parts.push(format!("Next comparison {}.", clock(next, now)));
    }
    let changes = snapshot
        .integrations
        .values()
        .filter_map(|it| Some((it.last_change.as_ref()?, &it.name)));
    if let Some((change, name)) = changes.max_by_key(|(it, _)| it.at) {
        parts.push(format!(
            "Last change: {} {} for {name} {}, in {}.",
            change.fingerprint.brief(),
            change.what,
            ago(change.at, now),
            span(change.took)
        ));
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::domain::{FileVerdict, IntegrationName, Look, Reason, Refusal, Remark, SourceError};
    use crate::plan::retire::{Block, How};
    use crate::plan::trust::Evidence;
    use crate::plan::why::Why;
    use crate::view::snapshot::{IntegrationSnapshot, LastChange, PassFailure};
    use crate::view::testing::{
        NARROW_ASCII, WIDE, adfs, adfs_next, at, because, certificate, integration, item, now,
        okta, once_trusted, orphan, paused, refused_file, remarked, retiring, snapshot, with_look,
    };

    #[track_caller]
    fn check(snapshot: &Snapshot, terminal: Terminal, code: u8, expected: &Expect) {
        let rendered = status_text(snapshot, now(), terminal, StatusOptions::default());
        expected.assert_eq(&rendered.text);
        assert_eq!(rendered.exit, code);
        if !terminal.utf8 {
            assert!(rendered.text.is_ascii());
        }
    }

    fn rolled_over() -> IntegrationSnapshot {
        let mut it = integration(
            "adfs",
            vec![
                item(State::Trusted, &adfs_next()),
                item(State::Trusted, &adfs()),
            ],
        );
        it.last_change = Some(LastChange {
            at: at("2026-11-24 07:12:00"),
            what: "uploaded".to_owned(),
            fingerprint: adfs_next().fingerprint(),
            took: std::time::Duration::from_millis(900),
        });
        it
    }

    fn entra() -> IntegrationSnapshot {
        let newer = certificate(
            "CN=Microsoft Azure Federated SSO Certificate",
            "2026-11-23",
            "2029-11-23",
        );
        let older = certificate(
            "CN=Microsoft Azure Federated SSO Certificate",
            "2024-01-20",
            "2027-01-20",
        );
        let mut old = item(State::Superseded, &older);
        old.why = Why::Successor(newer.fingerprint());
        integration("entra-eu", vec![item(State::Trusted, &newer), old])
    }

    fn steady() -> IntegrationSnapshot {
        integration("okta", vec![item(State::Trusted, &okta())])
    }

    #[test]
    fn all_well() {
        let snapshot = snapshot(vec![rolled_over(), entra(), steady()]);
        check(
            &snapshot,
            WIDE,
            0,
            &expect![[r#"
                ✓ All well. 3 integrations in step with SendGrid, compared 4 minutes ago. Nothing needs you.

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE       NEXT
                ✓ adfs         d49e9ef2931aaea1  2027-11-24  364 d  trusted     successor expected by 2027-10-10
                               faee618c2cd6e62b  2026-12-14   19 d  trusted     may end, d49e9ef2 goes on
                               remark: ends in 19 d; expiry.warn is 30 d
                ✓ entra-eu     6b1791d589c34779  2029-11-23  2.9 y  trusted     successor expected by 2029-10-09
                               206d865d6cf31407  2027-01-20   56 d  superseded  stays, 6b1791d5 goes on
                ✓ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted     –

                  Next comparison 10:00 UTC. Last change: d49e9ef2 uploaded for adfs 2 hours ago, in 0.9 s.
            "#]],
        );
        check(
            &snapshot,
            NARROW_ASCII,
            0,
            &expect![[r#"
                ok All well. 3 integrations in step with SendGrid, compared 4 minutes ago. Nothing needs you.

                   INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE
                ok adfs         d49e9ef2931aaea1  2027-11-24  364 d  trusted
                                successor expected by 2027-10-10
                                faee618c2cd6e62b  2026-12-14   19 d  trusted
                                may end, d49e9ef2 goes on
                                remark: ends in 19 d; expiry.warn is 30 d
                ok entra-eu     6b1791d589c34779  2029-11-23  2.9 y  trusted
                                successor expected by 2029-10-09
                                206d865d6cf31407  2027-01-20   56 d  superseded
                                stays, 6b1791d5 goes on
                ok okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted

                  Next comparison 10:00 UTC. Last change: d49e9ef2 uploaded for adfs 2 hours ago, in 0.9 s.
            "#]],
        );
        let wide = Terminal { width: 140, ..WIDE };
        check(
            &snapshot,
            wide,
            0,
            &expect![[r#"
                ✓ All well. 3 integrations in step with SendGrid, compared 4 minutes ago. Nothing needs you.

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE       NEXT                              FROM
                ✓ adfs         d49e9ef2931aaea1  2027-11-24  364 d  trusted     successor expected by 2027-10-10  d49e9ef2.pem
                               faee618c2cd6e62b  2026-12-14   19 d  trusted     may end, d49e9ef2 goes on         faee618c.pem
                               remark: ends in 19 d; expiry.warn is 30 d
                ✓ entra-eu     6b1791d589c34779  2029-11-23  2.9 y  trusted     successor expected by 2029-10-09  6b1791d5.pem
                               206d865d6cf31407  2027-01-20   56 d  superseded  stays, 6b1791d5 goes on           –
                ✓ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted     –                                 38d03ade.pem

                  Next comparison 10:00 UTC. Last change: d49e9ef2 uploaded for adfs 2 hours ago, in 0.9 s.
            "#]],
        );
    }

    #[test]
    fn a_held_key_shows_what_to_compare_and_what_to_write() {
        let held = item(State::Held, &adfs_next());
        let it = integration("adfs", vec![item(State::Trusted, &adfs()), held]);
        let snapshot = snapshot(vec![it, steady()]);
        check(
            &snapshot,
            WIDE,
            2,
            &expect![[r#"
                ! adfs needs you: more than 5 new keys in 24 h; d49e9ef2 is held. 1 other integration is well.

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT
                ! adfs         faee618c2cd6e62b  2026-12-14   19 d  trusted  stays until a successor is trusted
                               remark: ends in 19 d; expiry.warn is 30 d
                               d49e9ef2931aaea1  2027-11-24  364 d  held     approve or deny, by 2026-11-29
                ✓ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted  –

                  To do
                  1  adfs: d49e9ef2931aaea1 is held: more than 5 new keys in 24 h; compare it with the identity provider's own page
                       subject     CN=ADFS Signing - sts.example.com
                       SHA-256     d49e9ef2931aaea1 5e84713c54471ef9 16a0b71babf3e5a0 3a1dfb90f4cae181
                       thumbprint  081E 3180 A226 15CB 9B06 D027 91BD 8300 5987 8AD0   (SHA-1, Entra and AD FS)
                       from        /etc/sso-certd/certificates/x/d49e9ef2.pem, first seen today 09:12 UTC
                       the same    sso-certd approve d49e9ef2931aaea1
                       not it      sso-certd deny d49e9ef2931aaea1
                       by          2026-11-29, five days after it appeared: AD FS then signs with it; trust ends on 2026-12-14

                  Next comparison 10:00 UTC.
            "#]],
        );
    }

    #[test]
    fn a_removed_certificate_is_explained() {
        let it = integration("okta", vec![item(State::Removed, &okta())]);
        let it = once_trusted(it, Some(at("2026-11-24 06:03:00")));
        let snapshot = snapshot(vec![it, rolled_over()]);
        check(
            &snapshot,
            WIDE,
            2,
            &expect![[r#"
                ✗ Logins through okta fail: SendGrid trusts no valid certificate for it since 06:03 UTC. 1 other integration is well.

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT
                ✗ okta         38d03ade2be3704f  2036-02-28  9.2 y  removed  restore or deny
                ✓ adfs         d49e9ef2931aaea1  2027-11-24  364 d  trusted  successor expected by 2027-10-10
                               faee618c2cd6e62b  2026-12-14   19 d  trusted  may end, d49e9ef2 goes on
                               remark: ends in 19 d; expiry.warn is 30 d

                  To do
                  1  okta: SendGrid trusts no valid certificate for it; nobody can sign in through it
                       meanwhile   who signs in to SendGrid with a password, and API keys, are not affected
                  2  okta: somebody deleted 38d03ade2be3704f at SendGrid; it was not us
                       a mistake   sso-certd restore 38d03ade2be3704f      (logins work again after some seconds)
                       on purpose  sso-certd deny 38d03ade2be3704f         (stolen key: first a new one from the provider)

                  Next comparison 10:00 UTC. Last change: d49e9ef2 uploaded for adfs 2 hours ago, in 0.9 s.
            "#]],
        );
        check(
            &snapshot,
            NARROW_ASCII,
            2,
            &expect![[r#"
                x Logins through okta fail: SendGrid trusts no valid certificate for it since 06:03 UTC. 1 other integration is well.

                   INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE
                x  okta         38d03ade2be3704f  2036-02-28  9.2 y  removed
                                restore or deny
                ok adfs         d49e9ef2931aaea1  2027-11-24  364 d  trusted
                                successor expected by 2027-10-10
                                faee618c2cd6e62b  2026-12-14   19 d  trusted
                                may end, d49e9ef2 goes on
                                remark: ends in 19 d; expiry.warn is 30 d

                  To do
                  1  okta: SendGrid trusts no valid certificate for it; nobody can sign in through it
                       meanwhile   who signs in to SendGrid with a password, and API keys, are not affected
                  2  okta: somebody deleted 38d03ade2be3704f at SendGrid; it was not us
                       a mistake   sso-certd restore 38d03ade2be3704f      (logins work again after some seconds)
                       on purpose  sso-certd deny 38d03ade2be3704f         (stolen key: first a new one from the provider)

                  Next comparison 10:00 UTC. Last change: d49e9ef2 uploaded for adfs 2 hours ago, in 0.9 s.
            "#]],
        );
    }

    #[test]
    fn strangers_and_refused_files_are_things_to_do() {
        let refusal = Refusal::new(
            Reason::PrivateKey,
            "line 1 begins an unencrypted PKCS#8 key",
        )
        .help("keep only the certificate   openssl x509 -in FILE -out okta.pem")
        .help("remove the bundle           shred -u FILE");
        let encoding = Refusal::new(Reason::Encoding, "UTF-16 text").help("iconv -f UTF-16 FILE");
        let look = Look {
            files: vec![
                refused_file("okta/a b.pem", encoding),
                refused_file("okta/bundle.pem", refusal),
            ],
            ..Look::default()
        };
        let mut unread = item(State::Undecodable, &adfs());
        (unread.certificate, unread.fingerprint) = (None, None);
        let items = vec![
            item(State::Trusted, &okta()),
            unread,
            item(State::Unmanaged, &adfs_next()),
        ];
        let snapshot = snapshot(vec![with_look("okta", items, look)]);
        check(
            &snapshot,
            WIDE,
            2,
            &expect![[r#"
                ✗ Somebody else's certificate: SendGrid lists d49e9ef2 for okta, which did not come from here.

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE        NEXT
                ✗ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted      –
                               row 66138975      –               –  undecodable  left alone
                ?              d49e9ef2931aaea1  2027-11-24  364 d  unmanaged    left alone, find out who

                  To do
                  1  okta: SendGrid lists d49e9ef2931aaea1 (id 66138975), which did not come from here
                       subject     CN=ADFS Signing - sts.example.com
                       SHA-256     d49e9ef2931aaea1 5e84713c54471ef9 16a0b71babf3e5a0 3a1dfb90f4cae181
                       thumbprint  081E 3180 A226 15CB 9B06 D027 91BD 8300 5987 8AD0   (SHA-1, Entra and AD FS)
                       find out    who added it in SendGrid's own pages
                       not known   delete it there, whoever holds its key can sign in; then sso-certd deny d49e9ef2931aaea1
                       known       sso-certd adopt d49e9ef2931aaea1         (ours from now on)
                       or          sso-certd acknowledge d49e9ef2931aaea1   (left alone, no alarm)
                  2  okta: /etc/sso-certd/certificates/okta/bundle.pem: refused (private_key): line 1 begins an unencrypted PKCS#8 key
                       help        keep only the certificate   openssl x509 -in /etc/sso-certd/certificates/okta/bundle.pem -out okta.pem
                                   remove the bundle           shred -u /etc/sso-certd/certificates/okta/bundle.pem
                  3  okta: /etc/sso-certd/certificates/okta/a b.pem: refused (encoding): UTF-16 text
                       help        iconv -f UTF-16 '/etc/sso-certd/certificates/okta/a b.pem'
                  4  okta: SendGrid lists a row (id 66138975) that cannot be read
                       look at it  in SendGrid's own pages; sso-certd leaves it alone

                  Next comparison 10:00 UTC.
            "#]],
        );
    }

    #[test]
    fn a_remark_stands_under_its_certificate_and_needs_nobody() {
        let remarks = [Remark::Sha1Signature, Remark::WebServer];
        let odd = remarked("CN=x", "2026-03-02", "2028-02-28", &remarks);
        let snapshot = snapshot(vec![
            steady(),
            integration("odd", vec![item(State::Trusted, &odd)]),
        ]);
        check(
            &snapshot,
            WIDE,
            0,
            &expect![[r#"
            ✓ All well. 2 integrations in step with SendGrid, compared 4 minutes ago. Nothing needs you.

              INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT
            ✓ odd          59eb16f527be97a9  2028-02-28  460 d  trusted  successor expected by 2028-01-14
                           remark: SHA-1 self-signature: harmless in SAML, but the certificate is old; is it the
                             current one?
                           remark: made for a web server (serverAuth with DNS names): is this the signing
                             certificate?
            ✓ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted  –

              Next comparison 10:00 UTC.
        "#]],
        );
        check(
            &snapshot,
            NARROW_ASCII,
            0,
            &expect![[r#"
            ok All well. 2 integrations in step with SendGrid, compared 4 minutes ago. Nothing needs you.

               INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE
            ok odd          59eb16f527be97a9  2028-02-28  460 d  trusted
                            successor expected by 2028-01-14
                            remark: SHA-1 self-signature: harmless in SAML, but the
                              certificate is old; is it the current one?
                            remark: made for a web server (serverAuth with DNS
                              names): is this the signing certificate?
            ok okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted

              Next comparison 10:00 UTC.
        "#]],
        );
    }

    #[test]
    fn of_many_half_written_files_a_few_are_named() {
        let file = |number| {
            let refusal = Refusal::new(Reason::Empty, "0 bytes");
            let mut file = refused_file(&format!("{number}.pem"), refusal.clone());
            file.verdict = FileVerdict::Waiting {
                until: now(),
                otherwise: Some(refusal),
            };
            file
        };
        let look = Look {
            files: (0..1_000).map(file).collect(),
            ..Look::default()
        };
        let items = vec![item(State::Trusted, &okta())];
        check(
            &snapshot(vec![with_look("okta", items, look)]),
            WIDE,
            0,
            &expect![[r#"
                ✓ All well. 1 integration in step with SendGrid, compared 4 minutes ago. Nothing needs you.

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT  FROM
                ✓ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted  –     38d03ade.pem
                  okta: /etc/sso-certd/certificates/0.pem may still be being written; refused at 09:14 UTC if it stays as it is (empty)
                  okta: /etc/sso-certd/certificates/1.pem may still be being written; refused at 09:14 UTC if it stays as it is (empty)
                  okta: /etc/sso-certd/certificates/2.pem may still be being written; refused at 09:14 UTC if it stays as it is (empty)
                  okta: /etc/sso-certd/certificates/3.pem may still be being written; refused at 09:14 UTC if it stays as it is (empty)
                  okta: /etc/sso-certd/certificates/4.pem may still be being written; refused at 09:14 UTC if it stays as it is (empty)
                  … and 995 more files that may still be being written

                  Next comparison 10:00 UTC.
            "#]],
        );
    }

    #[test]
    fn remarks_on_what_is_not_shown_are_counted() {
        let odd = remarked("CN=x", "2026-03-02", "2028-02-28", &[Remark::OddSerial]);
        let all =
            (0..21).map(|it| integration(&format!("idp-{it}"), vec![item(State::Trusted, &odd)]));
        let snapshot = snapshot(all.collect());
        check(
            &snapshot,
            WIDE,
            0,
            &expect![[r#"
            ✓ All well. 21 integrations in step with SendGrid, compared 4 minutes ago. Nothing needs you.
              0 of 21 integrations need you, 0 wait by themselves, 21 are well.
              Not shown: 21 remarks on certificates of what is well. All: sso-certd status --all

              Ends first: idp-0 in 460 d, idp-1 in 460 d, idp-10 in 460 d.
              Requests left at SendGrid: default 597 of 600.
              All: sso-certd status --all
              Next comparison 10:00 UTC.
        "#]],
        );
    }

    #[test]
    fn every_other_need_says_what_helps() {
        let mut observed = integration("observed", Vec::new());
        observed.mode = crate::plan::policy::Mode::Observe;
        let others = integration("others", vec![item(State::Inherited, &okta())]);
        let refused = integration(
            "refused",
            vec![
                item(State::Trusted, &okta()),
                item(State::Rejected, &adfs_next()),
            ],
        );
        let mut away = steady();
        away.name = IntegrationName::parse("away").unwrap();
        away.source.look = Some(Err(SourceError::Missing("/srv/idp".to_owned())));
        away.directory = "/srv/idp".into();
        let mut missing = steady();
        missing.name = IntegrationName::parse("missing").unwrap();
        missing.failure = Some(PassFailure {
            since: now(),
            text: "404".to_owned(),
            is_missing: true,
        });
        let due = integration("due", vec![item(State::Trusted, &adfs())]);
        let mut snapshot = snapshot(vec![observed, others, refused, away, missing, due]);
        snapshot.ledger_failure = Some("no space left on device".to_owned());
        for it in snapshot.accounts.values_mut() {
            it.key_valid = Some(false);
        }
        check(
            &snapshot,
            WIDE,
            2,
            &expect![[r#"
                ! The ledger cannot be written: no space left on device; nothing is uploaded until it can.
                  missing: not compared since 09:14 UTC: 404

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE      NEXT
                ! due          faee618c2cd6e62b  2026-12-14   19 d  trusted    no successor in the directory yet
                               remark: ends in 19 d; expiry.warn is 30 d
                ! away         38d03ade2be3704f  2036-02-28  9.2 y  trusted    –
                ! missing      38d03ade2be3704f  2036-02-28  9.2 y  trusted    –
                ! others       38d03ade2be3704f  2036-02-28  9.2 y  inherited  left alone
                ! refused      38d03ade2be3704f  2036-02-28  9.2 y  trusted    –
                               d49e9ef2931aaea1  2027-11-24  364 d  rejected   sent again today 21:40 UTC
                ! observed     –                 –               –  –          no certificate here or at SendGrid

                  To do
                  1  the ledger cannot be written: no space left on device
                       what helps  room and permissions in the state directory; it goes on by itself
                       until then  nothing is uploaded, because it could not be remembered
                  2  missing: SendGrid knows no integration b0b98502-9408-4b24-9e3d-31ed7cb15312
                       compare     sso-certd integrations --account default
                  3  account default: SendGrid does not accept its key (the credential sendgrid-api-key)
                       what helps  replace it, then: systemctl restart sso-certd
                  4  refused: SendGrid refuses d49e9ef2931aaea1 (400); sent again today 21:40 UTC
                       subject     CN=ADFS Signing - sts.example.com
                       SHA-256     d49e9ef2931aaea1 5e84713c54471ef9 16a0b71babf3e5a0 3a1dfb90f4cae181
                       thumbprint  081E 3180 A226 15CB 9B06 D027 91BD 8300 5987 8AD0   (SHA-1, Entra and AD FS)
                       from        /etc/sso-certd/certificates/x/d49e9ef2.pem, first seen today 09:12 UTC
                       look at it  does SendGrid's own page take the same file?
                       sooner      sso-certd sync refused
                  5  due: trust ends on 2026-12-14, in 19 d; its successor should be known by now
                       what helps  the identity provider's next certificate in /etc/sso-certd/certificates/due
                  6  away: the directory /srv/idp is missing; nothing new is seen
                       make it     install -d -m 755 /srv/idp
                       or          correct integrations.away.directory
                  7  observed: SendGrid has listed no valid certificate for it yet
                       what helps  mode = "manage", or an upload in SendGrid's own pages: here it is only observed

                  Notes
                  -  others: no certificate in the directory is trusted at SendGrid
                       listed      38d03ade2be3704f
                       what helps  the file of the one in use in /etc/sso-certd/certificates/others: it is then found, and watched
                       or          sso-certd adopt 38d03ade2be3704f: it is then ours
                       or          sso-certd acknowledge 38d03ade2be3704f: it is left alone

                  Next comparison 10:00 UTC.
            "#]],
        );
    }

    #[test]
    fn of_many_only_what_is_not_well_is_shown() {
        let mut all: Vec<IntegrationSnapshot> = (0..298)
            .map(|it| {
                let to = if it == 8 { "2028-01-01" } else { "2036-01-01" };
                let certificate = certificate(&format!("CN={it}"), "2026-01-01", to);
                integration(
                    &format!("customer-{it:04}"),
                    vec![item(State::Trusted, &certificate)],
                )
            })
            .collect();
        all.push(integration("zz-due", vec![item(State::Trusted, &adfs())]));
        all.push(integration(
            "zz-waits",
            vec![
                item(State::Trusted, &okta()),
                item(State::Waiting, &adfs_next()),
            ],
        ));
        let snapshot = snapshot(all);
        check(
            &snapshot,
            WIDE,
            2,
            &expect![[r#"
                ! zz-due: 19 d left and no successor in the directory yet. 298 other integrations are well.
                  1 of 300 integrations needs you, 1 waits by itself, 298 are well.

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT
                ! zz-due       faee618c2cd6e62b  2026-12-14   19 d  trusted  no successor in the directory yet
                               remark: ends in 19 d; expiry.warn is 30 d
                · zz-waits     38d03ade2be3704f  2036-02-28  9.2 y  trusted  –
                               d49e9ef2931aaea1  2027-11-24  364 d  waiting  goes up today 21:40 UTC

                  To do
                  1  zz-due: trust ends on 2026-12-14, in 19 d; its successor should be known by now
                       what helps  the identity provider's next certificate in /etc/sso-certd/certificates/zz-due

                  Ends first: zz-due in 19 d, customer-0008 in 402 d, customer-0000 in 9.1 y.
                  Requests left at SendGrid: default 597 of 600.
                  All: sso-certd status --all
                  Next comparison 10:00 UTC.
            "#]],
        );
        let options = StatusOptions {
            all: true,
            quiet: false,
        };
        let all = status_text(&snapshot, now(), WIDE, options).text;
        assert!(all.contains("customer-0123"));
        let names = BTreeSet::from([IntegrationName::parse("customer-0123").unwrap()]);
        let one = snapshot.only(&names).unwrap();
        let one = status_text(&one, now(), WIDE, StatusOptions::default());
        assert!(one.text.contains("customer-0123") && !one.text.contains("zz-due"));
        assert_eq!(one.exit, 0, "the selection is well");
    }

    #[test]
    fn a_pass_that_fails_is_noted_before_it_is_a_worry() {
        let mut it = steady();
        it.failure = Some(PassFailure {
            since: at("2026-11-24 09:12:00"),
            text: "cannot list the certificates: 403".to_owned(),
            is_missing: false,
        });
        check(
            &snapshot(vec![it]),
            WIDE,
            0,
            &expect![[r#"
            ✓ All well. 1 integration in step with SendGrid, compared 4 minutes ago. Nothing needs you.
              okta: not compared since 09:12 UTC: cannot list the certificates: 403

              INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT  FROM
            ✓ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted  –     38d03ade.pem

              Next comparison 10:00 UTC.
        "#]],
        );
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let names = BTreeSet::from([IntegrationName::parse("okat").unwrap()]);
        let unknown = snapshot(vec![steady()]).only(&names).unwrap_err();
        assert_eq!(unknown.as_str(), "okat");
    }

    #[test]
    fn without_a_daemon_the_ledger_is_shown() {
        let mut dead = snapshot(vec![steady()]);
        dead.is_live = false;
        dead.at = at("2026-11-24 08:51:00");
        check(
            &dead,
            WIDE,
            3,
            &expect![[r#"
            ✗ sso-certd does not run. This is what its ledger knew at 2026-11-24 08:51 UTC (23 minutes ago), with the files of now.
              help: systemctl status sso-certd

              INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT  FROM
              okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted  –     38d03ade.pem
        "#]],
        );
    }

    #[test]
    fn what_is_over_is_folded_away_and_counted() {
        let over = certificate("CN=old", "2020-01-01", "2025-01-01");
        let it = integration(
            "okta",
            vec![item(State::Trusted, &okta()), item(State::Expired, &over)],
        );
        check(
            &snapshot(vec![it]),
            WIDE,
            0,
            &expect![[r#"
            ✓ All well. 1 integration in step with SendGrid, compared 4 minutes ago. Nothing needs you.

              INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT  FROM
            ✓ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted  –     38d03ade.pem
              Not shown: 1 certificate that is over or denied. All: sso-certd status --all

              Next comparison 10:00 UTC.
        "#]],
        );
    }

    #[test]
    fn quiet_is_silent_while_all_is_well() {
        let quiet = StatusOptions {
            all: false,
            quiet: true,
        };
        let well = status_text(&snapshot(vec![steady()]), now(), WIDE, quiet);
        assert_eq!((well.text.as_str(), well.exit), ("", 0));
        let due = integration("adfs", vec![item(State::Trusted, &adfs())]);
        let due = status_text(&snapshot(vec![due]), now(), WIDE, quiet);
        assert_eq!(due.exit, 2);
        assert_eq!(due.text.lines().count(), 1);
    }

    #[test]
    fn colour_never_stands_alone() {
        let snapshot = snapshot(vec![rolled_over(), steady()]);
        let color = Terminal {
            color: true,
            ..WIDE
        };
        let plain = status_text(&snapshot, now(), WIDE, StatusOptions::default()).text;
        let mut painted = status_text(&snapshot, now(), color, StatusOptions::default()).text;
        for code in ["0", "2", "32", "34", "35", "1;31", "1;33"] {
            painted = painted.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(painted, plain);
    }

    #[test]
    fn a_key_that_waits_for_approval_says_what_to_type_and_by_when() {
        let held = because(State::Held, &adfs_next(), Why::NeedsApproval);
        let it = integration("adfs", vec![item(State::Trusted, &adfs()), held]);
        check(
            &snapshot(vec![it, steady()]),
            WIDE,
            2,
            &expect![[r#"
                ! adfs needs you: a new key waits for approval since 09:12 UTC. 1 other integration is well.

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT
                ! adfs         faee618c2cd6e62b  2026-12-14   19 d  trusted  stays until a successor is trusted
                               remark: ends in 19 d; expiry.warn is 30 d
                               d49e9ef2931aaea1  2027-11-24  364 d  held     approve or deny, by 2026-11-29
                ✓ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted  –

                  To do
                  1  adfs: compare this with the identity provider's own page, not with this machine
                       subject     CN=ADFS Signing - sts.example.com
                       SHA-256     d49e9ef2931aaea1 5e84713c54471ef9 16a0b71babf3e5a0 3a1dfb90f4cae181
                       thumbprint  081E 3180 A226 15CB 9B06 D027 91BD 8300 5987 8AD0   (SHA-1, Entra and AD FS)
                       from        /etc/sso-certd/certificates/x/d49e9ef2.pem, first seen today 09:12 UTC
                       the same    sso-certd approve d49e9ef2931aaea1
                       not it      sso-certd deny d49e9ef2931aaea1
                       by          2026-11-29, five days after it appeared: AD FS then signs with it; trust ends on 2026-12-14

                  Next comparison 10:00 UTC.
            "#]],
        );
    }

    #[test]
    fn what_comes_next_is_told_of_every_new_state() {
        let until = at("2026-11-24 21:40:00");
        let date = at("2026-12-31 07:00:00");
        let old = |from: &str| certificate("CN=old", from, "2027-01-20");
        let back = Why::Enough {
            evidence: Evidence::Returned,
            is_new_key: false,
        };
        let mut enabled = because(State::Planned, &old("2024-01-05"), back);
        enabled.is_listed = true;
        let ordered = |mut it: Item| {
            it.retirement.as_mut().unwrap().ordered = true;
            it
        };
        let items = vec![
            item(State::Trusted, &okta()),
            ordered(retiring(
                State::Trusted,
                &certificate("CN=x", "2026-01-01", "2035-01-01"),
                Some(How::Delete),
                vec![Block::Paused],
            )),
            enabled,
            because(State::Waiting, &adfs_next(), Why::HoldDown { until }),
            because(
                State::Waiting,
                &old("2024-01-06"),
                Why::NotEnabled { until },
            ),
            because(
                State::Settling,
                &old("2024-01-07"),
                Why::Vanishing { until },
            ),
            retiring(
                State::Superseded,
                &old("2024-01-01"),
                Some(How::Disable),
                vec![Block::Overlap { until: date }],
            ),
            retiring(
                State::Superseded,
                &old("2024-01-02"),
                Some(How::Disable),
                vec![Block::Overlap { until: date }, Block::SourceUnhealthy],
            ),
            retiring(
                State::Superseded,
                &old("2024-01-03"),
                None,
                vec![Block::Keep],
            ),
            item(State::Disabled, &old("2024-01-04")),
        ];
        let mut snapshot = snapshot(vec![integration("okta", items)]);
        snapshot.schedule.next_run = None;
        check(
            &snapshot,
            WIDE,
            0,
            &expect![[r#"
                · All well. okta waits: its new certificate d49e9ef2 goes to SendGrid today 21:40 UTC (hold-down).

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE
                · okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted
                               5cdbbd83381af20a  2035-01-01  8.1 y  trusted
                               not deleted: paused
                               dac5e40d60b620c2  2027-01-20   56 d  planned
                               enabled with the next pass
                               d49e9ef2931aaea1  2027-11-24  364 d  waiting
                               hold-down ends today 21:40 UTC
                               b3ed062ef005ea21  2027-01-20   56 d  waiting
                               enabled today 21:40 UTC
                               1dff2edbf7690c66  2027-01-20   56 d  settling
                               SendGrid is asked again today 21:40 UTC
                               2c7dbee60f13bf8d  2027-01-20   56 d  superseded
                               to be disabled on 2026-12-31
                               7b11d40511cf64b4  2027-01-20   56 d  superseded
                               not disabled: a file is refused
                               62880b50ea8b0c39  2027-01-20   56 d  superseded
                               stays, 62880b50 goes on
                               9e91aa43c00d7a7b  2027-01-20   56 d  disabled
                               restore brings it back
            "#]],
        );
        check(
            &snapshot,
            NARROW_ASCII,
            0,
            &expect![[r#"
                . All well. okta waits: its new certificate d49e9ef2 goes to SendGrid today 21:40 UTC (hold-down).

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE
                . okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted
                               5cdbbd83381af20a  2035-01-01  8.1 y  trusted
                               not deleted: paused
                               dac5e40d60b620c2  2027-01-20   56 d  planned
                               enabled with the next pass
                               d49e9ef2931aaea1  2027-11-24  364 d  waiting
                               hold-down ends today 21:40 UTC
                               b3ed062ef005ea21  2027-01-20   56 d  waiting
                               enabled today 21:40 UTC
                               1dff2edbf7690c66  2027-01-20   56 d  settling
                               SendGrid is asked again today 21:40 UTC
                               2c7dbee60f13bf8d  2027-01-20   56 d  superseded
                               to be disabled on 2026-12-31
                               7b11d40511cf64b4  2027-01-20   56 d  superseded
                               not disabled: a file is refused
                               62880b50ea8b0c39  2027-01-20   56 d  superseded
                               stays, 62880b50 goes on
                               9e91aa43c00d7a7b  2027-01-20   56 d  disabled
                               restore brings it back
            "#]],
        );
    }

    #[test]
    fn what_a_person_took_away_and_paused_is_told() {
        let away = because(State::Removed, &adfs(), Why::RetiredByPerson);
        let it = integration("okta", vec![item(State::Trusted, &okta()), away]);
        let held = because(State::Held, &adfs_next(), Why::Paused);
        let still = integration("adfs", vec![item(State::Trusted, &okta()), held]);
        let snapshot = snapshot(vec![it, paused(still, "bob")]);
        check(
            &snapshot,
            WIDE,
            2,
            &expect![[r#"
                ! okta: faee618c was taken away by a person, and its file still asks for it.

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT
                ! okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted  –
                               faee618c2cd6e62b  2026-12-14   19 d  removed  take its file away, or restore it
                               remark: ends in 19 d; expiry.warn is 30 d
                · adfs         38d03ade2be3704f  2036-02-28  9.2 y  trusted  –
                               d49e9ef2931aaea1  2027-11-24  364 d  held     goes up when resumed

                  To do
                  1  okta: a person took faee618c2cd6e62b away, and its file still asks for it
                       stays away  take away /etc/sso-certd/certificates/x/faee618c.pem
                       want back   sso-certd restore faee618c2cd6e62b

                  Notes
                  -  adfs: 1 certificate is not uploaded
                       waits       d49e9ef2931aaea1
                       what helps  sso-certd resume adfs

                  Next comparison 10:00 UTC.
            "#]],
        );
    }

    #[test]
    fn a_removed_key_names_the_one_to_decide_about() {
        let held = because(
            State::Held,
            &adfs_next(),
            Why::RemovedKey(adfs().fingerprint()),
        );
        let it = integration("adfs", vec![item(State::Trusted, &okta()), held]);
        check(
            &snapshot(vec![it]),
            WIDE,
            2,
            &expect![[r#"
                ! adfs: d49e9ef2 is held, because its key is that of faee618c, which somebody deleted at SendGrid.

                  INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE
                ! adfs         38d03ade2be3704f  2036-02-28  9.2 y  trusted
                               d49e9ef2931aaea1  2027-11-24  364 d  held
                               restore faee618c, or approve it by all digits

                  To do
                  1  adfs: d49e9ef2931aaea1 is held: its key is that of faee618c2cd6e62b, which somebody deleted at SendGrid
                       subject     CN=ADFS Signing - sts.example.com
                       SHA-256     d49e9ef2931aaea1 5e84713c54471ef9 16a0b71babf3e5a0 3a1dfb90f4cae181
                       thumbprint  081E 3180 A226 15CB 9B06 D027 91BD 8300 5987 8AD0   (SHA-1, Entra and AD FS)
                       from        /etc/sso-certd/certificates/x/d49e9ef2.pem, first seen today 09:12 UTC
                       a mistake   sso-certd restore faee618c2cd6e62b, unless it has expired
                       good key    sso-certd approve FINGERPRINT, with all 64 digits from above
                       stolen key  sso-certd deny faee618c2cd6e62b, and a certificate with a new key

                  Next comparison 10:00 UTC.
            "#]],
        );
    }

    #[test]
    fn what_is_no_longer_configured_is_shown_until_forgotten() {
        let mut snapshot = snapshot(vec![steady()]);
        snapshot.orphans = vec![orphan("old-idp", &[adfs(), adfs_next()])];
        check(
            &snapshot,
            WIDE,
            0,
            &expect![[r#"
            ✓ All well. 1 integration in step with SendGrid, compared 4 minutes ago. Nothing needs you.

              INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE    NEXT  FROM
            ✓ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted  –     38d03ade.pem
              Not shown: 2 certificates of what is no longer configured. All: sso-certd status --all

              Next comparison 10:00 UTC.
        "#]],
        );
        let options = StatusOptions {
            all: true,
            quiet: false,
        };
        let all = status_text(&snapshot, now(), WIDE, options);
        expect![[r#"
            ✓ All well. 1 integration in step with SendGrid, compared 4 minutes ago. Nothing needs you.

              INTEGRATION  CERTIFICATE       UNTIL        LEFT  STATE     NEXT             FROM
            ✓ okta         38d03ade2be3704f  2036-02-28  9.2 y  trusted   –                38d03ade.pem
              old-idp      faee618c2cd6e62b  2026-12-14   19 d  orphaned  forget drops it  –
                           d49e9ef2931aaea1  2027-11-24  364 d  orphaned  forget drops it  –

              Next comparison 10:00 UTC.
        "#]].assert_eq(&all.text);
        assert_eq!(all.exit, 0);
        let one = BTreeSet::from([IntegrationName::parse("okta").unwrap()]);
        let one = status_text(&snapshot.only(&one).unwrap(), now(), WIDE, options);
        assert!(!one.text.contains("orphaned"), "{}", one.text);
    }

    #[test]
    fn every_verb_that_a_text_names_exists() {
        let verbs = [
            "approve",
            "deny",
            "restore",
            "retire",
            "adopt",
            "acknowledge",
            "forget",
            "pause",
            "resume",
            "explain",
            "status",
            "sync",
            "integrations",
        ];
        let whys = [
            Why::NeedsApproval,
            Why::NeedsPin,
            Why::KeyBudget { limit: 5 },
            Why::TooMany { limit: 200 },
            Why::RemovedKey(okta().fingerprint()),
            Why::RetiredByPerson,
            Why::RemovedByOthers,
            Why::Paused,
        ];
        for state in State::ALL {
            for why in whys.into_iter().chain([item(state, &adfs()).why]) {
                let it = integration("x", vec![because(state, &adfs(), why)]);
                let options = StatusOptions::default();
                let text = status_text(&snapshot(vec![it]), now(), WIDE, options).text;
                for after in text.split("  sso-certd ").skip(1) {
                    let verb = after.split_whitespace().next().unwrap();
                    assert!(verbs.contains(&verb), "{text}");
                }
            }
        }
    }
}
