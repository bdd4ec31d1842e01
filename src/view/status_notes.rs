//! Lines below the sentence: what fails, and when it is tried again.

use crate::domain::Timestamp;
use crate::domain::text::{printable, span};

use super::concern::Standing;
use super::snapshot::{AccountSnapshot, Snapshot};
use super::telling::LONGEST;
use super::terminal::Page;
use super::when::clock;

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
        printable(failure, LONGEST),
        account.failures.saturating_add(1)
    ))
}
