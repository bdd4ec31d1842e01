//! Single certificates: both sides of every limit.

use num_bigint::BigUint;
use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ECDSA_P521_SHA256, PKCS_ECDSA_P521_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519,
};
use x509_parser::prelude::{AlgorithmIdentifier, FromDer as _};

use super::*;
use crate::domain::KeyAlgorithm;
use crate::intake::forge::{self, EcdsaCurve, Hash, Signing};
use crate::intake::signature;

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
fn more_than_twenty_one_years_are_remarked() {
    let until = |not_after: &str| Shape {
        not_before: forge::utc("240101000000Z"),
        not_after: forge::utc(not_after),
        ..Shape::default()
    };
    assert_eq!(remarks(&until("440106000000Z")), [], "twenty, and a little");
    assert_eq!(remarks(&until("450101000000Z")), [], "21 years");
    assert_eq!(remarks(&until("450102000000Z")), [Remark::LongValidity]);
}

#[test]
fn the_value_of_a_serial_has_one_to_twenty_octets() {
    let serial = |octets: Vec<u8>| Shape {
        serial: octets,
        ..Shape::default()
    };
    assert_eq!(remarks(&serial(vec![0x7f; 20])), []);
    let with_sign = |octets: usize| [vec![0], vec![0xc3; octets]].concat();
    let shibboleth = accepted(serial(with_sign(20)).der());
    assert_eq!(shibboleth.certificates[0].remarks(), []);
    let written = ["C3"; 20].join(":");
    assert!(shibboleth.certificates[0].serial().ends_with(&written));
    for octets in [
        vec![0x7f; 21],
        with_sign(21),
        vec![0x7f; 22],
        vec![0x43; 33],
        vec![0xc3; 40],
    ] {
        refuses(
            serial(octets).der(),
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
        "its notBefore lies before 1970",
    );
    let early = Shape {
        not_before: forge::general("19500101000000Z"),
        ..Shape::default()
    };
    refuses(
        early.der(),
        Reason::NotDer,
        "its notBefore lies before 1970",
    );
    refuses(
        from_to("260228000000Z", "270229000000Z").der(),
        Reason::NotDer,
        "its notAfter does not exist",
    );
}

/// An extension with an object identifier of these octets.
fn with_oid(octets: &[u8]) -> Shape {
    Shape {
        extensions: vec![forge::sequence(&[
            &forge::element(6, octets),
            &forge::element(4, &[5, 0]),
        ])],
        ..Shape::default()
    }
}

#[test]
fn an_object_identifier_that_no_reader_holds_is_named() {
    let uuid = [&[0x69, 0x83][..], &[0xff; 17], &[0x7f]].concat();
    let long = [&[0x2b][..], &[1; 39]].concat();
    for (octets, words) in [
        (
            b"\x2b\x06\x01\x04\x01\x86\x8d\x1f\xb2\xfa\x8b\xcc\xb9\x12\x01".as_slice(),
            "its OID 1.3.6.1.4.1.99999.",
        ),
        (&uuid, "its OID 2.25."),
        (&long, "its OID 1.3.1.1.1"),
        (&[0x88, 0x37, 0x01], "its OID 2.999.1 is beyond our readers"),
        (&[0x2b, 0x06, 0x81], "its OID of 3 octets"),
        (&[0x2b; 200], "its OID of 200 octets"),
    ] {
        refuses(with_oid(octets).der(), Reason::NotDer, words);
    }
    accepts_one(with_oid(b"\x2b\x06\x01\x04\x01\x86\x8d\x1f\x01").der());
}

#[test]
fn one_odd_certificate_does_not_stop_the_others_of_its_file() {
    let odd = Shape {
        serial: vec![1; 30],
        ..Shape::default()
    }
    .der();
    let early = Shape {
        not_before: forge::utc("690101000000Z"),
        ..Shape::default()
    };
    for fault in [early.der(), with_oid(&[0x88, 0x37, 0x01]).der()] {
        let good = der("good");
        let file = format!("{}{}", canonical_pem(&good), canonical_pem(&fault));
        let accepted = accepted(file);
        assert_eq!(accepted.certificates[0].der(), good);
        assert_eq!(accepted.refused[0].refusal.reason, Reason::NotDer);
    }
    let weak = Shape {
        key: forge::rsa_info(&(BigUint::from(1_u8) << 1023_u32), 65_537),
        ..Shape::default()
    }
    .unsigned();
    let good = der("idp");
    let accepted = accepted([&odd, &good, &weak].map(|it| canonical_pem(it)).concat());
    assert_eq!(accepted.certificates.len(), 1);
    let reasons: Vec<Reason> = accepted
        .refused
        .iter()
        .map(|it| it.refusal.reason)
        .collect();
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
    refuses(
        with_key(forge::rsa_info(
            &(forge::short_rsa_modulus() >> 1_u8),
            65_537,
        ))
        .unsigned(),
        Reason::WeakKey,
        "RSA 1023 bits; at least 2048",
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
        key: EcdsaCurve::P521.info(),
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    assert_eq!(
        accepted(p521.unsigned()).certificates[0].key(),
        KeyAlgorithm::P521
    );
}

const P521: &str = "1.3.132.0.35";

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
    let mut off = EcdsaCurve::P521.point();
    *off.last_mut().unwrap() ^= 1;
    refuses(with_point(P521, &off), Reason::KeyType, "not on the curve");
    refuses(with_point(P521, &[0]), Reason::KeyType, "point at infinity");
    refuses(
        with_point(P256, &EcdsaCurve::P521.point()),
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
        !issued_by_another.certificates[0].self_signed(),
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
fn a_signature_over_md5_or_older_is_refused_by_every_name_of_it() {
    for (dotted, expected) in [
        ("1.2.840.113549.1.1.2", (false, true)), // MD2
        ("1.2.840.113549.1.1.3", (false, true)), // MD4
        ("1.2.840.113549.1.1.4", (true, false)), // MD5
        ("1.3.14.3.2.2", (false, true)),         // MD4
        ("1.3.14.3.2.3", (true, false)),         // MD5
        ("1.3.14.3.2.4", (false, true)),         // MD4
        ("1.2.840.113549.1.1.5", (false, false)),
        ("1.3.14.3.2.29", (false, false)),
        ("1.2.840.113549.1.1.11", (false, false)),
    ] {
        let der = forge::sequence(&[&forge::oid(dotted), &[5, 0]]);
        let (_, algorithm) = AlgorithmIdentifier::from_der(&der).unwrap();
        let found = (
            signature::is_md5(&algorithm),
            signature::is_older_than_md5(&algorithm),
        );
        assert_eq!(found, expected, "{dotted}");
    }
    let md5 = Shape {
        hash: Hash::Md5,
        ..Shape::default()
    };
    let (md5, name) = (md5.der(), forge::oid("1.2.840.113549.1.1.4"));
    for older in ["1.2.840.113549.1.1.2", "1.2.840.113549.1.1.3"] {
        let older = forge::oid(older);
        let mut der = md5.clone();
        let mut from = 0;
        let mut places = 0;
        while let Some(at) = der[from..].windows(name.len()).position(|it| it == name) {
            from += at + name.len();
            der[from - name.len()..from].copy_from_slice(&older);
            places += 1;
        }
        assert_eq!(places, 2, "inside and outside");
        refuses(der, Reason::Signature, "signed over MD5 or older");
    }
}

/// It is accepted with nothing to remark but this, and refused with one bit of it flipped: in its name, or in its signature.
#[track_caller]
fn is_verified(shape: &Shape, expected: &[Remark]) {
    let der = shape.der();
    let name = format!("{:?} over {:?}", shape.signing, shape.hash);
    assert_eq!(accepted(&der).certificates[0].remarks(), expected, "{name}");
    let serial = der.windows(5).position(|it| it == [2, 3, 1, 2, 3]).unwrap();
    for at in [serial + 4, der.len() - 1] {
        let mut flipped = der.clone();
        flipped[at] ^= 1;
        refuses(
            &flipped,
            Reason::Signature,
            "its own signature does not fit",
        );
    }
}

const HASHES: [Hash; 5] = [
    Hash::Sha1,
    Hash::Sha224,
    Hash::Sha256,
    Hash::Sha384,
    Hash::Sha512,
];

#[test]
fn a_self_signature_by_ecdsa_is_verified_over_any_digest() {
    for curve in [EcdsaCurve::P256, EcdsaCurve::P384, EcdsaCurve::P521] {
        for hash in HASHES {
            let shape = Shape {
                key: curve.info(),
                hash,
                signing: Signing::Ecdsa(curve),
                ..Shape::default()
            };
            let expected: &[Remark] = match hash {
                Hash::Sha1 => &[Remark::Sha1Signature],
                _ => &[],
            };
            is_verified(&shape, expected);
        }
    }
}

#[test]
fn a_self_signature_that_another_library_made_over_p521_is_verified() {
    for algorithm in [
        &PKCS_ECDSA_P521_SHA256,
        &PKCS_ECDSA_P521_SHA384,
        &PKCS_ECDSA_P521_SHA512,
    ] {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::default().self_signed(&pair).unwrap();
        let accepted = accepted(certificate.der());
        assert_eq!(accepted.certificates[0].key(), KeyAlgorithm::P521);
        assert_eq!(
            accepted.certificates[0].remarks(),
            [Remark::LongValidity],
            "and nothing else"
        );
        let mut flipped = certificate.der().to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        refuses(
            &flipped,
            Reason::Signature,
            "its own signature does not fit",
        );
    }
}

#[test]
fn a_self_signature_by_rsa_is_verified_over_the_usual_digests() {
    let with = |hash| Shape {
        hash,
        ..Shape::default()
    };
    is_verified(&with(Hash::Sha1), &[Remark::Sha1Signature]);
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        is_verified(&with(hash), &[]);
    }
}

#[test]
fn a_self_signature_by_rsassa_pss_is_verified_with_any_salt() {
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let length = u8::try_from(hash.digest(b"").len()).unwrap();
        // None, the one that PKCS #1 names if nothing is said, the digest's own length, and OpenSSL's: as long as it may be.
        for salt in [0, 20, length, 254 - length] {
            let shape = Shape {
                hash,
                signing: Signing::Pss(salt),
                ..Shape::default()
            };
            is_verified(&shape, &[]);
        }
    }
}

#[test]
fn what_cannot_be_verified_here_is_accepted_with_a_remark() {
    let unverified = |signing, hash, expected: &[Remark]| {
        let shape = Shape {
            hash,
            signing,
            ..Shape::default()
        };
        let mut flipped = shape.der();
        *flipped.last_mut().unwrap() ^= 1;
        for der in [shape.der(), flipped] {
            let accepted = accepted(der);
            assert_eq!(accepted.certificates[0].remarks(), expected, "{hash:?}");
        }
    };
    let unknown = [Remark::UnverifiedSignature];
    unverified(Signing::Pkcs1, Hash::Sha224, &unknown);
    unverified(Signing::Pss(28), Hash::Sha224, &unknown);
    let old = [Remark::Sha1Signature, Remark::UnverifiedSignature];
    unverified(Signing::Pss(20), Hash::Sha1, &old);
}

#[test]
fn a_signature_of_another_kind_than_the_key_is_refused() {
    let rsa_by_ecdsa = Shape {
        key: EcdsaCurve::P521.info(),
        ..Shape::default()
    };
    let ecdsa_by_rsa = Shape {
        signing: Signing::Ecdsa(EcdsaCurve::P256),
        ..Shape::default()
    };
    for shape in [rsa_by_ecdsa, ecdsa_by_rsa] {
        refuses(shape.der(), Reason::Signature, "does not fit");
    }
}

#[test]
fn a_key_in_a_new_certificate_is_the_same_key_and_a_name_with_a_new_key_is_not() {
    let of_rsa = |serial: u8, not_after: &str| Shape {
        serial: vec![serial],
        not_after: forge::utc(not_after),
        ..Shape::default()
    };
    let first = of_rsa(1, "260101000000Z");
    let renewed = of_rsa(2, "280101000000Z");
    let another_key = Shape {
        key: EcdsaCurve::P256.info(),
        signing: Signing::Ecdsa(EcdsaCurve::P256),
        ..of_rsa(3, "280101000000Z")
    };
    let bundle: String = [&first, &renewed, &another_key]
        .map(|it| canonical_pem(&it.der()))
        .concat();
    let [first, renewed, another_key] = &accepted(bundle).certificates[..] else {
        panic!("each of them is a certificate of its own");
    };
    assert_ne!(first.fingerprint(), renewed.fingerprint());
    assert_eq!(first.key_id(), renewed.key_id(), "no new trust");
    assert_eq!(renewed.subject(), another_key.subject());
    assert_ne!(renewed.key_id(), another_key.key_id(), "new trust");
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
    let mut below = move |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(limit).unwrap()).unwrap()
    };
    let pem = canonical_pem(&der).into_bytes();
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] = u8::try_from(below(256)).unwrap();
        drop(judged(&changed));
        drop(read_certificate(&changed));
        changed.truncate(below(der.len()));
        drop(judged(&changed));
        let mut text = pem.clone();
        let place = below(text.len());
        text[place] = u8::try_from(below(256)).unwrap();
        drop(judged(&text));
        drop(read_listed(&String::from_utf8_lossy(&text)));
    }
}
