//! `plan --json`: one object, stable.

use serde::Serialize;

use crate::domain::Timestamp;
use crate::domain::text::printable_path;
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::why::Why;

use super::plan_report::{PlanReport, PlannedIntegration, is_held, is_later};
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
    /// To be disabled.
    pub disable: usize,
    /// To be deleted.
    pub delete: usize,
    /// Held until a person acts.
    pub held: usize,
    /// Going by themselves, later.
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
    /// What goes by itself, later.
    pub later: Vec<WaitJson>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StepJson {
    /// `upload`.
    pub action: &'static str,
    /// SHA-256 of the DER, 64 digits.
    pub fingerprint: String,
    /// `new_key` or `known_key`.
    pub reason: &'static str,
    /// What was enough: `source`, `pin`, `approval`.
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
            disable: counts.disable,
            delete: counts.delete,
            held: counts.held,
            later: counts.later,
        },
        integrations: report.integrations.iter().map(integration).collect(),
    }
}

fn integration(it: &PlannedIntegration) -> PlannedIntegrationJson {
    let waits = |wanted: fn(&Item) -> bool| {
        it.items()
            .iter()
            .filter(|it| wanted(it))
            .map(wait)
            .collect()
    };
    PlannedIntegrationJson {
        name: it.name.to_string(),
        account: it.account.to_string(),
        mode: it.mode.word(),
        in_step: it.plan.as_ref().ok().map(|it| it.outlook.in_step),
        failure: it.plan.as_ref().err().cloned(),
        source_failure: it.source_failure.clone(),
        steps: it.items().iter().filter_map(step).collect(),
        holds: waits(is_held),
        later: waits(is_later),
    }
}

fn step(item: &Item) -> Option<StepJson> {
    let (State::Planned, Why::Enough { evidence, .. }) = (item.state, item.why) else {
        return None;
    };
    let certificate = item.certificate.as_ref()?;
    let validity = certificate.validity();
    Some(StepJson {
        action: "upload",
        fingerprint: certificate.fingerprint().hex(),
        reason: why_word(&item.why),
        evidence: vec![evidence.word()],
        not_before: validity.not_before.to_string(),
        not_after: validity.not_after.to_string(),
        paths: paths(item),
    })
}

fn wait(item: &Item) -> WaitJson {
    WaitJson {
        fingerprint: item.fingerprint.map(|it| it.hex()),
        state: item.state.word(),
        reason: why_word(&item.why),
        why: item.why.to_string(),
        until: item.why.until().as_ref().map(Timestamp::to_string),
        paths: paths(item),
    }
}

pub(crate) fn paths(item: &Item) -> Vec<String> {
    item.paths.iter().map(|it| printable_path(it)).collect()
}
