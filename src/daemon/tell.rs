//! What the log says of an integration's history.

use crate::adapter::sendgrid::CallError;
use crate::domain::{Certificate, IntegrationName};
use crate::plan::book::{Belief, Book, Standing};
use crate::plan::entry::{Entry, What};
use crate::plan::rollover::Action;

/// Logs an entry of the audit trail, once it is durable.
pub(super) fn entry(integration: &IntegrationName, book: &Book, entry: &Entry) {
    let (detail, by) = (&entry.detail, &entry.by);
    let Some(fingerprint) = entry.fingerprint else {
        match entry.what {
            What::Paused => {
                tracing::warn!(%integration, by, "Paused: {integration} by {by}: nothing is written ({detail})");
            }
            What::Resumed => {
                tracing::info!(%integration, by, "Resumed: {integration} by {by} ({detail})");
            }
            _ => {}
        }
        return;
    };
    let belief = book.beliefs.get(&fingerprint);
    let certificate = belief.and_then(|it| it.certificate.as_ref());
    let short = fingerprint.short();
    let named = certificate.map_or_else(|| short.clone(), name_of);
    match entry.what {
        What::Seen => {
            tracing::info!(%integration, %fingerprint, by, "Seen: {named} for {integration} in {detail}");
        }
        What::Ignored => {
            tracing::info!(%integration, %fingerprint, by, "Ignored: {named} for {integration}, in {detail}");
        }
        What::Accepted => {
            tracing::info!(%integration, %fingerprint, "Accepted: {short} for {integration} ({detail})");
        }
        What::Uploaded if belief.is_some_and(is_unanswered) => {
            // `upload_failed` says it.
            tracing::debug!(%integration, %fingerprint, "Sent: {short} for {integration} ({detail})");
        }
        What::Uploaded => {
            tracing::info!(%integration, %fingerprint, "Uploaded: {short} for {integration} ({detail})");
        }
        What::Trusted => {
            tracing::info!(%integration, %fingerprint, "Trusted: {integration} has {named} ({detail})");
        }
        What::Settled => {
            tracing::info!(%integration, %fingerprint, "Settled: {short} of {integration}: {detail}");
        }
        What::Found => {
            tracing::info!(%integration, %fingerprint, "Found: {named} of {integration} ({detail})");
        }
        What::Gone => {
            tracing::info!(%integration, %fingerprint, "Gone: {short} of {integration}: {detail}");
        }
        What::Inherited => tracing::info!(
            %integration, %fingerprint,
            "Inherited: {named} was at SendGrid for {integration} before our first look; it is left alone ({detail})"
        ),
        What::Unsent => {
            tracing::debug!(%integration, %fingerprint, "Not sent: {short} for {integration}: {detail}");
        }
        What::Rejected => tracing::warn!(
            %integration, %fingerprint,
            "Rejected: SendGrid does not take {short} for {integration}: {detail}; sent again in a day, on `sync`, or \
             when its file changes"
        ),
        What::Unmanaged => tracing::error!(
            %integration, %fingerprint,
            "Somebody else's certificate: SendGrid trusts {short} for {integration}, and it did not come from here ({detail})"
        ),
        What::Removed => tracing::error!(
            %integration, %fingerprint,
            "Removed: {short} of {integration} was deleted at SendGrid; it is not uploaded again by itself ({detail})"
        ),
        What::Replaced => tracing::error!(
            %integration, %fingerprint,
            "Replaced: the row of {short} of {integration} was changed at SendGrid: {detail}"
        ),
        What::Held => tracing::warn!(
            %integration, %fingerprint,
            "Held: {named} for {integration} {detail}; sso-certd approve {short}, or sso-certd deny {short}"
        ),
        What::Enabling | What::Retiring => {
            tracing::info!(%integration, %fingerprint, "{}: {short} of {integration} ({detail})", capital(entry.what));
        }
        What::Enabled => {
            tracing::info!(%integration, %fingerprint, "Trusted: {integration} has {named}, enabled ({detail})");
        }
        What::Disabled | What::Deleted => {
            tracing::info!(%integration, %fingerprint, "{}: {named} of {integration} ({detail})", capital(entry.what));
        }
        What::Unsure => {
            // `failed` says it.
            tracing::debug!(%integration, %fingerprint, "Unsure: {short} of {integration}: {detail}");
        }
        What::Kept => {
            tracing::warn!(%integration, %fingerprint, "Kept: {short} of {integration} stays as it is: {detail}");
        }
        What::Approved
        | What::Denied
        | What::Acknowledged
        | What::Adopted
        | What::Restored
        | What::Ordered
        | What::Forgotten => {
            tracing::info!(%integration, %fingerprint, by, "{}: {named} of {integration} by {by} ({detail})", capital(entry.what));
        }
        What::Paused | What::Resumed => {}
    }
}

/// Whether a POST was made, and no answer told of a row.
fn is_unanswered(belief: &Belief) -> bool {
    matches!(&belief.standing, Standing::Intent(intent) if intent.id.is_none())
}

/// Logs a write that was not answered well. The audit trail has it too.
pub(super) fn failed(integration: &IntegrationName, action: &Action, error: &CallError) {
    let fingerprint = action.certificate().fingerprint();
    let (short, word) = (fingerprint.short(), action.word());
    let is_upload = matches!(action, Action::Upload { .. });
    match (error.failure.certainly_not_done(), is_upload) {
        (true, true) => {
            tracing::debug!(%integration, %fingerprint, "Not uploaded: {short} for {integration}: {error}");
        }
        (false, true) => tracing::warn!(
            %integration, %fingerprint,
            "Unknown: whether {short} for {integration} arrived ({}); SendGrid is asked, it is not sent twice",
            error.failure
        ),
        (true, false) => {
            tracing::warn!(%integration, %fingerprint, "Not done: {word} {short} of {integration}: {error}");
        }
        (false, false) => tracing::warn!(
            %integration, %fingerprint,
            "Unknown: whether SendGrid did {word} {short} of {integration} ({}); it counts for nothing until that is certain",
            error.failure
        ),
    }
}

/// The word at the beginning of a line.
fn capital(what: What) -> String {
    let mut letters = what.word().chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

fn name_of(certificate: &Certificate) -> String {
    format!(
        "{} until {}",
        certificate.fingerprint().short(),
        certificate.validity().not_after.date()
    )
}
