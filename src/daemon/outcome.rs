//! What an answer to a POST says about the row.

use crate::adapter::sendgrid::Failure;
use crate::daemon::calls::WriteAnswer;
use crate::plan::book::{PostOutcome, WriteOutcome};

/// What an answer to a POST says about the row, and the metric label `result`.
pub(super) fn outcome_of(answer: &WriteAnswer) -> (PostOutcome, &'static str) {
    match &answer.result {
        Ok(written) => {
            let id = written.row.as_ref().and_then(|it| it.id.clone());
            (
                PostOutcome::Answered {
                    id,
                    took: answer.took,
                },
                "ok",
            )
        }
        Err(error) => {
            // The audit trail keeps the code; SendGrid's own words stay out of it.
            let code = format!("{}: {}", error.failure.code(), in_a_word(&error.failure));
            match &error.failure {
                Failure::Refused { .. } => (PostOutcome::Rejected(code), "failed"),
                failure if failure.certainly_not_done() => (PostOutcome::NotStored(code), "failed"),
                failure => {
                    let is_answered = !matches!(failure, Failure::Lost(_));
                    let why = code;
                    (PostOutcome::Unknown { why, is_answered }, "unknown")
                }
            }
        }
    }
}

/// What an answer to a PATCH or a DELETE says about the row, and the metric label `result`.
pub(super) fn write_outcome(answer: &WriteAnswer) -> (WriteOutcome, &'static str) {
    let failure = match &answer.result {
        Ok(_) => return (WriteOutcome::Done { took: answer.took }, "ok"),
        Err(error) => &error.failure,
    };
    let why = format!("{}: {}", failure.code(), in_a_word(failure));
    if !failure.certainly_not_done() {
        return (WriteOutcome::Unknown(why), "unknown");
    }
    let is_forbidden = matches!(failure, Failure::Forbidden { .. });
    (WriteOutcome::NotDone { why, is_forbidden }, "failed")
}

const fn in_a_word(failure: &Failure) -> &'static str {
    match failure {
        Failure::Unsent(_) => "not sent",
        Failure::Lost(_) => "no whole answer",
        Failure::Refused { .. } => "refused",
        Failure::KeyRejected => "key rejected",
        Failure::Forbidden { .. } => "forbidden",
        Failure::NotFound => "not found",
        Failure::RateLimited => "rate limited",
        Failure::ServerError { .. } => "server error",
        Failure::Unexpected { .. } => "unexpected answer",
    }
}
