//! What a list from SendGrid teaches the book. Nothing is sent because of what stands here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::text::{count, span};
use crate::domain::{CertificateId, Clocks, Fingerprint, Moment, Row, Skew, Timestamp};
use crate::plan::book::{Belief, Book, Intent, PostAnswer, Standing};
use crate::plan::entry::{Entry, What};
use crate::plan::listing::Listing;
use crate::plan::policy::DeliveryPolicy;
use crate::plan::settle::elsewhere::{doubted_until, is_elsewhere, is_strange, miss_all};

mod away;
pub(super) mod elsewhere;

/// What a GET by id said about a row that is missing from the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadBack {
    /// 404.
    NotThere,
    /// It is there, with this certificate.
    Holds(Fingerprint),
    /// No answer, or one that cannot be read: nothing follows.
    Unclear,
}

/// Every row we know is missing from the list, and GET says 404: a wrong account or id, not a hundred deletions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unreachable;

/// POSTs without an answer after which only an operator has another one made: rows that nobody sees may pile up.
const MOST_UNANSWERED: u32 = 100;

/// POSTs answered by a 2xx, and not listed, after which only an operator has another one made.
const MOST_ACCEPTED: u32 = 3;

/// How long after its first POST a certificate that is not listed counts as undelivered.
const UNDELIVERED_AFTER: Duration = Duration::from_secs(15 * 60);

/// Takes a book up whose last request has no outcome in it, because its process died, or could not note it. It may have
/// made that request in its last moment, however long ago that was noted: from now on the window has at least `settle`
/// left. Once that is noted, it is over: another process after this one does not begin it again.
pub fn resume(book: &mut Book, delivery: &DeliveryPolicy, now: &Moment) {
    if !std::mem::take(&mut book.is_sending) {
        return;
    }
    let is_patching = book.patched_at.is_some();
    let mut may_be_late = false;
    for belief in book.beliefs.values_mut() {
        let window = belief.settle_window(delivery);
        match &mut belief.standing {
            Standing::Intent(intent) => {
                let elapsed = now.elapsed_since(&intent.at);
                if window.is_some_and(|it| it.saturating_sub(elapsed) < delivery.settle) {
                    intent.at = now.clone();
                }
            }
            Standing::Deleting(deleting) => {
                deleting.at = now.clone();
                may_be_late = true;
            }
            Standing::Disabled { unsure: true, .. } => may_be_late |= is_patching,
            _ => {}
        }
    }
    if is_patching {
        book.patched_at = Some(now.clone());
    }
    if may_be_late {
        book.retired_at = Some(now.clone());
    }
}

/// The ids that a GET must be asked about before [`settle`] can conclude that they are gone.
pub fn suspects(
    book: &Book,
    rows: &[Row],
    delivery: &DeliveryPolicy,
    now: &Moment,
) -> Vec<CertificateId> {
    let listing = Listing::new(rows);
    let is_suspect = |(fingerprint, belief): &(&Fingerprint, &Belief)| {
        let listed = !listing.ids(**fingerprint).is_empty();
        !listed
            && match &belief.standing {
                Standing::Intent(intent) => is_ripe(belief, intent, delivery, now),
                Standing::Confirmed(_) | Standing::Disabled { .. } | Standing::Foreign { .. } => {
                    belief
                        .missing
                        .as_ref()
                        .is_some_and(|it| now.elapsed_since(it) >= delivery.settle)
                }
                Standing::Deleting(_) => true,
                Standing::Seen | Standing::Removed { .. } | Standing::Retired { .. } => false,
            }
    };
    let missing = book
        .beliefs
        .iter()
        .filter(is_suspect)
        .filter_map(|(_, belief)| belief.id().cloned())
        .filter(|it| listing.row(it).is_none());
    let undead = book.beliefs.iter().filter_map(|(fingerprint, belief)| {
        let Standing::Deleting(deleting) = &belief.standing else {
            return None;
        };
        let is_late = now.elapsed_since(&deleting.at) >= delivery.settle;
        (is_late && !listing.ids(*fingerprint).is_empty()).then(|| deleting.id.clone())
    });
    missing.chain(undead).collect()
}

impl Belief {
    /// How long after its POST the next one may be made; none if it has none under way, or not before an operator types
    /// `sync`.
    ///
    /// The first window is `settle`, as after a `sync` or a 400. A later one is a multiple of it: up to five times after an
    /// answered error, which is all that SendGrid will do about it; up to twenty times after silence, or a 2xx that no list
    /// shows, as what is under way may still arrive.
    pub(in crate::plan) fn settle_window(&self, delivery: &DeliveryPolicy) -> Option<Duration> {
        let Standing::Intent(intent) = &self.standing else {
            return None;
        };
        if intent.is_hurried || intent.answer == PostAnswer::Refused {
            return Some(delivery.settle);
        }
        let attempts = self.attempts.as_ref();
        let unanswered = attempts.map_or(0, |it| it.unanswered);
        let accepted = attempts.map_or(0, |it| it.accepted);
        let is_forgotten = intent.answer == PostAnswer::Accepted && accepted >= MOST_ACCEPTED;
        if is_forgotten || unanswered >= MOST_UNANSWERED {
            return None;
        }
        let is_error = intent.answer == PostAnswer::Error;
        let windows = match self.posts {
            0 | 1 => 1,
            2 if is_error => 2,
            3 if is_error => 4,
            _ if is_error => 5,
            2 => 5,
            3 => 10,
            _ => 20,
        };
        Some(delivery.settle * windows)
    }

    /// When the window of its POST ends, if that is still to come.
    pub(in crate::plan) fn window_ends(
        &self,
        delivery: &DeliveryPolicy,
        now: &Moment,
    ) -> Option<Timestamp> {
        let Standing::Intent(intent) = &self.standing else {
            return None;
        };
        let window = self.settle_window(delivery)?;
        Some(now.when_elapsed(&intent.at, window)).filter(|it| *it > now.wall)
    }

    /// From when on it counts as undelivered: 15 minutes after its first POST, or as soon as a second one failed. None
    /// while it is listed, was never sent, or SendGrid refused it.
    pub(in crate::plan) fn undelivered_from(&self, now: &Moment) -> Option<Timestamp> {
        let attempts = self.attempts.as_ref()?;
        if self.rejection.is_some() {
            return None;
        }
        let is_open = match &self.standing {
            Standing::Intent(it) => it.answer == PostAnswer::Accepted && it.lists == 0,
            _ => false,
        };
        let has_failed_twice = attempts.posts > 2 || (attempts.posts == 2 && !is_open);
        let wait = if has_failed_twice {
            Duration::ZERO
        } else {
            UNDELIVERED_AFTER
        };
        Some(now.when_elapsed(&attempts.first, wait))
    }
}

/// Whether an intent's window is over and, with the list at hand, two lists lacked it.
fn is_ripe(belief: &Belief, intent: &Intent, delivery: &DeliveryPolicy, now: &Moment) -> bool {
    let window = belief.settle_window(delivery);
    intent.lists >= 1 && window.is_some_and(|it| now.elapsed_since(&intent.at) >= it)
}

/// Settles the book by a complete list: what arrived, what is gone, what is new. `skew`: how far SendGrid's
/// clock and ours disagree.
///
/// # Errors
/// [`Unreachable`], and the book is as it was.
pub fn settle(
    book: &mut Book,
    rows: &[Row],
    reads: &BTreeMap<CertificateId, ReadBack>,
    delivery: &DeliveryPolicy,
    skew: Skew,
    now: &Moment,
) -> Result<Vec<Entry>, Unreachable> {
    let listing = Listing::new(rows);
    if is_elsewhere(book, &listing) {
        return miss_all(book, reads, delivery, now).map(|()| Vec::new());
    }
    let is_strange = is_strange(book, &listing);
    let is_doubted = doubted_until(book, &listing, delivery, now).is_some();
    let is_first_list = book.first_list.is_none();
    let clocks = skew.at(now.wall);
    let view = View {
        listing: &listing,
        reads,
        delivery,
        is_first_list,
        is_echo_possible: may_echo(book, delivery, now),
        clocks,
        now,
    };
    let mut after = book.clone();
    let mut entries = Vec::new();
    let trusted: BTreeSet<Fingerprint> = book
        .beliefs
        .iter()
        .filter(|(fingerprint, it)| {
            counts_as_trust(it, clocks) && !listing.ids(**fingerprint).is_empty()
        })
        .map(|(fingerprint, _)| *fingerprint)
        .collect();

    let counts = |it: &Belief| !(is_doubted && matches!(it.standing, Standing::Intent(_)));
    let mut gone = Vec::new();
    for (fingerprint, belief) in after.beliefs.iter_mut().filter(|(_, it)| counts(it)) {
        let before = belief.standing.clone();
        let only_trust =
            counts_as_trust(belief, clocks) && trusted.iter().all(|it| it == fingerprint);
        let entry = view.settle_one(*fingerprint, belief, only_trust, &book.unreadable);
        entries.extend(entry);
        if view.is_to_be_remembered(&before, belief) {
            gone.extend(belief.key_id().map(|key| (*fingerprint, key)));
        }
    }
    for (fingerprint, key) in gone {
        after.remember_gone(fingerprint, key, now);
    }
    let is_back = |it: &Belief| {
        let is_away = matches!(
            it.standing,
            Standing::Retired { .. } | Standing::Deleting(_)
        );
        !is_away
    };
    for fingerprint in listing.by_fingerprint.keys() {
        if after.beliefs.get(fingerprint).is_none_or(is_back) {
            after.gone.remove(fingerprint);
        }
    }
    if !is_strange {
        entries.extend(view.meet_strangers(&mut after));
        let is_open = after.open_intents() > 0; // then a new unreadable row stays a suspect until the intent is settled
        let known = |it: &&CertificateId| !is_open || book.unreadable.contains(*it);
        after.unreadable = listing.unreadable().filter(known).cloned().collect();
    }
    let may_be_late = |it: &Moment| now.elapsed_since(it) < delivery.settle;
    after.patched_at = after.patched_at.filter(may_be_late);
    after.first_list.get_or_insert(now.wall);
    after.last_list = Some(now.wall);
    *book = after;
    Ok(entries)
}

/// Whether a list may be older than our last DELETE, and still show what is gone.
pub(super) fn may_echo(book: &Book, delivery: &DeliveryPolicy, now: &Moment) -> bool {
    let last = book.retired_at.as_ref();
    last.is_some_and(|it| now.elapsed_since(it) < delivery.settle)
}

fn counts_as_trust(belief: &Belief, now: Clocks) -> bool {
    let ours = matches!(belief.standing, Standing::Confirmed(_));
    let found = matches!(belief.standing, Standing::Foreign { .. }) && belief.is_wanted();
    let valid = belief
        .certificate
        .as_ref()
        .is_some_and(|it| it.validity().is_valid(now));
    (ours || found) && valid
}

/// One list, with what is needed to judge by it.
struct View<'a> {
    listing: &'a Listing<'a>,
    reads: &'a BTreeMap<CertificateId, ReadBack>,
    delivery: &'a DeliveryPolicy,
    is_first_list: bool,
    is_echo_possible: bool,
    clocks: Clocks,
    now: &'a Moment,
}

impl View<'_> {
    fn settle_one(
        &self,
        fingerprint: Fingerprint,
        belief: &mut Belief,
        only_trust: bool,
        unreadable_before: &BTreeSet<CertificateId>,
    ) -> Option<Entry> {
        let ids = self.listing.ids(fingerprint);
        let entry =
            |what, detail: String| Some(Entry::new(self.now.wall, what, Some(fingerprint), detail));
        let standing = belief.standing.clone();
        if ids.is_empty() {
            return match standing {
                Standing::Intent(intent) => {
                    self.not_listed_yet(fingerprint, belief, intent, unreadable_before)
                }
                Standing::Confirmed(_) | Standing::Disabled { .. } | Standing::Foreign { .. } => {
                    self.no_longer_listed(fingerprint, belief, only_trust)
                }
                Standing::Deleting(deleting) => self.deleted(fingerprint, belief, &deleting),
                Standing::Seen | Standing::Removed { .. } | Standing::Retired { .. } => None,
            };
        }
        belief.missing = None;
        if belief.certificate.is_none() {
            belief.certificate = self.listing.certificate(fingerprint).cloned();
        }
        let first_id = ids.iter().find_map(|it| *it).cloned();
        let under = |id: &CertificateId| ids.contains(&Some(id));
        match standing {
            // Who put it there nobody knows: the 400 lied, or meant that it was there already.
            Standing::Intent(Intent {
                answer: PostAnswer::Refused,
                ..
            }) => Some(self.found(fingerprint, belief, first_id)),
            Standing::Intent(intent) => {
                let Some(id) = intent.id.clone().filter(|it| under(it)).or(first_id) else {
                    belief.attempts = None;
                    belief.rejection = None;
                    belief.standing = Standing::Foreign {
                        id: None,
                        inherited: false,
                    };
                    return entry(What::Settled, "found, in a row without an id".to_owned());
                };
                belief.confirm(id.clone(), self.now);
                if intent.id.is_some() && intent.lists == 0 {
                    return entry(What::Trusted, format!("read back, id {id}"));
                }
                let after = span(self.now.elapsed_since(&intent.at));
                let rows = count(ids.len(), "row", "rows");
                entry(
                    What::Settled,
                    format!("found after {after}, {rows}, id {id}"),
                )
            }
            Standing::Removed { id: Some(id) } if under(&id) => {
                belief.confirm(id.clone(), self.now);
                belief.order = None;
                entry(What::Trusted, format!("listed again, id {id}"))
            }
            Standing::Confirmed(id) if under(&id) => {
                belief.count_trust(self.now);
                None
            }
            Standing::Disabled { id, .. } if under(&id) => None,
            Standing::Retired { .. } if self.is_echo_possible => None,
            Standing::Deleting(deleting) if under(&deleting.id) => {
                self.not_deleted(fingerprint, belief, &deleting)
            }
            Standing::Foreign { id: Some(id), .. } if under(&id) => None,
            Standing::Foreign { inherited, .. } => {
                belief.standing = Standing::Foreign {
                    id: first_id,
                    inherited,
                };
                None
            }
            Standing::Confirmed(_)
            | Standing::Disabled { .. }
            | Standing::Deleting(_)
            | Standing::Seen
            | Standing::Retired { .. }
            | Standing::Removed { .. } => Some(self.found(fingerprint, belief, first_id)),
        }
    }

    /// It is listed, and not by us as far as is known.
    fn found(
        &self,
        fingerprint: Fingerprint,
        belief: &mut Belief,
        id: Option<CertificateId>,
    ) -> Entry {
        belief.posts = 0;
        belief.attempts = None;
        belief.trusted_for = None;
        belief.rejection = None;
        let told = id
            .as_ref()
            .map_or_else(|| "no id".to_owned(), |it| format!("id {it}"));
        belief.standing = Standing::Foreign {
            id,
            inherited: self.is_first_list,
        };
        let detail = format!("listed, not by us, {told}");
        Entry::new(self.now.wall, What::Found, Some(fingerprint), detail)
    }

    /// Rows that no belief knows.
    fn meet_strangers(&self, book: &mut Book) -> Vec<Entry> {
        let inherited = self.is_first_list;
        let mut entries = Vec::new();
        for (fingerprint, rows) in &self.listing.by_fingerprint {
            let Some((id, certificate)) = rows.first() else {
                continue;
            };
            if book.beliefs.contains_key(fingerprint) {
                continue;
            }
            let belief = book.belief(certificate);
            belief.standing = Standing::Foreign {
                id: id.cloned(),
                inherited,
            };
            let what = if inherited {
                What::Inherited
            } else {
                What::Unmanaged
            };
            let detail = id.map_or_else(|| "no id".to_owned(), |it| format!("id {it}"));
            entries.push(Entry::new(self.now.wall, what, Some(*fingerprint), detail));
        }
        entries
    }
}
