//! RSA keys of any size that sign quickly: each has many primes of 64 bits. Such a key protects nothing, but neither a
//! check nor a verification can tell it from one that took minutes to make.

use num_bigint::BigUint;
use rcgen::{Error, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey};
use sha2::{Digest as _, Sha256};

/// Primes just below 2^64, for keys of one exponent.
pub struct Primes {
    exponent: u64,
    pool: Vec<Prime>,
}

#[derive(Clone, Copy)]
struct Prime {
    value: u64,
    /// The private exponent modulo `value` - 1.
    secret: u64,
}

impl Primes {
    /// Enough for keys of 8,192 bits, no two of which are the same.
    pub fn new(exponent: u64) -> Self {
        const POOL: usize = 400;
        // So near to 2^64 that the product of any 128 has no bit less than 128 times 64.
        const LOWEST: u64 = u64::MAX - (1 << 55);
        let mut random = fastrand::Rng::with_seed(exponent);
        let mut pool: Vec<Prime> = Vec::new();
        while pool.len() < POOL {
            let value = random.u64(LOWEST..) | 1;
            let secret = BigUint::from(exponent).modinv(&BigUint::from(value - 1));
            let Some(secret) = secret.filter(|_| is_prime(value)) else {
                continue;
            };
            if pool.iter().all(|it| it.value != value) {
                let secret = u64::try_from(secret).unwrap();
                pool.push(Prime { value, secret });
            }
        }
        Self { exponent, pool }
    }

    /// The key with this number, of so many bits.
    pub fn key(&self, number: u64, bits: usize) -> Key {
        let mut random = fastrand::Rng::with_seed(number);
        let primes = random.choose_multiple(self.pool.iter().copied(), bits / 64);
        let modulus: BigUint = primes.iter().map(|it| BigUint::from(it.value)).product();
        let parts = primes.into_iter().map(|prime| {
            let others = &modulus / prime.value;
            let rest = remainder(&others, prime.value);
            let basis = others * power(rest, prime.value - 2, prime.value);
            (prime, basis)
        });
        Key {
            parts: parts.collect(),
            der: public_key(&modulus, &BigUint::from(self.exponent)),
            bytes: bits / 8,
            modulus,
        }
    }
}

/// A private key by the Chinese remainder theorem.
pub struct Key {
    /// Each prime, and the number that is 1 modulo it and 0 modulo all others.
    parts: Vec<(Prime, BigUint)>,
    modulus: BigUint,
    bytes: usize,
    der: Vec<u8>,
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.der
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

impl SigningKey for Key {
    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2.1).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        const SHA_256: &[u8] =
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
        let info = [SHA_256, &Sha256::digest(message)].concat();
        let padding = vec![0xff; self.bytes - 3 - info.len()];
        let block = BigUint::from_bytes_be(&[&[0, 1][..], &padding, &[0], &info].concat());
        let sum: BigUint = self
            .parts
            .iter()
            .map(|(prime, basis)| {
                let part = remainder(&block, prime.value);
                basis * power(part, prime.secret, prime.value)
            })
            .sum();
        let signature = (sum % &self.modulus).to_bytes_be();
        Ok([vec![0; self.bytes - signature.len()], signature].concat())
    }
}

/// `RSAPublicKey` (RFC 8017, A.1.1).
fn public_key(modulus: &BigUint, exponent: &BigUint) -> Vec<u8> {
    let integer = |it: &BigUint| {
        element(
            2,
            &[
                vec![0; usize::from(it.bits().is_multiple_of(8))],
                it.to_bytes_be(),
            ]
            .concat(),
        )
    };
    element(0x30, &[integer(modulus), integer(exponent)].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match content.len() {
        0..=0x7f => vec![tag, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&header, content].concat()
}

fn remainder(number: &BigUint, modulus: u64) -> u64 {
    u64::try_from(number % modulus).unwrap()
}

fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    let times = |a: u64, b: u64| {
        u64::try_from(u128::from(a) * u128::from(b) % u128::from(modulus)).unwrap()
    };
    (0..64).rev().fold(1, |sum, bit| {
        let square = times(sum, sum);
        if exponent >> bit & 1 == 1 {
            times(square, base)
        } else {
            square
        }
    })
}

/// Miller and Rabin's test; with these bases it is a proof below 2^64 (Sorenson and Webster, 2015).
fn is_prime(odd: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    let twos = (odd - 1).trailing_zeros();
    BASES.into_iter().all(|base| {
        let first = power(base, (odd - 1) >> twos, odd);
        let mut roots = std::iter::successors(Some(first), |it| Some(power(*it, 2, odd)));
        first == 1
            || roots
                .by_ref()
                .take(usize::try_from(twos).unwrap())
                .any(|it| it == odd - 1)
    })
}
