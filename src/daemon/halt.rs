//! How a pass ends, and why it stops short.

use std::time::Duration;

use crate::adapter::sendgrid::{CallError, Failure};
use crate::daemon::link::Closed;
use crate::domain::Timestamp;
use crate::domain::text::span;
use crate::view::snapshot::PassFailure;

/// How a pass ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PassEnd {
    /// Everything was compared, and what could be done was done.
    Ok,
    /// Something failed; the text is on the board.
    Failed,
    /// The account has to wait: nothing failed in this pass.
    Held {
        /// For how long.
        left: Duration,
    },
    /// The daemon stops.
    Stopped,
}

impl PassEnd {
    /// The metric label `result`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Held { .. } | Self::Stopped => "held",
        }
    }
}

/// Why a pass stopped short.
#[derive(Debug)]
pub enum Halt {
    /// Nothing may be asked now.
    Closed(Closed),
    /// Something failed: what, in words.
    Failed(String),
    /// SendGrid says that the integration, or everything in it, is not there.
    Missing(String),
}

impl From<Closed> for Halt {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

impl From<CallError> for Halt {
    fn from(error: CallError) -> Self {
        let text = error.to_string();
        if error.failure == Failure::NotFound {
            Self::Missing(text)
        } else {
            Self::Failed(text)
        }
    }
}

/// What a halt means for the worker and for people: how the pass ended, the failure to show, and when it is tried
/// again if that is known.
pub(super) fn judge(
    halt: Halt,
    now: Timestamp,
) -> (PassEnd, Option<PassFailure>, Option<Timestamp>) {
    let failure = |text: String, is_missing| {
        Some(PassFailure {
            since: now,
            text,
            is_missing,
        })
    };
    match halt {
        Halt::Closed(Closed::Stopping) => (PassEnd::Stopped, None, None),
        Halt::Closed(Closed::NoKey(why)) => (PassEnd::Failed, failure(why, false), None),
        Halt::Closed(Closed::Wait { left, .. }) => {
            (PassEnd::Held { left }, None, Some(now.plus(left)))
        }
        Halt::Missing(text) => (PassEnd::Failed, failure(text, true), None),
        Halt::Failed(text) => (PassEnd::Failed, failure(text, false), None),
    }
}

/// Why nothing can be asked, in words.
pub fn closed_words(closed: &Closed) -> String {
    match closed {
        Closed::Wait { left, why, .. } => format!("{why}; asked again in {}", span(*left)),
        Closed::NoKey(why) => why.clone(),
        Closed::Stopping => "the daemon stops".to_owned(),
    }
}
