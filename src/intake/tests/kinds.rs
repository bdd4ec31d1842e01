//! One certificate file of each kind that identity providers publish, and what it deserves.

use base64ct::{Base64, Encoding as _};
use num_bigint::BigUint;

use super::*;
use crate::domain::{Look, LookedFile, Timestamp};
use crate::intake::forge::{self, EcdsaCurve, Hash, Signing};
use crate::plan::admission::{Admission, issuers};

/// What a file deserves.
#[derive(Clone, Copy)]
enum Deserved {
    /// Its certificate, or both of a rollover.
    Accepted(usize),
    Refused(Reason, &'static str),
    /// The same, and a pin passes.
    Judged(Reason, &'static str),
}

use Deserved::{Accepted as Accept, Judged as Judge, Refused as Refuse};

/// As the installer of Shibboleth makes it.
fn shape() -> Shape {
    Shape {
        extensions: vec![
            forge::extension("2.5.29.14", false, &forge::element(4, &[7; 20])),
            forge::extension(
                "2.5.29.17",
                false,
                &forge::sequence(&[&forge::element(0x82, b"idp.example.org")]),
            ),
        ],
        ..Shape::default()
    }
}

fn with_extension(extension: Vec<u8>) -> Shape {
    let mut shape = shape();
    shape.extensions.push(extension);
    shape
}

fn with_key(key: Vec<u8>) -> Shape {
    Shape { key, ..shape() }
}

fn with_serial(serial: Vec<u8>) -> Shape {
    Shape { serial, ..shape() }
}

fn with_oid(octets: &[u8]) -> Shape {
    let value = forge::element(4, &[12, 1, b'x']);
    with_extension(forge::sequence(&[&forge::element(6, octets), &value]))
}

fn of_version_1(serial: u8) -> Shape {
    Shape {
        version: None,
        serial: vec![serial],
        ..Shape::default()
    }
}

fn signed(hash: Hash, signing: Signing) -> Shape {
    let key = match signing {
        Signing::Ecdsa(curve) => curve.info(),
        _ => shape().key,
    };
    Shape {
        key,
        hash,
        signing,
        ..shape()
    }
}

/// A subject of a common name and an organization in a string type.
fn with_subject(tag: u8, organization: &[u8]) -> Shape {
    let attribute = |dotted: &str, tag: u8, text: &[u8]| {
        let pair = forge::sequence(&[&forge::oid(dotted), &forge::element(tag, text)]);
        forge::element(0x31, &pair)
    };
    let name = forge::sequence(&[
        &attribute("2.5.4.3", 12, b"idp.example.org"),
        &attribute("2.5.4.10", tag, organization),
    ]);
    with_name(name)
}

fn with_name(name: Vec<u8>) -> Shape {
    Shape {
        subject: name.clone(),
        issuer: name,
        ..shape()
    }
}

/// What an authority issued, and the authority's own.
fn issued() -> [String; 2] {
    let root = Shape {
        subject: forge::name("Corp CA"),
        issuer: forge::name("Corp CA"),
        extensions: vec![forge::ca()],
        ..Shape::default()
    };
    let leaf = Shape {
        issuer: forge::name("Corp CA"),
        extensions: vec![
            forge::extension("2.5.29.19", false, &[0x30, 0]),
            forge::key_usage(0x80),
        ],
        ..Shape::default()
    };
    [leaf.der(), root.der()].map(|it| canonical_pem(&it))
}

/// A key of these parameters alone, whatever the algorithm.
fn key_of(dotted: &str) -> Vec<u8> {
    forge::sequence(&[
        &forge::sequence(&[&forge::oid(dotted)]),
        &forge::bits(&[7; 32]),
    ])
}

/// A number of 4096 bits in which nothing finds a factor.
fn rsa_4096() -> Vec<u8> {
    let number = ((forge::rsa_modulus() << 2048_u32) + (forge::rsa_modulus() >> 3_u32))
        | BigUint::from(1_u8);
    forge::rsa_info(&number, 65_537)
}

fn certificates() -> Vec<(&'static str, Shape, Deserved)> {
    let p256_point = EcdsaCurve::P256.point();
    let reasonless = "";
    vec![
        (
            "serial-21-octets",
            with_serial([vec![0], vec![0xc3; 20]].concat()),
            Accept(1),
        ),
        ("serial-20-octets", with_serial(vec![0x43; 20]), Accept(1)),
        (
            "serial-33-octets",
            with_serial(vec![0x43; 33]),
            Refuse(Reason::NotDer, "its serial number"),
        ),
        ("serial-zero", with_serial(vec![0]), Accept(1)),
        ("serial-negative", with_serial(vec![0xfb]), Accept(1)),
        ("no-extensions", Shape::default(), Accept(1)),
        ("sha1", signed(Hash::Sha1, Signing::Pkcs1), Accept(1)),
        ("sha512", signed(Hash::Sha512, Signing::Pkcs1), Accept(1)),
        (
            "md5",
            signed(Hash::Md5, Signing::Pkcs1),
            Judge(Reason::Signature, "MD5"),
        ),
        (
            "rsa1024",
            Shape {
                signing: Signing::ShortPkcs1,
                ..with_key(forge::rsa_info(&forge::short_rsa_modulus(), 65_537))
            },
            Judge(Reason::WeakKey, "1024 bits"),
        ),
        (
            "rsa4096",
            Shape {
                issuer: forge::name("Corp CA"),
                ..with_key(rsa_4096())
            },
            Accept(1),
        ),
        (
            "pss-signature",
            signed(Hash::Sha256, Signing::Pss(32)),
            Accept(1),
        ),
        (
            "pss-key",
            with_key(key_of("1.2.840.113549.1.1.10")),
            Refuse(Reason::KeyType, reasonless),
        ),
        (
            "ed25519",
            with_key(key_of("1.3.101.112")),
            Refuse(Reason::KeyType, reasonless),
        ),
        (
            "p256",
            signed(Hash::Sha256, Signing::Ecdsa(EcdsaCurve::P256)),
            Accept(1),
        ),
        (
            "p521-sha256",
            signed(Hash::Sha256, Signing::Ecdsa(EcdsaCurve::P521)),
            Accept(1),
        ),
        (
            "secp256k1",
            with_key(forge::ec_info("1.3.132.0.10", &p256_point)),
            Refuse(Reason::KeyType, reasonless),
        ),
        (
            "brainpool",
            with_key(forge::ec_info("1.3.36.3.3.2.8.1.1.7", &p256_point)),
            Refuse(Reason::KeyType, reasonless),
        ),
        ("t61-subject", with_subject(0x14, b"M\xfcnchen"), Accept(1)),
        (
            "bmp-subject",
            with_subject(0x1e, b"\0M\0\xfc\0n"),
            Accept(1),
        ),
        (
            "utf8-subject",
            with_subject(12, "München".as_bytes()),
            Accept(1),
        ),
        ("empty-subject", with_name(vec![0x30, 0]), Accept(1)),
        ("ca-true", with_extension(forge::ca()), Accept(1)),
        (
            "root-ca-alone",
            Shape {
                extensions: vec![forge::ca(), forge::key_usage(0x06)],
                ..Shape::default()
            },
            Judge(Reason::CaCertificate, "a root's"),
        ),
        (
            "self-issued-other-key",
            Shape {
                signing: Signing::Ecdsa(EcdsaCurve::P256),
                ..with_extension(forge::extension(
                    "2.5.29.35",
                    false,
                    &forge::sequence(&[&forge::element(0x80, &[9; 20])]),
                ))
            },
            Accept(1),
        ),
        (
            "encryption-only",
            with_extension(forge::key_usage(0x30)),
            Accept(1),
        ),
        (
            "web-server",
            with_extension(forge::extension(
                "2.5.29.37",
                false,
                &forge::sequence(&[&forge::oid("1.3.6.1.5.5.7.3.1")]),
            )),
            Accept(1),
        ),
        (
            "large-oid",
            with_oid(&[&[0x69, 0x83][..], &[0xff; 17], &[0x7f]].concat()),
            Refuse(Reason::NotDer, "its OID 2.25."),
        ),
        (
            "arc-over-32-bits",
            with_oid(b"\x2b\x06\x01\x04\x01\x86\x8d\x1f\xb2\xfa\x8b\xcc\xb9\x12\x01"),
            Refuse(Reason::NotDer, "its OID 1.3.6.1.4.1.99999."),
        ),
        (
            "odd-aki",
            with_extension(forge::extension(
                "2.5.29.35",
                false,
                &forge::sequence(&[&forge::element(0x80, &[7; 32])]),
            )),
            Accept(1),
        ),
        (
            "unknown-critical",
            with_extension(forge::extension(
                "1.3.6.1.4.1.99999.1",
                true,
                &[12, 1, b'x'],
            )),
            Accept(1),
        ),
        (
            "no-well-defined-end",
            Shape {
                not_after: forge::general("99661026000000Z"),
                ..shape()
            },
            Accept(1),
        ),
        (
            "version-1",
            Shape {
                version: None,
                ..Shape::default()
            },
            Accept(1),
        ),
        ("version-1-serial-0", of_version_1(0), Accept(1)),
        ("version-1-serial-1", of_version_1(1), Accept(1)),
    ]
}

fn texts() -> Vec<(&'static str, Vec<u8>, Deserved)> {
    let der = Shape::default().der();
    let pem = canonical_pem(&der);
    let digits = Base64::encode_string(&der);
    let lines: Vec<&str> = pem.lines().filter(|it| !it.starts_with('-')).collect();
    let next = canonical_pem(&signed(Hash::Sha512, Signing::Pkcs1).der());
    let [leaf, root] = issued();
    let text = String::into_bytes;
    vec![
        ("ca-issued.pem", text(leaf.clone()), Accept(1)),
        (
            "chain-leaf-root.pem",
            text(format!("{leaf}{root}")),
            Accept(1),
        ),
        (
            "chain-root-leaf.pem",
            text(format!("{root}{leaf}")),
            Accept(1),
        ),
        ("der.cer", der, Accept(1)),
        ("crlf.cer", text(pem.replace('\n', "\r\n")), Accept(1)),
        ("bare-base64.cer", text(lines.join("\n")), Accept(1)),
        ("bare-base64-one-line.cer", text(digits.clone()), Accept(1)),
        (
            "base64-of-pem.cer",
            text(Base64::encode_string(pem.as_bytes())),
            Refuse(Reason::NoCertificate, "base64 of a PEM file"),
        ),
        (
            "x509-label.pem",
            text(pem.replace("CERTIFICATE", "X509 CERTIFICATE")),
            Refuse(Reason::PemLabel, "X509 CERTIFICATE"),
        ),
        (
            "utf16.pem",
            utf16(&pem, true),
            Refuse(Reason::Encoding, "UTF-16"),
        ),
        ("bom.pem", text(format!("\u{feff}{pem}")), Accept(1)),
        (
            "text-before.pem",
            text(format!("Certificate:\n    Data:\n{pem}")),
            Accept(1),
        ),
        ("rollover-two.pem", text(format!("{next}{pem}")), Accept(2)),
        (
            "x509certificate-element.xml",
            text(format!("<X509Certificate>{digits}</X509Certificate>")),
            Refuse(Reason::NoCertificate, "XML without SAML metadata"),
        ),
        // Files that were refused as an interrupted copy.
        (
            "armour-without-padding.pem",
            text(pem.replace('=', "")),
            Accept(1),
        ),
        (
            "base64-without-padding.cer",
            text(digits.replace('=', "")),
            Accept(1),
        ),
        (
            "double-base64-armour.pem",
            text(canonical_pem(pem.as_bytes())),
            Refuse(Reason::NoCertificate, "base64 of a PEM file"),
        ),
        (
            "escaped-newlines.pem",
            text(pem.replace('\n', "\\n")),
            Refuse(Reason::NoCertificate, "line breaks written as \\n"),
        ),
        (
            "json-quoted.pem",
            text(format!("\"{}\"", pem.replace('\n', "\\n"))),
            Refuse(Reason::NoCertificate, "JSON, with line breaks"),
        ),
        (
            "metadata-armoured.xml",
            text(format!(
                "<EntityDescriptor><X509Certificate>\n{pem}</X509Certificate></EntityDescriptor>"
            )),
            Refuse(Reason::NoCertificate, "SAML metadata"),
        ),
        (
            "p7b-b64-certlabel.cer",
            text(canonical_pem(&forge::pkcs7(
                &[&Shape::default().der()],
                &[],
                &[],
            ))),
            Accept(1),
        ),
    ]
}

/// How many certificates an integration takes from a directory with nothing but this file.
fn as_source(accepted: Accepted) -> usize {
    let file = LookedFile {
        path: "idp.pem".into(),
        owner: String::new(),
        stamp: String::new(),
        changed: Timestamp::from_secs(0),
        content: None,
        verdict: accepted.into(),
    };
    let mut look = Look {
        files: vec![file],
        ..Look::default()
    };
    look.issuers = issuers(look.certificates(), signed_by);
    let read = Admission::default().apply(&look).into_owned();
    read.files[0].verdict.accepted().len()
}

#[test]
fn each_kind_gets_what_it_deserves() {
    let certificates = certificates().into_iter().map(|(name, shape, deserved)| {
        let pem = canonical_pem(&shape.der());
        (name, pem.into_bytes(), deserved)
    });
    let mut wrong = Vec::new();
    for (name, bytes, deserved) in certificates.chain(texts()) {
        let judged = judged(&bytes);
        let pin_passes = judged
            .as_ref()
            .is_err_and(|it| it.certificates.iter().any(|it| it.pin_passes));
        match (judged, deserved) {
            (Ok(accepted), Accept(count)) if as_source(accepted.clone()) == count => {}
            (Err(it), Refuse(reason, words) | Judge(reason, words))
                if it.refusal.reason == reason && it.refusal.found.contains(words) =>
            {
                assert_eq!(pin_passes, matches!(deserved, Judge(..)), "{name}");
                let needs_help = matches!(reason, Reason::NoCertificate | Reason::PemLabel);
                assert!(!it.may_be_copying, "{name}");
                assert!(!needs_help || !it.refusal.help.is_empty(), "{name}");
            }
            (Ok(it), _) => wrong.push(format!("{name}: {} accepted", it.certificates.len())),
            (Err(it), _) => wrong.push(format!("{name}: {}", it.refusal)),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
