//! How a call to SendGrid can fail, and what is certain afterwards.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use thiserror::Error;

use crate::domain::{CertificateId, IntegrationId};
use crate::plan::gate::{Operation, Outcome, Request};

/// A call that failed: what was being done, and why not.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("cannot {doing}: {failure}")]
pub struct CallError {
    /// What was being done, to what.
    pub doing: Doing,
    /// What went wrong.
    pub failure: Failure,
}

/// What was asked of SendGrid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Doing {
    /// The certificates of an integration.
    List(IntegrationId),
    /// An upload to an integration.
    Create(IntegrationId),
    /// One certificate of an integration.
    Read(IntegrationId, CertificateId),
    /// An integration.
    ReadIntegration(IntegrationId),
    /// Enabling or disabling one.
    Update(IntegrationId, CertificateId),
    /// Deleting one.
    Delete(IntegrationId, CertificateId),
    /// The account's integrations.
    Integrations,
    /// What the key may do.
    Scopes,
}

impl Doing {
    /// The same as the gate sees it.
    pub const fn request(&self) -> Request {
        let (operation, integration) = match self {
            Self::List(id) => (Operation::List, Some(*id)),
            Self::Create(id) => (Operation::Create, Some(*id)),
            Self::Read(id, _) | Self::ReadIntegration(id) => (Operation::Read, Some(*id)),
            Self::Update(id, _) => (Operation::Update, Some(*id)),
            Self::Delete(id, _) => (Operation::Delete, Some(*id)),
            Self::Integrations => (Operation::Integrations, None),
            Self::Scopes => (Operation::Scopes, None),
        };
        Request {
            operation,
            integration,
        }
    }
}

/// `list the certificates of integration b0b98502-…`.
impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(integration) => {
                write!(f, "list the certificates of integration {integration}")
            }
            Self::Create(integration) => {
                write!(f, "upload a certificate to integration {integration}")
            }
            Self::Read(_, id) => write!(f, "read certificate {id}"),
            Self::ReadIntegration(id) => write!(f, "read integration {id}"),
            Self::Update(_, id) => write!(f, "change certificate {id}"),
            Self::Delete(_, id) => write!(f, "delete certificate {id}"),
            Self::Integrations => f.write_str("list the integrations"),
            Self::Scopes => f.write_str("read the scopes of the key"),
        }
    }
}

/// What went wrong, by what is certain of it.
///
/// A `message` is SendGrid's own, safe to show and without any key or certificate in it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Failure {
    /// The request certainly never left.
    #[error(transparent)]
    Unsent(Unsent),
    /// The request left, and what became of it is not known.
    #[error(transparent)]
    Lost(Lost),
    /// A 400 or its like: SendGrid does not want the content.
    #[error("refused ({status}{})", Said(message.as_deref()))]
    Refused {
        /// The status.
        status: u16,
        /// SendGrid's word for it.
        message: Option<String>,
    },
    /// A 401.
    #[error("SendGrid does not know this key (401)")]
    KeyRejected,
    /// A 403: a missing permission, or a temporary block of the account.
    #[error("forbidden (403{})", Said(message.as_deref()))]
    Forbidden {
        /// SendGrid's word for it.
        message: Option<String>,
    },
    /// A 404.
    #[error("not found (404)")]
    NotFound,
    /// A 429.
    #[error("rate limited")]
    RateLimited,
    /// A 5xx: it may have been done all the same.
    #[error("server error ({status}{})", Said(message.as_deref()))]
    ServerError {
        /// The status.
        status: u16,
        /// SendGrid's word for it.
        message: Option<String>,
    },
    /// A status that SendGrid does not document, redirects among them; none is followed.
    #[error("unexpected answer ({status}{})", Said(message.as_deref()))]
    Unexpected {
        /// The status.
        status: u16,
        /// SendGrid's word for it.
        message: Option<String>,
    },
}

/// Why a request never left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Unsent {
    /// No TCP connection, or none through the proxy.
    #[error("no connection{}", Because(*.0))]
    Connect(Option<io::ErrorKind>),
    /// The name has no address.
    #[error("no connection: its name has no address")]
    Name,
    /// It took too long to connect.
    #[error("no connection within the time allowed")]
    Timeout,
    /// No TLS.
    #[error("no secure connection: {0}")]
    Tls(TlsProblem),
}

/// Why there is no TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum TlsProblem {
    /// The certificate of the server is over or has not begun, by our clock.
    #[error("the server's certificate is not valid at this time; set the clock, if it is wrong")]
    Dates,
    /// Nobody we trust vouches for the server.
    #[error("the server's certificate is signed by nobody trusted here")]
    UnknownIssuer,
    /// It is the certificate of somebody else.
    #[error("the server's certificate is for another name")]
    WrongName,
    /// Anything else.
    #[error("the TLS handshake did not succeed")]
    Other,
}

/// Why it is not known what became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Lost {
    /// No whole answer in time.
    #[error("no answer within the time allowed")]
    Timeout,
    /// The connection broke, or the answer was cut.
    #[error("the connection broke before the whole answer came")]
    Reset,
    /// The answer is not what it should be.
    #[error("the answer makes no sense")]
    Undecodable,
    /// The answer, or its head, is longer than any real one.
    #[error("the answer is too long")]
    TooLarge,
}

impl Failure {
    /// Whether a write certainly had no effect. False means that only a fresh list can tell.
    pub const fn certainly_not_done(&self) -> bool {
        match self {
            Self::Unsent(_)
            | Self::Refused { .. }
            | Self::KeyRejected
            | Self::Forbidden { .. }
            | Self::NotFound
            | Self::RateLimited => true,
            Self::Lost(_) | Self::ServerError { .. } | Self::Unexpected { .. } => false,
        }
    }

    /// The metric label `code`.
    pub const fn code(&self) -> Code {
        match self {
            Self::Unsent(Unsent::Connect(_) | Unsent::Name) => Code::Connect,
            Self::Unsent(Unsent::Tls(_)) => Code::Tls,
            Self::Unsent(Unsent::Timeout) | Self::Lost(Lost::Timeout) => Code::Timeout,
            Self::Lost(Lost::Reset) => Code::Reset,
            Self::Lost(Lost::Undecodable | Lost::TooLarge) => Code::Decode,
            Self::Refused { status, .. }
            | Self::ServerError { status, .. }
            | Self::Unexpected { status, .. } => Code::Status(*status),
            Self::KeyRejected => Code::Status(401),
            Self::Forbidden { .. } => Code::Status(403),
            Self::NotFound => Code::Status(404),
            Self::RateLimited => Code::Status(429),
        }
    }

    /// The same as the gate sees it.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Unsent(_) => Outcome::Unsent,
            Self::Lost(Lost::Timeout | Lost::Reset) => Outcome::NoAnswer,
            Self::Lost(Lost::Undecodable | Lost::TooLarge) | Self::Unexpected { .. } => {
                Outcome::Unexpected
            }
            Self::Refused { .. } => Outcome::Refused,
            Self::KeyRejected => Outcome::KeyRejected,
            Self::Forbidden { .. } => Outcome::Forbidden,
            Self::NotFound => Outcome::NotFound,
            Self::RateLimited => Outcome::RateLimited,
            Self::ServerError { .. } => Outcome::ServerError,
        }
    }

    /// The failure that a status outside 2xx stands for.
    pub(super) fn of_status(status: u16, message: Option<String>) -> Self {
        match status {
            401 => Self::KeyRejected,
            403 => Self::Forbidden { message },
            404 => Self::NotFound,
            429 => Self::RateLimited,
            // A time-out, a conflict, a replay: it may have been done all the same.
            408 | 409 | 425 => Self::Unexpected { status, message },
            400..=499 => Self::Refused { status, message },
            500..=599 => Self::ServerError { status, message },
            _ => Self::Unexpected { status, message },
        }
    }

    /// The failure of a request or of reading its answer. None of the library's texts are kept.
    pub(super) fn of_transport(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Unsent(unsent(error))
        } else if error.is_timeout() {
            Self::Lost(Lost::Timeout)
        } else {
            let hyper = causes(error).find_map(|it| it.downcast_ref::<hyper::Error>());
            Self::Lost(match hyper {
                Some(it) if it.is_parse_too_large() => Lost::TooLarge,
                Some(it) if it.is_parse() => Lost::Undecodable,
                _ => Lost::Reset,
            })
        }
    }
}

/// The metric label `code`: a status, or why there is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Code {
    /// The status of an answer.
    Status(u16),
    /// No connection.
    Connect,
    /// No TLS.
    Tls,
    /// No connection or no answer in time.
    Timeout,
    /// A broken connection.
    Reset,
    /// A 2xx that is not what it should be.
    Decode,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Connect => f.pad("connect"),
            Self::Tls => f.pad("tls"),
            Self::Timeout => f.pad("timeout"),
            Self::Reset => f.pad("reset"),
            Self::Decode => f.pad("decode"),
        }
    }
}

fn unsent(error: &reqwest::Error) -> Unsent {
    let tls = causes(error).find_map(|it| it.downcast_ref::<rustls::Error>());
    if let Some(tls) = tls {
        Unsent::Tls(tls_problem(tls))
    } else if error.is_timeout() {
        Unsent::Timeout
    } else if error.is_dns() {
        Unsent::Name
    } else {
        let io = causes(error).filter_map(|it| it.downcast_ref::<io::Error>());
        Unsent::Connect(io.map(io::Error::kind).last())
    }
}

fn tls_problem(error: &rustls::Error) -> TlsProblem {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else {
        return TlsProblem::Other;
    };
    match bad {
        Bad::Expired
        | Bad::ExpiredContext { .. }
        | Bad::NotValidYet
        | Bad::NotValidYetContext { .. } => TlsProblem::Dates,
        // A bad signature is what an issuer gets who has the name of a trusted one and another key.
        Bad::UnknownIssuer | Bad::BadSignature => TlsProblem::UnknownIssuer,
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => TlsProblem::WrongName,
        _ => TlsProblem::Other,
    }
}

/// The chain of causes, through every `io::Error` as well: its `source()` passes over the error it wraps.
fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |it| cause(*it))
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(io) => match io.get_ref() {
            Some(inner) => Some(inner),
            None => None,
        },
        None => error.source(),
    }
}

/// `, MESSAGE`, or nothing.
struct Said<'a>(Option<&'a str>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |it| write!(f, ", {it}"))
    }
}

/// `: connection refused`, or nothing.
struct Because(Option<io::ErrorKind>);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |it| write!(f, ": {it}"))
    }
}
