//! Signature algorithms, and whether a certificate's signature fits a key.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1,
    EcdsaVerificationAlgorithm, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPssSaltLength, VerificationAlgorithm as _,
};
use num_bigint::BigUint;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::{AlgorithmIdentifier, SubjectPublicKeyInfo};
use x509_parser::signature_algorithm::RsaSsaPssParams;

use super::public_key::{Curve, PublicKey};
use crate::domain::SignatureHash;

/// What a signature algorithm's identifier says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scheme {
    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2).
    Pkcs1(SignatureHash),
    /// RSASSA-PSS (RFC 8017, 8.1) with a salt of so many bytes; `Other` if the mask has another digest.
    Pss(SignatureHash, u16),
    /// ECDSA (RFC 5758, 3.2).
    Ecdsa(SignatureHash),
    /// Over MD2, MD4 or MD5: anybody can make one.
    Forgeable {
        /// Over MD5, the youngest of them.
        is_md5: bool,
    },
    /// Anything else.
    Unknown,
}

/// What came of verifying a certificate with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// That key signed it.
    Fits,
    /// It was changed since, or signed by another key.
    DoesNotFit,
    /// It cannot be verified here, which leaves RSA whose exponent has more than 33 bits, with less than 2048 bits over
    /// SHA-384 or as RSASSA-PSS, over SHA-224, a shortened SHA-512 or MD5, or as RSASSA-PSS over SHA-1, with two digests or
    /// without parameters; and any algorithm that is none of PKCS #1's and ECDSA's, such as one over SHA-3.
    Unverifiable,
}

/// The digest inside.
pub(super) fn hash(algorithm: &AlgorithmIdentifier<'_>) -> SignatureHash {
    match scheme(algorithm) {
        Scheme::Pkcs1(hash) | Scheme::Pss(hash, _) | Scheme::Ecdsa(hash) => hash,
        Scheme::Forgeable { .. } | Scheme::Unknown => SignatureHash::Other,
    }
}

/// Whether the digest is MD5: a signature over it says nothing, and a pin can do without it.
pub(super) fn is_md5(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    scheme(algorithm) == Scheme::Forgeable { is_md5: true }
}

/// Whether the digest is older than MD5.
pub(super) fn is_older_than_md5(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    scheme(algorithm) == Scheme::Forgeable { is_md5: false }
}

/// Verifies a certificate with a key, as it stands in a certificate and as it was read from there.
pub(super) fn verify(
    certificate: &X509Certificate<'_>,
    info: &SubjectPublicKeyInfo<'_>,
    key: &PublicKey<'_>,
) -> Verdict {
    let verifier = match verifier(&certificate.signature_algorithm, key) {
        Ok(verifier) => verifier,
        Err(verdict) => return verdict,
    };
    let key = &info.subject_public_key.data;
    let signed = certificate.tbs_certificate.as_ref();
    let signature = &certificate.signature_value.data;
    let verified = match verifier {
        Verifier::Rsa(parameters) => parameters.verify_sig(key, signed, signature),
        Verifier::Ecdsa(curve, hash) => shaped_digest(hash, signed, curve)
            .and_then(|digest| ecdsa(curve).0.verify_digest_sig(key, &digest, signature)),
    };
    if verified.is_ok() {
        Verdict::Fits
    } else {
        Verdict::DoesNotFit
    }
}

/// Whether [`verify`] would have to say `Unverifiable`.
pub(super) fn is_unverifiable(algorithm: &AlgorithmIdentifier<'_>, key: &PublicKey<'_>) -> bool {
    matches!(verifier(algorithm, key), Err(Verdict::Unverifiable))
}

/// The shortest RSA key that the library verifies over any digest, in bits.
const USUAL_BITS: usize = 2048;

/// How a signature is verified.
enum Verifier {
    Rsa(RsaParameters),
    Ecdsa(Curve, &'static digest::Algorithm),
}

fn verifier(algorithm: &AlgorithmIdentifier<'_>, key: &PublicKey<'_>) -> Result<Verifier, Verdict> {
    use SignatureHash::{Other, Sha1, Sha224, Sha256, Sha384, Sha512};
    // The library takes exponents below 2^33.
    if matches!(key, PublicKey::Rsa(key) if key.exponent >= BigUint::from(1_u64 << 33)) {
        return Err(Verdict::Unverifiable);
    }
    Ok(match (scheme(algorithm), key) {
        // Whether a key is too short is judged elsewhere: the library's usual limit of 2048 bits would call the signature of a
        // shorter one wrong.
        (Scheme::Pkcs1(hash), PublicKey::Rsa(key)) => Verifier::Rsa(match hash {
            Sha1 => RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Sha256 => RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            Sha384 if key.bits() >= USUAL_BITS => RSA_PKCS1_2048_8192_SHA384,
            Sha512 => RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
            Sha224 | Sha384 | Other => return Err(Verdict::Unverifiable),
        }),
        (Scheme::Pss(hash, salt), PublicKey::Rsa(key)) if key.bits() >= USUAL_BITS => {
            let parameters = match hash {
                Sha256 => RSA_PSS_2048_8192_SHA256,
                Sha384 => RSA_PSS_2048_8192_SHA384,
                Sha512 => RSA_PSS_2048_8192_SHA512,
                Sha1 | Sha224 | Other => return Err(Verdict::Unverifiable),
            };
            Verifier::Rsa(parameters.with_pss_salt_length(RsaPssSaltLength::Custom(salt)))
        }
        (Scheme::Ecdsa(hash), PublicKey::Ec { curve, .. }) => {
            let hash = match hash {
                Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
                Sha224 => &digest::SHA224,
                Sha256 => &digest::SHA256,
                Sha384 => &digest::SHA384,
                Sha512 => &digest::SHA512,
                Other => return Err(Verdict::Unverifiable),
            };
            Verifier::Ecdsa(*curve, hash)
        }
        (Scheme::Pkcs1(_) | Scheme::Pss(..), PublicKey::Ec { .. })
        | (Scheme::Ecdsa(_), PublicKey::Rsa(_)) => return Err(Verdict::DoesNotFit),
        _ => return Err(Verdict::Unverifiable),
    })
}

/// The library's verifier for a curve, and the one digest that it takes.
fn ecdsa(
    curve: Curve,
) -> (
    &'static EcdsaVerificationAlgorithm,
    &'static digest::Algorithm,
) {
    match curve {
        Curve::P256 => (&ECDSA_P256_SHA256_ASN1, &digest::SHA256),
        Curve::P384 => (&ECDSA_P384_SHA384_ASN1, &digest::SHA384),
        Curve::P521 => (&ECDSA_P521_SHA512_ASN1, &digest::SHA512),
    }
}

/// The digest of a message, in the shape of the one that the curve's verifier takes. ECDSA reads the first bits of any
/// digest, as many as the curve's order has, as a number (FIPS 186-5, 6.4.2): a longer one is cut behind, and a shorter
/// one is the same number with zeros before it.
fn shaped_digest(
    hash: &'static digest::Algorithm,
    message: &[u8],
    curve: Curve,
) -> Result<Digest, aws_lc_rs::error::Unspecified> {
    let shape = ecdsa(curve).1;
    let digest = digest::digest(hash, message);
    if hash == shape {
        return Ok(digest);
    }
    let bytes = digest.as_ref().iter().take(shape.output_len());
    let zeros = std::iter::repeat_n(0, shape.output_len() - bytes.len());
    let shaped: Vec<u8> = zeros.chain(bytes.copied()).collect();
    Digest::import_less_safe(&shaped, shape)
}

fn scheme(algorithm: &AlgorithmIdentifier<'_>) -> Scheme {
    use SignatureHash::{Other, Sha1, Sha224, Sha256, Sha384, Sha512};
    match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.4" | "1.3.14.3.2.3" => Scheme::Forgeable { is_md5: true },
        "1.2.840.113549.1.1.2" | "1.2.840.113549.1.1.3" | "1.3.14.3.2.2" | "1.3.14.3.2.4" => {
            Scheme::Forgeable { is_md5: false }
        }
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => Scheme::Pkcs1(Sha1),
        "1.2.840.113549.1.1.11" => Scheme::Pkcs1(Sha256),
        "1.2.840.113549.1.1.12" => Scheme::Pkcs1(Sha384),
        "1.2.840.113549.1.1.13" => Scheme::Pkcs1(Sha512),
        "1.2.840.113549.1.1.14" => Scheme::Pkcs1(Sha224),
        "1.2.840.113549.1.1.15" | "1.2.840.113549.1.1.16" => Scheme::Pkcs1(Other),
        "1.2.840.113549.1.1.10" => pss(algorithm),
        "1.2.840.10045.4.1" => Scheme::Ecdsa(Sha1),
        "1.2.840.10045.4.3.2" => Scheme::Ecdsa(Sha256),
        "1.2.840.10045.4.3.3" => Scheme::Ecdsa(Sha384),
        "1.2.840.10045.4.3.4" => Scheme::Ecdsa(Sha512),
        "1.2.840.10045.4.3.1" => Scheme::Ecdsa(Sha224),
        _ => Scheme::Unknown,
    }
}

/// id-mgf1 (RFC 8017, B.2.1).
const MGF1: &str = "1.2.840.113549.1.1.8";

/// What the parameters of RSASSA-PSS say (RFC 8017, A.2.3).
fn pss(algorithm: &AlgorithmIdentifier<'_>) -> Scheme {
    use SignatureHash::{Other, Sha1, Sha224, Sha256, Sha384, Sha512};
    let Some(parameters) = algorithm
        .parameters
        .as_ref()
        .and_then(|it| RsaSsaPssParams::try_from(it).ok())
    else {
        return Scheme::Pss(Other, 0);
    };
    // No key has room for more, so that what claims more does not fit.
    let salt = u16::try_from(parameters.salt_length()).unwrap_or(u16::MAX);
    let digest = parameters.hash_algorithm_oid();
    let same_mask = parameters.trailer_field() == 1
        && parameters
            .mask_gen_algorithm()
            .is_ok_and(|it| it.mgf.to_id_string() == MGF1 && it.hash == *digest);
    let hash = match digest.to_id_string().as_str() {
        "1.3.14.3.2.26" if same_mask => Sha1,
        "2.16.840.1.101.3.4.2.4" if same_mask => Sha224,
        "2.16.840.1.101.3.4.2.1" if same_mask => Sha256,
        "2.16.840.1.101.3.4.2.2" if same_mask => Sha384,
        "2.16.840.1.101.3.4.2.3" if same_mask => Sha512,
        _ => Other,
    };
    Scheme::Pss(hash, salt)
}
