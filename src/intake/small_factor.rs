//! Small prime factors of an RSA modulus. A key has none: a number with one is damaged or made up.

use std::sync::LazyLock;

use num_bigint::BigUint;

/// Every prime below this is tried. Of odd numbers at random six in seven have such a factor; going up to 2^16 would find
/// nine in ten, for sixteen times the time: as much as verifying the signature takes.
const LIMIT: u64 = 1 << 12;

/// So many divisions are done side by side: each one alone waits for its last step.
const LANES: usize = 8;

/// The smallest prime factor of an odd number that is found.
pub(super) fn small_factor(odd: &BigUint) -> Option<u64> {
    let digits: Vec<u64> = odd.iter_u64_digits().collect();
    let factors = BATCHES.iter().filter_map(|it| it.factor(&digits));
    factors.min()
}

/// An odd number below 2^64, and what dividing by it needs.
#[derive(Clone, Copy)]
struct Odd {
    value: u64,
    /// Modulo 2^64.
    inverse: u64,
}

impl Odd {
    fn new(value: u64) -> Self {
        // An odd number is its own inverse modulo 8, and each step of Newton's doubles the bits: 3, 6, 12, 24, 48, 96.
        let inverse = (0..5).fold(value, |inverse, _| {
            let product = value.wrapping_mul(inverse);
            inverse.wrapping_mul(2_u64.wrapping_sub(product))
        });
        Self { value, inverse }
    }

    /// Whether this divides `number`: only then is the quotient modulo 2^64 the quotient.
    fn divides(self, number: u64) -> bool {
        number.wrapping_mul(self.inverse) <= u64::MAX / self.value
    }
}

/// Products of primes, each below 2^64, and the primes with the lane of their product.
struct Batch {
    products: [Odd; LANES],
    primes: Vec<(usize, Odd)>,
}

impl Batch {
    /// The smallest of its primes that divides the number with these digits, the lowest first.
    ///
    /// Division from below (Jebelean, "An algorithm for exact division", 1993): what is left at the end is no remainder,
    /// but it is divisible by just those divisors of the product that divide the number.
    fn factor(&self, digits: &[u64]) -> Option<u64> {
        let mut left = [0_u64; LANES];
        for digit in digits {
            for (left, product) in left.iter_mut().zip(self.products) {
                let (rest, borrowed) = digit.overflowing_sub(*left);
                let quotient = rest.wrapping_mul(product.inverse);
                let taken = u128::from(quotient) * u128::from(product.value);
                *left = u64::try_from(taken >> 64).unwrap_or_default() + u64::from(borrowed);
            }
        }
        let divides =
            |(lane, prime): &&(usize, Odd)| left.get(*lane).is_some_and(|it| prime.divides(*it));
        self.primes
            .iter()
            .find(divides)
            .map(|(_, prime)| prime.value)
    }
}

static BATCHES: LazyLock<Vec<Batch>> = LazyLock::new(|| {
    let mut products: Vec<(u64, Vec<u64>)> = Vec::new();
    for prime in odd_primes() {
        match products.last_mut() {
            Some((product, primes)) if product.checked_mul(prime).is_some() => {
                *product *= prime;
                primes.push(prime);
            }
            _ => products.push((prime, vec![prime])),
        }
    }
    products.chunks(LANES).map(batch).collect()
});

fn batch(products: &[(u64, Vec<u64>)]) -> Batch {
    let mut batch = Batch {
        products: [Odd::new(1); LANES],
        primes: Vec::new(),
    };
    let lanes = batch.products.iter_mut().zip(products).enumerate();
    for (lane, (place, (product, primes))) in lanes {
        *place = Odd::new(*product);
        let primes = primes.iter().map(|it| (lane, Odd::new(*it)));
        batch.primes.extend(primes);
    }
    batch
}

/// The odd primes below [`LIMIT`], in order.
fn odd_primes() -> Vec<u64> {
    let mut primes: Vec<u64> = Vec::new();
    for number in (3..LIMIT).step_by(2) {
        let mut low = primes.iter().take_while(|it| **it * **it <= number);
        if low.all(|it| number % it != 0) {
            primes.push(number);
        }
    }
    primes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::forge;

    #[test]
    fn every_small_prime_is_found_and_no_other_number() {
        let sound = forge::rsa_modulus();
        assert_eq!(small_factor(&sound), None);
        let primes = odd_primes();
        assert_eq!(primes.len(), 563, "as many as there are");
        for prime in &primes {
            assert_eq!(small_factor(&(&sound * *prime)), Some(*prime));
        }
        assert_eq!(small_factor(&(&sound * 4093_u32)), Some(4093));
        assert_eq!(small_factor(&(&sound * 4099_u32)), None, "a prime above");
    }

    #[test]
    fn the_smallest_factor_is_told_and_agrees_with_division() {
        assert_eq!(small_factor(&BigUint::from(4093_u32 * 17 * 4099)), Some(17));
        let primes = odd_primes();
        let mut number = BigUint::from(3_u8).pow(500);
        for _ in 0..300 {
            number += 2_u8;
            let divides = |it: &&u64| &number % **it == BigUint::ZERO;
            assert_eq!(small_factor(&number), primes.iter().find(divides).copied());
        }
    }
}
