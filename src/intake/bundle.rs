//! A file with several certificates: each is judged for itself.

use std::collections::BTreeSet;

use super::der::{Reading, Unreadable};
use super::judge;
use crate::domain::{Accepted, Fingerprint, RefusedCertificate, Rejection};

/// Judges the certificates of one file. One that is damaged refuses the file.
pub(super) fn judge(certificates: &[Vec<u8>]) -> Result<Accepted, Rejection> {
    let mut seen = BTreeSet::new();
    let distinct: Vec<&[u8]> = certificates
        .iter()
        .map(Vec::as_slice)
        .filter(|it| seen.insert(Fingerprint::of(it)))
        .collect();
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for der in &distinct {
        match Reading::of(der) {
            Ok(reading) => match judge::judge(&reading) {
                Ok(certificate) => accepted.push(certificate),
                Err(refusal) => refused.push(*refusal),
            },
            Err(Unreadable::Odd(refusal)) => refused.push(RefusedCertificate::unreadable(refusal)),
            Err(Unreadable::Corrupt(refusal)) => return Err(Rejection::for_good(refusal)),
        }
    }
    if accepted.is_empty() {
        return Err(Rejection::of_certificates(refused));
    }
    let mut notes = Vec::new();
    if distinct.len() < certificates.len() {
        notes.push("the same certificate more than once, counted once".to_owned());
    }
    Ok(Accepted {
        certificates: accepted,
        refused,
        notes,
    })
}
