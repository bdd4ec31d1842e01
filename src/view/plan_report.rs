//! What `plan` found out, before it is shown.

use crate::domain::{AccountName, IntegrationName, Timestamp};
use crate::plan::policy::Mode;
use crate::plan::rollover::{Item, Plan};
use crate::plan::state::State;

/// The plans of some integrations at one instant.
#[derive(Clone, Debug)]
pub struct PlanReport {
    /// Now.
    pub now: Timestamp,
    /// The instant that was planned for, if `--at` named one.
    pub at: Option<Timestamp>,
    /// Requests made to SendGrid for this.
    pub requests: u32,
    /// One for each integration asked about, in the order to be shown.
    pub integrations: Vec<PlannedIntegration>,
}

/// One integration, planned or not.
#[derive(Clone, Debug)]
pub struct PlannedIntegration {
    /// Its name.
    pub name: IntegrationName,
    /// Its account.
    pub account: AccountName,
    /// Whether `run` would write.
    pub mode: Mode,
    /// The plan, before anything of it was applied; or why SendGrid's list could not be had, in one line.
    pub plan: Result<Plan, String>,
    /// Why its source could not be read, in one line: then nothing is planned.
    pub source_failure: Option<String>,
    /// Rows that SendGrid lists.
    pub rows: usize,
}

/// How many certificates something is to happen to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// To be uploaded, in `observe` too, where it would be.
    pub upload: usize,
    /// To be disabled.
    pub disable: usize,
    /// To be deleted.
    pub delete: usize,
    /// Held until a person acts.
    pub held: usize,
    /// Waiting, and going by themselves.
    pub later: usize,
}

impl PlanReport {
    /// The instant that was planned for.
    pub fn planned_for(&self) -> Timestamp {
        self.at.unwrap_or(self.now)
    }

    /// How many certificates something is to happen to. Nothing is ever disabled or deleted by itself today.
    pub fn counts(&self) -> Counts {
        let count = |wanted: fn(&Item) -> bool| {
            self.integrations
                .iter()
                .flat_map(PlannedIntegration::items)
                .filter(|it| wanted(it))
                .count()
        };
        Counts {
            upload: count(|it| it.state == State::Planned),
            disable: 0,
            delete: 0,
            held: count(is_held),
            later: count(is_later),
        }
    }

    /// The exit code: 1 if something could not be read; with `--detailed-exitcode` 2 if something is to be done, or
    /// would be in `observe`; else 0.
    pub fn exit(&self, is_detailed: bool) -> u8 {
        let failed = |it: &PlannedIntegration| it.plan.is_err() || it.source_failure.is_some();
        if self.integrations.iter().any(failed) {
            1
        } else if is_detailed && self.counts().upload > 0 {
            2
        } else {
            0
        }
    }
}

impl PlannedIntegration {
    /// Its certificates and rows; none if there is no plan.
    pub fn items(&self) -> &[Item] {
        self.plan
            .as_ref()
            .map(|it| it.items.as_slice())
            .unwrap_or_default()
    }
}

/// Whether it goes only when a person acts.
pub(crate) const fn is_held(item: &Item) -> bool {
    matches!(
        item.state,
        State::Held | State::Rejected | State::Removed | State::Replaced
    )
}

/// Whether it goes by itself, later.
pub(crate) const fn is_later(item: &Item) -> bool {
    matches!(item.state, State::Waiting | State::Settling)
}
