//! Time is a pair: what the wall says, and what the boot clock has counted.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// A point in wall time, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates: a certificate may end in the year 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp {
    millis: i64,
}

impl Timestamp {
    /// The point `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self { millis }
    }

    /// The point `secs` seconds after the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self {
            millis: secs.saturating_mul(1000),
        }
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.millis
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.millis.div_euclid(1000)
    }

    /// This point moved into the future.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self {
            millis: self.millis.saturating_add(millis_of(duration)),
        }
    }

    /// This point moved into the past.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self {
            millis: self.millis.saturating_sub(millis_of(duration)),
        }
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(
            u64::try_from(self.millis.saturating_sub(earlier.millis)).unwrap_or(0),
        )
    }

    /// The same point as a calendar date, if the calendar reaches that far.
    pub fn calendar(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.millis)
    }

    /// `2026-11-24`.
    pub fn date(self) -> String {
        self.format("%Y-%m-%d")
    }

    /// `09:14`.
    pub fn hour_minute(self) -> String {
        self.format("%H:%M")
    }

    /// `2026-11-24 09:14`.
    pub fn minute(self) -> String {
        self.format("%Y-%m-%d %H:%M")
    }

    /// `2026-11-24 09:14:02`.
    pub fn second(self) -> String {
        self.format("%Y-%m-%d %H:%M:%S")
    }

    fn format(self, pattern: &str) -> String {
        self.calendar().map_or_else(
            || format!("@{}", self.as_secs()),
            |it| it.format(pattern).to_string(),
        )
    }
}

/// RFC 3339 in UTC, to the second: `2026-11-24T09:14:02Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.calendar() {
            Some(calendar) => f.write_str(&calendar.to_rfc3339_opts(SecondsFormat::Secs, true)),
            None => write!(f, "@{}", self.as_secs()),
        }
    }
}

/// The kernel's random name of one boot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BootId(String);

impl BootId {
    /// Takes the id as the kernel writes it; surrounding white space is dropped.
    pub fn new(raw: &str) -> Self {
        Self(raw.trim().to_owned())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One reading of both clocks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    /// What the wall clock says; it may be wrong and may jump.
    pub wall: Timestamp,
    /// Which boot `since_boot` counts from.
    pub boot: BootId,
    /// `CLOCK_BOOTTIME`: never jumps, runs on while the machine is suspended.
    pub since_boot: Duration,
}

impl Moment {
    /// How much time has certainly passed since `then`, by the boot clock alone.
    ///
    /// Within one boot this is exact. Over a reboot the time while the machine was off is unknown and counts for
    /// nothing, so what is left is the time since this boot.
    #[must_use]
    pub fn elapsed_since(&self, then: &Self) -> Duration {
        if self.boot == then.boot {
            self.since_boot.saturating_sub(then.since_boot)
        } else {
            self.since_boot
        }
    }

    /// Whether less than `limit` has passed since `then` on both clocks, and the wall clock was not set back by more.
    #[must_use]
    pub fn is_soon_after(&self, then: &Self, limit: Duration) -> bool {
        let apart = self.wall.since(then.wall).max(then.wall.since(self.wall));
        self.elapsed_since(then) < limit && apart < limit
    }

    /// Both clocks `duration` later.
    #[must_use]
    pub fn plus(&self, duration: Duration) -> Self {
        Self {
            wall: self.wall.plus(duration),
            boot: self.boot.clone(),
            since_boot: self.since_boot.saturating_add(duration),
        }
    }

    /// When `duration` has passed since `then`, as wall time on today's clock; now, if it has passed.
    #[must_use]
    pub fn when_elapsed(&self, then: &Self, duration: Duration) -> Timestamp {
        self.wall
            .plus(duration.saturating_sub(self.elapsed_since(then)))
    }
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(boot: &str, since_boot: u64) -> Moment {
        Moment {
            wall: Timestamp::from_secs(0),
            boot: BootId::new(boot),
            since_boot: Duration::from_secs(since_boot),
        }
    }

    #[test]
    fn a_wall_clock_jump_changes_no_elapsed_time() {
        let then = moment("a", 100);
        let mut now = moment("a", 130);
        now.wall = Timestamp::from_secs(-1_000_000_000);
        assert_eq!(now.elapsed_since(&then), Duration::from_secs(30));
    }

    #[test]
    fn the_gap_of_a_reboot_adds_nothing() {
        assert_eq!(
            moment("b", 5).elapsed_since(&moment("a", 100)),
            Duration::from_secs(5)
        );
    }

    #[test]
    fn soon_after_is_soon_on_both_clocks() {
        let minute = Duration::from_secs(60);
        let then = moment("a", 100);
        let at = |since_boot, wall| Moment {
            wall: Timestamp::from_secs(wall),
            ..moment("a", since_boot)
        };
        for (now, is_soon) in [
            (at(100, 0), true),
            (at(159, 59), true),
            (at(160, 59), false),
            (at(101, 60), false),
            (at(101, -59), true),
            (at(101, -60), false),
            (at(7_300, 1), false),
        ] {
            assert_eq!(now.is_soon_after(&then, minute), is_soon, "{now:?}");
        }
    }

    #[test]
    fn the_year_9999_does_not_overflow() {
        let end = Timestamp::from_secs(253_402_300_799);
        assert_eq!(end.to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(
            Timestamp::from_millis(i64::MAX)
                .plus(Duration::MAX)
                .as_millis(),
            i64::MAX
        );
        assert_eq!(
            Timestamp::from_millis(i64::MAX).to_string(),
            "@9223372036854775"
        );
    }
}
