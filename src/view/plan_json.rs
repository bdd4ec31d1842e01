//! `plan --json`: one object, stable.

use serde::Serialize;

use crate::domain::Timestamp;
use crate::domain::text::printable_path;
use crate::plan::retire::Retirement;
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::trust::Evidence;
use crate::plan::why::Why;

use super::alarms::deadline_of_plan;
use super::plan_report::{PlanReport, PlannedIntegration, Step, is_held, is_later};
use super::retirement::in_full;
use super::why_word::why_word;

/// The whole answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PlanJson {
    /// 1.
    pub schema: u32,
    /// The instant that was planned for, RFC 3339.
    pub at: String,
    /// When SendGrid was asked, RFC 3339.
    pub compared_at: String,
    /// Requests made to SendGrid.
    pub requests: u32,
    /// How many certificates something is to happen to.
    pub counts: CountsJson,
    /// One object an integration.
    pub integrations: Vec<PlannedIntegrationJson>,
}

/// How many certificates something is to happen to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct CountsJson {
    /// To be uploaded; in `observe`: would be.
    pub upload: usize,
    /// To be enabled.
    pub enable: usize,
    /// To be disabled.
    pub disable: usize,
    /// To be deleted.
    pub delete: usize,
    /// Held until a person acts.
    pub held: usize,
    /// Going by themselves, later: up, or away.
    pub later: usize,
}

/// One integration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PlannedIntegrationJson {
    /// Its name.
    pub name: String,
    /// Its account.
    pub account: String,
    /// `manage` or `observe`.
    pub mode: &'static str,
    /// Whether everything that policy and time allow is at SendGrid; absent without a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_step: Option<bool>,
    /// Certificates trusted at that instant; absent without a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted: Option<usize>,
    /// When the last of what is trusted ends, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_expiry: Option<String>,
    /// By when a person must act, RFC 3339; absent while nobody must.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Since when a person has paused it, RFC 3339; absent while nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_since: Option<String>,
    /// Why SendGrid's list could not be had; absent if it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Why the source could not be read; absent if it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_failure: Option<String>,
    /// What is to be done, in `observe`: what would be.
    pub steps: Vec<StepJson>,
    /// What goes only when a person acts.
    pub holds: Vec<WaitJson>,
    /// What goes by itself, later: up, or away.
    pub later: Vec<WaitJson>,
    /// What stays as it is.
    pub stays: Vec<StayJson>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StepJson {
    /// `upload`, `enable`, `disable` or `delete`.
    pub action: &'static str,
    /// SHA-256 of the DER, 64 digits.
    pub fingerprint: String,
    /// `new_key` or `known_key`; for `enable` what was enough; for the others `ordered`, `retire_policy` or `again`.
    pub reason: &'static str,
    /// What was enough: `source`, `pin`, `approval`, `hold-down`, `order`.
    pub evidence: Vec<&'static str>,
    /// First second, RFC 3339.
    pub not_before: String,
    /// Last second, RFC 3339.
    pub not_after: String,
    /// The accepted files that hold it.
    pub paths: Vec<String>,
}

/// One certificate that does not go now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WaitJson {
    /// SHA-256 of the DER, 64 digits; absent for a row that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Its state.
    pub state: &'static str,
    /// What it waits for: `upload`, `enable`, `disable`, `delete`; absent where it waits to be seen again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// The reason as a word.
    pub reason: &'static str,
    /// The reason as a sentence.
    pub why: String,
    /// When it goes by itself, RFC 3339; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The accepted files that hold it.
    pub paths: Vec<String>,
}

/// One certificate with which nothing is to be done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StayJson {
    /// SHA-256 of the DER, 64 digits; absent for a row that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Its state.
    pub state: &'static str,
    /// The reason as a word.
    pub reason: &'static str,
    /// The reason as a sentence; of an old one of ours: what keeps it.
    pub why: String,
    /// Last second, RFC 3339; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// Whether SendGrid lists it.
    pub listed: bool,
}

/// `plan --json` as a value.
pub fn plan_json(report: &PlanReport) -> PlanJson {
    let counts = report.counts();
    PlanJson {
        schema: 1,
        at: report.planned_for().to_string(),
        compared_at: report.now.to_string(),
        requests: report.requests,
        counts: CountsJson {
            upload: counts.upload,
            enable: counts.enable,
            disable: counts.disable,
            delete: counts.delete,
            held: counts.held,
            later: counts.later,
        },
        integrations: report
            .integrations
            .iter()
            .map(|it| integration(it, report.planned_for()))
            .collect(),
    }
}

fn integration(it: &PlannedIntegration, at: Timestamp) -> PlannedIntegrationJson {
    let rest = || it.items().iter().filter(|item| it.step(item).is_none());
    let is_waiting = |item: &Item| is_held(item) || is_later(item);
    let outlook = it.plan.as_ref().ok().map(|it| &it.outlook);
    let plan = it.plan.as_ref().ok();
    let deadline = plan.and_then(|plan| deadline_of_plan(plan, it.mode, &it.expiry, at));
    let text = |at: Option<Timestamp>| at.as_ref().map(Timestamp::to_string);
    PlannedIntegrationJson {
        name: it.name.to_string(),
        account: it.account.to_string(),
        mode: it.mode.word(),
        in_step: outlook.map(|it| it.in_step),
        trusted: outlook.map(|it| it.trusted),
        latest_expiry: text(outlook.and_then(|it| it.latest_expiry)),
        deadline: text(deadline),
        paused_since: text(outlook.and_then(|it| Some(it.pause.as_ref()?.at))),
        failure: it.plan.as_ref().err().cloned(),
        source_failure: it.source_failure.clone(),
        steps: it
            .items()
            .iter()
            .filter_map(|item| step(item, it.step(item)?))
            .collect(),
        holds: rest()
            .filter(|it| is_held(it))
            .map(|it| wait(it, at))
            .collect(),
        later: rest()
            .filter(|it| !is_held(it) && is_later(it))
            .map(|it| wait(it, at))
            .collect(),
        stays: rest()
            .filter(|it| !is_waiting(it))
            .map(|it| stay(it, at))
            .collect(),
    }
}

fn step(item: &Item, step: Step) -> Option<StepJson> {
    let certificate = item.certificate.as_ref()?;
    let validity = certificate.validity();
    let (reason, evidence) = match (step, item.why, &item.retirement) {
        (Step::Retire(_), _, Some(Retirement { again: true, .. })) => ("again", None),
        (Step::Retire(_), _, Some(Retirement { ordered: true, .. })) => {
            ("ordered", Some(Evidence::Order))
        }
        (Step::Retire(_), _, _) => ("retire_policy", None),
        (Step::Upload, Why::Enough { evidence, .. }, _) => (why_word(&item.why), Some(evidence)),
        (Step::Enable, Why::Enough { evidence, .. }, _) => (evidence.word(), Some(evidence)),
        (_, _, Some(_)) => ("last", Some(Evidence::Last)),
        (_, _, None) => ("adopted", Some(Evidence::Order)),
    };
    Some(StepJson {
        action: step.word(),
        fingerprint: certificate.fingerprint().hex(),
        reason,
        evidence: evidence.iter().map(|it| it.word()).collect(),
        not_before: validity.not_before.to_string(),
        not_after: validity.not_after.to_string(),
        paths: paths(item),
    })
}

fn wait(item: &Item, at: Timestamp) -> WaitJson {
    let fate = item.retirement.as_ref().filter(|it| it.how.is_some());
    let action = match (fate.and_then(|it| it.how), item.state, item.why) {
        (Some(how), _, _) => Some(how.word()),
        (None, State::Waiting, Why::NotEnabled { .. }) => Some("enable"),
        (None, State::Held, _) if item.is_listed => Some("enable"),
        (None, State::Waiting | State::Held | State::Rejected, _) => Some("upload"),
        _ => None,
    };
    let until = match fate {
        Some(fate) => fate.date(at),
        None => item.why.until(),
    };
    WaitJson {
        fingerprint: item.fingerprint.map(|it| it.hex()),
        state: item.state.word(),
        action,
        reason: why_word(&item.why),
        why: fate.map_or_else(|| item.why.to_string(), |it| in_full(it, at)),
        until: until.as_ref().map(Timestamp::to_string),
        paths: paths(item),
    }
}

fn stay(item: &Item, at: Timestamp) -> StayJson {
    let end = item.certificate.as_ref().map(|it| it.validity().not_after);
    let fate = item.retirement.as_ref();
    StayJson {
        fingerprint: item.fingerprint.map(|it| it.hex()),
        state: item.state.word(),
        reason: why_word(&item.why),
        why: fate.map_or_else(|| item.why.to_string(), |it| in_full(it, at)),
        not_after: end.as_ref().map(Timestamp::to_string),
        listed: item.is_listed,
    }
}

pub(crate) fn paths(item: &Item) -> Vec<String> {
    item.paths.iter().map(|it| printable_path(it)).collect()
}
