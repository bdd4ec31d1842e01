//! A person's decisions: what is asked before them, and whose word they are.

use std::io::{IsTerminal as _, Write as _, stdin, stdout};
use std::path::Path;

use super::arguments::{OnCertificate, OnIntegration, Word};
use super::ask::{Way, outcome, question};
use super::{Outcome, Screen, USAGE, configuration, error_line};
use crate::adapter::control_socket::{AboutCertificate, Confirmation, PersonsWord, Verb};
use crate::domain::{FingerprintError, FingerprintPrefix};
use crate::plan::decision::{Decision, check_reason};

/// A decision about one certificate.
pub(super) fn about(path: &Path, decision: Decision, on: OnCertificate, screen: Screen) -> Outcome {
    let typed = match FingerprintPrefix::parse(&on.fingerprint) {
        Ok(typed) => typed,
        Err(FingerprintError::Thumbprint) => {
            let help = "sso-certd status shows both side by side";
            let text = FingerprintError::Thumbprint.to_string();
            return error_line(&text, Some(help), USAGE, screen);
        }
        Err(FingerprintError::Malformed) => {
            let text = "FINGERPRINT wants hexadecimal digits: all 64, or the first of them";
            return error_line(text, None, USAGE, screen);
        }
    };
    let verb = |word| {
        Verb::Decide(AboutCertificate {
            decision,
            fingerprint: typed.to_string(),
            integration: on.integration,
            word,
        })
    };
    take(path, decision.word(), on.word, verb, Vec::new(), screen)
}

/// A decision about whole integrations.
pub(super) fn pause(path: &Path, is_paused: bool, on: OnIntegration, screen: Screen) -> Outcome {
    let name = if is_paused { "pause" } else { "resume" };
    let verb = |word| Verb::Pause { is_paused, word };
    let names = on.name.into_iter().collect();
    take(path, name, on.word, verb, names, screen)
}

/// Asks on a terminal, and goes on at a yes; elsewhere `--yes` must say so.
fn take(
    path: &Path,
    name: &str,
    word: Word,
    verb: impl FnOnce(PersonsWord) -> Verb,
    names: Vec<String>,
    screen: Screen,
) -> Outcome {
    if let Some(Err(unfit)) = word.reason.as_deref().map(check_reason) {
        return error_line(&unfit.to_string(), None, USAGE, screen);
    }
    let may_ask = stdin().is_terminal() && stdout().is_terminal();
    if !word.yes && !may_ask {
        let text = format!("{name} asks before it decides, and there is no terminal");
        let help = "--yes decides without being asked";
        return error_line(&text, Some(help), USAGE, screen);
    }
    let settings = match configuration(path, screen) {
        Ok(loaded) => loaded.settings,
        Err(outcome) => return outcome,
    };
    let word = PersonsWord {
        reason: word.reason,
        sudo_user: std::env::var("SUDO_USER").ok(),
        is_confirmed: word.yes,
    };
    let mut way = Way::new(settings);
    let mut asked = question(verb(word), names, false, screen);
    let told = match way.put(&asked, screen) {
        Ok(answer) => answer,
        Err(outcome) => return outcome,
    };
    let Some(confirmation) = &told.confirmation else {
        return outcome(told);
    };
    if !says_yes(&told.text) {
        return Outcome {
            out: "Nothing was decided.\n".to_owned(),
            err: String::new(),
            exit: 1,
        };
    }
    (asked.verb, asked.names) = confirmed(asked.verb, confirmation);
    match way.put(&asked, screen) {
        Ok(answer) => outcome(answer),
        Err(outcome) => outcome,
    }
}

/// Shows a question, and reads the answer.
fn says_yes(question: &str) -> bool {
    let shown = stdout()
        .write_all(question.as_bytes())
        .and_then(|()| stdout().flush());
    let mut line = String::new();
    let read = shown.and_then(|()| stdin().read_line(&mut line));
    read.is_ok() && line.trim() == "yes"
}

/// The same decision, about exactly what was shown.
fn confirmed(verb: Verb, shown: &Confirmation) -> (Verb, Vec<String>) {
    let sure = |word| PersonsWord {
        is_confirmed: true,
        ..word
    };
    match verb {
        Verb::Decide(about) => {
            let about = AboutCertificate {
                fingerprint: shown.fingerprint.clone().unwrap_or(about.fingerprint),
                integration: shown.names.first().cloned(),
                word: sure(about.word),
                ..about
            };
            (Verb::Decide(about), Vec::new())
        }
        Verb::Pause { is_paused, word } => {
            let word = sure(word);
            (Verb::Pause { is_paused, word }, shown.names.clone())
        }
        other => (other, shown.names.clone()),
    }
}
