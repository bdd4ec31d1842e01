//! What `plan` shows: the pass's own functions, with nothing stored and nothing sent.

use std::collections::BTreeMap;

use crate::daemon::halt::closed_words;
use crate::daemon::link::Link;
use crate::daemon::pass::Subject;
use crate::daemon::quiet::ask_for_quiet_look;
use crate::daemon::shared::Shared;
use crate::daemon::source::Sight;
use crate::daemon::worker::Rehearsal;
use crate::domain::{Moment, Row, Timestamp};
use crate::plan::book::Book;
use crate::plan::gate::Operation;
use crate::plan::rollover::{Inputs, Plan, plan};
use crate::plan::settle::{Unreachable, resume, settle};
use crate::plan::source::note_source;

/// The daemon would see the same again and again until that day; more looks than these change nothing.
const LATER_LOOKS: usize = 4;

/// What `plan` would say of one integration, if this were believed of it: the same functions, and nothing is stored or
/// sent.
pub async fn rehearse(
    link: &mut Link,
    shared: &Shared,
    subject: &Subject,
    book: &Book,
    at: Option<Timestamp>,
) -> Rehearsal {
    let path = subject.settings.directory.directory.clone();
    let sight = ask_for_quiet_look(&subject.source, None, &path, &shared.clock).await;
    let integration = subject.settings.integration_id;
    let asked_before = link.requests();
    let rows = match link.enter(Operation::List, Some(integration)).await {
        Ok(ticket) => link
            .list(ticket, integration)
            .await
            .map_err(|it| it.to_string()),
        Err(closed) => Err(closed_words(&closed)),
    };
    let count = rows.as_ref().map_or(0, Vec::len);
    let plan = rows.and_then(|rows| imagine(link, shared, subject, book, &sight, &rows, at));
    let requests = u32::try_from(link.requests().saturating_sub(asked_before)).unwrap_or(u32::MAX);
    Rehearsal {
        name: subject.name.clone(),
        sight,
        plan,
        rows: count,
        requests,
    }
}

/// The plan by this list, which need not be fresh.
pub(super) fn imagine(
    link: &Link,
    shared: &Shared,
    subject: &Subject,
    book: &Book,
    sight: &Sight,
    rows: &[Row],
    at: Option<Timestamp>,
) -> Result<Plan, String> {
    let look = sight.as_deref().ok();
    let mut now = shared.clock.now();
    let mut book = book.clone();
    let policy = &subject.settings.policy;
    let delivery = &policy.delivery;
    resume(&mut book, delivery, &now);
    let see = |book: &mut Book, now: &Moment| {
        note_source(book, look, policy, now);
        settle(book, rows, &BTreeMap::new(), delivery, link.skew(), now)
            .map(|_| ())
            .map_err(|Unreachable| "everything we know of it is gone at once".to_owned())
    };
    see(&mut book, &now)?;
    if let Some(at) = at {
        now = now.plus(at.since(now.wall));
        for _ in 0..LATER_LOOKS {
            see(&mut book, &now)?;
        }
    }
    Ok(plan(&Inputs {
        look,
        rows,
        book: &book,
        policy,
        skew: link.skew(),
        now: &now,
    }))
}
