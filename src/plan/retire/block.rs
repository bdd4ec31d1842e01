//! What stands in the way of taking a certificate away.

use std::fmt;

use crate::domain::Timestamp;
use crate::domain::text::count;
use crate::plan::book::Write;

/// One thing that must be true before a certificate is taken away, and is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Block {
    /// `retire.action` is "keep".
    Keep,
    /// `mode` is "observe".
    Observe,
    /// A person has paused the integration.
    Paused,
    /// Its name has another integration id than before, and no operator has accepted that.
    IdChanged,
    /// It is not listed once, readable, and under the id by which it is ours.
    NotAsOurs,
    /// The source cannot be read, so nothing is concluded from it.
    SourceDown,
    /// Our clock and SendGrid's differ too much.
    ClockInDoubt,
    /// It is still valid, and `retire.when` is "expired"; or it is over, and not for long enough.
    TooYoung {
        /// When it has been over for long enough.
        until: Timestamp,
    },
    /// Its file is still there.
    FileThere,
    /// A file of the source is refused or waits, so nothing in it counts as absent.
    SourceUnhealthy,
    /// It has not been gone from the source for long enough.
    Absence {
        /// When it will have been.
        until: Timestamp,
        /// When the source is looked at next for that.
        next: Timestamp,
    },
    /// No successor of ours is trusted.
    NoSuccessor,
    /// Its successor has not been trusted for long enough.
    Overlap {
        /// When it will have been.
        until: Timestamp,
    },
    /// Nothing else of ours would be trusted, valid for seven more days.
    Last,
    /// Another one was taken away less than a day ago.
    OneADay {
        /// When the next one may go.
        until: Timestamp,
    },
    /// Something is to be added, or may have been; that comes first.
    AdditionsFirst,
    /// SendGrid did not carry it out.
    Refused {
        /// Which request.
        write: Write,
        /// With a 403.
        is_forbidden: bool,
        /// When it is tried again.
        until: Timestamp,
    },
    /// What became of the retirement of another one is not known yet: it may still be made, or made again.
    OneAtATime,
    /// An earlier request to enable or disable may still be carried out.
    Unsettled {
        /// When it no longer may.
        until: Timestamp,
    },
}

impl Block {
    /// When time alone lifts it; none if something else must happen.
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::TooYoung { until }
            | Self::Absence { until, .. }
            | Self::Overlap { until }
            | Self::OneADay { until }
            | Self::Refused { until, .. }
            | Self::Unsettled { until } => Some(*until),
            _ => None,
        }
    }

    /// When to look again whether it still stands; none if something else must happen.
    pub(super) const fn next_look(&self) -> Option<Timestamp> {
        match self {
            Self::Absence { next, .. } => Some(*next),
            other => other.until(),
        }
    }

    /// Whether a person who orders it now is told no, and nothing is kept of the order: waiting would not help.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Last | Self::Observe)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("retire.action is \"keep\": only reported"),
            Self::Observe => f.write_str("mode is \"observe\": nothing is written"),
            Self::Paused => f.write_str("paused"),
            Self::IdChanged => f.write_str("its integration_id changed, and nobody accepted that"),
            Self::NotAsOurs => f.write_str(
                "SendGrid does not list it once, readable, and under the id that is ours",
            ),
            Self::SourceDown => f.write_str("the source cannot be read"),
            Self::ClockInDoubt => {
                f.write_str("this machine's clock and SendGrid's differ too much to go by its end")
            }
            Self::TooYoung { until } => write!(f, "over for long enough from {}", until.date()),
            Self::FileThere => f.write_str("its file is still there"),
            Self::SourceUnhealthy => {
                f.write_str("a file of the source is refused or waits, so nothing counts as absent")
            }
            Self::Absence { until, .. } => {
                write!(
                    f,
                    "gone from the source for long enough from {}",
                    until.date()
                )
            }
            Self::NoSuccessor => f.write_str("no successor of ours is trusted"),
            Self::Overlap { until } => write!(
                f,
                "its successor has been trusted for long enough from {}",
                until.date()
            ),
            Self::Last => write!(
                f,
                "no other certificate of ours is trusted and valid for {} more",
                count(7, "day", "days")
            ),
            Self::OneADay { until } => {
                write!(
                    f,
                    "one a day; the next one may go at {} UTC",
                    until.minute()
                )
            }
            Self::AdditionsFirst => f.write_str("what is to be added comes first"),
            Self::Refused {
                write,
                is_forbidden: true,
                until,
            } => write!(
                f,
                "SendGrid answered 403: the key needs the scope {}; tried again at {} UTC",
                write.scope(),
                until.minute()
            ),
            Self::Refused { write, until, .. } => write!(
                f,
                "SendGrid did not {} it; tried again at {} UTC",
                write.word(),
                until.minute()
            ),
            Self::OneAtATime => f.write_str("what became of the last retirement is not known yet"),
            Self::Unsettled { until } => write!(
                f,
                "what became of the last request to enable or disable is not known before {} UTC",
                until.minute()
            ),
        }
    }
}
