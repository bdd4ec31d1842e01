//! The three sides of a plan, indexed: what files ask for, what SendGrid lists, and which keys are spoken for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::domain::{
    Certificate, CertificateId, Fingerprint, Look, PublicKeyId, Row, RowContent, Timestamp,
};
use crate::plan::book::{Belief, Book, Order, Standing, Word};
use crate::plan::listing::Listing;
use crate::plan::rollover::{Inputs, Item};
use crate::plan::settle::elsewhere::doubted_until;
use crate::plan::settle::may_echo;
use crate::plan::state::{Believed, Listed, State};
use crate::plan::why::Why;

/// What an accepted file says of a certificate.
pub(super) struct Wanted<'a> {
    pub(super) certificate: &'a Certificate,
    pub(super) paths: Vec<PathBuf>,
}

/// The sides, and what follows from them before any policy.
pub(super) struct Sides<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) listing: Listing<'a>,
    pub(super) wanted: BTreeMap<Fingerprint, Wanted<'a>>,
    pub(super) denied_keys: BTreeSet<PublicKeyId>,
    pub(super) removed_keys: BTreeMap<PublicKeyId, Fingerprint>,
    /// Until when nothing is sent, because the list shows nothing that we know.
    pub(super) elsewhere_until: Option<Timestamp>,
    may_echo: bool,
}

impl<'a> Sides<'a> {
    pub(super) fn new(inputs: &'a Inputs<'a>) -> Self {
        let listing = Listing::new(inputs.rows);
        let beliefs = || inputs.book.beliefs.iter();
        let denied_keys = beliefs()
            .filter(|(_, it)| it.word == Some(Word::Denied))
            .filter_map(|(_, it)| it.key_id());
        Self {
            denied_keys: denied_keys.collect(),
            removed_keys: inputs.book.removed_keys(),
            wanted: wanted(inputs),
            elsewhere_until: doubted_until(
                inputs.book,
                &listing,
                &inputs.policy.delivery,
                inputs.now,
            ),
            may_echo: may_echo(inputs.book, &inputs.policy.delivery, inputs.now),
            listing,
            inputs,
        }
    }

    /// Everything that any of the three sides knows.
    pub(super) fn fingerprints(&self) -> BTreeSet<Fingerprint> {
        let listed = self
            .inputs
            .rows
            .iter()
            .filter_map(|it| it.certificate())
            .map(Certificate::fingerprint);
        self.inputs
            .book
            .beliefs
            .keys()
            .copied()
            .chain(self.wanted.keys().copied())
            .chain(listed)
            .collect()
    }

    /// What the list says of a certificate.
    pub(super) fn listed(&self, belief: Option<&Belief>, ids: &[Option<&CertificateId>]) -> Listed {
        let known = belief.and_then(Belief::id);
        let is_retired =
            |it: &Belief| matches!(it.standing, Standing::Retired { .. } if self.may_echo);
        if belief.is_some_and(is_retired) {
            return Listed::No;
        }
        match (ids, known) {
            ([], None) => match belief.map(|it| &it.standing) {
                Some(Standing::Intent(intent))
                    if self.listing.may_hide(intent, &self.inputs.book.unreadable) =>
                {
                    Listed::Undecodable
                }
                _ => Listed::No,
            },
            ([], Some(id)) => match self.listing.row(id) {
                None => Listed::No,
                Some(RowContent::Certificate(_)) => Listed::Other,
                Some(RowContent::Undecodable) => Listed::Undecodable,
            },
            ([Some(id)], Some(known)) if *id == known && !is_foreign(belief) => Listed::Ours,
            ([_], _) => Listed::Found,
            ([_, _, ..], _) => Listed::Twice,
        }
    }

    /// Whether an operator said never to it, or to its key.
    pub(super) fn is_denied(&self, certificate: &Certificate) -> bool {
        let belief = self.inputs.book.beliefs.get(&certificate.fingerprint());
        belief.is_some_and(Belief::is_denied) || self.denied_keys.contains(&certificate.key_id())
    }

    /// Rows that are things of their own: unreadable ones, and the surplus of certificates listed more than once.
    pub(super) fn odd_rows(&self) -> Vec<Item> {
        let item = |row: &Row, state, why| Item {
            certificate: row.certificate().cloned(),
            fingerprint: row.certificate().map(Certificate::fingerprint),
            id: row.id.clone(),
            state,
            why,
            paths: Vec::new(),
            since: None,
            is_listed: true,
            retirement: None,
            undelivered_from: None,
        };
        let mut kept = BTreeSet::new();
        let known: BTreeSet<&CertificateId> = self
            .inputs
            .book
            .beliefs
            .values()
            .filter_map(Belief::id)
            .collect();
        let is_known = |row: &Row| row.id.as_ref().is_some_and(|it| known.contains(it));
        let mut items = Vec::new();
        for row in self.inputs.rows {
            match row.certificate() {
                None if !is_known(row) => {
                    items.push(item(row, State::Undecodable, Why::Unreadable));
                }
                None => {}
                Some(certificate) => {
                    let fingerprint = certificate.fingerprint();
                    let keeps = self.keeper(fingerprint) == row.id.as_ref();
                    if !keeps || !kept.insert(fingerprint) {
                        items.push(item(row, State::Duplicate, Why::ListedTwice));
                    }
                }
            }
        }
        items
    }

    /// The id of the row that stands for a certificate: ours, else the first.
    pub(super) fn keeper(&self, fingerprint: Fingerprint) -> Option<&CertificateId> {
        let ids = self.listing.ids(fingerprint);
        let ours = self
            .inputs
            .book
            .beliefs
            .get(&fingerprint)
            .and_then(Belief::id);
        ids.iter()
            .copied()
            .find(|it| it.is_some() && *it == ours)
            .or_else(|| ids.iter().copied().find(Option::is_some))
            .flatten()
    }
}

/// What accepted files ask for, and what a person wants back.
fn wanted<'a>(inputs: &'a Inputs<'a>) -> BTreeMap<Fingerprint, Wanted<'a>> {
    let mut wanted: BTreeMap<Fingerprint, Wanted<'_>> = BTreeMap::new();
    for (fingerprint, belief) in &inputs.book.beliefs {
        if let (Some(Order::Restore), true, Some(certificate)) =
            (belief.order, belief.is_away(), &belief.certificate)
        {
            let restored = Wanted {
                certificate,
                paths: Vec::new(),
            };
            wanted.insert(*fingerprint, restored);
        }
    }
    let look: Option<&'a Look> = inputs.look;
    for file in look.map(|it| it.files.as_slice()).unwrap_or_default() {
        for certificate in file.verdict.accepted() {
            let entry = wanted
                .entry(certificate.fingerprint())
                .or_insert_with(|| Wanted {
                    certificate,
                    paths: Vec::new(),
                });
            entry.paths.push(file.path.clone());
        }
    }
    wanted
}
fn is_foreign(belief: Option<&Belief>) -> bool {
    matches!(
        belief,
        Some(Belief {
            standing: Standing::Foreign { .. },
            ..
        })
    )
}

/// The ledger's side of the table. A person's deny speaks where nothing was sent, and answers a removal. What was listed
/// by others and cannot be read any more is still there: it is no more sent than if it were ours.
pub(super) fn believed(
    fingerprint: Fingerprint,
    belief: &Belief,
    listed: Listed,
    book: &Book,
) -> Believed {
    let is_gone = belief.is_wanted() && book.gone.contains_key(&fingerprint);
    match &belief.standing {
        Standing::Intent(_) => Believed::Intent,
        Standing::Confirmed(_) => Believed::Confirmed,
        Standing::Disabled { .. } => Believed::Disabled,
        Standing::Deleting(_) => Believed::Deleting,
        _ if belief.order == Some(Order::Restore) && belief.is_away() => Believed::Unknown,
        _ if belief.is_denied() => Believed::Denied,
        Standing::Removed { .. } => Believed::Removed,
        Standing::Retired { ordered: true } if belief.is_wanted() => Believed::Removed,
        Standing::Seen | Standing::Retired { .. } if is_gone => Believed::Removed,
        Standing::Foreign { .. }
            if listed == Listed::Undecodable
                || (belief.missing.is_some() && belief.is_wanted()) =>
        {
            Believed::Confirmed
        }
        Standing::Seen | Standing::Foreign { .. } | Standing::Retired { .. } => Believed::Unknown,
    }
}
