//! RSA keys that can be computed from their public half.

use num_bigint::BigUint;

use super::public_key::RsaKey;
use super::small_factor::small_factor;

/// Fewer bits can be factored, or soon.
const LEAST_BITS: usize = 2048;

/// With fewer bits than this anybody can factor it today; from here on that takes a state.
const LEAST_PINNED_BITS: usize = 1024;

/// More bits make logins slow and are nobody's real key.
const MOST_BITS: usize = 8192;

/// Steps of Fermat's method; primes that a sound generator makes survive any number of them.
const FERMAT_ROUNDS: u32 = 100;

/// Whether nothing is wrong with this key but that it is short: 1024 to 2047 bits.
pub(super) fn is_short(key: &RsaKey) -> bool {
    key.bits() < LEAST_BITS
}

/// What is said of a key that is too short.
pub(super) fn too_short(key: &RsaKey) -> String {
    format!("RSA {} bits; at least {LEAST_BITS}", key.bits())
}

/// Why anybody can compute the secret of this key, or nobody can use it; none if nothing is known against it but that it
/// may be [short](is_short).
pub(super) fn weakness(key: &RsaKey) -> Option<String> {
    let bits = key.bits();
    if key.modulus == BigUint::ZERO {
        return Some("RSA with a modulus that is zero or negative".to_owned());
    }
    if bits < LEAST_PINNED_BITS {
        return Some(too_short(key));
    }
    if bits > MOST_BITS {
        return Some(format!("RSA {bits} bits; at most {MOST_BITS}"));
    }
    if !key.modulus.bit(0) {
        return Some("RSA with an even modulus".to_owned());
    }
    if !key.exponent.bit(0) || key.exponent < BigUint::from(3_u8) || key.exponent >= key.modulus {
        return Some(
            "RSA with an exponent that encrypts nothing (it must be odd and at least 3)".to_owned(),
        );
    }
    if let Some(factor) = small_factor(&key.modulus) {
        return Some(format!(
            "RSA with a modulus that {factor} divides: it is damaged or made up"
        ));
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
    let (root, square) = square_root(modulus);
    let (first, difference) = if square == *modulus {
        (root, BigUint::ZERO)
    } else {
        let grown = square + 2_u8 * &root + 1_u8;
        (root + 1_u8, grown - modulus)
    };
    let (first_residue, difference_residue) = (residue(&first, SIEVE), residue(&difference, SIEVE));
    // (first + k)² − n = difference + k (2 first + k): its residue says whether the number itself is worth a look.
    (0..FERMAT_ROUNDS).any(|k| {
        let grown = u64::from(k) * (2 * u64::from(first_residue) + u64::from(k));
        may_be_square(u64::from(difference_residue) + grown)
            && is_square(&(&difference + k * (2_u8 * &first + k)))
    })
}

/// The root of a number, rounded down, and the root's square.
///
/// The root of the number's upper half has half of the digits right, and one step of Newton's method all of them, or one
/// too many: by Newton's method alone, as `BigUint::sqrt` has it, RSA 8192 takes five times as long.
fn square_root(number: &BigUint) -> (BigUint, BigUint) {
    /// So few bits are two machine words, which have a root of their own.
    const SHORT: u64 = 128;
    let mut root = if number.bits() <= SHORT {
        number.sqrt()
    } else {
        let shift = number.bits() / 4;
        let near = square_root(&(number >> (2 * shift))).0 << shift;
        // The mean of two numbers whose product is n is never below √n.
        (number / &near + near) >> 1_u8
    };
    let mut square = &root * &root;
    while square > *number {
        square -= 2_u8 * &root - 1_u8;
        root -= 1_u8;
    }
    (root, square)
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
    square_root(number).1 == *number
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
        let mut modulus = power(bits - 1) + power(bits / 3) + power(bits / 5) + 1_u8;
        while small_factor(&modulus).is_some() {
            modulus += 2_u8;
        }
        modulus
    }

    /// A published modulus.
    fn published(digits: &[&str]) -> BigUint {
        BigUint::parse_bytes(digits.concat().as_bytes(), 16).unwrap()
    }

    #[test]
    fn a_key_has_2048_to_8192_bits_and_a_shorter_one_is_judged_apart() {
        assert_eq!(
            weakness_of(modulus(1023), 65537).as_deref(),
            Some("RSA 1023 bits; at least 2048")
        );
        for (bits, short) in [(1024, true), (2047, true), (2048, false), (8192, false)] {
            assert_eq!(weakness_of(modulus(bits), 65537), None, "{bits}");
            let key = RsaKey {
                modulus: modulus(bits),
                exponent: BigUint::from(65_537_u32),
            };
            assert_eq!(is_short(&key), short, "{bits}");
        }
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
    fn published_keys_with_the_roca_flaw_are_known() {
        // roca-detect 1.2.12, roca/tests/data: mod03.txt and mod09.txt have the flaw, mod04.txt and mod05.txt have not.
        let flawed = [
            published(&[
                "9dcd7420e420c270a68060eb8b5aa7457a9f6648f86fafed2775cc1f79ae962f1e63f1b9e51c55f9ea6fdc7332e9b005",
                "8c9ff2eb1fc89855029cf6aafe21e689feb38ac9ffb12f1ce371bb5d0e9aae64161abce74b4244bf68f1edb4411f756a",
                "097c8929c14740245ea355f8332d1aa36bb50c7dcb4505da8de02e4e53d38f8df06097da7524df0df93db48eac8cc4af",
                "2d3a16257eb2b2adca6ba464e5974fa92550d31b1babf161e7692d00b86e3dd886ecab4abfbe1a8f8cc263ff4af55cdb",
                "45f4249a5193925f5e983d762f0b6800943eb0267b08f42ed311ce1f5c86eacbc8ce4d3cb7a2fee1ef5641423a1cf411",
                "4e5ecf50034a60a412523af9e6f4aa11",
            ]),
            published(&[
                "c39a928060db513091b604eadad719ed94e246de8fe15fb76efab5cfabbc3fc5486fe2ef2a5a5a8472f0c5be089edec0",
                "71fb284df4467fa1fa6c8f0b013d3173fe636744666289bf67b5c998c87b59015d94bb9c20d30a70cfe275e42fd3c6f4",
                "4d4c5252f9c6b6803f92afd928153bdb90ef08ede934c076f33543f9a1c362130929b9a1324c5ebee6831c251c48a7de",
                "e24d75ac538ce9a58d7ff09c12a5d772b6c33f4265a4e4830bd73ad221d24d4d3f092e24279c15fc1d10ca69561f4f07",
                "1313c86b11ab36a5dd28df392f581834eecfdc9e183a466198e33cf01d273bd41d4b7e288cc66f24eba04676bd2090f6",
                "f73830336a317bc2d423b558b9d8f632e12af7b0e7fc9bdb69282e81fdf41a68cf4e85f01fc343dfe52a3ad01f67459d",
                "380165159e1209ef1ce4ecd26648e061faf0896551f7f1f92d6b6a19af0ab7f1f092d7e168bcec0ee478b8618489a896",
                "7a71e5e0a5c197662d8e9756f090a177109d4a34ae20a18c5629efea5ca66623960fc325f779cdae891a7ec051f00e83",
                "7b8f2fb9fd19f6a35832ca0e5ce8375972c42a308f7d5ca0434022c131874087e826ed737994e46fbe44f5f1e908934f",
                "6033e6851ebd05447dddbaa51c0671849cafd3a503cdc150101914edf33b140c168c3dbea4791e74ea619ab1b31c9069",
                "1de1d425b746b222a2b26ed54222cbcaf27a054f9f66f77be6466198c33e37dd",
            ]),
            // badkeys, tests/data/rsa-roca.key.
            published(&[
                "9132ad211fcc0dfb4dae48326ac864c227e4b394b09bd1c4930e197028a3c907694d2b489e4f69754aeae338c6ead939",
                "c57f406985cbbb8edf9a2055cc2946bc05d365ba67e896c6d4811152cfa2d290514f90b352eeef27feb72fbd8dcd5bc9",
                "15a4f4494139cc1ca10a3244fa97e53275f57b5529b4e767379007798e112a4ba056c7b75cedb132cdf21f7bd3c9976d",
                "9da38815153477a13b3ebb2046d100a851dc00698f530d19396f00fbef2c4bf1659ebc4c7fd9556b5ffc93f03ca2d3df",
                "acd222a5f028ab430a27ea31136c0c2f50c3c481931a635a37780f00d2727ae71aee9b40f8d1aae68535c77a56317812",
                "beb5525d4a28364f31224acac52cf72d",
            ]),
        ];
        for modulus in flawed {
            let found = weakness_of(modulus, 65537).unwrap();
            assert!(found.contains("CVE-2017-15361"), "{found}");
        }
        let sound = [
            published(&[
                "af659676197f1db06da7ac111a0a0ec175b8b7ef07192ffcd1f6b854c327785f1a7fd3db7da45cd4a31b2b2e5ce0d823",
                "a68e28c8adf1747316becce1fe5768064039ad2062260c8d1a34e0586dce9bc13090fcc9fb8b8b2c08ed3ae8d61b2981",
                "8a669689a7d9c1dab053b557fb8d3f9c44faad3e18c55e739b00d3c9126558bc8e980cd2af377126ef5b1374136774b8",
                "bd370e3c1c149db395c8f99696b628b105946fea20106fe24d103ac062661a9248e8c3f628e00b308d33953aabe55513",
                "2e218e74ef4b578716b4fe7cf340e8e604a319bf6e9951e1942601d34291032db54999d09e5d036dde3544ad35256bbb",
                "97d5e3fffd38166c21eae9199548853b",
            ]),
            published(&[
                "ba68fc5fbb606c4d428ab98b355d66214db4f7e475b5f7ffddc349c73f7d659965121ab16a4014e6c465c111d8502058",
                "53d113f712127e4a230aa97f481eed6410f6c345f48e25fb81c42ec6815dc35cdd839e0de91fb2bec848d0910fa77e2c",
                "31f99ec9bcc7ed167812bd724318b0adf492d6b47c5ce050184e877ea64045f9501bf70569cffd102db7299f49e9c002",
                "22af9115d0aada967dfe759b7e4576e85c3a4ff594039231b90b448b90c3236083bcf819bc318d53a2018ec9b401f102",
                "ba9ee13dde592a42b032df136689d9c5619db55d519853a422d3100624d2d9e478218375f460c26930eda8cd0d947e58",
                "ffe9b7be2445356deaed988223e3ed1d",
            ]),
        ];
        for modulus in sound {
            assert_eq!(weakness_of(modulus, 65537), None);
        }
    }

    #[test]
    fn published_keys_with_close_primes_are_known() {
        // badkeys, tests/data, of what CVE-2022-26320 is about: rsa-fermat.crt, found in round 27, and
        // rsa-fermat-hexmodulus.txt, found in the first.
        for modulus in [
            published(&[
                "c5cd5088d843e77685b0a4833bccd18c2e73d18c40a731d91eaf313cc3b8ef50fb588475b4cdc87b041ac3f4e55631ce",
                "585eeca772d6c3f2f91265ef4654e0c570fa2a93d010ee2f80de0f52df937baa4cbee2c40d13fc75f3d6ff52fd5b982b",
                "477fd970a9b9c4ad7daf519f3c56991e8da71d7614b0ccdf150789bd8b816dbe97710dc9de8eedbfa524db6cb7bd0847",
                "ab0829cbf986b8ae000b9453eda80ad3eac7edcb87b882d0fa188e45f31c7cc580de518a44ec74decc51bc3ba68ae021",
                "032188da252ec6dce3a8c4bcf30179622dd62b27f542192a9cc58ab46a61fc95e80ad0c43bbb3b8f9e7453151fd00238",
                "bcebe884b556e6d0928e02daaf29ba5f",
            ]),
            published(&[
                "e36099d4b2fbf4b58d6a19bb57fc3443f67d86c759169ae8038d46ec28e0256a6730e95f7f9da57c81cd3567b0da5a71",
                "6fec1a5f15e56c3731075f5351dcbab32b16050c3d72b5ee6c1408aa0f8ce34fa3ef9c6962f4e75b6512af8706551d28",
                "19ac900224e4108d24b89f37580853a73aec654f90763d70e5a36fa7d1cbbeed927ab004b7471fa3fb71c91feeeaff9e",
                "1ef464f9913b84f8da37a8d356950d00019d6701fc749da72b5b88d48a6998ebcc096a4bc711ffbe6b89627683c14e14",
                "fa0ca26a17c228c067295ff8117cc7095537c275e6996e1dc1452cb7f51240364e81841f5bb7df604df747bf774d269f",
                "38a35bf93402a08561ff89e0c43d2f97",
            ]),
        ] {
            let found = weakness_of(modulus, 65537).unwrap();
            assert!(found.contains("so close that"), "{found}");
        }
    }

    #[test]
    fn a_modulus_has_no_small_factor() {
        let sound = forge::rsa_modulus();
        assert_eq!(weakness_of(sound.clone(), 65537), None);
        assert_eq!(
            weakness_of(sound * 31_u8, 65537).as_deref(),
            Some("RSA with a modulus that 31 divides: it is damaged or made up")
        );
    }

    #[test]
    fn a_root_is_the_largest_number_whose_square_is_no_larger() {
        let numbers = (1..40_u32).map(|it| power(it * 50) / 3_u8 + it);
        let around = [power(2048), power(4096), power(8192), power(1001).pow(2)];
        let around = around
            .into_iter()
            .flat_map(|it| [&it - 1_u8, it.clone(), it + 1_u8]);
        let forged = [forge::rsa_modulus(), modulus(8192), BigUint::ZERO];
        for number in numbers.chain(around).chain(forged) {
            let (root, square) = square_root(&number);
            assert_eq!(root, number.sqrt(), "{number}");
            assert_eq!(square, &root * &root, "{number}");
        }
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
