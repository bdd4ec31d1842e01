//! HTTP/1.1 served with bounds: connections, the size and the time of head, body and answer, on TCP and on a Unix socket.

mod connections;

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use thiserror::Error;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use connections::{Connections, TCP, UNIX};

use super::system_error;
use crate::domain::text::printable_path;

/// Where to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpSettings {
    /// None turns it off.
    pub listen: Option<SocketAddr>,
}

/// How often it is checked that the Unix socket is still there.
const MEND: Duration = Duration::from_secs(5);

/// After a failed `accept`, such as one for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why there is no listener.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ListenError {
    /// Somebody else has the address.
    #[error("{0} is taken by another program")]
    Taken(SocketAddr),
    /// No interface has the address, or none has it yet.
    #[error("this machine does not have the address {0}")]
    Absent(SocketAddr),
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
        /// Device and inode of the socket; none if it was removed at once.
        inode: Option<(u64, u64)>,
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
            Err(error) if is_absent(&error) => Err(ListenError::Absent(address)),
            Err(error) => Err(ListenError::Tcp {
                address,
                why: system_error::word(&error),
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
            path: printable_path(path),
            why: system_error::word(error),
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
            inode: inode(path).unwrap_or_default(),
            uids,
        })
    }

    /// Makes the Unix socket anew if somebody removed it: commands have no other way in. Whatever lies in its place is
    /// left alone; it may be the socket of the instance that a new state directory belongs to.
    fn mend(&mut self) {
        let Self::Unix { path, .. } = self else {
            return;
        };
        if !matches!(inode(path), Ok(None)) {
            return;
        }
        match Self::unix(path) {
            Ok(fresh) => {
                *self = fresh;
                tracing::warn!("The control socket was removed, and made anew");
            }
            Err(error) => tracing::debug!("The control socket was removed: {error}"),
        }
    }

    /// Where it listens, if it is TCP.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix { .. } => None,
        }
    }
}

/// Whether no interface has an address, or the kernel does not even know its family.
fn is_absent(error: &std::io::Error) -> bool {
    let family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == std::io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(family)
}

/// Device and inode of what lies there itself, not of where it leads; none if nothing does.
fn inode(path: &Path) -> std::io::Result<Option<(u64, u64)>> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some((metadata.dev(), metadata.ino()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Serves until `stop` becomes true.
pub async fn serve(mut listener: Listener, router: Router, mut stop: watch::Receiver<bool>) {
    let mut connections = Connections::default();
    let mut mend = interval(MEND);
    mend.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let served = async {
            connections.make_room().await;
            accept(&listener, &router, &mut connections).await;
        };
        tokio::select! {
            () = raised(&mut stop) => break,
            _ = mend.tick() => listener.mend(),
            () = served => {}
        }
    }
    connections.end().await;
    if let Listener::Unix {
        path, inode: own, ..
    } = &listener
        && own.is_some()
        && inode(path).is_ok_and(|it| it == *own)
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
    let accepted = match listener {
        Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
            connections.begin(stream, router.clone(), TCP);
        }),
        Listener::Unix { listener, uids, .. } => listener.accept().await.map(|(stream, _)| {
            let uid = stream.peer_cred().ok().map(|it| it.uid());
            if let Some(uid) = uid.filter(|it| uids.contains(it)) {
                let router = router.clone().layer(axum::Extension(Peer { uid }));
                connections.begin(stream, router, UNIX);
            }
        }),
    };
    let failure = accepted.err().map(|it| system_error::word(&it));
    let is_failing = failure.is_some();
    if let Some(why) = failure.filter(|_| !connections.is_failing) {
        tracing::warn!("No connection can be accepted: {why}");
    }
    connections.is_failing = is_failing;
    if is_failing {
        sleep(ACCEPT_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    use std::sync::Arc;

    use tokio::task::JoinSet;
    use tokio::time::timeout;

    use super::connections::{LARGEST_BODY, MOST_CONNECTIONS, SILENCE};
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

    #[tokio::test]
    async fn who_asks_among_many_is_answered_before_its_place_is_given_away() {
        let server = Server::start().await;
        let mut asks = TcpStream::connect(server.address).await.unwrap();
        asks.write_all(b"GET / HTTP/1.1\r\nHost: it\r\n\r\n")
            .await
            .unwrap();
        let mut idle = Vec::new();
        for _ in 0..2 * MOST_CONNECTIONS {
            idle.push(TcpStream::connect(server.address).await.unwrap());
        }
        assert!(rest(asks).await.ends_with("at once"));
    }

    #[tokio::test]
    async fn whose_request_is_not_whole_gives_up_its_place() {
        let server = Server::start().await;
        let mut idle = Vec::new();
        for _ in 0..2 * MOST_CONNECTIONS {
            let head = "POST / HTTP/1.1\r\nHost: it\r\nContent-Length: 9\r\n\r\n";
            idle.push(server.send(head).await);
        }
        assert!(rest(server.ask("/").await).await.ends_with("at once"));
        assert_eq!(rest(idle.swap_remove(0)).await, "", "hung up on");
    }

    #[tokio::test]
    async fn where_nobody_is_answered_the_oldest_gives_up_its_place() {
        let server = Server::start().await;
        let mut asking = Vec::new();
        for _ in 0..=MOST_CONNECTIONS {
            asking.push(server.ask_slowly().await);
        }
        tokio::time::pause();
        let begun = Instant::now();
        let further = everything(server.ask("/").await).await;
        assert!(further.ends_with(b"at once"));
        assert!(begun.elapsed() <= SILENCE, "{:?}", begun.elapsed());
        assert_eq!(everything(asking.swap_remove(0)).await, b"");
    }

    #[tokio::test]
    async fn a_body_is_as_large_as_a_question_and_no_larger() {
        let server = Server::start().await;
        for (announced, sent, status) in [
            (LARGEST_BODY, LARGEST_BODY, "405"),
            (LARGEST_BODY + 1, 0, "413"),
            (usize::MAX / 2, 0, "413"),
        ] {
            let head =
                format!("POST / HTTP/1.1\r\nHost: it\r\nContent-Length: {announced}\r\n\r\n");
            let answer = rest(server.send(&(head + &" ".repeat(sent))).await).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_no_body_is_told_and_hung_up_on() {
        let server = Server::start().await;
        let begun = Instant::now();
        let head = "POST / HTTP/1.1\r\nHost: it\r\nContent-Length: 9\r\n\r\n1234";
        let answer = everything(server.send(head).await).await;
        assert!(answer.starts_with(b"HTTP/1.1 408"));
        let took = begun.elapsed();
        assert!((SILENCE..SILENCE * 2).contains(&took), "{took:?}");
    }

    #[tokio::test]
    async fn a_removed_socket_is_made_anew_and_a_strangers_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("it.sock");
        let mut listener = Listener::unix(&path).unwrap();
        let first = inode(&path).unwrap();
        listener.mend();
        assert_eq!(inode(&path).unwrap(), first, "nothing was wrong");
        std::fs::remove_file(&path).unwrap();
        listener.mend();
        assert!(tokio::net::UnixStream::connect(&path).await.is_ok());
        let stranger = directory.path().join("stranger");
        std::fs::write(&stranger, "").unwrap();
        std::fs::rename(&stranger, &path).unwrap();
        listener.mend();
        assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
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
        assert!((SILENCE..SILENCE + second).contains(&took), "{took:?}");
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
        assert_eq!(read_after(TCP.whole / 2).await, LARGE);
        let late = read_after(TCP.whole * 3 / 2).await;
        assert!(late < LARGE, "{late}");
    }
}
