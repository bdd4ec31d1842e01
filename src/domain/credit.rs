//! Time that is only counted while something is seen to hold.

use std::time::Duration;

use crate::domain::Moment;

/// How long something has held, from one look to the next.
///
/// The time between two looks of one boot that both saw it counts, by `CLOCK_BOOTTIME`; it runs on while the machine is
/// suspended, and the wall clock has no part in it. The gap of a reboot counts for nothing, nor does the time around a
/// look that could not tell.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Credit {
    /// Looks that saw it.
    pub looks: u32,
    /// The time that counts.
    pub total: Duration,
    /// The last look, if it saw it.
    pub last: Option<Moment>,
}

impl Credit {
    /// The first look that sees it.
    pub fn begin(now: &Moment) -> Self {
        Self {
            looks: 1,
            total: Duration::ZERO,
            last: Some(now.clone()),
        }
    }

    /// Another look sees it.
    pub fn grow(&mut self, now: &Moment) {
        if let Some(last) = self.last.as_ref().filter(|it| it.boot == now.boot) {
            let gap = now.since_boot.saturating_sub(last.since_boot);
            self.total = self.total.saturating_add(gap);
        }
        self.looks = self.looks.saturating_add(1);
        self.last = Some(now.clone());
    }

    /// A look cannot tell: what was counted stays, and the time around the look does not count.
    pub fn pause(&mut self) {
        self.last = None;
    }

    /// What is missing until `wanted`.
    pub const fn missing(&self, wanted: Duration) -> Duration {
        wanted.saturating_sub(self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BootId, Timestamp};

    fn at(boot: &str, secs: u64) -> Moment {
        Moment {
            wall: Timestamp::from_secs(0),
            boot: BootId::new(boot),
            since_boot: Duration::from_secs(secs),
        }
    }

    #[test]
    fn the_time_between_two_looks_counts() {
        let mut credit = Credit::begin(&at("a", 10));
        credit.grow(&at("a", 25));
        assert_eq!((credit.looks, credit.total.as_secs()), (2, 15));
        assert_eq!(credit.missing(Duration::from_secs(20)).as_secs(), 5);
    }

    #[test]
    fn a_reboot_adds_nothing_and_takes_nothing() {
        let mut credit = Credit::begin(&at("a", 10));
        credit.grow(&at("a", 25));
        credit.grow(&at("b", 1_000_000));
        credit.grow(&at("b", 1_000_002));
        assert_eq!((credit.looks, credit.total.as_secs()), (4, 17));
    }

    #[test]
    fn a_jump_of_the_wall_clock_changes_nothing() {
        let mut credit = Credit::begin(&at("a", 10));
        let mut later = at("a", 11);
        later.wall = Timestamp::from_secs(4_000_000_000);
        credit.grow(&later);
        assert_eq!(credit.total.as_secs(), 1);
    }

    #[test]
    fn the_time_around_a_look_that_cannot_tell_does_not_count() {
        let mut credit = Credit::begin(&at("a", 10));
        credit.grow(&at("a", 20));
        credit.pause();
        credit.grow(&at("a", 500));
        credit.grow(&at("a", 501));
        assert_eq!(credit.total.as_secs(), 11);
    }
}
