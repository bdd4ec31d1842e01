//! Why a certificate may go.

use std::fmt;
use std::time::Duration;

use crate::domain::text::span;
use crate::domain::{Fingerprint, Timestamp};

/// Why a certificate may go: the evidence that the audit trail keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grounds {
    /// A person ordered it.
    Order,
    /// The request was made before, and nobody knows what came of it.
    Again,
    /// It has been over for long enough.
    Over {
        /// Since when.
        since: Timestamp,
    },
    /// It is gone from the source and succeeded.
    Absent {
        /// For how long healthy looks have lacked it.
        gone: Duration,
        /// What goes on.
        successor: Fingerprint,
        /// For how long that has been trusted.
        trusted: Duration,
    },
}

impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order => f.write_str("order"),
            Self::Again => f.write_str("sent before, outcome unknown"),
            Self::Over { since } => write!(f, "over since {}", since.date()),
            Self::Absent {
                gone,
                successor,
                trusted,
            } => write!(
                f,
                "its file is gone for {}, {} is trusted for {}",
                span(*gone),
                successor.brief(),
                span(*trusted)
            ),
        }
    }
}
