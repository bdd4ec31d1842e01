//! The command line: what can be typed, and the exit code of everything.

mod arguments;
mod ask;
mod check;
mod decide;
mod inspect;
mod offline;
mod screen;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use crate::adapter::control_socket::Verb;
use crate::adapter::ledger::{Ledger, LedgerError, Obstacle};
use crate::adapter::log::{Log, goes_to_journal, last_words};
use crate::adapter::system_error::word;
use crate::adapter::users::{RunsAs, user_name};
use crate::config::{Access, Environment, Loaded, Problems, Settings, access, load};
use crate::daemon::{RunError, Start, run};
use crate::domain::text::printable_path;
use crate::plan::decision::Decision;
use crate::plan::retire::How;
use crate::view::check_text::{errors_text, warnings_text};
use arguments::{Arguments, Command, INSTALLED};
use clap::{CommandFactory as _, Parser as _};
use offline::owner_for_root;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use screen::Screen;

/// Wrong words on the command line (`EX_USAGE`).
const USAGE: u8 = 64;
/// A task of the daemon ended (`EX_SOFTWARE`).
const SOFTWARE: u8 = 70;
/// Another instance holds the state (`EX_TEMPFAIL`).
const HELD: u8 = 75;
/// No permission (`EX_NOPERM`).
const PERMISSION: u8 = 77;
/// The configuration is wrong (`EX_CONFIG`); the service manager does not try again.
const CONFIGURATION: u8 = 78;

/// What a command comes to: texts for both outputs, and the exit code.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Outcome {
    out: String,
    err: String,
    exit: u8,
}

/// Runs the program with these arguments, the first of which is its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        // The sandbox calls this a second time in one process: the same provider stands already.
    }
    std::panic::set_hook(Box::new(tell_panic));
    shut_memory();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() { USAGE } else { 0 };
            return match error.print() {
                Ok(()) => ExitCode::from(exit),
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    let screen = Screen::of_process(arguments.color);
    let outcome = dispatch(arguments, screen);
    let written = std::io::stdout()
        .write_all(outcome.out.as_bytes())
        .and_then(|()| std::io::stdout().flush());
    // A daemon's log may hold standard error for ever, if nobody reads it.
    let noted = if outcome.err.is_empty() {
        Ok(())
    } else {
        std::io::stderr().write_all(outcome.err.as_bytes())
    };
    match (written, noted) {
        (Err(error), _) | (_, Err(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            ExitCode::FAILURE
        }
        _ => ExitCode::from(outcome.exit),
    }
}

/// The memory that the API key is read into is not for other processes of the same user, nor for a core file. Nothing fails
/// where a kernel will not have it: the key is no less needed there.
fn shut_memory() {
    if set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err() {
        tracing::debug!("Other processes of this user can read the memory of this one");
    }
}

/// Says where a panic happened, and nothing of what it says itself: that may quote a file.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    if tracing::dispatcher::has_been_set() {
        tracing::error!("Stopped at {place}: please report this");
    } else if writeln!(
        std::io::stderr(),
        "error: stopped at {place}; please report this"
    )
    .is_err()
    {
        // Nobody is left to be told.
    }
}

fn dispatch(arguments: Arguments, screen: Screen) -> Outcome {
    let path = arguments.config;
    match arguments.command {
        Command::Run => {
            let mut outcome = for_journal(daemon(path, screen));
            last_words(std::mem::take(&mut outcome.err));
            outcome
        }
        Command::CheckConfig {
            reload_guard: true, ..
        } => check::guard_reload(&path, screen),
        Command::CheckConfig {
            probe,
            print,
            strict,
            reload_guard: false,
        } => {
            let is_installed = path == Path::new(INSTALLED);
            let how = check::How {
                probe,
                print,
                strict: strict || is_installed,
            };
            check::check_config(&path, how, screen)
        }
        Command::Inspect { paths, strict } => inspect::inspect(&path, &paths, strict, screen),
        Command::Completions { shell } => completions(shell),
        Command::Integrations { account } => ask::ask(
            &path,
            Verb::Integrations { account },
            Vec::new(),
            false,
            screen,
        ),
        Command::Plan {
            names,
            json,
            detailed_exitcode,
            at,
        } => {
            if at.is_some_and(|it| it < crate::adapter::clock::Clock::new().now().wall) {
                return error_line(
                    "--at wants a time that is still to come",
                    None,
                    USAGE,
                    screen,
                );
            }
            let at_millis = at.map(crate::domain::Timestamp::as_millis);
            ask::ask(
                &path,
                Verb::Plan {
                    at_millis,
                    detailed: detailed_exitcode,
                },
                names,
                json,
                screen,
            )
        }
        Command::Explain { fingerprint, name } => {
            let verb = Verb::Explain {
                prefix: fingerprint,
            };
            ask::ask(&path, verb, name.into_iter().collect(), false, screen)
        }
        Command::Sync { names, wait } => ask::ask(&path, Verb::Sync { wait }, names, false, screen),
        Command::Status {
            names,
            all,
            json,
            quiet,
        } => ask::ask(&path, Verb::Status { all, quiet }, names, json, screen),
        Command::Approve(on) => decide::about(&path, Decision::Approve, on, screen),
        Command::Deny { on, key } => {
            let decision = if key {
                Decision::DenyKey
            } else {
                Decision::Deny
            };
            decide::about(&path, decision, on, screen)
        }
        Command::Acknowledge(on) => decide::about(&path, Decision::Acknowledge, on, screen),
        Command::Adopt(on) => decide::about(&path, Decision::Adopt, on, screen),
        Command::Restore(on) => decide::about(&path, Decision::Restore, on, screen),
        Command::Forget(on) => decide::about(&path, Decision::Forget, on, screen),
        Command::Retire { on, delete, .. } => {
            let how = if delete { How::Delete } else { How::Disable };
            decide::about(&path, Decision::Retire(how), on, screen)
        }
        Command::Pause(on) => decide::pause(&path, true, on, screen),
        Command::Resume(on) => decide::pause(&path, false, on, screen),
        Command::History {
            names,
            since,
            number,
            json,
        } => {
            let now = crate::adapter::clock::Clock::new().now().wall;
            let since_millis = since.map(|it| now.minus(it).as_millis());
            ask::ask(
                &path,
                Verb::History {
                    since_millis,
                    limit: number,
                },
                names,
                json,
                screen,
            )
        }
    }
}

fn daemon(path: std::path::PathBuf, screen: Screen) -> Outcome {
    let environment = Environment::of_process();
    let loaded = match load(&path, &environment) {
        Ok(loaded) => loaded,
        Err(problems) => return configuration_problems(&problems, screen),
    };
    if let Some(outcome) = refuse_root(&loaded.settings, screen) {
        return outcome;
    }
    let directory = &loaded.settings.state_directory;
    let runs_as = if owner_for_root(directory).is_some() {
        RunsAs::owner_of(directory) // that a daemon of theirs runs already is the better reason to end
    } else {
        RunsAs::this_process()
    };
    let Access { problems, remarks } = access(&loaded.settings, &runs_as);
    if !problems.is_empty() {
        return configuration_problems(&Problems(problems), screen);
    }
    let log = match Log::start(&loaded.settings.log) {
        Ok(log) => log,
        Err(error) => return error_line(&error.to_string(), None, CONFIGURATION, screen),
    };
    for warning in loaded.warnings.iter().chain(&remarks) {
        let help = warning.help.as_deref().unwrap_or_default();
        tracing::warn!(help, "{warning}");
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return error_line(&word(&error), None, 1, screen),
    };
    let ended = runtime.block_on(run(Start {
        path,
        environment,
        loaded,
        log,
    }));
    runtime.shutdown_background();
    match ended {
        Ok(()) => Outcome::default(),
        Err(error) => {
            let exit = exit_of(&error);
            error_line(&error.to_string(), help_for(&error), exit, screen)
        }
    }
}

/// Why the daemon did not start, or ended, is an error in the journal, too.
fn for_journal(outcome: Outcome) -> Outcome {
    if !goes_to_journal() {
        return outcome;
    }
    let err = outcome
        .err
        .lines()
        .flat_map(|it| ["<3>", it, "\n"])
        .collect();
    Outcome { err, ..outcome }
}

/// Root's daemon in the state directory of another user would leave files there that the service cannot write. Where a
/// daemon runs already, that is the better reason.
fn refuse_root(settings: &Settings, screen: Screen) -> Option<Outcome> {
    let directory = &settings.state_directory;
    let (owner, _) = owner_for_root(directory)?;
    if !matches!(Ledger::holder(directory), Ok(None)) {
        return None;
    }
    let name = user_name(owner.as_raw());
    let why = format!(
        "{} belongs to {name}, and root would leave files there that {name} cannot write",
        printable_path(directory)
    );
    let help = format!("systemctl start sso-certd\nrunuser -u {name} -- sso-certd run");
    Some(error_line(&why, Some(&help), PERMISSION, screen))
}

/// Two threads: the machines this runs on have better things to do.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(32)
        .enable_all()
        .build()
}

fn exit_of(error: &RunError) -> u8 {
    match error {
        // A command that finds it so has only failed; a daemon that were started anew would find it so each time.
        RunError::Ledger(LedgerError::Damaged { .. }) => CONFIGURATION,
        RunError::Ledger(error) => ledger_exit(error),
        RunError::Listen(_) | RunError::Setup(_) => 1,
        RunError::TaskEnded(_) => SOFTWARE,
    }
}

fn help_for(error: &RunError) -> Option<&'static str> {
    match error {
        RunError::Listen(crate::adapter::http::ListenError::Taken(_)) => {
            Some("http.listen = \"127.0.0.1:9466\", or \"\" for none")
        }
        _ => None,
    }
}

fn ledger_exit(error: &LedgerError) -> u8 {
    match error {
        LedgerError::Held { .. } => HELD,
        LedgerError::Newer { .. } => CONFIGURATION,
        LedgerError::NotReadable {
            obstacle: Obstacle::Permission,
            ..
        }
        | LedgerError::NotWritable {
            obstacle: Obstacle::Permission,
            ..
        } => PERMISSION,
        LedgerError::Damaged { .. }
        | LedgerError::Missing { .. }
        | LedgerError::NotReadable { .. }
        | LedgerError::NotWritable { .. } => 1,
    }
}

/// The configuration, or what is wrong with it.
fn configuration(path: &Path, screen: Screen) -> Result<Loaded, Outcome> {
    load(path, &Environment::of_process())
        .map_err(|problems| configuration_problems(&problems, screen))
}

fn configuration_problems(problems: &Problems, screen: Screen) -> Outcome {
    let pairs: Vec<_> = problems
        .0
        .iter()
        .map(|it| (it.to_string(), it.help.clone()))
        .collect();
    let rendered = errors_text(&pairs, CONFIGURATION, screen.err);
    Outcome {
        out: String::new(),
        err: rendered.text,
        exit: rendered.exit,
    }
}

fn error_line(text: &str, help: Option<&str>, exit: u8, screen: Screen) -> Outcome {
    let rendered = errors_text(
        &[(text.to_owned(), help.map(str::to_owned))],
        exit,
        screen.err,
    );
    Outcome {
        out: String::new(),
        err: rendered.text,
        exit,
    }
}

fn warning_lines(warnings: &[(String, Option<String>)], screen: Screen) -> String {
    if warnings.is_empty() {
        String::new()
    } else {
        warnings_text(warnings, screen.err).text
    }
}

fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "sso-certd", &mut out);
    Outcome {
        out: String::from_utf8(out).unwrap_or_default(),
        err: String::new(),
        exit: 0,
    }
}
