//! The snapshot and everything that is drawn from it: pure functions from values to text, JSON and metric values.
//!
//! Whoever asks brings the terminal along as a value; nothing here knows where the text goes. Text from outside is
//! escaped where it enters a line, never cut without an `…`.
//!
//! [`sentence`] says the most important thing in one sentence and is the first line everywhere; [`status_text`],
//! [`status_json`] and [`metrics`] show the same [`snapshot`] to people, programs and Prometheus. [`plan_text`],
//! [`plan_json`], [`history_text`], [`explain_text`], [`inspect_text`], [`integrations_text`] and [`check_text`] are the
//! answers of the commands of the same names; [`decision_question`] and [`decision_text`] are those of all decisions.

pub mod alarms;
pub mod check_text;
mod conditions;
pub mod decision_question;
pub mod decision_text;
pub mod explain_text;
pub mod history_text;
mod inspect_many;
pub mod inspect_text;
pub mod integrations_text;
pub mod metric_family;
pub mod metrics;
mod named;
mod next;
pub mod plan_json;
pub mod plan_report;
pub mod plan_text;
mod refusal_text;
pub mod remarks;
mod retirement;
pub mod sentence;
pub mod snapshot;
mod standing;
pub mod status_json;
mod status_notes;
pub mod status_schema;
pub mod status_text;
mod table;
mod telling_wait;
pub mod terminal;
#[cfg(test)]
pub(crate) mod testing;
mod when;
mod why_word;
