//! Forms in which portals and tools hand out certificates: PKCS#7, base64 of every sort.

use base64ct::{Base64, Encoding as _};

use super::*;
use crate::intake::forge;

fn armour(label: &str, der: &[u8]) -> String {
    canonical_pem(der).replace("CERTIFICATE", label)
}

/// Certificates whose base64 ends with two, one and no equals signs.
fn of_every_padding() -> [Vec<u8>; 3] {
    [1, 2, 0].map(|rest| {
        let mut ders = (0..).map(|it| der(&"idp".repeat(it % 40)));
        ders.find(|it| it.len() % 3 == rest).unwrap()
    })
}

#[test]
fn a_bundle_in_pkcs7_is_accepted_in_every_clothes() {
    let (old, new) = (der("idp"), der("idp"));
    let bundle = forge::pkcs7(&[&old, &new], &[], &[]);
    let digits = Base64::encode_string(&bundle);
    for (form, bytes) in [
        ("DER", bundle.clone()),
        ("PKCS7", armour("PKCS7", &bundle).into_bytes()),
        ("CMS", armour("CMS", &bundle).into_bytes()),
        ("CERTIFICATE", canonical_pem(&bundle).into_bytes()),
        ("base64", digits.into_bytes()),
        (
            "beside itself in PEM",
            format!("{}{}", armour("PKCS7", &bundle), canonical_pem(&old)).into_bytes(),
        ),
        (
            "with an attribute certificate",
            forge::pkcs7(&[&old, &forge::element(0xa1, &[1, 2, 3]), &new], &[], &[]),
        ),
        (
            "with empty content",
            forge::pkcs7(&[&old, &new], &[0xa0, 2, 4, 0], &[]),
        ),
    ] {
        let accepted = judged(&bytes).unwrap_or_else(|it| panic!("{form}: {}", it.refusal));
        let found: Vec<&[u8]> = accepted.certificates.iter().map(Certificate::der).collect();
        assert!(found == [&old[..], &new], "{form}");
    }
}

#[test]
fn an_odd_member_of_a_bundle_stops_no_other() {
    let odd = Shape {
        serial: vec![1; 30],
        ..Shape::default()
    };
    let good = der("idp");
    let accepted = accepted(forge::pkcs7(&[&odd.der(), &good], &[], &[]));
    assert_eq!(accepted.certificates[0].der(), good);
    assert!(accepted.refused[0].refusal.found.contains("serial"));
}

#[test]
fn pkcs7_of_another_kind_is_named() {
    let der = der("idp");
    for (bytes, reason, words) in [
        (
            forge::pkcs7(&[&der], &forge::element(0xa0, &[4, 1, 7]), &[]),
            Reason::NoCertificate,
            "a signed message",
        ),
        (
            forge::pkcs7(&[&der], &[], &[0x30, 0]),
            Reason::NoCertificate,
            "a signed message",
        ),
        (
            forge::pkcs7(&[], &[], &[]),
            Reason::NoCertificate,
            "without a certificate",
        ),
        (
            forge::sequence(&[
                &forge::oid("1.2.840.113549.1.7.3"),
                &forge::element(0xa0, &[0; 300]),
            ]),
            Reason::NoCertificate,
            "no bundle of certificates",
        ),
        (
            [forge::pkcs7(&[&der], &[], &[]), vec![0]].concat(),
            Reason::NotDer,
            "bytes follow",
        ),
    ] {
        for form in [bytes.clone(), armour("PKCS7", &bytes).into_bytes()] {
            let refusal = refuses(form, reason, words);
            assert!(!refusal.help.is_empty(), "{refusal}");
        }
    }
    let many = vec![&der[..]; CERTIFICATE_LIMIT + 1];
    refuses(
        forge::pkcs7(&many, &[], &[]),
        Reason::TooManyCertificates,
        "21; the limit is 20",
    );
    let whole = forge::pkcs7(&[&der], &[], &[]);
    waits(&whole[..whole.len() - 1], Reason::NotDer, "stops inside");
}

#[test]
fn pkcs7_in_ber_is_refused_with_the_command_of_its_form() {
    let outer = [&[0x30, 0x80][..], &forge::oid("1.2.840.113549.1.7.2")].concat();
    let signed = [&[0xa0, 0x80, 0x30, 0x80, 2, 1, 1, 0x31, 0, 0x30, 0x80][..]].concat();
    let data = forge::oid("1.2.840.113549.1.7.1");
    let rest = [&[0, 0][..], &forge::element(0xa0, &der("idp")), &[0x31, 0]].concat();
    let ber = [&outer[..], &signed, &data, &rest, &[0; 6]].concat();
    for (bytes, command) in [
        (ber.clone(), "openssl pkcs7 -inform DER -in FILE"),
        (armour("PKCS7", &ber).into_bytes(), "openssl pkcs7 -in FILE"),
        (canonical_pem(&ber).into_bytes(), "openssl pkcs7 -in FILE"),
        (
            Base64::encode_string(&ber).into_bytes(),
            "base64 -d FILE | openssl pkcs7 -inform DER",
        ),
    ] {
        let refusal = refuses(bytes, Reason::NotDer, "PKCS#7 in BER");
        assert!(refusal.help[0].starts_with(command), "{refusal:?}");
    }
}

#[test]
fn base64_needs_no_padding() {
    for der in of_every_padding() {
        let digits = Base64::encode_string(&der);
        let bare = digits.trim_end_matches('=');
        let pem = canonical_pem(&der).replace('=', "");
        for text in [bare, &format!("{bare}\n"), &pem] {
            accepts(text, &[&der]);
        }
        let bundle = forge::pkcs7(&[&der], &[], &[]);
        accepts(canonical_pem(&bundle).replace('=', ""), &[&der]);
    }
}

#[test]
fn base64_bodies_stand_one_behind_the_other() {
    let ders = of_every_padding();
    let all: Vec<&[u8]> = ders.iter().map(Vec::as_slice).collect();
    let padded: Vec<String> = ders.iter().map(|it| Base64::encode_string(it)).collect();
    let wrapped: Vec<String> = ders
        .iter()
        .map(|it| {
            canonical_pem(it)
                .lines()
                .filter(|it| !it.starts_with('-'))
                .collect::<Vec<_>>()
                .join("\r\n")
        })
        .collect();
    for text in [
        padded.join("\n"),
        padded.join("\r\n\r\n"),
        padded.concat(),
        padded.join("\n").replace('=', ""),
        wrapped.join("\n"),
        wrapped.join("\n\n").replace('=', ""),
    ] {
        accepts(text, &all);
    }
    let [first, second, _] = &padded[..] else {
        panic!("three")
    };
    let cut = second.split_at(second.len() / 2).0;
    waits(
        format!("{first}\n{cut}"),
        Reason::PemMalformed,
        "stops inside",
    );
    let damaged = first.replacen("MII", "MI", 1);
    let rejection = judged(format!("{second}\n{damaged}")).unwrap_err();
    assert_ne!(
        rejection.refusal.help,
        ["the copy was interrupted; copy it again"]
    );
    let longer = [&ders[0][..], &[0; 16]].concat();
    refuses(
        Base64::encode_string(&longer),
        Reason::NotDer,
        "16 bytes follow",
    );
}

#[test]
fn what_is_encoded_twice_is_named_with_the_command_that_decodes_it() {
    let der = der("idp");
    let pem = canonical_pem(&der);
    let digits = Base64::encode_string(&der);
    for (inner, words) in [
        (pem.clone(), "base64 of a PEM file"),
        (format!("Bag Attributes\n{pem}"), "base64 of a PEM file"),
        (digits, "base64 of base64"),
    ] {
        let outer = Base64::encode_string(inner.as_bytes());
        let lines = canonical_pem(inner.as_bytes());
        for text in [&outer, outer.trim_end_matches('=')] {
            let refusal = refuses(text, Reason::NoCertificate, words);
            assert_eq!(refusal.help, ["base64 -d FILE > signing.pem"]);
        }
        let refusal = refuses(lines, Reason::NoCertificate, words);
        assert_eq!(
            refusal.help,
            ["sed '/^-----/d' FILE | base64 -d > signing.pem"]
        );
    }
}
