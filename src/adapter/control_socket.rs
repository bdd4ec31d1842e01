//! A command's way to the daemon: one question and one answer, as JSON, over HTTP on a Unix socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::adapter::http::Peer;
use crate::plan::decision::Decision;
use crate::plan::retire::How;

/// What a command wants to know or have done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// What.
    pub verb: Verb,
    /// Of which integrations; empty: of all.
    pub names: Vec<String>,
    /// Whether the answer is to be JSON.
    pub json: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Whether it wants colours.
    pub color: bool,
    /// Whether it can show more than ASCII.
    pub utf8: bool,
}

/// The verbs that go through the daemon.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// How everything stands.
    Status {
        /// Everything, and not only what matters.
        all: bool,
        /// Nothing while all is well, else the one sentence.
        quiet: bool,
    },
    /// What `run` would do.
    Plan {
        /// Seen from when, in milliseconds since the epoch.
        at_millis: Option<i64>,
        /// Whether the exit code tells if there is something to do.
        detailed: bool,
    },
    /// A pass now.
    Sync {
        /// Whether to wait for what settles.
        wait: bool,
    },
    /// The audit trail.
    History {
        /// Only from then on, in milliseconds since the epoch.
        since_millis: Option<i64>,
        /// How many entries at most.
        limit: u32,
    },
    /// One certificate's life.
    Explain {
        /// Its fingerprint, or how that begins.
        prefix: String,
    },
    /// SendGrid's integrations.
    Integrations {
        /// Of which account; none: of all.
        account: Option<String>,
    },
    /// What SendGrid says of each key and each integration.
    Probe,
    /// A person decides about one certificate.
    Decide(AboutCertificate),
    /// A person stops every write, or lets writes go on.
    Pause {
        /// Whether to stop them.
        is_paused: bool,
        /// Whose word it is.
        word: PersonsWord,
    },
    /// The guard of a reload found the configuration wrong: no signal will come.
    ReloadRefused,
}

/// A [`Decision`] as it travels.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Decision", rename_all = "kebab-case")]
enum DecisionWord {
    Approve,
    ApproveKey,
    Deny,
    DenyKey,
    Acknowledge,
    Adopt,
    Restore,
    Forget,
    Retire(#[serde(with = "HowWord")] How),
}

/// A [`How`] as it travels.
#[derive(Serialize, Deserialize)]
#[serde(remote = "How", rename_all = "kebab-case")]
enum HowWord {
    Disable,
    Delete,
}

/// What a person decides about which certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AboutCertificate {
    /// What.
    #[serde(with = "DecisionWord")]
    pub decision: Decision,
    /// The fingerprint, or its first digits.
    pub fingerprint: String,
    /// In which integration; none where it is known in one alone.
    pub integration: Option<String>,
    /// Whose word it is.
    pub word: PersonsWord,
}

/// What a person says of a decision. Who it is, the socket tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PersonsWord {
    /// Why, in their words.
    pub reason: Option<String>,
    /// Who they were before they became root, as `sudo` has it. Anybody who is root can claim anything here.
    pub sudo_user: Option<String>,
    /// Whether they have seen what comes of it. If not, it is only told.
    pub is_confirmed: bool,
}

/// What a person is asked to confirm, so that it is exactly what they were shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Confirmation {
    /// All 64 digits; none for what concerns whole integrations.
    pub fingerprint: Option<String>,
    /// The integrations.
    pub names: Vec<String>,
}

/// What a command prints, and its exit code.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// For standard output, with its line ends.
    pub text: String,
    /// For standard error.
    pub notes: String,
    /// The exit code.
    pub exit: u8,
    /// Who answered.
    pub pid: u32,
    /// Set if nothing is decided yet: `text` is a question.
    pub confirmation: Option<Confirmation>,
}

/// Routes questions to `answer`, with who asks if the connection tells.
pub fn router<F, A>(answer: F) -> Router
where
    F: Fn(Question, Option<Peer>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let ask = |State(answer): State<F>,
               peer: Option<Extension<Peer>>,
               Json(question): Json<Question>| async move {
        Json(answer(question, peer.map(|Extension(it)| it)).await)
    };
    Router::new().route("/ask", post(ask)).with_state(answer)
}

/// The socket's name in the state directory.
pub const SOCKET: &str = "control.sock";

/// The largest answer taken, in bytes: a status of a thousand integrations fits.
const LONGEST_ANSWER: usize = 16 << 20;

/// Why the daemon did not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CallError {
    /// Nobody listens.
    #[error("no daemon listens")]
    NoDaemon,
    /// This user may not open the socket.
    #[error("the daemon's socket is for root and its own user only")]
    Permission,
    /// It took too long.
    #[error("the daemon does not answer")]
    Timeout,
    /// It hung up, or answered what is no answer.
    #[error("the daemon hung up")]
    HungUp,
}

/// Where the socket of a state directory lies.
pub fn path(state_directory: &Path) -> PathBuf {
    state_directory.join(SOCKET)
}

/// Asks the daemon.
///
/// # Errors
/// Nobody answers, or not to this user.
pub async fn call(
    socket: &Path,
    question: &Question,
    within: Duration,
) -> Result<Answer, CallError> {
    let body = serde_json::to_vec(question).map_err(|_| CallError::HungUp)?;
    let talk = async {
        let stream = UnixStream::connect(socket)
            .await
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::PermissionDenied => CallError::Permission,
                // It listens, and too many wait there already.
                std::io::ErrorKind::WouldBlock => CallError::Timeout,
                _ => CallError::NoDaemon,
            })?;
        exchange(stream, "sso-certd", body).await
    };
    let answer = timeout(within, talk)
        .await
        .map_err(|_| CallError::Timeout)??;
    serde_json::from_slice(&answer).map_err(|_| CallError::HungUp)
}

/// Asks the daemon's read-only listener, which answers `status` and `history` alone.
///
/// # Errors
/// Nobody answers there.
pub async fn call_tcp(
    address: SocketAddr,
    question: &Question,
    within: Duration,
) -> Result<Answer, CallError> {
    let body = serde_json::to_vec(question).map_err(|_| CallError::HungUp)?;
    let talk = async {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|_| CallError::NoDaemon)?;
        exchange(stream, &address.to_string(), body).await
    };
    let answer = timeout(within, talk)
        .await
        .map_err(|_| CallError::Timeout)??;
    serde_json::from_slice(&answer).map_err(|_| CallError::HungUp)
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    body: Vec<u8>,
) -> Result<Bytes, CallError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|_| CallError::HungUp)?;
    let request = Request::post("/ask")
        .header("host", host)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| CallError::HungUp)?;
    let talk = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|_| CallError::HungUp)?;
        if !response.status().is_success() {
            return Err(CallError::HungUp);
        }
        let body = Limited::new(response.into_body(), LONGEST_ANSWER)
            .collect()
            .await;
        body.map(http_body_util::Collected::to_bytes)
            .map_err(|_| CallError::HungUp)
    };
    tokio::pin!(talk);
    tokio::select! {
        answer = &mut talk => answer,
        _ = connection => talk.await,
    }
}
