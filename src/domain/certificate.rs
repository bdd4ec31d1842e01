//! One X.509 certificate of an identity provider, as values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{Clocks, Fingerprint, Reason, Thumbprint, Timestamp};

/// How far ahead of our clock a start may lie and still count as begun: clocks differ.
const START_SKEW: Duration = Duration::from_secs(600);

/// When a certificate is valid: the closed interval `not_before ..= not_after` (RFC 5280, 4.1.2.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Validity {
    /// The first second.
    pub not_before: Timestamp,
    /// The last second.
    pub not_after: Timestamp,
}

impl Validity {
    /// Whether the last second has passed, by every clock that may be right.
    pub fn is_over(&self, now: impl Into<Clocks>) -> bool {
        now.into().both(|it| self.is_over_at(it))
    }

    /// Whether the first second is still to come, by every clock that may be right and more than ten minutes.
    pub fn is_ahead(&self, now: impl Into<Clocks>) -> bool {
        now.into().both(|it| self.is_ahead_at(it))
    }

    /// Whether it has begun and is not over, by a clock that may be right.
    pub fn is_valid(&self, now: impl Into<Clocks>) -> bool {
        now.into()
            .either(|it| !self.is_over_at(it) && !self.is_ahead_at(it))
    }

    /// How long it lasts from `now` on; zero when it is over.
    pub fn left(&self, now: impl Into<Clocks>) -> Duration {
        now.into().left_until(self.not_after)
    }

    fn is_over_at(&self, now: Timestamp) -> bool {
        self.not_after.as_secs() < now.as_secs()
    }

    fn is_ahead_at(&self, now: Timestamp) -> bool {
        self.not_before > now.plus(START_SKEW)
    }
}

/// SHA-256 of a `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7): which *key* a certificate wraps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKeyId([u8; 32]);

impl PublicKeyId {
    /// The id of this key's DER.
    pub fn of(subject_public_key_info: &[u8]) -> Self {
        Self(Sha256::digest(subject_public_key_info).into())
    }

    /// Takes the 32 bytes of a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// All 64 digits.
    pub fn hex(&self) -> String {
        super::fingerprint::hex(&self.0)
    }

    /// Reads what [`PublicKeyId::hex`] wrote.
    pub fn parse(raw: &str) -> Option<Self> {
        let digest = Fingerprint::parse(raw).ok()?;
        Some(Self(*digest.as_bytes()))
    }
}

impl fmt::Debug for PublicKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "key:{}",
            super::fingerprint::hex(self.0.get(..4).unwrap_or_default())
        )
    }
}

/// Which key a certificate carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyAlgorithm {
    /// RSA with this many bits of modulus.
    Rsa(usize),
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Anything else; only a certificate that SendGrid lists can carry it here.
    Other,
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::P256 => f.write_str("ECDSA P-256"),
            Self::P384 => f.write_str("ECDSA P-384"),
            Self::P521 => f.write_str("ECDSA P-521"),
            Self::Other => f.write_str("of an unusual kind"),
        }
    }
}

/// The digest inside a certificate's signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignatureHash {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// Another one.
    Other,
}

impl fmt::Display for SignatureHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Other => "of an unusual kind",
        })
    }
}

/// Something a person should know about a certificate that is accepted all the same.
///
/// Remarks never depend on the clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Remark {
    /// Its own signature is SHA-1.
    Sha1Signature,
    /// An RSA exponent below 65537.
    SmallExponent,
    /// Valid for more than 21 years.
    LongValidity,
    /// Self-signed, with a key usage that allows no signatures.
    EncryptionOnly,
    /// An extended key usage for web servers, with DNS names.
    WebServer,
    /// A critical extension that nobody here knows.
    UnknownCriticalExtension,
    /// A serial number that is zero or negative.
    OddSerial,
    /// A self-signature that cannot be verified here: RSA with a rare digest, mask or exponent, or an algorithm of neither
    /// PKCS #1 nor ECDSA.
    UnverifiedSignature,
    /// It issued this other certificate of the source as well.
    AlsoIssued(Fingerprint),
    /// It would be refused for this reason, and the operator's pin admits it.
    Pinned(Reason),
}

impl Remark {
    /// The word in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sha1Signature => "sha1_signature",
            Self::SmallExponent => "small_exponent",
            Self::LongValidity => "long_validity",
            Self::EncryptionOnly => "encryption_only",
            Self::WebServer => "web_server",
            Self::UnknownCriticalExtension => "unknown_critical_extension",
            Self::OddSerial => "odd_serial",
            Self::UnverifiedSignature => "unverified_signature",
            Self::AlsoIssued(_) => "also_issued",
            Self::Pinned(_) => "pinned",
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlsoIssued(other) => {
                return write!(
                    f,
                    "it also issued {} of this source: whoever holds its key can sign in and issue more",
                    other.short()
                );
            }
            Self::Pinned(reason) => {
                return write!(f, "would be refused ({reason}); accepted by its pin in trust.pins");
            }
            Self::Sha1Signature => {
                "SHA-1 self-signature: harmless in SAML, but the certificate is old; is it the current one?"
            }
            Self::SmallExponent => "RSA with a public exponent below 65537: unusual, still safe",
            Self::LongValidity => "valid for more than 21 years: nobody will remember how it was made when it ends",
            Self::EncryptionOnly => "its key usage allows no signatures: is this the encryption certificate?",
            Self::WebServer => "made for a web server (serverAuth with DNS names): is this the signing certificate?",
            Self::UnknownCriticalExtension => "a critical extension that is not known here",
            Self::OddSerial => "its serial number is zero or negative",
            Self::UnverifiedSignature => "its self-signature is of a rare kind (RSA over SHA-224, for one) and was not verified",
        })
    }
}

/// Everything a [`Certificate`] is made from: read once from its DER by `intake`.
#[derive(Clone, Debug)]
pub struct CertificateParts<'a> {
    /// The exact bytes.
    pub der: &'a [u8],
    /// The `SubjectPublicKeyInfo` inside them.
    pub subject_public_key_info: &'a [u8],
    /// The validity inside them.
    pub validity: Validity,
    /// The subject as RFC 4514 text, as foreign as it came.
    pub subject: String,
    /// The issuer, likewise.
    pub issuer: String,
    /// Whether its own key signed it.
    pub self_signed: bool,
    /// Whether it may issue others: `CA:TRUE`, or version 1, which cannot say.
    pub may_issue: bool,
    /// The serial's content octets.
    pub serial: &'a [u8],
    /// Which key.
    pub key: KeyAlgorithm,
    /// Which digest its signature uses.
    pub signature: SignatureHash,
    /// What a person should know.
    pub remarks: Vec<Remark>,
}

/// One certificate. Its identity is the fingerprint of its DER; all else here is derived from the same bytes.
#[derive(Clone)]
pub struct Certificate {
    der: Arc<[u8]>,
    fingerprint: Fingerprint,
    key_id: PublicKeyId,
    validity: Validity,
    subject: String,
    issuer: String,
    self_signed: bool,
    may_issue: bool,
    serial: String,
    key: KeyAlgorithm,
    signature: SignatureHash,
    remarks: Vec<Remark>,
}

impl Certificate {
    /// Puts together what `intake` read from one DER. Names are made safe to show here, once.
    pub fn new(parts: CertificateParts<'_>) -> Self {
        use super::text::{NAME_LENGTH, printable};
        let serial: Vec<String> = parts
            .serial
            .iter()
            .take(21)
            .map(|it| format!("{it:02X}"))
            .collect();
        Self {
            der: parts.der.into(),
            fingerprint: Fingerprint::of(parts.der),
            key_id: PublicKeyId::of(parts.subject_public_key_info),
            validity: parts.validity,
            subject: printable(&parts.subject, NAME_LENGTH),
            issuer: printable(&parts.issuer, NAME_LENGTH),
            self_signed: parts.self_signed,
            may_issue: parts.may_issue,
            serial: serial.join(":"),
            key: parts.key,
            signature: parts.signature,
            remarks: parts.remarks,
        }
    }

    /// The exact bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the DER.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// SHA-1 of the DER, as Entra and AD FS show it.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.der)
    }

    /// Which key it wraps.
    pub const fn key_id(&self) -> PublicKeyId {
        self.key_id
    }

    /// When it is valid.
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// The subject, safe to show.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The issuer, safe to show.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether its own key signed it: verified where it was judged for upload, else by its names and key identifiers.
    pub const fn self_signed(&self) -> bool {
        self.self_signed
    }

    /// Whether it may issue others: `CA:TRUE`, or version 1, which cannot say (RFC 5280, 4.2.1.9).
    pub const fn may_issue(&self) -> bool {
        self.may_issue
    }

    /// The serial as `01:95:56`; shown, never compared.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Which kind of key it carries.
    pub const fn key(&self) -> KeyAlgorithm {
        self.key
    }

    /// Which digest its signature uses.
    pub const fn signature(&self) -> SignatureHash {
        self.signature
    }

    /// What a person should know about it.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// The same certificate with one more remark.
    #[must_use]
    pub fn remarked(mut self, remark: Remark) -> Self {
        self.remarks.push(remark);
        self
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_validity_belong_to_it() {
        let validity = Validity {
            not_before: Timestamp::from_secs(10_000),
            not_after: Timestamp::from_secs(20_000),
        };
        assert!(validity.is_valid(Timestamp::from_secs(10_000)));
        assert!(validity.is_valid(Timestamp::from_millis(20_000_999)));
        assert!(validity.is_over(Timestamp::from_secs(20_001)));
        assert!(validity.is_ahead(Timestamp::from_secs(9_399)));
        assert!(
            !validity.is_ahead(Timestamp::from_secs(9_400)),
            "ten minutes of skew"
        );
    }
}
