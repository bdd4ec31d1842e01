//! The merged configuration as serde reads it: every key has a field, and every text is already what it means.
//!
//! What is ignored here was checked in its file like all others; of it only the default is supported.

use std::collections::BTreeMap;
use std::time::Duration;

use config::Value;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::problem::Problem;
use super::value::{
    AbsolutePath, BaseUrl, Directives, FilePattern, FromText, OnBehalfOf, Principal, ProxyUrl,
};
use crate::adapter::http::HttpSettings;
use crate::adapter::log::LogFormat;
use crate::domain::{AccountName, Fingerprint, IntegrationId};
use crate::plan::policy::{Mode, Require, RetireAction, RetireWhen};
use crate::plan::schedule::Schedule;

/// Reads what was merged.
///
/// Every value was checked in its file, so this fails only if a check and a type here disagree; then the key is
/// named and nothing else.
pub(super) fn read(merged: Value) -> Result<Raw, Problem> {
    serde_path_to_error::deserialize(merged)
        .map_err(|it| Problem::new(format!("`{}` cannot be used", it.path())))
}

/// A value that is written as a text.
#[derive(Debug)]
pub(super) struct Text<T>(pub(super) T);

impl<'de, T: FromText> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = String::deserialize(deserializer)?;
        T::from_text(&raw)
            .map(Self)
            .map_err(|it| D::Error::custom(it.says))
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) state_directory: Text<AbsolutePath>,
    pub(super) accounts: BTreeMap<String, RawAccount>,
    #[serde(default)]
    pub(super) integrations: BTreeMap<String, RawIntegration>,
    pub(super) watch: RawWatch,
    pub(super) schedule: RawSchedule,
    pub(super) delivery: RawDelivery,
    pub(super) http: RawHttp,
    pub(super) log: RawLog,
}

impl Raw {
    /// The accounts that something will be asked of: those of integrations, or all where there is none yet.
    pub(super) fn accounts_in_use(&self) -> impl Iterator<Item = &RawAccount> {
        let is_used = |name: &str| {
            let mut integrations = self.integrations.values();
            self.integrations.is_empty() || integrations.any(|it| it.account.0.as_str() == name)
        };
        let accounts = self.accounts.iter();
        accounts
            .filter(move |(name, _)| is_used(name))
            .map(|(_, it)| it)
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    pub(super) api_key_file: Option<Text<AbsolutePath>>,
    pub(super) base_url: Text<BaseUrl>,
    pub(super) on_behalf_of: Option<Text<OnBehalfOf>>,
    pub(super) ca_file: Option<Text<AbsolutePath>>,
    pub(super) proxy: Option<Text<ProxyUrl>>,
    pub(super) proxy_credentials_file: Option<Text<AbsolutePath>>,
    pub(super) connect_timeout: Text<Duration>,
    pub(super) request_timeout: Text<Duration>,
    pub(super) requests_per_minute: u32,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIntegration {
    pub(super) account: Text<AccountName>,
    pub(super) integration_id: Option<Text<IntegrationId>>,
    pub(super) directory: Text<AbsolutePath>,
    pub(super) files: Vec<Text<FilePattern>>,
    pub(super) mode: Text<Mode>,
    pub(super) strict_permissions: bool,
    pub(super) allowed_owners: Vec<Text<Principal>>,
    pub(super) allowed_groups: Vec<Text<Principal>>,
    pub(super) metadata: IgnoredAny,
    pub(super) trust: RawTrust,
    pub(super) retire: RawRetire,
    pub(super) expiry: RawExpiry,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrust {
    pub(super) require: Text<Require>,
    pub(super) pins: Vec<Text<Fingerprint>>,
    pub(super) hold_down: Text<Duration>,
    pub(super) new_keys_per_day: u32,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRetire {
    pub(super) action: Text<RetireAction>,
    pub(super) when: Text<RetireWhen>,
    pub(super) min_overlap: Text<Duration>,
    pub(super) min_absence: Text<Duration>,
    pub(super) expired_after: Text<Duration>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpiry {
    pub(super) successor: Text<Duration>,
    pub(super) warn: Text<Duration>,
    pub(super) critical: Text<Duration>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWatch {
    pub(super) events: bool,
    pub(super) quiet: Text<Duration>,
    pub(super) poll: Text<Duration>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSchedule {
    pub(super) reconcile: Text<Schedule>,
    pub(super) jitter: Text<Duration>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDelivery {
    pub(super) settle: Text<Duration>,
    pub(super) retry_first: Text<Duration>,
    pub(super) retry_cap: Text<Duration>,
    pub(super) refused_hold: Text<Duration>,
    pub(super) probe: Text<Duration>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHttp {
    pub(super) listen: Text<HttpSettings>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    pub(super) level: Text<Directives>,
    pub(super) format: Text<LogFormat>,
}
