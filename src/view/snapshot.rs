//! Everything the daemon knows at one instant: status, metrics and page are drawn from this and from nothing else.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    AccountName, Certificate, CertificateId, Clocks, Fingerprint, IntegrationId, IntegrationName,
    Look, Skew, SourceError, Timestamp,
};
use crate::plan::admission::Admission;
use crate::plan::policy::{ExpiryPolicy, Mode};
use crate::plan::rollover::Plan;

/// The daemon at one instant.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When this was true.
    pub at: Timestamp,
    /// When the daemon started.
    pub started: Timestamp,
    /// The machine, as people call it.
    pub host: String,
    /// Whether a daemon stands behind this, or only its ledger.
    pub is_live: bool,
    /// Every configured integration, by name.
    pub integrations: BTreeMap<IntegrationName, IntegrationSnapshot>,
    /// What the ledger still has of integrations that are no longer configured.
    pub orphans: Vec<Orphan>,
    /// Every configured account, by name.
    pub accounts: BTreeMap<AccountName, AccountSnapshot>,
    /// Why the ledger cannot be written; none while it can.
    pub ledger_failure: Option<String>,
    /// The schedule.
    pub schedule: ScheduleSnapshot,
    /// The last reload of the configuration: whether it was taken, and when one last was.
    pub reload: ReloadSnapshot,
}

/// One integration at one instant.
#[derive(Clone, Debug)]
pub struct IntegrationSnapshot {
    /// Its name.
    pub name: IntegrationName,
    /// Its account.
    pub account: AccountName,
    /// SendGrid's id.
    pub integration_id: IntegrationId,
    /// Whether we may write.
    pub mode: Mode,
    /// Where its certificates come from.
    pub directory: PathBuf,
    /// When a person is told.
    pub expiry: ExpiryPolicy,
    /// The last plan, made after what it wanted was applied; before the first list, made from the ledger; none if there
    /// never was a list.
    pub plan: Option<Arc<Plan>>,
    /// The source.
    pub source: SourceSnapshot,
    /// Since when the daemon has had it in its configuration, in this life.
    pub configured_at: Timestamp,
    /// When it was last compared with SendGrid, in this life or a former one.
    pub compared_at: Option<Timestamp>,
    /// Whether a pass has ended, well or not, since the daemon started.
    pub has_passed: bool,
    /// Why passes fail; none while they succeed.
    pub failure: Option<PassFailure>,
    /// The last change that was made at SendGrid.
    pub last_change: Option<LastChange>,
}

/// An integration that is no longer configured, with what the ledger still has of it.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// SendGrid's id.
    pub integration_id: IntegrationId,
    /// What the configuration called it last, if it ever did.
    pub name: Option<IntegrationName>,
    /// The account it was in then.
    pub account: Option<AccountName>,
    /// What is still in its books, by fingerprint.
    pub certificates: Vec<OrphanCertificate>,
}

/// A certificate of an integration that is no longer configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrphanCertificate {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The certificate, if it was ever seen.
    pub certificate: Option<Certificate>,
    /// Its id at SendGrid, if it was listed.
    pub id: Option<CertificateId>,
}

impl Orphan {
    /// What it was called, or its id.
    pub fn label(&self) -> String {
        let name = self.name.as_ref().map(ToString::to_string);
        name.unwrap_or_else(|| self.integration_id.to_string())
    }
}

/// Why passes fail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassFailure {
    /// Since when, without a success.
    pub since: Timestamp,
    /// One line in words.
    pub text: String,
    /// Whether SendGrid says that the integration, or everything in it, is not there.
    pub is_missing: bool,
}

/// The last change at SendGrid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastChange {
    /// When.
    pub at: Timestamp,
    /// `uploaded`.
    pub what: String,
    /// Which certificate.
    pub fingerprint: Fingerprint,
    /// From the first request to the read-back.
    pub took: Duration,
}

/// A source at one instant.
#[derive(Clone, Debug)]
pub struct SourceSnapshot {
    /// The last scan; none before the first one.
    pub scan: Option<Result<Arc<Look>, SourceError>>,
    /// How the integration reads it.
    pub admission: Admission,
    /// The last scan as the integration reads it.
    pub look: Option<Result<Arc<Look>, SourceError>>,
    /// When that was.
    pub looked_at: Option<Timestamp>,
    /// Since when it cannot be read.
    pub down_since: Option<Timestamp>,
    /// Whether the kernel tells of changes; else it is polled.
    pub is_watched: bool,
}

/// One account at one instant.
#[derive(Clone, PartialEq, Debug)]
pub struct AccountSnapshot {
    /// Its name.
    pub name: AccountName,
    /// Our own ceiling.
    pub requests_per_minute: u32,
    /// Where the key comes from, in words; never the key: `the credential sendgrid-api-key`.
    pub key_from: String,
    /// Whether a new key needs a restart, because it is a copy made at start.
    pub key_needs_restart: bool,
    /// Why nothing at all can be asked; none while something can.
    pub unusable: Option<Unusable>,
    /// Whether SendGrid forbids uploads with this key: a scope is missing, or it is a temporary block.
    pub uploads_forbidden: bool,
    /// Whether SendGrid accepts the key; none until it has answered.
    pub key_valid: Option<bool>,
    /// Until when nothing is asked, and why.
    pub backoff: Option<Backoff>,
    /// When SendGrid last answered anything at all.
    pub answered_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// The last failure, while there is one.
    pub failure: Option<AccountFailure>,
    /// `X-RateLimit-Limit` as last seen.
    pub rate_limit: Option<u64>,
    /// `X-RateLimit-Remaining` as last seen.
    pub rate_remaining: Option<u64>,
    /// When the window ends, on our clock.
    pub rate_reset: Option<Timestamp>,
    /// Our clock minus SendGrid's, in seconds.
    pub clock_skew: Option<f64>,
    /// Why a clock must be wrong, if one must.
    pub clock: Option<ClockFault>,
    /// How many integrations it has in the configuration.
    pub integrations: usize,
}

/// Our clock and SendGrid's cannot both be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockFault {
    /// Since when, by our clock.
    pub since: Timestamp,
    /// How far they disagree.
    pub skew: Skew,
}

/// Why SendGrid gives an account no answer, or none that helps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountFailure {
    /// One line in words.
    pub text: String,
    /// What came instead of an answer that helps.
    pub kind: FailureKind,
}

/// What came instead of an answer that helps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureKind {
    /// An answer with this status.
    Status(u16),
    /// A certificate that is not accepted for more than its dates, or another end of the handshake.
    Tls,
    /// Nothing, or nothing that can be read.
    NoAnswer,
}

impl AccountSnapshot {
    /// Whether only another key helps.
    pub fn needs_key(&self) -> bool {
        let has_none = self.unusable.as_ref().is_some_and(|it| it.lacks_key);
        has_none || self.key_valid == Some(false)
    }

    /// Whether there is a key, and nothing to reach SendGrid with: no roots, no credentials for the proxy.
    pub fn lacks_client(&self) -> bool {
        self.unusable.as_ref().is_some_and(|it| !it.lacks_key)
    }
}

/// Why nothing can be asked of SendGrid with what this machine has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unusable {
    /// Whether it is for want of a key; else it is for want of what the connection needs.
    pub lacks_key: bool,
    /// What is wrong.
    pub text: String,
    /// Lines that help.
    pub help: Vec<String>,
}

impl Unusable {
    /// For want of a key.
    pub const fn key(text: String, help: Vec<String>) -> Self {
        Self {
            lacks_key: true,
            text,
            help,
        }
    }

    /// For want of what the connection needs.
    pub const fn client(text: String, help: Vec<String>) -> Self {
        Self {
            lacks_key: false,
            text,
            help,
        }
    }
}

/// All of it in one line.
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.help
            .iter()
            .try_for_each(|it| write!(f, "; {}", it.trim()))
    }
}

/// Until when an account asks nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// Until when.
    pub until: Timestamp,
    /// `rate limited`, `the key was rejected`.
    pub why: String,
}

/// The schedule at one instant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScheduleSnapshot {
    /// The next round.
    pub next_run: Option<Timestamp>,
    /// The last one that was due.
    pub last_due: Option<Timestamp>,
    /// The longest time between two rounds.
    pub round: Option<Duration>,
}

/// Reloads of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReloadSnapshot {
    /// Whether the last one was taken.
    pub is_ok: bool,
    /// When one last was.
    pub succeeded_at: Timestamp,
}

impl SourceSnapshot {
    /// Takes in a new scan.
    pub fn take(&mut self, scan: Result<Arc<Look>, SourceError>) {
        self.look = Some(scan.clone().map(|scan| match self.admission.apply(&scan) {
            Cow::Borrowed(_) => Arc::clone(&scan),
            Cow::Owned(look) => Arc::new(look),
        }));
        self.scan = Some(scan);
    }

    /// From now on the integration reads its source like this.
    pub fn admit(&mut self, admission: Admission) {
        if self.admission == admission {
            return;
        }
        self.admission = admission;
        if let Some(scan) = self.scan.take() {
            self.take(scan);
        }
    }
}

impl Snapshot {
    /// The same instant with these integrations only; all of them if none is named.
    ///
    /// # Errors
    /// The first name that is not configured.
    pub fn only(&self, names: &BTreeSet<IntegrationName>) -> Result<Self, IntegrationName> {
        if let Some(unknown) = names.iter().find(|it| !self.integrations.contains_key(it)) {
            return Err(unknown.clone());
        }
        let mut snapshot = self.clone();
        if !names.is_empty() {
            snapshot.integrations.retain(|it, _| names.contains(it));
            snapshot.orphans.clear();
        }
        Ok(snapshot)
    }
}

impl IntegrationSnapshot {
    /// What our clock and SendGrid's say when ours says `now`, by the last plan.
    pub fn clocks(&self, now: Timestamp) -> Clocks {
        self.plan
            .as_ref()
            .map_or_else(|| now.into(), |it| it.outlook.skew.at(now))
    }
}
