//! Judges the judge: what must hold of every verdict, found out without the intake's own code.

use sha2::{Digest as _, Sha256};
use sso_certd::domain::{Accepted, Certificate, FILE_LIMIT, Reason, Rejection};
use sso_certd::intake::{canonical_pem, judge_file, read_certificate, read_known, read_listed};
use x509_cert::der::{Decode as _, Encode as _};
use x509_parser::prelude::FromDer as _;

pub(crate) type Verdict = Result<Accepted, Rejection>;

/// What a file must come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Owed {
    /// Any verdict that keeps the rules.
    Verdict,
    /// Refused, as it holds a key.
    PrivateKey,
    /// Accepted, as exactly these certificates.
    Certificates(Vec<Vec<u8>>),
}

pub(crate) fn judged(bytes: &[u8]) -> Verdict {
    judge_file(bytes, bytes.len() as u64)
}

/// What is wrong with the verdict on these bytes.
pub(crate) fn fault(bytes: &[u8], owed: &Owed, verdict: &Verdict) -> Option<String> {
    if judged(bytes) != *verdict {
        return Some("the same bytes got two verdicts".to_owned());
    }
    let found = match verdict {
        Ok(accepted) => {
            let notes = accepted.notes.iter().map(String::as_str);
            let refused = accepted.refused.iter().map(|it| it.refusal.found.as_str());
            notes.chain(refused).find_map(unfit_to_show)
        }
        Err(rejection) => unfit_to_show(&rejection.refusal.found),
    };
    found.or_else(|| disowned(owed, verdict)).or_else(|| {
        let accepted = verdict.as_ref().ok()?;
        if accepted.certificates.is_empty() || accepted.certificates.len() > 20 {
            return Some(format!(
                "{} certificates accepted",
                accepted.certificates.len()
            ));
        }
        if contains(bytes, b"PRIVATE KEY-")
            && contains(bytes, b"-BEGIN")
            && !contains(bytes, b"END PRIVATE KEY")
        {
            return Some("a file that names a private key was accepted".to_owned());
        }
        accepted.certificates.iter().find_map(misread)
    })
}

/// Everything else that reads certificates: it must only not panic.
pub(crate) fn read_in_other_ways(bytes: &[u8]) {
    drop(read_certificate(bytes));
    drop(read_known(bytes));
    drop(read_listed(&String::from_utf8_lossy(bytes)));
}

fn disowned(owed: &Owed, verdict: &Verdict) -> Option<String> {
    match (owed, verdict) {
        (Owed::Verdict, _) => None,
        (Owed::PrivateKey, Err(it))
            if it.refusal.reason == Reason::PrivateKey && !it.may_be_copying =>
        {
            None
        }
        (Owed::PrivateKey, Err(it)) => Some(format!("a private key was taken for: {}", it.refusal)),
        (Owed::PrivateKey, Ok(_)) => Some("a file with a private key was accepted".to_owned()),
        (Owed::Certificates(_), Err(it)) => Some(format!("sound certificates: {}", it.refusal)),
        (Owed::Certificates(ders), Ok(it)) => {
            let mut found: Vec<&[u8]> = it.certificates.iter().map(Certificate::der).collect();
            let mut wanted: Vec<&[u8]> = ders.iter().map(Vec::as_slice).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            wanted.dedup();
            (found != wanted)
                .then(|| "other certificates were accepted than stand there".to_owned())
        }
    }
}

/// A refusal is one short line that a terminal shows as it is.
fn unfit_to_show(text: &str) -> Option<String> {
    let is_odd = |it: char| {
        it.is_control() || matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    (text.contains(is_odd) || text.len() > 20_000).then(|| format!("not fit to show: {text:?}"))
}

/// Where two readers and the intake do not see the same certificate.
fn misread(certificate: &Certificate) -> Option<String> {
    let der = certificate.der();
    let wrong = |what: &str| {
        Some(format!(
            "accepted, but {what}: {}",
            certificate.fingerprint().hex()
        ))
    };
    let Ok(strict) = x509_cert::Certificate::from_der(der) else {
        return wrong("x509-cert cannot read it");
    };
    if strict.to_der().ok().as_deref() != Some(der) {
        return wrong("written again it is different");
    }
    let Ok(([], parsed)) = x509_parser::certificate::X509Certificate::from_der(der) else {
        return wrong("x509-parser cannot read it alone");
    };
    let tbs = &strict.tbs_certificate;
    let secs =
        |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap();
    let theirs = (
        parsed.raw_serial().to_vec(),
        parsed.validity().not_before.timestamp(),
        parsed.validity().not_after.timestamp(),
        parsed.public_key().raw.to_vec(),
        parsed.subject().as_raw().to_vec(),
        parsed.issuer().as_raw().to_vec(),
    );
    let ours = (
        tbs.serial_number.as_bytes().to_vec(),
        secs(tbs.validity.not_before),
        secs(tbs.validity.not_after),
        tbs.subject_public_key_info.to_der().unwrap(),
        tbs.subject.to_der().unwrap(),
        tbs.issuer.to_der().unwrap(),
    );
    if theirs != ours {
        return wrong("two readers do not agree");
    }
    let validity = certificate.validity();
    if (validity.not_before.as_secs(), validity.not_after.as_secs()) != (ours.1, ours.2) {
        return wrong("its validity is another");
    }
    if *certificate.fingerprint().as_bytes() != <[u8; 32]>::from(Sha256::digest(der)) {
        return wrong("its fingerprint is another");
    }
    for clothes in [der.to_vec(), canonical_pem(der).into_bytes()] {
        match judged(&clothes) {
            // A file of nothing but DER may hold more than one of text.
            Err(it) if it.refusal.reason == Reason::TooLarge && clothes.len() > FILE_LIMIT => {}
            Ok(it)
                if it.certificates.len() == 1
                    && it.certificates[0].fingerprint() == certificate.fingerprint() => {}
            _ => return wrong("alone and in canonical form it is not"),
        }
    }
    let listed = read_listed(&canonical_pem(der));
    if listed.is_none_or(|it| it.fingerprint() != certificate.fingerprint()) {
        return wrong("in a list it is not known again");
    }
    None
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|it| it == part)
}
