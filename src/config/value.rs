//! Texts of the configuration, each read in one place: by the check of its file, and again on the way to the
//! settings.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use globset::GlobBuilder;
use url::{Host, Url};

use crate::adapter::http::HttpSettings;
use crate::adapter::log::LogFormat;
use crate::adapter::log::check_level;
use crate::domain::{AccountName, Fingerprint, IntegrationId};
use crate::plan::policy::{Mode, Require, RetireAction, RetireWhen};
use crate::plan::schedule::Schedule;

/// What is wrong with a value: the rest of a sentence that begins with its key, and help. Never the value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    pub(super) says: String,
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn new(says: impl Into<String>) -> Self {
        Self {
            says: says.into(),
            help: None,
        }
    }

    fn help(mut self, help: &str) -> Self {
        self.help = Some(help.to_owned());
        self
    }
}

/// A value that is written as a text.
pub(super) trait FromText: Sized {
    /// Reads the text.
    ///
    /// # Errors
    /// What is allowed instead.
    fn from_text(raw: &str) -> Result<Self, Fault>;
}

/// Whether `raw` is a `T`.
pub(super) fn check<T: FromText>(raw: &str) -> Result<(), Fault> {
    T::from_text(raw).map(drop)
}

impl FromText for Duration {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        humantime::parse_duration(raw)
            .map_err(|_| Fault::new("wants a text with a unit, such as \"90s\""))
    }
}

impl FromText for AccountName {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        Self::parse(raw)
            .map_err(|_| Fault::new("wants the name of an account: 1 to 63 of a-z, 0-9 and -"))
    }
}

impl FromText for IntegrationId {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        Self::parse(raw)
            .map_err(|it| Fault::new(it.to_string()).help("sso-certd integrations lists yours"))
    }
}

impl FromText for Fingerprint {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        Self::parse(raw).map_err(|it| {
            Fault::new(format!("has an entry that is no fingerprint: {it}"))
                .help("sso-certd inspect FILE prints the fingerprint of a certificate")
        })
    }
}

impl FromText for Schedule {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        Self::parse(raw).map_err(|it| {
            Fault::new(it.to_string())
                .help("\"0 * * * *\" is every full hour, \"*/15 * * * *\" every quarter, in UTC")
        })
    }
}

impl FromText for Mode {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        one_of(raw, [Self::Manage, Self::Observe], Self::word)
    }
}

impl FromText for Require {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        let all = [Self::Source, Self::Pin, Self::HoldDown, Self::Approval];
        one_of(raw, all, Self::word)
    }
}

impl FromText for RetireAction {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        one_of(raw, [Self::Keep, Self::Disable, Self::Delete], Self::word)
    }
}

impl FromText for RetireWhen {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        one_of(raw, [Self::Expired, Self::Absent], Self::word)
    }
}

/// The one of `all` whose word this is.
fn one_of<T: Copy, const N: usize>(
    raw: &str,
    all: [T; N],
    word: fn(T) -> &'static str,
) -> Result<T, Fault> {
    all.into_iter().find(|it| word(*it) == raw).ok_or_else(|| {
        let words = all.map(|it| format!("\"{}\"", word(it)));
        Fault::new(format!("wants one of {}", words.join(", ")))
    })
}

impl FromText for LogFormat {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        match raw {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Fault::new("wants \"auto\", \"text\" or \"json\"")),
        }
    }
}

/// An absolute path.
#[derive(Debug)]
pub(super) struct AbsolutePath(pub(super) PathBuf);

impl FromText for AbsolutePath {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        let path = Path::new(raw);
        if path.is_absolute() {
            Ok(Self(path.to_owned()))
        } else {
            Err(Fault::new("wants an absolute path, one that begins with /"))
        }
    }
}

/// Scheme, host and port of SendGrid's API, without a trailing slash.
#[derive(Debug)]
pub(super) struct BaseUrl(pub(super) String);

impl FromText for BaseUrl {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        let url = web_address(raw, "wants an address such as \"https://api.sendgrid.com\"")?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(Fault::new("is plain http; only https carries the key")
                    .help("plain http goes to a literal loopback address only, such as \"http://127.0.0.1:8080\""));
            }
            _ => return Err(Fault::new("wants an address that begins with https://")),
        }
        Ok(Self(url.origin().ascii_serialization()))
    }
}

/// Scheme, host and port of an http proxy, without a trailing slash.
#[derive(Debug)]
pub(super) struct ProxyUrl(pub(super) String);

impl FromText for ProxyUrl {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        let example = "wants an address such as \"http://proxy.example.com:3128\"";
        if !raw.starts_with("http://") {
            return Err(Fault::new(example));
        }
        let url = web_address(raw, example)?;
        Ok(Self(url.origin().ascii_serialization()))
    }
}

/// An address that is a scheme, a host and perhaps a port, and nothing else.
fn web_address(raw: &str, wants: &str) -> Result<Url, Fault> {
    let url = Url::parse(raw).map_err(|_| Fault::new(wants))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::new("has a user name or a password in it")
            .help("for a proxy, put user:password into a file that proxy_credentials_file names.\nTreat the password in this file as known to everybody who could read it."));
    }
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if url.host().is_none() || !bare {
        return Err(Fault::new("wants scheme, host and port, and no path"));
    }
    Ok(url)
}

/// Whether a base URL leads to a literal loopback address.
pub(super) fn is_literal_loopback(base_url: &str) -> bool {
    Url::parse(base_url).is_ok_and(|it| is_loopback(&it))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

/// The value of an `on-behalf-of` header.
#[derive(Debug)]
pub(super) struct OnBehalfOf(pub(super) String);

impl FromText for OnBehalfOf {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        let fits = (1..=255).contains(&raw.len()) && raw.trim() == raw;
        if fits && raw.bytes().all(|it| (b' '..=b'~').contains(&it)) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Fault::new(
                "wants a subuser's name, or \"account-id ID\": 1 to 255 ASCII characters",
            ))
        }
    }
}

/// A pattern of file names.
#[derive(Debug)]
pub(super) struct FilePattern(pub(super) String);

impl FromText for FilePattern {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        let fits = !raw.is_empty() && !raw.contains('/');
        if fits
            && GlobBuilder::new(raw)
                .literal_separator(true)
                .build()
                .is_ok()
        {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Fault::new(
                "wants patterns of file names, such as [\"*.pem\"]; subdirectories are not looked at",
            ))
        }
    }
}

/// The name or number of a user or a group.
#[derive(Debug)]
pub(super) struct Principal(pub(super) String);

impl FromText for Principal {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        if (1..=256).contains(&raw.len()) && !raw.contains([':', '/']) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Fault::new(
                "wants names or numbers, such as [\"idp-drop\", 1001]",
            ))
        }
    }
}

impl FromText for HttpSettings {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        let listen = match raw {
            "" => None,
            _ => Some(raw.parse::<SocketAddr>().map_err(|_| {
                Fault::new(
                    "wants an address and a port, such as \"127.0.0.1:9465\", or \"\" for none",
                )
            })?),
        };
        Ok(Self { listen })
    }
}

/// tracing's directives.
#[derive(Debug)]
pub(super) struct Directives(pub(super) String);

impl FromText for Directives {
    fn from_text(raw: &str) -> Result<Self, Fault> {
        let fault = || {
            Fault::new(
                "wants \"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\", or directives for sso_certd such as \"info,sso_certd::plan=debug\"",
            )
        };
        if check_level(raw).is_ok() {
            Ok(Self(raw.to_owned()))
        } else {
            Err(fault())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuses<T: FromText + std::fmt::Debug>(raw: &str, expected: &str) {
        let fault = T::from_text(raw).unwrap_err();
        assert!(fault.says.contains(expected), "{raw}: {}", fault.says);
    }

    #[test]
    fn only_https_carries_the_key() {
        for (raw, expected) in [
            ("https://api.sendgrid.com", "https://api.sendgrid.com"),
            (
                "https://API.eu.sendgrid.com:443/",
                "https://api.eu.sendgrid.com",
            ),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(BaseUrl::from_text(raw).unwrap().0, expected);
        }
        refuses::<BaseUrl>("http://api.example.com", "only https carries the key");
        refuses::<BaseUrl>("http://localhost:8080", "only https carries the key");
        refuses::<BaseUrl>("http://127.0.0.1.example.com", "only https carries the key");
        refuses::<BaseUrl>("http://10.0.0.1", "only https carries the key");
        refuses::<BaseUrl>("ftp://api.example.com", "begins with https://");
        refuses::<BaseUrl>("api.example.com", "such as");
        refuses::<BaseUrl>("https://api.example.com/v3", "no path");
        refuses::<BaseUrl>("https://api.example.com/?x=1", "no path");
        refuses::<BaseUrl>("https://u:p@api.example.com", "user name or a password");
    }

    #[test]
    fn a_proxy_carries_no_password() {
        assert_eq!(
            ProxyUrl::from_text("http://proxy.example.com:3128/")
                .unwrap()
                .0,
            "http://proxy.example.com:3128"
        );
        refuses::<ProxyUrl>("http://u@proxy.example.com", "user name or a password");
        refuses::<ProxyUrl>("socks5://proxy.example.com", "such as");
    }

    #[test]
    fn a_word_that_is_no_level_is_no_target() {
        for raw in ["info", "WARN", "off", "info,sso_certd::plan=debug"] {
            assert!(Directives::from_text(raw).is_ok(), "{raw}");
        }
        for raw in [
            "",
            "verbose",
            "info,",
            "sso_certd=loud",
            "sso_certd",
            "info,hyper=trace",
        ] {
            refuses::<Directives>(raw, "\"info\"");
        }
    }

    #[test]
    fn a_pattern_is_of_names_not_of_paths() {
        assert!(FilePattern::from_text("*.pem").is_ok());
        for raw in ["", "sub/*.pem", "[a-"] {
            refuses::<FilePattern>(raw, "patterns of file names");
        }
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(Duration::from_text("1h 30m"), Ok(Duration::from_secs(5400)));
        for raw in ["", "5", "-5s", "5 parsecs", "99999999999999999999y"] {
            refuses::<Duration>(raw, "a unit");
        }
    }

    #[test]
    fn the_header_that_names_a_subuser_is_one_line_of_ascii() {
        assert!(OnBehalfOf::from_text("account-id 12345").is_ok());
        for raw in ["", " x", "naïve", "a\nb"] {
            refuses::<OnBehalfOf>(raw, "ASCII");
        }
    }

    #[test]
    fn an_empty_address_turns_the_listener_off() {
        assert_eq!(HttpSettings::from_text("").unwrap().listen, None);
        assert!(
            HttpSettings::from_text("[::1]:9465")
                .unwrap()
                .listen
                .is_some()
        );
        refuses::<HttpSettings>("localhost:9465", "address and a port");
        refuses::<HttpSettings>("9465", "address and a port");
    }
}
