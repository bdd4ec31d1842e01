//! The tables of keys, in the order of the shipped file.

use std::time::Duration;

use super::keys::{INTEGRATION_ID, Key, Kind, Preset};
use super::value::{
    AbsolutePath, BaseUrl, Directives, FilePattern, FromText, OnBehalfOf, ProxyUrl, check,
};
use crate::adapter::http::HttpSettings;
use crate::adapter::log::LogFormat;
use crate::domain::{AccountName, Fingerprint, IntegrationId};
use crate::plan::policy::{Mode, Require, RetireAction, RetireWhen};
use crate::plan::schedule::Schedule;

const ANY: Kind = Kind::Duration(Duration::ZERO);
const POSITIVE: Kind = Kind::Duration(Duration::from_millis(1));
const PATH: Kind = text::<AbsolutePath>();

const fn text<T: FromText>() -> Kind {
    Kind::Text(check::<T>)
}

const fn key(name: &'static str, kind: Kind, default: Preset, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        doc,
    }
}

pub(super) static FIXED: &[Key] = &[
    key(
        "state_directory",
        PATH,
        Preset::Text("/var/lib/sso-certd"),
        "Holds the ledger and the control socket. Default: the variable STATE_DIRECTORY, which systemd sets, else this.",
    ),
    key(
        "watch.events",
        Kind::Switch,
        Preset::Switch(true),
        "Ask the kernel for events; false: polling only.",
    ),
    key(
        "watch.quiet",
        POSITIVE,
        Preset::Text("250ms"),
        "A file counts once nothing happened to it for this long.",
    ),
    key(
        "watch.poll",
        ANY,
        Preset::Text("60s"),
        "A full look at every directory, events or not; \"0s\": never.",
    ),
    key(
        "schedule.reconcile",
        text::<Schedule>(),
        Preset::Text("0 * * * *"),
        "When SendGrid is looked at: cron in UTC, five fields, or six with seconds first.",
    ),
    key(
        "schedule.jitter",
        ANY,
        Preset::Text("2m"),
        "A scheduled look starts up to this much later, so that many hosts do not ask at once.",
    ),
    key(
        "delivery.settle",
        POSITIVE,
        Preset::Text("3m"),
        "No second POST before this and two lists; later up to 5 times this after errors, 20 times after silence.",
    ),
    key(
        "delivery.retry_first",
        POSITIVE,
        Preset::Text("1s"),
        "The wait after a failure, at least 100 ms; doubles at each further one ...",
    ),
    key(
        "delivery.retry_cap",
        POSITIVE,
        Preset::Text("15m"),
        "... up to this, at least 1 s.",
    ),
    key(
        "delivery.refused_hold",
        POSITIVE,
        Preset::Text("24h"),
        "After a 400 a certificate is not sent again before this, `sync`, or a changed file.",
    ),
    key(
        "delivery.probe",
        POSITIVE,
        Preset::Text("5m"),
        "How often a rejected key or a 403 is tried again, at least 10 s; doubles to three times this.",
    ),
    key(
        "http.listen",
        text::<HttpSettings>(),
        Preset::Text("127.0.0.1:9465"),
        "Metrics, health and the status page, read-only; \"\" turns it off. An address that is not there yet is tried again.",
    ),
    key(
        "log.level",
        text::<Directives>(),
        Preset::Text("info"),
        "tracing's directives; RUST_LOG is not read; crates other than ours stay at warn.",
    ),
    key(
        "log.format",
        text::<LogFormat>(),
        Preset::Text("auto"),
        "\"auto\": text on a terminal, text with syslog priorities under journald, else JSON; or \"text\", \"json\".",
    ),
];

pub(super) static ACCOUNT: &[Key] = &[
    key(
        "api_key_file",
        PATH,
        Preset::Unset("\"/etc/sso-certd/sendgrid-api-key\""),
        "Default: the credential sendgrid-api-key, else the variable SENDGRID_API_KEY, else this file. Account NAME: with -NAME behind it, and no variable.",
    ),
    key(
        "base_url",
        text::<BaseUrl>(),
        Preset::Text("https://api.sendgrid.com"),
        "https only; plain http only to a literal loopback address.",
    ),
    key(
        "on_behalf_of",
        text::<OnBehalfOf>(),
        Preset::Unset("\"subuser\""),
        "Ask in the name of this subuser.",
    ),
    key(
        "ca_file",
        PATH,
        Preset::Unset("\"/etc/ssl/certs/proxy-ca.pem\""),
        "Roots to trust instead of the system's.",
    ),
    key(
        "proxy",
        text::<ProxyUrl>(),
        Preset::Unset("\"http://proxy.example.com:3128\""),
        "An http proxy, without user name and password; the environment's proxies are not used.",
    ),
    key(
        "proxy_credentials_file",
        PATH,
        Preset::Unset("\"/etc/sso-certd/proxy-credentials\""),
        "A file with user:password for the proxy.",
    ),
    key(
        "connect_timeout",
        POSITIVE,
        Preset::Text("5s"),
        "The longest a connection may take.",
    ),
    key(
        "request_timeout",
        POSITIVE,
        Preset::Text("30s"),
        "The longest a whole request may take.",
    ),
    key(
        "requests_per_minute",
        Kind::Number(1, 60_000),
        Preset::Number(120),
        "Our own ceiling, a bucket: a minute's worth may go at once, then evenly.",
    ),
];

pub(super) static INTEGRATION: &[Key] = &[
    key(
        "account",
        text::<AccountName>(),
        Preset::Text("default"),
        "The account it belongs to.",
    ),
    key(
        INTEGRATION_ID,
        text::<IntegrationId>(),
        Preset::Unset("\"00000000-0000-0000-0000-000000000000\""),
        "Required, and the only key that is; `sso-certd integrations` lists yours.",
    ),
    key(
        "directory",
        PATH,
        Preset::Directory,
        "Where its certificates lie; may serve several integrations. Default: the directory of its name.",
    ),
    key(
        "files",
        Kind::SomeTexts(check::<FilePattern>),
        Preset::Texts(&[
            "*.pem", "*.crt", "*.cer", "*.cert", "*.der", "*.p7b", "*.xml",
        ]),
        "Other files, and subdirectories, are ignored and counted.",
    ),
    key(
        "mode",
        text::<Mode>(),
        Preset::Text("manage"),
        "\"manage\", or \"observe\": reads, plans, reports and never writes to SendGrid.",
    ),
    key(
        "strict_permissions",
        Kind::Switch,
        Preset::Switch(true),
        "Refuse files that others than root, the daemon, allowed_owners or allowed_groups could write.",
    ),
    key(
        "allowed_owners",
        Kind::Principals,
        Preset::Texts(&[]),
        "User names or numbers.",
    ),
    key(
        "allowed_groups",
        Kind::Principals,
        Preset::Texts(&[]),
        "Group names or numbers.",
    ),
    key(
        "metadata.url",
        Kind::Unsupported,
        Preset::Unset("\"https://idp.example.com/metadata\""),
        "The identity provider's SAML metadata as a second source. Not supported yet.",
    ),
    key(
        "metadata.entity_id",
        Kind::Unsupported,
        Preset::Unset("\"https://idp.example.com/\""),
        "Must be the document's, byte for byte. Not supported yet.",
    ),
    key(
        "metadata.refresh",
        POSITIVE,
        Preset::Text("1h"),
        "How often the metadata is fetched.",
    ),
    key(
        "trust.require",
        text::<Require>(),
        Preset::Text("source"),
        "What a new key needs before it is uploaded. \"source\": to be in the directory; \"hold-down\": to be there for hold_down; \"pin\"; \"approval\".",
    ),
    key(
        "trust.pins",
        Kind::Texts(check::<Fingerprint>),
        Preset::Texts(&[]),
        "SHA-256 fingerprints of the DER, with or without colons: always enough.",
    ),
    key(
        "trust.hold_down",
        POSITIVE,
        Preset::Text("24h"),
        "How long a certificate waits under \"hold-down\".",
    ),
    key(
        "trust.new_keys_per_day",
        Kind::Number(0, 10_000),
        Preset::Number(5),
        "New public keys uploaded in 24 h, not counted before the first trusted one; past it a person must approve; 0: no limit.",
    ),
    key(
        "retire.action",
        text::<RetireAction>(),
        Preset::Text("keep"),
        "What happens to an old certificate of ours: \"keep\" only reports it, \"disable\", \"delete\".",
    ),
    key(
        "retire.when",
        text::<RetireWhen>(),
        Preset::Text("expired"),
        "\"expired\": once it has been over for expired_after; \"absent\": also once it has left the source for min_absence.",
    ),
    key(
        "retire.min_overlap",
        ANY,
        Preset::Text("30d"),
        "Its successor must have been trusted for this long.",
    ),
    key(
        "retire.min_absence",
        ANY,
        Preset::Text("14d"),
        "It must have been gone from a healthy source for this long.",
    ),
    key(
        "retire.expired_after",
        ANY,
        Preset::Text("7d"),
        "It must have been over for this long.",
    ),
    key(
        "expiry.successor",
        ANY,
        Preset::Text("45d"),
        "The next certificate should be known this long before the end (AD FS: \"14d\").",
    ),
    key(
        "expiry.warn",
        ANY,
        Preset::Text("30d"),
        "From this long before the end it is remarked upon.",
    ),
    key(
        "expiry.critical",
        ANY,
        Preset::Text("7d"),
        "From this long before the end logins are about to stop.",
    ),
];
