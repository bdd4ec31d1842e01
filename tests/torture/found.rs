//! Files that once broke a rule, and what they come to since.

use std::fs;
use std::path::Path;

use crate::corpus::MADE;
use crate::trial::judge;
use crate::witness::{Owed, judged};

/// Each file of `found` is called by its verdict: `accepted` or a reason's code, a dash, what it was about.
#[test]
fn what_was_found_once_stays_mended() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/found");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(&path).unwrap();
        if let Err(fault) = judge(&bytes, &Owed::Verdict) {
            panic!("{name}: {fault}");
        }
        let code = judged(&bytes).map_or_else(|it| it.refusal.reason.code(), |_| "accepted");
        assert_eq!(name.split('-').next(), Some(code), "{name}");
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn a_verdict_that_is_not_owed_is_seen() {
    let (certificate, key) = (MADE[0].clone(), b"-----BEGIN PRIVATE KEY-----\n");
    assert!(judge(&certificate, &Owed::Certificates(vec![certificate.clone()])).is_ok());
    assert!(judge(key, &Owed::PrivateKey).is_ok());
    for (bytes, owed) in [
        (&certificate[..], Owed::PrivateKey),
        (&certificate[..300], Owed::PrivateKey),
        (&certificate[..], Owed::Certificates(vec![MADE[1].clone()])),
        (&key[..], Owed::Certificates(vec![certificate.clone()])),
    ] {
        assert!(judge(bytes, &owed).is_err(), "{owed:?}");
    }
}
