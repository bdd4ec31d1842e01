//! An integration as a whole: what is trusted, until when, and whether a person is needed.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::{Look, Skew, Timestamp, Validity};
use crate::plan::attention::Attention;
use crate::plan::book::{Belief, Pause};
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
    /// By when a person must act.
    pub deadline: Option<Timestamp>,
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
    /// Why a person is needed.
    pub attention: BTreeSet<Attention>,
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
        let latest_trusted = trusted.iter().map(|it| it.not_after).max();
        let successor_due = latest_expiry.map(|it| it.minus(expiry.successor));

        let in_source = items
            .iter()
            .filter(|it| !it.paths.is_empty() && it.state != State::Denied);
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
            deadline: None,
            in_step,
            open_intents: inputs.book.open_intents(),
            pause: inputs.book.pause.clone(),
            approvals_pending: pending.clone().count(),
            oldest_pending: pending.filter_map(waits_since).min(),
            attention: BTreeSet::new(),
        };
        outlook.attention = outlook.reasons(items, inputs);
        outlook.deadline = outlook.deadline(items);
        outlook
    }

    /// When time alone gives a person something to do.
    pub(super) fn next_turn(&self, inputs: &Inputs<'_>) -> Option<Timestamp> {
        let critical = self
            .latest_expiry
            .map(|it| it.minus(inputs.policy.expiry.critical));
        let turns = [critical, self.successor_due];
        turns
            .into_iter()
            .flatten()
            .filter(|it| *it > inputs.now.wall)
            .min()
    }

    fn reasons(&self, items: &[Item], inputs: &Inputs<'_>) -> BTreeSet<Attention> {
        let now = inputs.now.wall;
        let expiry = &inputs.policy.expiry;
        let mut reasons: BTreeSet<Attention> = items.iter().filter_map(Item::attention).collect();
        match inputs.look {
            None => {
                reasons.insert(Attention::SourceDown);
            }
            Some(look) => reasons.extend(
                look.refusals()
                    .map(|(_, it)| Attention::of_refusal(it.reason)),
            ),
        }
        if inputs.look.is_some_and(|it: &Look| !it.surplus.is_empty()) {
            reasons.insert(Attention::Refused);
        }
        // Whether a first upload arrived, or what one list lacked is gone, is known within minutes; a certificate that does
        // not get there, or stays away, is no trust.
        let settle = inputs.policy.delivery.settle;
        let is_fresh = |it: &Item| {
            let belief = it.fingerprint.and_then(|it| inputs.book.beliefs.get(&it));
            let is_fresh = |it: &Belief| {
                let missing = it.missing.as_ref();
                let is_long = missing.is_some_and(|it| inputs.now.elapsed_since(it) > settle * 2);
                it.posts <= 1 && !is_long
            };
            it.state == State::Settling && belief.is_none_or(is_fresh)
        };
        let undecided = items.iter().any(is_fresh);
        if self.trusted == 0 && !undecided {
            reasons.insert(Attention::NoTrust);
        }
        if self.trusted > 0
            && self
                .latest_expiry
                .is_some_and(|it| inputs.clocks().left_until(it) <= expiry.critical)
        {
            reasons.insert(Attention::TrustEnds);
        }
        if self.trusted > 0
            && !self.successor_known
            && self.successor_due.is_some_and(|it| it <= now)
        {
            reasons.insert(Attention::NoSuccessor);
        }
        reasons
    }

    /// The end of trust, or five days after a key appeared that only a person lets in.
    fn deadline(&self, items: &[Item]) -> Option<Timestamp> {
        if self.attention.is_empty() {
            return None;
        }
        let waits_for_person = |it: &&Item| {
            matches!(it.state, State::Held | State::Rejected) && it.attention().is_some()
        };
        let switches = items
            .iter()
            .filter(waits_for_person)
            .filter_map(|it| it.since)
            .map(|it| it.plus(SHORTEST_NOTICE));
        switches.chain(self.latest_expiry).min()
    }
}

impl Item {
    /// Why this certificate or row needs a person, if it does.
    pub fn attention(&self) -> Option<Attention> {
        match (self.state, self.why) {
            (State::Held, Why::Paused) => None,
            (State::Held, Why::RemovedKey(_)) | (State::Removed, _) => Some(Attention::Removed),
            (State::Held, Why::KeyBudget { .. } | Why::TooMany { .. }) => {
                Some(Attention::KeyBudget)
            }
            (State::Held, _) => Some(Attention::Approval),
            (State::Rejected, _) => Some(Attention::Rejected),
            (State::Replaced, _) => Some(Attention::Replaced),
            (State::Unmanaged | State::Undecodable, _) => Some(Attention::Unmanaged),
            _ => None,
        }
    }
}
