//! The audit trail's entries.

use std::fmt;

use crate::domain::{Fingerprint, Timestamp};

/// One line of an integration's history: append-only, never changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
    /// To which certificate; none for what concerns the integration.
    pub fingerprint: Option<Fingerprint>,
    /// Who did it: `sso-certd`, the owner of a file, or a person.
    pub by: String,
    /// What else there is to know: evidence, trigger, outcome. Never foreign text.
    pub detail: String,
}

impl Entry {
    /// Who does what the daemon does by itself.
    pub const OURS: &'static str = "sso-certd";

    /// An entry of the daemon's own doing.
    pub fn new(
        at: Timestamp,
        what: What,
        fingerprint: Option<Fingerprint>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            at,
            what,
            fingerprint,
            by: Self::OURS.to_owned(),
            detail: detail.into(),
        }
    }

    /// The same entry, done by somebody else.
    #[must_use]
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = who.into();
        self
    }
}

macro_rules! what {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// What happened. A closed list: the words stand in the ledger.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum What { $($(#[$doc])* $name),+ }

        impl What {
            /// Every word there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// The entry kind of a word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.word() == word)
            }
        }
    };
}

what! {
    /// First seen in the source.
    Seen = "seen",
    /// From now on ignored: it issued another certificate of the source.
    Ignored = "ignored",
    /// Trust was decided, with evidence, and a POST is about to be made.
    Accepted = "accepted",
    /// A POST was made; what it was answered.
    Uploaded = "uploaded",
    /// A POST was not made or stored nothing; it is tried again.
    Unsent = "unsent",
    /// SendGrid answered 400.
    Rejected = "rejected",
    /// An unknown outcome was settled.
    Settled = "settled",
    /// Read back: SendGrid lists it as ours.
    Trusted = "trusted",
    /// Listed, not by us, and in the source.
    Found = "found",
    /// Listed at our first complete list, and in no source.
    Inherited = "inherited",
    /// Appeared at SendGrid, and in no source.
    Unmanaged = "unmanaged",
    /// Somebody removed it at SendGrid while it was wanted.
    Removed = "removed",
    /// Left the list while nothing asks for it.
    Gone = "gone",
    /// The id of ours carries another certificate.
    Replaced = "replaced",
    /// It waits for a person from now on.
    Held = "held",
    /// It is about to be enabled, with evidence.
    Enabling = "enabling",
    /// Enabled by us.
    Enabled = "enabled",
    /// It is about to be taken away, with evidence.
    Retiring = "retiring",
    /// Disabled by us.
    Disabled = "disabled",
    /// Deleted by us.
    Deleted = "deleted",
    /// A request to enable it or to take it away has an unknown outcome.
    Unsure = "unsure",
    /// A request to enable it or to take it away came to nothing.
    Kept = "kept",
    /// A person lets it in.
    Approved = "approved",
    /// A person never lets it in.
    Denied = "denied",
    /// A person knows it.
    Acknowledged = "acknowledged",
    /// A person makes it ours.
    Adopted = "adopted",
    /// A person wants it back.
    Restored = "restored",
    /// A person wants it away.
    Ordered = "ordered",
    /// A person takes a word back, or drops what is orphaned.
    Forgotten = "forgotten",
    /// A person stops every write for the integration.
    Paused = "paused",
    /// A person lets writes go on.
    Resumed = "resumed",
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
