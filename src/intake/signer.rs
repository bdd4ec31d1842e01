//! Who signed a certificate: its own key or another one.
//!
//! The same name as subject and issuer does not settle it: some CAs issue certificates under their own name. The key
//! identifiers (RFC 5280, 4.2.1.1 and 4.2.1.2) say which key is meant, and a signature that verifies is proof.

use sha1::{Digest as _, Sha1};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer as _;

use super::public_key::PublicKey;
use super::signature::{self, Verdict};
use crate::domain::Certificate;

/// Who signed a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signer {
    /// Its own key.
    Itself,
    /// Another key, whatever the names say.
    Another,
    /// Its own key by names and key identifiers, and the signature does not verify: it is damaged or was edited.
    Nobody,
}

/// Who signed it by names and key identifiers alone.
pub(super) fn claimed(certificate: &X509Certificate<'_>) -> Signer {
    if is_self_issued(certificate) && !names_another_key(certificate) {
        Signer::Itself
    } else {
        Signer::Another
    }
}

/// Who signed it, by its signature where it can be verified.
pub(super) fn verified(certificate: &X509Certificate<'_>, key: &PublicKey<'_>) -> Signer {
    if !is_self_issued(certificate) {
        return Signer::Another;
    }
    match (
        signature::verify(certificate, certificate.public_key(), key),
        claimed(certificate),
    ) {
        (Verdict::Fits, _) => Signer::Itself,
        (Verdict::DoesNotFit, Signer::Itself) => Signer::Nobody,
        (_, claimed) => claimed,
    }
}

/// Whether the issuer's key verifies the certificate's signature, and its subject is the certificate's issuer.
pub(super) fn signed_by(certificate: &Certificate, issuer: &Certificate) -> bool {
    let (Ok((b"", certificate)), Ok((b"", issuer))) = (
        X509Certificate::from_der(certificate.der()),
        X509Certificate::from_der(issuer.der()),
    ) else {
        return false;
    };
    let key = PublicKey::of(issuer.public_key());
    certificate.issuer().as_raw() == issuer.subject().as_raw()
        && signature::verify(&certificate, issuer.public_key(), &key) == Verdict::Fits
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// Whether its authority key identifier is another key's or another certificate's.
fn names_another_key(certificate: &X509Certificate<'_>) -> bool {
    let extensions = || certificate.extensions().iter();
    let authority = extensions().find_map(|it| match it.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(authority) => Some(authority),
        _ => None,
    });
    let Some(authority) = authority else {
        return false;
    };
    let own = extensions().find_map(|it| match it.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(own) => Some(own.0),
        _ => None,
    });
    let is_other_key = authority.key_identifier.as_ref().is_some_and(|it| {
        let of_key = || Sha1::digest(&certificate.public_key().subject_public_key.data);
        own.map_or_else(|| it.0 != of_key().as_slice(), |own| it.0 != own)
    });
    let serial = authority.authority_cert_serial;
    is_other_key || serial.is_some_and(|it| it != certificate.raw_serial())
}
