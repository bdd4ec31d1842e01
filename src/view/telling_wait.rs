//! The sentences about what goes on by itself, or goes on again when a person says so.

use crate::domain::Timestamp;
use crate::domain::text::{count, printable};
use crate::plan::policy::Mode;
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::why::Why;

use super::alarms::{LONGEST, Words};
use super::named::brief;
use super::snapshot::{IntegrationSnapshot, Snapshot};
use super::standing::{Progress, is_trusting, items, pause};
use super::when::{clock, day_and_clock};

/// More paused integrations than this are counted.
const MOST_NAMES: usize = 5;

/// Whether both were paused by one person, so that one sentence says it.
pub(crate) fn is_one_pause(one: &IntegrationSnapshot, other: &IntegrationSnapshot) -> bool {
    let by = |it| pause(it).map(|it| &it.by);
    by(one).is_some() && by(one) == by(other)
}

/// What there is to say about an integration that needs nobody.
pub(crate) struct Teller<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) it: &'a IntegrationSnapshot,
    pub(crate) now: Timestamp,
}

impl Teller<'_> {
    pub(crate) fn tell(&self, progress: Progress) -> Words {
        match progress {
            Progress::Starting => self.starting(),
            Progress::Waits => self.waits(),
            Progress::Paused => self.paused(),
        }
    }

    fn starting(&self) -> Words {
        let all = self.snapshot.integrations.values();
        let done = all
            .clone()
            .filter(|it| it.has_passed && it.failure.is_none())
            .count();
        let number = count(all.len(), "integration", "integrations");
        Words::from(format!(
            "Starting: {done} of {number} compared with SendGrid so far"
        ))
    }

    fn waits(&self) -> Words {
        let it = self.it;
        let goes =
            |it: &&Item| matches!(it.state, State::Settling | State::Waiting | State::Planned);
        let soonest = items(it)
            .iter()
            .filter(goes)
            .min_by_key(|it| it.why.until().map_or(i64::MAX, Timestamp::as_millis));
        let wait = soonest.map_or_else(String::new, |item| self.wait(item));
        let well = if is_trusting(items(it), it.clocks(self.now)) {
            "All well. "
        } else {
            ""
        };
        Words::from(format!("{well}{} {wait}", it.name))
    }

    fn paused(&self) -> Words {
        let it = self.it;
        let all = self.snapshot.integrations.values();
        let names: Vec<&str> = all
            .filter(|other| is_one_pause(it, other))
            .map(|it| it.name.as_str())
            .collect();
        let rest = names.len().saturating_sub(MOST_NAMES);
        let mut named = names.get(..MOST_NAMES).unwrap_or(&names).join(", ");
        if rest > 0 {
            named = format!("{named} and {rest} more");
        }
        let (by, since) = pause(it).map_or_else(
            || ("somebody".to_owned(), self.now),
            |it| (printable(&it.by, LONGEST), it.at),
        );
        let withheld = it.plan.as_ref().map_or(0, |it| it.outlook.withheld);
        let rest = match withheld {
            0 => " New certificates are not uploaded.".to_owned(),
            number => format!(
                " {} not uploaded.",
                count(number, "certificate is", "certificates are")
            ),
        };
        Words {
            main: format!("Paused by {by} since {}: {named}", clock(since, self.now)),
            rest,
        }
    }

    fn wait(&self, item: &Item) -> String {
        let which = brief(item);
        let when = |at| day_and_clock(at, self.now);
        let account = self.snapshot.accounts.get(&self.it.account);
        match item.why {
            Why::Unsettled { until, .. } => {
                format!(
                    "waits: whether {which} arrived is asked again {}",
                    when(until)
                )
            }
            Why::GivenUp { .. } => format!(
                "waits: {which} was sent again and again and never listed; sso-certd sync sends it once more"
            ),
            Why::Missing { until, .. } => format!(
                "waits: one list lacked {which}; SendGrid is asked again {}",
                when(until)
            ),
            Why::NotBefore(start) => format!(
                "waits: {which} goes to SendGrid {} (it was refused before its start)",
                when(start)
            ),
            Why::Enough { .. } if self.it.mode == Mode::Observe => {
                let number = items(self.it)
                    .iter()
                    .filter(|it| it.state == State::Planned)
                    .count();
                let number = count(number, "certificate", "certificates");
                format!("is only observed: {number} would go to SendGrid")
            }
            Why::Enough { .. } if item.is_listed => {
                format!("waits: {which} is enabled with the next pass")
            }
            Why::Enough { .. } => match account.and_then(|it| it.backoff.as_ref()) {
                Some(backoff) if backoff.until > self.now => format!(
                    "waits: {which} goes to SendGrid {} ({})",
                    when(backoff.until),
                    printable(&backoff.why, LONGEST)
                ),
                _ => format!("waits: {which} goes to SendGrid with the next pass"),
            },
            Why::HoldDown { until } => format!(
                "waits: its new certificate {which} goes to SendGrid {} (hold-down)",
                when(until)
            ),
            Why::NotEnabled { until } => format!(
                "waits: {which} is enabled {} (SendGrid did not do it before)",
                when(until)
            ),
            Why::Vanishing { until } => format!(
                "waits: whether {which} is deleted is asked again {}",
                when(until)
            ),
            Why::Elsewhere { until } => format!(
                "waits with {which}: SendGrid's list shows nothing that we know, and is asked again {}",
                when(until)
            ),
            Why::Backoff { until } => {
                let is_forbidden = account.is_some_and(|it| it.uploads_forbidden);
                let why = if is_forbidden {
                    " (SendGrid forbids uploads with this key; scope sso.settings.create?)"
                } else {
                    ""
                };
                format!("waits: {which} goes to SendGrid {}{why}", when(until))
            }
            _ => format!("waits with {which}: {}", item.why),
        }
    }
}
