//! Whole files: their encodings, their damage, their bundles.

use base64ct::{Base64, Encoding as _};
use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::intake::forge;

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

/// The file is refused for good, and it is said what to do.
#[track_caller]
fn helps(bytes: impl AsRef<[u8]>, reason: Reason, words: &str) -> Refusal {
    let refusal = refuses(bytes, reason, words);
    assert!(!refusal.help.is_empty(), "nothing helps: {refusal}");
    refusal
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
        ("PK\u{3}\u{4}\u{14}\0\u{8}\0".to_owned(), "a ZIP archive"),
    ] {
        helps(bytes, Reason::NoCertificate, words);
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
        ("RSA PUBLIC KEY", "a public key"),
        ("DH PARAMETERS", "parameters of a key"),
        ("SECRET SAUCE", "a block that is no certificate"),
    ] {
        let other = pem.replace(" CERTIFICATE", &format!(" {label}"));
        helps(&other, Reason::PemLabel, words);
        helps(format!("{pem}{other}"), Reason::PemLabel, words);
        let refusal = helps(&other, Reason::PemLabel, words);
        assert!(
            !refusal.found.contains("SAUCE"),
            "nothing of the file is quoted"
        );
    }
    let mismatch = pem.replace("END CERTIFICATE", "END PRIVATE KEY");
    helps(
        mismatch,
        Reason::PemLabel,
        "BEGIN CERTIFICATE ends as END PRIVATE KEY",
    );
    let headers = pem.replace(
        "BEGIN CERTIFICATE-----\n",
        "BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\n",
    );
    helps(headers, Reason::PemMalformed, "headers inside (RFC 1421)");
}

#[test]
fn der_of_another_kind_is_named() {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    helps(
        request.der(),
        Reason::NoCertificate,
        "a certificate request (CSR)",
    );
    let info = forge::rsa_info(&forge::rsa_modulus(), 65_537);
    helps(
        info,
        Reason::NoCertificate,
        "a public key without its certificate",
    );
    let pkcs7 = forge::sequence(&[
        &forge::oid("1.2.840.113549.1.7.2"),
        &forge::element(0xa0, &[0; 300]),
    ]);
    let refusal = helps(pkcs7, Reason::NotDer, "PKCS#7 that is damaged inside");
    assert!(refusal.help[0].contains("-inform DER"));
    let list = forge::sequence(&[
        &[2, 1, 1],
        &forge::sequence(&[&forge::oid("1.2.840.113549.1.1.11"), &[5, 0]]),
        &forge::name("ca"),
        &forge::utc("260101000000Z"),
    ]);
    let list = forge::sequence(&[&list, &[0; 200]]);
    helps(list, Reason::NoCertificate, "a revocation list (CRL)");
}

#[test]
fn a_file_cut_anywhere_may_still_be_growing() {
    let der = der("idp");
    let pem = canonical_pem(&der);
    let text = pem.trim_end();
    for length in 1..text.len() {
        let rejection = judged(text.split_at(length).0).expect_err("cut");
        assert_eq!(
            rejection.refusal.reason,
            Reason::PemMalformed,
            "{length}: {}",
            rejection.refusal
        );
        assert!(rejection.may_be_copying, "{length}: {}", rejection.refusal);
    }
    for length in [2, 10, der.len() - 1] {
        waits(&der[..length], Reason::NotDer, "stops inside");
    }
    let digits = Base64::encode_string(&der);
    // Without its padding it is whole.
    let digits = digits.trim_end_matches('=');
    for length in [1, 2, 3, 50, digits.len() - 1, digits.len() - 4] {
        waits(
            digits.split_at(length).0,
            Reason::PemMalformed,
            "stops inside",
        );
    }
    let second = format!("{pem}{}", text.split_at(200).0);
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
    let critical_as = |truth: u8| Shape {
        extensions: vec![forge::sequence(&[
            &forge::oid("2.5.29.19"),
            &[1, 1, truth],
            &forge::element(4, &[0x30, 0]),
        ])],
        ..Shape::default()
    };
    accepts_one(critical_as(0xff).der());
    refuses(critical_as(1).der(), Reason::NotDer, "");
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
    let text = |size: usize| format!("{}\n{pem}", "#".repeat(size - pem.len() - 1));
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
