//! HTTP/1.1 served with bounds: connections, header size, header time and request time, on TCP and on a Unix socket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// Where to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpSettings {
    /// None turns it off.
    pub listen: Option<SocketAddr>,
}

/// Connections at once, each for one request. A further one takes the place of the oldest that asks nothing; where all
/// ask, it waits.
const MOST_CONNECTIONS: usize = 64;

/// The longest a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

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
    let mut connections = Connections::default();
    loop {
        let served = async {
            accept(&listener, &router, &mut connections).await;
            connections.make_room().await;
        };
        tokio::select! {
            () = raised(&mut stop) => break,
            () = served => {}
        }
    }
    connections.end().await;
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

async fn accept(listener: &Listener, router: &Router, connections: &mut Connections) {
    match listener {
        Listener::Tcp(listener) => match listener.accept().await {
            Ok((stream, _)) => connections.begin(stream, router.clone(), TCP_TIMEOUT),
            Err(error) => pause(&error).await,
        },
        Listener::Unix { listener, uids, .. } => match listener.accept().await {
            Ok((stream, _)) => {
                let uid = stream.peer_cred().ok().map(|it| it.uid());
                if let Some(uid) = uid.filter(|it| uids.contains(it)) {
                    let router = router.clone().layer(axum::Extension(Peer { uid }));
                    connections.begin(stream, router, UNIX_TIMEOUT);
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

/// The connections under way.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    /// Oldest first.
    seats: VecDeque<Seat>,
}

/// One connection's place.
struct Seat {
    task: AbortHandle,
    /// Whether the head of its request has come.
    is_asking: Arc<AtomicBool>,
}

impl Connections {
    fn begin(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        router: Router,
        within: Duration,
    ) {
        let is_asking = Arc::<AtomicBool>::default();
        let task = connection(stream, router, within, Arc::clone(&is_asking));
        let task = self.tasks.spawn(task);
        self.seats.push_back(Seat { task, is_asking });
    }

    /// Waits until one more may begin. Who only keeps a place taken gives it up, the oldest first.
    async fn make_room(&mut self) {
        loop {
            while self.tasks.try_join_next().is_some() {}
            self.seats.retain(|it| !it.task.is_finished());
            if self.seats.len() <= MOST_CONNECTIONS {
                return;
            }
            // The newest has had no time to ask.
            let older = self.seats.iter().take(MOST_CONNECTIONS);
            let is_idle = |it: &Seat| !it.is_asking.load(Ordering::Acquire);
            if let Some(seat) = older.map(is_idle).position(|it| it) {
                if let Some(seat) = self.seats.remove(seat) {
                    seat.task.abort();
                }
            } else {
                self.tasks.join_next().await;
            }
        }
    }

    /// Ends them all; who asks has a moment to be answered.
    async fn end(mut self) {
        let finished = timeout(LINGER, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if finished.await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    within: Duration,
    is_asking: Arc<AtomicBool>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        is_asking.store(true, Ordering::Release);
        router.call(request)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(16 * 1024)
        .keep_alive(false) // who was answered gives up its place
        .serve_connection(TokioIo::new(stream), service);
    if !matches!(timeout(within, served).await, Ok(Ok(()))) {
        tracing::trace!("A connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    use super::*;

    /// More than the system keeps for who does not read.
    const LARGE: usize = 32 << 20;

    /// A server with an answer that comes at once, and one that waits for leave.
    struct Server {
        address: SocketAddr,
        asked: Arc<Semaphore>,
        leave: Arc<Semaphore>,
        _stop: watch::Sender<bool>,
        _task: JoinSet<()>,
    }

    impl Server {
        async fn start() -> Self {
            let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let address = listener.address().unwrap();
            let (asked, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
            let (count, wait) = (Arc::clone(&asked), Arc::clone(&leave));
            let slow = move || async move {
                count.add_permits(1);
                wait.acquire().await.unwrap().forget();
                "at last"
            };
            let router = Router::new()
                .route("/slow", get(slow))
                .route("/large", get(|| async { vec![b'~'; LARGE] }))
                .route("/", get(|| async { "at once" }));
            let (stop, stopped) = watch::channel(false);
            let mut task = JoinSet::new();
            task.spawn(serve(listener, router, stopped));
            Self {
                address,
                asked,
                leave,
                _stop: stop,
                _task: task,
            }
        }

        async fn send(&self, bytes: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stream
        }

        async fn ask(&self, path: &str) -> TcpStream {
            let head = format!("GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n");
            self.send(&head).await
        }

        /// Asks for what comes only with leave, and waits until that is waited for.
        async fn ask_slowly(&self) -> TcpStream {
            let stream = self.ask("/slow").await;
            let asked = timeout(Duration::from_secs(5), self.asked.acquire());
            asked.await.unwrap().unwrap().forget();
            stream
        }
    }

    /// Everything that comes, until the other side hangs up.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let read = timeout(Duration::from_secs(5), stream.read_to_string(&mut text));
        read.await.unwrap().ok();
        text
    }

    #[tokio::test]
    async fn who_asks_keeps_its_place_and_who_does_not_gives_it_up() {
        let server = Server::start().await;
        let asking = server.ask_slowly().await;
        let mut idle = Vec::new();
        for _ in 0..2 * MOST_CONNECTIONS {
            idle.push(server.send("GET / HTTP/1.1\r\nHo").await);
        }
        assert!(rest(server.ask("/").await).await.ends_with("at once"));
        assert_eq!(rest(idle.swap_remove(0)).await, "", "hung up on");
        server.leave.add_permits(1);
        assert!(rest(asking).await.ends_with("at last"));
    }

    #[tokio::test]
    async fn where_everybody_asks_one_more_waits() {
        let server = Server::start().await;
        let mut asking = Vec::new();
        for _ in 0..=MOST_CONNECTIONS {
            asking.push(server.ask_slowly().await);
        }
        let further = server.ask("/").await;
        let mut byte = [0];
        let early = timeout(Duration::from_millis(50), further.peek(&mut byte));
        assert!(early.await.is_err(), "no place yet");
        server.leave.add_permits(1);
        assert!(rest(further).await.ends_with("at once"));
        server.leave.add_permits(MOST_CONNECTIONS);
        for stream in asking {
            assert!(rest(stream).await.ends_with("at last"));
        }
    }

    /// What comes until the other side hangs up.
    async fn everything(mut stream: TcpStream) -> Vec<u8> {
        let mut all = Vec::new();
        let read = timeout(Duration::from_secs(120), stream.read_to_end(&mut all));
        read.await.expect("the other side hangs up").ok();
        all
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_too_long_for_a_head_is_hung_up_on() {
        let server = Server::start().await;
        let begun = Instant::now();
        let stream = server.send("GET / HTTP/1.1\r\nHo").await;
        assert_eq!(everything(stream).await, b"");
        let took = begun.elapsed();
        let second = Duration::from_secs(1);
        assert!(
            (HEAD_TIMEOUT..HEAD_TIMEOUT + second).contains(&took),
            "{took:?}"
        );
    }

    /// How much of a large answer comes to who begins to read after so long.
    async fn read_after(pause: Duration) -> usize {
        tokio::time::pause();
        let server = Server::start().await;
        let stream = server.ask("/large").await;
        sleep(pause).await;
        tokio::time::resume(); // the bytes take real time, in which a paused clock would run ahead
        let all = everything(stream).await;
        String::from_utf8(all).unwrap().matches('~').count()
    }

    #[tokio::test]
    async fn who_does_not_read_is_hung_up_on() {
        assert_eq!(read_after(TCP_TIMEOUT / 2).await, LARGE);
        let late = read_after(TCP_TIMEOUT * 3 / 2).await;
        assert!(late < LARGE, "{late}");
    }
}
