//! Everything that needs somebody, worst first: the only place that decides what is raised and how bad it is.
//!
//! The `attention` metric, the first sentence, *To do*, `status --json` and the exit code of `status` render this list,
//! so they cannot disagree. [`raise`] finds what stands, [`sentence`] and [`advice`] word it.
//!
//! A reason is added as a line of the list below: the compiler then asks for its severity, its sentence and its advice,
//! and a test for a situation that raises it.

mod advice;
mod certificate;
mod raise;
mod sentence;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use crate::domain::{AccountName, IntegrationName, Timestamp};

use advice::Adviser;
use raise::{About, Raised, raised};
pub(crate) use raise::{deadline_of_plan, decide_by};
pub(crate) use sentence::LONGEST;

use super::snapshot::{IntegrationSnapshot, Snapshot};
use super::terminal::Mark;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// Why somebody is needed. A closed list, for it is a metric label; in the order in which reasons of one severity
        /// are told.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum AlarmReason { $($(#[$doc])* $name),+ }

        impl AlarmReason {
            /// Every reason there is, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word in metrics and JSON.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

reasons! {
    /// The ledger cannot be written.
    Ledger = "ledger",
    /// SendGrid's clock and ours disagree.
    Clock = "clock",
    /// Trust is lost: nothing that counts is valid, or nothing valid is listed, although something once was.
    NoTrust = "no_trust",
    /// SendGrid lists a certificate that nobody here knows.
    Unmanaged = "unmanaged",
    /// A row of ours carries another certificate.
    Replaced = "replaced",
    /// A private key lies in the source.
    PrivateKey = "private_key",
    /// The configured integration id is another one than before.
    IdChanged = "id_changed",
    /// Trust ends within `expiry.critical`.
    TrustEnds = "trust_ends",
    /// SendGrid says that the integration is not there.
    IntegrationMissing = "integration_missing",
    /// A certificate that is wanted was removed at SendGrid.
    Removed = "removed",
    /// SendGrid does not know the API key, or there is none.
    ApiKey = "api_key",
    /// No secure connection: no usable roots, or a certificate that is not accepted.
    Tls = "tls",
    /// Not compared with SendGrid for too long.
    NotCompared = "not_compared",
    /// A certificate was sent and does not arrive.
    Undelivered = "undelivered",
    /// A new key waits for an approval or a pin.
    Approval = "approval",
    /// Too many new keys in a day, or too many certificates.
    KeyBudget = "key_budget",
    /// SendGrid refuses a certificate.
    Rejected = "rejected",
    /// A file of the source is refused.
    Refused = "refused",
    /// The next certificate should be known by now.
    NoSuccessor = "no_successor",
    /// The source cannot be read.
    SourceDown = "source_down",
    /// A certificate would be uploaded, but for `observe` or a pause.
    Withheld = "withheld",
    /// SendGrid lists a row that cannot be read.
    Undecodable = "undecodable",
    /// Something valid is listed that no source holds, and nothing ever counted as trust.
    NotInSource = "not_in_source",
    /// Nothing valid was ever listed.
    NotSetUp = "not_set_up",
    /// SendGrid lists a certificate twice.
    Duplicate = "duplicate",
}

impl AlarmReason {
    /// How bad it is where trust is not lost. `presses`: it has stood for long, or the end of trust is near.
    const fn severity(self, presses: bool) -> Severity {
        match self {
            Self::NoTrust | Self::TrustEnds | Self::Unmanaged | Self::Replaced => {
                Severity::Critical
            }
            Self::NotSetUp | Self::NotInSource | Self::Withheld => {
                if presses {
                    Severity::Warning
                } else {
                    Severity::Note
                }
            }
            Self::Duplicate => Severity::Note,
            Self::Ledger
            | Self::Clock
            | Self::PrivateKey
            | Self::IdChanged
            | Self::IntegrationMissing
            | Self::Removed
            | Self::ApiKey
            | Self::Tls
            | Self::NotCompared
            | Self::Undelivered
            | Self::Approval
            | Self::KeyBudget
            | Self::Rejected
            | Self::Refused
            | Self::NoSuccessor
            | Self::SourceDown
            | Self::Undecodable => Severity::Warning,
        }
    }
}

impl fmt::Display for AlarmReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How bad an alarm is, worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Logins fail or are about to, or somebody may sign in who should not.
    Critical,
    /// It gets worse if nobody acts.
    Warning,
    /// Worth knowing: it changes no exit code and no first sentence.
    Note,
}

impl Severity {
    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    /// The mark beside it.
    pub(crate) const fn mark(self) -> Mark {
        match self {
            Self::Critical => Mark::Broken,
            Self::Warning => Mark::NeedsYou,
            Self::Note => Mark::Fine,
        }
    }
}

/// What an alarm is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// The daemon, and so every integration.
    Daemon,
    /// An account, and so every integration of it.
    Account(AccountName),
    /// One integration.
    Integration(IntegrationName),
}

/// A sentence without its full stop, and what follows behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words {
    /// The sentence.
    pub main: String,
    /// A second one with its space and full stop, or nothing.
    pub rest: String,
}

impl From<String> for Words {
    fn from(main: String) -> Self {
        Self {
            main,
            rest: String::new(),
        }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.main, self.rest)
    }
}

/// One thing to do: what it is about, and lines below it, each behind its label.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Advice {
    /// What it is about, and what is the matter, in one line.
    pub what: String,
    /// What helps.
    pub notes: Vec<(&'static str, String)>,
}

/// Something that needs somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alarm {
    /// Why.
    pub reason: AlarmReason,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub scope: Scope,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// By when somebody must act, if that is known. It has passed where people are locked out.
    pub deadline: Option<Timestamp>,
    /// What is the matter.
    pub sentence: Words,
    /// What to do, one entry a certificate or file; nothing if another alarm says it.
    pub advice: Vec<Advice>,
}

impl Alarm {
    /// Whether it is more than a note.
    pub fn needs_somebody(&self) -> bool {
        self.severity < Severity::Note
    }

    /// Whether it stands for this integration.
    pub fn concerns(&self, integration: &IntegrationSnapshot) -> bool {
        match &self.scope {
            Scope::Daemon => true,
            Scope::Account(name) => *name == integration.account,
            Scope::Integration(name) => *name == integration.name,
        }
    }
}

/// Everything that needs somebody, worst first.
pub fn alarms(snapshot: &Snapshot, now: Timestamp) -> Vec<Alarm> {
    let raised = raised(snapshot, now);
    let scene = Scene {
        snapshot,
        now,
        raised: &raised,
    };
    let locked_out: Vec<&IntegrationSnapshot> = raised
        .iter()
        .filter(|it| it.reason == AlarmReason::NoTrust)
        .filter_map(Raised::integration)
        .collect();
    let adviser = Adviser::new(&scene);
    let mut alarms: Vec<Alarm> = raised
        .iter()
        .map(|it| Alarm {
            reason: it.reason,
            severity: if locked_out.iter().any(|out| it.about.covers(out)) {
                Severity::Critical
            } else {
                it.reason.severity(it.presses)
            },
            scope: it.about.scope(),
            since: it.since,
            deadline: it.deadline,
            sentence: scene.sentence(it),
            advice: adviser.advise(it),
        })
        .collect();
    alarms.sort_by(|one, other| {
        let end = |it: &Alarm| it.deadline.map_or(i64::MAX, Timestamp::as_millis);
        let key = |it: &Alarm| (it.severity, it.reason, end(it));
        (key(one), &one.scope).cmp(&(key(other), &other.scope))
    });
    alarms
}

/// The reasons for which an integration needs somebody: what the metric `attention` shows.
pub fn attention(alarms: &[Alarm], integration: &IntegrationSnapshot) -> BTreeSet<AlarmReason> {
    serious(alarms, integration).map(|it| it.reason).collect()
}

/// By when somebody must act for an integration.
pub fn deadline(alarms: &[Alarm], integration: &IntegrationSnapshot) -> Option<Timestamp> {
    serious(alarms, integration)
        .filter_map(|it| it.deadline)
        .min()
}

fn serious<'a>(
    alarms: &'a [Alarm],
    integration: &IntegrationSnapshot,
) -> impl Iterator<Item = &'a Alarm> {
    alarms
        .iter()
        .filter(|it| it.needs_somebody() && it.concerns(integration))
}

/// What sentences and advice look at.
struct Scene<'a> {
    snapshot: &'a Snapshot,
    now: Timestamp,
    raised: &'a [Raised<'a>],
}

impl Scene<'_> {
    /// Whether this reason stands for an integration.
    fn stands(&self, reason: AlarmReason, integration: &IntegrationSnapshot) -> bool {
        self.raised
            .iter()
            .any(|it| it.reason == reason && it.about.covers(integration))
    }
}

impl About<'_> {
    fn scope(&self) -> Scope {
        match self {
            Self::Daemon => Scope::Daemon,
            Self::Account(it) => Scope::Account(it.name.clone()),
            Self::Integration(it) => Scope::Integration(it.name.clone()),
        }
    }

    fn covers(&self, integration: &IntegrationSnapshot) -> bool {
        match self {
            Self::Daemon => true,
            Self::Account(it) => it.name == integration.account,
            Self::Integration(it) => it.name == integration.name,
        }
    }
}
