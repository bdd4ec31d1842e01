//! The public key inside a certificate: which kind it is, and whether it is a key at all.

use num_bigint::BigUint;
use x509_parser::asn1_rs::Tag;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_DSA, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521,
    OID_PKCS1_RSAENCRYPTION, OID_PKCS1_RSASSAPSS, OID_SIG_ED448, OID_SIG_ED25519,
};
use x509_parser::prelude::SubjectPublicKeyInfo;

use super::tlv;
use crate::domain::KeyAlgorithm;

/// A public key.
#[derive(Debug)]
pub(super) enum PublicKey<'a> {
    /// RSA (RFC 3279, 2.3.1).
    Rsa(RsaKey),
    /// ECDSA over a curve that SendGrid documents (RFC 5480).
    Ec {
        /// Which curve.
        curve: Curve,
        /// The point, as it stands in the key.
        point: &'a [u8],
    },
    /// A kind of key that is refused, by its name.
    Other(&'static str),
    /// Bytes that are no such key.
    Broken(&'static str),
}

/// The two numbers of an RSA key.
#[derive(Debug)]
pub(super) struct RsaKey {
    /// n; zero if it is written as a negative number.
    pub(super) modulus: BigUint,
    /// e; zero if it is written as a negative number.
    pub(super) exponent: BigUint,
}

/// The curves of FIPS 186-4 that identity providers use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl<'a> PublicKey<'a> {
    /// Reads the key of a `SubjectPublicKeyInfo`.
    pub(super) fn of(info: &'a SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = &info.algorithm.algorithm;
        if info.subject_public_key.unused_bits != 0 {
            return Self::Broken("its public key is no whole number of bytes");
        }
        let key: &'a [u8] = &info.subject_public_key.data;
        if *algorithm == OID_PKCS1_RSAENCRYPTION {
            rsa(key).map_or(
                Self::Broken("its RSA key is not a pair of numbers in DER"),
                Self::Rsa,
            )
        } else if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            Self::ec(info, key)
        } else if *algorithm == OID_PKCS1_RSASSAPSS {
            Self::Other("an RSA key for RSASSA-PSS alone")
        } else if *algorithm == OID_SIG_ED25519 {
            Self::Other("Ed25519")
        } else if *algorithm == OID_SIG_ED448 {
            Self::Other("Ed448")
        } else if *algorithm == OID_KEY_TYPE_DSA {
            Self::Other("DSA")
        } else {
            Self::Other("an unusual kind of key")
        }
    }

    fn ec(info: &'a SubjectPublicKeyInfo<'_>, point: &'a [u8]) -> Self {
        let Some(oid) = info
            .algorithm
            .parameters
            .as_ref()
            .filter(|it| it.tag() == Tag::Oid)
            .and_then(|it| it.as_oid().ok())
        else {
            return Self::Other("an elliptic curve given by its parameters instead of its name");
        };
        let curve = if oid == OID_EC_P256 {
            Curve::P256
        } else if oid == OID_NIST_EC_P384 {
            Curve::P384
        } else if oid == OID_NIST_EC_P521 {
            Curve::P521
        } else {
            return Self::Other("ECDSA over an unusual curve");
        };
        Self::Ec { curve, point }
    }

    /// The kind of key, for people.
    pub(super) fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::Rsa(key) => KeyAlgorithm::Rsa(key.bits()),
            Self::Ec { curve, .. } => curve.algorithm(),
            Self::Other(_) | Self::Broken(_) => KeyAlgorithm::Other,
        }
    }
}

impl RsaKey {
    /// Bits of the modulus.
    pub(super) fn bits(&self) -> usize {
        usize::try_from(self.modulus.bits()).unwrap_or(usize::MAX)
    }
}

impl Curve {
    const fn algorithm(self) -> KeyAlgorithm {
        match self {
            Self::P256 => KeyAlgorithm::P256,
            Self::P384 => KeyAlgorithm::P384,
            Self::P521 => KeyAlgorithm::P521,
        }
    }

    /// Bytes of a coordinate.
    const fn coordinate_length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The field's prime p and the curve's b of y² = x³ − 3x + b (FIPS 186-4, D.1.2).
    fn prime_and_b(self) -> (BigUint, BigUint) {
        let power = |bits: u32| BigUint::from(1_u8) << bits;
        let one = BigUint::from(1_u8);
        match self {
            Self::P256 => (
                power(256) - power(224) + power(192) + power(96) - one,
                number(b"5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"),
            ),
            Self::P384 => (
                power(384) - power(128) - power(96) + power(32) - one,
                number(b"b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef"),
            ),
            Self::P521 => (
                power(521) - one,
                number(b"51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00"),
            ),
        }
    }

    /// Why `point` is no point of this curve that a key may be; none if it is one (SEC 1, 2.3.4).
    pub(super) fn fault(self, point: &[u8]) -> Option<&'static str> {
        let coordinates = match point.split_first() {
            Some((4, coordinates)) if coordinates.len() == 2 * self.coordinate_length() => {
                coordinates
            }
            Some((0, b"")) => return Some("its point is the point at infinity"),
            Some((2 | 3, _)) => return Some("its point is compressed, which few programs read"),
            _ => return Some("its point has another length than the curve's"),
        };
        let (x, y) = coordinates.split_at_checked(self.coordinate_length())?;
        let (x, y) = (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y));
        let (p, b) = self.prime_and_b();
        if x >= p || y >= p {
            return Some("its point lies outside the field");
        }
        // p is added thrice so that nothing becomes negative.
        let right = (&x * &x * &x + b + (&p * 3_u8) - (&x * 3_u8)) % &p;
        ((&y * &y) % &p != right).then_some("its point is not on the curve")
    }
}

fn rsa(key: &[u8]) -> Option<RsaKey> {
    let (pair, b"") = tlv::expect(key, tlv::SEQUENCE)? else {
        return None;
    };
    let (modulus, rest) = tlv::expect(pair, tlv::INTEGER)?;
    let (exponent, b"") = tlv::expect(rest, tlv::INTEGER)? else {
        return None;
    };
    Some(RsaKey {
        modulus: unsigned(modulus)?,
        exponent: unsigned(exponent)?,
    })
}

/// A DER INTEGER as a number; zero if it is negative, none if it is not minimal.
fn unsigned(content: &[u8]) -> Option<BigUint> {
    match content {
        [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => None,
        [0x80..=0xff, ..] => Some(BigUint::ZERO),
        _ => Some(BigUint::from_bytes_be(content)),
    }
}

/// A constant in hexadecimal digits.
fn number(digits: &[u8]) -> BigUint {
    BigUint::parse_bytes(digits, 16).unwrap_or_default()
}
