//! Which certificates issued others, and which only look as if they did.

use super::*;
use crate::intake::forge::{self, EcdsaCurve, Signing};

/// A certificate of this key, signed by that one.
fn shape(subject: &str, key: EcdsaCurve, issuer: &str, signer: EcdsaCurve) -> Shape {
    Shape {
        subject: forge::name(subject),
        key: key.info(),
        issuer: forge::name(issuer),
        signing: Signing::Ecdsa(signer),
        ..Shape::default()
    }
}

fn read(shape: &Shape) -> Certificate {
    let der = shape.der();
    read_certificate(&der).unwrap()
}

/// The identifier of a key, as its own and as that of its issuer.
fn key_ids(own: &[u8], authority: &[u8]) -> Vec<Vec<u8>> {
    let authority = forge::sequence(&[&forge::element(0x80, authority)]);
    vec![
        forge::extension("2.5.29.14", false, &forge::element(4, own)),
        forge::extension("2.5.29.35", false, &authority),
    ]
}

const ROOT: EcdsaCurve = EcdsaCurve::P256;
const MIDDLE: EcdsaCurve = EcdsaCurve::P384;
const LEAF: EcdsaCurve = EcdsaCurve::P521;

#[test]
fn an_issuer_is_known_by_its_name_and_its_key() {
    let root = read(&shape("root", ROOT, "root", ROOT));
    let leaf = read(&shape("leaf", LEAF, "root", ROOT));
    assert!(signed_by(&leaf, &root));
    assert!(signed_by(&root, &root));
    assert!(!signed_by(&root, &leaf));
    let other_key = read(&shape("root", MIDDLE, "root", MIDDLE));
    assert!(!signed_by(&leaf, &other_key), "the name alone");
    let other_name = read(&shape("rot", ROOT, "rot", ROOT));
    assert!(!signed_by(&leaf, &other_name), "the key alone");
}

#[test]
fn a_file_with_a_chain_holds_each_of_its_certificates() {
    let mut root = shape("root", ROOT, "root", ROOT);
    root.extensions = vec![forge::ca(), forge::key_usage(0x04)];
    let mut middle = shape("middle", MIDDLE, "root", ROOT);
    middle.extensions = vec![forge::ca()];
    let leaf = shape("leaf", LEAF, "middle", MIDDLE);
    let [r, m, l] = [&root, &middle, &leaf].map(|it| canonical_pem(&it.der()));
    for order in [[&l, &m, &r], [&r, &m, &l], [&m, &l, &r]] {
        let accepted = accepted(order.map(String::as_str).concat());
        assert_eq!(accepted.certificates.len(), 1);
        assert_eq!(accepted.certificates[0].subject(), "CN=leaf");
        let refused = accepted.refused.iter();
        let reasons: Vec<Reason> = refused.map(|it| it.refusal.reason).collect();
        assert_eq!(reasons, [Reason::CaCertificate; 2]);
        assert!(accepted.refused.iter().all(|it| it.certificate.is_some()));
    }
    refuses(
        &m,
        Reason::CaCertificate,
        "an issuer's (CA:TRUE, signed by another)",
    );
}

#[test]
fn a_root_is_told_from_a_providers_own_certificate_by_what_it_may_sign() {
    let ca = |bits| {
        let mut shape = shape("idp", ROOT, "idp", ROOT);
        shape.extensions = vec![forge::ca(), forge::key_usage(bits)];
        shape
    };
    // keyCertSign, and with it digitalSignature, nonRepudiation.
    refuses(ca(0x04).der(), Reason::CaCertificate, "a root's");
    refuses(ca(0x06).der(), Reason::CaCertificate, "a root's"); // cRLSign as well
    assert_eq!(remarks(&ca(0x84)), []);
    assert_eq!(remarks(&ca(0x44)), []);
    assert_eq!(remarks(&ca(0x20)), [Remark::EncryptionOnly]);
    let mut plain = shape("idp", ROOT, "idp", ROOT);
    plain.extensions = vec![forge::ca()];
    assert_eq!(remarks(&plain), [], "as `openssl req -x509` makes it");
    plain.extensions = vec![forge::key_usage(0x04)];
    assert_eq!(remarks(&plain), [Remark::EncryptionOnly], "no CA");
}

#[test]
fn the_same_name_with_another_key_is_a_leaf() {
    let mut leaf = shape("idp", LEAF, "idp", ROOT);
    leaf.extensions = key_ids(b"own", b"root");
    let certificate = &accepted(leaf.der()).certificates[0];
    assert!(!certificate.self_signed());
    assert!(!read(&leaf).self_signed(), "without its signature");
    // Its own identifier is missing: then the usual digest of the key stands for it.
    leaf.extensions.remove(0);
    assert!(!accepted(leaf.der()).certificates[0].self_signed());
    // By the serial of the issuer's certificate.
    let authority = forge::sequence(&[&forge::element(0x82, &[9, 9])]);
    leaf.extensions = vec![forge::extension("2.5.29.35", false, &authority)];
    assert!(!accepted(leaf.der()).certificates[0].self_signed());
    leaf.extensions = [key_ids(b"own", b"root"), vec![forge::ca()]].concat();
    refuses(leaf.der(), Reason::CaCertificate, "signed by another");
}

#[test]
fn a_signature_that_verifies_is_proof_whatever_the_identifiers_say() {
    let mut odd = shape("idp", ROOT, "idp", ROOT);
    odd.extensions = [key_ids(b"own", b"another"), vec![forge::ca()]].concat();
    assert!(accepted(odd.der()).certificates[0].self_signed());
}

#[test]
fn a_bit_is_flipped_only_where_the_key_is_said_to_be_its_own() {
    let mut damaged = shape("idp", LEAF, "idp", ROOT);
    for extensions in [Vec::new(), key_ids(b"own", b"own")] {
        damaged.extensions = extensions;
        refuses(damaged.der(), Reason::Signature, "a bit was flipped");
    }
}
