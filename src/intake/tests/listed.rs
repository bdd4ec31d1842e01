//! Rows of SendGrid's list, and the canonical text.

use base64ct::{Base64, Encoding as _};
use num_bigint::BigUint;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};

use super::*;
use crate::intake::forge;

#[test]
fn the_canonical_text_has_lines_of_64_and_one_newline_at_the_end() {
    let der = der("idp");
    let pem = canonical_pem(&der);
    assert!(pem.ends_with("\n-----END CERTIFICATE-----\n") && !pem.contains('\r'));
    let lines: Vec<&str> = pem.lines().collect();
    let [first, body @ .., last_of_body, _] = lines.as_slice() else {
        panic!("no lines")
    };
    assert_eq!(*first, "-----BEGIN CERTIFICATE-----");
    assert!(body.iter().all(|it| it.len() == 64));
    assert!((1..=64).contains(&last_of_body.len()));
    // A body that ends with a full line has no empty one behind it.
    let full = canonical_pem(&[7; 48]);
    assert_eq!(full.lines().count(), 3);
}

#[test]
fn a_listed_certificate_is_read_in_any_clothes() {
    let der = der("idp");
    let pem = canonical_pem(&der);
    let digits = Base64::encode_string(&der);
    for text in [
        pem.clone(),
        pem.replace('\n', "\r\n"),
        pem.trim_end().to_owned(),
        pem.replace('\n', ""),
        pem.replace('\n', " "),
        pem.replace('\n', "\\n"),
        digits.clone(),
        format!(" {digits}\n"),
        Base64::encode_string(pem.as_bytes()),
    ] {
        let certificate = read_listed(&text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(certificate.der(), der);
    }
    for text in [
        "",
        "null",
        "-----BEGIN CERTIFICATE-----",
        digits.split_at(100).0,
        "MIIB",
    ] {
        assert!(read_listed(text).is_none(), "{text}");
    }
}

#[test]
fn a_listed_certificate_that_we_would_never_upload_is_still_known() {
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let ed25519 = CertificateParams::default()
        .self_signed(&pair)
        .unwrap()
        .der()
        .to_vec();
    let weak = Shape {
        key: forge::rsa_info(&(BigUint::from(1_u8) << 1023_u32), 65_537),
        ..Shape::default()
    }
    .unsigned();
    let authority = Shape {
        extensions: vec![forge::ca()],
        issuer: forge::name("ca"),
        ..Shape::default()
    }
    .unsigned();
    let long_serial = Shape {
        serial: vec![1; 40],
        ..Shape::default()
    }
    .unsigned();
    for der in [ed25519, weak, authority, long_serial] {
        assert!(judged(&der).is_err());
        let certificate = read_listed(&canonical_pem(&der)).expect("known");
        assert_eq!(certificate.der(), der);
        assert!(certificate.validity().not_after > certificate.validity().not_before);
    }
}
