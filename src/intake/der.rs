//! Two readers, written by different people, must find the same certificate in the same bytes, and the stricter one
//! must write back exactly those bytes. Each alone accepts things that the other, or SendGrid, would read otherwise.

use std::borrow::Cow;

use num_bigint::BigUint;
use x509_cert::Certificate as StrictCertificate;
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use x509_cert::time::Time;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::public_key::PublicKey;
use super::signer::{self, Signer};
use super::{name, signature, tlv};
use crate::domain::{Certificate, CertificateParts, Reason, Refusal, Remark, Timestamp, Validity};

/// Octets of a serial number's value (RFC 5280, 4.1.2.2). One more is encoded where the first bit of the value is set,
/// and the sign needs an octet of its own: every second Shibboleth installation has such a serial.
const SERIAL_LIMIT: usize = 20;

/// One certificate as both readers see it.
pub(super) struct Reading<'a> {
    /// The exact bytes.
    pub(super) der: &'a [u8],
    /// What x509-parser reads.
    pub(super) parsed: X509Certificate<'a>,
    /// What x509-cert reads.
    pub(super) strict: StrictCertificate,
}

/// Why there is no reading.
pub(super) enum Unreadable {
    /// The bytes are damaged or no certificate: nothing in their file can be relied on.
    Corrupt(Refusal),
    /// A certificate with one impossible field: the others of its file may be fine.
    Odd(Refusal),
}

impl Unreadable {
    pub(super) fn into_refusal(self) -> Refusal {
        match self {
            Self::Corrupt(refusal) | Self::Odd(refusal) => refusal,
        }
    }
}

impl<'a> Reading<'a> {
    /// Reads exactly one certificate.
    pub(super) fn of(der: &'a [u8]) -> Result<Self, Unreadable> {
        let corrupt = |found: &str| Unreadable::Corrupt(not_der(found));
        frame(der).map_err(Unreadable::Corrupt)?;
        let unread = || {
            odd_field(der).map_or_else(
                || corrupt("it is not one certificate in DER"),
                |found| Unreadable::Odd(not_der(found)),
            )
        };
        let otherwise_written =
            || corrupt("it is not written as DER demands: encoded again it is different");
        let Ok((b"", parsed)) = X509Certificate::from_der(der) else {
            return Err(unread());
        };
        // The strict reader takes the memory that a length claims before it looks whether as much is there.
        if !tlv::is_whole(der) {
            return Err(unread());
        }
        // The strict reader would put them in order, in time that grows with the square of their number.
        let names = [parsed.subject(), parsed.issuer()];
        if !names.iter().all(|it| name::is_in_order(it)) {
            return Err(otherwise_written());
        }
        let strict = StrictCertificate::from_der(der).map_err(|_| unread())?;
        if strict.to_der().ok().as_deref() != Some(der) {
            return Err(otherwise_written());
        }
        if !agree(&parsed, &strict) {
            return Err(corrupt("two readers understand it differently"));
        }
        Ok(Self {
            der,
            parsed,
            strict,
        })
    }

    /// The certificate as a value.
    pub(super) fn certificate(&self, self_signed: bool, remarks: Vec<Remark>) -> Certificate {
        build(self.der, &self.parsed, self_signed, remarks)
    }

    /// When it is valid.
    pub(super) fn validity(&self) -> Validity {
        validity(&self.parsed)
    }
}

/// A certificate that only the laxer reader can read: SendGrid lists it, so its fingerprint must be known.
pub(super) fn lenient(der: &[u8]) -> Option<Certificate> {
    match X509Certificate::from_der(der) {
        Ok((b"", parsed)) => {
            let self_signed = signer::claimed(&parsed) == Signer::Itself;
            Some(build(der, &parsed, self_signed, Vec::new()))
        }
        _ => None,
    }
}

fn build(
    der: &[u8],
    parsed: &X509Certificate<'_>,
    self_signed: bool,
    remarks: Vec<Remark>,
) -> Certificate {
    let is_ca = parsed.basic_constraints().ok().flatten();
    Certificate::new(CertificateParts {
        der,
        subject_public_key_info: &key_info(parsed.public_key()),
        validity: validity(parsed),
        subject: name::text(parsed.subject()),
        issuer: name::text(parsed.issuer()),
        self_signed,
        may_issue: is_ca.is_some_and(|it| it.value.ca) || parsed.version().0 == 0,
        serial: parsed.raw_serial(),
        key: PublicKey::of(parsed.public_key()).algorithm(),
        signature: signature::hash(&parsed.signature_algorithm),
        remarks,
    })
}

/// What a key is known by: its `SubjectPublicKeyInfo`, for an RSA key with the NULL that belongs there (RFC 3279, 2.3.1).
/// Nobody looks at what stands there instead, so it makes no other key.
fn key_info<'a>(info: &SubjectPublicKeyInfo<'a>) -> Cow<'a, [u8]> {
    const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    if info.algorithm.algorithm.as_bytes() != RSA.as_bytes() {
        return info.raw.into();
    }
    let canonical = BitStringRef::from_bytes(&info.subject_public_key.data).and_then(|bits| {
        let algorithm = AlgorithmIdentifierRef {
            oid: RSA,
            parameters: Some(AnyRef::NULL),
        };
        SubjectPublicKeyInfoRef {
            algorithm,
            subject_public_key: bits,
        }
        .to_der()
    });
    canonical.map_or_else(|_| info.raw.into(), Cow::Owned)
}

fn validity(parsed: &X509Certificate<'_>) -> Validity {
    Validity {
        not_before: Timestamp::from_secs(parsed.validity().not_before.timestamp()),
        not_after: Timestamp::from_secs(parsed.validity().not_after.timestamp()),
    }
}

/// Exactly one DER SEQUENCE, nothing before or after it.
fn frame(der: &[u8]) -> Result<(), Refusal> {
    let element = tlv::read(der).map_err(|fault| {
        not_der(match fault {
            tlv::Fault::Cut => "it stops inside the certificate",
            tlv::Fault::LongLength => "a length is written longer than DER allows",
            tlv::Fault::IndefiniteLength => "it is BER with an indefinite length, not DER",
        })
    })?;
    if element.tag != tlv::SEQUENCE {
        return Err(not_der("it is not a certificate"));
    }
    match element.rest.len() {
        0 => Ok(()),
        1 => Err(not_der(
            "1 byte follows the certificate; only exact certificates are uploaded",
        )),
        surplus => Err(not_der(format!(
            "{surplus} bytes follow the certificate; only exact certificates are uploaded"
        ))),
    }
}

fn agree(parsed: &X509Certificate<'_>, strict: &StrictCertificate) -> bool {
    let tbs = &strict.tbs_certificate;
    let written = |it: Result<Vec<u8>, _>, raw: &[u8]| it.ok().as_deref() == Some(raw);
    let same_time =
        |time: Time, secs: i64| i64::try_from(time.to_unix_duration().as_secs()).ok() == Some(secs);
    let extensions = tbs.extensions.as_deref().unwrap_or_default();
    parsed.raw_serial() == tbs.serial_number.as_bytes()
        && written(tbs.subject.to_der(), parsed.subject().as_raw())
        && written(tbs.issuer.to_der(), parsed.issuer().as_raw())
        && written(
            tbs.subject_public_key_info.to_der(),
            parsed.public_key().raw,
        )
        && same_time(
            tbs.validity.not_before,
            parsed.validity().not_before.timestamp(),
        )
        && same_time(
            tbs.validity.not_after,
            parsed.validity().not_after.timestamp(),
        )
        && written(tbs.to_der(), parsed.tbs_certificate.as_ref())
        && strict.signature.raw_bytes() == &*parsed.signature_value.data
        && extensions.len() == parsed.extensions().len()
        && extensions
            .iter()
            .zip(parsed.extensions())
            .all(|(ours, theirs)| {
                ours.extn_id.as_bytes() == theirs.oid.as_bytes()
                    && ours.critical == theirs.critical
                    && ours.extn_value.as_bytes() == theirs.value
            })
}

/// Which field makes a well-framed certificate unreadable.
fn odd_field(der: &[u8]) -> Option<String> {
    let (certificate, _) = tlv::expect(der, tlv::SEQUENCE)?;
    let (mut tbs, _) = tlv::expect(certificate, tlv::SEQUENCE)?;
    if let Some((version, rest)) = tlv::expect(tbs, 0xa0) {
        let (number, _) = tlv::expect(version, tlv::INTEGER)?;
        if !matches!(number, [0..=2]) {
            return Some("its version is not 1, 2 or 3".to_owned());
        }
        tbs = rest;
    }
    let (serial, rest) = tlv::expect(tbs, tlv::INTEGER)?;
    if let Some(found) = odd_serial(serial) {
        return Some(found.to_owned());
    }
    let (_, rest) = tlv::expect(rest, tlv::SEQUENCE)?;
    let (_, rest) = tlv::expect(rest, tlv::SEQUENCE)?;
    let (validity, _) = tlv::expect(rest, tlv::SEQUENCE)?;
    let not_before = tlv::read(validity).ok()?;
    let not_after = tlv::read(not_before.rest).ok()?;
    odd_time("notBefore", &not_before)
        .or_else(|| odd_time("notAfter", &not_after))
        .or_else(|| odd_oid(der))
}

/// What is wrong with the content of a serial number's INTEGER.
pub(super) fn odd_serial(serial: &[u8]) -> Option<&'static str> {
    let value = serial.strip_prefix(&[0]).unwrap_or(serial);
    match (serial.len(), value.len()) {
        (0, _) => Some("its serial number is empty"),
        (_, 0..=SERIAL_LIMIT) => None,
        _ => Some("its serial number has more than 20 octets"),
    }
}

/// What is wrong with a time (RFC 5280, 4.1.2.5: with seconds, in UTC, ending in Z).
fn odd_time(field: &str, time: &tlv::Element<'_>) -> Option<String> {
    let digits = match time.tag {
        0x17 => 12,
        0x18 => 14,
        _ => return Some(format!("its {field} is not a time")),
    };
    let well_formed = time.content.len() == digits + 1
        && time.content.ends_with(b"Z")
        && time.content.iter().take(digits).all(u8::is_ascii_digit);
    let fault = if well_formed {
        let text = std::str::from_utf8(time.content).ok()?;
        let century = match (time.tag, text.as_bytes()) {
            (0x18, _) => "",
            (_, [b'0'..=b'4', ..]) => "20",
            _ => "19",
        };
        let date =
            chrono::NaiveDateTime::parse_from_str(&format!("{century}{text}"), "%Y%m%d%H%M%SZ");
        match date.map(|it| it.and_utc().timestamp()) {
            Ok(0..) => return None,
            Ok(_) => "lies before 1970",
            Err(_) => "does not exist",
        }
    } else {
        "has no seconds, an offset or another form than DER allows"
    };
    Some(format!("its {field} {fault}"))
}

/// The first object identifier that the strict reader cannot hold.
fn odd_oid(der: &[u8]) -> Option<String> {
    let oid = tlv::find(der, |it| {
        it.tag == tlv::OID && ObjectIdentifier::from_bytes(it.content).is_err()
    })?;
    let name = dotted(oid).unwrap_or_else(|| format!("of {} octets", oid.len()));
    Some(format!(
        "its OID {name} is beyond our readers (3 to {} octets, 32 bits a number)",
        ObjectIdentifier::MAX_SIZE
    ))
}

/// An OBJECT IDENTIFIER's content as numbers with dots (X.690, 8.19); none if it is malformed, or longer than any that is
/// worth a line.
fn dotted(oid: &[u8]) -> Option<String> {
    const LONGEST: usize = 64;
    const CONTINUES: u8 = 0x80;
    if oid.len() > LONGEST || oid.last().is_none_or(|it| it & CONTINUES != 0) {
        return None;
    }
    let number = |octets: &[u8]| {
        let digits: Vec<u8> = octets.iter().map(|it| it & !CONTINUES).collect();
        BigUint::from_radix_be(&digits, 128)
    };
    let mut numbers = oid.split_inclusive(|it| it & CONTINUES == 0).map(number);
    // The first one holds two: 40 times the root, which is 0, 1 or 2, and the number below it.
    let first = numbers.next()??;
    let root = (&first / 40_u8).min(BigUint::from(2_u8));
    let below = first - &root * 40_u8;
    numbers.try_fold(format!("{root}.{below}"), |name, number| {
        Some(format!("{name}.{}", number?))
    })
}

pub(super) fn not_der(found: impl Into<String>) -> Refusal {
    Refusal::new(Reason::NotDer, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `SubjectPublicKeyInfo` with this algorithm's parameters.
    fn info(oid: &[u8], parameters: &[u8]) -> Vec<u8> {
        let element = |tag: u8, content: &[u8]| {
            let length = u8::try_from(content.len()).unwrap();
            [&[tag, length], content].concat()
        };
        let algorithm = [&element(6, oid), parameters].concat();
        let key = element(3, &[0, 0x30, 6, 2, 1, 77, 2, 1, 3]);
        element(0x30, &[element(0x30, &algorithm), key].concat())
    }

    #[test]
    fn an_rsa_key_is_the_same_whatever_stands_for_its_null() {
        let rsa = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
        let id = |der: &[u8]| {
            let (_, parsed) = SubjectPublicKeyInfo::from_der(der).unwrap();
            key_info(&parsed).into_owned()
        };
        let usual = info(rsa, &[5, 0]);
        assert_eq!(id(&usual), usual);
        for other in [&[][..], &[4, 1, 7], &[0x30, 0]] {
            assert_eq!(id(&info(rsa, other)), usual, "{other:?}");
        }
        let ec = info(b"\x2a\x86\x48\xce\x3d\x02\x01", &[6, 1, 7]);
        assert_eq!(id(&ec), ec);
    }
}
