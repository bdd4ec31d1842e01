//! What a pin passes, and what nobody's word does.

use num_bigint::BigUint;

use super::*;
use crate::intake::forge::{self, Hash, Signing};

/// The one certificate of a file is refused for this; whether a pin passes.
#[track_caller]
fn refused(shape: &Shape, reason: Reason) -> bool {
    let rejection = judged(shape.der()).expect_err("it was accepted");
    assert_eq!(rejection.refusal.reason, reason, "{}", rejection.refusal);
    let [only] = &rejection.certificates[..] else {
        panic!("{:?}", rejection.certificates);
    };
    assert_eq!(only.refusal, rejection.refusal);
    let fingerprint = only.certificate.as_ref().unwrap().fingerprint().hex();
    let help = only.refusal.help.join("\n");
    assert_eq!(help.contains("trust]"), only.pin_passes, "{help}");
    assert_eq!(help.contains(&fingerprint), only.pin_passes, "{help}");
    only.pin_passes
}

fn short() -> Shape {
    Shape {
        key: forge::rsa_info(&forge::short_rsa_modulus(), 65_537),
        signing: Signing::ShortPkcs1,
        ..Shape::default()
    }
}

#[test]
fn a_pin_passes_what_is_a_matter_of_judgement() {
    assert!(refused(&short(), Reason::WeakKey), "RSA 1024");
    let md5 = Shape {
        hash: Hash::Md5,
        ..Shape::default()
    };
    assert!(refused(&md5, Reason::Signature));
    let root = Shape {
        extensions: vec![forge::ca(), forge::key_usage(0x04)],
        ..Shape::default()
    };
    assert!(refused(&root, Reason::CaCertificate));
    let by_another = |extension| Shape {
        extensions: vec![extension],
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    assert!(refused(&by_another(forge::ca()), Reason::CaCertificate));
    assert!(refused(
        &by_another(forge::key_usage(0x20)),
        Reason::KeyUsage
    ));
}

#[test]
fn no_pin_passes_a_key_that_anybody_can_compute() {
    let with = |modulus: BigUint, exponent| Shape {
        key: forge::rsa_info(&modulus, exponent),
        issuer: forge::name("ca"),
        ..Shape::default()
    };
    let short = forge::short_rsa_modulus;
    let close = {
        let middle = (BigUint::from(1_u8) << 600_u32) + 4_321_u32;
        (&middle + 12_u8) * (&middle - 12_u8)
    };
    for (shape, what) in [
        (with(short() >> 1_u8, 65_537), "1023 bits"),
        (with(short() + 1_u8, 65_537), "even"),
        (with(short(), 1), "e = 1"),
        (with(short(), 4), "an even exponent"),
        (with(close, 65_537), "close primes or a small factor"),
    ] {
        assert!(!refused(&shape, Reason::WeakKey), "{what}");
    }
}

#[test]
fn no_pin_passes_what_is_wrong_besides() {
    let mut damaged = short().der();
    *damaged.last_mut().unwrap() ^= 1;
    refuses(&damaged, Reason::Signature, "does not fit");
    let odd = Shape {
        hash: Hash::Md5,
        outer_hash: Some(Hash::Sha256),
        ..Shape::default()
    };
    assert!(!refused(&odd, Reason::Signature));
    let backwards = Shape {
        not_before: forge::utc("310101000000Z"),
        ..short()
    };
    assert!(!refused(&backwards, Reason::Validity));
}

#[test]
fn what_a_pin_passes_is_kept_beside_what_is_fit() {
    let file = [&short(), &Shape::default()].map(|it| canonical_pem(&it.der()));
    let accepted = accepted(file.concat());
    assert_eq!(accepted.certificates.len(), 1);
    assert_eq!(accepted.refused.len(), 1);
    assert!(accepted.refused[0].pin_passes);
}
