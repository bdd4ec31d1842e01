//! HTTP/1.1 served with bounds: connections, header size, header time and request time, on TCP and on a Unix socket.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Where to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpSettings {
    /// None turns it off.
    pub listen: Option<SocketAddr>,
}

/// Connections at once; a further one waits in the kernel's queue.
const MOST_CONNECTIONS: usize = 64;

/// The longest a client may take for the head of a request. When all places are taken by clients that send none, this is
/// how long a scrape waits for one; Prometheus gives up after ten seconds.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest a TCP connection may last: a scrape takes a moment.
const TCP_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest a connection of a command may last: it may wait for a pass, and a pass for SendGrid.
const UNIX_TIMEOUT: Duration = Duration::from_secs(600);

/// The longest that requests under way may go on when the server stops.
const LINGER: Duration = Duration::from_secs(2);

/// After a failed `accept`, such as one for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why there is no listener.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ListenError {
    /// Somebody else has the address.
    #[error("{0} is taken by another program")]
    Taken(SocketAddr),
    /// The address cannot be had here.
    #[error("cannot listen on {address}: {why}")]
    Tcp {
        /// Which.
        address: SocketAddr,
        /// The system's word.
        why: String,
    },
    /// The socket cannot be made.
    #[error("cannot make the socket {path}: {why}")]
    Unix {
        /// Where.
        path: String,
        /// The system's word.
        why: String,
    },
}

/// Who is at the other end of a Unix socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The user, by the kernel's word.
    pub uid: u32,
}

/// A listener, not serving yet.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket for these users only.
    Unix {
        /// The socket.
        listener: UnixListener,
        /// Where it lies.
        path: PathBuf,
        /// Who may talk; others are hung up on.
        uids: Vec<u32>,
    },
}

impl Listener {
    /// Listens on TCP.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn tcp(address: SocketAddr) -> Result<Self, ListenError> {
        match TcpListener::bind(address).await {
            Ok(listener) => Ok(Self::Tcp(listener)),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                Err(ListenError::Taken(address))
            }
            Err(error) => Err(ListenError::Tcp {
                address,
                why: error.kind().to_string(),
            }),
        }
    }

    /// Makes a Unix socket that only this process's user and root can open. An old one is replaced: who holds the
    /// instance lock owns it.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn unix(path: &Path) -> Result<Self, ListenError> {
        let failed = |error: &std::io::Error| ListenError::Unix {
            path: crate::domain::text::printable_path(path),
            why: error.kind().to_string(),
        };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&error));
            }
            _ => {}
        }
        let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let bound = UnixListener::bind(path);
        rustix::process::umask(before);
        let listener = bound.map_err(|it| failed(&it))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
            .map_err(|it| failed(&it))?;
        let uids = vec![0, rustix::process::geteuid().as_raw()];
        Ok(Self::Unix {
            listener,
            path: path.to_owned(),
            uids,
        })
    }

    /// Where it listens, if it is TCP.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix { .. } => None,
        }
    }
}

/// Serves until `stop` becomes true.
pub async fn serve(listener: Listener, router: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            if let Ok(place) = Arc::clone(&places).acquire_owned().await {
                accept(&listener, &router, place, &mut connections).await;
            }
        };
        tokio::select! {
            () = raised(&mut stop) => break,
            () = accepted => {}
        }
    }
    let finished = timeout(LINGER, async {
        while connections.join_next().await.is_some() {}
    });
    if finished.await.is_err() {
        connections.shutdown().await;
    }
    if let Listener::Unix { path, .. } = &listener
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::debug!(kind = %error.kind(), "The control socket was already gone");
    }
}

async fn raised(stop: &mut watch::Receiver<bool>) {
    match stop.wait_for(|it| *it).await {
        Ok(_) | Err(_) => {}
    }
}

async fn accept(
    listener: &Listener,
    router: &Router,
    place: OwnedSemaphorePermit,
    connections: &mut JoinSet<()>,
) {
    match listener {
        Listener::Tcp(listener) => match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, router.clone(), place, TCP_TIMEOUT));
            }
            Err(error) => pause(&error).await,
        },
        Listener::Unix { listener, uids, .. } => match listener.accept().await {
            Ok((stream, _)) => {
                let uid = stream.peer_cred().ok().map(|it| it.uid());
                if let Some(uid) = uid.filter(|it| uids.contains(it)) {
                    let router = router.clone().layer(axum::Extension(Peer { uid }));
                    connections.spawn(connection(stream, router, place, UNIX_TIMEOUT));
                }
            }
            Err(error) => pause(&error).await,
        },
    }
}

async fn pause(error: &std::io::Error) {
    tracing::warn!(kind = %error.kind(), "A connection could not be accepted");
    sleep(ACCEPT_PAUSE).await;
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    place: OwnedSemaphorePermit,
    within: Duration,
) {
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(16 * 1024)
        .keep_alive(true)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if !matches!(timeout(within, served).await, Ok(Ok(()))) {
        tracing::trace!("A connection ended early");
    }
    drop(place);
}
