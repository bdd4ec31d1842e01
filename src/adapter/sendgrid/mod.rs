//! SendGrid's SSO API, as one account sees it.

use std::path::PathBuf;
use std::time::Duration;

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

/// Where an account's API key comes from; where it was found is shown, the key never.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// `api_key_file`, named in the configuration: read again when it changes.
    File(PathBuf),
    /// A systemd credential of this name at this path: a copy made at start.
    Credential {
        /// `sendgrid-api-key`, or with `-NAME`.
        name: String,
        /// Where systemd put it.
        path: PathBuf,
    },
    /// The variable `SENDGRID_API_KEY`; account `default` only.
    Variable,
    /// `/etc/sso-certd/sendgrid-api-key`, or with `-NAME`.
    Default(PathBuf),
}
