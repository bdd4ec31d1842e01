//! The sockets: a listener that can go away and come back, and connections that can break off mid-answer.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::answer::Answer;
use super::fault::Reply;
use super::moments::{Moment, OnPost, Watched};
use super::request::Request;
use super::tls::Tls;
use super::world::{Late, World};

/// The longest request body that is read.
const LONGEST_BODY: usize = 1 << 20;

/// What happens to a new connection. A change ends all open ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listening {
    /// It is served.
    Open,
    /// It is refused; the port stays ours.
    Closed,
    /// It is accepted, and nothing more.
    Silent,
}

/// What all connections share.
pub struct Shared {
    world: Mutex<World>,
    /// None: plain HTTP.
    tls: Option<Tls>,
    /// Counts changes, for whoever waits for one.
    changes: watch::Sender<u64>,
    /// Changes that take effect later, whoever still waits for an answer; and what is told after an answer.
    late: Mutex<JoinSet<()>>,
    on_post: Mutex<Option<OnPost>>,
}

impl Shared {
    pub fn new(world: World, tls: Option<Tls>) -> Self {
        Self {
            world: Mutex::new(world),
            tls,
            changes: watch::Sender::new(0),
            late: Mutex::default(),
            on_post: Mutex::default(),
        }
    }

    /// Calls this at each moment of each POST from now on.
    pub fn set_on_post(&self, on_post: OnPost) {
        *lock(&self.on_post) = Some(on_post);
    }

    fn watched(&self, request: &Request) -> Option<Watched> {
        let on_post = lock(&self.on_post).clone()?;
        Watched::new(on_post, request)
    }

    /// Tells of the answer that is about to be returned: the connection's task writes it before another one gets on.
    fn tell_answered(&self, post: Watched) {
        lock(&self.late).spawn(async move {
            tokio::task::yield_now().await;
            post.tell(Moment::Answered);
        });
    }

    /// Looks at the world.
    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&lock(&self.world))
    }

    /// Changes the world, and tells whoever waits.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let outcome = change(&mut lock(&self.world));
        self.changes.send_modify(|count| *count += 1);
        outcome
    }

    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Forgets the changes that have not taken effect yet.
    pub fn stop(&self) {
        lock(&self.late).abort_all();
    }

    fn commit_late(self: &Arc<Self>, late: Late) -> oneshot::Receiver<()> {
        let (done, committed) = oneshot::channel();
        let shared = Arc::clone(self);
        let mut tasks = lock(&self.late);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            tokio::time::sleep(late.wait).await;
            shared.change(|world| world.commit(late.change, late.event));
            // Nobody waits for it if the client has left.
            done.send(()).ok();
        });
        committed
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under this lock is a test's own closure that asserts something; the state is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A port that stays ours while nobody listens on it.
pub struct Port {
    address: SocketAddr,
    /// Bound and not listening, so that nobody else is given the port, and connections are refused.
    _reservation: TcpSocket,
}

impl Port {
    /// Takes this port of the loopback address, or any that is free for 0.
    pub fn take(port: u16) -> io::Result<Self> {
        let reservation = socket_on(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        Ok(Self {
            address: reservation.local_addr()?,
            _reservation: reservation,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn listen(&self) -> io::Result<TcpListener> {
        socket_on(self.address)?.listen(1024)
    }
}

fn socket_on(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves the port for ever, as `wanted` says; `current` follows once it is so.
pub async fn serve(
    port: Port,
    shared: Arc<Shared>,
    mut wanted: watch::Receiver<Listening>,
    current: watch::Sender<Listening>,
) -> io::Result<()> {
    loop {
        let listening = *wanted.borrow_and_update();
        let listener = match listening {
            Listening::Closed => None,
            Listening::Open | Listening::Silent => Some(port.listen()?),
        };
        current.send_replace(listening);
        let accepting = async {
            match listener {
                Some(listener) => accept(&listener, &shared, listening).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = accepting => return ended,
            changed = wanted.changed() => if changed.is_err() {
                return Ok(());
            },
        }
    }
}

/// Accepts until it is dropped, and all connections with it.
async fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    listening: Listening,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        while connections.try_join_next().is_some() {}
        if listening == Listening::Silent {
            connections.spawn(async move { hold(stream).await });
            continue;
        }
        stream.set_nodelay(true)?;
        let socket = stream.as_fd().try_clone_to_owned()?;
        connections.spawn(welcome(stream, socket, Arc::clone(shared)));
    }
}

/// Serves one connection, over TLS if that is how it is.
async fn welcome(stream: TcpStream, socket: OwnedFd, shared: Arc<Shared>) {
    let Some(tls) = shared.tls() else {
        return converse(stream, socket, shared).await;
    };
    match tls.shake_hands(stream).await {
        Ok(stream) => Box::pin(converse(stream, socket, shared)).await,
        Err(error) => shared.change(|world| world.no_handshake(error.to_string())),
    }
}

/// Serves one connection, until its end or until an answer that HTTP does not allow.
async fn converse<S>(stream: S, socket: OwnedFd, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let longest_idle = shared.look(|world| world.behaviour.close_idle_after);
    let (break_off, mut broken_off) = mpsc::channel(1);
    let last_answer = Arc::<Mutex<Option<Instant>>>::default();
    let service = service_fn(move |request| {
        let idle = lock(&last_answer).map(|it| it.elapsed());
        let is_over = idle
            .zip(longest_idle)
            .is_some_and(|(idle, limit)| idle >= limit);
        let (shared, break_off) = (Arc::clone(&shared), break_off.clone());
        let last_answer = Arc::clone(&last_answer);
        async move {
            let response = respond(request, is_over, shared, break_off).await;
            *lock(&last_answer) = Some(Instant::now());
            response
        }
    });
    let mut connection = http1::Builder::new()
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    let (answer, reply) = tokio::select! {
        // A client that breaks off is no error here.
        _ = &mut connection => return,
        Some(it) = broken_off.recv() => it,
    };
    let stream = connection.into_parts().io.into_inner();
    // A client that hangs up in the middle is what these replies are for.
    break_off_with(stream, &socket, &answer, &reply).await.ok();
}

/// Answers one request; an answer that breaks the connection off is handed over instead, and this never ends.
async fn respond(
    request: HttpRequest<Incoming>,
    connection_is_over: bool,
    shared: Arc<Shared>,
    break_off: mpsc::Sender<(Answer, Reply)>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut request = Request {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: head.headers,
        body: Vec::new(),
    };
    let cut = shared.change(|world| world.cut_at_head(&request, connection_is_over));
    if let Some(reply) = cut {
        let nothing = Answer::json(204, &serde_json::Value::Null);
        // It is only refused if the connection has ended already.
        break_off.send((nothing, reply)).await.ok();
        return std::future::pending().await;
    }
    let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(response);
    };
    request.body = body.to_bytes().to_vec();
    let post = shared.watched(&request);
    let tell = |moment| post.iter().for_each(|it| it.tell(moment));
    tell(Moment::Received);
    let verdict = shared.change(|world| world.judge(&request));
    let committed = verdict.late.map(|late| shared.commit_late(late));
    tell(Moment::Decided);
    match verdict.reply {
        reply @ (Reply::CutBody
        | Reply::Close
        | Reply::Reset
        | Reply::ResetAtHead
        | Reply::Silence
        | Reply::Drip(_)
        | Reply::Huge(_)
        | Reply::EndlessHeaders) => {
            // It is only refused if the connection has ended already.
            break_off.send((verdict.answer, reply)).await.ok();
            return std::future::pending().await;
        }
        Reply::Usual
        | Reply::EmptyBody
        | Reply::HtmlBody
        | Reply::InvalidJson
        | Reply::OtherIntegration
        | Reply::List(_) => {
            if let Some(committed) = committed {
                // It only fails when the simulator ends.
                committed.await.ok();
            }
        }
        Reply::Status(_) | Reply::TemporaryBlock | Reply::Custom { .. } | Reply::Redirect(_) => {}
    }
    if let Some(post) = post {
        shared.tell_answered(post);
    }
    Ok(response_of(verdict.answer))
}

#[expect(
    clippy::expect_used,
    reason = "a script with an impossible answer is the author's mistake"
)]
fn response_of(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).expect("a status has three digits");
    for (name, value) in answer.headers {
        response.headers_mut().append(
            HeaderName::try_from(name).expect("a header's name"),
            HeaderValue::try_from(value).expect("a header's value"),
        );
    }
    response
}

/// Ends a connection in the way that `reply` says.
async fn break_off_with<S>(
    mut stream: S,
    socket: &OwnedFd,
    answer: &Answer,
    reply: &Reply,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match reply {
        Reply::Reset | Reply::ResetAtHead => {
            sockopt::set_socket_linger(socket, Some(Duration::ZERO))?;
        }
        Reply::Silence => hold(stream).await,
        Reply::CutBody => {
            let bytes = head_and_body(answer);
            let keep = bytes.len() - answer.body.len().div_ceil(2);
            stream
                .write_all(bytes.get(..keep).unwrap_or_default())
                .await?;
            stream.flush().await?;
        }
        Reply::Drip(pause) => {
            for byte in head_and_body(answer) {
                stream.write_all(&[byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(*pause).await;
            }
        }
        Reply::Huge(length) => {
            let chunk = [b' '; 1 << 13];
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[")
                .await?;
            let mut left = usize::try_from(*length).unwrap_or(usize::MAX);
            while left > 0 {
                let part = chunk.get(..left.min(chunk.len())).unwrap_or_default();
                stream.write_all(part).await?;
                left -= part.len();
            }
            stream.flush().await?;
        }
        Reply::EndlessHeaders => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            for number in 0_u64.. {
                let line = format!("X-Filler-{number}: {}\r\n", "x".repeat(200));
                stream.write_all(line.as_bytes()).await?;
                stream.flush().await?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Keeps a connection open, silently, until the client ends it.
async fn hold(mut stream: impl AsyncRead + Unpin) {
    let mut ignored = [0; 4096];
    while stream.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
}

fn head_and_body(answer: &Answer) -> Vec<u8> {
    let headers: Vec<String> = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "HTTP/1.1 {} Simulated\r\n{}Content-Length: {}\r\n\r\n",
        answer.status,
        headers.concat(),
        answer.body.len()
    );
    [head.as_bytes(), &answer.body].concat()
}
