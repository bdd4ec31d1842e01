//! RSA keys that can be computed from their public half.

use num_bigint::BigUint;

use super::public_key::RsaKey;

/// Fewer bits can be factored, or soon; more make logins slow and are nobody's real key.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Steps of Fermat's method; primes that a sound generator makes survive any number of them.
const FERMAT_ROUNDS: u32 = 100;

/// Why this key is no secret; none if nothing is known against it.
pub(super) fn weakness(key: &RsaKey) -> Option<String> {
    let bits = key.bits();
    if key.modulus == BigUint::ZERO {
        return Some("RSA with a modulus that is zero or negative".to_owned());
    }
    if bits < *BITS.start() {
        return Some(format!("RSA {bits} bits; at least {}", BITS.start()));
    }
    if bits > *BITS.end() {
        return Some(format!("RSA {bits} bits; at most {}", BITS.end()));
    }
    if !key.modulus.bit(0) {
        return Some("RSA with an even modulus".to_owned());
    }
    if !key.exponent.bit(0) || key.exponent < BigUint::from(3_u8) || key.exponent >= key.modulus {
        return Some(
            "RSA with an exponent that encrypts nothing (it must be odd and at least 3)".to_owned(),
        );
    }
    if has_roca_fingerprint(&key.modulus) {
        return Some("this key has the ROCA flaw (CVE-2017-15361) and can be computed".to_owned());
    }
    has_close_primes(&key.modulus)
        .then(|| "the two primes of this RSA key are so close that it can be computed".to_owned())
}

/// Whether the modulus has the form that one maker's chips gave all their keys: a power of 65537 modulo every small
/// prime (Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, section 2.2). By chance once in 2^27 keys.
fn has_roca_fingerprint(modulus: &BigUint) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.into_iter().all(|prime| {
        let wanted = residue(modulus, prime);
        let mut power = 1;
        for _ in 0..prime {
            if power == wanted {
                return true;
            }
            power = power * 65_537 % prime;
        }
        false
    })
}

/// Fermat's factorisation: n = a² − b² with a just above √n if its two primes are close.
fn has_close_primes(modulus: &BigUint) -> bool {
    let mut first = modulus.sqrt();
    if &first * &first < *modulus {
        first += 1_u8;
    }
    let difference = &first * &first - modulus;
    let (first_residue, difference_residue) = (residue(&first, SIEVE), residue(&difference, SIEVE));
    // (first + k)² − n = difference + k (2 first + k): its residue says whether the number itself is worth a look.
    (0..FERMAT_ROUNDS).any(|k| {
        let grown = u64::from(k) * (2 * u64::from(first_residue) + u64::from(k));
        may_be_square(u64::from(difference_residue) + grown)
            && is_square(&(&difference + k * (2_u8 * &first + k)))
    })
}

/// Most numbers are told from squares by their residues modulo this, much cheaper than by a root.
const SIEVE: u32 = 64 * 63 * 65 * 11 * 17 * 19;

/// Whether a number with this residue modulo [`SIEVE`] may be a square; by chance once in 430 numbers.
fn may_be_square(residue: u64) -> bool {
    const SQUARES: [(u64, u128); 6] = [
        (64, squares(64)),
        (63, squares(63)),
        (65, squares(65)),
        (11, squares(11)),
        (17, squares(17)),
        (19, squares(19)),
    ];
    SQUARES
        .iter()
        .all(|(modulus, squares)| squares >> (residue % modulus) & 1 == 1)
}

/// The set of the squares modulo a number, one bit each.
const fn squares(modulus: u128) -> u128 {
    let mut set = 0;
    let mut root = 0;
    while root < modulus {
        set |= 1 << (root * root % modulus);
        root += 1;
    }
    set
}

fn is_square(number: &BigUint) -> bool {
    let root = number.sqrt();
    &root * &root == *number
}

fn residue(number: &BigUint, modulus: u32) -> u32 {
    u32::try_from(number % modulus).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::forge;

    fn power(bits: u32) -> BigUint {
        BigUint::from(1_u8) << bits
    }

    fn weakness_of(modulus: BigUint, exponent: u32) -> Option<String> {
        weakness(&RsaKey {
            modulus,
            exponent: BigUint::from(exponent),
        })
    }

    /// An odd number of exactly so many bits, without a flaw.
    fn modulus(bits: u32) -> BigUint {
        power(bits - 1) + power(bits / 3) + power(bits / 5) + 1_u8
    }

    #[test]
    fn a_key_has_2048_to_8192_bits() {
        assert_eq!(
            weakness_of(modulus(2047), 65537).as_deref(),
            Some("RSA 2047 bits; at least 2048")
        );
        assert_eq!(
            weakness_of(modulus(1024), 65537).as_deref(),
            Some("RSA 1024 bits; at least 2048")
        );
        assert_eq!(weakness_of(modulus(2048), 65537), None);
        assert_eq!(weakness_of(modulus(8192), 65537), None);
        assert_eq!(
            weakness_of(modulus(8193), 65537).as_deref(),
            Some("RSA 8193 bits; at most 8192")
        );
        assert_eq!(
            weakness_of(modulus(16384), 65537).as_deref(),
            Some("RSA 16384 bits; at most 8192")
        );
        assert_eq!(
            weakness_of(BigUint::ZERO, 65537).as_deref(),
            Some("RSA with a modulus that is zero or negative")
        );
    }

    #[test]
    fn a_modulus_is_odd() {
        assert_eq!(
            weakness_of(modulus(2048) + 1_u8, 65537).as_deref(),
            Some("RSA with an even modulus")
        );
    }

    #[test]
    fn an_exponent_is_odd_and_at_least_three() {
        for exponent in [0, 1, 2, 4, 65536] {
            assert!(weakness_of(modulus(2048), exponent).is_some(), "{exponent}");
        }
        for exponent in [3, 17, 65537] {
            assert_eq!(weakness_of(modulus(2048), exponent), None, "{exponent}");
        }
        let key = RsaKey {
            modulus: modulus(2048),
            exponent: modulus(2048),
        };
        assert!(weakness(&key).is_some(), "as large as the modulus");
    }

    #[test]
    fn primes_within_a_hundred_rounds_of_each_other_are_found() {
        // n = (a + b)(a - b): the first round tries ceil(sqrt(n)), which is a - b² / 2a.
        let a = power(1024) + 12_345_u32;
        let far_for_rounds = |rounds: u32| {
            let b = (&a * 2_u8 * rounds).sqrt();
            let b = if (&a - &b).bit(0) { b } else { b + 1_u8 };
            (&a + &b) * (&a - &b)
        };
        assert!(has_close_primes(&far_for_rounds(1)));
        assert!(has_close_primes(&far_for_rounds(98)));
        assert!(!has_close_primes(&far_for_rounds(102)));
        assert!(has_close_primes(&(&a * &a)), "the same prime twice");
        assert!(!has_close_primes(&forge::rsa_modulus()));
    }

    #[test]
    fn keys_made_by_the_flawed_generator_are_known_by_their_residues() {
        // The published form of its primes: k·M + (65537^a mod M), M being the product of the first 126 primes.
        let sieve: Vec<u32> = (2..702_u32)
            .filter(|number| (2..*number).all(|it| number % it != 0))
            .collect();
        assert_eq!(sieve.len(), 126);
        let m: BigUint = sieve.into_iter().map(BigUint::from).product();
        let generator = BigUint::from(65_537_u32);
        let prime =
            |k: u64, a: u32| BigUint::from(k) * &m + generator.modpow(&BigUint::from(a), &m);
        let flawed = prime(0x001f_ffff_ffff_ffff, 98_765) * prime(0x0018_1234_5678_9abd, 4_321);
        assert!(flawed.bits() >= 2040, "{}", flawed.bits());
        assert!(has_roca_fingerprint(&flawed));
        assert!(!has_roca_fingerprint(&(flawed + 2_u8)));
        assert!(!has_roca_fingerprint(&forge::rsa_modulus()));
    }

    #[test]
    fn squares_are_known_by_more_than_their_residues() {
        let root = power(1000) + 77_u8;
        assert!(is_square(&(&root * &root)));
        assert!(!is_square(&(&root * &root + SIEVE)));
        assert!(is_square(&BigUint::ZERO));
    }

    #[test]
    fn no_square_is_sieved_out_and_most_others_are() {
        let residues = |number: u64| number % u64::from(SIEVE);
        assert!((0..100_000).all(|it| may_be_square(residues(it * it))));
        let left = (0..100_000).filter(|it| may_be_square(*it)).count();
        assert!((316..1_000).contains(&left), "{left}");
    }
}
