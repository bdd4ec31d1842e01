//! When the next request of an account may go.
//!
//! The rate budget, the key and the way to SendGrid are the account's, so one gate a SendGrid account decides. What an
//! answer closes, and for how long, is this table ([`Gate::record`]):
//!
//! | answer | closes | for |
//! |---|---|---|
//! | 2xx | nothing; opens [`Barrier::Key`], [`Barrier::Outage`], its integration, and after a create [`Barrier::Creates`] | |
//! | 400, 404 | nothing; opens [`Barrier::Outage`] and its integration | |
//! | 401 | [`Barrier::Key`] | `probe`, doubling to three times |
//! | 403 on a read | [`Barrier::Key`], because it may be a temporary block of the account | likewise |
//! | 403 on a create | [`Barrier::Creates`]: a key that may only read still reads | likewise |
//! | 403 on an update, a delete | nothing: that one action is the caller's to hold | |
//! | 429 | [`Barrier::ServerWord`] | the server's word; after a second one in a row at least our own doubling |
//! | `Remaining: 0` on any answer | [`Barrier::ServerWord`] | the reset |
//! | `Retry-After` on a 403 or 5xx | [`Barrier::ServerWord`], beside the line above or below | the server's word |
//! | 5xx, no connection, no whole answer, nonsense | [`Barrier::Integration`] | `retry_first`, doubling to `retry_cap` |
//! | the same, after **another** integration failed and none succeeded since | also [`Barrier::Outage`] | likewise |
//! | the same, of a request that concerns no integration | [`Barrier::Outage`] | likewise |
//!
//! So one integration that always times out waits longer and longer by itself, and the account's others keep their
//! pace; when everything fails, the whole account backs off as one, whatever the number of its integrations.
//!
//! The server's word is clamped to 1 s … 1 h and its jitter comes on top, so that nobody knocks before the reset.
//! Waits run on the boot clock: a jump of the wall clock shortens and lengthens none.

mod barrier;
mod bucket;
mod pace;
mod report;
mod server_word;
mod skew;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{IntegrationId, Moment, Skew, Timestamp};

pub use barrier::{Barrier, Hold, Scope, Why};
use bucket::Bucket;
pub use pace::GateSettings;
use pace::{clamped, jittered};
pub use report::{Operation, Outcome, Report, Request};
pub use server_word::RateHeaders;
use server_word::ServerWord;
use skew::{APART, Disagreement};

/// May this request go?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It may, and it is counted: send it.
    Now,
    /// Not yet.
    Wait(Wait),
}

/// A wait before a request may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wait {
    /// How long, from now, on the boot clock.
    pub left: Duration,
    /// Why.
    pub why: Why,
    /// What else waits: only a wait of the whole account is worth sleeping for.
    pub scope: Scope,
}

/// What survives a restart and a reboot.
///
/// A key's barriers do not: a restart is how a new systemd credential comes in, and it deserves one try.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GateState {
    /// The closed barriers, and those that still count.
    pub barriers: Vec<(Barrier, Hold)>,
}

/// What status and metrics show of a gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GateView {
    /// Requests in a window, by the last answer that said so.
    pub limit: Option<u64>,
    /// Requests left in it.
    pub remaining: Option<u64>,
    /// When that window ends, on our wall clock.
    pub reset: Option<Timestamp>,
    /// Until when the whole account waits, and why.
    pub closed: Option<(Timestamp, Why)>,
    /// Our wall clock minus SendGrid's, in whole seconds: positive if ours is ahead.
    pub skew_secs: Option<i64>,
    /// Whether SendGrid took the key; none until it has said.
    pub key_valid: Option<bool>,
}

/// One account's permission to ask.
#[derive(Clone, Debug)]
pub struct Gate {
    settings: GateSettings,
    bucket: Bucket,
    barriers: BTreeMap<Barrier, Hold>,
    /// Which integration failed last, if nobody has succeeded since.
    last_failed: Option<IntegrationId>,
    limit: Option<u64>,
    remaining: Option<u64>,
    /// When the window ends, in milliseconds since boot.
    reset_at_ms: Option<i64>,
    /// SendGrid's wall clock minus our boot clock, in milliseconds: so a jump of our wall clock shows in the skew.
    server_clock_ms: Option<i64>,
    disagreement: Option<Disagreement>,
    key_valid: Option<bool>,
}

impl Gate {
    /// An open gate.
    pub fn new(settings: GateSettings) -> Self {
        Self {
            settings,
            bucket: Bucket::new(settings.requests_per_minute),
            barriers: BTreeMap::new(),
            last_failed: None,
            limit: None,
            remaining: None,
            reset_at_ms: None,
            server_clock_ms: None,
            disagreement: None,
            key_valid: None,
        }
    }

    /// A gate as it was [saved](Self::saved), in this boot or another.
    pub fn restore(settings: GateSettings, state: GateState) -> Self {
        let mut gate = Self::new(settings);
        for (barrier, mut hold) in state.barriers {
            hold.wait = hold.wait.min(settings.longest());
            gate.barriers.insert(barrier, hold);
        }
        gate
    }

    /// What is to survive a restart.
    pub fn saved(&self) -> GateState {
        let lasting = |it: &Barrier| !matches!(it, Barrier::Key | Barrier::Creates);
        GateState {
            barriers: self
                .barriers
                .iter()
                .filter(|(barrier, _)| lasting(barrier))
                .map(|(barrier, hold)| (*barrier, hold.clone()))
                .collect(),
        }
    }

    /// The same state under other settings.
    pub fn reconfigure(&mut self, settings: GateSettings) {
        self.settings = settings;
        self.bucket.resize(settings.requests_per_minute);
    }

    /// Lets a request through and counts it, or says how long it waits.
    pub fn admit(&mut self, now: &Moment, request: &Request) -> Admission {
        if let Some(wait) = self.closed(now, request) {
            return Admission::Wait(wait);
        }
        let left = self.bucket.wait(now.since_boot);
        if left > Duration::ZERO {
            return Admission::Wait(Wait {
                left,
                why: Why::OwnCeiling,
                scope: Scope::Account,
            });
        }
        self.bucket.take(now.since_boot);
        Admission::Now
    }

    /// What stands in the way of a request for longest, our own ceiling apart. Nothing is counted.
    pub fn closed(&self, now: &Moment, request: &Request) -> Option<Wait> {
        self.barriers
            .iter()
            .filter(|(barrier, _)| barrier.stops(request))
            .map(|(barrier, hold)| Wait {
                left: hold.left(now),
                why: hold.why,
                scope: barrier.scope(),
            })
            .filter(|it| it.left > Duration::ZERO)
            .max_by_key(|it| it.left)
    }

    /// Learns from an answer, or from its absence. `dice` is in `0.0 ..= 1.0`.
    pub fn record(&mut self, now: &Moment, report: &Report, dice: f64) {
        let word = self.read_word(now, &report.headers);
        self.obey_hints(now, report.outcome, word, dice);
        match report.outcome {
            Outcome::Done => {
                self.key_valid = Some(true);
                self.barriers.remove(&Barrier::Key);
                if report.request.operation == Operation::Create {
                    self.barriers.remove(&Barrier::Creates);
                }
                self.answered(now, report.request);
            }
            Outcome::Refused | Outcome::NotFound => self.answered(now, report.request),
            Outcome::KeyRejected => {
                self.key_valid = Some(false);
                self.probe_slowly(now, Barrier::Key, Why::KeyRejected);
            }
            Outcome::Forbidden => match report.request.operation {
                Operation::Create => self.probe_slowly(now, Barrier::Creates, Why::Forbidden),
                Operation::Update | Operation::Delete => {}
                Operation::List | Operation::Read | Operation::Integrations | Operation::Scopes => {
                    self.probe_slowly(now, Barrier::Key, Why::Forbidden);
                }
            },
            Outcome::RateLimited => self.rate_limited(now, word, dice),
            Outcome::ServerError => self.failed(now, report.request, Why::ServerErrors, dice),
            Outcome::Unsent => self.failed(now, report.request, Why::NoConnection, dice),
            Outcome::NoAnswer => self.failed(now, report.request, Why::NoAnswer, dice),
            Outcome::Unexpected => self.failed(now, report.request, Why::UnexpectedAnswers, dice),
        }
    }

    /// Another key is in use: what the old one met is forgotten.
    pub fn key_changed(&mut self) {
        self.key_valid = None;
        self.barriers.remove(&Barrier::Key);
        self.barriers.remove(&Barrier::Creates);
    }

    /// A person wants it now: lifts every wait of our own, never the server's.
    pub fn lift_own_waits(&mut self) {
        self.barriers
            .retain(|barrier, _| *barrier == Barrier::ServerWord);
        self.last_failed = None;
    }

    /// What status and metrics show.
    pub fn view(&self, now: &Moment) -> GateView {
        let since_boot_ms = millis(now.since_boot);
        let on_wall = |at_ms: i64| {
            let ahead = at_ms.saturating_sub(since_boot_ms);
            Timestamp::from_millis(now.wall.as_millis().saturating_add(ahead))
        };
        GateView {
            limit: self.limit,
            remaining: self.remaining,
            reset: self.reset_at_ms.map(on_wall),
            closed: self
                .barriers
                .iter()
                .filter(|(barrier, _)| barrier.scope() == Scope::Account)
                .map(|(_, hold)| (hold.left(now), hold.why))
                .filter(|(left, _)| *left > Duration::ZERO)
                .max_by_key(|(left, _)| *left)
                .map(|(left, why)| (now.wall.plus(left), why)),
            skew_secs: self.skew_secs(now),
            key_valid: self.key_valid,
        }
    }

    /// How far SendGrid's clock and ours are apart, if that is too far for either to be believed alone. One answer is
    /// enough for that: it only makes careful.
    pub fn skew(&self, now: &Moment) -> Skew {
        let skew = self.skew_secs(now).filter(|it| skew::is_far(*it));
        skew.map_or(Skew::None, |it| Skew::Secs(it.saturating_neg()))
    }

    /// Since when, on our wall clock, our clock or SendGrid's is certainly wrong: they differed by more than five minutes
    /// in two answers a minute apart, in each one between them, and still do. Which of the two it is, nobody can tell.
    pub fn disagrees_since(&self, now: &Moment) -> Option<Timestamp> {
        let run = self.disagreement.filter(|it| it.is_confirmed())?;
        let since = now.wall.minus(now.since_boot.saturating_sub(run.first()));
        self.skew(now).is_there().then_some(since)
    }

    /// When another answer would show whether the clocks disagree for certain; none if that is known.
    pub fn confirms_skew_at(&self, now: &Moment) -> Option<Timestamp> {
        let run = self.disagreement.filter(|it| !it.is_confirmed())?;
        let left = (run.first() + APART).saturating_sub(now.since_boot);
        self.skew(now).is_there().then(|| now.wall.plus(left))
    }

    fn skew_secs(&self, now: &Moment) -> Option<i64> {
        let server_now = self.server_clock_ms?.saturating_add(millis(now.since_boot));
        Some(now.wall.as_millis().saturating_sub(server_now) / 1000)
    }

    /// Reads the headers by the server's own clock: its `Date`, else what earlier ones told, else our clock.
    fn read_word(&mut self, now: &Moment, headers: &RateHeaders) -> ServerWord {
        let since_boot_ms = millis(now.since_boot);
        if let Some(date) = headers.date.as_deref().and_then(server_word::http_date) {
            self.server_clock_ms = Some(date.as_millis().saturating_sub(since_boot_ms));
            let skew = self.skew_secs(now).unwrap_or(0);
            self.disagreement = Disagreement::after(self.disagreement, skew, now.since_boot);
        }
        let server_now = self.server_clock_ms.map_or(now.wall, |it| {
            Timestamp::from_millis(it.saturating_add(since_boot_ms))
        });
        let word = ServerWord::read(headers, server_now);
        if word.limit.is_some() {
            self.limit = word.limit;
        }
        if word.remaining.is_some() {
            self.remaining = word.remaining;
        }
        if let Some(secs) = word.reset_in_secs {
            self.reset_at_ms = Some(since_boot_ms.saturating_add(secs.saturating_mul(1000)));
        }
        word
    }

    /// Obeys what an answer says beside its status.
    fn obey_hints(&mut self, now: &Moment, outcome: Outcome, word: ServerWord, dice: f64) {
        let asked = match outcome {
            Outcome::Forbidden | Outcome::ServerError => word.retry_after,
            _ => None,
        };
        let hints = [
            (word.used_up_for(), Why::LimitUsedUp),
            (asked, Why::AskedToWait),
        ];
        for (hint, why) in hints {
            if let Some(hint) = hint {
                let failures = self.failures(Barrier::ServerWord);
                let wait = jittered(clamped(hint), dice);
                self.close(now, Barrier::ServerWord, failures, wait, why);
            }
        }
    }

    /// The server's word, if it gave one. A word that was obeyed and followed by another 429 was too short, so our own
    /// doubling is then the least.
    fn rate_limited(&mut self, now: &Moment, word: ServerWord, dice: f64) {
        let failures = self.failures(Barrier::ServerWord).saturating_add(1);
        let wait = match word.stay_away().map(clamped) {
            None => self.settings.backoff(failures, dice),
            Some(word) if failures == 1 => word,
            Some(word) => word.max(self.settings.backoff(failures - 1, dice)),
        };
        let wait = jittered(wait, dice);
        self.close(now, Barrier::ServerWord, failures, wait, Why::RateLimited);
    }

    fn failed(&mut self, now: &Moment, request: Request, why: Why, dice: f64) {
        let spreads = match (request.integration, self.last_failed) {
            (None, _) => true,
            (Some(id), Some(last)) => id != last,
            (Some(_), None) => self.barriers.contains_key(&Barrier::Outage),
        };
        if let Some(id) = request.integration {
            self.back_off(now, Barrier::Integration(id), why, dice);
            self.last_failed = Some(id);
        }
        if spreads {
            self.back_off(now, Barrier::Outage, why, dice);
        }
    }

    /// SendGrid lives, and dealt with this request.
    fn answered(&mut self, now: &Moment, request: Request) {
        self.last_failed = None;
        self.barriers.remove(&Barrier::Outage);
        if let Some(id) = request.integration {
            self.barriers.remove(&Barrier::Integration(id));
        }
        match self.barriers.get_mut(&Barrier::ServerWord) {
            Some(hold) if hold.left(now) > Duration::ZERO => hold.failures = 0,
            Some(_) => drop(self.barriers.remove(&Barrier::ServerWord)),
            None => {}
        }
    }

    fn back_off(&mut self, now: &Moment, barrier: Barrier, why: Why, dice: f64) {
        let failures = self.failures(barrier).saturating_add(1);
        let wait = self.settings.backoff(failures, dice);
        self.close(now, barrier, failures, wait, why);
    }

    fn probe_slowly(&mut self, now: &Moment, barrier: Barrier, why: Why) {
        let failures = self.failures(barrier).saturating_add(1);
        let wait = self.settings.probe_after(failures);
        self.close(now, barrier, failures, wait, why);
    }

    fn failures(&self, barrier: Barrier) -> u32 {
        self.barriers.get(&barrier).map_or(0, |it| it.failures)
    }

    /// Closes a barrier. One that is closed for longer stays closed for as long.
    fn close(&mut self, now: &Moment, barrier: Barrier, failures: u32, wait: Duration, why: Why) {
        match self.barriers.get_mut(&barrier) {
            Some(hold) if hold.left(now) > wait => hold.failures = failures,
            _ => {
                let since = now.clone();
                let hold = Hold {
                    failures,
                    since,
                    wait,
                    why,
                };
                self.barriers.insert(barrier, hold);
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
