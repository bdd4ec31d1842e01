//! What `plan` found out, before it is shown.

use crate::domain::{AccountName, IntegrationName, Timestamp};
use crate::plan::policy::{ExpiryPolicy, Mode};
use crate::plan::retire::{How, Retirement};
use crate::plan::rollover::{Action, Item, Plan};
use crate::plan::state::State;
use crate::plan::why::Why;

use super::retirement::would_go;

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
    /// When an operator is told.
    pub expiry: ExpiryPolicy,
    /// The plan, before anything of it was applied; or why SendGrid's list could not be had, in one line.
    pub plan: Result<Plan, String>,
    /// Why its source could not be read, in one line: then nothing is planned.
    pub source_failure: Option<String>,
    /// Rows that SendGrid lists.
    pub rows: usize,
}

/// What is to be done with one certificate in this pass; in `observe`: what would be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// It goes up.
    Upload,
    /// Its row is enabled.
    Enable,
    /// It is taken away.
    Retire(How),
}

impl Step {
    /// The word in plans and JSON.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Enable => "enable",
            Self::Retire(how) => how.word(),
        }
    }
}

/// How many certificates something is to happen to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// To be uploaded, in `observe` too, where it would be.
    pub upload: usize,
    /// To be enabled.
    pub enable: usize,
    /// To be disabled.
    pub disable: usize,
    /// To be deleted.
    pub delete: usize,
    /// Held until a person acts.
    pub held: usize,
    /// Waiting, and going by themselves; or to be taken away at a known time.
    pub later: usize,
}

impl Counts {
    /// How many there are of the steps of these integrations.
    pub(crate) fn of<'a>(integrations: impl Iterator<Item = &'a PlannedIntegration>) -> Self {
        let mut counts = Self::default();
        for it in integrations {
            for item in it.items() {
                match it.step(item) {
                    Some(Step::Upload) => counts.upload += 1,
                    Some(Step::Enable) => counts.enable += 1,
                    Some(Step::Retire(How::Disable)) => counts.disable += 1,
                    Some(Step::Retire(How::Delete)) => counts.delete += 1,
                    None if is_held(item) => counts.held += 1,
                    None if is_later(item) => counts.later += 1,
                    None => {}
                }
            }
        }
        counts
    }

    /// How many are to be changed now.
    pub(crate) const fn changes(&self) -> usize {
        self.upload + self.enable + self.disable + self.delete
    }
}

impl PlanReport {
    /// The instant that was planned for.
    pub fn planned_for(&self) -> Timestamp {
        self.at.unwrap_or(self.now)
    }

    /// How many certificates something is to happen to.
    pub fn counts(&self) -> Counts {
        Counts::of(self.integrations.iter())
    }

    /// The exit code: 1 if something could not be read; with `--detailed-exitcode` 2 if something is to be done, or
    /// would be in `observe`; else 0.
    pub fn exit(&self, is_detailed: bool) -> u8 {
        let failed = |it: &PlannedIntegration| it.plan.is_err() || it.source_failure.is_some();
        if self.integrations.iter().any(failed) {
            1
        } else if is_detailed && self.counts().changes() > 0 {
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

    /// What is to be done with one of its certificates in this pass, or would be in `observe`.
    pub(crate) fn step(&self, item: &Item) -> Option<Step> {
        match (item.state, item.is_listed, self.mode) {
            (State::Duplicate, _, _) => None,
            (State::Planned, false, _) => Some(Step::Upload),
            (State::Planned, true, _) => Some(Step::Enable),
            (_, _, Mode::Observe) => {
                let retirement = item.retirement.as_ref().filter(|it| would_go(it));
                retirement.and_then(|it| it.how).map(Step::Retire)
            }
            (_, _, Mode::Manage) => {
                let is_it = |it: &&Action| Some(it.certificate().fingerprint()) == item.fingerprint;
                match self.plan.as_ref().ok()?.actions.iter().find(is_it)? {
                    Action::Upload { .. } => Some(Step::Upload),
                    Action::Enable { .. } => Some(Step::Enable),
                    Action::Retire { how, .. } => Some(Step::Retire(*how)),
                }
            }
        }
    }
}

/// Whether it goes only when a person acts.
pub(crate) const fn is_held(item: &Item) -> bool {
    matches!(
        item.state,
        State::Held | State::Rejected | State::Removed | State::Replaced
    )
}

/// Whether it is held because a person has paused everything: that is no question to anybody.
pub(crate) const fn is_paused(item: &Item) -> bool {
    matches!((item.state, item.why), (State::Held, Why::Paused))
}

/// Whether it goes by itself, later: up, or away.
pub(crate) fn is_later(item: &Item) -> bool {
    let retirement = item.retirement.as_ref();
    matches!(item.state, State::Waiting | State::Settling)
        || retirement.is_some_and(|it| it.how.is_some() && is_a_matter_of_time(it))
}

fn is_a_matter_of_time(retirement: &Retirement) -> bool {
    retirement.blocks.iter().all(|it| it.until().is_some())
}
