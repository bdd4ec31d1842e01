//! What is damaged: certificates of every kind of key, real and made, and other things that lie about in files.

use std::sync::LazyLock;

use num_bigint::BigUint;

use crate::chance::Chance;
use crate::forge::{self, Hash, Shape};

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
pub(crate) const TEXTS: [&str; 14] = [
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
    vec![
        Shape::default().der(),
        full.der(),
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
        issued.unsigned(),
        many.unsigned(),
        encrypting.unsigned(),
        with_key(p521()).unsigned(),
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
    ]
}

/// The base point of P-521 (FIPS 186-4, D.1.2.5).
fn p521() -> Vec<u8> {
    let x = "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66";
    let y = "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650";
    let point = BigUint::parse_bytes(format!("04{x}{y}").as_bytes(), 16).unwrap();
    forge::ec_info("1.3.132.0.35", &point.to_bytes_be())
}
