//! What a certificate needs before it may be uploaded.

use std::fmt;

use crate::domain::{Certificate, Credit, Moment, Timestamp};
use crate::plan::book::{Belief, HoldKind, InSource, Order, Word};
use crate::plan::policy::{Require, TrustPolicy};

/// What was enough for a certificate to be uploaded or enabled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// It lies in the source, and the policy asks for nothing else.
    Source,
    /// Its fingerprint is written in the configuration.
    Pin,
    /// A person approved it.
    Approval,
    /// It lay in the source for as long as the policy asks.
    HoldDown,
    /// Another certificate with its key is trusted: nobody new is let in.
    KnownKey,
    /// A person wants it back, or wants it ours.
    Order,
    /// It was taken away because it was absent, and it is back in the source.
    Returned,
    /// Whether it is enabled is not known, and it is the last valid one.
    Last,
}

impl Evidence {
    /// The word in plans, logs and the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Pin => "pin",
            Self::Approval => "approval",
            Self::HoldDown => "hold-down",
            Self::KnownKey => "known key",
            Self::Order => "order",
            Self::Returned => "returned",
            Self::Last => "last valid one",
        }
    }

    /// Whether a person speaks for it, or nobody new is let in: such uploads need no budget of new keys.
    pub const fn is_beyond_budget(self) -> bool {
        !matches!(self, Self::Source | Self::HoldDown)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Whether a certificate may be uploaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// It may, because of this.
    Enough(Evidence),
    /// It may by itself at this time, if it is still there then.
    HeldDown {
        /// When.
        until: Timestamp,
    },
    /// It may when a person acts.
    Held(HoldKind),
}

/// Judges one accepted certificate. A pin or a person's word is always enough; a known key lets nobody new in.
pub fn trust(
    certificate: &Certificate,
    belief: Option<&Belief>,
    is_known_key: bool,
    policy: &TrustPolicy,
    now: &Moment,
) -> Trust {
    let says = |it: &Belief| (it.order == Some(Order::Restore), it.word);
    match belief.map(says) {
        Some((true, _)) => return Trust::Enough(Evidence::Order),
        _ if policy.pins.contains(&certificate.fingerprint()) => {
            return Trust::Enough(Evidence::Pin);
        }
        Some((_, Some(Word::Approved | Word::ApprovedKey))) => {
            return Trust::Enough(Evidence::Approval);
        }
        _ => {}
    }
    match policy.require {
        Require::Source => Trust::Enough(Evidence::Source),
        _ if is_known_key => Trust::Enough(Evidence::KnownKey),
        Require::Pin => Trust::Held(HoldKind::Pin),
        Require::Approval => Trust::Held(HoldKind::Approval),
        Require::HoldDown => {
            let credit = belief.and_then(|it| match &it.source {
                InSource::Present { credit, .. } => Some(credit),
                InSource::Gone { .. } | InSource::Never => None,
            });
            held_down(credit, policy, now)
        }
    }
}

/// Two looks at least, and long enough in between.
fn held_down(credit: Option<&Credit>, policy: &TrustPolicy, now: &Moment) -> Trust {
    let missing = credit.map_or(policy.hold_down, |it| it.missing(policy.hold_down));
    let is_seen_twice = credit.is_some_and(|it| it.looks >= 2);
    if missing.is_zero() && is_seen_twice {
        return Trust::Enough(Evidence::HoldDown);
    }
    Trust::HeldDown {
        until: now.wall.plus(missing),
    }
}
