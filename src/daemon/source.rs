//! One task a directory: it looks when a hint, the poll or a pass says so, tells what it saw, and wakes the workers whose
//! integrations the directory serves.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::adapter::certificate_directory::{CertificateDirectory, DirectorySettings};
use crate::adapter::clock::Clock;
use crate::adapter::metrics::Metrics;
use crate::adapter::watcher::{DirectoryIdentity, WatchError, WatchSettings};
use crate::daemon::board::Board;
use crate::daemon::inbox::Trigger;
use crate::daemon::pulse::Pulse;
use crate::daemon::shared::raised;
use crate::daemon::watch::{Signal, Watch};
use crate::domain::text::printable_path;
use crate::domain::{FileVerdict, IntegrationName, Look, Reason, Refusal, SourceError};

/// What a look came to.
pub type Sight = Result<Arc<Look>, SourceError>;

/// Wakes the worker of an integration.
pub type Wake = Box<dyn Fn(&IntegrationName, Trigger) + Send + Sync>;

/// A pass asks for a look; it is not woken by what it is told.
#[derive(Debug)]
pub struct LookRequest {
    /// Who asks.
    pub name: IntegrationName,
    /// Where the sight goes.
    pub reply: oneshot::Sender<Sight>,
}

/// The longest a look may take before a pass goes on without it; a hung network mount ends here.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest a pass is kept waiting for files that were written a moment ago.
const LONGEST_COURTESY: Duration = Duration::from_secs(1);

/// How long a task may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// How often a task speaks although nothing happens.
const BEAT: Duration = Duration::from_secs(10);

/// What a source task needs.
pub struct SourceTask {
    /// Which directory.
    pub settings: DirectorySettings,
    /// How it is watched.
    pub watching: WatchSettings,
    /// Whom it serves.
    pub integrations: BTreeSet<IntegrationName>,
    /// Wakes an integration's worker.
    pub wake: Wake,
    /// The watcher.
    pub watch: Watch,
    /// Where requests of passes come in.
    pub requests: mpsc::Receiver<LookRequest>,
    /// Where what was seen is written.
    pub board: Board,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The clocks.
    pub clock: Clock,
    /// Whether the task lives.
    pub pulse: Pulse,
    /// Becomes true when the task is to end.
    pub stop: watch::Receiver<bool>,
    /// Told once, after the first look.
    pub first_look: oneshot::Sender<()>,
}

/// Asks a source for a fresh look.
///
/// # Errors
/// The directory cannot be read, or its file system does not answer.
pub async fn ask_for_look(
    source: &mpsc::Sender<LookRequest>,
    name: &IntegrationName,
    path: &Path,
) -> Sight {
    let (reply, answer) = oneshot::channel();
    let unanswered = |why: &str| {
        Err(SourceError::Unreadable {
            path: printable_path(path),
            why: why.to_owned(),
        })
    };
    if source
        .send(LookRequest {
            name: name.clone(),
            reply,
        })
        .await
        .is_err()
    {
        return unanswered("nobody looks at it any more");
    }
    match timeout(LOOK_TIMEOUT, answer).await {
        Ok(Ok(sight)) => sight,
        Ok(Err(_)) => unanswered("nobody looks at it any more"),
        Err(_) => unanswered("its file system does not answer"),
    }
}

/// Why a task looks.
enum Cause {
    Hint,
    Poll,
    Again,
    Request(LookRequest),
    Stop,
}

/// What a task knows between two looks.
struct State {
    directory: Option<CertificateDirectory>,
    sight: Option<Sight>,
    armed: Option<DirectoryIdentity>,
    is_watched: bool,
    told: Option<WatchError>,
    refusals: BTreeSet<(String, Reason, String)>,
    signal: Arc<Signal>,
}

impl SourceTask {
    /// Runs until it is told to stop.
    pub async fn run(mut self) {
        let signal = self.watch.route(&self.settings.directory);
        let mut state = State {
            directory: None,
            sight: None,
            armed: None,
            is_watched: false,
            told: None,
            refusals: BTreeSet::new(),
            signal,
        };
        self.look(&mut state, None, None).await;
        let (done, _) = oneshot::channel();
        let first_look = std::mem::replace(&mut self.first_look, done);
        if first_look.send(()).is_err() {
            return;
        }
        let mut next_poll = self.watching.poll.map(|it| Instant::now() + it);
        loop {
            match self.wait(&state, next_poll).await {
                Cause::Stop => return,
                Cause::Hint | Cause::Again => {
                    self.look(&mut state, Some(Trigger::Change), None).await;
                }
                Cause::Request(request) => {
                    self.look_for_pass(&mut state, &request.name).await;
                    let sight = state.sight.clone().unwrap_or_else(|| Ok(Arc::default()));
                    if request.reply.send(sight).is_err() {
                        tracing::debug!("The pass that asked for a look is gone");
                    }
                }
                Cause::Poll => {
                    self.look(&mut state, Some(Trigger::Poll), None).await;
                    next_poll = self.watching.poll.map(|it| Instant::now() + it);
                }
            }
        }
    }

    /// Waits for a reason to look. After a hint it waits on until nothing has happened for `quiet`, or the poll is due.
    async fn wait(&mut self, state: &State, next_poll: Option<Instant>) -> Cause {
        let again = self.look_again(state);
        let mut quiet_at: Option<Instant> = None;
        loop {
            self.pulse.beat(SILENCE);
            let alarm = [next_poll, again, quiet_at].into_iter().flatten().min();
            let beat = Instant::now() + BEAT;
            tokio::select! {
                biased;
                () = raised(&self.stop) => return Cause::Stop,
                request = self.requests.recv() => return request.map_or(Cause::Stop, Cause::Request),
                () = state.signal.hinted.notified() => quiet_at = Some(Instant::now() + self.settings.quiet),
                () = sleep_until(alarm.unwrap_or(beat).min(beat)) => {
                    let is_over = |it: Option<Instant>| it.is_some_and(|it| it <= Instant::now());
                    if is_over(quiet_at) {
                        return Cause::Hint;
                    }
                    if is_over(next_poll) {
                        return Cause::Poll;
                    }
                    if is_over(again) {
                        return Cause::Again;
                    }
                }
            }
        }
    }

    /// When a file that was written a moment ago will have been quiet for long enough.
    fn look_again(&self, state: &State) -> Option<Instant> {
        let look = state.sight.as_ref()?.as_ref().ok()?;
        let left = look.again_at()?.since(self.clock.now().wall);
        Some(Instant::now() + left + Duration::from_millis(2))
    }

    /// Looks for a pass. Files that were written a moment ago get the time to become quiet: without them the pass would
    /// find too little, and tell of it.
    async fn look_for_pass(&mut self, state: &mut State, asker: &IntegrationName) {
        let patience = Instant::now() + LONGEST_COURTESY;
        loop {
            self.look(state, Some(Trigger::Change), Some(asker)).await;
            let Some(again) = self.look_again(state).filter(|it| *it <= patience) else {
                return;
            };
            tokio::select! {
                () = raised(&self.stop) => return,
                () = sleep_until(again) => {}
            }
        }
    }

    /// Looks, writes down what was seen, and wakes whom it concerns. Arming comes before looking, so that a change in
    /// between is found by the look.
    async fn look(
        &mut self,
        state: &mut State,
        trigger: Option<Trigger>,
        asker: Option<&IntegrationName>,
    ) {
        let stood = state.is_watched && !state.signal.lost.load(Ordering::Acquire);
        let was_armed_on = state.armed;
        self.arm(state);
        let started = Instant::now();
        let sight = self.see(state).await;
        self.metrics.looked(started.elapsed());
        self.pulse.beat(SILENCE);
        let is_changed = state
            .sight
            .as_ref()
            .is_none_or(|before| differs(before, &sight));
        if trigger == Some(Trigger::Poll) && is_changed && stood && was_armed_on == state.armed {
            self.metrics.change_missed();
            state.signal.lost.store(true, Ordering::Release);
        }
        self.tell_refusals(state, &sight);
        self.tell_outage(state, &sight);
        let now = self.clock.now().wall;
        let is_down = sight.is_err();
        self.board.write(|snapshot| {
            for name in &self.integrations {
                let Some(integration) = snapshot.integrations.get_mut(name) else {
                    continue;
                };
                let source = &mut integration.source;
                source.look = Some(sight.clone());
                source.looked_at = Some(now);
                source.is_watched = state.is_watched;
                source.down_since = is_down.then(|| source.down_since.unwrap_or(now));
            }
        });
        state.sight = Some(sight);
        let Some(trigger) = trigger.filter(|_| is_changed) else {
            return;
        };
        for name in self.integrations.iter().filter(|it| Some(*it) != asker) {
            (self.wake)(name, trigger);
        }
    }

    /// Arms the watch if none stands, or if the path leads elsewhere by now.
    fn arm(&self, state: &mut State) {
        if !self.watching.events {
            return;
        }
        let identity = DirectoryIdentity::of(&self.settings.directory);
        let is_lost = state.signal.lost.swap(false, Ordering::AcqRel);
        if identity.is_some() && identity == state.armed && state.is_watched && !is_lost {
            return;
        }
        state.armed = identity;
        let result = if identity.is_some() {
            self.watch.arm(&self.settings.directory)
        } else {
            Err(WatchError::Refused)
        };
        state.is_watched = result.is_ok();
        let told = result.err();
        if told != state.told {
            if let Some(error @ (WatchError::Limit | WatchError::Unsupported(_))) = &told {
                let path = printable_path(&self.settings.directory);
                tracing::warn!(path, "Polled only: {path}: {error}");
            }
            state.told = told;
        }
    }

    /// One look, on a thread that may block.
    async fn see(&self, state: &mut State) -> Sight {
        let path = || printable_path(&self.settings.directory);
        let directory = match state.directory.take() {
            Some(directory) => directory,
            None => match CertificateDirectory::new(self.settings.clone()) {
                Ok(directory) => directory,
                Err(error) => {
                    return Err(SourceError::Unreadable {
                        path: path(),
                        why: error.to_string(),
                    });
                }
            },
        };
        let now = self.clock.now();
        let looked = tokio::task::spawn_blocking(move || {
            let mut directory = directory;
            let look = directory.look(&now);
            (directory, look)
        });
        match looked.await {
            Ok((directory, look)) => {
                state.directory = Some(directory);
                look.map(Arc::new)
            }
            Err(_) => Err(SourceError::Unreadable {
                path: path(),
                why: "the look itself stopped".to_owned(),
            }),
        }
    }

    /// Logs each refusal once, until it goes away.
    fn tell_refusals(&self, state: &mut State, sight: &Sight) {
        let Ok(look) = sight else { return };
        let mut current = BTreeSet::new();
        for (file, refusal) in look.refusals() {
            let path = printable_path(&file.path);
            let key = (path.clone(), refusal.reason, refusal.found.clone());
            if !state.refusals.contains(&key) {
                self.metrics.refused(refusal.reason.code());
                tell_refusal(&path, refusal);
            }
            current.insert(key);
        }
        state.refusals = current;
    }

    fn tell_outage(&self, state: &State, sight: &Sight) {
        let was_down = matches!(state.sight, Some(Err(_)));
        let names: Vec<&str> = self
            .integrations
            .iter()
            .map(IntegrationName::as_str)
            .collect();
        match sight {
            Err(error) if !was_down => {
                tracing::warn!(
                    integrations = names.join(","),
                    "Nothing new is seen: {error}"
                );
            }
            Ok(_) if was_down => {
                let path = printable_path(&self.settings.directory);
                tracing::info!(path, "Readable again: {path}");
            }
            _ => {}
        }
    }
}

fn tell_refusal(path: &str, refusal: &Refusal) {
    let (reason, found) = (refusal.reason, &refusal.found);
    if reason == Reason::PrivateKey || reason == Reason::Internal {
        tracing::error!(path, %reason, "Refused: {path}: {found}");
    } else {
        tracing::warn!(path, %reason, "Refused: {path}: {found}");
    }
}

/// Whether two sights differ in anything that a plan could care about. A file that still waits is nothing yet.
fn differs(before: &Sight, after: &Sight) -> bool {
    match (before, after) {
        (Ok(before), Ok(after)) => {
            let settled = |look: &Look| {
                let is_settled = |it: &&crate::domain::LookedFile| {
                    !matches!(it.verdict, FileVerdict::Waiting { .. })
                };
                look.files
                    .iter()
                    .filter(is_settled)
                    .cloned()
                    .collect::<Vec<_>>()
            };
            settled(before) != settled(after) || before.surplus != after.surplus
        }
        (Err(before), Err(after)) => before != after,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tokio::task::JoinSet;

    use super::*;
    use crate::daemon::pulse::Pulses;
    use crate::view::testing::snapshot;

    struct Source {
        task: SourceTask,
        requests: mpsc::Sender<LookRequest>,
        looked: oneshot::Receiver<()>,
        stop: watch::Sender<bool>,
    }

    fn source(directory: PathBuf, quiet: Duration) -> Source {
        let (requests, inbox) = mpsc::channel(1);
        let (first_look, looked) = oneshot::channel();
        let (stop, stopped) = watch::channel(false);
        let metrics = Arc::new(Metrics::new().unwrap());
        let clock = Clock::new();
        let task = SourceTask {
            settings: DirectorySettings {
                directory,
                files: vec!["*.pem".to_owned()],
                strict_permissions: false,
                allowed_owners: Vec::new(),
                allowed_groups: Vec::new(),
                quiet,
            },
            watching: WatchSettings {
                events: false,
                quiet,
                poll: None,
            },
            integrations: BTreeSet::from([name()]),
            wake: Box::new(|_, _| {}),
            watch: Watch::new(Arc::clone(&metrics)),
            requests: inbox,
            board: Board::new(snapshot(Vec::new()), clock.clone()),
            metrics,
            clock,
            pulse: Pulses::default().add("source", SILENCE),
            stop: stopped,
            first_look,
        };
        Source {
            task,
            requests,
            looked,
            stop,
        }
    }

    fn name() -> IntegrationName {
        IntegrationName::parse("okta").unwrap()
    }

    /// Whether a pass that asks now is told that the file just written is still waiting.
    async fn still_waits(quiet: Duration) -> bool {
        let directory = tempfile::tempdir().unwrap();
        let certificate = rcgen::generate_simple_self_signed(["okta".to_owned()]).unwrap();
        std::fs::write(directory.path().join("a.pem"), certificate.cert.pem()).unwrap();
        let source = source(directory.path().to_owned(), quiet);
        let mut tasks = JoinSet::new();
        tasks.spawn(source.task.run());
        source.looked.await.unwrap();
        let sight = ask_for_look(&source.requests, &name(), directory.path()).await;
        source.stop.send_replace(true);
        tasks.join_next().await.unwrap().unwrap();
        sight.unwrap().again_at().is_some()
    }

    #[tokio::test]
    async fn a_pass_gets_a_file_that_was_written_a_moment_ago() {
        assert!(!still_waits(Duration::from_millis(200)).await);
    }

    #[tokio::test]
    async fn a_pass_does_not_wait_long_for_a_file() {
        assert!(still_waits(Duration::from_secs(3600)).await);
    }
}
