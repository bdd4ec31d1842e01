//! What happens next to a certificate, for a column. Verbs that a person could type are named here and in `todo` only.

use std::time::Duration;

use crate::domain::{Fingerprint, Timestamp, Validity};
use crate::plan::outlook::Outlook;
use crate::plan::policy::Mode;
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::why::Why;

use super::when::day_and_clock;

/// Everything that decides what happens next to one certificate of an integration.
pub(crate) struct Next<'a> {
    pub(crate) items: &'a [Item],
    pub(crate) outlook: &'a Outlook,
    pub(crate) mode: Mode,
    pub(crate) now: Timestamp,
}

/// A successor expected later than this from now on is nobody's business yet.
const FAR: Duration = Duration::from_secs(5 * 365 * 86_400);

impl Next<'_> {
    /// What happens next; `–` if nothing does.
    pub(crate) fn of(&self, item: &Item) -> String {
        let when = |at| day_and_clock(at, self.now);
        match item.state {
            State::Trusted | State::Found => self.of_trusted(item),
            State::Ahead => validity(item).map_or_else(nothing, |it| {
                format!("trusted from {} on", it.not_before.date())
            }),
            State::Planned if self.mode == Mode::Observe => "would go up (observe)".to_owned(),
            State::Planned => "goes up with the next pass".to_owned(),
            State::Settling => item.why.until().map_or_else(nothing, |it| {
                format!("SendGrid is asked again {}", when(it))
            }),
            State::Waiting => item.why.until().map_or_else(
                || "goes up when the clocks agree".to_owned(),
                |it| format!("goes up {}", when(it)),
            ),
            State::Held => match item.why {
                Why::KeyBudget { .. } => "too many new keys in 24 h".to_owned(),
                Why::RemovedKey(_) => "its key was removed".to_owned(),
                Why::TooMany { .. } => "too many certificates".to_owned(),
                _ => "waits for you".to_owned(),
            },
            State::Rejected => item
                .why
                .until()
                .map_or_else(nothing, |it| format!("sent again {}", when(it))),
            State::Superseded => match item.why {
                Why::Successor(newer) => format!("stays, {} goes on", newer.brief()),
                _ => "stays".to_owned(),
            },
            State::Expired if item.is_listed => "stays listed, harmless".to_owned(),
            State::Removed => "does not come back by itself".to_owned(),
            State::Replaced | State::Unmanaged => "left alone, find out who".to_owned(),
            State::Undecodable | State::Duplicate | State::Inherited | State::Acknowledged => {
                "left alone".to_owned()
            }
            State::Denied => "never goes up".to_owned(),
            State::Disabled | State::Expired | State::Orphaned => nothing(),
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
                Some(it) if it.is_ahead(self.now) => {
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
            _ if item.state == State::Found => "not by us; enabled or not is unknown".to_owned(),
            _ => nothing(),
        }
    }
}

fn validity(item: &Item) -> Option<Validity> {
    item.certificate
        .as_ref()
        .map(crate::domain::Certificate::validity)
}

fn nothing() -> String {
    "–".to_owned()
}
