//! How often signals are obeyed: the first at once, a storm of them once more when it is over.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A storm is over when nothing was asked for this long.
const CALM: Duration = Duration::from_secs(1);

/// A storm without end is obeyed this often.
const LONGEST_STORM: Duration = Duration::from_secs(60);

/// What was asked, and when it is due.
#[derive(Debug, Default)]
pub(super) struct Calm {
    asked: Option<Instant>,
    begun: Option<Instant>,
    due: Option<Instant>,
}

impl Calm {
    /// Something is asked now.
    pub(super) fn ask(&mut self, now: Instant) {
        let is_storm = self.asked.is_some_and(|it| now < it + CALM);
        self.asked = Some(now);
        if self.due.is_some_and(|it| it <= now) {
            return;
        }
        self.due = Some(if is_storm {
            let latest = self.begun.map_or(now, |it| it + LONGEST_STORM);
            (now + CALM).min(latest)
        } else {
            now
        });
    }

    /// Waits until what was asked is due; for ever, if nothing is.
    pub(super) async fn due(&self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// What was asked is done now.
    pub(super) fn begin(&mut self) {
        self.begun = self.due.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When what is asked at these instants is done, all in milliseconds.
    fn done(asked: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let start = Instant::now();
        let (mut calm, mut done) = (Calm::default(), Vec::new());
        let mut see = |calm: &mut Calm, now: Option<Instant>| {
            if let Some(due) = calm.due.filter(|it| now.is_none_or(|now| *it < now)) {
                done.push(u64::try_from((due - start).as_millis()).unwrap());
                calm.begin();
            }
        };
        for millis in asked {
            let now = start + Duration::from_millis(millis);
            see(&mut calm, Some(now));
            calm.ask(now);
        }
        see(&mut calm, None);
        done
    }

    #[test]
    fn what_is_asked_rarely_is_done_at_once() {
        assert_eq!(done([0, 1_000, 5_000]), [0, 1_000, 5_000]);
    }

    #[test]
    fn two_thousand_in_a_row_are_two() {
        assert_eq!(done((0..2_000).map(|it| it * 3)), [0, 6_997]);
    }

    #[test]
    fn a_storm_without_end_is_obeyed_once_a_minute() {
        let two_minutes = (0..1_300).map(|it| it * 100);
        assert_eq!(done(two_minutes), [0, 60_000, 120_000, 130_900]);
    }
}
