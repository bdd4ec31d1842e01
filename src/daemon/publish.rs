//! What a pass writes on the board.

use std::sync::Arc;

use crate::daemon::pass::Subject;
use crate::daemon::shared::Shared;
use crate::plan::admission::Admission;
use crate::plan::rollover::Plan;
use crate::view::snapshot::{LastChange, PassFailure};

/// Everything was compared.
pub(super) fn publish(shared: &Shared, subject: &Subject, plan: Plan, change: Option<LastChange>) {
    let compared_at = subject.book.last_list;
    shared.board.integration(&subject.name, |it| {
        it.source.admit(admission(subject));
        it.plan = Some(Arc::new(plan));
        it.compared_at = compared_at;
        it.has_passed = true;
        it.failure = None;
        if change.is_some() {
            it.last_change = change;
        }
    });
}

/// How it reads its source by what is believed now.
fn admission(subject: &Subject) -> Admission {
    Admission::of(&subject.book, &subject.settings.policy)
}

/// Something stood in the way; what is known stays known.
pub(super) fn publish_failure(
    shared: &Shared,
    subject: &Subject,
    plan: Option<Plan>,
    failure: Option<PassFailure>,
) {
    let name = &subject.name;
    shared.board.integration(name, |it| {
        it.has_passed = true;
        it.compared_at = subject.book.last_list;
        it.source.admit(admission(subject));
        if let Some(plan) = plan {
            it.plan = Some(Arc::new(plan));
        }
        if let Some(mut failure) = failure {
            let is_news = it.failure.as_ref().is_none_or(|before| before.text != failure.text);
            let (text, since) = (&failure.text, it.failure.as_ref().map(|it| it.since));
            if since.is_none() {
                tracing::error!(integration = %name, "Not compared with SendGrid: {name}: {text}");
            } else if is_news {
                tracing::debug!(integration = %name, "Still not compared with SendGrid: {name}: {text}");
            }
            failure.since = since.unwrap_or(failure.since);
            it.failure = Some(failure);
        }
    });
}
