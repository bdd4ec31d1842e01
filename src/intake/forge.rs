//! Certificates of any shape for tests, sound or not: DER put together by hand, signed by a well-known key.

use num_bigint::BigUint;
use sha1::Sha1;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

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

/// The primes of a key of 1024 bits: the largest below 2^512, and the first above 3 * 2^510.
fn short_primes() -> (BigUint, BigUint) {
    let power = |bits: u32| BigUint::from(1_u8) << bits;
    (power(512) - 569_u32, power(510) * 3_u8 + 761_u32)
}

/// The modulus of the test key.
pub(crate) fn rsa_modulus() -> BigUint {
    let (p, q) = primes();
    p * q
}

/// The modulus of the test key that is too short.
pub(crate) fn short_rsa_modulus() -> BigUint {
    let (p, q) = short_primes();
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

/// PKCS#7 signed data with these certificates, what is signed, and its signers.
pub(crate) fn pkcs7(certificates: &[&[u8]], content: &[u8], signers: &[u8]) -> Vec<u8> {
    let inner = sequence(&[&oid("1.2.840.113549.1.7.1"), content]);
    let signed = sequence(&[
        &[2, 1, 1, 0x31, 0],
        &inner,
        &element(0xa0, &certificates.concat()),
        &element(0x31, signers),
    ]);
    sequence(&[&oid("1.2.840.113549.1.7.2"), &element(0xa0, &signed)])
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

/// Which digest is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Which key signs, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signing {
    /// The RSA test key by RSASSA-PKCS1-v1_5.
    Pkcs1,
    /// The RSA test key of 1024 bits by RSASSA-PKCS1-v1_5.
    ShortPkcs1,
    /// The RSA test key by RSASSA-PSS, with a salt of so many bytes.
    Pss(u8),
    /// The ECDSA test key of a curve: the number one.
    Ecdsa(EcdsaCurve),
}

/// The curves of FIPS 186-4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EcdsaCurve {
    P256,
    P384,
    P521,
}

impl Hash {
    /// As MD5 has no use here but its name, its digest is that of SHA-256.
    pub(crate) fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(message).to_vec(),
            Self::Sha224 => Sha224::digest(message).to_vec(),
            Self::Md5 | Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    /// The digest's own `AlgorithmIdentifier`.
    fn identifier(self) -> Vec<u8> {
        let dotted = match self {
            Self::Sha1 => "1.3.14.3.2.26",
            Self::Sha224 => "2.16.840.1.101.3.4.2.4",
            Self::Md5 | Self::Sha256 => "2.16.840.1.101.3.4.2.1",
            Self::Sha384 => "2.16.840.1.101.3.4.2.2",
            Self::Sha512 => "2.16.840.1.101.3.4.2.3",
        };
        sequence(&[&oid(dotted), &[5, 0]])
    }

    /// MGF1 (RFC 8017, B.2.1).
    fn mask(self, seed: &[u8], length: usize) -> Vec<u8> {
        let blocks = (0_u32..).flat_map(|it| self.digest(&[seed, &it.to_be_bytes()].concat()));
        blocks.take(length).collect()
    }
}

impl Signing {
    fn algorithm(self, hash: Hash) -> Vec<u8> {
        let dotted = match (self, hash) {
            (Self::Pkcs1 | Self::ShortPkcs1, Hash::Md5) => "1.2.840.113549.1.1.4",
            (Self::Pkcs1 | Self::ShortPkcs1, Hash::Sha1) => "1.2.840.113549.1.1.5",
            (Self::Pkcs1 | Self::ShortPkcs1, Hash::Sha224) => "1.2.840.113549.1.1.14",
            (Self::Pkcs1 | Self::ShortPkcs1, Hash::Sha256) => "1.2.840.113549.1.1.11",
            (Self::Pkcs1 | Self::ShortPkcs1, Hash::Sha384) => "1.2.840.113549.1.1.12",
            (Self::Pkcs1 | Self::ShortPkcs1, Hash::Sha512) => "1.2.840.113549.1.1.13",
            (Self::Pss(_), _) => "1.2.840.113549.1.1.10",
            (Self::Ecdsa(_), Hash::Sha1) => "1.2.840.10045.4.1",
            (Self::Ecdsa(_), Hash::Sha224) => "1.2.840.10045.4.3.1",
            (Self::Ecdsa(_), Hash::Sha256 | Hash::Md5) => "1.2.840.10045.4.3.2",
            (Self::Ecdsa(_), Hash::Sha384) => "1.2.840.10045.4.3.3",
            (Self::Ecdsa(_), Hash::Sha512) => "1.2.840.10045.4.3.4",
        };
        let parameters = match self {
            Self::Pkcs1 | Self::ShortPkcs1 => vec![5, 0],
            Self::Pss(salt) => {
                let mask = sequence(&[&oid("1.2.840.113549.1.1.8"), &hash.identifier()]);
                sequence(&[
                    &element(0xa0, &hash.identifier()),
                    &element(0xa1, &mask),
                    &element(0xa2, &integer(&BigUint::from(salt))),
                ])
            }
            Self::Ecdsa(_) => Vec::new(),
        };
        sequence(&[&oid(dotted), &parameters])
    }

    fn sign(self, hash: Hash, message: &[u8]) -> Vec<u8> {
        let digest = hash.digest(message);
        match self {
            Self::Pkcs1 | Self::ShortPkcs1 => {
                let primes = if self == Self::Pkcs1 {
                    primes()
                } else {
                    short_primes()
                };
                let length = usize::try_from((&primes.0 * &primes.1).bits()).unwrap() / 8;
                let info = sequence(&[&hash.identifier(), &element(4, &digest)]);
                let padding = vec![0xff; length - 3 - info.len()];
                rsa(&[&[0, 1][..], &padding, &[0], &info].concat(), primes)
            }
            Self::Pss(salt) => {
                // RFC 8017, 9.1.1, with a salt of zeros.
                let salt = vec![0; salt.into()];
                let digest = hash.digest(&[&[0; 8][..], &digest, &salt].concat());
                let padding = vec![0; 256 - salt.len() - digest.len() - 2];
                let block = [&padding[..], &[1], &salt].concat();
                let mask = hash.mask(&digest, block.len());
                let mut masked: Vec<u8> = block.iter().zip(mask).map(|(a, b)| a ^ b).collect();
                masked[0] &= 0x7f;
                rsa(&[&masked[..], &digest, &[0xbc]].concat(), primes())
            }
            Self::Ecdsa(curve) => curve.sign(&digest),
        }
    }
}

/// RSA's private operation with the key of these primes.
fn rsa(block: &[u8], (p, q): (BigUint, BigUint)) -> Vec<u8> {
    let one = BigUint::from(1_u8);
    let modulus = &p * &q;
    let exponent = BigUint::from(65_537_u32)
        .modinv(&((p - &one) * (q - &one)))
        .unwrap();
    let signature = BigUint::from_bytes_be(block)
        .modpow(&exponent, &modulus)
        .to_bytes_be();
    [vec![0; block.len() - signature.len()], signature].concat()
}

impl EcdsaCurve {
    /// The order of the group (FIPS 186-4, D.1.2).
    fn order(self) -> BigUint {
        let digits: &[u8] = match self {
            Self::P256 => b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
            Self::P384 => {
                b"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"
            }
            Self::P521 => {
                b"1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
            }
        };
        BigUint::parse_bytes(digits, 16).unwrap()
    }

    /// The coordinates of the base point (FIPS 186-4, D.1.2): the public key of the private key one.
    fn coordinates(self) -> [&'static str; 2] {
        match self {
            Self::P256 => [
                "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
                "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
            ],
            Self::P384 => [
                "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
                "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
            ],
            Self::P521 => [
                "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66",
                "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
            ],
        }
    }

    /// The base point, uncompressed (SEC 1, 2.3.3).
    pub(crate) fn point(self) -> Vec<u8> {
        let [x, y] = self.coordinates();
        let digits = format!("04{x}{y}");
        BigUint::parse_bytes(digits.as_bytes(), 16)
            .unwrap()
            .to_bytes_be()
    }

    /// The test key's `SubjectPublicKeyInfo`.
    pub(crate) fn info(self) -> Vec<u8> {
        let curve = match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
        };
        ec_info(curve, &self.point())
    }

    /// ECDSA (FIPS 186-5, 6.4.1) with one as the key and as the number that is used once: s is z + r.
    fn sign(self, digest: &[u8]) -> Vec<u8> {
        let order = self.order();
        let [x, _] = self.coordinates();
        let r = BigUint::parse_bytes(x.as_bytes(), 16).unwrap() % &order;
        let surplus = (u64::try_from(digest.len()).unwrap() * 8).saturating_sub(order.bits());
        let z = BigUint::from_bytes_be(digest) >> surplus;
        let s = (z + &r) % order;
        sequence(&[&integer(&r), &integer(&s)])
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
    pub(crate) signing: Signing,
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
            signing: Signing::Pkcs1,
            outer_hash: None,
        }
    }
}

impl Shape {
    /// The certificate's DER.
    pub(crate) fn der(&self) -> Vec<u8> {
        let tbs = self.tbs();
        let signature = self.signing.sign(self.hash, &tbs);
        self.put_together(&tbs, &signature)
    }

    /// The same with a signature that nobody made: quicker, and enough for what is not self-issued.
    pub(crate) fn unsigned(&self) -> Vec<u8> {
        self.put_together(&self.tbs(), &[7; 256])
    }

    fn put_together(&self, tbs: &[u8], signature: &[u8]) -> Vec<u8> {
        let outer = self.signing.algorithm(self.outer_hash.unwrap_or(self.hash));
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
            &self.signing.algorithm(self.hash),
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
