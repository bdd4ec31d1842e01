//! Points in time as people say them.

use std::time::Duration;

use crate::domain::text::count;
use crate::domain::{Clocks, Timestamp};

/// A point in time beside `now`: `09:12 UTC` on the same day, else with its date.
pub(crate) fn clock(at: Timestamp, now: Timestamp) -> String {
    if at.date() == now.date() {
        format!("{} UTC", at.hour_minute())
    } else {
        format!("{} UTC", at.minute())
    }
}

/// The same, with the word: `today 21:40 UTC`.
pub(crate) fn day_and_clock(at: Timestamp, now: Timestamp) -> String {
    if at.date() == now.date() {
        format!("today {}", clock(at, now))
    } else {
        clock(at, now)
    }
}

/// How long ago, in one unit: `just now`, `4 minutes ago`.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.since(at).as_secs() {
        0..5 => "just now".to_owned(),
        _ => format!("{} ago", roughly(now.since(at))),
    }
}

/// How long, in one written-out unit: `4 minutes`.
pub(crate) fn roughly(duration: Duration) -> String {
    let secs = duration.as_secs();
    let (number, one, many) = match secs {
        0..60 => (secs, "second", "seconds"),
        60..3_600 => (secs / 60, "minute", "minutes"),
        3_600..172_800 => (secs / 3_600, "hour", "hours"),
        _ => (secs / 86_400, "day", "days"),
    };
    count(usize::try_from(number).unwrap_or(usize::MAX), one, many)
}

/// How long from `now` to an end, for a column; `over` when it has passed by both clocks, and so said, too, if it has by one.
pub(crate) fn left(end: Timestamp, now: impl Into<Clocks>) -> String {
    let now = now.into();
    let left = now.left_until(end);
    if now.disagree_about(end) {
        format!("{} or over", crate::domain::text::left(left))
    } else if left.is_zero() && end.as_secs() < now.ours().as_secs() {
        "over".to_owned()
    } else {
        crate::domain::text::left(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::at;

    #[test]
    fn a_day_is_named_unless_it_is_this_one() {
        let now = at("2026-11-24 09:14:02");
        assert_eq!(clock(at("2026-11-24 06:03:00"), now), "06:03 UTC");
        assert_eq!(
            clock(at("2026-11-23 16:40:00"), now),
            "2026-11-23 16:40 UTC"
        );
        assert_eq!(
            day_and_clock(at("2026-11-24 21:40:00"), now),
            "today 21:40 UTC"
        );
    }

    #[test]
    fn how_long_ago_has_one_unit() {
        let now = at("2026-11-24 09:14:02");
        let cases = [
            (2, "just now"),
            (41, "41 seconds ago"),
            (60, "1 minute ago"),
            (7_300, "2 hours ago"),
            (400_000, "4 days ago"),
        ];
        for (secs, text) in cases {
            assert_eq!(ago(now.minus(Duration::from_secs(secs)), now), text);
        }
    }
}
