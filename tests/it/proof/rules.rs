//! The rules that hold whatever happens, and the witness that watches over them.
//!
//! The witness counts by itself. It believes nothing that the daemon believes, and knows what truly happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use sso_certd::domain::{Certificate, CertificateId, Fingerprint, Look, PublicKeyId};
use sso_certd::plan::book::{Book, InSource, Standing};
use sso_certd::plan::entry::{Entry, What};
use sso_certd::plan::policy::Policy;
use sso_certd::plan::settle::ReadBack;

use super::world::{pool, signed_by};
use super::writes::Writes;

/// What must always be true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    OneRow,
    IntentFirst,
    UnknownIsNotRepeated,
    RemovedStaysRemoved,
    OnlyWhatFilesAskFor,
    ObserveNeverWrites,
    TheServersWord,
    OnlyWholeListsConclude,
    NothingIsCalledGoneThatIsThere,
    NothingIsForgotten,
    OneState,
    HistoryIsWhole,
    Converges,
    AnnouncedFirst,
    ReadBackFirst,
    WhatStaysIsReadLast,
    OnlyOurs,
    AnotherStays,
    OneADay,
    NeverBesideAnAddition,
    PauseNeverWrites,
    DeniedIsNeverSent,
    TakenStaysTaken,
    TrustIsAskedFor,
    BelievedIsTrue,
    IssuersStayOut,
    OnlyIssuersAreIgnored,
    NoIssuerBesideAnUnfinishedFile,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneRow => "there is at most one row of ours for a fingerprint",
            Self::IntentFirst => "no POST without an intent that is durable",
            Self::UnknownIsNotRepeated => {
                "no second POST while the outcome of the first is unknown"
            }
            Self::RemovedStaysRemoved => {
                "what was removed at SendGrid is not sent again, and neither is its key"
            }
            Self::OnlyWhatFilesAskFor => "nothing is sent but what an accepted file asks for",
            Self::ObserveNeverWrites => "nothing is sent in observe",
            Self::TheServersWord => "nothing is asked before the time that SendGrid named",
            Self::OnlyWholeListsConclude => "nothing is concluded but from a whole list",
            Self::NothingIsCalledGoneThatIsThere => "nothing is called gone that is there",
            Self::NothingIsForgotten => "what was sent or listed is not forgotten, restart or not",
            Self::OneState => "every certificate is in exactly one state",
            Self::HistoryIsWhole => "every POST is in the history before and after",
            Self::AnnouncedFirst => "no PATCH and no DELETE that is not announced durably",
            Self::ReadBackFirst => "nothing is taken away that was not read back just before",
            Self::WhatStaysIsReadLast => {
                "nothing is taken away unless the last thing read was one of ours that stays"
            }
            Self::OnlyOurs => "nothing is taken away that is not ours",
            Self::AnotherStays => {
                "nothing is taken away unless another one of ours stays, valid for a week"
            }
            Self::OneADay => "one is taken away in a day",
            Self::NeverBesideAnAddition => "nothing is taken away in a pass that adds",
            Self::PauseNeverWrites => "nothing is sent under a pause",
            Self::DeniedIsNeverSent => "what a person denied is never sent, and neither is its key",
            Self::TakenStaysTaken => "what a person took away is not sent again by itself",
            Self::TrustIsAskedFor => "no new key is sent without what the trust mode asks for",
            Self::BelievedIsTrue => "what is believed to be enabled is enabled",
            Self::IssuersStayOut => "what is there only because it issued another is not sent",
            Self::OnlyIssuersAreIgnored => {
                "nothing is ignored that did not issue another, or that was ever at SendGrid"
            }
            Self::NoIssuerBesideAnUnfinishedFile => {
                "no new issuer is sent in the minute in which a file of the source is unfinished"
            }
            Self::Converges => {
                "once nothing goes wrong, everything wanted is listed and nothing is left to do"
            }
        })
    }
}

/// A broken rule.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) rule: Rule,
    pub(super) how: String,
}

/// POSTs of one certificate by one daemon.
#[derive(Clone, Debug, Default)]
struct Sent {
    /// When those were made that may have arrived, since it was last known to be there.
    in_doubt: Vec<Duration>,
    /// How many of those are so long ago that the waits have begun anew since.
    past: usize,
    /// SendGrid said that the last of them stored nothing; the daemon may not have got to know.
    last_failed: bool,
    /// The last of them was answered by an error that leaves it open.
    last_erred: bool,
    /// An operator typed `sync` since.
    is_hurried: bool,
}

/// What one daemon did.
#[derive(Debug, Default)]
pub(super) struct Witness {
    sent: BTreeMap<Fingerprint, Sent>,
    /// Concluded to be removed while wanted, and their keys.
    pub(super) removed: BTreeMap<Fingerprint, PublicKeyId>,
    pub(super) posts: usize,
    /// What it did to rows that are there, and what people said.
    pub(super) writes: Writes,
    /// What was there only because it issued another, and that nobody has let in since.
    pub(super) ignored: BTreeSet<Fingerprint>,
    /// What was ever listed, and what may be by now.
    ever_there: BTreeSet<Fingerprint>,
    on_its_way: BTreeSet<Fingerprint>,
    /// The GETs since anything else was asked, in order.
    pub(super) reads: Vec<(CertificateId, ReadBack)>,
}

impl Witness {
    /// Whether a POST may have arrived that was never seen in a list.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.sent.values().any(|it| !it.in_doubt.is_empty()) || self.writes.is_in_doubt()
    }

    /// A POST is made.
    pub(super) fn post(
        &mut self,
        certificate: &Certificate,
        truth: Duration,
        settle: Duration,
    ) -> Result<(), Violation> {
        self.posts += 1;
        let fingerprint = certificate.fingerprint();
        let key = certificate.key_id();
        let is_restored = self.is_restored(fingerprint);
        let is_let_in = !self.removed.contains_key(&fingerprint)
            && (self.writes.is_key_let_in(fingerprint) || self.writes.lists_ours_with(key));
        let removed = self.removed.iter().find(|(_, it)| **it == key);
        if let Some((other, _)) = removed.filter(|_| !is_restored && !is_let_in) {
            let how = format!(
                "{} is sent, {} was removed",
                fingerprint.brief(),
                other.brief()
            );
            return Err(Violation {
                rule: Rule::RemovedStaysRemoved,
                how,
            });
        }
        let sent = self.sent.entry(fingerprint).or_default();
        let ladder = match (sent.is_hurried, sent.last_erred) {
            (true, _) => [1; 4],
            (false, true) => [1, 2, 4, 5],
            (false, false) => [1, 5, 10, 20],
        };
        if let Some(last) = sent.in_doubt.last() {
            let step = (sent.in_doubt.len() - sent.past).clamp(1, ladder.len()) - 1;
            // The later windows are for politeness: after a restart they may count from the intent on.
            let grace = if step == 0 { Duration::ZERO } else { settle };
            let window = (settle * ladder[step]).saturating_sub(grace);
            let waited = truth.saturating_sub(*last);
            if waited < window {
                let number = sent.in_doubt.len() + 1;
                let how = format!(
                    "POST {number} of {} after {waited:?}, not {window:?}",
                    fingerprint.brief()
                );
                return Err(Violation {
                    rule: Rule::UnknownIsNotRepeated,
                    how,
                });
            }
        }
        sent.in_doubt.push(truth);
        sent.last_failed = false;
        sent.last_erred = false;
        sent.is_hurried = false;
        Ok(())
    }

    /// SendGrid answered with an error that leaves it open.
    pub(super) fn post_erred(&mut self, certificate: &Certificate) {
        let sent = self.sent.entry(certificate.fingerprint()).or_default();
        sent.last_erred = true;
    }

    /// An operator types `sync`: the first window is enough for each.
    pub(super) fn hurry(&mut self) {
        for sent in self.sent.values_mut() {
            sent.is_hurried = true;
        }
    }

    /// SendGrid said that nothing was stored.
    pub(super) fn post_failed(&mut self, certificate: &Certificate) {
        let sent = self.sent.entry(certificate.fingerprint()).or_default();
        sent.last_failed = true;
    }

    /// What a scan says of issuers is in the books. A name alone says nothing, and neither does any of them of what was ever
    /// there or is let in.
    pub(super) fn took_in_issuers(&mut self, look: Option<&Look>, policy: &Policy) {
        let certificates: Vec<&Certificate> =
            look.iter().flat_map(|it| it.certificates()).collect();
        for certificate in &certificates {
            let issued = |it: &&&Certificate| !it.self_signed() && signed_by(it, certificate);
            if certificate.may_issue() && certificates.iter().any(|it| issued(&it)) {
                self.ignored.insert(certificate.fingerprint());
            }
        }
        let (ever_there, on_its_way) = (&self.ever_there, &self.on_its_way);
        let writes = &self.writes;
        self.ignored.retain(|it| {
            let was_there = ever_there.contains(it) || on_its_way.contains(it);
            let is_let_in = writes.is_let_in(*it) || policy.trust.pins.contains(it);
            !was_there && !is_let_in
        });
    }

    /// A POST of what is there only as an issuer.
    pub(super) fn check_issuer(
        &self,
        certificate: &Certificate,
        policy: &Policy,
    ) -> Result<(), Violation> {
        let fingerprint = certificate.fingerprint();
        let is_let_in =
            self.writes.is_let_in(fingerprint) || policy.trust.pins.contains(&fingerprint);
        if self.ignored.contains(&fingerprint) && !is_let_in {
            let how = format!("{} is sent", certificate.subject());
            return Err(Violation {
                rule: Rule::IssuersStayOut,
                how,
            });
        }
        Ok(())
    }

    /// What becomes ignored did issue another one.
    fn check_ignored(before: &Book, after: &Book) -> Result<(), Violation> {
        for (fingerprint, is) in &after.beliefs {
            let was = before.beliefs.get(fingerprint);
            let (Some(issued), None) = (is.issued, was.and_then(|it| it.issued)) else {
                continue;
            };
            let pool = pool();
            let of = |it: Fingerprint| pool.iter().find(|other| other.fingerprint() == it);
            let is_true = of(issued)
                .zip(of(*fingerprint))
                .is_some_and(|(other, it)| it.may_issue() && signed_by(other, it));
            let was_there = was.is_some_and(|it| it.standing != Standing::Seen);
            if !is_true || was_there {
                let how = format!("{} is ignored, was there: {was_there}", fingerprint.brief());
                return Err(Violation {
                    rule: Rule::OnlyIssuersAreIgnored,
                    how,
                });
            }
        }
        Ok(())
    }

    /// A book was made durable. `has_list`: a whole list came since the last time.
    pub(super) fn saved(
        &mut self,
        before: &Book,
        after: &Book,
        entries: &[Entry],
        has_list: bool,
    ) -> Result<(), Violation> {
        Self::check_ignored(before, after)?;
        self.on_its_way.clear();
        for (fingerprint, it) in &after.beliefs {
            match it.standing {
                Standing::Seen => continue,
                Standing::Intent(_) => self.on_its_way.insert(*fingerprint),
                _ => self.ever_there.insert(*fingerprint),
            };
        }
        for (fingerprint, was) in &before.beliefs {
            let Some(is) = after.beliefs.get(fingerprint) else {
                let is_told = entries.iter().any(|it| {
                    it.fingerprint == Some(*fingerprint)
                        && matches!(it.what, What::Gone | What::Settled)
                });
                // What was ours and is over cannot be restored, and needs no book.
                let is_past = matches!(was.standing, Standing::Seen | Standing::Retired { .. });
                if !(is_past || is_told && has_list) {
                    let how = format!("{} was {:?}", fingerprint.brief(), was.standing);
                    return Err(Violation {
                        rule: Rule::NothingIsForgotten,
                        how,
                    });
                }
                self.start_over(*fingerprint);
                continue;
            };
            self.note_standing(*fingerprint, &is.standing);
            let failed = self.sent.get(fingerprint).is_some_and(|it| it.last_failed);
            let needs_list = match (&was.standing, &is.standing) {
                (was, is) if was == is => false,
                (_, Standing::Intent(_)) => false,
                _ if self.writes.explains(&was.standing, &is.standing) => false,
                (Standing::Intent(_), Standing::Seen) => !failed,
                _ => true,
            };
            if failed && is.standing == Standing::Seen {
                self.forgive(*fingerprint);
            }
            if needs_list && !has_list {
                let how = format!(
                    "{} went from {:?} to {:?}",
                    fingerprint.brief(),
                    was.standing,
                    is.standing
                );
                return Err(Violation {
                    rule: Rule::OnlyWholeListsConclude,
                    how,
                });
            }
        }
        self.writes.saved(before, after);
        self.note_gone(before, entries);
        for entry in entries.iter().filter(|it| it.what == What::Removed) {
            let belief = entry.fingerprint.and_then(|it| after.beliefs.get(&it));
            if let Some(certificate) = belief.and_then(|it| it.certificate.as_ref()) {
                let fingerprint = certificate.fingerprint();
                self.removed.insert(fingerprint, certificate.key_id());
                self.writes.restored.remove(&fingerprint);
            }
        }
        Ok(())
    }

    /// What left the list while nothing asked for it stays away as well, if it was ours or once in a file, and had not
    /// expired when that was noticed.
    fn note_gone(&mut self, before: &Book, entries: &[Entry]) {
        let is_gone = |it: &&Entry| matches!(it.what, What::Gone | What::Settled);
        for entry in entries.iter().filter(is_gone) {
            let Some(belief) = entry.fingerprint.and_then(|it| before.beliefs.get(&it)) else {
                continue;
            };
            let is_known = match &belief.standing {
                Standing::Confirmed(_) | Standing::Disabled { .. } => entry.what == What::Gone,
                Standing::Foreign { .. } => {
                    entry.what == What::Gone && belief.source != InSource::Never
                }
                Standing::Deleting(it) => it.ordered && entry.detail.starts_with("deleted"),
                _ => false,
            };
            let certificate = belief.certificate.as_ref();
            let clock = self.writes.clock;
            // By a clock that was in doubt then nothing had expired; the witness leaves that to others.
            let is_over = |it: &Certificate| clock.is_none_or(|now| it.validity().is_over(now));
            if let Some(certificate) = certificate.filter(|it| is_known && !is_over(it)) {
                let fingerprint = certificate.fingerprint();
                self.removed.insert(fingerprint, certificate.key_id());
                self.writes.restored.remove(&fingerprint);
            }
        }
    }

    fn note_standing(&mut self, fingerprint: Fingerprint, standing: &Standing) {
        let listed = matches!(
            standing,
            Standing::Confirmed(_) | Standing::Foreign { .. } | Standing::Disabled { .. }
        );
        if listed {
            self.sent.remove(&fingerprint);
            self.removed.remove(&fingerprint);
        }
    }

    /// No file asks for it and it is not there: if it comes back, the waits begin with the shortest.
    fn start_over(&mut self, fingerprint: Fingerprint) {
        if let Some(sent) = self.sent.get_mut(&fingerprint) {
            let last = sent.in_doubt.len().saturating_sub(1);
            sent.in_doubt.drain(..last);
            sent.past = sent.in_doubt.len();
        }
    }

    /// The last POST certainly stored nothing, and the daemon knows.
    fn forgive(&mut self, fingerprint: Fingerprint) {
        if let Some(sent) = self.sent.get_mut(&fingerprint) {
            sent.in_doubt.pop();
            sent.past = sent.past.min(sent.in_doubt.len());
            sent.last_failed = false;
        }
    }
}

/// Reads a certificate's history, oldest first: each POST was announced, and its outcome follows. The last one's may
/// still be open.
pub(super) fn check_history(
    posts: usize,
    writes: usize,
    whats: &[(Fingerprint, What)],
) -> Result<(), Violation> {
    let broken = |how: String| {
        Err(Violation {
            rule: Rule::HistoryIsWhole,
            how,
        })
    };
    let fingerprints: BTreeSet<Fingerprint> = whats.iter().map(|(it, _)| *it).collect();
    let mut announced = 0;
    for fingerprint in fingerprints {
        let mut is_open = false;
        for (_, what) in whats.iter().filter(|(it, _)| *it == fingerprint) {
            match what {
                What::Accepted if is_open => {
                    return broken(format!("{} has no outcome", fingerprint.brief()));
                }
                What::Accepted => {
                    is_open = true;
                    announced += 1;
                }
                What::Unsent | What::Rejected | What::Settled | What::Trusted => is_open = false,
                What::Uploaded if !is_open => {
                    return broken(format!("{} was never announced", fingerprint.brief()));
                }
                _ => {}
            }
        }
    }
    let is_write = |it: &&(_, What)| matches!(it.1, What::Retiring | What::Enabling);
    let announced_writes = whats.iter().filter(is_write).count();
    if announced_writes < writes {
        return broken(format!(
            "{writes} writes, {announced_writes} of them announced"
        ));
    }
    if announced < posts {
        return broken(format!("{posts} POSTs, {announced} of them announced"));
    }
    Ok(())
}
