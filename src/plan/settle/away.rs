//! What follows when a list lacks what it should show, or shows what it should lack.

use std::collections::BTreeSet;

use crate::domain::text::span;
use crate::domain::{CertificateId, Fingerprint, RowContent};
use crate::plan::book::{Belief, Deleting, InSource, Intent, Standing};
use crate::plan::entry::{Entry, What};
use crate::plan::settle::{ReadBack, View, is_ripe};

impl View<'_> {
    /// Whether what left the list must not come back by itself, nor its key: it was ours or once in a file, and neither
    /// policy took it away nor was it expired.
    pub(super) fn is_to_be_remembered(&self, before: &Standing, belief: &Belief) -> bool {
        let was_here = match before {
            Standing::Confirmed(_) | Standing::Disabled { .. } => true,
            Standing::Deleting(deleting) => deleting.ordered,
            Standing::Foreign { .. } => belief.source != InSource::Never,
            _ => false,
        };
        let is_over = belief.is_over(self.clocks);
        let is_away = matches!(
            belief.standing,
            Standing::Seen | Standing::Removed { .. } | Standing::Retired { .. }
        );
        is_away && was_here && !is_over
    }

    pub(super) fn not_listed_yet(
        &self,
        fingerprint: Fingerprint,
        belief: &mut Belief,
        mut intent: Intent,
        unreadable_before: &BTreeSet<CertificateId>,
    ) -> Option<Entry> {
        if self.listing.may_hide(&intent, unreadable_before) {
            return None;
        }
        // An id whose row carries something else is not where it is.
        let asked = intent.id.as_ref().is_none_or(|it| {
            self.reads.get(it) == Some(&ReadBack::NotThere) || self.listing.row(it).is_some()
        });
        if is_ripe(belief, &intent, self.delivery, self.now) && asked {
            belief.standing = Standing::Seen;
            let after = span(self.now.elapsed_since(&intent.at));
            let detail = format!(
                "not there after {after} and {} lists",
                intent.lists.saturating_add(1)
            );
            return Some(Entry::new(
                self.now.wall,
                What::Settled,
                Some(fingerprint),
                detail,
            ));
        }
        intent.lists = intent.lists.saturating_add(1).min(1_000);
        belief.standing = Standing::Intent(intent);
        None
    }

    pub(super) fn no_longer_listed(
        &self,
        fingerprint: Fingerprint,
        belief: &mut Belief,
        only_trust: bool,
    ) -> Option<Entry> {
        let entry =
            |what, detail: String| Some(Entry::new(self.now.wall, what, Some(fingerprint), detail));
        let id = belief.id().cloned();
        match id.as_ref().and_then(|it| self.listing.row(it)) {
            Some(RowContent::Undecodable) => return None,
            Some(RowContent::Certificate(other)) => {
                if belief.missing.is_some() {
                    return None;
                }
                belief.missing = Some(self.now.clone());
                return entry(
                    What::Replaced,
                    format!("its id now carries {}", other.fingerprint().short()),
                );
            }
            None => {}
        }
        let Some(first) = &belief.missing else {
            belief.missing = Some(self.now.clone());
            return None;
        };
        let asked = id
            .as_ref()
            .is_none_or(|it| self.reads.get(it) == Some(&ReadBack::NotThere));
        if self.now.elapsed_since(first) < self.delivery.settle || !asked {
            return None;
        }
        let over = belief
            .certificate
            .as_ref()
            .is_none_or(|it| it.validity().is_over(self.clocks));
        let ours = matches!(belief.standing, Standing::Confirmed(_));
        let missed = belief.is_wanted() || (only_trust && ours);
        let ordered = matches!(belief.standing, Standing::Disabled { ordered: true, .. });
        belief.missing = None;
        belief.trusted_since = None;
        belief.trusted_for = None;
        let was_ours = belief.is_listed() && !matches!(belief.standing, Standing::Foreign { .. });
        if missed && !over && !ordered {
            belief.standing = Standing::Removed {
                id: id.filter(|_| ours),
            };
            return entry(
                What::Removed,
                "by somebody, at SendGrid: two lists without it, and 404".to_owned(),
            );
        }
        belief.standing = if was_ours {
            Standing::Retired { ordered }
        } else {
            Standing::Seen
        };
        entry(
            What::Gone,
            "left SendGrid's list; nothing asks for it".to_owned(),
        )
    }

    /// A DELETE was made, and the list lacks it: a GET decides.
    pub(super) fn deleted(
        &self,
        fingerprint: Fingerprint,
        belief: &mut Belief,
        deleting: &Deleting,
    ) -> Option<Entry> {
        let is_gone = match self.listing.row(&deleting.id) {
            None => self.reads.get(&deleting.id) == Some(&ReadBack::NotThere),
            Some(RowContent::Certificate(_)) => true, // its id carries something else
            Some(RowContent::Undecodable) => false,   // that may be it
        };
        if !is_gone {
            return None;
        }
        belief.standing = Standing::Retired {
            ordered: deleting.ordered,
        };
        belief.trusted_since = None;
        let detail = format!("deleted, id {}: not listed, and 404", deleting.id);
        Some(Entry::new(
            self.now.wall,
            What::Settled,
            Some(fingerprint),
            detail,
        ))
    }

    /// A DELETE was made long enough ago, and it is still listed: a GET decides.
    pub(super) fn not_deleted(
        &self,
        fingerprint: Fingerprint,
        belief: &mut Belief,
        deleting: &Deleting,
    ) -> Option<Entry> {
        let still_there = ReadBack::Holds(fingerprint);
        if self.reads.get(&deleting.id) != Some(&still_there) {
            return None;
        }
        belief.take_back();
        let detail = format!("not deleted, id {}: it is still there", deleting.id);
        Some(Entry::new(
            self.now.wall,
            What::Settled,
            Some(fingerprint),
            detail,
        ))
    }
}
