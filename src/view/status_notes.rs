//! Lines around the table: what fails and when it is tried again, and what is not shown.

use crate::domain::text::{count, printable, printable_path, span};
use crate::domain::{FileVerdict, Timestamp};
use crate::plan::rollover::Item;
use crate::plan::state::State;

use super::alarms::LONGEST;
use super::remarks::remarks_on;
use super::snapshot::{AccountSnapshot, Orphan, Snapshot};
use super::standing::{Standing, items};
use super::terminal::{Mark, Page, Tone};
use super::when::clock;

/// More files that may still be being written are counted.
const MOST_WAITING: usize = 5;

/// More failures than this are counted.
const MOST_FAILURES: usize = 5;

/// Accounts that do not answer.
pub(crate) fn notes_on_accounts(
    page: &mut Page,
    snapshot: &Snapshot,
    standings: &[Standing<'_>],
    now: Timestamp,
) {
    let is_concerned = |it: &&AccountSnapshot| {
        standings
            .iter()
            .any(|standing| standing.it.account == it.name)
    };
    for account in snapshot.accounts.values().filter(is_concerned) {
        if let Some(note) = account_note(account, now) {
            page.line(&format!("  {note}"));
        }
    }
}

/// Passes that fail although their account answers.
pub(crate) fn notes_on_failures(
    page: &mut Page,
    snapshot: &Snapshot,
    standings: &[Standing<'_>],
    now: Timestamp,
) {
    let account_fails = |name| {
        snapshot
            .accounts
            .get(name)
            .is_some_and(|it| it.failure.is_some())
    };
    let failures: Vec<String> = standings
        .iter()
        .filter(|it| !account_fails(&it.it.account))
        .filter_map(|it| Some((&it.it.name, it.it.failure.as_ref()?)))
        .map(|(name, it)| {
            format!(
                "{name}: not compared since {}: {}",
                clock(it.since, now),
                it.text
            )
        })
        .collect();
    for line in failures.iter().take(MOST_FAILURES) {
        page.line(&format!("  {line}"));
    }
    let rest = failures.len().saturating_sub(MOST_FAILURES);
    if rest > 0 {
        page.line(&format!("  … and {rest} more that could not be compared"));
    }
}

/// What is over or denied is nobody's business while something is trusted.
pub(crate) fn is_folded(item: &Item, standing: &Standing<'_>) -> bool {
    matches!(item.state, State::Expired | State::Denied) && !standing.is_locked_out()
}

/// What is not shown is said, and files that are not judged yet.
pub(crate) fn note_on_folded(
    page: &mut Page,
    standings: &[Standing<'_>],
    orphans: &[Orphan],
    is_long: bool,
    now: Timestamp,
) {
    let shown = || {
        standings
            .iter()
            .filter(|it| !is_long || it.mark() != Mark::Fine)
    };
    let folded = shown()
        .flat_map(|standing| items(standing.it).iter().map(move |it| (it, standing)))
        .filter(|(item, standing)| is_folded(item, standing))
        .count();
    if folded > 0 {
        let number = count(folded, "certificate that is", "certificates that are");
        page.toned(
            &format!("  Not shown: {number} over or denied. All: sso-certd status --all"),
            Tone::Dim,
        );
    }
    let remarks: usize = standings
        .iter()
        .filter(|it| is_long && it.mark() == Mark::Fine)
        .flat_map(|standing| items(standing.it).iter().map(move |it| (it, standing)))
        .filter(|(item, standing)| !is_folded(item, standing))
        .map(|(item, standing)| remarks_on(item, standing.it.expiry.warn, now).len())
        .sum();
    if remarks > 0 {
        let number = count(remarks, "remark", "remarks");
        page.toned(
            &format!(
                "  Not shown: {number} on certificates of what is well. All: sso-certd status --all"
            ),
            Tone::Dim,
        );
    }
    let orphans: usize = orphans.iter().map(|it| it.certificates.len()).sum();
    if orphans > 0 {
        let number = count(orphans, "certificate", "certificates");
        page.toned(
            &format!(
                "  Not shown: {number} of what is no longer configured. All: sso-certd status --all"
            ),
            Tone::Dim,
        );
    }
    note_on_waiting(page, shown(), now);
}

/// Files that are not judged yet, as they may be half of a copy.
fn note_on_waiting<'a>(
    page: &mut Page,
    shown: impl Iterator<Item = &'a Standing<'a>>,
    now: Timestamp,
) {
    let waiting = |standing: &'a Standing<'a>| {
        let look = standing
            .it
            .source
            .look
            .as_ref()
            .and_then(|it| it.as_ref().ok());
        let files = look.map(|it| it.files.as_slice()).unwrap_or_default();
        files.iter().filter_map(move |file| match &file.verdict {
            FileVerdict::Waiting {
                until,
                otherwise: Some(refusal),
            } => Some((standing, file, *until, refusal)),
            _ => None,
        })
    };
    let mut all = shown.flat_map(waiting);
    for (standing, file, until, refusal) in all.by_ref().take(MOST_WAITING) {
        page.line(&format!(
            "  {}: {} may still be being written; refused at {} if it stays as it is ({})",
            standing.it.name,
            printable_path(&file.path),
            clock(until, now),
            refusal.reason
        ));
    }
    let rest = all.count();
    if rest > 0 {
        let number = count(rest, "more file", "more files");
        page.line(&format!("  … and {number} that may still be being written"));
    }
}

/// Why an account is not asked now, in one line; none while it answers.
pub(crate) fn account_note(account: &AccountSnapshot, now: Timestamp) -> Option<String> {
    let failure = account.failure.as_ref()?;
    let next = account
        .backoff
        .as_ref()
        .filter(|it| it.until > now)
        .map_or(String::new(), |it| {
            format!(", next try in {}", span(it.until.since(now)))
        });
    Some(format!(
        "account {}: {}{next} (try {}). What SendGrid trusts stays as it is.",
        account.name,
        printable(&failure.text, LONGEST),
        account.failures.saturating_add(1)
    ))
}
