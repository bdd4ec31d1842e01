//! The connections of a listener: how many, how long, and how much they may send.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

/// Connections at once, each for one request. A further one takes the place of the oldest whose request is not whole
/// after [`HASTE`]; where all are, that of the first that has sent nothing for [`SILENCE`]; else it waits.
pub(super) const MOST_CONNECTIONS: usize = 64;

/// How long a client keeps its place to send its request although others wait: one that means to ask has sent it by then.
/// If many connect at once, the place of a scrape would else be gone before the scrape has asked.
pub(super) const HASTE: Duration = Duration::from_millis(100);

/// The longest a client may take for the head of a request, or send nothing of its body.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// The largest body of a request, in bytes: a question names integrations.
pub(super) const LARGEST_BODY: usize = 64 * 1024;

/// How long connections may last.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// The longest, whatever happens.
    pub(super) whole: Duration,
    /// How long after its request one keeps its place although others wait; none: until it is answered.
    place: Option<Duration>,
}

/// A scrape takes a moment, and who does not read its answer is no better than who does not ask.
pub(super) const TCP: Patience = Patience {
    whole: Duration::from_secs(30),
    place: Some(SILENCE),
};

/// A command may wait for a pass, and a pass for SendGrid.
pub(super) const UNIX: Patience = Patience {
    whole: Duration::from_secs(600),
    place: None,
};

/// How long a connection may take to end that was told to.
const MOMENT: Duration = Duration::from_millis(10);

/// The longest that requests under way may go on when the server stops.
const LINGER: Duration = Duration::from_secs(2);

/// The connections under way.
#[derive(Default)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    /// Oldest first.
    seats: VecDeque<Seat>,
    /// Whether the last `accept` failed, and that was logged.
    pub(super) is_failing: bool,
}

/// One connection's place.
struct Seat {
    task: AbortHandle,
    patience: Patience,
    begun: Instant,
    asking: Asking,
    /// Told when another connection wants the place of one that does not ask.
    wanted: Arc<Notify>,
}

/// Since when a request is whole.
type Asking = Arc<OnceLock<Instant>>;

impl Seat {
    /// From when on another connection may have this place; none: not before it ends.
    fn is_kept_until(&self) -> Option<Instant> {
        match self.asking.get() {
            None => Some(self.begun + HASTE),
            Some(since) => self.patience.place.map(|it| *since + it),
        }
    }
}

impl Connections {
    pub(super) fn begin(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        router: Router,
        patience: Patience,
    ) {
        let (asking, wanted) = (Asking::default(), Arc::<Notify>::default());
        let served = connection(stream, router, patience.whole, Arc::clone(&asking));
        let given_up = give_up(Arc::clone(&wanted), Arc::clone(&asking));
        let task = self.tasks.spawn(async move {
            tokio::select! {
                biased; // what has come is read before the place is given up
                () = served => {}
                () = given_up => {}
            }
        });
        self.seats.push_back(Seat {
            task,
            patience,
            begun: Instant::now(),
            asking,
            wanted,
        });
    }

    /// Waits until one more may begin.
    pub(super) async fn make_room(&mut self) {
        loop {
            while self.tasks.try_join_next().is_some() {}
            self.seats.retain(|it| !it.task.is_finished());
            if self.seats.len() <= MOST_CONNECTIONS {
                return;
            }
            let now = Instant::now();
            let seats = self.seats.iter().enumerate();
            let first = seats
                .filter_map(|(place, seat)| {
                    let until = seat.is_kept_until()?.max(now);
                    Some((until, seat.asking.get().is_some(), place))
                })
                .min();
            match first {
                Some((until, true, place)) if until <= now => {
                    if let Some(seat) = self.seats.remove(place) {
                        seat.task.abort();
                    }
                }
                Some((until, false, place)) if until <= now => {
                    if let Some(seat) = self.seats.get(place) {
                        seat.wanted.notify_one();
                    }
                    // Unless its request became whole at last.
                    timeout(MOMENT, self.tasks.join_next()).await.ok();
                }
                Some((until, ..)) => {
                    tokio::select! {
                        _ = self.tasks.join_next() => {}
                        () = sleep_until(until) => {}
                    }
                }
                None => drop(self.tasks.join_next().await),
            }
        }
    }

    /// Ends them all; who asks has a moment to be answered.
    pub(super) async fn end(mut self) {
        let finished = timeout(LINGER, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if finished.await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// Waits until the place is wanted while the request is not whole.
async fn give_up(wanted: Arc<Notify>, asking: Asking) {
    loop {
        wanted.notified().await;
        if asking.get().is_none() {
            return;
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    within: Duration,
    asking: Asking,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (router, asking) = (router.clone(), Arc::clone(&asking));
        async move {
            let (head, body) = request.into_parts();
            let body = match received(body).await {
                Ok(body) => body,
                Err(status) => return Ok(status.into_response()),
            };
            asking.get_or_init(Instant::now);
            router
                .call(hyper::Request::from_parts(head, Body::from(body)))
                .await
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .max_buf_size(16 * 1024)
        .keep_alive(false) // who was answered gives up its place
        .serve_connection(TokioIo::new(stream), service);
    if !matches!(timeout(within, served).await, Ok(Ok(()))) {
        tracing::trace!("A connection ended early");
    }
}

/// The whole body of a request, or the answer to one that is too large or does not come.
async fn received(mut body: Incoming) -> Result<Vec<u8>, StatusCode> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > LARGEST_BODY {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut whole = Vec::new();
    loop {
        let frame = match timeout(SILENCE, body.frame()).await {
            Ok(None) => return Ok(whole),
            Ok(Some(frame)) => frame.map_err(|_| StatusCode::BAD_REQUEST)?,
            Err(_) => return Err(StatusCode::REQUEST_TIMEOUT),
        };
        let data = frame.into_data().unwrap_or_default();
        if whole.len() + data.len() > LARGEST_BODY {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        whole.extend_from_slice(&data);
    }
}
