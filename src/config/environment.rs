//! What the configuration takes from the process's environment, as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::access::{self, Writers};
use super::keys::VARIABLE_PREFIX;
use super::problem::Problem;

const STATE_DIRECTORY: &str = "STATE_DIRECTORY";
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
const API_KEY: &str = "SENDGRID_API_KEY";

/// Variables that other programs obey and this one does not, with the key of an account that does the same.
const UNUSED: &[(&str, Option<&str>)] = &[
    ("HTTPS_PROXY", Some("proxy")),
    ("HTTP_PROXY", Some("proxy")),
    ("ALL_PROXY", Some("proxy")),
    ("https_proxy", Some("proxy")),
    ("http_proxy", Some("proxy")),
    ("all_proxy", Some("proxy")),
    ("SSL_CERT_FILE", Some("ca_file")),
    ("SSL_CERT_DIR", Some("ca_file")),
    ("SSLKEYLOGFILE", None),
];

/// The variables that matter here. Of those that may hold a secret only the name is kept.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// The environment of this process, read once.
    pub fn of_process() -> Self {
        Self::new(std::env::vars_os())
    }

    /// Takes what matters of these names and values; empty values count as unset, but for those that set a key.
    pub fn new<N: Into<OsString>, V: Into<OsString>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut variables = BTreeMap::new();
        for (name, value) in pairs {
            let name = name.into().to_string_lossy().into_owned();
            let value = value.into();
            let directory = [STATE_DIRECTORY, CREDENTIALS_DIRECTORY].contains(&name.as_str());
            let by_name = name == API_KEY || UNUSED.iter().any(|it| it.0 == name);
            let writers = access::VARIABLES.contains(&name.as_str());
            if name.starts_with(VARIABLE_PREFIX) || ((directory || writers) && !value.is_empty()) {
                variables.insert(name, value);
            } else if by_name && !value.is_empty() {
                variables.insert(name, OsString::new());
            }
        }
        Self { variables }
    }

    /// Every variable that sets a key, or means to, with its value.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.variables
            .iter()
            .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
            .map(|(name, value)| (name.as_str(), value.as_os_str()))
    }

    /// The name and the value of the variable that systemd's `StateDirectory=` sets.
    pub(super) fn state_directory(&self) -> Option<(&'static str, &OsStr)> {
        let value = self.variables.get(STATE_DIRECTORY)?;
        Some((STATE_DIRECTORY, value.as_os_str()))
    }

    /// Whom the unit lets write the configuration.
    pub(super) fn writers(&self) -> Writers {
        let [owners, groups] = access::VARIABLES.map(|name| {
            let value = self.variables.get(name);
            value.map_or_else(Vec::new, |it| access::names(&it.to_string_lossy()))
        });
        Writers { owners, groups }
    }

    /// Where the credential `name` lies, if systemd passed it on.
    pub(super) fn credential(&self, name: &str) -> Option<PathBuf> {
        let path = Path::new(self.variables.get(CREDENTIALS_DIRECTORY)?).join(name);
        path.exists().then_some(path)
    }

    /// Whether the variable `SENDGRID_API_KEY` is set.
    pub(super) fn has_api_key(&self) -> bool {
        self.variables.contains_key(API_KEY)
    }

    /// A warning for each variable that is set and not used. `is_set` says whether an account sets that key: then
    /// its author knows.
    pub(super) fn warnings(&self, is_set: impl Fn(&str) -> bool) -> Vec<Problem> {
        let mut warnings = Vec::new();
        for (name, key) in UNUSED {
            let known = key.is_some_and(&is_set);
            if known || !self.variables.contains_key(*name) {
                continue;
            }
            let help = match key {
                Some("proxy") => "accounts.default.proxy = \"http://proxy.example.com:3128\"",
                Some(_) => "accounts.default.ca_file = \"/path/to/roots.pem\"",
                None => "keys of TLS sessions are never written anywhere",
            };
            warnings
                .push(Problem::new(format!("{name} is set and not used")).help(help.to_owned()));
        }
        warnings
    }
}

/// The names alone.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
