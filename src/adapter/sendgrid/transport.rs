//! The way to SendGrid: where it is, who is believed to be it, and through which proxy.
//!
//! Nothing of it comes from the environment.

use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::Path;

use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Proxy, Url, redirect, retry};
use thiserror::Error;
use zeroize::Zeroizing;

use super::ClientSettings;
use super::roots::{RootsError, roots};
use crate::domain::AccountName;
use crate::domain::text::{printable, printable_path};

/// Longest file of proxy credentials, in bytes.
const LONGEST_CREDENTIALS: u64 = 4096;

const ON_BEHALF_OF: HeaderName = HeaderName::from_static("on-behalf-of");

/// Why a client cannot be made from its settings.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ClientError {
    /// `base_url` is unusable.
    #[error("`base_url` {0}")]
    BaseUrl(BaseUrlError),
    /// No roots to verify SendGrid's certificate with.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// `proxy` is unusable.
    #[error(
        "`proxy` wants http:// or https:// with a host, and no user info (that goes into `proxy_credentials_file`)"
    )]
    Proxy,
    /// The proxy's credentials cannot be read.
    #[error("the proxy credentials file {path} {why}")]
    ProxyCredentials {
        /// Which file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// `on_behalf_of` cannot be a header.
    #[error("`on_behalf_of` holds characters that no header can carry")]
    OnBehalfOf,
    /// The TLS library refused the rest of the settings.
    #[error("the HTTPS client cannot be set up")]
    Setup,
}

impl ClientError {
    /// Lines that help an account.
    pub fn help(&self, account: &AccountName) -> Vec<String> {
        match self {
            Self::Roots(RootsError::NoBundle | RootsError::Bundle { .. }) => vec![
                "apt install ca-certificates".to_owned(),
                format!("or accounts.{account}.ca_file"),
            ],
            Self::Roots(RootsError::CaFile { .. }) => {
                vec![format!(
                    "certificates in PEM, in the file that accounts.{account}.ca_file names"
                )]
            }
            Self::ProxyCredentials { .. } => vec![format!(
                "one line user:password, in the file that accounts.{account}.proxy_credentials_file names"
            )],
            Self::BaseUrl(_) | Self::Proxy | Self::OnBehalfOf | Self::Setup => Vec::new(),
        }
    }
}

/// Why a text is no base URL. The text names the host at most.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BaseUrlError {
    /// Something else than a scheme, a host and a port.
    #[error("wants scheme, host and port only, such as https://api.sendgrid.com")]
    Shape,
    /// Plain http to somewhere else than a literal loopback address.
    #[error("is http to {0}; only https carries the key")]
    PlainHttp(String),
}

/// Whether a text can be a `base_url`: https, or http to a literal loopback address, and no more than scheme, host and
/// port.
///
/// # Errors
/// Any other text.
pub fn check_base_url(raw: &str) -> Result<(), BaseUrlError> {
    checked_base_url(raw).map(drop)
}

/// The client, and the base URL without a slash at its end.
pub(super) fn http_client(settings: &ClientSettings) -> Result<(Client, String), ClientError> {
    let base_url = checked_base_url(&settings.base_url).map_err(ClientError::BaseUrl)?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(account) = &settings.on_behalf_of {
        let account = HeaderValue::from_str(account).map_err(|_| ClientError::OnBehalfOf)?;
        headers.insert(ON_BEHALF_OF, account);
    }
    let mut http = Client::builder()
        .user_agent(concat!("sso-certd/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.request_timeout)
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .no_proxy()
        .http1_only()
        // No connection is kept: a write on one that the server is closing would end with an unknown outcome, and
        // so with minutes of waiting. At two requests a second a handshake each costs nothing.
        .pool_max_idle_per_host(0);
    if base_url.scheme() == "https" {
        http = http.tls_certs_only(roots(settings.ca_file.as_deref())?);
        if let Some(proxy) = proxy(settings)? {
            http = http.proxy(proxy);
        }
    } else {
        http = http.tls_certs_only([]);
    }
    let http = http.build().map_err(|_| ClientError::Setup)?;
    let base_url = base_url.as_str().trim_end_matches('/').to_owned();
    Ok((http, base_url))
}

fn checked_base_url(raw: &str) -> Result<Url, BaseUrlError> {
    let url = Url::parse(raw).map_err(|_| BaseUrlError::Shape)?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    let host = url.host_str().filter(|_| bare).ok_or(BaseUrlError::Shape)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err(BaseUrlError::PlainHttp(printable(host, 255))),
        _ => Err(BaseUrlError::Shape),
    }
}

/// Whether a URL's host is a literal address of this machine; a name such as `localhost` is only what a resolver says.
fn is_loopback(host: &str) -> bool {
    host.trim_matches(['[', ']'])
        .parse::<IpAddr>()
        .is_ok_and(|it| it.is_loopback())
}

/// The proxy of the settings, for https alone: it sees a tunnel and never the key.
fn proxy(settings: &ClientSettings) -> Result<Option<Proxy>, ClientError> {
    let Some(raw) = &settings.proxy else {
        return Ok(None);
    };
    let url = Url::parse(raw).map_err(|_| ClientError::Proxy)?;
    let bare = url.username().is_empty() && url.password().is_none();
    if !bare || !matches!(url.scheme(), "http" | "https") {
        return Err(ClientError::Proxy);
    }
    let proxy = Proxy::https(url).map_err(|_| ClientError::Proxy)?;
    let Some(path) = &settings.proxy_credentials_file else {
        return Ok(Some(proxy));
    };
    let unusable = |why: String| ClientError::ProxyCredentials {
        path: printable_path(path),
        why,
    };
    let credentials =
        read_credentials(path).map_err(|it| unusable(format!("cannot be read: {}", it.kind())))?;
    let (user, password) = credentials
        .trim()
        .split_once(':')
        .ok_or_else(|| unusable("does not hold user:password".to_owned()))?;
    Ok(Some(proxy.basic_auth(user, password)))
}

fn read_credentials(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(path)?
        .take(LONGEST_CREDENTIALS)
        .read_to_string(&mut text)?;
    Ok(text)
}
