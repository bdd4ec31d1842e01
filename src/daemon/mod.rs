//! The wiring: one worker an account, triggers, passes, the snapshot, shutdown.
//!
//! [`run`] is the daemon. Every long-lived task is in one of two sets: the [`generation`]'s, which a reload replaces, and
//! the services', which outlive it. The first task that ends brings the daemon down, in order; the service manager starts
//! it anew.

pub mod board;
pub mod desk;
pub mod generation;
pub mod inbox;
pub mod link;
pub mod opening;
pub mod pass;
pub mod pulse;
pub mod quiet;
pub mod rounds;
pub mod shared;
pub mod source;
mod tell;
pub mod teller;
pub mod watch;
pub mod web;
pub mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch as flag;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::adapter::clock::Clock;
use crate::adapter::control_socket;
use crate::adapter::http::{ListenError, Listener, serve};
use crate::adapter::ledger::{Ledger, LedgerError};
use crate::adapter::log::Log;
use crate::adapter::metrics::Metrics;
use crate::adapter::systemd;
use crate::config::{Environment, Loaded, Settings, load};
use crate::daemon::board::Board;
use crate::daemon::generation::{Generation, Life, WaysIn};
use crate::daemon::inbox::Trigger;
use crate::daemon::opening::{carry_over, opening};
use crate::daemon::pulse::Pulses;
use crate::daemon::shared::{LedgerHandle, Shared};
use crate::domain::Reason;
use crate::domain::text::count;
use crate::intake::read_known;

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
    let listener = match settings.http.listen {
        Some(address) => Some(Listener::tcp(address).await?),
        None => None,
    };
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
    services.show(listener, &shared, &pulses);
    generation.looked().await;
    services.is_ready.store(true, Ordering::Release);
    systemd::ready();
    tell_start(&settings, services.address);
    let mut daemon = Daemon {
        path,
        environment,
        log,
        shared,
        pulses,
        services,
    };
    let end = daemon.serve(&mut signals, &mut generation).await;
    systemd::stopping();
    generation.end(LAST_REQUESTS).await;
    daemon.services.stop().await;
    match end {
        End::Signal(name) => {
            tracing::info!("Stopped by {name}");
            Ok(())
        }
        End::Task(task) => {
            tracing::error!("{task} ended; the daemon stops with it");
            Err(RunError::TaskEnded(task))
        }
    }
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
    })
}

fn tell_start(settings: &Settings, address: Option<std::net::SocketAddr>) {
    let integrations = count(settings.integrations.len(), "integration", "integrations");
    let accounts = count(settings.accounts.len(), "account", "accounts");
    let metrics = address.map_or_else(|| "no metrics".to_owned(), |it| format!("metrics on {it}"));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        "Started: {integrations}, {accounts}, {metrics}"
    );
}

struct Daemon {
    path: PathBuf,
    environment: Environment,
    log: Log,
    shared: Shared,
    pulses: Pulses,
    services: Services,
}

enum End {
    Signal(&'static str),
    Task(String),
}

impl Daemon {
    async fn serve(&mut self, signals: &mut Signals, generation: &mut Generation) -> End {
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut overdue = Vec::new();
        let mut is_fed = systemd::watchdog().is_some();
        loop {
            tokio::select! {
                Some(()) = signals.terminate.recv() => return End::Signal("SIGTERM"),
                Some(()) = signals.interrupt.recv() => return End::Signal("SIGINT"),
                Some(()) = signals.hangup.recv() => {
                    systemd::reloading();
                    self.reload(generation).await;
                    systemd::ready();
                }
                Some(()) = signals.user.recv() => generation.ways_in().wake_all(Trigger::Signal),
                task = generation.first_end() => return End::Task(task),
                task = self.services.first_end() => return End::Task(task),
                _ = check.tick() => {
                    let now_overdue = self.pulses.overdue();
                    if now_overdue != overdue {
                        if !now_overdue.is_empty() {
                            tracing::error!("No sign of life: {}; the watchdog is fed no more", now_overdue.join(", "));
                        }
                        overdue = now_overdue;
                    }
                    is_fed = is_fed && systemd::watchdog().is_some();
                    if is_fed && overdue.is_empty() {
                        systemd::alive();
                    }
                }
            }
        }
    }

    /// Takes a new configuration whole, or leaves everything as it is and says why.
    async fn reload(&mut self, generation: &mut Generation) {
        let now = self.shared.clock.now().wall;
        match self.prepare(generation).await {
            Ok(settings) => {
                let old = self.shared.board.read();
                let settings = Arc::new(settings);
                match self.replace(generation, Arc::clone(&settings), &old).await {
                    Ok(()) => {
                        let integrations =
                            count(settings.integrations.len(), "integration", "integrations");
                        tracing::info!("Reloaded: {integrations}");
                        self.shared.board.write(|it| {
                            it.reload.is_ok = true;
                            it.reload.succeeded_at = now;
                        });
                    }
                    Err(error) => {
                        tracing::error!("Reload failed half way: {error}");
                        self.shared.board.write(|it| it.reload.is_ok = false);
                    }
                }
            }
            Err(problems) => {
                for problem in problems {
                    tracing::error!("Not reloaded, the old configuration stays: {problem}");
                }
                self.shared.board.write(|it| it.reload.is_ok = false);
            }
        }
    }

    /// Reads the new configuration and tries everything that can be tried before the old one ends.
    async fn prepare(&mut self, generation: &Generation) -> Result<Settings, Vec<String>> {
        let loaded = load(&self.path, &self.environment).map_err(|problems| {
            problems
                .0
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        })?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let (old, new) = (&generation.ways_in().settings, loaded.settings);
        if new.state_directory != old.state_directory {
            return Err(vec![
                "`state_directory` changed; restart sso-certd for that".to_owned(),
            ]);
        }
        if new.http.listen != old.http.listen {
            let listener = match new.http.listen {
                Some(address) => Some(
                    Listener::tcp(address)
                        .await
                        .map_err(|it| vec![it.to_string()])?,
                ),
                None => None,
            };
            self.services.hide().await;
            self.services.show(listener, &self.shared, &self.pulses);
        }
        if let Err(error) = self.log.set_level(&new.log.level) {
            return Err(vec![error.to_string()]);
        }
        Ok(new)
    }

    async fn replace(
        &mut self,
        generation: &mut Generation,
        settings: Arc<Settings>,
        old: &crate::view::snapshot::Snapshot,
    ) -> Result<(), LedgerError> {
        let before = Arc::clone(&generation.ways_in().settings);
        generation.end(LAST_REQUESTS).await;
        for (name, integration) in &before.integrations {
            if settings
                .integrations
                .get(name)
                .is_none_or(|it| it.account != integration.account)
            {
                self.shared
                    .metrics
                    .drop_integration(name.as_str(), integration.account.as_str());
            }
        }
        let (fresh, now) = (Arc::clone(&settings), self.shared.clock.now());
        let snapshot = self
            .shared
            .ledger
            .with(move |it| opening(&fresh, Some(it), &now, true))
            .await?;
        self.shared
            .board
            .write(|it| *it = carry_over(old, snapshot));
        *generation = Generation::start(
            settings,
            &self.shared,
            &self.pulses,
            Life::Daemon,
            BTreeMap::new(),
        )
        .await?;
        self.services.redirect(generation.ways_in().clone());
        generation.looked().await;
        Ok(())
    }
}

/// The tasks that outlive a configuration: the control socket, the listener, the teller.
struct Services {
    tasks: JoinSet<String>,
    stop: flag::Sender<bool>,
    ways_in: Arc<RwLock<WaysIn>>,
    is_ready: Arc<AtomicBool>,
    address: Option<std::net::SocketAddr>,
    listener: Option<(flag::Sender<bool>, tokio::task::JoinHandle<()>)>,
}

impl Services {
    fn start(shared: &Shared, pulses: &Pulses, ways_in: WaysIn, socket: Listener) -> Self {
        let (stop, stopped) = flag::channel(false);
        let ways_in = Arc::new(RwLock::new(ways_in));
        let mut tasks = JoinSet::new();
        let (desk, at_desk) = (Arc::clone(&ways_in), shared.clone());
        let router = control_socket::router(move |question| {
            let (desk, shared) = (Arc::clone(&desk), at_desk.clone());
            async move {
                let ways_in = desk.read().unwrap_or_else(PoisonError::into_inner).clone();
                desk::answer(&ways_in, &shared, &question).await
            }
        });
        let stop_socket = stopped.clone();
        tasks.spawn(async move {
            serve(socket, router, stop_socket).await;
            "the control socket".to_owned()
        });
        let teller = teller::run(shared.clone(), pulses.add("teller", CHECK * 240), stopped);
        tasks.spawn(async move {
            teller.await;
            "the teller".to_owned()
        });
        Self {
            tasks,
            stop,
            ways_in,
            is_ready: Arc::default(),
            address: None,
            listener: None,
        }
    }

    /// Starts the read-only listener.
    fn show(&mut self, listener: Option<Listener>, shared: &Shared, pulses: &Pulses) {
        self.address = listener.as_ref().and_then(Listener::address);
        self.listener = listener.map(|listener| {
            let is_loopback = listener.address().is_some_and(|it| it.ip().is_loopback());
            let router = web::router(
                shared.clone(),
                pulses.clone(),
                Arc::clone(&self.is_ready),
                is_loopback,
                Arc::clone(&self.ways_in),
            );
            let (stop, stopped) = flag::channel(false);
            let mut one = JoinSet::new();
            one.spawn(serve(listener, router, stopped));
            let task = async move { while one.join_next().await.is_some() {} };
            #[expect(
                clippy::disallowed_methods,
                reason = "its end is watched by `first_end`, and it may be replaced"
            )]
            let handle = tokio::spawn(task);
            (stop, handle)
        });
    }

    /// Ends the read-only listener.
    async fn hide(&mut self) {
        if let Some((stop, handle)) = self.listener.take() {
            stop.send_replace(true);
            if handle.await.is_err() {
                tracing::debug!("The listener had ended");
            }
        }
    }

    fn redirect(&self, ways_in: WaysIn) {
        *self.ways_in.write().unwrap_or_else(PoisonError::into_inner) = ways_in;
    }

    async fn first_end(&mut self) -> String {
        let listener = async {
            match &mut self.listener {
                Some((_, handle)) => drop(handle.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = self.tasks.join_next() => match ended {
                Some(Ok(task)) => task,
                Some(Err(_)) => "a service, by a panic".to_owned(),
                None => "every service".to_owned(),
            },
            () = listener => "the listener".to_owned(),
        }
    }

    async fn stop(mut self) {
        self.hide().await;
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user: Signal,
}

impl Signals {
    fn listen() -> Result<Self, RunError> {
        let listen = |kind| signal(kind).map_err(|it| RunError::Setup(it.kind().to_string()));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            user: listen(SignalKind::user_defined1())?,
        })
    }
}
