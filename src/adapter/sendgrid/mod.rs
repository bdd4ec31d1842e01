//! SendGrid's SSO API, as one account sees it.
//!
//! [`SendGrid`] sends one request a call and repeats none: whether and when to ask again is the gate's to say
//! ([`crate::plan::gate`]), and it learns from the [`Observed`] that every call gives back.

mod client;
mod error;
mod key;
mod roots;
#[cfg(test)]
mod testing;
mod transport;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

pub use client::{Answer, IntegrationAnswer, Observed, ReadAnswer, SendGrid, Written};
pub use error::{CallError, Code, Doing, Failure, Lost, TlsProblem, Unsent};
pub use key::{ApiKey, FoundKey, KeyError, KeyProblem, KeyReader, KeySource, KeyWarning};
pub use roots::RootsError;
pub use transport::{BaseUrlError, ClientError, check_base_url};
pub use wire::{ReadListed, RemoteIntegration};

/// How to reach SendGrid for one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientSettings {
    /// Scheme, host and port; https, or http to a literal loopback address. Without a trailing slash.
    pub base_url: String,
    /// Sent as `on-behalf-of`.
    pub on_behalf_of: Option<String>,
    /// Replaces the system's roots.
    pub ca_file: Option<PathBuf>,
    /// An http proxy, without user info.
    pub proxy: Option<String>,
    /// A file with `user:password` for the proxy.
    pub proxy_credentials_file: Option<PathBuf>,
    /// The longest a connection may take.
    pub connect_timeout: Duration,
    /// The longest a whole request may take.
    pub request_timeout: Duration,
}
