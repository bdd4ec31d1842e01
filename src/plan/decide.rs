//! Whether what is wanted may go up, or be enabled again.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::{Certificate, Fingerprint, Look, Moment, PublicKeyId, Timestamp};
use crate::plan::book::{Belief, Book, HoldKind, InSource, Order, Standing, Word, Write};
use crate::plan::rollover::{Inputs, Item};
use crate::plan::sides::Sides;
use crate::plan::state::State;
use crate::plan::trust::{Evidence, Trust, trust};
use crate::plan::why::Why;

/// How long a certificate that may have issued others waits for files that are still being written. A file that grows for
/// longer must not keep it away for ever.
const LONGEST_COPY: Duration = Duration::from_secs(60);

/// Decides about everything that is wanted and not at SendGrid, or there and disabled. A key counts as known while a
/// certificate with it is `trusted` in this pass's list.
pub(super) fn decide_wanted(items: &mut [Item], sides: &Sides<'_>) {
    let known_keys: BTreeSet<PublicKeyId> = items
        .iter()
        .filter(|it| it.state == State::Trusted)
        .filter_map(|it| it.certificate.as_ref().map(Certificate::key_id))
        .collect();
    for item in items.iter_mut() {
        let Some((certificate, fingerprint)) = item.certificate.as_ref().zip(item.fingerprint)
        else {
            continue;
        };
        let belief = sides.inputs.book.beliefs.get(&fingerprint);
        let decided = match (item.state, sides.wanted.get(&fingerprint)) {
            (State::Planned, Some(_)) => Some(sides.decide(certificate, belief, &known_keys)),
            (State::Disabled, wanted) => {
                sides.decide_disabled(certificate, belief, wanted.is_some(), &known_keys)
            }
            _ => None,
        };
        if let Some((state, why)) = decided {
            item.state = state;
            item.why = why;
        }
    }
}

impl Sides<'_> {
    /// Whether a certificate that could go up may.
    fn decide(
        &self,
        certificate: &Certificate,
        belief: Option<&Belief>,
        known_keys: &BTreeSet<PublicKeyId>,
    ) -> (State, Why) {
        let policy = self.inputs.policy;
        let now = self.inputs.now;
        let key = certificate.key_id();
        let is_restored = belief.is_some_and(|it| it.order == Some(Order::Restore));
        if self.denied_keys.contains(&key) {
            return (State::Denied, Why::DeniedKey);
        }
        let is_let_in = is_restored || belief.is_some_and(|it| it.word == Some(Word::ApprovedKey));
        let holds = |_: &&Fingerprint| !is_let_in && !known_keys.contains(&key);
        if let Some(removed) = self.removed_keys.get(&key).filter(holds) {
            return (State::Held, Why::RemovedKey(*removed));
        }
        if let Some(refused) = belief.and_then(|it| self.refused_upload(certificate, it)) {
            return refused;
        }
        let is_known_key = known_keys.contains(&key);
        let trust = trust(certificate, belief, is_known_key, &policy.trust, now);
        let decided = match (trust, self.unfinished_until(belief)) {
            // The unfinished file may hold what it issued.
            (Trust::Enough(evidence), Some(until))
                if certificate.may_issue() && !evidence.is_beyond_budget() =>
            {
                (State::Waiting, Why::FileUnfinished { until })
            }
            (Trust::Enough(evidence), _) => {
                // What was sent or trusted before is sent again, not let in anew.
                let was_let_in =
                    |it: &Belief| it.posts > 0 || matches!(it.standing, Standing::Retired { .. });
                let is_new_key =
                    !is_known_key && evidence != Evidence::Order && !belief.is_some_and(was_let_in);
                let enough = Why::Enough {
                    evidence,
                    is_new_key,
                };
                (State::Planned, enough)
            }
            (Trust::HeldDown { until }, _) => (State::Waiting, Why::HoldDown { until }),
            (Trust::Held(HoldKind::Pin), _) => (State::Held, Why::NeedsPin),
            (Trust::Held(HoldKind::Approval | HoldKind::KeyBudget), _) => {
                (State::Held, Why::NeedsApproval)
            }
        };
        self.unless_stopped(decided)
    }

    /// What SendGrid's refusal of a certificate says of it, for as long as it is not sent again.
    pub(super) fn refused_upload(
        &self,
        certificate: &Certificate,
        belief: &Belief,
    ) -> Option<(State, Why)> {
        let now = self.inputs.now;
        let rejection = belief.rejection.as_ref()?;
        let validity = certificate.validity();
        if validity.is_ahead(self.inputs.clocks()) {
            return Some((State::Waiting, Why::NotBefore(validity.not_before)));
        }
        let was_ahead = validity.is_ahead(self.inputs.skew.at(rejection.at.wall));
        let hold = self.inputs.policy.delivery.refused_hold;
        let rest = hold.saturating_sub(now.elapsed_since(&rejection.at));
        let until = now.wall.plus(rest);
        (!was_ahead && !rest.is_zero()).then_some((State::Rejected, Why::Rejected { until }))
    }

    /// Whether a certificate that we disabled is enabled again: a person wants it back, or it was taken away for its
    /// absence, and a file asks for it again that would be enough for a new one.
    fn decide_disabled(
        &self,
        certificate: &Certificate,
        belief: Option<&Belief>,
        is_wanted: bool,
        known_keys: &BTreeSet<PublicKeyId>,
    ) -> Option<(State, Why)> {
        let belief = belief?;
        let evidence = match (&belief.standing, belief.order) {
            (Standing::Disabled { .. }, Some(Order::Restore)) => Evidence::Order,
            (Standing::Disabled { ordered: false, .. }, None) if is_wanted => Evidence::Returned,
            _ => return None,
        };
        let key = certificate.key_id();
        if evidence != Evidence::Order {
            let (policy, now) = (&self.inputs.policy.trust, self.inputs.now);
            let is_known_key = known_keys.contains(&key);
            let enough = trust(certificate, Some(belief), is_known_key, policy, now);
            if !matches!(enough, Trust::Enough(_)) {
                return None;
            }
        }
        let is_removed = self.removed_keys.contains_key(&key) && evidence != Evidence::Order;
        if self.is_denied(certificate) || is_removed {
            return None;
        }
        if let Some(until) = self.no_patch_before() {
            return Some((State::Waiting, Why::NotEnabled { until }));
        }
        let enough = Why::Enough {
            evidence,
            is_new_key: false,
        };
        Some(self.unless_stopped((State::Planned, enough)))
    }

    /// Until when a file that is still being written is waited for, as it may hold what this certificate issued; none if
    /// there is no such file, or it has been one for as long as no copy takes.
    fn unfinished_until(&self, belief: Option<&Belief>) -> Option<Timestamp> {
        let now = self.inputs.now;
        self.inputs.look.and_then(Look::again_at)?;
        let since = match belief.map(|it| &it.source) {
            Some(InSource::Present { since, .. }) => since,
            _ => now,
        };
        let left = LONGEST_COPY.saturating_sub(now.elapsed_since(since));
        (!left.is_zero()).then(|| now.wall.plus(left))
    }

    /// Until when nothing is enabled; none if it may be.
    pub(super) fn no_patch_before(&self) -> Option<Timestamp> {
        let refused = refused(self.inputs.book, Write::Update, self.inputs.now);
        refused.max(unsettled(self.inputs))
    }

    /// What goes, unless a person has paused it, or it would go to where nothing is known.
    fn unless_stopped(&self, decided: (State, Why)) -> (State, Why) {
        if decided.0 != State::Planned {
            return decided;
        }
        if self.inputs.book.moved_from.is_some() {
            return (State::Held, Why::IdChanged);
        }
        if self.inputs.book.pause.is_some() {
            return (State::Held, Why::Paused);
        }
        match self.elsewhere_until {
            Some(until) => (State::Waiting, Why::Elsewhere { until }),
            None => decided,
        }
    }
}

/// Until when an earlier request to enable or disable may still be carried out; none if there is none.
pub(super) fn unsettled(inputs: &Inputs<'_>) -> Option<Timestamp> {
    let (settle, now) = (inputs.policy.delivery.settle, inputs.now);
    let patched = inputs.book.patched_at.as_ref()?;
    (now.elapsed_since(patched) < settle).then(|| now.when_elapsed(patched, settle))
}

/// Until when a write that was refused is not tried again; none if it may be made.
pub(super) fn refused(book: &Book, write: Write, now: &Moment) -> Option<Timestamp> {
    let refusal = book.refused_writes.get(&write)?;
    let is_over = now.elapsed_since(&refusal.at) >= refusal.wait();
    (!is_over).then(|| now.when_elapsed(&refusal.at, refusal.wait()))
}
