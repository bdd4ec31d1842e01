//! What an account's worker has to do next: a keyed set of integrations, each with what woke it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::domain::{IntegrationName, Moment};

/// Why a pass starts. A closed list: it is a metric label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Trigger {
    /// A person asked.
    Command,
    /// An event said that the source changed.
    Change,
    /// A poll found that the source changed.
    Poll,
    /// A wait has ended.
    Due,
    /// A signal.
    Signal,
    /// The daemon started, or took a new configuration.
    Startup,
    /// The cron schedule.
    Schedule,
}

impl Trigger {
    /// Every trigger, the most urgent first.
    pub const ALL: [Self; 7] = [
        Self::Command,
        Self::Change,
        Self::Poll,
        Self::Due,
        Self::Signal,
        Self::Startup,
        Self::Schedule,
    ];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Change => "change",
            Self::Poll => "poll",
            Self::Due => "due",
            Self::Signal => "signal",
            Self::Startup => "startup",
            Self::Schedule => "schedule",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The set. A hundred wakes of one integration are one more pass, for the most urgent of their reasons.
#[derive(Debug, Default)]
pub struct Inbox {
    ready: BTreeMap<IntegrationName, Trigger>,
    due: BTreeMap<IntegrationName, Due>,
    /// Whose pass is under way.
    taken: Option<IntegrationName>,
    /// Whose last pass did not end well.
    failed: BTreeSet<IntegrationName>,
}

#[derive(Debug)]
struct Due {
    set: Moment,
    after: Duration,
    trigger: Trigger,
}

impl Inbox {
    /// Wakes an integration now.
    pub fn wake(&mut self, name: IntegrationName, trigger: Trigger) {
        self.ready
            .entry(name)
            .and_modify(|it| *it = trigger.min(*it))
            .or_insert(trigger);
    }

    /// Wakes an integration for this reason when `after` has passed since `now`, unless that is set anew before.
    pub fn wake_after(
        &mut self,
        name: IntegrationName,
        now: &Moment,
        after: Duration,
        trigger: Trigger,
    ) {
        self.due.insert(
            name,
            Due {
                set: now.clone(),
                after,
                trigger,
            },
        );
    }

    /// Forgets an integration's wait.
    pub fn forget_wait(&mut self, name: &IntegrationName) {
        self.due.remove(name);
    }

    /// Takes the most urgent integration, if one is awake by now.
    pub fn next(&mut self, now: &Moment) -> Option<(IntegrationName, Trigger)> {
        let over: Vec<(IntegrationName, Trigger)> = self
            .due
            .iter()
            .filter(|(_, due)| now.elapsed_since(&due.set) >= due.after)
            .map(|(name, due)| (name.clone(), due.trigger))
            .collect();
        for (name, trigger) in over {
            self.due.remove(&name);
            self.wake(name, trigger);
        }
        let name = self
            .ready
            .iter()
            .min_by_key(|(name, trigger)| (**trigger, *name))
            .map(|(name, _)| name.clone())?;
        self.taken = Some(name.clone());
        self.ready.remove_entry(&name)
    }

    /// Notes that an integration's pass is over, and how it ended.
    pub fn end(&mut self, name: &IntegrationName, is_well: bool) {
        self.taken = None;
        if is_well {
            self.failed.remove(name);
        } else {
            self.failed.insert(name.clone());
        }
    }

    /// Whether its last pass ended well.
    pub fn ended_well(&self, name: &IntegrationName) -> bool {
        !self.failed.contains(name)
    }

    /// How long until an integration has a pass: nothing if it is awake, or has one; none if it waits for nothing.
    pub fn due_in(&self, name: &IntegrationName, now: &Moment) -> Option<Duration> {
        if self.ready.contains_key(name) || self.taken.as_ref() == Some(name) {
            return Some(Duration::ZERO);
        }
        self.due
            .get(name)
            .map(|it| it.after.saturating_sub(now.elapsed_since(&it.set)))
    }

    /// How long until the next wait ends; none without one.
    pub fn next_due(&self, now: &Moment) -> Option<Duration> {
        self.due
            .values()
            .map(|it| it.after.saturating_sub(now.elapsed_since(&it.set)))
            .min()
    }

    /// Whether somebody is awake.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BootId, Timestamp};

    fn name(raw: &str) -> IntegrationName {
        IntegrationName::parse(raw).unwrap()
    }

    fn at(secs: u64) -> Moment {
        Moment {
            wall: Timestamp::from_secs(0),
            boot: BootId::new("b"),
            since_boot: Duration::from_secs(secs),
        }
    }

    fn drain(inbox: &mut Inbox, now: u64) -> Vec<String> {
        std::iter::from_fn(|| inbox.next(&at(now)))
            .map(|(name, trigger)| format!("{name} {trigger}"))
            .collect()
    }

    #[test]
    fn changes_come_before_waits_and_waits_before_the_round() {
        let mut inbox = Inbox::default();
        for it in ["a", "b", "c", "d"] {
            inbox.wake(name(it), Trigger::Schedule);
        }
        inbox.wake_after(name("c"), &at(0), Duration::from_secs(5), Trigger::Due);
        inbox.wake(name("d"), Trigger::Change);
        assert_eq!(inbox.next_due(&at(2)), Some(Duration::from_secs(3)));
        assert_eq!(
            drain(&mut inbox, 5),
            ["d change", "c due", "a schedule", "b schedule"]
        );
        assert_eq!(inbox.next_due(&at(9)), None);
    }

    #[test]
    fn a_hundred_wakes_are_one_pass() {
        let mut inbox = Inbox::default();
        for _ in 0..100 {
            inbox.wake(name("a"), Trigger::Change);
            inbox.wake(name("a"), Trigger::Schedule);
        }
        assert_eq!(drain(&mut inbox, 0), ["a change"]);
    }

    #[test]
    fn a_wait_that_is_not_over_wakes_nobody() {
        let mut inbox = Inbox::default();
        inbox.wake_after(name("a"), &at(0), Duration::from_secs(5), Trigger::Due);
        assert!(drain(&mut inbox, 4).is_empty());
        inbox.wake_after(name("a"), &at(4), Duration::from_secs(5), Trigger::Due);
        assert!(drain(&mut inbox, 8).is_empty(), "set anew");
        assert_eq!(drain(&mut inbox, 9), ["a due"]);
    }
}
