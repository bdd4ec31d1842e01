//! In which clothes a certificate comes: PEM, DER, base64 without armour, PKCS#7 in any of them; or something else, which
//! gets its name.

use base64ct::{Base64, Base64Unpadded, Encoding as _};

use super::{CERTIFICATE_LIMIT, foreign, pem, pkcs7, tlv};
use crate::domain::Rejection;
use crate::domain::{Reason, Refusal};

/// Takes the certificates out of PKCS#7 in DER.
const FROM_DER: &str = "openssl pkcs7 -inform DER -in FILE -print_certs -out signing.pem";
/// The same out of PEM, and out of base64 without armour.
const FROM_PEM: &str = "openssl pkcs7 -in FILE -print_certs -out signing.pem";
const FROM_BASE64: &str =
    "base64 -d FILE | openssl pkcs7 -inform DER -print_certs -out signing.pem";

/// How the base64 of every SEQUENCE of more than 127 bytes begins, and of one with an indefinite length.
const BEGINNING: &str = "MI";
/// The digits of the longest header: a tag and a length of four bytes.
const HEADER: usize = 8;

/// The DER of every certificate in a file, in its order; not looked into yet.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Rejection> {
    let text = foreign::without_mark(bytes);
    if text.iter().all(|it| it.is_ascii_whitespace() || *it == 0) {
        return Err(Rejection::perhaps_copying(nothing_in(bytes)));
    }
    let (elements, extract) = if foreign::looks_like_der(text) {
        exactly_one(text)?;
        (vec![text.to_vec()], FROM_DER)
    } else if pem::has_armour(text) {
        (pem::read(text)?, FROM_PEM)
    } else {
        let bodies =
            bare_base64(text).unwrap_or_else(|| Err(Rejection::for_good(foreign::name(text))))?;
        (bodies, FROM_BASE64)
    };
    let mut certificates = Vec::new();
    for element in elements {
        if pkcs7::is_pkcs7(&element) {
            let bundle = pkcs7::certificates(&element, extract);
            certificates.extend(bundle.map_err(Rejection::for_good)?);
        } else {
            certificates.push(element);
        }
    }
    if certificates.len() > CERTIFICATE_LIMIT {
        let found = format!(
            "{}; the limit is {CERTIFICATE_LIMIT}. Is this the CA bundle of the system?",
            certificates.len()
        );
        let refusal = Refusal::new(Reason::TooManyCertificates, found);
        return Err(Rejection::for_good(refusal));
    }
    Ok(certificates)
}

/// The DER of what SendGrid lists: the first certificate in it.
pub(super) fn listed(text: &str) -> Option<Vec<u8>> {
    let text = text.replace("\\r", "\r").replace("\\n", "\n");
    let decoded = if pem::has_armour(text.as_bytes()) {
        pem::read(text.as_bytes()).ok()?.into_iter().next()?
    } else {
        let decoded = Base64::decode_vec(&without_space(text.as_bytes())?).ok()?;
        if pem::has_armour(&decoded) {
            pem::read(&decoded).ok()?.into_iter().next()?
        } else {
            decoded
        }
    };
    Some(decoded)
}

fn nothing_in(bytes: &[u8]) -> Refusal {
    let found = match bytes.len() {
        0 => "0 bytes".to_owned(),
        length if bytes.contains(&0) => format!("{length} bytes, all of them zero"),
        length => format!("{length} bytes, all of them white space"),
    };
    Refusal::new(Reason::Empty, found)
        .help("the copy was interrupted; write to a temporary name and rename it")
}

/// The file is one DER element and nothing else, or PKCS#7; what is in it is judged later.
fn exactly_one(bytes: &[u8]) -> Result<(), Rejection> {
    match tlv::read(bytes) {
        Err(tlv::Fault::Cut) => Err(Rejection::perhaps_copying(
            Refusal::new(Reason::NotDer, "the file stops inside the certificate")
                .help("the copy was interrupted; copy it again"),
        )),
        _ => foreign::other_der(bytes).map_or(Ok(()), |refusal| Err(Rejection::for_good(refusal))),
    }
}

/// Base64 without armour, as in metadata and many portals' downloads: the DER of one certificate after the other, with
/// its padding or without. None if it is not base64 of that.
fn bare_base64(text: &[u8]) -> Option<Result<Vec<Vec<u8>>, Rejection>> {
    let digits = without_space(text)?;
    let twice = foreign::encoded_twice(&whole_groups(&digits), "base64 -d FILE");
    if let Some(refusal) = twice {
        return Some(Err(Rejection::for_good(refusal)));
    }
    if !digits.starts_with(BEGINNING) {
        return BEGINNING.starts_with(&digits).then(|| Err(interrupted()));
    }
    Some(bodies(&digits).and_then(|bodies| {
        bodies.iter().try_for_each(|it| exactly_one(it))?;
        Ok(bodies)
    }))
}

/// The bodies that stand one behind the other: the length that each begins with says where the next one begins.
fn bodies(digits: &str) -> Result<Vec<Vec<u8>>, Rejection> {
    let mut bodies = Vec::new();
    let mut rest = digits;
    while !rest.is_empty() {
        if rest.len() < HEADER && BEGINNING.starts_with(rest.get(..2).unwrap_or(rest)) {
            return Err(interrupted());
        }
        let Some(length) = body_length(rest) else {
            break;
        };
        let count = length.saturating_mul(4).div_ceil(3);
        let Some((body, behind)) = rest.split_at_checked(count) else {
            return Err(interrupted());
        };
        let Ok(der) = Base64Unpadded::decode_vec(body) else {
            break;
        };
        bodies.push(der);
        let padding = if length % 3 == 0 { 0 } else { 3 - length % 3 };
        let is_padding = |it: &&u8| **it == b'=';
        let padding = behind
            .bytes()
            .take(padding)
            .filter(|it| is_padding(&it))
            .count();
        rest = behind.get(padding..).unwrap_or_default();
    }
    if rest.is_empty() {
        return Ok(bodies);
    }
    // Something else follows: what it is, is said of the whole.
    match Base64::decode_vec(digits) {
        Ok(decoded) => Ok(vec![decoded]),
        Err(_) => Err(Rejection::perhaps_copying(
            Refusal::new(Reason::PemMalformed, "the base64 is damaged")
                .help("a character was lost or changed; copy the file again, as a file"),
        )),
    }
}

/// How many bytes the element has that these digits begin with, its header included; none if that is not said.
fn body_length(digits: &str) -> Option<usize> {
    let header = digits.get(..HEADER.min(digits.len() / 4 * 4))?;
    let header = Base64Unpadded::decode_vec(header).ok()?;
    tlv::whole_length(&header).filter(|_| header.first() == Some(&tlv::SEQUENCE))
}

/// What all the digits say that stand in whole groups of four.
fn whole_groups(digits: &str) -> Vec<u8> {
    let digits = digits.trim_end_matches('=');
    let whole = digits.get(..digits.len() / 4 * 4).unwrap_or_default();
    Base64Unpadded::decode_vec(whole).unwrap_or_default()
}

fn interrupted() -> Rejection {
    Rejection::perhaps_copying(
        Refusal::new(
            Reason::PemMalformed,
            "the base64 stops inside the certificate",
        )
        .help("the copy was interrupted; copy it again"),
    )
}

/// The base64 digits of `text` with its white space dropped; none if anything else is in it.
fn without_space(text: &[u8]) -> Option<String> {
    text.iter()
        .filter(|it| !it.is_ascii_whitespace())
        .map(|it| {
            let known = it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'=');
            known.then_some(char::from(*it))
        })
        .collect()
}
