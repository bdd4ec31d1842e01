//! What is remembered of an integration's trust, so that a restart does not forget that logins once worked.

use crate::domain::Timestamp;

/// The trust of one integration, as its last complete list left it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TrustRecord {
    /// A certificate that counts as trust was valid here once.
    pub has_counted: bool,
    /// The latest end of the certificates that were valid when something valid was last listed, whoever uploaded them;
    /// none if nothing valid was ever listed.
    pub valid_until: Option<Timestamp>,
    /// Since when trust is lost; none while it is not.
    pub lost_at: Option<Timestamp>,
}
