//! One way in: a command asks the daemon. If nothing answers, it works by itself, on the same code.

use std::path::Path;
use std::time::Duration;

use super::{Outcome, PERMISSION, Screen, configuration, error_line, offline, runtime};
use crate::adapter::control_socket::{self, Answer, CallError, Question, Verb};
use crate::config::Settings;

/// The longest a command waits for what the daemon knows already.
const SHORT: Duration = Duration::from_secs(10);

/// The longest a command waits for what SendGrid has a part in: `sync --wait` may take five minutes.
const LONG: Duration = Duration::from_secs(400);

/// Asks, and says what to print.
pub(super) fn ask(
    path: &Path,
    verb: Verb,
    names: Vec<String>,
    json: bool,
    screen: Screen,
) -> Outcome {
    let loaded = match configuration(path, screen) {
        Ok(loaded) => loaded,
        Err(outcome) => return outcome,
    };
    let terminal = screen.out;
    let question = Question {
        verb,
        names,
        json,
        width: terminal.width,
        color: terminal.color,
        utf8: terminal.utf8,
    };
    put(loaded.settings, &question, screen)
}

/// Puts a question to the daemon, or answers it without one.
pub(super) fn put(settings: Settings, question: &Question, screen: Screen) -> Outcome {
    match ask_daemon(&settings, question) {
        Ok(answer) => outcome(answer),
        Err(CallError::NoDaemon) => offline::answer(settings, question, screen),
        Err(CallError::Permission) => {
            let help = format!("sudo sso-certd {}", word(&question.verb));
            error_line(
                &CallError::Permission.to_string(),
                Some(&help),
                PERMISSION,
                screen,
            )
        }
        Err(error) => error_line(
            &error.to_string(),
            Some("systemctl status sso-certd"),
            1,
            screen,
        ),
    }
}

fn ask_daemon(settings: &Settings, question: &Question) -> Result<Answer, CallError> {
    let runtime = runtime().map_err(|_| CallError::HungUp)?;
    let may_be_told = matches!(question.verb, Verb::Status { .. } | Verb::History { .. });
    let patience = if may_be_told { SHORT } else { LONG };
    let socket = control_socket::path(&settings.state_directory);
    let answer = runtime.block_on(control_socket::call(&socket, question, patience));
    match (answer, settings.http.listen) {
        (Err(CallError::Permission), Some(address)) if may_be_told => {
            let told = runtime.block_on(control_socket::call_tcp(address, question, patience));
            told.map_err(|_| CallError::Permission)
        }
        (answer, _) => answer,
    }
}

pub(super) fn outcome(answer: Answer) -> Outcome {
    Outcome {
        out: answer.text,
        err: answer.notes,
        exit: answer.exit,
    }
}

const fn word(verb: &Verb) -> &'static str {
    match verb {
        Verb::Status { .. } => "status",
        Verb::Plan { .. } => "plan",
        Verb::Sync { .. } => "sync",
        Verb::History { .. } => "history",
        Verb::Explain { .. } => "explain",
        Verb::Integrations { .. } => "integrations",
        Verb::Probe => "check-config --probe",
    }
}
