//! Which certificates are fit for upload: a table of checks, and a table of remarks. Neither looks at a clock.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use num_bigint::BigUint;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_parser::extensions::GeneralName;

use super::der::{self, Reading, not_der};
use super::public_key::PublicKey;
use super::signature;
use super::signer::{self, Signer};
use super::weak;
use crate::domain::{Certificate, Reason, Refusal, RefusedCertificate, Remark, SignatureHash};

/// 21 years, leap days included: a quarter of sound identity providers' certificates is valid for 20.
const LONG_VALIDITY_SECS: u64 = (21 * 365 + 6) * 86_400;

type Check = fn(&Facts<'_>) -> Result<(), Refusal>;
type Notice = fn(&Facts<'_>) -> bool;

/// What a certificate must be whatever anybody says, in the order in which a person should hear of it.
const CHECKS: &[Check] = &[
    serial_is_short,
    version_fits_its_fields,
    each_extension_is_there_once,
    known_extensions_can_be_read,
    begins_before_it_ends,
    key_is_of_a_documented_kind,
    key_cannot_be_computed,
    signature_algorithm_is_named_once_and_known,
    own_signature_fits,
];

/// What a certificate should be in our judgement, which the operator's pin overrules. None of them says that somebody else
/// than the provider could hold its key.
const JUDGEMENTS: &[Check] = &[
    key_is_long_enough,
    digest_is_sound,
    is_no_issuer,
    is_no_root,
    may_sign,
];

/// What a person should know of a certificate that passed.
const NOTICES: &[(Remark, Notice)] = &[
    (Remark::Sha1Signature, |it| {
        it.is_self_signed() && it.hash() == SignatureHash::Sha1
    }),
    (
        Remark::SmallExponent,
        |it| matches!(&it.key, PublicKey::Rsa(key) if key.exponent < BigUint::from(65_537_u32)),
    ),
    (Remark::LongValidity, is_valid_for_long),
    (Remark::EncryptionOnly, |it| {
        it.is_self_signed() && it.forbids_signing()
    }),
    (Remark::WebServer, is_for_a_web_server),
    (
        Remark::UnknownCriticalExtension,
        has_unknown_critical_extension,
    ),
    (Remark::OddSerial, has_odd_serial),
    (Remark::UnverifiedSignature, |it| {
        it.is_self_signed()
            && signature::is_unverifiable(&it.reading.parsed.signature_algorithm, &it.key)
    }),
];

/// The certificate, if it is fit for upload.
pub(super) fn judge(reading: &Reading<'_>) -> Result<Certificate, Box<RefusedCertificate>> {
    let facts = Facts::of(reading);
    let first = |checks: &[Check]| checks.iter().find_map(|check| check(&facts).err());
    let fault = first(CHECKS);
    let pin_passes = fault.is_none();
    let refusal = fault.or_else(|| first(JUDGEMENTS));
    let certificate = facts.certificate();
    match refusal {
        None => Ok(certificate),
        Some(mut refusal) => {
            if pin_passes {
                let pin = format!("pins = [\"{}\"]", certificate.fingerprint());
                refusal = refusal
                    .help("if it is the right one all the same, in [integrations.NAME.trust]:")
                    .help(pin);
            }
            Err(Box::new(RefusedCertificate {
                refusal,
                certificate: Some(certificate),
                pin_passes,
            }))
        }
    }
}

/// The certificate, fit or not; its signature is not verified.
pub(super) fn with_remarks(reading: &Reading<'_>) -> Certificate {
    let facts = Facts::of(reading);
    facts
        .signer
        .get_or_init(|| signer::claimed(&reading.parsed));
    facts.certificate()
}

fn remarks(facts: &Facts<'_>) -> Vec<Remark> {
    NOTICES
        .iter()
        .filter(|(_, notice)| notice(facts))
        .map(|(remark, _)| *remark)
        .collect()
}

/// What the checks look at: the reading, and what is read from it once.
struct Facts<'a> {
    reading: &'a Reading<'a>,
    key: PublicKey<'a>,
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Option<ExtendedKeyUsage>,
    unreadable_extension: bool,
    signer: OnceCell<Signer>,
}

impl<'a> Facts<'a> {
    fn of(reading: &'a Reading<'a>) -> Self {
        let tbs = &reading.strict.tbs_certificate;
        let basic_constraints = tbs.get::<BasicConstraints>();
        let key_usage = tbs.get::<KeyUsage>();
        let extended_key_usage = tbs.get::<ExtendedKeyUsage>();
        Self {
            reading,
            key: PublicKey::of(reading.parsed.public_key()),
            unreadable_extension: basic_constraints.is_err()
                || key_usage.is_err()
                || extended_key_usage.is_err(),
            basic_constraints: basic_constraints.ok().flatten().map(|it| it.1),
            key_usage: key_usage.ok().flatten().map(|it| it.1),
            extended_key_usage: extended_key_usage.ok().flatten().map(|it| it.1),
            signer: OnceCell::new(),
        }
    }

    fn certificate(&self) -> Certificate {
        let is_self_signed = self.is_self_signed();
        self.reading.certificate(is_self_signed, remarks(self))
    }

    fn signer(&self) -> Signer {
        *self
            .signer
            .get_or_init(|| signer::verified(&self.reading.parsed, &self.key))
    }

    fn is_self_signed(&self) -> bool {
        self.signer() == Signer::Itself
    }

    fn hash(&self) -> SignatureHash {
        signature::hash(&self.reading.parsed.signature_algorithm)
    }

    fn is_ca(&self) -> bool {
        self.basic_constraints.as_ref().is_some_and(|it| it.ca)
    }

    fn forbids_signing(&self) -> bool {
        self.key_usage
            .as_ref()
            .is_some_and(|it| !it.digital_signature() && !it.non_repudiation())
    }
}

fn serial_is_short(facts: &Facts<'_>) -> Result<(), Refusal> {
    der::odd_serial(facts.reading.parsed.raw_serial()).map_or(Ok(()), |it| Err(not_der(it)))
}

fn version_fits_its_fields(facts: &Facts<'_>) -> Result<(), Refusal> {
    let version = facts.reading.parsed.version().0;
    if version < 2 && facts.reading.strict.tbs_certificate.extensions.is_some() {
        let found = format!(
            "version {} with extensions, which only version 3 has",
            version + 1
        );
        return Err(not_der(found));
    }
    Ok(())
}

fn each_extension_is_there_once(facts: &Facts<'_>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    let extensions = facts.reading.parsed.extensions();
    if extensions.iter().all(|it| seen.insert(it.oid.as_bytes())) {
        Ok(())
    } else {
        Err(not_der("an extension is there twice"))
    }
}

fn known_extensions_can_be_read(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.unreadable_extension {
        return Err(not_der(
            "an extension that says what the key is for cannot be read",
        ));
    }
    Ok(())
}

fn begins_before_it_ends(facts: &Facts<'_>) -> Result<(), Refusal> {
    let validity = facts.reading.validity();
    if validity.not_after < validity.not_before {
        let (begin, end) = (validity.not_before.date(), validity.not_after.date());
        let found = format!("ends before it begins ({begin} to {end})");
        return Err(Refusal::new(Reason::Validity, found));
    }
    Ok(())
}

fn key_is_of_a_documented_kind(facts: &Facts<'_>) -> Result<(), Refusal> {
    let refuse = |found: String| Err(Refusal::new(Reason::KeyType, found));
    match &facts.key {
        PublicKey::Rsa(_) => Ok(()),
        PublicKey::Ec { curve, point } => curve
            .fault(point)
            .map_or(Ok(()), |it| refuse(it.to_owned())),
        PublicKey::Other(kind) => refuse(format!(
            "{kind}; SendGrid's documentation knows RSA and ECDSA"
        )),
        PublicKey::Broken(found) => Err(not_der(*found)),
    }
}

fn key_cannot_be_computed(facts: &Facts<'_>) -> Result<(), Refusal> {
    match &facts.key {
        PublicKey::Rsa(key) => {
            weak::weakness(key).map_or(Ok(()), |found| Err(Refusal::new(Reason::WeakKey, found)))
        }
        _ => Ok(()),
    }
}

fn signature_algorithm_is_named_once_and_known(facts: &Facts<'_>) -> Result<(), Refusal> {
    let refuse = |found: &str| Err(Refusal::new(Reason::Signature, found));
    let strict = &facts.reading.strict;
    if strict.signature_algorithm != strict.tbs_certificate.signature {
        return refuse("it names two different signature algorithms");
    }
    if signature::is_older_than_md5(&facts.reading.parsed.signature_algorithm) {
        return refuse(FORGEABLE);
    }
    if facts.reading.parsed.signature_value.unused_bits != 0 {
        return Err(not_der("its signature is no whole number of bytes"));
    }
    Ok(())
}

/// What is said of MD5 and its elders.
const FORGEABLE: &str = "signed over MD5 or older, which anybody can forge";

fn own_signature_fits(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.signer() == Signer::Nobody {
        return Err(Refusal::new(
            Reason::Signature,
            "its own signature does not fit: a bit was flipped or it was edited",
        )
        .help("download it again from the identity provider"));
    }
    Ok(())
}

fn key_is_long_enough(facts: &Facts<'_>) -> Result<(), Refusal> {
    match &facts.key {
        PublicKey::Rsa(key) if weak::is_short(key) => {
            Err(Refusal::new(Reason::WeakKey, weak::too_short(key)))
        }
        _ => Ok(()),
    }
}

fn digest_is_sound(facts: &Facts<'_>) -> Result<(), Refusal> {
    if signature::is_md5(&facts.reading.parsed.signature_algorithm) {
        return Err(Refusal::new(Reason::Signature, FORGEABLE));
    }
    Ok(())
}

/// A CA's certificate that signs itself is normal here: `openssl req -x509` makes them.
fn is_no_issuer(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.is_ca() && !facts.is_self_signed() {
        let found = "an issuer's (CA:TRUE, signed by another), not the signing certificate";
        return Err(Refusal::new(Reason::CaCertificate, found));
    }
    Ok(())
}

/// Who holds a root's key could sign in, and issue whatever signs in. An identity provider's own certificate is told from a
/// root by what it may sign: 94 of Mozilla's 137 roots and 1 of 638 identity providers may sign certificates alone.
fn is_no_root(facts: &Facts<'_>) -> Result<(), Refusal> {
    let signs_certificates = facts
        .key_usage
        .as_ref()
        .is_some_and(KeyUsage::key_cert_sign);
    if facts.is_ca() && signs_certificates && facts.forbids_signing() {
        let found =
            "a root's (CA:TRUE, its key may sign certificates alone), not the signing certificate";
        return Err(Refusal::new(Reason::CaCertificate, found));
    }
    Ok(())
}

fn may_sign(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.forbids_signing() && !facts.is_self_signed() {
        return Err(Refusal::new(Reason::KeyUsage, "for encryption only")
            .help("the metadata names two; take the one with use=\"signing\""));
    }
    Ok(())
}

fn is_valid_for_long(facts: &Facts<'_>) -> bool {
    let validity = facts.reading.validity();
    validity.left(validity.not_before).as_secs() > LONG_VALIDITY_SECS
}

fn is_for_a_web_server(facts: &Facts<'_>) -> bool {
    /// id-kp-serverAuth (RFC 5280, 4.2.1.12).
    const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
    let for_servers = facts
        .extended_key_usage
        .as_ref()
        .is_some_and(|it| it.0.iter().any(|oid| oid.to_string() == SERVER_AUTH));
    let subject_alt_name = facts.reading.parsed.subject_alternative_name();
    let has_dns_name = subject_alt_name.ok().flatten().is_some_and(|it| {
        let mut names = it.value.general_names.iter();
        names.any(|name| matches!(name, GeneralName::DNSName(_)))
    });
    for_servers && has_dns_name
}

fn has_unknown_critical_extension(facts: &Facts<'_>) -> bool {
    /// The extensions of RFC 5280, 4.2 that may be critical.
    const KNOWN: [&str; 11] = [
        "2.5.29.14",
        "2.5.29.15",
        "2.5.29.17",
        "2.5.29.18",
        "2.5.29.19",
        "2.5.29.30",
        "2.5.29.31",
        "2.5.29.32",
        "2.5.29.35",
        "2.5.29.36",
        "2.5.29.37",
    ];
    facts
        .reading
        .parsed
        .extensions()
        .iter()
        .any(|it| it.critical && !KNOWN.contains(&it.oid.to_id_string().as_str()))
}

fn has_odd_serial(facts: &Facts<'_>) -> bool {
    match facts.reading.parsed.raw_serial() {
        [0x80..=0xff, ..] => true,
        serial => serial.iter().all(|it| *it == 0),
    }
}
