//! Every kind of bad input that is known, with the answer owed to it.

mod certificates;
mod contexts;
mod files;
mod forms;
mod issuers;
mod key_material;
mod kinds;
mod listed;
mod pins;

use rcgen::{CertificateParams, KeyPair};

use super::forge::Shape;
use super::*;
use crate::domain::Remark;

/// A sound self-signed certificate over P-256, and its key.
fn made(common_name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, common_name);
    (params.self_signed(&key).unwrap(), key)
}

fn der(common_name: &str) -> Vec<u8> {
    made(common_name).0.der().to_vec()
}

fn judged(bytes: impl AsRef<[u8]>) -> Result<Accepted, Rejection> {
    let bytes = bytes.as_ref();
    judge_file(bytes, u64::try_from(bytes.len()).unwrap())
}

#[track_caller]
fn accepted(bytes: impl AsRef<[u8]>) -> Accepted {
    match judged(bytes) {
        Ok(accepted) => accepted,
        Err(rejection) => panic!("{}", rejection.refusal),
    }
}

/// The file is accepted as exactly these certificates.
#[track_caller]
fn accepts(bytes: impl AsRef<[u8]>, ders: &[&[u8]]) {
    let accepted = accepted(bytes);
    let found: Vec<&[u8]> = accepted.certificates.iter().map(Certificate::der).collect();
    assert!(found == ders, "{} certificates", found.len());
}

/// The file is refused for good.
#[track_caller]
fn refuses(bytes: impl AsRef<[u8]>, reason: Reason, words: &str) -> Refusal {
    let rejection = judged(bytes).expect_err("it was accepted");
    assert_eq!(rejection.refusal.reason, reason, "{}", rejection.refusal);
    assert!(
        rejection.refusal.found.contains(words),
        "{}",
        rejection.refusal
    );
    assert!(!rejection.may_be_copying, "{}", rejection.refusal);
    rejection.refusal
}

/// The file is refused, but could be a copy under way.
#[track_caller]
fn waits(bytes: impl AsRef<[u8]>, reason: Reason, words: &str) {
    let rejection = judged(bytes).expect_err("it was accepted");
    assert_eq!(rejection.refusal.reason, reason, "{}", rejection.refusal);
    assert!(
        rejection.refusal.found.contains(words),
        "{}",
        rejection.refusal
    );
    assert!(rejection.may_be_copying, "{}", rejection.refusal);
}

#[track_caller]
fn remarks(shape: &Shape) -> Vec<Remark> {
    accepted(shape.der()).certificates[0].remarks().to_vec()
}

fn utf16(text: &str, little: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units
        .flat_map(|it| {
            if little {
                it.to_le_bytes()
            } else {
                it.to_be_bytes()
            }
        })
        .collect()
}

fn accepts_one(bytes: impl AsRef<[u8]>) {
    assert_eq!(accepted(bytes).certificates.len(), 1);
}

/// The object identifier of P-256.
const P256: &str = "1.2.840.10045.3.1.7";
