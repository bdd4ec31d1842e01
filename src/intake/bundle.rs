//! A file with several certificates: which are an identity provider's own, and which only issued those.

use std::collections::BTreeSet;

use super::der::{Reading, Unreadable};
use super::judge;
use crate::domain::text::{NAME_LENGTH, count, printable};
use crate::domain::{Accepted, Rejection};
use crate::domain::{Fingerprint, Reason, Refusal};

/// Judges the certificates of one file. One that cannot be read at all refuses the file.
pub(super) fn judge(certificates: &[Vec<u8>]) -> Result<Accepted, Rejection> {
    let mut seen = BTreeSet::new();
    let distinct: Vec<&[u8]> = certificates
        .iter()
        .map(Vec::as_slice)
        .filter(|it| seen.insert(Fingerprint::of(it)))
        .collect();
    let mut refused = Vec::new();
    let mut readings = Vec::new();
    for der in &distinct {
        match Reading::of(der) {
            Ok(reading) => readings.push(reading),
            Err(Unreadable::Odd(refusal)) => refused.push(refusal),
            Err(Unreadable::Corrupt(refusal)) => return Err(Rejection::for_good(refusal)),
        }
    }
    let (issuers, own): (Vec<_>, Vec<_>) = readings
        .iter()
        .partition(|it| is_issuer_of_another(it, &readings));
    let mut accepted = Vec::new();
    for reading in own {
        match judge::judge(reading) {
            Ok(certificate) => accepted.push(certificate),
            Err(refusal) => refused.push(refusal),
        }
    }
    if accepted.is_empty() {
        return Err(Rejection::for_good(all_refused(refused)));
    }
    let mut notes = Vec::new();
    if !issuers.is_empty() {
        let names: Vec<String> = issuers
            .iter()
            .map(|it| printable(&it.subject(), NAME_LENGTH))
            .collect();
        let number = count(issuers.len(), "issuer", "issuers");
        notes.push(format!("{number} ignored: {}", names.join("; ")));
    }
    if distinct.len() < certificates.len() {
        notes.push("the same certificate more than once, counted once".to_owned());
    }
    Ok(Accepted {
        certificates: accepted,
        refused,
        notes,
    })
}

/// Whether it issued another one of the file, by name: its subject is the issuer of one that did not sign itself.
fn is_issuer_of_another(reading: &Reading<'_>, all: &[Reading<'_>]) -> bool {
    all.iter().any(|it| {
        !it.self_issued() && it.parsed.issuer().as_raw() == reading.parsed.subject().as_raw()
    }) && judge::may_issue(reading)
}

/// One refusal that speaks for all.
fn all_refused(refused: Vec<Refusal>) -> Refusal {
    let others = refused.len().saturating_sub(1);
    let mut refused = refused.into_iter();
    let Some(mut first) = refused.next() else {
        let found = "only issuers that issue each other";
        return Refusal::new(Reason::CaCertificate, found);
    };
    if others > 0 {
        let number = count(others, "other certificate", "other certificates");
        first.found = format!("{}; {number} refused as well", first.found);
    }
    first
}
