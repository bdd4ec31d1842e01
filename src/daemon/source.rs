//! One task a directory: it looks when a hint, the poll or a pass says so, tells what it saw, and wakes the workers whose
//! integrations the directory serves.

mod compare;
mod eye;
mod told;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::adapter::certificate_directory::DirectorySettings;
use crate::adapter::clock::Clock;
use crate::adapter::metrics::Metrics;
use crate::adapter::watcher::{WatchError, WatchSettings};
use crate::daemon::board::Board;
use crate::daemon::inbox::Trigger;
use crate::daemon::pulse::Pulse;
use crate::daemon::shared::raised;
use crate::daemon::source::compare::{Known, has_other_versions};
use crate::daemon::source::eye::{Eye, Glance, unreadable};
use crate::daemon::watch::{Route, Stand, Watch};
use crate::domain::text::printable_path;
use crate::domain::{IntegrationName, Look, Reason, Refusal, SourceError};
use crate::plan::admission::Admission;
use crate::plan::paths::relocated;

pub use told::Told;

/// What a look came to.
pub type Sight = Result<Arc<Look>, SourceError>;

/// Wakes the worker of an integration.
pub type Wake = Box<dyn Fn(&IntegrationName, Trigger) + Send + Sync>;

/// A pass or a command asks for a look. A pass is not woken by what it is told.
#[derive(Debug)]
pub struct LookRequest {
    /// Whose pass asks; none if nobody acts on the answer.
    pub pass: Option<IntegrationName>,
    /// Where the sight goes.
    pub reply: oneshot::Sender<Sight>,
}

/// How long a pass waits for the answer: longer than a look needs to be taken for hung.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How soon to look again where nothing could be seen; a step of a swap by hand may have been seen alone.
const RETRY: Duration = Duration::from_secs(1);

/// How late the hint of a change may come that the poll has found first.
const LATE_HINT: Duration = Duration::from_millis(500);

/// Past the instant at which a file counts, so that it does: both clocks are read in milliseconds.
pub(super) const A_MOMENT: Duration = Duration::from_millis(2);

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
    /// Which refusals were told.
    pub refusals: Told,
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
/// The directory cannot be read, its file system does not answer, or the look takes too long to wait for.
pub async fn ask_for_look(
    source: &mpsc::Sender<LookRequest>,
    pass: Option<&IntegrationName>,
    path: &Path,
) -> Sight {
    let (reply, answer) = oneshot::channel();
    let unanswered = |why: &str| Err(unreadable(path, why));
    let request = LookRequest {
        pass: pass.cloned(),
        reply,
    };
    let asked = async {
        source.send(request).await.ok()?;
        answer.await.ok()
    };
    match timeout(ANSWER_TIMEOUT, asked).await {
        Ok(Some(sight)) => sight,
        Ok(None) => unanswered("nobody looks at it any more"),
        Err(_) => unanswered("a look at it takes longer than 30 s"),
    }
}

/// Why a task looks.
enum Cause {
    Hint,
    Poll,
    /// A file has waited for long enough, or nothing could be seen the last time.
    Again,
    Request(LookRequest),
    Stop,
}

/// What a task knows between two looks.
struct State {
    eye: Eye,
    sight: Option<Sight>,
    known: Known,
    is_watched: bool,
    told: Option<WatchError>,
    /// What found the change that a file may still wait for.
    found_by: Trigger,
    /// Until when the hint of a change may come that the poll has found.
    unannounced: Option<Instant>,
}

impl SourceTask {
    /// Runs until it is told to stop.
    pub async fn run(mut self) {
        let route = self.watch.route(&self.settings.directory);
        let mut state = State {
            eye: Eye::new(
                self.settings.clone(),
                self.watching.events.then(|| self.watch.clone()),
                route.clone(),
                self.clock.clone(),
            ),
            sight: None,
            known: Known::default(),
            is_watched: false,
            told: None,
            found_by: Trigger::Change,
            unannounced: None,
        };
        self.look(&mut state, None, None).await;
        let (done, _) = oneshot::channel();
        let first_look = std::mem::replace(&mut self.first_look, done);
        if first_look.send(()).is_err() {
            tracing::debug!("Nobody waited for this first look any longer");
        }
        let mut next_poll = self.watching.poll.map(|it| Instant::now() + it);
        loop {
            match self.wait(&mut state, &route, next_poll).await {
                Cause::Stop => return,
                Cause::Hint => {
                    self.look(&mut state, Some(Trigger::Change), None).await;
                }
                Cause::Again => {
                    let found_by = state.found_by;
                    self.look(&mut state, Some(found_by), None).await;
                }
                Cause::Request(request) => {
                    let pass = request.pass.as_ref();
                    self.look(&mut state, Some(Trigger::Change), pass).await;
                    let sight = state.sight.clone().unwrap_or_else(|| Ok(Arc::default()));
                    if let (Err(_), Some(name)) = (request.reply.send(sight), request.pass) {
                        // The pass went on without it; what was seen concerns it all the same.
                        (self.wake)(&name, Trigger::Change);
                    }
                }
                Cause::Poll => {
                    self.look(&mut state, Some(Trigger::Poll), None).await;
                    next_poll = self.watching.poll.map(|it| Instant::now() + it);
                }
            }
        }
    }

    /// Waits for a reason to look. After a hint that is that `quiet` has passed: later hints put the look off no further, or
    /// a file that grows would hide a finished one. What is still too young then is looked at again when it is not.
    async fn wait(
        &mut self,
        state: &mut State,
        route: &Route,
        next_poll: Option<Instant>,
    ) -> Cause {
        let again = self.again(state);
        let mut quiet: Option<Instant> = None;
        loop {
            self.pulse.beat(SILENCE);
            let alarms = match quiet {
                Some(quiet_at) => [Some(quiet_at), None, None],
                None => [next_poll, again, state.unannounced],
            };
            let beat = Instant::now() + BEAT;
            let alarm = alarms.into_iter().flatten().min().unwrap_or(beat);
            tokio::select! {
                biased;
                () = raised(&self.stop) => return Cause::Stop,
                request = self.requests.recv() => return request.map_or(Cause::Stop, Cause::Request),
                () = route.hinted() => {
                    quiet.get_or_insert_with(|| Instant::now() + self.settings.quiet + A_MOMENT);
                    state.unannounced = None;
                }
                () = sleep_until(alarm.min(beat)) => {
                    let is_over = |it: Option<Instant>| it.is_some_and(|it| it <= Instant::now());
                    if quiet.is_some() {
                        if is_over(Some(alarm)) {
                            return Cause::Hint;
                        }
                    } else if is_over(state.unannounced) {
                        state.unannounced = None;
                        self.metrics.change_missed();
                        self.watch.distrust(route);
                    } else if is_over(next_poll) {
                        return Cause::Poll;
                    } else if is_over(again) {
                        return Cause::Again;
                    }
                }
            }
        }
    }

    /// When to look again without any hint.
    fn again(&self, state: &State) -> Option<Instant> {
        match state.sight.as_ref()? {
            Ok(look) => {
                let left = look.again_at()?.since(self.clock.now().wall);
                Some(Instant::now() + left + A_MOMENT)
            }
            Err(_) => self.watching.events.then(|| Instant::now() + RETRY),
        }
    }

    /// Looks, writes down what was seen, and wakes whom it concerns.
    async fn look(
        &mut self,
        state: &mut State,
        trigger: Option<Trigger>,
        pass: Option<&IntegrationName>,
    ) {
        let started = Instant::now();
        let Glance { stand, sight, way } = tokio::select! {
            glance = state.eye.look(|| self.pulse.beat(SILENCE)) => glance,
            () = raised(&self.stop) => return,
        };
        self.metrics.looked(started.elapsed());
        self.pulse.beat(SILENCE);
        if let Some((trigger, before)) = trigger.zip(state.sight.as_ref())
            && has_other_versions(before, &sight)
        {
            state.found_by = trigger;
            if trigger == Trigger::Poll && stand == Some(Ok(Stand::Before)) {
                state.unannounced = Some(Instant::now() + LATE_HINT);
            }
        }
        self.tell_watch(state, stand);
        if let Some(way) = &way {
            self.tell_way(way.as_ref().err());
        }
        self.tell_refusals(&sight);
        self.tell_outage(state, &sight);
        let now = self.clock.now().wall;
        let is_down = sight.is_err();
        self.board.write(|snapshot| {
            for name in &self.integrations {
                let Some(integration) = snapshot.integrations.get_mut(name) else {
                    continue;
                };
                let source = &mut integration.source;
                source.take(sight.clone());
                source.looked_at = Some(now);
                source.is_watched = state.is_watched;
                source.down_since = is_down.then(|| source.down_since.unwrap_or(now));
                if let (Some(plan), Some(Ok(look))) = (&integration.plan, &source.look)
                    && let Some(plan) = relocated(plan, look)
                {
                    integration.plan = Some(Arc::new(plan));
                }
            }
        });
        let concerned = state.known.take_in(&self.integrations, &sight, pass);
        state.sight = Some(sight);
        if let Some(trigger) = trigger {
            for name in &concerned {
                (self.wake)(name, trigger);
            }
        }
    }

    /// Writes down whether events come, and says it if they do not for a reason that a person can do something about.
    fn tell_watch(&self, state: &mut State, stand: Option<Result<Stand, WatchError>>) {
        state.is_watched = matches!(stand, Some(Ok(_)));
        let Some(Err(
            error @ (WatchError::Limit | WatchError::TooManyFiles | WatchError::Unsupported(_)),
        )) = stand
        else {
            if state.is_watched && state.told.take().is_some() {
                let path = printable_path(&self.settings.directory);
                tracing::info!(path, "Watched by events again: {path}");
            }
            return;
        };
        if state.told.as_ref() != Some(&error) {
            let path = printable_path(&self.settings.directory);
            let how = if self.watching.poll.is_some() {
                "Polled only"
            } else {
                "Neither watched nor polled, so set `watch.poll`"
            };
            tracing::warn!(path, "{how}: {path}: {error}");
            state.told = Some(error);
        }
    }

    /// Logs each refusal once for each content.
    fn tell_refusals(&self, sight: &Sight) {
        let Ok(scan) = sight else { return };
        let snapshot = self.board.read();
        let served = self.integrations.iter();
        let served = served.filter_map(|it| snapshot.integrations.get(it));
        let admission = Admission::any(served.map(|it| &it.source.admission));
        let look = admission.apply(scan);
        for (file, refusal) in self.refusals.news(&self.settings, &look) {
            self.metrics.refused(refusal.reason.code());
            tell_refusal(&printable_path(&file.path), refusal);
        }
    }

    /// Says what the permissions on the way to the directory make of its files, whether or not there are any.
    fn tell_way(&self, way: Option<&Refusal>) {
        let is_news = self.refusals.is_news(&self.settings, way);
        if let Some(refusal) = way.filter(|_| is_news) {
            let help = refusal.help.join("; ");
            tracing::warn!(help, "{}: {refusal}", self.served());
        }
    }

    /// The names of the integrations it serves.
    fn served(&self) -> String {
        let names = self.integrations.iter().map(IntegrationName::as_str);
        names.collect::<Vec<_>>().join(",")
    }

    fn tell_outage(&self, state: &State, sight: &Sight) {
        let was_down = matches!(state.sight, Some(Err(_)));
        match sight {
            Err(error) if !was_down => {
                let integrations = self.served();
                tracing::warn!(integrations, "Nothing new is seen: {error}");
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
