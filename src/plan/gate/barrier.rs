//! What can stand in the way of a request, and for how long.

use std::fmt;
use std::time::Duration;

use crate::domain::{IntegrationId, Moment};

use super::Request;

/// One thing that can close the gate. Each opens by itself, on its own time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Barrier {
    /// SendGrid said when to come back. It stops every request, and nothing of ours lifts it.
    ServerWord,
    /// The key was rejected, or forbidden to read. It stops every request.
    Key,
    /// Different integrations failed one after the other. It stops every request.
    Outage,
    /// Creating was forbidden. It stops uploads only.
    Creates,
    /// One integration failed. It stops that one only.
    Integration(IntegrationId),
}

impl Barrier {
    /// Whether it stands in the way of this request.
    pub(super) fn stops(self, request: &Request) -> bool {
        match self {
            Self::ServerWord | Self::Key | Self::Outage => true,
            Self::Creates => request.operation == super::Operation::Create,
            Self::Integration(id) => request.integration == Some(id),
        }
    }

    /// Its word in the ledger, beside the [integration](Self::integration).
    pub const fn word(self) -> &'static str {
        match self {
            Self::ServerWord => "server_word",
            Self::Key => "key",
            Self::Outage => "outage",
            Self::Creates => "creates",
            Self::Integration(_) => "integration",
        }
    }

    /// The integration it is about, if it is about one.
    pub const fn integration(self) -> Option<IntegrationId> {
        match self {
            Self::Integration(id) => Some(id),
            Self::ServerWord | Self::Key | Self::Outage | Self::Creates => None,
        }
    }

    /// The barrier with this word and integration.
    pub fn parse(word: &str, integration: Option<IntegrationId>) -> Option<Self> {
        let all = [Self::ServerWord, Self::Key, Self::Outage, Self::Creates];
        all.into_iter()
            .chain(integration.map(Self::Integration))
            .find(|it| it.word() == word && it.integration() == integration)
    }

    /// How much it stops.
    pub const fn scope(self) -> Scope {
        match self {
            Self::ServerWord | Self::Key | Self::Outage => Scope::Account,
            Self::Creates => Scope::Creates,
            Self::Integration(_) => Scope::Integration,
        }
    }
}

/// How much of an account a wait stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Every request.
    Account,
    /// Uploads, of every integration.
    Creates,
    /// Every request for one integration.
    Integration,
}

/// One barrier's state. It goes on counting after it has opened, until a success takes it away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// Failures in a row.
    pub failures: u32,
    /// When it closed last.
    pub since: Moment,
    /// For how long, on the boot clock.
    pub wait: Duration,
    /// Why.
    pub why: Why,
}

impl Hold {
    /// How long it stays closed; zero once it is open.
    pub(super) fn left(&self, now: &Moment) -> Duration {
        self.wait.saturating_sub(now.elapsed_since(&self.since))
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// Why a request has to wait: one closed list for status, log and ledger.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Why { $($(#[$doc])* $name),+ }

        impl Why {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The words for it.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

reasons! {
    /// A 429.
    RateLimited = "rate limited",
    /// An answer that left nothing of the limit.
    LimitUsedUp = "rate limit used up",
    /// An error that asked to come back later.
    AskedToWait = "asked to come back later",
    /// A 401.
    KeyRejected = "key rejected",
    /// A 403: a missing permission, or a temporary block.
    Forbidden = "forbidden",
    /// A 5xx.
    ServerErrors = "server errors",
    /// Nobody could be connected to.
    NoConnection = "no connection",
    /// A request went out, and no whole answer came.
    NoAnswer = "no answer",
    /// An answer that makes no sense here.
    UnexpectedAnswers = "unexpected answers",
    /// `requests_per_minute`.
    OwnCeiling = "our own ceiling",
}

impl Why {
    /// The reason with these words.
    pub fn parse(words: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.words() == words)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}
