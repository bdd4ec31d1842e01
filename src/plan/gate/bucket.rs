//! Our own ceiling on requests.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// A bucket that holds a minute's worth of requests and fills evenly.
///
/// It remembers one instant: when it will be full again (the "theoretical arrival time" of the generic cell rate
/// algorithm, ITU-T I.371). All times are those of the boot clock.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    interval: Duration,
    full_at: Duration,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(requests_per_minute: u32) -> Self {
        Self {
            interval: MINUTE / requests_per_minute.max(1),
            full_at: Duration::ZERO,
        }
    }

    /// The same contents under another ceiling.
    pub(super) fn resize(&mut self, requests_per_minute: u32) {
        self.interval = MINUTE / requests_per_minute.max(1);
    }

    /// How long after `at` there is room for one request.
    pub(super) fn wait(&self, at: Duration) -> Duration {
        let tolerance = MINUTE.saturating_sub(self.interval);
        self.full_at.saturating_sub(tolerance).saturating_sub(at)
    }

    /// Takes one request out.
    pub(super) fn take(&mut self, at: Duration) {
        self.full_at = self.full_at.max(at).saturating_add(self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests go between `from` and `to` if somebody always has one.
    fn sent(bucket: &mut Bucket, from: Duration, to: Duration) -> u32 {
        let (mut at, mut count) = (from, 0);
        loop {
            at += bucket.wait(at);
            if at > to {
                return count;
            }
            bucket.take(at);
            count += 1;
        }
    }

    #[test]
    fn a_minutes_worth_goes_at_once_then_evenly() {
        let start = Duration::from_secs(1000);
        let mut bucket = Bucket::new(120);
        assert_eq!(sent(&mut bucket, start, start), 120);
        assert_eq!(bucket.wait(start), Duration::from_millis(500));
        assert_eq!(
            sent(&mut bucket, start, start + Duration::from_secs(10)),
            20
        );
    }

    #[test]
    fn idle_time_fills_it_up_to_a_minute_and_no_further() {
        let start = Duration::from_secs(1000);
        let mut bucket = Bucket::new(60);
        sent(&mut bucket, start, start);
        let later = start + Duration::from_secs(30);
        assert_eq!(sent(&mut bucket, later, later), 30);
        let much_later = start + Duration::from_secs(86_400);
        assert_eq!(sent(&mut bucket, much_later, much_later), 60);
    }

    #[test]
    fn one_a_minute_is_one_a_minute() {
        let start = Duration::from_secs(1);
        let mut bucket = Bucket::new(1);
        assert_eq!(sent(&mut bucket, start, start), 1);
        assert_eq!(bucket.wait(start), MINUTE);
    }

    #[test]
    fn a_new_ceiling_does_not_refill_it() {
        let start = Duration::from_secs(1000);
        let mut bucket = Bucket::new(60);
        sent(&mut bucket, start, start);
        bucket.resize(120);
        assert!(bucket.wait(start) > Duration::ZERO);
    }
}
