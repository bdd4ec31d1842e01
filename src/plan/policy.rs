//! What the configuration allows and demands of one integration.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::Fingerprint;

/// Whether this daemon may write to SendGrid for an integration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// It keeps SendGrid in step.
    #[default]
    Manage,
    /// It reads, plans and reports, and never writes.
    Observe,
}

impl Mode {
    /// The word in configuration, metrics and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Manage => "manage",
            Self::Observe => "observe",
        }
    }
}

/// The rules of one integration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Whether to write at all.
    pub mode: Mode,
    /// What a certificate needs before it is uploaded.
    pub trust: TrustPolicy,
    /// What happens to an old certificate of ours.
    pub retire: RetirePolicy,
    /// When a person is told.
    pub expiry: ExpiryPolicy,
    /// How patient to be with SendGrid.
    pub delivery: DeliveryPolicy,
}

/// What a certificate needs before it is uploaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustPolicy {
    /// What is enough where nobody has said anything.
    pub require: Require,
    /// How long a certificate must be seen under [`Require::HoldDown`].
    pub hold_down: Duration,
    /// Fingerprints a person wrote down: always enough.
    pub pins: BTreeSet<Fingerprint>,
    /// New public keys uploaded in 24 hours before a person must look; 0: no limit. Not counted before the
    /// integration's first trusted certificate.
    pub new_keys_per_day: u32,
}

/// What is enough for a certificate of a new key, where neither a pin nor a person speaks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Require {
    /// That it lies in the source.
    #[default]
    Source,
    /// Nothing: only a pin or a person lets it in.
    Pin,
    /// That it lay in the source for long enough.
    HoldDown,
    /// Nothing: only a person or a pin lets it in.
    Approval,
}

impl Require {
    /// The word in the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Pin => "pin",
            Self::HoldDown => "hold-down",
            Self::Approval => "approval",
        }
    }
}

/// What happens to an old certificate of ours, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetirePolicy {
    /// What happens to it.
    pub action: RetireAction,
    /// What makes it old.
    pub when: RetireWhen,
    /// Its successor must have been trusted for this long.
    pub min_overlap: Duration,
    /// It must have been gone from a healthy source for this long.
    pub min_absence: Duration,
    /// It must have been over for this long.
    pub expired_after: Duration,
}

/// What happens to an old certificate of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RetireAction {
    /// It stays, and is reported.
    #[default]
    Keep,
    /// It is disabled, and stays listed.
    Disable,
    /// It is deleted.
    Delete,
}

impl RetireAction {
    /// The word in the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Disable => "disable",
            Self::Delete => "delete",
        }
    }
}

/// What makes a certificate old.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RetireWhen {
    /// That it has been over for long enough.
    #[default]
    Expired,
    /// Also that it has left the source, with a successor that is trusted, each for long enough.
    Absent,
}

impl RetireWhen {
    /// The word in the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Absent => "absent",
        }
    }
}

/// When a person is told that the end is near.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExpiryPolicy {
    /// The next certificate should be known this long before the end.
    pub successor: Duration,
    /// From here on a certificate's end is remarked upon.
    pub warn: Duration,
    /// From here on logins are about to stop.
    pub critical: Duration,
}

/// How long to wait for what, between two writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeliveryPolicy {
    /// After an unknown outcome: no second POST before this and two lists.
    pub settle: Duration,
    /// After a 400: not sent again before this.
    pub refused_hold: Duration,
}
