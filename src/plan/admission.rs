//! How one integration reads its source: which refused certificates its pins admit, and which certificates are there only
//! because they issued others.
//!
//! A scan judges each certificate for itself, and a directory may serve several integrations. Pins, decisions and what was
//! ever trusted belong to the integration, so what its source amounts to is decided here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Certificate, FileVerdict, Fingerprint, IgnoredIssuer, Look, LookedFile, RefusedCertificate,
    Remark, SignedBy,
};
use crate::plan::book::{Belief, Book, Standing};
use crate::plan::policy::Policy;

/// Signatures that are verified in one scan; each takes some 20 to 100 µs. What would need more is no identity provider's
/// directory, and its issuers are judged like any other certificate.
const MOST_VERIFIED: usize = 10_000;

/// The certificates that issued another one, each with one that it issued.
///
/// The name alone proves nothing, or a new file could make the trusted certificate look like an issuer. So the key must
/// verify the other's signature; the other must not be self-signed; and the issuer must be allowed to issue.
pub fn issuers<'a>(
    certificates: impl Iterator<Item = &'a Certificate>,
    signed_by: SignedBy,
) -> BTreeMap<Fingerprint, Fingerprint> {
    let certificates: Vec<&Certificate> = certificates.collect();
    let mut issued: BTreeMap<&str, Vec<&Certificate>> = BTreeMap::new();
    for certificate in certificates.iter().filter(|it| !it.self_signed()) {
        issued
            .entry(certificate.issuer())
            .or_default()
            .push(certificate);
    }
    let mut verified = 0;
    let mut issuers = BTreeMap::new();
    for issuer in certificates.iter().filter(|it| it.may_issue()) {
        let others = issued.get(issuer.subject()).into_iter().flatten();
        let mut others = others.filter(|it| it.fingerprint() != issuer.fingerprint());
        let found = others.find(|other| {
            verified += 1;
            verified <= MOST_VERIFIED && signed_by(other, issuer)
        });
        if let Some(other) = found {
            issuers.insert(issuer.fingerprint(), other.fingerprint());
        }
    }
    issuers
}

/// How one integration reads its source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Admission {
    /// What the operator's pins admit.
    pins: BTreeSet<Fingerprint>,
    /// What was ignored as an issuer before, with what it issued: it stays so, whatever leaves the source.
    ignored: BTreeMap<Fingerprint, Fingerprint>,
    /// What is never ignored: it is or was trusted here, or the operator lets it in.
    spared: BTreeSet<Fingerprint>,
}

impl Admission {
    /// By what is believed of the integration and what its configuration says.
    pub fn of(book: &Book, policy: &Policy) -> Self {
        let pins = policy.trust.pins.clone();
        let beliefs = || book.beliefs.iter();
        let spared = beliefs()
            .filter(|(_, it)| it.is_never_ignored())
            .map(|(fingerprint, _)| *fingerprint);
        Self {
            ignored: beliefs()
                .filter_map(|(fingerprint, it)| Some((*fingerprint, it.issued?)))
                .collect(),
            spared: spared.chain(pins.iter().copied()).collect(),
            pins,
        }
    }

    /// What any of these makes of a source that serves all of them: for what is said of it once.
    pub fn any<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let mut any = Self::default();
        for one in all {
            any.pins.extend(&one.pins);
            any.ignored.extend(&one.ignored);
        }
        any
    }

    /// The scan as the integration reads it.
    pub fn apply<'a>(&self, look: &'a Look) -> Cow<'a, Look> {
        if self.pins.is_empty() && self.ignored.is_empty() && look.issuers.is_empty() {
            return Cow::Borrowed(look);
        }
        let file = |file: &LookedFile| LookedFile {
            verdict: self.verdict(&file.verdict, look),
            ..file.clone()
        };
        Cow::Owned(Look {
            files: look.files.iter().map(file).collect(),
            issuers: look.issuers.clone(),
            ignored: look.ignored.clone(),
            surplus: look.surplus.clone(),
        })
    }

    /// What a certificate issued, if that is all it is there for.
    fn ignored(&self, certificate: &Certificate, look: &Look) -> Option<Fingerprint> {
        let fingerprint = certificate.fingerprint();
        let issued = self.issued(fingerprint, look);
        issued.filter(|_| !self.spared.contains(&fingerprint))
    }

    fn issued(&self, fingerprint: Fingerprint, look: &Look) -> Option<Fingerprint> {
        let now = look.issuers.get(&fingerprint);
        now.or_else(|| self.ignored.get(&fingerprint)).copied()
    }

    fn verdict(&self, verdict: &FileVerdict, look: &Look) -> FileVerdict {
        let notes = match verdict {
            FileVerdict::Accepted { notes, .. } => notes.clone(),
            FileVerdict::Refused { certificates, .. } if !certificates.is_empty() => Vec::new(),
            FileVerdict::Refused { .. } | FileVerdict::Waiting { .. } => return verdict.clone(),
        };
        let mut accepted = Vec::new();
        let mut refused: Vec<RefusedCertificate> = Vec::new();
        let mut issuers = Vec::new();
        let mut ignore = |certificate: &Certificate| {
            let issued = self.ignored(certificate, look)?;
            issuers.push(IgnoredIssuer {
                certificate: certificate.clone(),
                issued,
            });
            Some(())
        };
        for certificate in verdict.accepted() {
            if ignore(certificate).is_none() {
                accepted.push(remarked(certificate, look));
            }
        }
        for one in verdict.refused_certificates() {
            let Some(certificate) = &one.certificate else {
                refused.push(one.clone());
                continue;
            };
            if one.pin_passes && self.pins.contains(&certificate.fingerprint()) {
                let pinned = Remark::Pinned(one.refusal.reason);
                accepted.push(remarked(certificate, look).remarked(pinned));
            } else if ignore(certificate).is_none() {
                refused.push(one.clone());
            }
        }
        FileVerdict::of(accepted, refused, issuers, notes)
    }
}

/// A certificate that is not ignored, with the remark that it issued another one all the same.
fn remarked(certificate: &Certificate, look: &Look) -> Certificate {
    match look.issuers.get(&certificate.fingerprint()) {
        Some(issued) => certificate.clone().remarked(Remark::AlsoIssued(*issued)),
        None => certificate.clone(),
    }
}

impl Belief {
    /// Whether it is or was at SendGrid, is on its way there, or the operator lets it in: then a newer file cannot make it a
    /// mere issuer.
    pub(super) fn is_never_ignored(&self) -> bool {
        self.standing != Standing::Seen
            || self.trusted_since.is_some()
            || self.order.is_some()
            || self.is_approved()
    }
}
