//! What a list from SendGrid teaches the book. Nothing is sent because of what stands here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::text::{count, span};
use crate::domain::{CertificateId, Clocks, Fingerprint, Moment, Row, Skew};
use crate::plan::book::{Belief, Book, Intent, Standing};
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

/// How long after the `posts`-th POST that may have arrived the next one may be made: `settle`, then 15 minutes, one
/// hour, six hours.
pub fn settle_window(posts: u32, delivery: &DeliveryPolicy) -> Duration {
    const LATER: [u64; 3] = [15 * 60, 3600, 6 * 3600];
    let step = match posts {
        0 | 1 => None,
        2 => LATER.first(),
        3 => LATER.get(1),
        _ => LATER.last(),
    };
    step.map_or(delivery.settle, |it| {
        delivery.settle.max(Duration::from_secs(*it))
    })
}

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
        let window = settle_window(belief.posts, delivery);
        match &mut belief.standing {
            Standing::Intent(intent) => {
                let left = window.saturating_sub(now.elapsed_since(&intent.at));
                if left < delivery.settle {
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

/// Whether an intent's window is over and, with the list at hand, two lists lacked it.
fn is_ripe(belief: &Belief, intent: &Intent, delivery: &DeliveryPolicy, now: &Moment) -> bool {
    intent.lists >= 1 && now.elapsed_since(&intent.at) >= settle_window(belief.posts, delivery)
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
    for (fingerprint, belief) in after.beliefs.iter_mut().filter(|(_, it)| counts(it)) {
        let only_trust =
            counts_as_trust(belief, clocks) && trusted.iter().all(|it| it == fingerprint);
        let entry = view.settle_one(*fingerprint, belief, only_trust, &book.unreadable);
        entries.extend(entry);
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
            Standing::Intent(intent) => {
                let Some(id) = intent.id.clone().filter(|it| under(it)).or(first_id) else {
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
            | Standing::Removed { .. } => {
                belief.posts = 0;
                belief.trusted_for = None;
                belief.rejection = None;
                let id = first_id
                    .as_ref()
                    .map_or_else(|| "no id".to_owned(), |it| format!("id {it}"));
                belief.standing = Standing::Foreign {
                    id: first_id,
                    inherited: self.is_first_list,
                };
                entry(What::Found, format!("listed, not by us, {id}"))
            }
        }
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
