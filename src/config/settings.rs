//! What the daemon runs on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::IgnoredAny;

use super::access::Writers;
use super::bounds;
use super::environment::Environment;
use super::problem::Problem;
use super::raw::{
    Raw, RawAccount, RawDelivery, RawExpiry, RawIntegration, RawLog, RawRetire, RawTrust, RawWatch,
    Text,
};
use super::value::AbsolutePath;
use crate::adapter::certificate_directory::DirectorySettings;
use crate::adapter::http::HttpSettings;
use crate::adapter::log::LogSettings;
use crate::adapter::sendgrid::{ClientSettings, KeySource};
use crate::adapter::watcher::WatchSettings;
use crate::domain::{AccountName, IntegrationId, IntegrationName};
use crate::plan::gate::GateSettings;
use crate::plan::policy::{DeliveryPolicy, ExpiryPolicy, Policy, RetirePolicy, TrustPolicy};
use crate::plan::schedule::Schedule;

/// The whole configuration, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Holds the ledger and the control socket.
    pub state_directory: PathBuf,
    /// Every account, `default` always among them.
    pub accounts: BTreeMap<AccountName, AccountSettings>,
    /// Every integration; each one's account is in `accounts`.
    pub integrations: BTreeMap<IntegrationName, IntegrationSettings>,
    /// How directories are watched.
    pub watch: WatchSettings,
    /// When SendGrid is looked at without any other reason.
    pub schedule: ScheduleSettings,
    /// The read-only listener.
    pub http: HttpSettings,
    /// The log.
    pub log: LogSettings,
    /// The main file, then those of `conf.d`.
    pub files_read: Vec<PathBuf>,
    /// Who may write those files beside root and the daemon, by the environment.
    pub writers: Writers,
}

/// One SendGrid account: one API key, one rate budget.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountSettings {
    /// How to reach SendGrid.
    pub client: ClientSettings,
    /// How fast to ask.
    pub gate: GateSettings,
    /// Where its key comes from.
    pub key: KeySource,
}

/// One integration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IntegrationSettings {
    /// The account it belongs to.
    pub account: AccountName,
    /// SendGrid's id of it.
    pub integration_id: IntegrationId,
    /// Where its certificates lie.
    pub directory: DirectorySettings,
    /// Its rules.
    pub policy: Policy,
}

/// When SendGrid is looked at without any other reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScheduleSettings {
    /// The regular time.
    pub reconcile: Schedule,
    /// A regular look starts up to this much later.
    pub jitter: Duration,
}

/// Where the key of an account is looked for if nothing names its file.
const DEFAULT_KEY: &str = "/etc/sso-certd/sendgrid-api-key";

/// Takes the raw configuration apart. The problems are those that the files could not have alone.
pub(super) fn settings(
    raw: Raw,
    files_read: Vec<PathBuf>,
    environment: &Environment,
) -> Result<Settings, Problem> {
    let Raw {
        state_directory,
        accounts,
        integrations,
        watch,
        schedule,
        delivery,
        http,
        log,
    } = raw;
    let accounts = accounts
        .into_iter()
        .map(|(name, raw)| {
            let name = AccountName::parse(&name).map_err(|it| nameless("accounts", it))?;
            let settings = account(&name, raw, &delivery, environment);
            Ok((name, settings))
        })
        .collect::<Result<_, Problem>>()?;
    let integrations = integrations
        .into_iter()
        .map(|(name, raw)| {
            let name = IntegrationName::parse(&name).map_err(|it| nameless("integrations", it))?;
            let settings = integration(&name, raw, &watch, &delivery)?;
            Ok((name, settings))
        })
        .collect::<Result<_, Problem>>()?;
    let RawWatch {
        events,
        quiet,
        poll,
    } = watch;
    let RawLog { level, format } = log;
    Ok(Settings {
        state_directory: state_directory.0.0,
        accounts,
        integrations,
        watch: WatchSettings {
            events,
            quiet: quiet.0,
            poll: Some(poll.0).filter(|it| !it.is_zero()),
        },
        schedule: ScheduleSettings {
            reconcile: schedule.reconcile.0,
            jitter: schedule.jitter.0,
        },
        http: http.listen.0,
        log: LogSettings {
            level: level.0.0,
            format: format.0,
        },
        files_read,
        writers: environment.writers(),
    })
}

fn nameless(section: &str, error: crate::domain::NameError) -> Problem {
    Problem::new(format!(
        "`{section}` has a section that is badly named: {error}"
    ))
}

fn account(
    name: &AccountName,
    raw: RawAccount,
    delivery: &RawDelivery,
    environment: &Environment,
) -> AccountSettings {
    let gate = bounds::gate(&raw, delivery);
    let RawAccount {
        api_key_file,
        base_url,
        on_behalf_of,
        ca_file,
        proxy,
        proxy_credentials_file,
        connect_timeout,
        request_timeout,
        requests_per_minute: _,
    } = raw;
    AccountSettings {
        client: ClientSettings {
            base_url: base_url.0.0,
            on_behalf_of: on_behalf_of.map(|it| it.0.0),
            ca_file: ca_file.map(path),
            proxy: proxy.map(|it| it.0.0),
            proxy_credentials_file: proxy_credentials_file.map(path),
            connect_timeout: connect_timeout.0,
            request_timeout: request_timeout.0,
        },
        gate,
        key: key_source(name, api_key_file.map(path), environment),
    }
}

/// Where the key of account `name` comes from: the first of its places that there is.
fn key_source(name: &AccountName, file: Option<PathBuf>, environment: &Environment) -> KeySource {
    let is_default = *name == AccountName::default();
    let suffix = if is_default {
        String::new()
    } else {
        format!("-{name}")
    };
    let credential = format!("sendgrid-api-key{suffix}");
    if let Some(file) = file {
        KeySource::File(file)
    } else if let Some(path) = environment.credential(&credential) {
        KeySource::Credential {
            name: credential,
            path,
        }
    } else if is_default && environment.has_api_key() {
        KeySource::Variable
    } else {
        KeySource::Default(PathBuf::from(format!("{DEFAULT_KEY}{suffix}")))
    }
}

fn integration(
    name: &IntegrationName,
    raw: RawIntegration,
    watch: &RawWatch,
    delivery: &RawDelivery,
) -> Result<IntegrationSettings, Problem> {
    let RawIntegration {
        account,
        integration_id,
        directory,
        files,
        mode,
        strict_permissions,
        allowed_owners,
        allowed_groups,
        metadata: IgnoredAny,
        trust,
        retire,
        expiry,
    } = raw;
    let RawTrust {
        require,
        pins,
        hold_down,
        new_keys_per_day,
    } = trust;
    let RawRetire {
        action,
        when,
        min_overlap,
        min_absence,
        expired_after,
    } = retire;
    let RawExpiry {
        successor,
        warn,
        critical,
    } = expiry;
    let integration_id = integration_id
        .ok_or_else(|| Problem::new(format!("`integrations.{name}.integration_id` is missing")))?;
    Ok(IntegrationSettings {
        account: account.0,
        integration_id: integration_id.0,
        directory: DirectorySettings {
            directory: path(directory),
            files: files.into_iter().map(|it| it.0.0).collect(),
            strict_permissions,
            allowed_owners: allowed_owners.into_iter().map(|it| it.0.0).collect(),
            allowed_groups: allowed_groups.into_iter().map(|it| it.0.0).collect(),
            quiet: watch.quiet.0,
        },
        policy: Policy {
            mode: mode.0,
            trust: TrustPolicy {
                require: require.0,
                hold_down: hold_down.0,
                pins: pins.into_iter().map(|it| it.0).collect(),
                new_keys_per_day,
            },
            retire: RetirePolicy {
                action: action.0,
                when: when.0,
                min_overlap: min_overlap.0,
                min_absence: min_absence.0,
                expired_after: expired_after.0,
            },
            expiry: ExpiryPolicy {
                successor: successor.0,
                warn: warn.0,
                critical: critical.0,
            },
            delivery: DeliveryPolicy {
                settle: delivery.settle.0,
                refused_hold: delivery.refused_hold.0,
            },
        },
    })
}

fn path(raw: Text<AbsolutePath>) -> PathBuf {
    raw.0.0
}
