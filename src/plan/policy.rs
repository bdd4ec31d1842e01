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
    /// When a person is told.
    pub expiry: ExpiryPolicy,
    /// How patient to be with SendGrid.
    pub delivery: DeliveryPolicy,
}

/// What a certificate needs before it is uploaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustPolicy {
    /// Fingerprints a person wrote down: always enough.
    pub pins: BTreeSet<Fingerprint>,
    /// New public keys uploaded in 24 hours before a person must look; 0: no limit. Not counted before the
    /// integration's first trusted certificate.
    pub new_keys_per_day: u32,
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
