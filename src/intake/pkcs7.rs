//! PKCS#7 (RFC 2315; CMS, RFC 5652) as Windows and Java write it for certificates: `.p7b`, signed data without a signer.

use super::tlv::{self, Fault};
use crate::domain::{Reason, Refusal};

/// The arc of all content types, as the beginning of an OBJECT IDENTIFIER of nine octets.
const CONTENT_TYPE: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
const SIGNED_DATA: u8 = 2;

/// Whether this is PKCS#7 of any kind, in DER or BER.
pub(super) fn is_pkcs7(bytes: &[u8]) -> bool {
    content_type(bytes).is_some()
}

/// The DER of its certificates, in its order; they are not read yet, so that one which is odd stops no other.
///
/// `extract` is the command that takes the certificates out of a file of this form.
pub(super) fn certificates(der: &[u8], extract: &str) -> Result<Vec<Vec<u8>>, Refusal> {
    if content_type(der) != Some(SIGNED_DATA) {
        return Err(none("PKCS#7 that is no bundle of certificates").help(super::foreign::DOWNLOAD));
    }
    let bundle = Bundle::read(der).map_err(|found| {
        let refusal = Refusal::new(Reason::NotDer, found);
        refusal.help(extract)
    })?;
    if bundle.is_message() {
        return Err(
            none("a signed message (PKCS#7), not certificates alone").help(format!(
                "{extract}   (these signed it: are they the right ones?)"
            )),
        );
    }
    // Attribute certificates and other forms are tagged: they are no X.509 certificates.
    let certificates: Vec<Vec<u8>> = tlv::elements(bundle.certificates)
        .filter(|it| it.first() == Some(&tlv::SEQUENCE))
        .map(<[u8]>::to_vec)
        .collect();
    if certificates.is_empty() {
        return Err(none("PKCS#7 without a certificate").help(super::foreign::DOWNLOAD));
    }
    Ok(certificates)
}

/// The last octet of the content type.
fn content_type(bytes: &[u8]) -> Option<u8> {
    let inside = match bytes {
        [tlv::SEQUENCE, 0..=0x80, inside @ ..] => inside,
        [tlv::SEQUENCE, count @ 0x81..=0x84, rest @ ..] => rest.get(usize::from(count & 0x7f)..)?,
        _ => return None,
    };
    inside.strip_prefix(CONTENT_TYPE)?.first().copied()
}

/// What counts of a `SignedData` (RFC 2315, 9.1).
struct Bundle<'a> {
    /// What is signed, with its tag; empty if nothing is.
    content: &'a [u8],
    certificates: &'a [u8],
    signers: &'a [u8],
}

impl<'a> Bundle<'a> {
    fn read(der: &'a [u8]) -> Result<Self, &'static str> {
        let content_info = only(der, tlv::SEQUENCE)?;
        let (_, content) = first(content_info, tlv::OID)?;
        let signed_data = only(only(content, 0xa0)?, tlv::SEQUENCE)?;
        let (_, rest) = first(signed_data, tlv::INTEGER)?;
        let (_digests, rest) = first(rest, tlv::SET)?;
        let (inner, rest) = first(rest, tlv::SEQUENCE)?;
        let (_, content) = first(inner, tlv::OID)?;
        let (certificates, rest) = optional(rest, 0xa0)?;
        let (_revocation_lists, rest) = optional(rest, 0xa1)?;
        let signers = only(rest, tlv::SET)?;
        let whole = |it: &[u8]| tlv::elements(it).map(<[u8]>::len).sum::<usize>() == it.len();
        if !whole(certificates) {
            return Err(fault(tlv::read(certificates).err()));
        }
        Ok(Self {
            content,
            certificates,
            signers,
        })
    }

    fn is_message(&self) -> bool {
        /// Some write nothing as an empty OCTET STRING.
        const NOTHING: &[u8] = &[0xa0, 2, 4, 0];
        !self.signers.is_empty() || !(self.content.is_empty() || self.content == NOTHING)
    }
}

fn first(bytes: &[u8], tag: u8) -> Result<(&[u8], &[u8]), &'static str> {
    let element = tlv::read(bytes).map_err(|it| fault(Some(it)))?;
    if element.tag == tag {
        Ok((element.content, element.rest))
    } else {
        Err(fault(None))
    }
}

/// The content of the element that is all there is.
fn only(bytes: &[u8], tag: u8) -> Result<&[u8], &'static str> {
    match first(bytes, tag)? {
        (content, []) => Ok(content),
        _ => Err("bytes follow the PKCS#7"),
    }
}

fn optional(bytes: &[u8], tag: u8) -> Result<(&[u8], &[u8]), &'static str> {
    if bytes.first() == Some(&tag) {
        first(bytes, tag)
    } else {
        Ok((&[], bytes))
    }
}

const fn fault(fault: Option<Fault>) -> &'static str {
    match fault {
        Some(Fault::IndefiniteLength | Fault::LongLength) => "PKCS#7 in BER, not DER",
        Some(Fault::Cut) | None => "PKCS#7 that is damaged inside",
    }
}

fn none(found: &str) -> Refusal {
    Refusal::new(Reason::NoCertificate, found)
}
