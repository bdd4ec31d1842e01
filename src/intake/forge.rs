//! Certificates of any shape for tests, sound or not: DER put together by hand, signed by a well-known key.

use std::sync::LazyLock;

use num_bigint::BigUint;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// One DER element.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(low),
        0x80..=0xff => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(content);
    out
}

/// A SEQUENCE of these elements.
pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// An OBJECT IDENTIFIER.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let oid = x509_cert::der::asn1::ObjectIdentifier::new(dotted).unwrap();
    element(6, oid.as_bytes())
}

/// A positive INTEGER.
pub(crate) fn integer(number: &BigUint) -> Vec<u8> {
    let mut bytes = number.to_bytes_be();
    if bytes[0] >= 0x80 {
        bytes.insert(0, 0);
    }
    element(2, &bytes)
}

/// A BIT STRING of whole bytes.
pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    element(3, &[&[0], content].concat())
}

/// The primes of the test key: RFC 2409's second group, and the largest prime below 2^1024. Nobody's secret.
fn primes() -> (BigUint, BigUint) {
    let p = BigUint::parse_bytes(
        b"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD\
          EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
          EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
        16,
    );
    (p.unwrap(), (BigUint::from(1_u8) << 1024) - 105_u8)
}

/// The modulus of the test key.
pub(crate) fn rsa_modulus() -> BigUint {
    let (p, q) = primes();
    p * q
}

/// A `SubjectPublicKeyInfo` with an RSA key.
pub(crate) fn rsa_info(modulus: &BigUint, exponent: u32) -> Vec<u8> {
    let key = sequence(&[&integer(modulus), &integer(&BigUint::from(exponent))]);
    let algorithm = sequence(&[&oid("1.2.840.113549.1.1.1"), &[5, 0]]);
    sequence(&[&algorithm, &bits(&key)])
}

/// A `SubjectPublicKeyInfo` with a point on a named curve.
pub(crate) fn ec_info(curve: &str, point: &[u8]) -> Vec<u8> {
    sequence(&[
        &sequence(&[&oid("1.2.840.10045.2.1"), &oid(curve)]),
        &bits(point),
    ])
}

/// A name with a common name.
pub(crate) fn name(common_name: &str) -> Vec<u8> {
    let attribute = sequence(&[&oid("2.5.4.3"), &element(12, common_name.as_bytes())]);
    sequence(&[&element(0x31, &attribute)])
}

/// An extension.
pub(crate) fn extension(dotted: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&oid(dotted), critical, &element(4, value)])
}

/// `CA:TRUE`.
pub(crate) fn ca() -> Vec<u8> {
    extension("2.5.29.19", true, &[0x30, 3, 1, 1, 0xff])
}

/// A key usage with these first bits: 0x80 digitalSignature, 0x40 nonRepudiation, 0x20 keyEncipherment.
pub(crate) fn key_usage(bits: u8) -> Vec<u8> {
    let unused = u8::try_from(bits.trailing_zeros()).unwrap();
    extension("2.5.29.15", true, &[3, 2, unused, bits])
}

/// Which digest the test key signs with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Md5,
    /// Only as a name: the test key cannot make one.
    EcdsaSha512,
}

impl Hash {
    fn algorithm(self) -> Vec<u8> {
        if self == Self::EcdsaSha512 {
            return sequence(&[&oid("1.2.840.10045.4.3.4")]);
        }
        let dotted = match self {
            Self::Sha1 => "1.2.840.113549.1.1.5",
            Self::Sha256 => "1.2.840.113549.1.1.11",
            Self::Md5 | Self::EcdsaSha512 => "1.2.840.113549.1.1.4",
        };
        sequence(&[&oid(dotted), &[5, 0]])
    }

    /// RSASSA-PKCS1-v1_5 with the test key.
    fn sign(self, message: &[u8]) -> Vec<u8> {
        static D: LazyLock<BigUint> = LazyLock::new(|| {
            let (p, q) = primes();
            let one = BigUint::from(1_u8);
            BigUint::from(65_537_u32)
                .modinv(&((p - &one) * (q - &one)))
                .unwrap()
        });
        let (id, digest) = match self {
            Self::Sha1 => ("1.3.14.3.2.26", Sha1::digest(message).to_vec()),
            _ => ("2.16.840.1.101.3.4.2.1", Sha256::digest(message).to_vec()),
        };
        let info = sequence(&[&sequence(&[&oid(id), &[5, 0]]), &element(4, &digest)]);
        let padding = vec![0xff; 256 - 3 - info.len()];
        let block = [&[0, 1][..], &padding, &[0], &info].concat();
        let signature = BigUint::from_bytes_be(&block)
            .modpow(&D, &rsa_modulus())
            .to_bytes_be();
        [vec![0; 256 - signature.len()], signature].concat()
    }
}

/// Every field of a certificate as the bytes it will have.
#[derive(Clone)]
pub(crate) struct Shape {
    /// The content of the version's INTEGER; none: version 1.
    pub(crate) version: Option<Vec<u8>>,
    /// The content of the serial's INTEGER.
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) not_before: Vec<u8>,
    pub(crate) not_after: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
    pub(crate) hash: Hash,
    /// The signature algorithm outside, if it differs from the one inside.
    pub(crate) outer_hash: Option<Hash>,
}

impl Default for Shape {
    /// A sound self-signed certificate.
    fn default() -> Self {
        Self {
            version: Some(vec![2]),
            serial: vec![1, 2, 3],
            issuer: name("idp"),
            not_before: utc("250101000000Z"),
            not_after: utc("300101000000Z"),
            subject: name("idp"),
            key: rsa_info(&rsa_modulus(), 65_537),
            extensions: Vec::new(),
            hash: Hash::Sha256,
            outer_hash: None,
        }
    }
}

impl Shape {
    /// The certificate's DER.
    pub(crate) fn der(&self) -> Vec<u8> {
        let tbs = self.tbs();
        let signature = self.hash.sign(&tbs);
        self.put_together(&tbs, &signature)
    }

    /// The same with a signature that nobody made: quicker, and enough for what is not self-issued.
    pub(crate) fn unsigned(&self) -> Vec<u8> {
        self.put_together(&self.tbs(), &[7; 256])
    }

    fn put_together(&self, tbs: &[u8], signature: &[u8]) -> Vec<u8> {
        let outer = self.outer_hash.unwrap_or(self.hash).algorithm();
        sequence(&[tbs, &outer, &bits(signature)])
    }

    fn tbs(&self) -> Vec<u8> {
        let version = self
            .version
            .as_ref()
            .map(|it| element(0xa0, &element(2, it)));
        let extensions = (!self.extensions.is_empty())
            .then(|| element(0xa3, &element(0x30, &self.extensions.concat())));
        sequence(&[
            version.as_deref().unwrap_or_default(),
            &element(2, &self.serial),
            &self.hash.algorithm(),
            &self.issuer,
            &sequence(&[&self.not_before, &self.not_after]),
            &self.subject,
            &self.key,
            extensions.as_deref().unwrap_or_default(),
        ])
    }
}

/// A `UTCTime`.
pub(crate) fn utc(text: &str) -> Vec<u8> {
    element(0x17, text.as_bytes())
}

/// A `GeneralizedTime`.
pub(crate) fn general(text: &str) -> Vec<u8> {
    element(0x18, text.as_bytes())
}
