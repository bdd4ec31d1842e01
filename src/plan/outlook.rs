//! An integration as a whole: what is trusted, valid and withheld, and until when.

use std::time::Duration;

use crate::domain::{Clocks, IntegrationId, Skew, Timestamp, Validity};
use crate::plan::book::{Pause, TrustRecord};
use crate::plan::policy::Mode;
use crate::plan::rollover::{Inputs, Item};
use crate::plan::state::State;
use crate::plan::why::Why;

/// AD FS signs with a new key five days after it is published.
pub const SHORTEST_NOTICE: Duration = Duration::from_secs(5 * 86_400);

/// The integration as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outlook {
    /// How far SendGrid's clock and ours disagreed.
    pub skew: Skew,
    /// Certificates that SendGrid trusts, that count, and that are valid now.
    pub trusted: usize,
    /// When the last of those trusted now or later ends.
    pub latest_expiry: Option<Timestamp>,
    /// Whether the next certificate is known.
    pub successor_known: bool,
    /// By when it should be.
    pub successor_due: Option<Timestamp>,
    /// Whether everything that policy and time allow is at SendGrid, and nothing of ours is missing there.
    pub in_step: bool,
    /// Uploads whose outcome is unknown.
    pub open_intents: usize,
    /// Set while a person has paused it.
    pub pause: Option<Pause>,
    /// Certificates that wait for a person's word.
    pub approvals_pending: usize,
    /// Since when the one that has waited longest does so.
    pub oldest_pending: Option<Timestamp>,
    /// Certificates that are listed, valid now and may let people in, whoever uploaded them.
    pub valid: usize,
    /// When logins stop by what is known today: the end of what counts as trust, and while nothing does, of whatever is
    /// listed; none while nothing is.
    pub ends: Option<Timestamp>,
    /// Certificates that would be uploaded, but for `observe` or a pause.
    pub withheld: usize,
    /// Whether one list lacks what was there, and the next one has not said yet whether it is gone.
    pub is_undecided: bool,
    /// The integration id that the name had before, if nothing is written until an operator accepts the new one.
    pub moved_from: Option<IntegrationId>,
    /// When the list was first read whole.
    pub first_list: Option<Timestamp>,
    /// What is remembered of its trust from this plan on.
    pub trust: TrustRecord,
}

impl Outlook {
    pub(crate) fn of(items: &[Item], inputs: &Inputs<'_>) -> Self {
        let now = inputs.now.wall;
        let expiry = &inputs.policy.expiry;
        let validity = |it: &Item| {
            it.certificate
                .as_ref()
                .map(crate::domain::Certificate::validity)
        };
        let trusted: Vec<Validity> = items
            .iter()
            .filter(|it| it.state.is_trust())
            .filter_map(validity)
            .filter(|it| it.is_valid(inputs.clocks()))
            .collect();
        let coming = items
            .iter()
            .filter(|it| it.state == State::Ahead || it.state.is_trust())
            .filter_map(validity);
        let latest_expiry = coming.clone().map(|it| it.not_after).max();
        let listed = items
            .iter()
            .filter(|it| it.may_let_in(inputs.clocks()))
            .filter_map(validity);
        let valid_until = listed.clone().map(|it| it.not_after).max();
        let ends = if trusted.is_empty() {
            valid_until.max(latest_expiry)
        } else {
            latest_expiry
        };
        let successor_due = ends.map(|it| it.minus(expiry.successor));

        let in_source = items
            .iter()
            .filter(|it| !it.paths.is_empty() && it.state != State::Denied);
        let latest_trusted = trusted.iter().map(|it| it.not_after).max().or(valid_until);
        let is_later = |it: &Validity| latest_trusted.is_some_and(|end| it.not_after > end);
        let is_due = successor_due.is_some_and(|it| it <= now);
        let successor_known = in_source
            .filter_map(validity)
            .chain(coming)
            .any(|it| is_later(&it))
            || (trusted.len() > 1 && !is_due);

        let in_step = !items.iter().any(|it| match it.state {
            State::Planned | State::Settling | State::Rejected | State::Replaced => true,
            State::Removed => !it.paths.is_empty() || trusted.is_empty(),
            State::Waiting => matches!(it.why, Why::Backoff { .. } | Why::Elsewhere { .. }),
            _ => false,
        });
        let pending = items.iter().filter(|it| it.hold_kind().is_some());
        let waits_since = |it: &Item| {
            let belief = it.fingerprint.and_then(|it| inputs.book.beliefs.get(&it));
            let hold = belief.and_then(|it| it.hold.as_ref());
            hold.map(|it| it.since.wall).or(it.since)
        };
        let mut outlook = Self {
            skew: inputs.skew,
            trusted: trusted.len(),
            latest_expiry,
            successor_known,
            successor_due,
            in_step,
            open_intents: inputs.book.open_intents(),
            pause: inputs.book.pause.clone(),
            approvals_pending: pending.clone().count(),
            oldest_pending: pending.filter_map(waits_since).min(),
            valid: listed.count(),
            ends,
            withheld: items
                .iter()
                .filter(|it| it.is_withheld(inputs.policy.mode))
                .count(),
            is_undecided: items.iter().any(|it| is_undecided(it, inputs)),
            moved_from: inputs.book.moved_from,
            first_list: inputs.book.first_list,
            trust: TrustRecord::default(),
        };
        outlook.trust = outlook.remember(valid_until, inputs);
        outlook
    }

    /// Whether people could sign in once and cannot now, as far as SendGrid's list tells.
    pub const fn lacks_trust(&self) -> bool {
        self.has_lost(&self.trust, self.trusted, self.valid)
    }

    /// The same at another instant: `trusted` and `valid` are counted then.
    pub const fn has_lost(&self, trust: &TrustRecord, trusted: usize, valid: usize) -> bool {
        let counts_no_more = trust.has_counted && trusted == 0;
        let is_listed_no_more = trust.valid_until.is_some() && valid == 0;
        !self.is_undecided && (counts_no_more || is_listed_no_more)
    }

    fn remember(&self, valid_until: Option<Timestamp>, inputs: &Inputs<'_>) -> TrustRecord {
        let (book, now) = (inputs.book, inputs.now.wall);
        let before = book.trust;
        let trust = TrustRecord {
            has_counted: before.has_counted || book.has_ever_trusted() || self.trusted > 0,
            valid_until: valid_until.or(before.valid_until),
            lost_at: before.lost_at,
        };
        let is_lost = self.has_lost(&trust, self.trusted, self.valid);
        let ended = trust.valid_until.filter(|it| *it < now);
        let since = || before.lost_at.unwrap_or_else(|| ended.unwrap_or(now));
        TrustRecord {
            lost_at: is_lost.then(since),
            ..trust
        }
    }

    /// When time alone gives a person something to do.
    pub(super) fn next_turn(&self, inputs: &Inputs<'_>) -> Option<Timestamp> {
        let critical = self.ends.map(|it| it.minus(inputs.policy.expiry.critical));
        let turns = [critical, self.successor_due];
        turns
            .into_iter()
            .flatten()
            .filter(|it| *it > inputs.now.wall)
            .min()
    }
}

/// Whether a list lacks what should be there, and the next one may show it again.
fn is_undecided(item: &Item, inputs: &Inputs<'_>) -> bool {
    let belief = item.fingerprint.and_then(|it| inputs.book.beliefs.get(&it));
    let missing = belief.and_then(|it| it.missing.as_ref());
    let settle = inputs.policy.delivery.settle;
    item.state == State::Settling && missing.is_some_and(|it| inputs.now.elapsed_since(it) < settle)
}

impl Item {
    /// Whether SendGrid lists it, and it is valid: whoever holds its key can sign in, unless somebody disabled it.
    pub fn may_let_in(&self, now: impl Into<Clocks>) -> bool {
        let may = match self.state {
            State::Trusted
            | State::Ahead
            | State::Found
            | State::Settling
            | State::Denied
            | State::Expired
            | State::Superseded
            | State::Undecodable
            | State::Inherited
            | State::Acknowledged
            | State::Unmanaged => self.is_listed,
            State::Planned
            | State::Waiting
            | State::Held
            | State::Rejected
            | State::Disabled
            | State::Removed
            | State::Replaced
            | State::Duplicate
            | State::Orphaned => false,
        };
        let certificate = self.certificate.as_ref();
        may && certificate.is_some_and(|it| it.validity().is_valid(now))
    }

    /// Whether it would be uploaded, but for `observe` or a pause.
    pub fn is_withheld(&self, mode: Mode) -> bool {
        match self.state {
            State::Held => self.why == Why::Paused && !self.is_listed,
            State::Planned => mode == Mode::Observe && !self.is_listed,
            _ => false,
        }
    }
}
