//! What the ledger believes of one integration, and how it comes to believe something else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::{
    Certificate, CertificateId, Clocks, Fingerprint, IntegrationId, Moment, PublicKeyId, Row,
    RowContent, Skew, Timestamp,
};

mod belief;
mod retirement;
mod trust;
mod upload;

pub use belief::{
    Attempts, Belief, Deleting, Hold, HoldKind, InSource, Intent, Order, PostAnswer, Rejection,
    Standing, Word,
};
pub use retirement::WriteOutcome;
pub use trust::TrustRecord;
pub use upload::PostOutcome;

/// Everything believed about one integration: the ledger's memory as values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Book {
    /// One belief a fingerprint.
    pub beliefs: BTreeMap<Fingerprint, Belief>,
    /// When SendGrid's list was first read whole; what was on it then is `inherited`.
    pub first_list: Option<Timestamp>,
    /// When it was last read whole.
    pub last_list: Option<Timestamp>,
    /// Ids of rows that could not be read at the last list. A new one may be what an open intent stored.
    pub unreadable: BTreeSet<CertificateId>,
    /// Set while a person has paused it.
    pub pause: Option<Pause>,
    /// When the last request was made that took a certificate of ours away.
    pub retired_at: Option<Moment>,
    /// When the last request to enable or disable one was made whose outcome is not known. It may still be carried out,
    /// so no other such request is made before it has had its time.
    pub patched_at: Option<Moment>,
    /// A request that writes is under way, or was when the process ended that noted it: it may have been made in that
    /// process's last moment.
    pub is_sending: bool,
    /// Writes that SendGrid did not carry out, and that are not tried again for a while.
    pub refused_writes: BTreeMap<Write, WriteRefusal>,
    /// What is remembered of its trust.
    pub trust: TrustRecord,
    /// The integration id that this name had before: nothing is written here until an operator accepts the new one.
    pub moved_from: Option<IntegrationId>,
    /// What left SendGrid and not by policy: neither it nor its key goes up again by itself.
    pub gone: BTreeMap<Fingerprint, GoneCertificate>,
}

/// A certificate that somebody took away from SendGrid, perhaps because its key was stolen. It is remembered without end,
/// longer than the certificate itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GoneCertificate {
    /// Its key.
    pub key: PublicKeyId,
    /// When that was noticed.
    pub at: Timestamp,
}

/// As many as are remembered of an integration; the newest.
const MOST_GONE: usize = 1_000;

/// A person's word that nothing is to be written for now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// Whose.
    pub by: String,
}

/// A write to a row that is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Write {
    /// Enabling or disabling.
    Update,
    /// Deleting.
    Delete,
}

impl Write {
    /// The word in texts and the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// What an API key must be allowed to do for it.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Update => "sso.settings.update",
            Self::Delete => "sso.settings.delete",
        }
    }
}

/// A write that was certainly not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteRefusal {
    /// When.
    pub at: Moment,
    /// With a 403: the key's scope is missing, or the account is blocked for a while.
    pub is_forbidden: bool,
}

impl WriteRefusal {
    /// How long such a write is not tried again: a day after a 403, else an hour.
    pub const fn wait(&self) -> Duration {
        Duration::from_secs(if self.is_forbidden { 24 * 3600 } else { 3600 })
    }
}

impl Book {
    /// What is believed about a certificate, made if there is nothing yet.
    pub fn belief(&mut self, certificate: &Certificate) -> &mut Belief {
        let belief = self
            .beliefs
            .entry(certificate.fingerprint())
            .or_insert_with(|| Belief::new(certificate.clone()));
        belief
            .certificate
            .get_or_insert_with(|| certificate.clone());
        belief
    }

    /// The list as it was when it was last read, as far as it is remembered: what can be said before a new one is there.
    pub fn as_listed(&self) -> Vec<Row> {
        let known = self
            .beliefs
            .values()
            .filter(|it| it.is_listed() && it.missing.is_none())
            .filter_map(|it| {
                let certificate = Box::new(it.certificate.clone()?);
                Some(Row {
                    id: it.id().cloned(),
                    content: RowContent::Certificate(certificate),
                })
            });
        let unreadable = self.unreadable.iter().map(|it| Row {
            id: Some(it.clone()),
            content: RowContent::Undecodable,
        });
        known.chain(unreadable).collect()
    }

    /// Open intents: POSTs whose outcome is unknown.
    pub fn open_intents(&self) -> usize {
        self.beliefs
            .values()
            .filter(|it| matches!(it.standing, Standing::Intent(_)))
            .count()
    }

    /// Drops what nothing is left to remember of, budgets and waits that have run out, and orders that are done or moot.
    /// What is over is so by both clocks.
    pub fn tidy(&mut self, now: &Moment, skew: Skew) {
        for belief in self.beliefs.values_mut() {
            if belief
                .new_key
                .as_ref()
                .is_some_and(|it| now.elapsed_since(it) >= KEY_BUDGET_PERIOD)
            {
                belief.new_key = None;
            }
            belief.order = belief.order.filter(|it| belief.is_open(*it));
        }
        self.refused_writes
            .retain(|_, it| now.elapsed_since(&it.at) < it.wait());
        let gone = &self.gone;
        self.beliefs
            .retain(|it, belief| !belief.is_idle(gone.contains_key(it), skew.at(now.wall)));
    }

    /// Remembers that a certificate left SendGrid, and its key; the oldest such memory makes room.
    pub(in crate::plan) fn remember_gone(
        &mut self,
        fingerprint: Fingerprint,
        key: PublicKeyId,
        now: &Moment,
    ) {
        let at = now.wall;
        self.gone.insert(fingerprint, GoneCertificate { key, at });
        while self.gone.len() > MOST_GONE
            && let Some(oldest) = self.gone.iter().min_by_key(|(_, it)| it.at)
        {
            let oldest = *oldest.0;
            self.gone.remove(&oldest);
        }
    }

    /// The key of each certificate that somebody took away from SendGrid, with that certificate; not of one that an
    /// operator wants back.
    pub(in crate::plan) fn removed_keys(&self) -> BTreeMap<PublicKeyId, Fingerprint> {
        let is_restored = |it: &Fingerprint| {
            let belief = self.beliefs.get(it);
            belief.is_some_and(|it| it.order == Some(Order::Restore))
        };
        let removed = self.beliefs.iter().filter(|(_, it)| {
            let by_order = matches!(it.standing, Standing::Retired { ordered: true });
            it.is_tombstone() || (by_order && it.is_wanted())
        });
        let removed = removed.filter_map(|(it, belief)| Some((belief.key_id()?, *it)));
        let gone = self.gone.iter().map(|(it, gone)| (gone.key, *it));
        gone.filter(|(_, it)| !is_restored(it))
            .chain(removed)
            .collect()
    }

    /// Whether another one of ours counts as enabled and is valid, whatever the last list said.
    pub fn has_valid_beside(&self, fingerprint: Fingerprint, now: Clocks) -> bool {
        self.beliefs.iter().any(|(other, it)| {
            let is_ours = matches!(it.standing, Standing::Confirmed(_));
            let certificate = it.certificate.as_ref();
            let is_valid = certificate.is_some_and(|it| it.validity().is_valid(now));
            *other != fingerprint && is_ours && is_valid
        })
    }

    /// Whether one of ours was ever trusted, as far as is remembered.
    pub fn has_ever_trusted(&self) -> bool {
        self.beliefs.values().any(|it| {
            let was_trusted = matches!(
                it.standing,
                Standing::Removed { .. } | Standing::Retired { .. }
            );
            was_trusted || it.trusted_since.is_some()
        })
    }

    /// Forgets every wait of ours that an operator may lift: rejections, writes that were refused, and what a later settle
    /// window is longer than the first one.
    pub fn lift_holds(&mut self) {
        self.refused_writes.clear();
        for belief in self.beliefs.values_mut() {
            belief.rejection = None;
            if let Standing::Intent(intent) = &mut belief.standing {
                intent.is_hurried = true;
            }
        }
    }
}

/// The period over which new keys are counted.
pub const KEY_BUDGET_PERIOD: Duration = Duration::from_secs(24 * 3600);
