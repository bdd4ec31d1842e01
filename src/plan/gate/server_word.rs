//! What an answer of SendGrid says about its clock and its rate limit.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};

use crate::domain::Timestamp;

/// Below this a reset is read as "seconds from now" (115 days), from here on as seconds since 1970.
///
/// SendGrid's documents disagree about which of the two it is: its rate limit page and its Ruby client say epoch, one
/// description of the API says seconds until the window ends.
const EPOCHS_FROM: i64 = 10_000_000;

/// From here on it is milliseconds since 1970: as seconds that is the year 5138, as milliseconds it was March 1973.
const MILLIS_FROM: i64 = 100_000_000_000;

/// The headers of one answer that the gate reads, as they came. Empty if there was no answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RateHeaders {
    /// `X-RateLimit-Limit`: requests in a window.
    pub limit: Option<String>,
    /// `X-RateLimit-Remaining`: requests left in this window.
    pub remaining: Option<String>,
    /// `X-RateLimit-Reset`: when the window ends, as delta, or as epoch in seconds or milliseconds.
    pub reset: Option<String>,
    /// `Retry-After` (RFC 9110, 10.2.3): seconds or a date; and, against it, an epoch as in `X-RateLimit-Reset`.
    pub retry_after: Option<String>,
    /// `Date` (RFC 9110, 6.6.1).
    pub date: Option<String>,
}

/// The same, understood. What cannot be read is absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct ServerWord {
    pub(super) limit: Option<u64>,
    pub(super) remaining: Option<u64>,
    /// Seconds from the answer to the end of the window; negative if it is over by the server's own clock.
    pub(super) reset_in_secs: Option<i64>,
    pub(super) retry_after: Option<Duration>,
}

impl ServerWord {
    /// Reads the headers of an answer that was given when the server's clock said `server_now`.
    pub(super) fn read(headers: &RateHeaders, server_now: Timestamp) -> Self {
        Self {
            limit: headers.limit.as_deref().and_then(whole_number),
            remaining: headers.remaining.as_deref().and_then(whole_number),
            reset_in_secs: headers
                .reset
                .as_deref()
                .and_then(whole_number)
                .and_then(|it| secs_until(it, server_now)),
            retry_after: headers
                .retry_after
                .as_deref()
                .and_then(|it| retry_after(it, server_now)),
        }
    }

    /// How long a refused client is asked to stay away: the longer one of `Retry-After` and the reset. Zero means that
    /// the time has come already.
    pub(super) fn stay_away(&self) -> Option<Duration> {
        let reset = self
            .reset_in_secs
            .map(|it| Duration::from_secs(u64::try_from(it).unwrap_or(0)));
        reset.max(self.retry_after)
    }

    /// How long nothing will be left of the limit, if this answer took the last of it.
    pub(super) fn used_up_for(&self) -> Option<Duration> {
        if self.remaining != Some(0) {
            return None;
        }
        let secs = u64::try_from(self.reset_in_secs?).ok()?;
        Some(Duration::from_secs(secs))
    }
}

/// A `Date` in any of the three forms that RFC 9110, 5.6.7 obliges a reader to know.
pub(super) fn http_date(raw: &str) -> Option<Timestamp> {
    let raw = raw.trim();
    let obsolete = |form| NaiveDateTime::parse_from_str(raw, form).map(|it| it.and_utc());
    DateTime::parse_from_rfc2822(raw)
        .map(|it| it.to_utc())
        .or_else(|_| obsolete("%A, %d-%b-%y %H:%M:%S GMT"))
        .or_else(|_| obsolete("%a %b %e %H:%M:%S %Y"))
        .ok()
        .map(|it| Timestamp::from_secs(it.timestamp()))
}

/// Seconds until the time that a number means; negative if that is past.
fn secs_until(value: u64, server_now: Timestamp) -> Option<i64> {
    let value = i64::try_from(value).ok()?;
    let epoch_secs = match value {
        ..EPOCHS_FROM => return Some(value),
        EPOCHS_FROM..MILLIS_FROM => value,
        // Rounded up: too early is another 429.
        MILLIS_FROM.. => value / 1000 + i64::from(value % 1000 > 0),
    };
    Some(epoch_secs.saturating_sub(server_now.as_secs()))
}

fn retry_after(raw: &str, server_now: Timestamp) -> Option<Duration> {
    match whole_number(raw) {
        Some(value) => {
            let secs = secs_until(value, server_now)?;
            Some(Duration::from_secs(u64::try_from(secs).unwrap_or(0)))
        }
        None => http_date(raw).map(|it| it.since(server_now)),
    }
}

/// Digits, with or without a fraction, which is rounded up.
fn whole_number(raw: &str) -> Option<u64> {
    let raw = raw.trim();
    let (whole, fraction) = raw.split_once('.').unwrap_or((raw, "0"));
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let rest = u64::from(fraction.bytes().any(|it| it != b'0'));
    whole.parse::<u64>().ok()?.checked_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2016-04-16 17:08:00 UTC, one minute before the reset of a sample seen in the field.
    const NOW: i64 = 1_460_826_480;

    fn reset(raw: &str) -> Option<i64> {
        let headers = RateHeaders {
            reset: Some(raw.to_owned()),
            ..RateHeaders::default()
        };
        ServerWord::read(&headers, Timestamp::from_secs(NOW)).reset_in_secs
    }

    fn retry(raw: &str) -> Option<u64> {
        retry_after(raw, Timestamp::from_secs(NOW)).map(|it| it.as_secs())
    }

    #[test]
    fn every_form_of_a_reset() {
        for (raw, expected) in [
            ("1460826540", Some(60)),
            (" 1460826540 ", Some(60)),
            ("1460826540.0", Some(60)),
            ("1460826540.2", Some(61)),
            ("60", Some(60)),
            ("0", Some(0)),
            ("1.5", Some(2)),
            ("9999999", Some(9_999_999)),
            ("1460826420", Some(-60)),
            ("1776445680", Some(1_776_445_680 - NOW)),
            ("1460826540000", Some(60)),
            ("1460826540001", Some(61)),
            ("1460826420000", Some(-60)),
            ("1776445680000", Some(1_776_445_680 - NOW)),
            ("99999999999", Some(99_999_999_999 - NOW)),
            ("100000000000", Some(100_000_000 - NOW)),
            ("9223372036854775807", Some(i64::MAX / 1000 + 1 - NOW)),
            ("18446744073709551615", None),
            ("99999999999999999999999", None),
            ("", None),
            ("-5", None),
            ("+5", None),
            ("1e3", None),
            ("60, 60", None),
            ("soon", None),
            (".", None),
            ("5.", None),
            ("Sat, 16 Apr 2016 17:09:00 GMT", None),
        ] {
            assert_eq!(reset(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn every_form_of_retry_after() {
        for (raw, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("0.4", Some(1)),
            ("1460826540", Some(60)),
            ("1460826540.5", Some(61)),
            ("1460826540000", Some(60)),
            ("1460826420", Some(0)),
            ("1776445680", Some(315_619_200)),
            ("18446744073709551615", None),
            ("Sat, 16 Apr 2016 17:09:00 GMT", Some(60)),
            ("Saturday, 16-Apr-16 17:09:00 GMT", Some(60)),
            ("Sat Apr 16 17:09:00 2016", Some(60)),
            ("Sat, 16 Apr 2016 17:00:00 GMT", Some(0)),
            ("Mon, 16 Apr 2016 17:09:00 GMT", None),
            ("2016-04-16T17:09:00Z", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn the_longer_one_of_two_words_counts() {
        let word = |reset_in_secs, retry_after| ServerWord {
            reset_in_secs,
            retry_after,
            ..ServerWord::default()
        };
        let secs = Duration::from_secs;
        assert_eq!(word(Some(60), Some(secs(5))).stay_away(), Some(secs(60)));
        assert_eq!(word(Some(5), Some(secs(60))).stay_away(), Some(secs(60)));
        assert_eq!(word(Some(-5), None).stay_away(), Some(Duration::ZERO));
        assert_eq!(word(None, None).stay_away(), None);
    }

    #[test]
    fn a_limit_is_used_up_only_until_a_reset_that_is_known_and_not_over() {
        let word = |remaining, reset_in_secs| {
            ServerWord {
                remaining,
                reset_in_secs,
                ..ServerWord::default()
            }
            .used_up_for()
            .map(|it| it.as_secs())
        };
        assert_eq!(word(Some(0), Some(60)), Some(60));
        assert_eq!(word(Some(0), Some(0)), Some(0));
        assert_eq!(word(Some(0), Some(-1)), None);
        assert_eq!(word(Some(0), None), None);
        assert_eq!(word(Some(1), Some(60)), None);
        assert_eq!(word(None, Some(60)), None);
    }
}
