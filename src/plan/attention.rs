//! Why a person is needed.

use std::fmt;

use crate::domain::Reason;

macro_rules! attention {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// A reason that needs a person. A closed list: it is a metric label.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Attention { $($(#[$doc])* $name),+ }

        impl Attention {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word in metrics and JSON.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

attention! {
    /// A new key waits for a person's approval.
    Approval = "approval",
    /// More new keys in a day than the policy allows.
    KeyBudget = "key_budget",
    /// SendGrid answered 400.
    Rejected = "rejected",
    /// A file of the source is refused.
    Refused = "refused",
    /// A private key lies in the source.
    PrivateKey = "private_key",
    /// A certificate of ours was removed at SendGrid.
    Removed = "removed",
    /// A row of ours carries another certificate.
    Replaced = "replaced",
    /// SendGrid lists a certificate, or something unreadable, that nobody here knows.
    Unmanaged = "unmanaged",
    /// The source cannot be read.
    SourceDown = "source_down",
    /// SendGrid says that the integration, or everything in it, is not there.
    IntegrationMissing = "integration_missing",
    /// Nothing valid is trusted.
    NoTrust = "no_trust",
    /// What is trusted ends within `expiry.critical`.
    TrustEnds = "trust_ends",
    /// The next certificate should be known by now.
    NoSuccessor = "no_successor",
    /// The ledger cannot be written.
    Ledger = "ledger",
    /// SendGrid does not accept the API key.
    ApiKey = "api_key",
    /// There are no roots to know SendGrid by, or nothing else to reach it with.
    Tls = "tls",
    /// SendGrid's clock and ours disagree.
    Clock = "clock",
}

impl Attention {
    /// The reason that goes with a refused file.
    pub const fn of_refusal(reason: Reason) -> Self {
        match reason {
            Reason::PrivateKey => Self::PrivateKey,
            _ => Self::Refused,
        }
    }
}

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
