//! What is held back although each certificate alone might go, and what a newer one makes of an older.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Certificate, Clocks, Fingerprint, Moment, PublicKeyId};
use crate::plan::book::{Belief, Book, Hold, HoldKind, InSource, KEY_BUDGET_PERIOD, Standing};
use crate::plan::entry::{Entry, What};
use crate::plan::rollover::{Inputs, Item, MOST_WANTED, upload_order};
use crate::plan::sides::Sides;
use crate::plan::state::State;
use crate::plan::why::Why;

/// Holds what is wanted beyond the limit of an integration: what is listed comes first, then by fingerprint. What is over
/// or denied is not wanted, and of what is listed twice one row counts.
pub(super) fn hold_surplus(items: &mut [Item], sides: &Sides<'_>) {
    let is_wanted = |it: &Item| {
        let is_asked_for = it
            .fingerprint
            .is_some_and(|it| sides.wanted.contains_key(&it));
        let is_out = matches!(it.state, State::Expired | State::Denied | State::Duplicate);
        is_asked_for && !is_out
    };
    let mut wanted: Vec<&mut Item> = items.iter_mut().filter(|it| is_wanted(it)).collect();
    wanted.sort_by_key(|it| (!it.is_listed, it.fingerprint));
    let surplus = wanted.into_iter().skip(MOST_WANTED);
    for item in surplus.filter(|it| it.state == State::Planned) {
        item.state = State::Held;
        item.why = Why::TooMany { limit: MOST_WANTED };
    }
}

/// Holds new keys beyond the day's budget. Before the integration's first trusted certificate there is no budget.
pub(super) fn spend_key_budget(items: &mut [Item], inputs: &Inputs<'_>) {
    let limit = inputs.policy.trust.new_keys_per_day;
    if limit == 0 || !inputs.book.has_ever_trusted() {
        return;
    }
    let mut spent: BTreeSet<PublicKeyId> = inputs
        .book
        .beliefs
        .values()
        .filter(|it| {
            let recent = |at| inputs.now.elapsed_since(at) < KEY_BUDGET_PERIOD;
            it.new_key.as_ref().is_some_and(recent)
        })
        .filter_map(Belief::key_id)
        .collect();
    // Once it was overrun, nothing new goes until a person has looked, whatever the clock says.
    let is_overrun = items.iter().any(|it| {
        let belief = it.fingerprint.and_then(|it| inputs.book.beliefs.get(&it));
        let hold = belief.and_then(|it| it.hold.as_ref());
        is_for_budget(it) && hold.is_some_and(|it| it.kind == HoldKind::KeyBudget)
    });
    items.sort_by_key(upload_order);
    for item in items.iter_mut().filter(|it| is_for_budget(it)) {
        let Some(key) = item.certificate.as_ref().map(Certificate::key_id) else {
            continue;
        };
        let is_spent = spent.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        if spent.contains(&key) && !is_overrun {
            continue;
        }
        if is_spent || is_overrun {
            item.state = State::Held;
            item.why = Why::KeyBudget { limit };
        } else {
            spent.insert(key);
        }
    }
}

/// Whether this goes up only within the budget of new keys.
const fn is_for_budget(item: &Item) -> bool {
    matches!(item.state, State::Planned)
        && matches!(
            item.why,
            Why::Enough { evidence, is_new_key: true } if !evidence.is_beyond_budget()
        )
}

/// What each certificate waits for of a person, for the book to remember; and an entry for each that does so from now on.
pub fn note_holds(book: &mut Book, items: &[Item], now: &Moment) -> Vec<Entry> {
    let held: BTreeMap<Fingerprint, (HoldKind, Why)> = items
        .iter()
        .filter_map(|it| Some((it.fingerprint?, (it.hold_kind()?, it.why))))
        .collect();
    let mut entries = Vec::new();
    let free: BTreeSet<Fingerprint> = items
        .iter()
        .filter(|it| matches!(it.state, State::Planned | State::Denied))
        .filter_map(|it| it.fingerprint)
        .collect();
    for (fingerprint, belief) in &mut book.beliefs {
        let Some((kind, why)) = held.get(fingerprint) else {
            // A pause, or a source that is down, ends no wait.
            let is_past = belief.standing != Standing::Seen || !belief.is_wanted();
            if is_past || free.contains(fingerprint) {
                belief.hold = None;
            }
            continue;
        };
        if belief.hold.as_ref().is_none_or(|it| it.kind != *kind) {
            let since = now.clone();
            belief.hold = Some(Hold { since, kind: *kind });
            entries.push(Entry::new(
                now.wall,
                What::Held,
                Some(*fingerprint),
                why.to_string(),
            ));
        }
    }
    entries
}

impl Item {
    /// What it waits for of a person, if that ends with their word.
    pub fn hold_kind(&self) -> Option<HoldKind> {
        match (self.state, self.why) {
            (State::Held, Why::NeedsApproval) => Some(HoldKind::Approval),
            (State::Held, Why::NeedsPin) => Some(HoldKind::Pin),
            (State::Held, Why::KeyBudget { .. }) => Some(HoldKind::KeyBudget),
            _ => None,
        }
    }
}

/// A trusted certificate whose file is gone, while one that ends later is trusted, counts no more.
pub(super) fn demote_superseded(items: &mut [Item], inputs: &Inputs<'_>) {
    let now = inputs.clocks();
    let is_gone = |it: &Item| {
        let belief = it.fingerprint.and_then(|it| inputs.book.beliefs.get(&it));
        it.paths.is_empty() && belief.is_some_and(|it| matches!(it.source, InSource::Gone { .. }))
    };
    let newest = items
        .iter()
        .filter(|it| it.state.is_trust() && !is_gone(it))
        .filter_map(|it| it.certificate.as_ref())
        .filter(|it| it.validity().is_valid(now))
        .max_by_key(|it| it.validity().not_after)
        .cloned();
    let Some(newest) = newest else { return };
    for item in items.iter_mut() {
        let older = item
            .certificate
            .as_ref()
            .is_some_and(|it| it.validity().not_after <= newest.validity().not_after);
        if !older || !is_gone(item) {
            continue;
        }
        match item.state {
            State::Trusted => {
                item.state = State::Superseded;
                item.why = Why::Successor(newest.fingerprint());
            }
            State::Found => {
                item.state = State::Inherited;
                item.why = Why::Successor(newest.fingerprint());
            }
            _ => {}
        }
    }
}

/// A removed certificate that no file asks for is a person's business only while nothing else is trusted.
pub(super) fn drop_quiet_tombstones(items: &mut Vec<Item>, now: Clocks) {
    let valid = |it: &Item| {
        it.certificate
            .as_ref()
            .is_some_and(|it| it.validity().is_valid(now))
    };
    let is_covered = items.iter().any(|it| it.state.is_trust() && valid(it));
    items.retain(|it| it.state != State::Removed || !it.paths.is_empty() || !is_covered);
}
