//! The tasks that outlive a configuration, and the signals.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch as flag;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::adapter::control_socket;
use crate::adapter::http::{ListenError, Listener, serve};
use crate::adapter::system_error::word;
use crate::daemon::generation::WaysIn;
use crate::daemon::pulse::Pulses;
use crate::daemon::shared::{Shared, raised};
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
        let (held, stop_keeper) = (shared.clone(), stopped.clone());
        tasks.spawn(async move {
            hold(&held, &stop_keeper).await;
            "the hold on the ledger, which was moved, deleted or replaced,".to_owned()
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

    /// Starts the read-only listener, where there is to be one: at once, or when this machine has the address.
    pub(super) fn show(&mut self, door: Option<Door>, shared: &Shared, pulses: &Pulses) {
        self.address = door.as_ref().and_then(Door::address);
        self.listener = door.map(|door| {
            let is_loopback = door.is_loopback();
            let router = web::router(
                shared.clone(),
                pulses.clone(),
                Arc::clone(&self.is_ready),
                is_loopback,
                Arc::clone(&self.ways_in),
            );
            let (stop, stopped) = flag::channel(false);
            let mut one = JoinSet::new();
            one.spawn(async move {
                if let Some(listener) = door.opened(&stopped).await {
                    serve(listener, router, stopped).await;
                }
            });
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

/// How often it is checked that the ledger is still where it was opened.
const HOLD: Duration = Duration::from_secs(5);

/// Watches over the ledger until it is told to stop, or the ledger was twice not where it was opened: in between somebody
/// may have moved it and put it back. A new start finds what is there now.
async fn hold(shared: &Shared, stop: &flag::Receiver<bool>) {
    let mut was_there = true;
    loop {
        tokio::select! {
            () = raised(stop) => return,
            () = sleep(HOLD) => {}
        }
        let is_there = shared.ledger.is_in_place().await;
        if !is_there && !was_there {
            return;
        }
        was_there = is_there;
    }
}

/// The read-only listener before it serves.
pub(super) enum Door {
    /// It listens.
    Open(Listener),
    /// This machine does not have its address yet.
    Absent(SocketAddr),
}

/// How soon an address that was not there is tried again.
const AGAIN: Duration = Duration::from_secs(5);

impl Door {
    /// Listens on an address of this machine.
    ///
    /// # Errors
    /// Another program has it, or it may not be had.
    pub(super) async fn at(address: Option<SocketAddr>) -> Result<Option<Self>, ListenError> {
        let Some(address) = address else {
            return Ok(None);
        };
        match Listener::tcp(address).await {
            Ok(listener) => Ok(Some(Self::Open(listener))),
            Err(error @ ListenError::Absent(_)) => {
                tracing::warn!("No metrics: {error}; tried again until it has");
                Ok(Some(Self::Absent(address)))
            }
            Err(error) => Err(error),
        }
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Open(listener) => listener.address(),
            Self::Absent(_) => None,
        }
    }

    fn is_loopback(&self) -> bool {
        match self {
            Self::Open(listener) => listener.address().is_some_and(|it| it.ip().is_loopback()),
            Self::Absent(address) => address.ip().is_loopback(),
        }
    }

    /// Waits until it listens; none if it is told to stop before.
    async fn opened(self, stop: &flag::Receiver<bool>) -> Option<Listener> {
        let address = match self {
            Self::Open(listener) => return Some(listener),
            Self::Absent(address) => address,
        };
        let mut told = ListenError::Absent(address);
        loop {
            tokio::select! {
                () = raised(stop) => return None,
                () = sleep(AGAIN) => {}
            }
            match Listener::tcp(address).await {
                Ok(listener) => {
                    tracing::info!("Metrics on {address}");
                    return Some(listener);
                }
                Err(error) if error == told => {}
                Err(error) => {
                    tracing::warn!("No metrics: {error}; tried again");
                    told = error;
                }
            }
        }
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
        let listen = |kind| signal(kind).map_err(|it| RunError::Setup(word(&it)));
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

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_is_tried_again_until_it_can_be_had() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let (end, stop) = flag::channel(false);
        let mut opening = pin!(Door::Absent(address).opened(&stop));
        assert!(timeout(AGAIN * 3, &mut opening).await.is_err());
        drop(taken);
        let begun = Instant::now();
        let listener = opening.await.unwrap();
        assert_eq!(listener.address(), Some(address));
        assert!(begun.elapsed() <= AGAIN);
        end.send_replace(true);
        assert!(Door::Absent(address).opened(&stop).await.is_none());
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_absent_and_a_taken_one_an_error() {
        let nowhere = "192.0.2.1:9465".parse().unwrap();
        let door = Door::at(Some(nowhere)).await.unwrap();
        assert!(matches!(door, Some(Door::Absent(it)) if it == nowhere));
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = Door::at(Some(address)).await.err();
        assert_eq!(error, Some(ListenError::Taken(address)));
        assert!(Door::at(None).await.unwrap().is_none());
    }
}
