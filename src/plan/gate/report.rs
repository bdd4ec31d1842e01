//! What is asked of SendGrid, and how it ended: all that the gate learns from.

use crate::domain::IntegrationId;

use super::RateHeaders;

/// What is asked of SendGrid; its words are the metric label `operation`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    /// The certificates of an integration.
    List,
    /// An upload.
    Create,
    /// One certificate by its id.
    Read,
    /// Enabling or disabling one.
    Update,
    /// Deleting one.
    Delete,
    /// The account's integrations.
    Integrations,
    /// What the key may do.
    Scopes,
}

impl Operation {
    /// Every operation, in the contract's order.
    pub const ALL: [Self; 7] = [
        Self::List,
        Self::Create,
        Self::Read,
        Self::Update,
        Self::Delete,
        Self::Integrations,
        Self::Scopes,
    ];

    /// The label's value.
    pub const fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Integrations => "integrations",
            Self::Scopes => "scopes",
        }
    }
}

/// What somebody wants to ask, as far as the gate cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// What.
    pub operation: Operation,
    /// For which integration; none if it concerns the account.
    pub integration: Option<IntegrationId>,
}

/// How a request ended, as far as the gate cares.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// A 2xx that could be read.
    Done,
    /// A 400 or its like: SendGrid did not want the content.
    Refused,
    /// A 404.
    NotFound,
    /// A 401.
    KeyRejected,
    /// A 403.
    Forbidden,
    /// A 429.
    RateLimited,
    /// A 5xx.
    ServerError,
    /// Certainly never sent: no connection, no TLS, no address.
    Unsent,
    /// Sent, and no whole answer came: a time-out, a reset, a cut.
    NoAnswer,
    /// An answer that makes no sense: a redirect, another status, a 2xx that does not decode.
    Unexpected,
}

/// What became of a request: all that the gate learns from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What was asked.
    pub request: Request,
    /// How it ended.
    pub outcome: Outcome,
    /// What the answer said about limits and time.
    pub headers: RateHeaders,
}
