//! How far SendGrid's clock and ours disagree, and since when.

use std::time::Duration;

/// How far the two may differ before no end of a certificate is believed, in seconds.
const MOST_SKEW_SECS: u64 = 300;

/// How far apart two answers must be that both disagree: one may have waited in a queue, or met a clock that was being set.
pub(super) const APART: Duration = Duration::from_secs(60);

/// An unbroken run of answers whose `Date` is far from our clock, by the time since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Disagreement {
    first: Duration,
    last: Duration,
}

impl Disagreement {
    /// The run after one more answer; none if that one agrees.
    pub(super) fn after(run: Option<Self>, skew_secs: i64, since_boot: Duration) -> Option<Self> {
        is_far(skew_secs).then(|| Self {
            first: run.map_or(since_boot, |it| it.first),
            last: since_boot,
        })
    }

    /// When it began.
    pub(super) const fn first(self) -> Duration {
        self.first
    }

    /// Whether two answers a minute apart said so.
    pub(super) fn is_confirmed(self) -> bool {
        self.last.saturating_sub(self.first) >= APART
    }
}

/// Whether that is too far to be believed.
pub(super) const fn is_far(skew_secs: i64) -> bool {
    skew_secs.unsigned_abs() > MOST_SKEW_SECS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is confirmed after answers at these seconds with these skews.
    fn is_confirmed(answers: &[(u64, i64)]) -> bool {
        let run = answers.iter().fold(None, |run, (at, skew)| {
            Disagreement::after(run, *skew, Duration::from_secs(*at))
        });
        run.is_some_and(Disagreement::is_confirmed)
    }

    #[test]
    fn two_answers_a_minute_apart_confirm_it_and_one_that_agrees_ends_it() {
        assert!(!is_confirmed(&[]));
        assert!(!is_confirmed(&[(0, 301)]));
        assert!(!is_confirmed(&[(0, 301), (59, 301)]));
        assert!(is_confirmed(&[(0, 301), (60, 301)]));
        assert!(is_confirmed(&[(0, -301), (30, 400), (60, -86_400)]));
        assert!(!is_confirmed(&[(0, 300), (60, 300)]), "5 min are no skew");
        assert!(!is_confirmed(&[(0, 301), (60, 300)]));
        assert!(!is_confirmed(&[(0, 301), (30, 0), (60, 301)]));
        assert!(is_confirmed(&[(0, 301), (30, 0), (60, 301), (120, 301)]));
        assert!(is_confirmed(&[(0, i64::MIN), (60, i64::MAX)]));
    }
}
