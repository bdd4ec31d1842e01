//! SendGrid's list, indexed.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Certificate, CertificateId, Fingerprint, Row, RowContent};
use crate::plan::book::Intent;

/// The list by fingerprint and by id.
pub struct Listing<'a> {
    pub(super) by_fingerprint:
        BTreeMap<Fingerprint, Vec<(Option<&'a CertificateId>, &'a Certificate)>>,
    by_id: BTreeMap<&'a CertificateId, &'a RowContent>,
    nameless_unreadable: bool,
}

impl<'a> Listing<'a> {
    /// Indexes a complete list.
    pub fn new(rows: &'a [Row]) -> Self {
        let mut by_fingerprint: BTreeMap<_, Vec<(_, &Certificate)>> = BTreeMap::new();
        for row in rows {
            if let Some(certificate) = row.certificate() {
                by_fingerprint
                    .entry(certificate.fingerprint())
                    .or_default()
                    .push((row.id.as_ref(), certificate));
            }
        }
        for rows in by_fingerprint.values_mut() {
            rows.sort_by_key(|(id, _)| *id); // no meaning lies in the order of a list
        }
        let by_id = rows
            .iter()
            .filter_map(|it| Some((it.id.as_ref()?, &it.content)))
            .collect();
        let nameless_unreadable = rows
            .iter()
            .any(|it| it.id.is_none() && it.content == RowContent::Undecodable);
        Self {
            by_fingerprint,
            by_id,
            nameless_unreadable,
        }
    }

    /// A certificate that is listed.
    pub fn certificate(&self, fingerprint: Fingerprint) -> Option<&'a Certificate> {
        let rows = self.by_fingerprint.get(&fingerprint)?;
        rows.first().map(|(_, certificate)| *certificate)
    }

    /// The ids under which a certificate is listed, in their own order; empty if it is not.
    pub fn ids(&self, fingerprint: Fingerprint) -> Vec<Option<&'a CertificateId>> {
        self.by_fingerprint
            .get(&fingerprint)
            .map(|it| it.iter().map(|(id, _)| *id).collect())
            .unwrap_or_default()
    }

    /// What the row of this id holds, if there is one.
    pub fn row(&self, id: &CertificateId) -> Option<&'a RowContent> {
        self.by_id.get(id).copied()
    }

    /// Whether a row that cannot be read may be what an open intent stored.
    pub fn may_hide(&self, intent: &Intent, unreadable_before: &BTreeSet<CertificateId>) -> bool {
        match &intent.id {
            Some(id) => self.row(id) == Some(&RowContent::Undecodable),
            None => {
                self.nameless_unreadable
                    || self.unreadable().any(|it| !unreadable_before.contains(it))
            }
        }
    }

    /// The ids of rows that cannot be read.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = &'a CertificateId> {
        self.by_id
            .iter()
            .filter(|(_, content)| ***content == RowContent::Undecodable)
            .map(|(id, _)| *id)
    }
}
