//! The rate limit: fixed windows of unix time, one count an account.

use std::collections::HashMap;
use std::time::Duration;

use super::answer::http_date;

/// How `X-Ratelimit-Reset` is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetStyle {
    /// The unix second at which the window ends: the docs' prose and every sample seen.
    Epoch,
    /// Seconds until the window ends: one official description.
    Delta,
}

/// Whether a 429 carries `Retry-After` (RFC 9110, 10.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetryAfter {
    None,
    Seconds,
    Date,
}

/// So many requests of an account in each window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    pub limit: u32,
    /// Windows begin at multiples of this, counted from 1970.
    pub window: Duration,
    pub reset: ResetStyle,
    pub retry_after: RetryAfter,
}

impl RateLimit {
    /// `limit` requests in each `window`, with the headers as they are seen in the field.
    pub fn new(limit: u32, window: Duration) -> Self {
        Self {
            limit,
            window,
            reset: ResetStyle::Epoch,
            retry_after: RetryAfter::None,
        }
    }

    #[must_use]
    pub fn reset(mut self, reset: ResetStyle) -> Self {
        self.reset = reset;
        self
    }

    #[must_use]
    pub fn retry_after(mut self, retry_after: RetryAfter) -> Self {
        self.retry_after = retry_after;
        self
    }
}

/// What the limiter says to one request.
pub struct Verdict {
    pub headers: Vec<(String, String)>,
    /// For a refused request: how long its answer asks the client to wait.
    pub wait: Option<Duration>,
}

/// Counts the requests of each account.
pub struct Limiter {
    pub rate: Option<RateLimit>,
    counts: HashMap<String, (u128, u32)>,
}

impl Limiter {
    pub fn new(rate: Option<RateLimit>) -> Self {
        Self {
            rate,
            counts: HashMap::new(),
        }
    }

    /// Counts one request of `account` at `unix` time; what it announces is by a clock that is `skew_secs` ahead.
    pub fn count(&mut self, account: &str, unix: Duration, skew_secs: i64) -> Option<Verdict> {
        let rate = self.rate?;
        let length = rate.window.as_millis().max(1);
        let window = unix.as_millis() / length;
        let (seen, count) = self.counts.entry(account.to_owned()).or_insert((window, 0));
        if *seen != window {
            (*seen, *count) = (window, 0);
        }
        let refused = *count >= rate.limit;
        if !refused {
            *count += 1;
        }

        let end_ms = u64::try_from((window + 1) * length).unwrap_or(u64::MAX);
        let end = Duration::from_millis(end_ms);
        let end_secs = end_ms.div_ceil(1000);
        let announced_end = i64::try_from(end_secs).unwrap_or(i64::MAX) + skew_secs;
        let left_ms = u64::try_from(end.saturating_sub(unix).as_millis()).unwrap_or(u64::MAX);
        let left_secs = left_ms.div_ceil(1000).max(1);
        let (reset, wait) = match rate.reset {
            ResetStyle::Epoch => (
                announced_end.to_string(),
                Duration::from_secs(end_secs).saturating_sub(unix),
            ),
            ResetStyle::Delta => (left_secs.to_string(), Duration::from_secs(left_secs)),
        };
        let mut headers = vec![
            ("X-Ratelimit-Limit".to_owned(), rate.limit.to_string()),
            (
                "X-Ratelimit-Remaining".to_owned(),
                rate.limit.saturating_sub(*count).to_string(),
            ),
            ("X-Ratelimit-Reset".to_owned(), reset),
        ];
        let retry_after = match rate.retry_after {
            RetryAfter::Seconds => Some(left_secs.to_string()),
            RetryAfter::Date => Some(http_date(announced_end)),
            RetryAfter::None => None,
        };
        if let (true, Some(value)) = (refused, retry_after) {
            headers.push(("Retry-After".to_owned(), value));
        }
        Some(Verdict {
            headers,
            wait: refused.then_some(wait),
        })
    }
}
