//! One way in: a command asks the daemon. If nothing answers, it works by itself, on the same code.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::offline::Alone;
use super::{Outcome, PERMISSION, Screen, configuration, error_line, runtime};
use crate::adapter::control_socket::{self, Answer, CallError, Question, Verb, call, call_tcp};
use crate::adapter::ledger::Ledger;
use crate::config::{Environment, Settings, state_directory};
use crate::view::terminal::Terminal;

/// The longest a command waits for what the daemon knows already.
const SHORT: Duration = Duration::from_secs(10);

/// The longest a command waits for what SendGrid has a part in: `sync --wait` may take five minutes.
const LONG: Duration = Duration::from_secs(400);

/// How long a daemon that holds the state directory may take to open its socket: it makes a removed one anew within
/// seconds.
const OPENING: Duration = Duration::from_secs(8);

/// How often it is asked meanwhile.
const KNOCK: Duration = Duration::from_millis(100);

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
    put(
        loaded.settings,
        &question(verb, names, json, screen),
        screen,
    )
}

/// A question whose answer is for this screen.
pub(super) const fn question(
    verb: Verb,
    names: Vec<String>,
    json: bool,
    screen: Screen,
) -> Question {
    let terminal = screen.out;
    Question {
        verb,
        names,
        json,
        width: terminal.width,
        color: terminal.color,
        utf8: terminal.utf8,
    }
}

/// Puts a question to the daemon, or answers it without one.
pub(super) fn put(settings: Settings, question: &Question, screen: Screen) -> Outcome {
    match Way::new(settings).put(question, screen) {
        Ok(answer) => outcome(answer),
        Err(outcome) => outcome,
    }
}

/// The way to whoever answers.
pub(super) struct Way {
    settings: Arc<Settings>,
    /// What this process works with by itself, once nobody answered. A second question is answered by it, too: it may be
    /// another user by then, and would ask a daemon under a wrong name.
    alone: Option<Alone>,
}

impl Way {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            alone: None,
        }
    }

    /// The answer to a question, or why there is none.
    pub(super) fn put(&mut self, question: &Question, screen: Screen) -> Result<Answer, Outcome> {
        if self.alone.is_none() {
            match ask_daemon(&self.settings, question) {
                Ok(answer) => return Ok(answer),
                Err(CallError::NoDaemon) => {}
                Err(error) => return Err(no_answer(error, question, screen)),
            }
        }
        let alone = match self.alone.take() {
            Some(alone) => alone,
            None => Alone::begin(&self.settings, &question.verb, screen)?,
        };
        self.alone
            .insert(alone)
            .answer(&self.settings, question, screen)
    }
}

/// Tells the daemon that it will not be reloaded. Why it could not be told, if one runs.
pub(super) fn tell_reload_refused(path: &Path, screen: Screen) -> Result<(), CallError> {
    let Some(directory) = state_directory(path, &Environment::of_process()) else {
        return Ok(());
    };
    let question = question(Verb::ReloadRefused, Vec::new(), false, screen);
    let runtime = runtime().map_err(|_| CallError::HungUp)?;
    let socket = control_socket::path(&directory);
    match runtime.block_on(call(&socket, &question, SHORT)) {
        Ok(_) | Err(CallError::NoDaemon) => Ok(()),
        Err(error) => Err(error),
    }
}

fn no_answer(error: CallError, question: &Question, screen: Screen) -> Outcome {
    let (help, exit) = match error {
        CallError::Permission => (
            format!("sudo sso-certd {}", words(&question.verb)),
            PERMISSION,
        ),
        _ => ("systemctl status sso-certd".to_owned(), 1),
    };
    error_line(&error.to_string(), Some(&help), exit, screen)
}

fn ask_daemon(settings: &Settings, question: &Question) -> Result<Answer, CallError> {
    let runtime = runtime().map_err(|_| CallError::HungUp)?;
    let may_be_told = matches!(question.verb, Verb::Status { .. } | Verb::History { .. });
    let answer = runtime.block_on(async {
        if !may_be_told {
            return call_when_open(settings, question).await;
        }
        let socket = control_socket::path(&settings.state_directory);
        match (call(&socket, question, SHORT).await, settings.http.listen) {
            (Err(CallError::Permission), Some(address)) => {
                let told = call_tcp(address, question, SHORT).await;
                told.map_err(|_| CallError::Permission)
            }
            (answer, _) => answer,
        }
    });
    answer.map(|it| harmless(it, question))
}

/// Asks a daemon that may only be about to make its socket, as it starts or as somebody removed it: as long as another
/// instance holds the state directory, nobody may work there beside it.
async fn call_when_open(settings: &Settings, question: &Question) -> Result<Answer, CallError> {
    let directory = &settings.state_directory;
    let socket = control_socket::path(directory);
    let until = Instant::now() + OPENING;
    loop {
        let answer = call(&socket, question, LONG).await;
        let is_held = || matches!(Ledger::holder(directory), Ok(Some(_)));
        let is_shut = matches!(answer, Err(CallError::NoDaemon));
        if !is_shut || Instant::now() > until || !is_held() {
            return answer;
        }
        sleep(KNOCK).await;
    }
}

/// What may be shown, whoever answered.
fn harmless(answer: Answer, question: &Question) -> Answer {
    let terminal = Terminal {
        width: question.width,
        color: question.color,
        utf8: question.utf8,
    };
    let text = if question.json {
        terminal.foreign_json(&answer.text)
    } else {
        terminal.foreign(&answer.text)
    };
    Answer {
        text,
        notes: terminal.foreign(&answer.notes),
        ..answer
    }
}

pub(super) fn outcome(answer: Answer) -> Outcome {
    Outcome {
        out: answer.text,
        err: answer.notes,
        exit: answer.exit,
    }
}

/// What was typed, as far as it helps.
fn words(verb: &Verb) -> String {
    let word = match verb {
        Verb::Status { .. } => "status",
        Verb::Plan { .. } => "plan",
        Verb::Sync { .. } => "sync",
        Verb::History { .. } => "history",
        Verb::Explain { .. } => "explain",
        Verb::Integrations { .. } => "integrations",
        Verb::Probe => "check-config --probe",
        Verb::Decide(about) => return format!("{} {}", about.decision.word(), about.fingerprint),
        Verb::Pause {
            is_paused: true, ..
        } => "pause",
        Verb::Pause { .. } => "resume",
        Verb::ReloadRefused => "check-config",
    };
    word.to_owned()
}
