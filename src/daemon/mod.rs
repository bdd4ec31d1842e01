//! The wiring: one worker an account, triggers, passes, the snapshot, shutdown.
//!
//! [`run`] is the daemon. Every long-lived task is in one of two sets: the [`generation`]'s, which a reload replaces, and
//! the services', which outlive it. The first task that ends brings the daemon down, in order; the service manager starts
//! it anew.

pub mod board;
pub mod calls;
mod calm;
pub mod course;
pub mod decisions;
pub mod desk;
mod explain;
pub mod generation;
pub mod halt;
pub mod inbox;
pub mod link;
pub mod opening;
mod outcome;
pub mod pass;
mod probe;
mod publish;
pub mod pulse;
pub mod quiet;
pub mod rehearsal;
pub mod rounds;
mod saved_waits;
mod services;
pub mod shared;
pub mod source;
mod survey;
mod syncing;
mod tell;
pub mod teller;
pub mod watch;
pub mod web;
pub mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::adapter::clock::Clock;
use crate::adapter::control_socket;
use crate::adapter::http::{ListenError, Listener};
use crate::adapter::ledger::{Ledger, LedgerError};
use crate::adapter::log::Log;
use crate::adapter::metrics::Metrics;
use crate::adapter::systemd;
use crate::adapter::users::RunsAs;
use crate::config::{Access, Environment, Loaded, Problem, Settings, access, load};
use crate::daemon::board::Board;
use crate::daemon::calm::Calm;
use crate::daemon::generation::{Generation, Life};
use crate::daemon::inbox::Trigger;
use crate::daemon::opening::{carry_over, opening};
use crate::daemon::pulse::Pulses;
use crate::daemon::services::{Door, Services, Signals, stop_signal};
use crate::daemon::shared::{LedgerHandle, Renderer, Shared};
use crate::daemon::source::Told;
use crate::domain::Reason;
use crate::domain::text::count;
use crate::intake::read_known;
use crate::view::snapshot::Snapshot;

/// How long a stopping daemon waits for the requests in flight; the service manager waits longer.
const LAST_REQUESTS: Duration = Duration::from_secs(20);

/// How often it is checked that every task lives.
const CHECK: Duration = Duration::from_millis(500);

/// Why the daemon ended, or did not start.
#[derive(Debug, Error)]
pub enum RunError {
    /// The ledger is of no use.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The address or the socket cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// This process cannot be set up.
    #[error("the process cannot be set up: {0}")]
    Setup(String),
    /// A task ended that should not.
    #[error("{0} ended; the daemon stops with it")]
    TaskEnded(String),
}

/// What the daemon starts with.
pub struct Start {
    /// The main configuration file.
    pub path: PathBuf,
    /// The environment.
    pub environment: Environment,
    /// The configuration, as it was read from there.
    pub loaded: Loaded,
    /// The log.
    pub log: Log,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// Why it could not start, or which task ended.
pub async fn run(start: Start) -> Result<(), RunError> {
    let Start {
        path,
        environment,
        loaded,
        log,
    } = start;
    let settings = Arc::new(loaded.settings);
    let mut signals = Signals::listen()?;
    let shared = share(&settings)?;
    let door = Door::at(settings.http.listen).await?;
    let socket = Listener::unix(&control_socket::path(&settings.state_directory))?;
    let pulses = Pulses::default();
    let mut generation = Generation::start(
        Arc::clone(&settings),
        &shared,
        &pulses,
        Life::Daemon,
        BTreeMap::new(),
    )
    .await?;
    let mut services = Services::start(&shared, &pulses, generation.ways_in().clone(), socket);
    services.show(door, &shared, &pulses);
    let mut daemon = Daemon {
        path,
        environment,
        log,
        shared,
        pulses,
        services,
        check: check(),
        overdue: Vec::new(),
    };
    let end = daemon.live(&mut signals, &mut generation).await;
    systemd::stopping();
    generation.end(LAST_REQUESTS).await;
    daemon.services.stop().await;
    match end {
        End::Signal(name) => {
            tracing::info!("Stopped by {name}");
            Ok(())
        }
        End::Task(task) => Err(RunError::TaskEnded(task)),
    }
}

fn check() -> Interval {
    let mut check = interval(CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    check
}

/// Opens what every task shares.
fn share(settings: &Settings) -> Result<Shared, RunError> {
    let clock = Clock::new();
    let metrics = Arc::new(Metrics::new().map_err(|it| RunError::Setup(it.to_string()))?);
    metrics.expect_refusals(Reason::ALL.iter().map(|it| it.code()));
    let ledger = Ledger::open(&settings.state_directory, read_known)?;
    let board = Board::new(
        opening(settings, Some(&ledger), &clock.now(), true)?,
        clock.clone(),
    );
    let ledger = LedgerHandle::new(Some(ledger), Arc::clone(&metrics), board.clone());
    Ok(Shared {
        clock,
        metrics,
        board,
        ledger,
        refusals: Told::default(),
        renderer: Renderer::default(),
    })
}

fn tell_start(settings: &Settings, address: Option<std::net::SocketAddr>) {
    let metrics = address.map_or_else(|| "no metrics".to_owned(), |it| format!("metrics on {it}"));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        "Started: {}, {metrics}",
        extent(settings)
    );
}

/// `3 integrations, 1 account`
fn extent(settings: &Settings) -> String {
    let integrations = count(settings.integrations.len(), "integration", "integrations");
    let accounts = count(settings.accounts.len(), "account", "accounts");
    format!("{integrations}, {accounts}")
}

struct Daemon {
    path: PathBuf,
    environment: Environment,
    log: Log,
    shared: Shared,
    pulses: Pulses,
    services: Services,
    check: Interval,
    overdue: Vec<String>,
}

enum End {
    Signal(&'static str),
    Task(String),
}

impl Daemon {
    async fn live(&mut self, signals: &mut Signals, generation: &mut Generation) -> End {
        let Signals {
            terminate,
            interrupt,
            hangup,
            user,
        } = signals;
        tokio::select! {
            () = generation.looked() => {}
            name = stop_signal(terminate, interrupt) => return End::Signal(name),
        }
        let (mut reloads, mut rounds) = (Calm::default(), Calm::default());
        self.services.is_ready.store(true, Ordering::Release);
        systemd::ready();
        tell_start(&generation.ways_in().settings, self.services.address);
        loop {
            tokio::select! {
                name = stop_signal(terminate, interrupt) => return End::Signal(name),
                Some(()) = hangup.recv() => reloads.ask(Instant::now()),
                () = reloads.due() => {
                    reloads.begin();
                    systemd::reloading();
                    let reloaded = tokio::select! {
                        reloaded = self.reload(generation) => reloaded,
                        name = stop_signal(terminate, interrupt) => return End::Signal(name),
                    };
                    if let Err(error) = reloaded {
                        return End::Task(format!("the reload ({error})"));
                    }
                    systemd::ready();
                }
                Some(()) = user.recv() => rounds.ask(Instant::now()),
                () = rounds.due() => {
                    rounds.begin();
                    generation.ways_in().wake_all(Trigger::Signal);
                }
                task = generation.first_end() => return End::Task(task),
                task = self.services.first_end() => return End::Task(task),
                _ = self.check.tick() => self.feed_watchdog(),
            }
        }
    }

    /// Tells the service manager that all tasks live, if they do.
    fn feed_watchdog(&mut self) {
        let overdue = self.pulses.overdue();
        if overdue != self.overdue {
            if !overdue.is_empty() {
                tracing::error!(
                    "No sign of life: {}; the watchdog is fed no more",
                    overdue.join(", ")
                );
            }
            self.overdue = overdue;
        }
        if self.overdue.is_empty() && systemd::watchdog().is_some() {
            systemd::alive();
        }
    }

    /// Takes a new configuration whole, or leaves everything as it is and says why.
    ///
    /// # Errors
    /// The old tasks have ended and the new ones cannot start: the daemon is of no use any more.
    async fn reload(&mut self, generation: &mut Generation) -> Result<(), LedgerError> {
        let now = self.shared.clock.now();
        let (settings, snapshot) = match self.prepare(generation).await {
            Ok(prepared) => prepared,
            Err(problems) => {
                for problem in problems {
                    tracing::error!("Not reloaded, the old configuration stays: {problem}");
                }
                self.shared.board.write(|it| it.reload.is_ok = false);
                return Ok(());
            }
        };
        let before = Arc::clone(&generation.ways_in().settings);
        generation.end(LAST_REQUESTS).await;
        systemd::alive();
        self.forget(&before, &settings);
        let old = self.shared.board.read();
        self.shared.board.write(|it| {
            *it = carry_over(&old, snapshot);
            it.reload.is_ok = true;
            it.reload.succeeded_at = now.wall;
        });
        let taken = extent(&settings);
        *generation = Generation::start(
            settings,
            &self.shared,
            &self.pulses,
            Life::Daemon,
            BTreeMap::new(),
        )
        .await?;
        self.services.redirect(generation.ways_in().clone());
        tracing::info!("Reloaded: {taken}");
        Ok(())
    }

    /// Drops the counters of what is no longer configured.
    fn forget(&self, before: &Settings, after: &Settings) {
        for (name, integration) in &before.integrations {
            if after
                .integrations
                .get(name)
                .is_none_or(|it| it.account != integration.account)
            {
                self.shared
                    .metrics
                    .drop_integration(name.as_str(), integration.account.as_str());
            }
        }
        for name in before
            .accounts
            .keys()
            .filter(|it| !after.accounts.contains_key(it))
        {
            self.shared.metrics.drop_account(name.as_str());
        }
    }

    /// Reads the new configuration and tries everything that can be tried before the old one ends.
    async fn prepare(
        &mut self,
        generation: &Generation,
    ) -> Result<(Arc<Settings>, Snapshot), Vec<String>> {
        let one = |error: &dyn std::fmt::Display| vec![error.to_string()];
        let loaded = load(&self.path, &self.environment).map_err(|problems| {
            problems
                .0
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        })?;
        let Access { problems, remarks } = access(&loaded.settings, &RunsAs::this_process());
        if !problems.is_empty() {
            return Err(problems.iter().map(Problem::with_help).collect());
        }
        for warning in loaded.warnings.iter().chain(&remarks) {
            tracing::warn!("{warning}");
        }
        let (old, new) = (&generation.ways_in().settings, Arc::new(loaded.settings));
        if new.state_directory != old.state_directory {
            return Err(one(
                &"`state_directory` changed; restart sso-certd for that",
            ));
        }
        let (fresh, now) = (Arc::clone(&new), self.shared.clock.now());
        let opened = self
            .shared
            .ledger
            .read(move |it| opening(&fresh, Some(it), &now, true))
            .await;
        let snapshot = opened.map_err(|it| one(&it))?;
        let moved_to = new.http.listen.filter(|it| Some(*it) != old.http.listen);
        let door = Door::at(moved_to).await.map_err(|it| one(&it))?;
        self.log.set_level(&new.log.level).map_err(|it| one(&it))?;
        if new.http.listen != old.http.listen {
            self.services.hide().await;
            self.services.show(door, &self.shared, &self.pulses);
        }
        Ok((new, snapshot))
    }
}
