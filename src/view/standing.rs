//! How each integration stands: its alarms, and what goes on by itself.

use crate::domain::{Clocks, Refusal, Timestamp};
use crate::plan::book::Pause;
use crate::plan::rollover::Item;
use crate::plan::state::State;

use super::alarms::{Alarm, AlarmReason};
use super::snapshot::{IntegrationSnapshot, Snapshot};
use super::terminal::Mark;

/// What goes on by itself, or goes on again when an operator says so. The first that applies is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Progress {
    /// Not compared yet since the daemon started.
    Starting,
    /// Something goes by itself.
    Waits,
    /// An operator has paused it.
    Paused,
}

/// One integration with everything there is to say about it.
pub(crate) struct Standing<'a> {
    pub(crate) it: &'a IntegrationSnapshot,
    /// What needs somebody, worst first; notes last.
    pub(crate) alarms: Vec<&'a Alarm>,
    /// What goes on by itself.
    pub(crate) progress: Option<Progress>,
}

impl<'a> Standing<'a> {
    /// The worst of what needs somebody.
    pub(crate) fn worst(&self) -> Option<&'a Alarm> {
        self.alarms.iter().copied().find(|it| it.needs_somebody())
    }

    pub(crate) fn mark(&self) -> Mark {
        match (self.worst(), self.progress) {
            (Some(alarm), _) => alarm.severity.mark(),
            (None, Some(_)) => Mark::Waits,
            (None, None) => Mark::Fine,
        }
    }

    /// Whether SendGrid lists nothing for it that lets anybody in.
    pub(crate) fn is_locked_out(&self) -> bool {
        let is_it = |it: &&Alarm| matches!(it.reason, AlarmReason::NoTrust | AlarmReason::NotSetUp);
        self.alarms.iter().any(is_it)
    }
}

/// Every integration: what needs somebody first, then by how soon its trust ends.
pub(crate) fn standings<'a>(snapshot: &'a Snapshot, alarms: &'a [Alarm]) -> Vec<Standing<'a>> {
    let standing = |it: &'a IntegrationSnapshot| Standing {
        it,
        alarms: alarms.iter().filter(|alarm| alarm.concerns(it)).collect(),
        progress: progress(it, snapshot),
    };
    let mut standings: Vec<Standing<'_>> = snapshot.integrations.values().map(standing).collect();
    standings.sort_by_key(|standing| {
        let end = latest_end(standing.it).map_or(i64::MAX, Timestamp::as_millis);
        (rank(standing.mark()), end)
    });
    standings
}

/// What needs somebody first, then what waits and what is fine.
const fn rank(mark: Mark) -> u8 {
    match mark {
        Mark::Broken => 0,
        Mark::NeedsYou => 1,
        Mark::Waits => 2,
        _ => 3,
    }
}

fn progress(it: &IntegrationSnapshot, snapshot: &Snapshot) -> Option<Progress> {
    let goes_by_itself =
        |it: &Item| matches!(it.state, State::Planned | State::Settling | State::Waiting);
    if snapshot.is_live && (!it.has_passed || it.compared_at.is_none()) {
        Some(Progress::Starting)
    } else if items(it).iter().any(goes_by_itself) {
        Some(Progress::Waits)
    } else {
        pause(it).map(|_| Progress::Paused)
    }
}

/// Its certificates and rows, as last planned.
pub(crate) fn items(integration: &IntegrationSnapshot) -> &[Item] {
    integration
        .plan
        .as_ref()
        .map(|it| it.items.as_slice())
        .unwrap_or_default()
}

/// When logins stop by what is known today.
pub(crate) fn latest_end(integration: &IntegrationSnapshot) -> Option<Timestamp> {
    integration.plan.as_ref().and_then(|it| it.outlook.ends)
}

/// Since when a person has paused it, and who; none while nobody has.
pub(crate) fn pause(integration: &IntegrationSnapshot) -> Option<&Pause> {
    integration
        .plan
        .as_ref()
        .and_then(|it| it.outlook.pause.as_ref())
}

/// Whether a certificate that counts is trusted at this instant.
pub(crate) fn is_trusting(items: &[Item], now: impl Into<Clocks> + Copy) -> bool {
    items
        .iter()
        .filter(|it| it.state.is_trust() || it.state == State::Ahead)
        .any(|it| is_valid(it, now))
}

/// What SendGrid lists that does not count as trust and may let somebody in all the same.
pub(crate) fn others(items: &[Item], now: impl Into<Clocks> + Copy) -> Vec<&Item> {
    let may_work = |item: &&Item| match item.state {
        State::Inherited | State::Acknowledged | State::Unmanaged | State::Superseded => {
            is_valid(item, now)
        }
        State::Undecodable => true,
        _ => false,
    };
    items.iter().filter(may_work).collect()
}

/// The refusals of its source, each with its file.
pub(crate) fn refusals(
    integration: &IntegrationSnapshot,
) -> Vec<(&crate::domain::LookedFile, &Refusal)> {
    match &integration.source.look {
        Some(Ok(look)) => look.refusals().collect(),
        _ => Vec::new(),
    }
}

pub(crate) fn is_valid(item: &Item, now: impl Into<Clocks>) -> bool {
    item.certificate
        .as_ref()
        .is_some_and(|it| it.validity().is_valid(now))
}
