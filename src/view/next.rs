//! What happens next to a certificate, for a column. Verbs that a person could type are named here and in `alarms` only.

use std::time::Duration;

use crate::domain::{Fingerprint, Timestamp, Validity};
use crate::plan::outlook::Outlook;
use crate::plan::policy::Mode;
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::why::Why;

use super::alarms::decide_by;
use super::retirement::in_short;
use super::when::day_and_clock;

/// Everything that decides what happens next to one certificate of an integration.
pub(crate) struct Next<'a> {
    pub(crate) items: &'a [Item],
    pub(crate) outlook: &'a Outlook,
    pub(crate) mode: Mode,
    pub(crate) now: Timestamp,
}

/// What happens next to what is no longer configured.
pub(crate) const ORPHAN_NEXT: &str = "forget drops it";

/// A successor expected later than this from now on is nobody's business yet.
const FAR: Duration = Duration::from_secs(5 * 365 * 86_400);

impl Next<'_> {
    /// What happens next; `–` if nothing does.
    pub(crate) fn of(&self, item: &Item) -> String {
        let when = |at| day_and_clock(at, self.now);
        let until = |it: &str| match item.why.until() {
            Some(at) => format!("{it} {}", when(at)),
            None => it.to_owned(),
        };
        let retirement = item.retirement.as_ref();
        if let Some(fate) = retirement.and_then(|it| in_short(it, self.now)) {
            return fate;
        }
        match item.state {
            State::Trusted | State::Found => self.of_trusted(item),
            State::Ahead => validity(item).map_or_else(nothing, |it| {
                format!("trusted from {} on", it.not_before.date())
            }),
            State::Planned => match (self.mode, item.is_listed) {
                (Mode::Observe, false) => "would go up (observe)".to_owned(),
                (Mode::Observe, true) => "would be enabled (observe)".to_owned(),
                (Mode::Manage, false) => "goes up with the next pass".to_owned(),
                (Mode::Manage, true) => "enabled with the next pass".to_owned(),
            },
            State::Settling => until("SendGrid is asked again"),
            State::Waiting => match item.why {
                Why::ClockInDoubt => "goes up when the clocks agree".to_owned(),
                Why::HoldDown { .. } => until("hold-down ends"),
                Why::NotEnabled { .. } => until("enabled"),
                Why::FileUnfinished { .. } => until("goes up when no file is unfinished, or"),
                _ => until("goes up"),
            },
            State::Held => match item.why {
                Why::RemovedKey(other) => {
                    format!("restore {}, or approve it by all digits", other.brief())
                }
                Why::TooMany { .. } => "too many certificates".to_owned(),
                Why::Paused => "goes up when resumed".to_owned(),
                Why::IdChanged => "goes up when its integration_id is accepted".to_owned(),
                _ => match by(item, self.outlook, self.now) {
                    Some(by) => format!("approve or deny, {by}"),
                    None => "approve or deny".to_owned(),
                },
            },
            State::Rejected => until("sent again"),
            State::Superseded => match item.why {
                Why::Successor(newer) => format!("stays, {} goes on", newer.brief()),
                _ => "stays".to_owned(),
            },
            State::Expired if item.is_listed => "stays listed, harmless".to_owned(),
            State::Removed if item.why == Why::RetiredByPerson => {
                "take its file away, or restore it".to_owned()
            }
            State::Removed => "restore or deny".to_owned(),
            State::Replaced | State::Unmanaged => "left alone, find out who".to_owned(),
            State::Undecodable | State::Duplicate | State::Inherited | State::Acknowledged => {
                "left alone".to_owned()
            }
            State::Denied => "never goes up".to_owned(),
            State::Disabled => "restore brings it back".to_owned(),
            State::Orphaned => ORPHAN_NEXT.to_owned(),
            State::Expired => nothing(),
        }
    }

    fn of_trusted(&self, item: &Item) -> String {
        let Some(own) = validity(item) else {
            return nothing();
        };
        let later = |it: &&Item| validity(it).is_some_and(|it| it.not_after > own.not_after);
        let successor = self
            .items
            .iter()
            .filter(|it| it.state.is_trust() || it.state == State::Ahead)
            .filter(later)
            .max_by_key(|it| validity(it).map(|it| it.not_after));
        if let Some(successor) = successor {
            let which = successor.fingerprint.as_ref().map(Fingerprint::brief);
            let which = which.unwrap_or_default();
            return match validity(successor) {
                Some(it) if it.is_ahead(self.outlook.skew.at(self.now)) => {
                    format!("{which} follows on {}", it.not_before.date())
                }
                _ => format!("may end, {which} goes on"),
            };
        }
        let is_coming = |it: &&Item| {
            matches!(
                it.state,
                State::Planned | State::Settling | State::Waiting | State::Held | State::Rejected
            )
        };
        if self.items.iter().filter(is_coming).any(|it| later(&it)) {
            return "stays until a successor is trusted".to_owned();
        }
        match self.outlook.successor_due {
            Some(due) if due <= self.now => "no successor in the directory yet".to_owned(),
            Some(due) if due <= self.now.plus(FAR) => {
                format!("successor expected by {}", due.date())
            }
            _ if item.state == State::Found => "not by us; adopt makes it ours".to_owned(),
            _ => nothing(),
        }
    }
}

/// By when an operator must let it in: `by 2026-11-29`; none while nobody must, and where every hour counts.
pub(crate) fn by(item: &Item, outlook: &Outlook, now: Timestamp) -> Option<String> {
    let deadline = decide_by(item, outlook).filter(|_| outlook.trusted > 0)?;
    Some(if deadline > now {
        format!("by {}", deadline.date())
    } else {
        format!("overdue since {}", deadline.date())
    })
}

fn validity(item: &Item) -> Option<Validity> {
    item.certificate
        .as_ref()
        .map(crate::domain::Certificate::validity)
}

fn nothing() -> String {
    "–".to_owned()
}
