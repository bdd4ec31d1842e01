//! In which clothes a certificate comes: PEM, DER, base64 without armour; or something else, which gets its name.

use base64ct::{Base64, Encoding as _};

use super::{CERTIFICATE_LIMIT, foreign, pem, tlv};
use crate::domain::Rejection;
use crate::domain::{Reason, Refusal};

/// UTF-8's byte-order mark.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The DER of every certificate in a file, in its order; not looked into yet.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Rejection> {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if text.iter().all(|it| it.is_ascii_whitespace() || *it == 0) {
        return Err(Rejection::perhaps_copying(nothing_in(bytes)));
    }
    if let Some(refusal) = foreign::utf16(bytes) {
        return Err(Rejection::for_good(refusal));
    }
    if looks_like_der(text) {
        return exactly_one(text).map(|()| vec![text.to_vec()]);
    }
    if pem::has_armour(text) {
        let blocks = pem::read(text)?;
        if blocks.len() > CERTIFICATE_LIMIT {
            let found = format!(
                "{}; the limit is {CERTIFICATE_LIMIT}. Is this the CA bundle of the system?",
                blocks.len()
            );
            let refusal = Refusal::new(Reason::TooManyCertificates, found);
            return Err(Rejection::for_good(refusal));
        }
        return Ok(blocks);
    }
    bare_base64(text)
        .unwrap_or_else(|| Err(Rejection::for_good(foreign::name(text))))
        .map(|it| vec![it])
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

/// A SEQUENCE with a long length: text never begins like this.
fn looks_like_der(bytes: &[u8]) -> bool {
    matches!(bytes, [tlv::SEQUENCE, 0x80..=0x84, ..])
}

/// The file is one DER element and nothing else; what is in it is judged later.
fn exactly_one(bytes: &[u8]) -> Result<(), Rejection> {
    match tlv::read(bytes) {
        Err(tlv::Fault::Cut) => Err(Rejection::perhaps_copying(
            Refusal::new(Reason::NotDer, "the file stops inside the certificate")
                .help("the copy was interrupted; copy it again"),
        )),
        _ => foreign::other_der(bytes).map_or(Ok(()), |refusal| Err(Rejection::for_good(refusal))),
    }
}

/// Base64 of one certificate without armour, as in metadata and many portals' downloads; none if it is not base64.
fn bare_base64(text: &[u8]) -> Option<Result<Vec<u8>, Rejection>> {
    let digits = without_space(text)?;
    let cut = || {
        Rejection::perhaps_copying(
            Refusal::new(
                Reason::PemMalformed,
                "the base64 stops inside the certificate",
            )
            .help("the copy was interrupted; copy it again"),
        )
    };
    if digits.starts_with("LS0tLS1CRUdJTi") {
        let refusal = Refusal::new(Reason::NoCertificate, "base64 of a PEM file")
            .help("base64 -d FILE > okta.pem");
        return Some(Err(Rejection::for_good(refusal)));
    }
    if !digits.starts_with("MII") {
        return "MII".starts_with(&digits).then(|| Err(cut()));
    }
    let Ok(decoded) = Base64::decode_vec(&digits) else {
        return Some(Err(cut()));
    };
    Some(match exactly_one(&decoded) {
        Ok(()) => Ok(decoded),
        Err(rejection) if rejection.may_be_copying => Err(cut()),
        Err(rejection) => Err(rejection),
    })
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
