//! The catalogue of bad inputs, row by row: files first, then single certificates.

use std::fmt::Write as _;

use base64ct::{Base64, Encoding as _};
use num_bigint::BigUint;
use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};

use super::forge::{self, Hash, Shape};
use super::*;
use crate::domain::{KeyAlgorithm, Remark};

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
    judge_file(bytes, bytes.len() as u64)
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

// Files.

#[test]
fn pem_is_accepted_in_all_its_honest_forms() {
    let der = der("idp");
    let pem = canonical_pem(&der);
    let long = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----",
        Base64::encode_string(&der)
    );
    let indented: String = pem
        .lines()
        .fold(String::new(), |out, line| out + "\t  " + line + "  \n");
    for (form, bytes) in [
        ("LF", pem.clone().into_bytes()),
        ("CRLF", pem.replace('\n', "\r\n").into_bytes()),
        ("CR", pem.replace('\n', "\r").into_bytes()),
        ("no final newline", pem.trim_end().as_bytes().to_vec()),
        (
            "byte-order mark",
            [b"\xef\xbb\xbf", pem.as_bytes()].concat(),
        ),
        (
            "text around",
            format!("Bag Attributes\n    localKeyID: 01\nsubject=CN=idp\n{pem}\nthe end\n")
                .into_bytes(),
        ),
        (
            "bytes around",
            [b"\xff\xfeGr\xfc\xdfe \xa4\n", pem.as_bytes(), b"\x80\x81"].concat(),
        ),
        ("indented", indented.into_bytes()),
        ("one long line", long.clone().into_bytes()),
        ("all on one line", long.replace('\n', "").into_bytes()),
        ("DER", der.clone()),
        ("base64", Base64::encode_string(&der).into_bytes()),
        (
            "base64 in lines",
            pem.lines()
                .filter(|it| !it.starts_with('-'))
                .fold(String::new(), |out, it| out + it + "\r\n")
                .into_bytes(),
        ),
    ] {
        let accepted = judged(&bytes).unwrap_or_else(|it| panic!("{form}: {}", it.refusal));
        assert_eq!(accepted.certificates.len(), 1, "{form}");
        assert_eq!(accepted.certificates[0].der(), der, "{form}");
    }
}

#[test]
fn utf16_is_refused_with_the_command_that_converts_it() {
    let pem = canonical_pem(&der("idp"));
    for bytes in [
        utf16(&pem, true),
        utf16(&pem, false),
        utf16(&pem, true)[2..].to_vec(),
        utf16(&pem, false)[2..].to_vec(),
    ] {
        let refusal = refuses(bytes, Reason::Encoding, "UTF-16");
        assert!(refusal.help[0].starts_with("iconv -f UTF-16"));
    }
}

#[test]
fn what_is_no_certificate_is_named() {
    let pem = canonical_pem(&der("idp"));
    for (bytes, words) in [
        (
            "<!DOCTYPE html><html><body>Sign in</body></html>".to_owned(),
            "an HTML page",
        ),
        (
            "<?xml version=\"1.0\"?><md:EntityDescriptor/>".to_owned(),
            "SAML metadata",
        ),
        ("<a/>".to_owned(), "XML without"),
        (
            format!("{{\"x5c\": \"{}\"}}", pem.replace('\n', "\\n")),
            "JSON, with line breaks",
        ),
        ("{\"error\": \"login required\"}".to_owned(), "JSON"),
        ("hello".to_owned(), "neither PEM nor DER"),
        (
            Base64::encode_string(pem.as_bytes()),
            "base64 of a PEM file",
        ),
        (pem.replace("-----", "\u{2013}\u{2013}"), "\"–\" (U+2013)"),
        (pem.replace("-----", "----"), "not five hyphens"),
        (
            pem.replace("-----END", "\u{2014}END"),
            "END CERTIFICATE are \"—\" (U+2014)",
        ),
        ("ssh-rsa AAAAB3NzaC1yc2EAAA".to_owned(), "an SSH public key"),
        ("\u{1}\u{2}\0\0abc".to_owned(), "binary data"),
    ] {
        refuses(bytes, Reason::NoCertificate, words);
    }
}

#[test]
fn an_empty_or_blank_file_may_still_be_filled() {
    waits("", Reason::Empty, "0 bytes");
    waits(" \r\n\t\n", Reason::Empty, "white space");
    waits([0; 4096], Reason::Empty, "4096 bytes, all of them zero");
    waits(b"\xef\xbb\xbf\n", Reason::Empty, "white space");
}

#[test]
fn blocks_of_another_kind_are_named() {
    let pem = canonical_pem(&der("idp"));
    for (label, words) in [
        (
            "TRUSTED CERTIFICATE",
            "TRUSTED CERTIFICATE, an OpenSSL form",
        ),
        ("CERTIFICATE REQUEST", "(CSR)"),
        ("NEW CERTIFICATE REQUEST", "(CSR)"),
        ("X509 CRL", "(CRL)"),
        ("PKCS7", "PKCS#7"),
        ("PUBLIC KEY", "a public key"),
        ("SECRET SAUCE", "a block that is no certificate"),
    ] {
        let other = pem.replace(" CERTIFICATE", &format!(" {label}"));
        refuses(&other, Reason::PemLabel, words);
        refuses(format!("{pem}{other}"), Reason::PemLabel, words);
        let refusal = refuses(&other, Reason::PemLabel, words);
        assert!(
            !refusal.found.contains("SAUCE"),
            "nothing of the file is quoted"
        );
    }
    let mismatch = pem.replace("END CERTIFICATE", "END PRIVATE KEY");
    refuses(
        mismatch,
        Reason::PemLabel,
        "BEGIN CERTIFICATE ends as END PRIVATE KEY",
    );
    let headers = pem.replace(
        "BEGIN CERTIFICATE-----\n",
        "BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\n",
    );
    refuses(headers, Reason::PemMalformed, "headers inside (RFC 1421)");
}

#[test]
fn der_of_another_kind_is_named() {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    refuses(
        request.der(),
        Reason::NoCertificate,
        "a certificate request (CSR)",
    );
    let info = forge::rsa_info(&forge::rsa_modulus(), 65_537);
    refuses(
        info,
        Reason::NoCertificate,
        "a public key without its certificate",
    );
    let pkcs7 = forge::sequence(&[
        &forge::oid("1.2.840.113549.1.7.2"),
        &forge::element(0xa0, &[0; 300]),
    ]);
    let refusal = refuses(pkcs7, Reason::NoCertificate, "PKCS#7 in DER");
    assert!(refusal.help[0].contains("-inform DER"));
    let list = forge::sequence(&[
        &[2, 1, 1],
        &forge::sequence(&[&forge::oid("1.2.840.113549.1.1.11"), &[5, 0]]),
        &forge::name("ca"),
        &forge::utc("260101000000Z"),
    ]);
    let list = forge::sequence(&[&list, &[0; 200]]);
    refuses(list, Reason::NoCertificate, "a revocation list (CRL)");
}

#[test]
fn a_file_cut_anywhere_may_still_be_growing() {
    let der = der("idp");
    let pem = canonical_pem(&der);
    let text = pem.trim_end();
    for length in 1..text.len() {
        let rejection = judged(&text[..length]).expect_err("cut");
        // Before the label is whole nothing says what it will be.
        if length >= "-----BEGIN ".len() {
            assert_eq!(
                rejection.refusal.reason,
                Reason::PemMalformed,
                "{length}: {}",
                rejection.refusal
            );
            assert!(rejection.may_be_copying, "{length}: {}", rejection.refusal);
        }
    }
    for length in [2, 10, der.len() - 1] {
        waits(&der[..length], Reason::NotDer, "stops inside");
    }
    let digits = Base64::encode_string(&der);
    for length in [3, 50, digits.len() - 1, digits.len() - 4] {
        waits(&digits[..length], Reason::PemMalformed, "stops inside");
    }
    let second = format!("{pem}{}", &text[..200]);
    waits(
        second,
        Reason::PemMalformed,
        "the text stops inside the second certificate",
    );
}

#[test]
fn damaged_text_waits_and_refuses_the_good_block_beside_it() {
    let good = canonical_pem(&der("idp"));
    let other = canonical_pem(&der("next"));
    for (bad, words) in [
        (other.replacen("MII", "M!I", 1), "is not base64"),
        (other.replacen("MII", "MI", 1), "is not base64"),
        (other.replacen("MII", "=II", 1), "is not base64"),
        (other.replace("-----END CERTIFICATE-----\n", ""), ""),
        (
            other
                .lines()
                .skip(3)
                .fold(String::new(), |out, it| out + it + "\n"),
            "ends that never began",
        ),
        (
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned(),
            "is empty",
        ),
    ] {
        waits(&bad, Reason::PemMalformed, words);
        waits(format!("{good}{bad}"), Reason::PemMalformed, words);
        waits(format!("{bad}{good}"), Reason::PemMalformed, words);
    }
}

#[test]
fn bytes_behind_the_der_are_refused_inside_and_outside_of_pem() {
    let der = der("idp");
    let longer = [&der[..], &[0; 16]].concat();
    refuses(&longer, Reason::NotDer, "16 bytes follow the certificate");
    refuses(
        canonical_pem(&longer),
        Reason::NotDer,
        "16 bytes follow the certificate",
    );
    refuses([&der[..], b"\n"].concat(), Reason::NotDer, "1 byte follows");
    refuses(
        format!(
            "{}{}",
            canonical_pem(&self::der("good")),
            canonical_pem(&longer)
        ),
        Reason::NotDer,
        "follow",
    );
}

#[test]
fn what_is_not_the_one_der_form_is_refused() {
    let der = Shape::default().der();
    let ok = Shape {
        extensions: vec![forge::ca()],
        ..Shape::default()
    };
    accepts(ok.der(), &[&ok.der()]);
    let padded = [&[0x30, 0x83, 0][..], &der[2..]].concat();
    refuses(&padded, Reason::NotDer, "written longer than DER allows");
    let indefinite = [&[0x30, 0x80][..], &der[4..], &[0, 0]].concat();
    refuses(&indefinite, Reason::NotDer, "indefinite length");
    let critical_of_one = Shape {
        extensions: vec![forge::sequence(&[
            &forge::oid("2.5.29.19"),
            &[1, 1, 1],
            &forge::element(4, &[0x30, 0]),
        ])],
        ..Shape::default()
    };
    refuses(critical_of_one.der(), Reason::NotDer, "");
    let explicit_default = Shape {
        version: Some(vec![0]),
        ..Shape::default()
    };
    refuses(explicit_default.der(), Reason::NotDer, "");
    refuses(
        forge::element(0x30, &[5; 300]),
        Reason::NotDer,
        "not one certificate",
    );
}

#[test]
fn two_self_signed_certificates_are_a_rollover_bundle() {
    let (old, new) = (der("idp"), der("idp"));
    accepts(
        format!("{}{}", canonical_pem(&old), canonical_pem(&new)),
        &[&old, &new],
    );
}

#[test]
fn a_leaf_comes_with_its_issuers_in_any_order() {
    let root = Shape {
        subject: forge::name("root"),
        issuer: forge::name("root"),
        extensions: vec![forge::ca()],
        ..Shape::default()
    };
    let middle = Shape {
        subject: forge::name("middle"),
        ..root.clone()
    };
    let leaf = Shape {
        subject: forge::name("leaf"),
        issuer: forge::name("middle"),
        ..Shape::default()
    };
    let (root, middle, leaf) = (root.der(), middle.unsigned(), leaf.unsigned());
    let [r, m, l] = [&root, &middle, &leaf].map(|it| canonical_pem(it));
    for order in [[&l, &m, &r], [&r, &m, &l], [&m, &l, &r]] {
        let accepted = accepted(order.map(String::as_str).concat());
        assert_eq!(accepted.certificates.len(), 1);
        assert_eq!(accepted.certificates[0].subject(), "CN=leaf");
        assert!(accepted.refused.is_empty());
        assert!(
            accepted.notes[0].starts_with("2 issuers ignored: CN="),
            "{:?}",
            accepted.notes
        );
        assert!(
            accepted.notes[0].contains("CN=root"),
            "{:?}",
            accepted.notes
        );
    }
    refuses(
        &m,
        Reason::CaCertificate,
        "an issuer's (CA:TRUE, signed by another)",
    );
}

#[test]
fn the_same_certificate_twice_counts_once() {
    let der = der("idp");
    let pem = canonical_pem(&der);
    accepts(format!("{pem}{pem}"), &[&der]);
}

#[test]
fn twenty_certificates_are_the_limit() {
    let ders: Vec<Vec<u8>> = (0..21).map(|it| der(&format!("idp {it}"))).collect();
    let text = |count: usize| {
        ders[..count]
            .iter()
            .map(|it| canonical_pem(it))
            .collect::<String>()
    };
    assert_eq!(accepted(text(20)).certificates.len(), 20);
    refuses(text(21), Reason::TooManyCertificates, "21; the limit is 20");
}

#[test]
fn sixty_four_kib_are_the_limit() {
    let pem = canonical_pem(&der("idp"));
    let text = |size: usize| format!("{}{pem}", "#".repeat(size - pem.len()));
    assert_eq!(accepted(text(FILE_LIMIT)).certificates.len(), 1);
    refuses(
        text(FILE_LIMIT + 1),
        Reason::TooLarge,
        "64.0 KiB; the limit is 64 KiB",
    );
    let rejection = judge_file(&vec![b'#'; FILE_LIMIT + 1], 1 << 40).unwrap_err();
    assert_eq!(
        rejection.refusal.found,
        "1.0 TiB; the limit is 64 KiB, a certificate has 1 to 3"
    );
}

// Single certificates.

#[test]
fn the_clock_plays_no_part() {
    let expired = Shape {
        not_before: forge::utc("100101000000Z"),
        not_after: forge::utc("110101000000Z"),
        ..Shape::default()
    };
    assert_eq!(remarks(&expired), []);
    let ahead = Shape {
        not_before: forge::utc("480101000000Z"),
        not_after: forge::utc("490101000000Z"),
        ..Shape::default()
    };
    assert_eq!(remarks(&ahead), []);
}

#[test]
fn generalized_time_counts_in_every_year() {
    let early = Shape {
        not_before: forge::general("20240101000000Z"),
        not_after: forge::general("20340101000000Z"),
        ..Shape::default()
    };
    assert_eq!(remarks(&early), []);
    let late = Shape {
        not_after: forge::general("99991231235959Z"),
        ..Shape::default()
    };
    let accepted = accepted(late.der());
    let certificate = &accepted.certificates[0];
    assert_eq!(
        certificate.validity().not_after.to_string(),
        "9999-12-31T23:59:59Z"
    );
    assert_eq!(certificate.remarks(), [Remark::LongValidity]);
}

#[test]
fn more_than_eleven_years_are_remarked() {
    let until = |not_after: &str| Shape {
        not_before: forge::utc("250101000000Z"),
        not_after: forge::utc(not_after),
        ..Shape::default()
    };
    assert_eq!(remarks(&until("360101000000Z")), [], "eleven years");
    assert_eq!(remarks(&until("360105000000Z")), [Remark::LongValidity]);
}

#[test]
fn a_serial_has_one_to_twenty_octets() {
    let serial = |octets: Vec<u8>| Shape {
        serial: octets,
        ..Shape::default()
    };
    assert_eq!(remarks(&serial(vec![0x7f; 20])), []);
    for length in [21, 22, 40] {
        refuses(
            serial(vec![0x7f; length]).der(),
            Reason::NotDer,
            "serial number has more than 20 octets",
        );
    }
    refuses(
        serial(vec![]).der(),
        Reason::NotDer,
        "serial number is empty",
    );
    assert_eq!(remarks(&serial(vec![0])), [Remark::OddSerial]);
    assert_eq!(remarks(&serial(vec![0x80])), [Remark::OddSerial]);
    assert_eq!(remarks(&serial(vec![0, 0x80])), []);
}

#[test]
fn a_validity_is_two_real_times_in_order() {
    let from_to = |not_before: &str, not_after: &str| Shape {
        not_before: forge::utc(not_before),
        not_after: forge::utc(not_after),
        ..Shape::default()
    };
    refuses(
        from_to("261124000000Z", "251124000000Z").der(),
        Reason::Validity,
        "ends before it begins (2026-11-24 to 2025-11-24)",
    );
    assert_eq!(
        remarks(&from_to("261124000000Z", "261124000000Z")),
        [],
        "one second"
    );
    assert_eq!(
        remarks(&from_to("260228000000Z", "280229000000Z")),
        [],
        "a leap day"
    );
    refuses(
        from_to("260228000000Z", "270229000000Z").der(),
        Reason::NotDer,
        "does not exist",
    );
    refuses(
        from_to("2602280000Z", "280229000000Z").der(),
        Reason::NotDer,
        "no seconds",
    );
    refuses(
        from_to("260228000000+0100", "280229000000Z").der(),
        Reason::NotDer,
        "an offset",
    );
    refuses(
        from_to("690101000000Z", "280229000000Z").der(),
        Reason::NotDer,
        "before 1970",
    );
}

#[test]
fn one_odd_certificate_does_not_stop_the_others_of_its_file() {
    let odd = Shape {
        serial: vec![1; 30],
        ..Shape::default()
    }
    .der();
    let weak = Shape {
        key: forge::rsa_info(&(BigUint::from(1_u8) << 1023_u32), 65_537),
        ..Shape::default()
    }
    .unsigned();
    let good = der("idp");
    let accepted = accepted([&odd, &good, &weak].map(|it| canonical_pem(it)).concat());
    assert_eq!(accepted.certificates.len(), 1);
    let reasons: Vec<Reason> = accepted.refused.iter().map(|it| it.reason).collect();
    assert_eq!(reasons, [Reason::NotDer, Reason::WeakKey]);
    refuses(
        [&odd, &weak].map(|it| canonical_pem(it)).concat(),
        Reason::NotDer,
        "1 other certificate refused as well",
    );
}

#[test]
fn rsa_keys_are_judged_inside_their_certificates() {
    let good = accepted(Shape::default().der());
    assert_eq!(good.certificates[0].key(), KeyAlgorithm::Rsa(2048));
    let with_key = |key: Vec<u8>| Shape {
        key,
        ..Shape::default()
    };
    let small = BigUint::from(1_u8) << 1023_u32;
    refuses(
        with_key(forge::rsa_info(&small, 65_537)).unsigned(),
        Reason::WeakKey,
        "RSA 1024 bits; at least 2048",
    );
    refuses(
        with_key(forge::rsa_info(&forge::rsa_modulus(), 1)).unsigned(),
        Reason::WeakKey,
        "exponent",
    );
    let algorithm = forge::sequence(&[&forge::oid("1.2.840.113549.1.1.1"), &[5, 0]]);
    let negative = forge::sequence(&[&forge::element(2, &[0x80; 256]), &[2, 3, 1, 0, 1]]);
    refuses(
        with_key(forge::sequence(&[&algorithm, &forge::bits(&negative)])).unsigned(),
        Reason::WeakKey,
        "zero or negative",
    );
    let trailing = forge::sequence(&[
        &forge::integer(&forge::rsa_modulus()),
        &[2, 3, 1, 0, 1],
        &[5, 0],
    ]);
    refuses(
        with_key(forge::sequence(&[&algorithm, &forge::bits(&trailing)])).unsigned(),
        Reason::NotDer,
        "RSA key",
    );
    let pss = forge::sequence(&[
        &forge::sequence(&[&forge::oid("1.2.840.113549.1.1.10")]),
        &forge::bits(&negative),
    ]);
    refuses(
        with_key(pss).unsigned(),
        Reason::KeyType,
        "RSASSA-PSS alone",
    );
}

#[test]
fn a_small_exponent_is_remarked() {
    // Nobody holds this key, so another one has to have issued it.
    let with = |exponent| Shape {
        key: forge::rsa_info(&forge::rsa_modulus(), exponent),
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    assert_eq!(
        accepted(with(3).unsigned()).certificates[0].remarks(),
        [Remark::SmallExponent]
    );
    assert_eq!(
        accepted(with(65_537).unsigned()).certificates[0].remarks(),
        []
    );
}

#[test]
fn the_three_nist_curves_are_accepted() {
    for (algorithm, key) in [
        (&PKCS_ECDSA_P256_SHA256, KeyAlgorithm::P256),
        (&PKCS_ECDSA_P384_SHA384, KeyAlgorithm::P384),
    ] {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        let der = CertificateParams::default()
            .self_signed(&pair)
            .unwrap()
            .der()
            .to_vec();
        assert_eq!(accepted(der).certificates[0].key(), key);
    }
    let p521 = Shape {
        key: forge::ec_info(P521, &generator()),
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    assert_eq!(
        accepted(p521.unsigned()).certificates[0].key(),
        KeyAlgorithm::P521
    );
}

const P256: &str = "1.2.840.10045.3.1.7";
const P521: &str = "1.3.132.0.35";

/// The base point of P-521 (FIPS 186-4, D.1.2.5).
fn generator() -> Vec<u8> {
    let x = "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66";
    let y = "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650";
    let number = BigUint::parse_bytes(format!("04{x}{y}").as_bytes(), 16).unwrap();
    number.to_bytes_be()
}

#[test]
fn points_off_the_curve_are_refused() {
    let with_point = |curve: &str, point: &[u8]| {
        Shape {
            key: forge::ec_info(curve, point),
            issuer: forge::name("ca"),
            ..Shape::default()
        }
        .unsigned()
    };
    let mut off = generator();
    *off.last_mut().unwrap() ^= 1;
    refuses(with_point(P521, &off), Reason::KeyType, "not on the curve");
    refuses(with_point(P521, &[0]), Reason::KeyType, "point at infinity");
    refuses(
        with_point(P256, &generator()),
        Reason::KeyType,
        "another length",
    );
    refuses(
        with_point(P256, &[&[2][..], &[9; 32]].concat()),
        Reason::KeyType,
        "compressed",
    );
    refuses(
        with_point(P256, &[&[4][..], &[0xff; 64]].concat()),
        Reason::KeyType,
        "outside the field",
    );
    refuses(
        with_point("1.3.132.0.10", &[4; 65]),
        Reason::KeyType,
        "unusual curve",
    );
    let explicit = forge::sequence(&[
        &forge::sequence(&[
            &forge::oid("1.2.840.10045.2.1"),
            &forge::sequence(&[&[2, 1, 1]]),
        ]),
        &forge::bits(&[4; 65]),
    ]);
    let explicit = Shape {
        key: explicit,
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    refuses(
        explicit.unsigned(),
        Reason::KeyType,
        "given by its parameters",
    );
}

#[test]
fn kinds_of_keys_that_sendgrid_does_not_document_are_refused() {
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let der = CertificateParams::default()
        .self_signed(&pair)
        .unwrap()
        .der()
        .to_vec();
    refuses(
        &der,
        Reason::KeyType,
        "Ed25519; SendGrid's documentation knows RSA and ECDSA",
    );
    let dsa = forge::sequence(&[
        &forge::sequence(&[&forge::oid("1.2.840.10040.4.1")]),
        &forge::bits(&[2, 1, 1]),
    ]);
    refuses(
        Shape {
            key: dsa,
            ..Shape::default()
        }
        .unsigned(),
        Reason::KeyType,
        "DSA;",
    );
}

#[test]
fn a_flipped_bit_is_seen_by_the_certificates_own_signature() {
    let der = Shape::default().der();
    accepts(&der, &[&der]);
    let mut flipped = der.clone();
    *flipped.last_mut().unwrap() ^= 1;
    refuses(
        &flipped,
        Reason::Signature,
        "its own signature does not fit",
    );
    let mut edited = der;
    let at = edited.windows(3).position(|it| it == b"idp").unwrap();
    edited[at] = b'I';
    let issued_by_another = accepted(&edited);
    assert!(
        !issued_by_another.certificates[0].self_issued(),
        "then it cannot be verified here"
    );
    let (certificate, _) = made("idp");
    let mut flipped = certificate.der().to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    refuses(
        &flipped,
        Reason::Signature,
        "its own signature does not fit",
    );
}

#[test]
fn signature_algorithms_are_judged() {
    refuses(
        Shape {
            hash: Hash::Md5,
            ..Shape::default()
        }
        .der(),
        Reason::Signature,
        "MD5",
    );
    let differ = Shape {
        outer_hash: Some(Hash::Sha1),
        ..Shape::default()
    };
    refuses(
        differ.der(),
        Reason::Signature,
        "two different signature algorithms",
    );
    assert_eq!(
        remarks(&Shape {
            hash: Hash::Sha1,
            ..Shape::default()
        }),
        [Remark::Sha1Signature]
    );
    let of_another = Shape {
        hash: Hash::Sha1,
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    assert_eq!(
        remarks(&of_another),
        [],
        "only a self-signature says how old it is"
    );
}

#[test]
fn a_self_signature_over_p521_is_accepted_unverified() {
    let shape = Shape {
        key: forge::ec_info(P521, &generator()),
        hash: Hash::EcdsaSha512,
        ..Shape::default()
    };
    assert_eq!(
        accepted(shape.unsigned()).certificates[0].remarks(),
        [Remark::UnverifiedSignature]
    );
    let mismatch = Shape {
        key: forge::ec_info(P521, &generator()),
        ..Shape::default()
    };
    refuses(mismatch.unsigned(), Reason::Signature, "does not fit");
}

#[test]
fn an_authority_of_its_own_is_normal_and_another_ones_is_not() {
    assert_eq!(
        remarks(&Shape {
            extensions: vec![forge::ca()],
            ..Shape::default()
        }),
        []
    );
    let issued = Shape {
        extensions: vec![forge::ca()],
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    refuses(issued.unsigned(), Reason::CaCertificate, "CA:TRUE");
}

#[test]
fn a_key_usage_without_signatures_is_an_encryption_certificate() {
    let with = |bits, issuer| Shape {
        extensions: vec![forge::key_usage(bits)],
        issuer: forge::name(issuer),
        ..Shape::default()
    };
    for bits in [0x80, 0x40, 0xa0] {
        assert_eq!(remarks(&with(bits, "idp")), []);
        assert_eq!(remarks(&with(bits, "ca")), []);
    }
    assert_eq!(remarks(&with(0x20, "idp")), [Remark::EncryptionOnly]);
    let refusal = refuses(
        with(0x20, "ca").unsigned(),
        Reason::KeyUsage,
        "for encryption only",
    );
    assert!(refusal.help[0].contains("use=\"signing\""));
}

#[test]
fn a_web_servers_certificate_is_remarked() {
    let key = KeyPair::generate().unwrap();
    let with = |names: Vec<String>, server: bool| {
        let mut params = CertificateParams::new(names).unwrap();
        if server {
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        }
        accepted(params.self_signed(&key).unwrap().der()).certificates[0]
            .remarks()
            .contains(&Remark::WebServer)
    };
    assert!(with(vec!["www.example.com".to_owned()], true));
    assert!(!with(vec!["www.example.com".to_owned()], false));
    assert!(!with(vec![], true));
}

#[test]
fn versions_and_extensions_fit_each_other() {
    let sound = forge::extension("2.5.29.14", false, &forge::element(4, &[1; 20]));
    let version = |content: Option<Vec<u8>>, extensions| Shape {
        version: content,
        extensions,
        ..Shape::default()
    };
    assert_eq!(remarks(&version(None, vec![])), []);
    assert_eq!(remarks(&version(Some(vec![1]), vec![])), []);
    refuses(
        version(None, vec![sound.clone()]).der(),
        Reason::NotDer,
        "version 1 with extensions",
    );
    refuses(
        version(Some(vec![3]), vec![]).der(),
        Reason::NotDer,
        "version is not 1, 2 or 3",
    );
    refuses(
        version(Some(vec![2]), vec![sound.clone(), sound.clone()]).der(),
        Reason::NotDer,
        "an extension is there twice",
    );
    let unknown = |critical| {
        version(
            Some(vec![2]),
            vec![forge::extension("1.2.3.4", critical, &[5, 0])],
        )
    };
    assert_eq!(remarks(&unknown(true)), [Remark::UnknownCriticalExtension]);
    assert_eq!(remarks(&unknown(false)), []);
    let unreadable = version(
        Some(vec![2]),
        vec![forge::extension("2.5.29.19", true, &[0x30, 3, 1, 1, 1])],
    );
    refuses(
        unreadable.der(),
        Reason::NotDer,
        "what the key is for cannot be read",
    );
}

#[test]
fn names_are_shown_harmless_and_short() {
    let evil = Shape {
        subject: forge::name("a\n\u{1b}[31m\u{202e}b, \"c\""),
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    let accepted_evil = accepted(evil.unsigned());
    assert_eq!(
        accepted_evil.certificates[0].subject(),
        r#"CN=a\u{a}\u{1b}[31m\u{202e}b\, \"c\""#
    );
    let huge = Shape {
        subject: forge::name(&"x".repeat(40_000)),
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    let accepted_huge = accepted(huge.unsigned());
    assert!(accepted_huge.certificates[0].subject().len() < 400);
    let (certificate, _) = made("ADFS Signing - sts.example.com");
    let accepted_plain = accepted(certificate.der());
    assert_eq!(
        accepted_plain.certificates[0].subject(),
        "CN=ADFS Signing - sts.example.com"
    );
}

#[test]
fn any_change_of_any_byte_is_answered_without_a_panic() {
    let der = Shape {
        extensions: vec![forge::ca(), forge::key_usage(0x80)],
        ..Shape::default()
    }
    .der();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let pem = canonical_pem(&der).into_bytes();
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] = next() as u8;
        drop(judged(&changed));
        drop(read_certificate(&changed));
        changed.truncate((next() % der.len() as u64) as usize);
        drop(judged(&changed));
        let mut text = pem.clone();
        let place = (next() % text.len() as u64) as usize;
        text[place] = next() as u8;
        drop(judged(&text));
        drop(read_listed(&String::from_utf8_lossy(&text)));
    }
}

// Rows of SendGrid's list, and the canonical text.

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
        &digits[..100],
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

// Key material.

fn key_found(bytes: impl AsRef<[u8]>) -> Refusal {
    refuses(bytes, Reason::PrivateKey, "")
}

#[test]
fn a_private_key_is_found_before_after_and_between_certificates() {
    let (certificate, key) = made("idp");
    let pem = canonical_pem(certificate.der());
    let key = key.serialize_pem();
    let refusal = key_found(format!("{key}{pem}"));
    assert_eq!(
        refusal.found,
        "line 1 begins an unencrypted PKCS#8 private key"
    );
    let line = pem.lines().count() + 1;
    assert_eq!(
        key_found(format!("{pem}{key}{pem}")).found,
        format!("line {line} begins an unencrypted PKCS#8 private key")
    );
    let unterminated = key.split("-----END").next().unwrap();
    key_found(format!("{pem}{unterminated}"));
    key_found(format!("{pem}-----BEGIN PRIVATE KEY"));
    key_found(format!("{}{key}", "# comment\n".repeat(6_000)));
    for bytes in [utf16(&key, true), utf16(&key, false)] {
        key_found(bytes);
    }
    for text in [format!("{pem}{key}"), key] {
        let secret = text.lines().rev().nth(1).unwrap();
        let refusal = key_found(&text);
        assert!(
            !format!("{refusal:?}").contains(&secret[..8]),
            "no byte of it is said"
        );
    }
}

#[test]
fn every_label_of_a_private_key_is_known() {
    for (label, words) in [
        ("PRIVATE KEY", "an unencrypted PKCS#8"),
        ("ENCRYPTED PRIVATE KEY", "an encrypted PKCS#8"),
        ("RSA PRIVATE KEY", "a PKCS#1"),
        ("EC PRIVATE KEY", "a SEC 1 (EC)"),
        ("DSA PRIVATE KEY", "a DSA"),
        ("OPENSSH PRIVATE KEY", "an OpenSSH"),
        ("PGP PRIVATE KEY BLOCK", "an OpenPGP"),
        ("ANY PRIVATE KEY", "a private key"),
    ] {
        for dashes in ["-----", "----", "\u{2013}\u{2013}", "---- "] {
            let text = format!("comment\r\n{dashes}BEGIN {label}{dashes}\r\n");
            refuses(text, Reason::PrivateKey, &format!("line 2 begins {words}"));
        }
    }
    let pem = canonical_pem(&der("idp"));
    accepts_one(format!(
        "The private key is elsewhere. Begin private key talk.\n{pem}"
    ));
}

fn accepts_one(bytes: impl AsRef<[u8]>) {
    assert_eq!(accepted(bytes).certificates.len(), 1);
}

/// Keys in DER, of every form; the secrets are the number 7 repeated.
fn der_keys() -> Vec<(&'static str, Vec<u8>)> {
    let rsa = forge::sequence(&[&forge::oid("1.2.840.113549.1.1.1"), &[5, 0]]);
    let large = forge::element(2, &[7; 256]);
    let pkcs1 = forge::sequence(&[&[2, 1, 0], &large, &[2, 3, 1, 0, 1], &large]);
    let curve = forge::element(0xa0, &forge::oid(P256));
    let sec1 = forge::sequence(&[&[2, 1, 1], &forge::element(4, &[7; 32]), &curve]);
    let pbes2 = forge::sequence(&[
        &forge::oid("1.2.840.113549.1.5.13"),
        &forge::element(0x30, &[7; 80]),
    ]);
    let data = forge::sequence(&[
        &forge::oid("1.2.840.113549.1.7.1"),
        &forge::element(0xa0, &[4; 400]),
    ]);
    let mut indefinite = vec![0x30, 0x80, 2, 1, 3, 0x30, 0x80];
    indefinite.extend(forge::oid("1.2.840.113549.1.7.1"));
    vec![
        (
            "PKCS#8",
            forge::sequence(&[&[2, 1, 0], &rsa, &forge::element(4, &pkcs1)]),
        ),
        ("PKCS#8", KeyPair::generate().unwrap().serialize_der()),
        (
            "PKCS#8",
            KeyPair::generate_for(&PKCS_ED25519)
                .unwrap()
                .serialize_der(),
        ),
        ("PKCS#1", pkcs1),
        ("SEC 1", sec1),
        (
            "SEC 1",
            forge::sequence(&[&[2, 1, 1], &forge::element(4, &[7; 66])]),
        ),
        (
            "encrypted PKCS#8",
            forge::sequence(&[&pbes2, &forge::element(4, &[7; 200])]),
        ),
        ("PKCS#12", forge::sequence(&[&[2, 1, 3], &data])),
        ("PKCS#12", indefinite),
    ]
}

#[test]
fn keys_in_der_are_found_alone_inside_other_bytes_and_cut() {
    let certificate = der("idp");
    for (kind, key) in der_keys() {
        for bytes in [
            key.clone(),
            [&certificate[..], &key].concat(),
            [&b"junk\0\xff"[..], &key, b"more"].concat(),
        ] {
            refuses(bytes, Reason::PrivateKey, kind);
        }
        if key.len() > 110 {
            refuses(&key[..110], Reason::PrivateKey, kind);
        }
    }
}

#[test]
fn keys_in_base64_are_found_without_armour_and_under_wrong_labels() {
    let pem = canonical_pem(&der("idp"));
    for (kind, key) in der_keys() {
        let digits = Base64::encode_string(&key);
        let wrapped: String = digits
            .as_bytes()
            .chunks(64)
            .fold(String::new(), |mut out, line| {
                writeln!(out, "  {}\r", std::str::from_utf8(line).unwrap()).unwrap();
                out
            });
        let url = digits.replace('+', "-").replace('/', "_").replace('=', "");
        for text in [
            digits.clone(),
            wrapped.clone(),
            url,
            canonical_pem(&key),
            format!("{pem}{wrapped}"),
            format!("x{wrapped}{pem}"),
            format!("a word{wrapped}"),
            wrapped
                .lines()
                .fold(String::new(), |out, line| out + "> " + line + "\n"),
            digits
                .as_bytes()
                .chunks(64)
                .fold(String::from("{\"key\": \""), |out, line| {
                    out + std::str::from_utf8(line).unwrap() + "\\n"
                }),
        ] {
            refuses(text, Reason::PrivateKey, kind);
        }
        for bytes in [utf16(&wrapped, true), utf16(&digits, false)] {
            refuses(bytes, Reason::PrivateKey, kind);
        }
    }
    let key = KeyPair::generate().unwrap().serialize_pem();
    refuses(
        Base64::encode_string(key.as_bytes()),
        Reason::PrivateKey,
        "PKCS#8",
    );
}

#[test]
fn keys_of_other_worlds_are_found() {
    let digits = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6";
    for (text, words) in [
        (
            format!("{{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\" : \"{digits}\"}}"),
            "JWK",
        ),
        (
            format!("{{\\\"kty\\\":\\\"EC\\\",\\\"d\\\":\\\"{digits}\\\"}}"),
            "JWK",
        ),
        (
            format!("<RSAKeyValue><Modulus>{digits}</Modulus><D>{digits}</D></RSAKeyValue>"),
            "XML",
        ),
        (
            format!(
                "<ds:RSAKeyValue><ds:Modulus>x</ds:Modulus><ds:InverseQ>{digits}</ds:InverseQ>"
            ),
            "XML",
        ),
        (
            "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n".to_owned(),
            "PuTTY",
        ),
        (
            "{\"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMII\"}".to_owned(),
            "PKCS#8",
        ),
    ] {
        refuses(text, Reason::PrivateKey, words);
    }
    for (bytes, words) in [
        (
            &b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01rest"[..],
            "Java keystore",
        ),
        (b"\xce\xce\xce\xce\0\0\0\x02\0\0\0\x01rest", "Java keystore"),
        (b"openssh-key-v1\0\0\0\0\x04none", "OpenSSH"),
        (b"\x07\x02\0\0\0\xa4\0\0RSA2\0\x08\0\0", "Microsoft"),
        (b"\x1e\xf1\xb5\xb0\0\0\0\0\x01\0\0\0", "Microsoft"),
    ] {
        let refusal = refuses(bytes, Reason::PrivateKey, words);
        assert!(!refusal.found.contains("line"));
        refuses(Base64::encode_string(bytes), Reason::PrivateKey, words);
    }
    let refusal = key_found(b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01rest");
    assert!(refusal.help[0].starts_with("keytool -exportcert"));
}

#[test]
fn public_halves_are_no_key_material() {
    let digits = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6";
    for text in [
        format!("{{\"kty\":\"EC\",\"x\":\"{digits}\",\"y\":\"{digits}\"}}"),
        format!("{{\"d\":\"{digits}\"}}"),
        "{\"kty\":\"EC\",\"d\":\"short\"}".to_owned(),
        format!("<RSAKeyValue><Modulus>{digits}</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>"),
        format!("<D>{digits}</D>"),
    ] {
        refuses(text, Reason::NoCertificate, "");
    }
    for shape in [
        Shape::default(),
        Shape {
            version: None,
            serial: vec![1],
            ..Shape::default()
        },
        Shape {
            version: None,
            serial: vec![0],
            ..Shape::default()
        },
    ] {
        accepts_one(shape.der());
        accepts_one(canonical_pem(&shape.der()));
    }
}
