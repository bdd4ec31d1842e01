//! What a certificate needs before it may be uploaded.

use std::fmt;

use crate::domain::Certificate;
use crate::plan::book::{Belief, Word};
use crate::plan::policy::TrustPolicy;

/// What was enough for a certificate to be uploaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// It lies in the source, and the policy asks for nothing else.
    Source,
    /// Its fingerprint is written in the configuration.
    Pin,
    /// A person approved it.
    Approval,
}

impl Evidence {
    /// The word in plans, logs and the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Pin => "pin",
            Self::Approval => "approval",
        }
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
}

/// Judges one accepted certificate. A pin or a person's word is always enough.
pub fn trust(certificate: &Certificate, belief: Option<&Belief>, policy: &TrustPolicy) -> Trust {
    let evidence = if policy.pins.contains(&certificate.fingerprint()) {
        Evidence::Pin
    } else if belief.is_some_and(|it| it.word == Some(Word::Approved)) {
        Evidence::Approval
    } else {
        Evidence::Source
    };
    Trust::Enough(evidence)
}
