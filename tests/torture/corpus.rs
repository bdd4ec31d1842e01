//! What is damaged: certificates of every kind of key, real and made, and other things that lie about in files.

use std::sync::LazyLock;

use num_bigint::BigUint;

use crate::chance::Chance;
use crate::forge::{self, EcdsaCurve, Hash, Shape, Signing};

/// Certificates in DER of every shape, always the same ones. Most are issued by another: what is damaged in a
/// certificate that signs itself shows by its signature.
pub(crate) static MADE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(made);

/// Any certificate: one that was made, or a root of the browsers.
pub(crate) fn certificate(chance: &mut Chance) -> Vec<u8> {
    if chance.one_in(2) {
        return chance.pick(&MADE).clone();
    }
    chance
        .pick(webpki_root_certs::TLS_SERVER_ROOT_CERTS)
        .to_vec()
}

/// Lines and blocks that stand around certificates.
pub(crate) const TEXTS: [&str; 22] = [
    "Bag Attributes\n    localKeyID: 01 02 03\nsubject=CN=idp\n",
    "# okta\n",
    "\r\n\r\n",
    "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n",
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN ",
    "\u{2013}\u{2013}BEGIN CERTIFICATE\u{2013}\u{2013}\n",
    "<html><body>Sign in</body></html>\n",
    "{\"kty\": \"RSA\", \"n\": \"AAAA\", \"x5c\": [\"MII\"]}\n",
    "<RSAKeyValue><Modulus>AAAA</Modulus></RSAKeyValue>\n",
    "30 82 01 0a 02 82 01 01 00 c3\n",
    "\u{feff}\u{0}\u{0}\u{202e}",
    "<md:EntityDescriptor xmlns:md=\"urn:x\"><!--\n",
    "</ds:X509Certificate>\n",
    "{\\rtf1\\ansi\n",
    "signing: |\n  ",
    "cat > okta.pem <<'EOF'\n",
    "export CERT=\"",
    "> ",
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSQ==\n",
];

fn made() -> Vec<Vec<u8>> {
    let issued = Shape {
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    let with_key = |key: Vec<u8>| Shape {
        key,
        ..issued.clone()
    };
    let off_curve = |curve: &str, length: usize| {
        forge::ec_info(curve, &[&[4][..], &vec![9; 2 * length]].concat())
    };
    let by_ecdsa = |curve: EcdsaCurve, hash| Shape {
        key: curve.info(),
        hash,
        signing: Signing::Ecdsa(curve),
        ..Shape::default()
    };
    let many = Shape {
        extensions: (0..40)
            .map(|it| forge::extension(&format!("1.2.3.{it}"), false, &[5, 0]))
            .collect(),
        ..issued.clone()
    };
    let full = Shape {
        extensions: vec![forge::ca(), forge::key_usage(0x80)],
        not_after: forge::general("20991231235959Z"),
        ..Shape::default()
    };
    let encrypting = Shape {
        extensions: vec![forge::key_usage(0x20)],
        ..issued.clone()
    };
    let with_oid = |octets: &[u8]| Shape {
        extensions: vec![forge::sequence(&[
            &forge::element(6, octets),
            &forge::element(4, &[5, 0]),
        ])],
        ..issued.clone()
    };
    let short = Shape {
        key: forge::rsa_info(&forge::short_rsa_modulus(), 65_537),
        signing: Signing::ShortPkcs1,
        ..Shape::default()
    };
    let root = Shape {
        extensions: vec![forge::ca(), forge::key_usage(0x04)],
        ..Shape::default()
    };
    vec![
        Shape::default().der(),
        full.der(),
        short.der(),
        root.der(),
        Shape {
            version: None,
            ..Shape::default()
        }
        .der(),
        Shape {
            hash: Hash::Sha1,
            ..Shape::default()
        }
        .der(),
        Shape {
            hash: Hash::Md5,
            ..Shape::default()
        }
        .unsigned(),
        Shape {
            hash: Hash::Sha384,
            signing: Signing::Pss(48),
            ..Shape::default()
        }
        .der(),
        by_ecdsa(EcdsaCurve::P256, Hash::Sha224).der(),
        by_ecdsa(EcdsaCurve::P384, Hash::Sha512).der(),
        issued.unsigned(),
        many.unsigned(),
        encrypting.unsigned(),
        with_key(EcdsaCurve::P521.info()).unsigned(),
        with_key(off_curve("1.2.840.10045.3.1.7", 32)).unsigned(),
        with_key(forge::rsa_info(&(BigUint::from(1_u8) << 1023), 3)).unsigned(),
        with_key(forge::sequence(&[
            &forge::sequence(&[&forge::oid("1.3.101.112")]),
            &forge::bits(&[7; 32]),
        ]))
        .unsigned(),
        Shape {
            subject: forge::name(&"x, \u{1b}[31m".repeat(40)),
            ..issued.clone()
        }
        .unsigned(),
        with_oid(b"\x2b\x06\x01\x04\x01\x86\x8d\x1f\xb2\xfa\x8b\xcc\xb9\x12\x01").unsigned(),
        with_oid(&[&[0x69, 0x83][..], &[0xff; 17], &[0x7f]].concat()).unsigned(),
        Shape {
            serial: [vec![0], vec![0xc3; 20]].concat(),
            ..issued.clone()
        }
        .unsigned(),
        Shape {
            not_before: forge::utc("690101000000Z"),
            ..issued.clone()
        }
        .unsigned(),
    ]
}
