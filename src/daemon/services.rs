//! The tasks that outlive a configuration, and the signals.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch as flag;
use tokio::task::JoinSet;

use crate::adapter::control_socket;
use crate::adapter::http::{Listener, serve};
use crate::daemon::generation::WaysIn;
use crate::daemon::pulse::Pulses;
use crate::daemon::shared::Shared;
use crate::daemon::{CHECK, RunError, desk, teller, web};

/// The tasks that outlive a configuration: the control socket, the listener, the teller.
pub(super) struct Services {
    tasks: JoinSet<String>,
    stop: flag::Sender<bool>,
    ways_in: Arc<RwLock<WaysIn>>,
    pub(super) is_ready: Arc<AtomicBool>,
    pub(super) address: Option<SocketAddr>,
    listener: Option<(flag::Sender<bool>, tokio::task::JoinHandle<()>)>,
}

impl Services {
    /// Starts them; the listener comes later.
    pub(super) fn start(
        shared: &Shared,
        pulses: &Pulses,
        ways_in: WaysIn,
        socket: Listener,
    ) -> Self {
        let (stop, stopped) = flag::channel(false);
        let ways_in = Arc::new(RwLock::new(ways_in));
        let mut tasks = JoinSet::new();
        let (desk, at_desk) = (Arc::clone(&ways_in), shared.clone());
        let router = control_socket::router(move |question, peer| {
            let (desk, shared) = (Arc::clone(&desk), at_desk.clone());
            async move {
                let ways_in = desk.read().unwrap_or_else(PoisonError::into_inner).clone();
                desk::answer(&ways_in, &shared, &question, peer).await
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
    pub(super) fn show(&mut self, listener: Option<Listener>, shared: &Shared, pulses: &Pulses) {
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
    pub(super) async fn hide(&mut self) {
        if let Some((stop, handle)) = self.listener.take() {
            stop.send_replace(true);
            if handle.await.is_err() {
                tracing::debug!("The listener had ended");
            }
        }
    }

    /// Leads questions to another generation.
    pub(super) fn redirect(&self, ways_in: WaysIn) {
        *self.ways_in.write().unwrap_or_else(PoisonError::into_inner) = ways_in;
    }

    /// Waits for a service to end, which none should; what ended.
    pub(super) async fn first_end(&mut self) -> String {
        let listener = async {
            let Some((_, handle)) = &mut self.listener else {
                return std::future::pending().await;
            };
            let is_well = handle.await.is_ok();
            tracing::debug!(is_well, "The listener ended");
        };
        let ended = tokio::select! {
            ended = self.tasks.join_next() => match ended {
                Some(Ok(task)) => return task,
                Some(Err(_)) => return "a service, by a panic".to_owned(),
                None => return "every service".to_owned(),
            },
            () = listener => "the listener".to_owned(),
        };
        self.listener = None;
        ended
    }

    /// Ends them all.
    pub(super) async fn stop(mut self) {
        self.hide().await;
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The signals that a daemon obeys.
pub(super) struct Signals {
    pub(super) terminate: Signal,
    pub(super) interrupt: Signal,
    pub(super) hangup: Signal,
    pub(super) user: Signal,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> Result<Self, RunError> {
        let listen = |kind| signal(kind).map_err(|it| RunError::Setup(it.kind().to_string()));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            user: listen(SignalKind::user_defined1())?,
        })
    }
}

/// Waits for one of the signals that end a daemon.
pub(super) async fn stop_signal(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        Some(()) = terminate.recv() => "SIGTERM",
        Some(()) = interrupt.recv() => "SIGINT",
        else => std::future::pending().await,
    }
}
