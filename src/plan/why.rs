//! Why a certificate is in its state, in words.

use std::fmt;

use crate::domain::{Fingerprint, Timestamp};
use crate::plan::trust::Evidence;

/// The reason behind a state; its `Display` is what people read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Ours, listed, read back.
    Ours,
    /// Listed, and not by us.
    ByOthers,
    /// A file asks for it, and it is not at SendGrid.
    Wanted,
    /// It may go up.
    Enough {
        /// What was enough.
        evidence: Evidence,
        /// Whether its key is new.
        is_new_key: bool,
    },
    /// A POST may have arrived.
    Unsettled {
        /// When it was made.
        sent: Timestamp,
        /// When the list is asked again.
        until: Timestamp,
    },
    /// It was sent too often without showing up: only an operator has it sent again.
    GivenUp {
        /// When it was sent last.
        sent: Timestamp,
    },
    /// It should be listed, and one list lacked it.
    Missing {
        /// The first such list.
        since: Timestamp,
        /// When the list is asked again.
        until: Timestamp,
    },
    /// SendGrid refused it before its first second.
    NotBefore(Timestamp),
    /// Our clock and SendGrid's disagree too much to believe in its end.
    ClockInDoubt,
    /// SendGrid answered 400.
    Rejected {
        /// When it is sent again.
        until: Timestamp,
    },
    /// It goes at this time, if it is still in the source then.
    HoldDown {
        /// When.
        until: Timestamp,
    },
    /// A person must approve it.
    NeedsApproval,
    /// Its fingerprint must be written in the configuration, or a person must approve it.
    NeedsPin,
    /// A person has paused the integration.
    Paused,
    /// Its name has another integration id than before, and no operator has accepted that.
    IdChanged,
    /// It is deleted by us, and whether that is done is not known yet.
    Vanishing {
        /// When the list is asked again.
        until: Timestamp,
    },
    /// A person took it away, and a file still asks for it.
    RetiredByPerson,
    /// SendGrid did not enable it, or nobody knows whether it did.
    NotEnabled {
        /// When it is tried again.
        until: Timestamp,
    },
    /// The list shows nothing that we know: nothing is sent there.
    Elsewhere {
        /// When the list is asked again.
        until: Timestamp,
    },
    /// A file of the source is still being written, and may show that this one only issued another. The file's end is a
    /// change of the source.
    FileUnfinished {
        /// When it is no longer waited for.
        until: Timestamp,
    },
    /// It goes when the account may ask again.
    Backoff {
        /// When.
        until: Timestamp,
    },
    /// Too many new keys in a day.
    KeyBudget {
        /// The day's limit.
        limit: u32,
    },
    /// Its key is that of a certificate which somebody removed at SendGrid.
    RemovedKey(Fingerprint),
    /// The integration wants more certificates than one may.
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A person decided about it, and it was never seen.
    Unseen,
    /// A person said never.
    DeniedByPerson(Fingerprint),
    /// A person said never to its key.
    DeniedKey,
    /// An operator said never to it or its key, and SendGrid lists it all the same.
    DeniedAndListed,
    /// Its last second has passed.
    Over,
    /// A newer one is trusted, and its file is gone.
    Successor(Fingerprint),
    /// We disabled it.
    DisabledByUs,
    /// Somebody removed it at SendGrid.
    RemovedByOthers,
    /// Its id now carries another certificate.
    Carries(Option<Fingerprint>),
    /// The row cannot be read.
    Unreadable,
    /// Another row holds the same certificate.
    ListedTwice,
    /// There since before our first look, in no file.
    SinceFirstList,
    /// It appeared at SendGrid, in no file.
    AppearedSince,
    /// A person knows it.
    Known,
}

impl Why {
    /// When something happens by itself, if that is known.
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Unsettled { until, .. }
            | Self::Missing { until, .. }
            | Self::NotBefore(until)
            | Self::Rejected { until }
            | Self::HoldDown { until }
            | Self::Vanishing { until }
            | Self::Elsewhere { until }
            | Self::NotEnabled { until }
            | Self::FileUnfinished { until }
            | Self::Backoff { until } => Some(*until),
            _ => None,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours => f.write_str("uploaded by us and read back"),
            Self::ByOthers => f.write_str(
                "at SendGrid, uploaded by somebody else; whether it is enabled is unknown",
            ),
            Self::Wanted => f.write_str("in the source, and not at SendGrid"),
            Self::Enough {
                evidence,
                is_new_key,
            } => {
                let key = if *is_new_key { "new key" } else { "known key" };
                match evidence {
                    Evidence::Source => write!(f, "{key}; enough: trust.require = \"source\""),
                    Evidence::Pin => write!(f, "{key}; enough: its fingerprint is in trust.pins"),
                    Evidence::Approval => write!(f, "{key}; enough: a person approved it"),
                    Evidence::HoldDown => {
                        write!(f, "{key}; enough: it was in the source for trust.hold_down")
                    }
                    Evidence::KnownKey => {
                        f.write_str("enough: a certificate with its key is trusted already")
                    }
                    Evidence::Order => f.write_str("a person wants it"),
                    Evidence::Returned => f.write_str("it is back in the source"),
                    Evidence::Last => {
                        f.write_str("whether it is enabled is not known, and nothing else is valid")
                    }
                }
            }
            Self::Unsettled { sent, until } => write!(
                f,
                "sent at {} UTC, not known whether it arrived; asked again at {} UTC, not sent twice",
                sent.hour_minute(),
                until.hour_minute()
            ),
            Self::GivenUp { sent } => write!(
                f,
                "sent again and again, last at {} UTC, and never listed; `sync` sends it once more",
                sent.minute()
            ),
            Self::Missing { since, until } => write!(
                f,
                "not in SendGrid's list at {} UTC; asked again at {} UTC before anything is concluded",
                since.hour_minute(),
                until.hour_minute()
            ),
            Self::NotBefore(start) => write!(
                f,
                "SendGrid refused it before its start; sent again at {start}"
            ),
            Self::ClockInDoubt => {
                f.write_str("this machine's clock and SendGrid's differ too much to go by its end")
            }
            Self::Rejected { until } => {
                write!(
                    f,
                    "SendGrid answered 400; sent again at {until}, or on `sync`"
                )
            }
            Self::Backoff { until } => write!(f, "the account may ask again at {until}"),
            Self::KeyBudget { limit } => {
                write!(
                    f,
                    "more than {limit} new keys in 24 h; goes when a person approves it"
                )
            }
            Self::RemovedKey(other) => {
                write!(
                    f,
                    "its key is that of {}, which somebody removed at SendGrid",
                    other.short()
                )
            }
            Self::TooMany { limit } => write!(
                f,
                "more than {limit} certificates are wanted for one integration"
            ),
            Self::HoldDown { until } => {
                write!(
                    f,
                    "goes up at {} UTC, if it is still there (hold-down)",
                    until.minute()
                )
            }
            Self::NeedsApproval => f.write_str("waits for approval"),
            Self::NeedsPin => f.write_str("waits for a pin in trust.pins, or for approval"),
            Self::Paused => f.write_str("paused; nothing is written"),
            Self::IdChanged => {
                f.write_str("nothing is written until its changed integration_id is accepted")
            }
            Self::Vanishing { until } => write!(
                f,
                "deleted by us, not known whether it is done; asked again at {} UTC",
                until.hour_minute()
            ),
            Self::Elsewhere { until } => write!(
                f,
                "SendGrid's list shows nothing that we know; nothing is sent there, and it is asked again at {} UTC",
                until.hour_minute()
            ),
            Self::RetiredByPerson => {
                f.write_str("a person took it away, and its file still asks for it")
            }
            Self::NotEnabled { until } => write!(
                f,
                "not known to be enabled; tried again at {} UTC",
                until.minute()
            ),
            Self::FileUnfinished { .. } => f.write_str(
                "another file of the source is still being written, and this may be only its issuer",
            ),
            Self::Unseen => f.write_str("decided about, never seen"),
            Self::DeniedByPerson(_) => f.write_str("a person said never"),
            Self::DeniedKey => f.write_str("a person said never to its key"),
            Self::DeniedAndListed => {
                f.write_str("denied, and at SendGrid all the same: its key may sign in")
            }
            Self::Over => f.write_str("its last second has passed"),
            Self::Successor(newer) => write!(f, "its file is gone and {} goes on", newer.brief()),
            Self::DisabledByUs => f.write_str("disabled by us"),
            Self::RemovedByOthers => {
                f.write_str("somebody deleted it at SendGrid; it is not uploaded again by itself")
            }
            Self::Carries(Some(other)) => {
                write!(f, "its row at SendGrid now carries {}", other.short())
            }
            Self::Carries(None) => f.write_str("its row at SendGrid now carries something else"),
            Self::Unreadable => f.write_str("a row that cannot be read; left alone"),
            Self::ListedTwice => f.write_str(
                "SendGrid holds this certificate twice; harmless, and neither is touched",
            ),
            Self::SinceFirstList => {
                f.write_str("at SendGrid since before our first look, in no file (inherited)")
            }
            Self::AppearedSince => f.write_str("appeared at SendGrid, did not come from here"),
            Self::Known => f.write_str("not ours, and known"),
        }
    }
}
