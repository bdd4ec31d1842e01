//! Signature algorithms, and whether a certificate's own signature fits its own key.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use num_bigint::BigUint;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::AlgorithmIdentifier;
use x509_parser::signature_algorithm::RsaSsaPssParams;

use super::public_key::{Curve, PublicKey};
use crate::domain::SignatureHash;

/// What a signature algorithm's identifier says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scheme {
    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2).
    Pkcs1(SignatureHash),
    /// RSASSA-PSS (RFC 8017, 8.1) with salt and mask of the same digest; `Other` for any other mix.
    Pss(SignatureHash),
    /// ECDSA (RFC 5758, 3.2).
    Ecdsa(SignatureHash),
    /// Over MD2, MD4 or MD5: anybody can make one.
    Forgeable,
    /// Anything else.
    Unknown,
}

/// What came of verifying a certificate with its own key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is self-signed.
    Fits,
    /// It was changed since, or signed by another key.
    DoesNotFit,
    /// This combination cannot be verified here: P-521, rare digests.
    Unverifiable,
}

/// The digest inside.
pub(super) fn hash(algorithm: &AlgorithmIdentifier<'_>) -> SignatureHash {
    match scheme(algorithm) {
        Scheme::Pkcs1(hash) | Scheme::Pss(hash) | Scheme::Ecdsa(hash) => hash,
        Scheme::Forgeable | Scheme::Unknown => SignatureHash::Other,
    }
}

/// Whether the digest is broken so far that a signature over it says nothing.
pub(super) fn is_forgeable(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    scheme(algorithm) == Scheme::Forgeable
}

/// Verifies a certificate with its own key.
pub(super) fn verify_with_own_key(
    certificate: &X509Certificate<'_>,
    key: &PublicKey<'_>,
) -> Verdict {
    let algorithm = match verifier(&certificate.signature_algorithm, key) {
        Ok(algorithm) => algorithm,
        Err(verdict) => return verdict,
    };
    let key = UnparsedPublicKey::new(algorithm, &certificate.public_key().subject_public_key.data);
    let signed = certificate.tbs_certificate.as_ref();
    match key.verify(signed, &certificate.signature_value.data) {
        Ok(()) => Verdict::Fits,
        Err(_) => Verdict::DoesNotFit,
    }
}

/// Whether [`verify_with_own_key`] would have to say `Unverifiable`.
pub(super) fn is_unverifiable(algorithm: &AlgorithmIdentifier<'_>, key: &PublicKey<'_>) -> bool {
    matches!(verifier(algorithm, key), Err(Verdict::Unverifiable))
}

fn verifier(
    algorithm: &AlgorithmIdentifier<'_>,
    key: &PublicKey<'_>,
) -> Result<&'static dyn VerificationAlgorithm, Verdict> {
    use SignatureHash::{Sha1, Sha256, Sha384, Sha512};
    // The library takes exponents below 2^33.
    if matches!(key, PublicKey::Rsa(key) if key.exponent >= BigUint::from(1_u64 << 33)) {
        return Err(Verdict::Unverifiable);
    }
    Ok(match (scheme(algorithm), key) {
        (Scheme::Pkcs1(Sha1), PublicKey::Rsa(_)) => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (Scheme::Pkcs1(Sha256), PublicKey::Rsa(_)) => &RSA_PKCS1_2048_8192_SHA256,
        (Scheme::Pkcs1(Sha384), PublicKey::Rsa(_)) => &RSA_PKCS1_2048_8192_SHA384,
        (Scheme::Pkcs1(Sha512), PublicKey::Rsa(_)) => &RSA_PKCS1_2048_8192_SHA512,
        (Scheme::Pss(Sha256), PublicKey::Rsa(_)) => &RSA_PSS_2048_8192_SHA256,
        (Scheme::Pss(Sha384), PublicKey::Rsa(_)) => &RSA_PSS_2048_8192_SHA384,
        (Scheme::Pss(Sha512), PublicKey::Rsa(_)) => &RSA_PSS_2048_8192_SHA512,
        (
            Scheme::Ecdsa(Sha256),
            PublicKey::Ec {
                curve: Curve::P256, ..
            },
        ) => &ECDSA_P256_SHA256_ASN1,
        (
            Scheme::Ecdsa(Sha384),
            PublicKey::Ec {
                curve: Curve::P256, ..
            },
        ) => &ECDSA_P256_SHA384_ASN1,
        (
            Scheme::Ecdsa(Sha256),
            PublicKey::Ec {
                curve: Curve::P384, ..
            },
        ) => &ECDSA_P384_SHA256_ASN1,
        (
            Scheme::Ecdsa(Sha384),
            PublicKey::Ec {
                curve: Curve::P384, ..
            },
        ) => &ECDSA_P384_SHA384_ASN1,
        (Scheme::Pkcs1(_) | Scheme::Pss(_), PublicKey::Ec { .. })
        | (Scheme::Ecdsa(_), PublicKey::Rsa(_))
        | (Scheme::Forgeable, _) => return Err(Verdict::DoesNotFit),
        _ => return Err(Verdict::Unverifiable),
    })
}

fn scheme(algorithm: &AlgorithmIdentifier<'_>) -> Scheme {
    use SignatureHash::{Other, Sha1, Sha256, Sha384, Sha512};
    match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.2"
        | "1.2.840.113549.1.1.3"
        | "1.2.840.113549.1.1.4"
        | "1.3.14.3.2.2"
        | "1.3.14.3.2.3"
        | "1.3.14.3.2.4" => Scheme::Forgeable,
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => Scheme::Pkcs1(Sha1),
        "1.2.840.113549.1.1.11" => Scheme::Pkcs1(Sha256),
        "1.2.840.113549.1.1.12" => Scheme::Pkcs1(Sha384),
        "1.2.840.113549.1.1.13" => Scheme::Pkcs1(Sha512),
        "1.2.840.113549.1.1.14" | "1.2.840.113549.1.1.15" | "1.2.840.113549.1.1.16" => {
            Scheme::Pkcs1(Other)
        }
        "1.2.840.113549.1.1.10" => Scheme::Pss(pss_hash(algorithm)),
        "1.2.840.10045.4.1" => Scheme::Ecdsa(Sha1),
        "1.2.840.10045.4.3.2" => Scheme::Ecdsa(Sha256),
        "1.2.840.10045.4.3.3" => Scheme::Ecdsa(Sha384),
        "1.2.840.10045.4.3.4" => Scheme::Ecdsa(Sha512),
        "1.2.840.10045.4.3.1" => Scheme::Ecdsa(Other),
        _ => Scheme::Unknown,
    }
}

/// The digest of RSASSA-PSS, if mask and salt go with it as everybody writes them.
fn pss_hash(algorithm: &AlgorithmIdentifier<'_>) -> SignatureHash {
    let Some(parameters) = algorithm
        .parameters
        .as_ref()
        .and_then(|it| RsaSsaPssParams::try_from(it).ok())
    else {
        return SignatureHash::Other;
    };
    let same_mask = parameters
        .mask_gen_algorithm()
        .is_ok_and(|it| it.hash == *parameters.hash_algorithm_oid());
    let digest = parameters.hash_algorithm_oid().to_id_string();
    match (digest.as_str(), parameters.salt_length()) {
        ("2.16.840.1.101.3.4.2.1", 32) if same_mask => SignatureHash::Sha256,
        ("2.16.840.1.101.3.4.2.2", 48) if same_mask => SignatureHash::Sha384,
        ("2.16.840.1.101.3.4.2.3", 64) if same_mask => SignatureHash::Sha512,
        _ => SignatureHash::Other,
    }
}
