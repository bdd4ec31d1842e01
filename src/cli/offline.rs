//! A command without a daemon: the same desk, on tasks that live as long as the question.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{Gid, Uid};

use super::{
    Outcome, PERMISSION, Screen, configuration_problems, error_line, ledger_exit, runtime,
    shut_memory,
};
use crate::adapter::clock::Clock;
use crate::adapter::control_socket::{AboutCertificate, Answer, Question, Verb};
use crate::adapter::http::Peer;
use crate::adapter::ledger::{Ledger, LedgerError};
use crate::adapter::metrics::Metrics;
use crate::adapter::sendgrid::{ApiKey, KeyReader};
use crate::adapter::system_error::word;
use crate::adapter::users::RunsAs;
use crate::config::{Problems, Settings, access};
use crate::daemon::board::Board;
use crate::daemon::desk;
use crate::daemon::generation::{Generation, Life};
use crate::daemon::opening::{opening, with_files};
use crate::daemon::pulse::Pulses;
use crate::daemon::shared::{LedgerHandle, Renderer, Shared};
use crate::daemon::source::Told;
use crate::domain::AccountName;
use crate::intake::read_known;

/// How long the tasks of a command may take to end.
const END: Duration = Duration::from_secs(1);

/// A command that works by itself.
pub(super) struct Alone {
    keys: BTreeMap<AccountName, ApiKey>,
    /// Who typed it.
    peer: Peer,
}

impl Alone {
    /// Reads what only this user may, such as a key file of mode 600; then root becomes the owner of the state directory.
    ///
    /// # Errors
    /// Somebody else could have written what the question is to be answered by, or root cannot.
    pub(super) fn begin(settings: &Settings, verb: &Verb, screen: Screen) -> Result<Self, Outcome> {
        if needs_trust(verb) {
            let daemon = RunsAs::owner_of(&settings.state_directory);
            let problems = access(settings, &daemon).problems;
            if !problems.is_empty() {
                return Err(configuration_problems(&Problems(problems), screen));
            }
        }
        let alone = Self {
            keys: read_keys(settings),
            peer: Peer {
                uid: rustix::process::getuid().as_raw(),
            },
        };
        become_owner(settings).map_err(|why| error_line(&why, None, PERMISSION, screen))?;
        Ok(alone)
    }

    /// Answers a question with nobody's help.
    pub(super) fn answer(
        &self,
        settings: &Arc<Settings>,
        question: &Question,
        screen: Screen,
    ) -> Result<Answer, Outcome> {
        let no_ledger = |error: LedgerError| {
            let is_missing = matches!(error, LedgerError::Missing { .. });
            let help = is_missing.then_some("systemctl start sso-certd");
            error_line(&error.to_string(), help, ledger_exit(&error), screen)
        };
        let ledger = open(settings, question).map_err(no_ledger)?;
        let runtime = runtime().map_err(|it| error_line(&word(&it), None, 1, screen))?;
        let answered = runtime.block_on(self.work(Arc::clone(settings), ledger, question));
        runtime.shutdown_timeout(END);
        answered.map_err(|it| error_line(&it.to_string(), None, ledger_exit(&it), screen))
    }

    async fn work(
        &self,
        settings: Arc<Settings>,
        ledger: Option<Ledger>,
        question: &Question,
    ) -> Result<Answer, LedgerError> {
        let clock = Clock::new();
        let metrics = Arc::new(Metrics::new().map_err(|_| LedgerError::Missing {
            directory: settings.state_directory.clone(),
        })?);
        let snapshot = opening(&settings, ledger.as_ref(), &clock.now(), false)?;
        let board = Board::new(snapshot, clock.clone());
        let ledger = LedgerHandle::new(ledger, Arc::clone(&metrics), board.clone());
        let shared = Shared {
            clock,
            metrics,
            board,
            ledger,
            refusals: Told::default(),
            renderer: Renderer::default(),
        };
        let pulses = Pulses::default();
        let mut generation = Generation::start(
            Arc::clone(&settings),
            &shared,
            &pulses,
            Life::Command,
            self.keys.clone(),
        )
        .await?;
        if matches!(question.verb, Verb::Status { .. }) {
            generation.looked().await;
            with_files(&settings, &shared).await?;
        }
        let answer = desk::answer(generation.ways_in(), &shared, question, Some(self.peer)).await;
        generation.end(END).await;
        Ok(answer)
    }
}

/// Whether a question is answered with the API key or by writing to the ledger.
const fn needs_trust(verb: &Verb) -> bool {
    match verb {
        Verb::Plan { .. }
        | Verb::Sync { .. }
        | Verb::Integrations { .. }
        | Verb::Probe
        | Verb::Decide(_)
        | Verb::Pause { .. } => true,
        Verb::Status { .. } | Verb::History { .. } | Verb::Explain { .. } | Verb::ReloadRefused => {
            false
        }
    }
}

/// `sync` and decisions write, and so keep others out; everything else reads and leaves no trace.
fn open(settings: &Settings, question: &Question) -> Result<Option<Ledger>, LedgerError> {
    let directory = &settings.state_directory;
    let writes = match &question.verb {
        Verb::Sync { .. } => true,
        Verb::Decide(AboutCertificate { word, .. }) | Verb::Pause { word, .. } => word.is_confirmed,
        _ => false,
    };
    if writes {
        return Ledger::open(directory, read_known).map(Some);
    }
    match Ledger::open_reading(directory, read_known) {
        Ok(ledger) => Ok(Some(ledger)),
        Err(error @ LedgerError::Missing { .. })
            if matches!(question.verb, Verb::Status { .. }) =>
        {
            Err(error)
        }
        Err(LedgerError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_keys(settings: &Settings) -> BTreeMap<AccountName, ApiKey> {
    let read = |(name, account): (&AccountName, &crate::config::AccountSettings)| {
        let found = KeyReader::new(name.clone(), account.key.clone())
            .read()
            .ok()?;
        Some((name.clone(), found.key))
    };
    settings.accounts.iter().filter_map(read).collect()
}

/// Root becomes the owner of the state directory, so that no file of root's is left there, and sees what the daemon sees.
pub(super) fn become_owner(settings: &Settings) -> Result<(), String> {
    use nix::unistd::{User, initgroups, setgid, setgroups, setuid};
    let Some((uid, gid)) = owner_for_root(&settings.state_directory) else {
        return Ok(());
    };
    let failed = |_| format!("root cannot become the owner (uid {uid}) of the state directory");
    let name = User::from_uid(uid)
        .ok()
        .flatten()
        .and_then(|it| std::ffi::CString::new(it.name).ok());
    match name {
        Some(name) => initgroups(&name, gid).map_err(failed)?,
        None => setgroups(&[gid]).map_err(failed)?,
    }
    setgid(gid).map_err(failed)?;
    setuid(uid).map_err(failed)?;
    shut_memory(); // another user is another start to the kernel
    Ok(())
}

/// Whose the state directory is, if this is root and it is somebody else's.
pub(super) fn owner_for_root(state_directory: &Path) -> Option<(Uid, Gid)> {
    let is_root = rustix::process::geteuid().is_root();
    let metadata = std::fs::metadata(state_directory).ok()?;
    let (uid, gid) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
    (is_root && !uid.is_root()).then_some((uid, gid))
}
