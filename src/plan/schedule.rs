//! When the regular look at SendGrid is due: a cron expression in UTC.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use thiserror::Error;

use crate::domain::Timestamp;

/// A cron expression that comes again and again, in UTC.
#[derive(Clone)]
pub struct Schedule {
    expression: String,
    cron: Cron,
}

/// Why a text is no schedule. It does not carry the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ScheduleError {
    /// Neither five nor six fields.
    #[error("wants five cron fields, or six with seconds first")]
    Fields,
    /// A field that is no cron field.
    #[error("is not a cron expression")]
    Malformed,
    /// A date that no calendar has, such as the 30th of February.
    #[error("never comes")]
    Never,
}

impl Schedule {
    /// Reads five fields (minute, hour, day, month, weekday), or six with seconds first.
    ///
    /// # Errors
    /// Any other text, and an expression that no date fits.
    pub fn parse(raw: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = raw.split_whitespace().collect();
        let expression = match fields.len() {
            5 => format!("0 {}", fields.join(" ")),
            6 => fields.join(" "),
            _ => return Err(ScheduleError::Fields),
        };
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .build()
            .parse(&expression)
            .map_err(|_| ScheduleError::Malformed)?;
        let schedule = Self { expression, cron };
        // Whether a date fits does not depend on where the search begins.
        match schedule.next(Timestamp::from_secs(0)) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never),
        }
    }

    /// The expression with six fields, seconds first, as `tokio-cron-scheduler` wants it.
    pub fn six_fields(&self) -> &str {
        &self.expression
    }

    /// The first due time after `now`; none only past the calendar's end.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let next = self
            .cron
            .find_next_occurrence(&now.calendar()?, false)
            .ok()?;
        Some(Timestamp::from_millis(next.timestamp_millis()))
    }

    /// The last due time that is not after `now`; none only before the calendar's beginning.
    pub fn last(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self
            .cron
            .find_previous_occurrence(&now.calendar()?, true)
            .ok()?;
        Some(Timestamp::from_millis(last.timestamp_millis()))
    }

    /// The next three due times after `now`, soonest first.
    pub fn next_three(&self, now: Timestamp) -> Vec<Timestamp> {
        std::iter::successors(self.next(now), |it| self.next(*it))
            .take(3)
            .collect()
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl Eq for Schedule {}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({})", self.expression)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24T09:14:30Z, a Tuesday.
    const NOW: Timestamp = Timestamp::from_secs(1_795_511_670);

    #[track_caller]
    fn check(raw: &str, expected: [&str; 3]) {
        let times: Vec<String> = Schedule::parse(raw)
            .unwrap()
            .next_three(NOW)
            .iter()
            .map(Timestamp::to_string)
            .collect();
        assert_eq!(times, expected, "{raw}");
    }

    #[test]
    fn five_fields_begin_with_the_minute() {
        check(
            "0 * * * *",
            [
                "2026-11-24T10:00:00Z",
                "2026-11-24T11:00:00Z",
                "2026-11-24T12:00:00Z",
            ],
        );
        check(
            "*/15 * * * *",
            [
                "2026-11-24T09:15:00Z",
                "2026-11-24T09:30:00Z",
                "2026-11-24T09:45:00Z",
            ],
        );
        check(
            "30 6 * * MON-FRI",
            [
                "2026-11-25T06:30:00Z",
                "2026-11-26T06:30:00Z",
                "2026-11-27T06:30:00Z",
            ],
        );
    }

    #[test]
    fn six_fields_begin_with_the_second() {
        check(
            "* */15 * * * *",
            [
                "2026-11-24T09:15:00Z",
                "2026-11-24T09:15:01Z",
                "2026-11-24T09:15:02Z",
            ],
        );
        check(
            "  20 0 0 29 2 * ",
            [
                "2028-02-29T00:00:20Z",
                "2032-02-29T00:00:20Z",
                "2036-02-29T00:00:20Z",
            ],
        );
    }

    #[test]
    fn the_last_due_time_is_not_after_now() {
        for (raw, now, expected) in [
            ("0 * * * *", NOW, "2026-11-24T09:00:00Z"),
            ("30 14 9 * * *", NOW, "2026-11-24T09:14:30Z"),
            ("31 14 9 * * *", NOW, "2026-11-23T09:14:31Z"),
            ("0 0 29 2 *", NOW, "2024-02-29T00:00:00Z"),
        ] {
            let last = Schedule::parse(raw).unwrap().last(now).unwrap();
            assert_eq!(last.to_string(), expected, "{raw}");
        }
    }

    #[test]
    fn the_scheduler_reads_the_same_six_fields() {
        for raw in ["0 * * * *", "5 0 3 * * SUN"] {
            let schedule = Schedule::parse(raw).unwrap();
            assert!(
                tokio_cron_scheduler::JobBuilder::new()
                    .with_schedule(schedule.six_fields())
                    .is_ok(),
                "{raw}"
            );
        }
    }

    #[test]
    fn what_never_comes_is_no_schedule() {
        assert_eq!(Schedule::parse("0 0 30 2 *"), Err(ScheduleError::Never));
    }

    #[test]
    fn other_texts_are_no_schedule() {
        for (raw, expected) in [
            ("", ScheduleError::Fields),
            ("@hourly", ScheduleError::Fields),
            ("* * * *", ScheduleError::Fields),
            ("0 0 0 1 1 * 2030", ScheduleError::Fields),
            ("60 * * * *", ScheduleError::Malformed),
            ("every hour on the hour", ScheduleError::Malformed),
        ] {
            assert_eq!(Schedule::parse(raw), Err(expected), "{raw}");
        }
    }
}
