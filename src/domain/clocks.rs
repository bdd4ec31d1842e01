//! What two clocks say, where they are known to disagree.

use std::time::Duration;

use super::Timestamp;

/// How far SendGrid's clock and ours are apart, where that is too far for either to be believed alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Skew {
    /// They agree, or nothing says otherwise.
    #[default]
    None,
    /// SendGrid's minus ours, in seconds.
    Secs(i64),
    /// Ours is in doubt, and SendGrid's is not known: its TLS certificate is not valid by ours.
    Unknown,
}

impl Skew {
    /// Whether the clocks disagree: then no write is made because time has passed.
    pub fn is_there(self) -> bool {
        self != Self::None
    }

    /// What the clocks say when ours says `ours`.
    pub const fn at(self, ours: Timestamp) -> Clocks {
        Clocks { ours, skew: self }
    }
}

/// What our clock and SendGrid's say at one instant. Where they disagree nobody can tell which is right, so that
/// something has passed only if it has by both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clocks {
    ours: Timestamp,
    skew: Skew,
}

/// Our clock alone.
impl From<Timestamp> for Clocks {
    fn from(ours: Timestamp) -> Self {
        Skew::None.at(ours)
    }
}

impl Clocks {
    /// Ours.
    pub const fn ours(self) -> Timestamp {
        self.ours
    }

    /// SendGrid's, if it is known; ours where nothing says otherwise.
    pub fn theirs(self) -> Option<Timestamp> {
        match self.skew {
            Skew::None => Some(self.ours),
            Skew::Secs(secs) => {
                let ours = self.ours.as_millis();
                Some(Timestamp::from_millis(
                    ours.saturating_add(secs.saturating_mul(1000)),
                ))
            }
            Skew::Unknown => None,
        }
    }

    /// Whether this is so by both; what is not known does not say so.
    pub(super) fn both(self, is_so: impl Fn(Timestamp) -> bool) -> bool {
        is_so(self.ours) && self.theirs().is_some_and(is_so)
    }

    /// Whether this is so by either; what is not known may say so.
    pub(super) fn either(self, is_so: impl Fn(Timestamp) -> bool) -> bool {
        is_so(self.ours) || self.theirs().is_none_or(is_so)
    }

    /// How long until `end`: the shortest time that is left by a clock by which some is; zero if none is by any.
    #[must_use]
    pub fn left_until(self, end: Timestamp) -> Duration {
        let left = [Some(self.ours), self.theirs()].into_iter().flatten();
        let left = left.map(|now| end.since(now));
        left.filter(|it| !it.is_zero()).min().unwrap_or_default()
    }

    /// Whether the clocks disagree about whether `end` has passed.
    pub fn disagree_about(self, end: Timestamp) -> bool {
        let is_past = |now| end < now;
        self.either(is_past) && !self.both(is_past)
    }
}
