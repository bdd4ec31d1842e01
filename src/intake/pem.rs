//! PEM as it really comes (RFC 7468, read as laxly as its producers write): any line ends, indentation, one long
//! line, text of any kind around it. What is not lax: each block is whole, closed by its own label, and base64.

use base64ct::{Base64, Base64Unpadded, Encoding as _};
use memchr::memmem::find;

use super::{foreign, pkcs7, tlv};
use crate::domain::Rejection;
use crate::domain::{Reason, Refusal};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const CERTIFICATE: &[u8] = b"CERTIFICATE";
/// Labels that PKCS#7 comes under; some write CERTIFICATE around it.
const PKCS7: [&[u8]; 3] = [b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA"];

/// Columns of a line (RFC 7468, section 2).
const COLUMNS: usize = 64;

/// The canonical text of a DER.
pub(super) fn write(der: &[u8]) -> String {
    let digits = Base64::encode_string(der);
    let mut out = String::with_capacity(digits.len() * 66 / 64 + 60);
    out.push_str("-----BEGIN CERTIFICATE-----");
    for (column, digit) in digits.chars().enumerate() {
        if column % COLUMNS == 0 {
            out.push('\n');
        }
        out.push(digit);
    }
    out.push_str("\n-----END CERTIFICATE-----\n");
    out
}

/// Whether anything in `text` is, or was meant to be, the line around a block.
pub(super) fn has_armour(text: &[u8]) -> bool {
    find(text, BEGIN).is_some()
        || find(text, END).is_some()
        || BEGIN.starts_with(text)
        || foreign::odd_dashes(text).is_some()
}

/// The bytes of every block, in order: a certificate or PKCS#7 each. One that is neither or not whole refuses all.
pub(super) fn read(text: &[u8]) -> Result<Vec<Vec<u8>>, Rejection> {
    if let Some(refusal) = foreign::odd_dashes(text) {
        return Err(Rejection::for_good(refusal));
    }
    if BEGIN.starts_with(text) {
        return Err(cut("first"));
    }
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(start) = find(rest, BEGIN) {
        let (before, from_begin) = rest.split_at(start);
        no_end_in(before)?;
        let ordinal = foreign::ordinal(blocks.len());
        let (block, after) =
            read_block(from_begin.get(BEGIN.len()..).unwrap_or_default(), &ordinal)?;
        blocks.push(block);
        rest = after;
    }
    no_end_in(rest)?;
    Ok(blocks)
}

/// One block, from behind its `-----BEGIN ` on; and what follows it.
fn read_block<'a>(text: &'a [u8], ordinal: &str) -> Result<(Vec<u8>, &'a [u8]), Rejection> {
    let line = text.split(|it| is_line_end(*it)).next().unwrap_or_default();
    let Some(label_length) = find(line, DASHES) else {
        let refusal = malformed(format!(
            "the BEGIN line of the {ordinal} block is not closed"
        ));
        return Err(if line.len() == text.len() {
            cut(ordinal)
        } else {
            Rejection::for_good(refusal)
        });
    };
    let (label, after_label) = text.split_at(label_length);
    let after_label = after_label.get(DASHES.len()..).unwrap_or_default();
    let is_pkcs7 = PKCS7.contains(&label);
    if label != CERTIFICATE && !is_pkcs7 {
        return Err(Rejection::for_good(foreign::other_label(label)));
    }
    let body_length = find(after_label, DASHES).ok_or_else(|| cut(ordinal))?;
    let (body, from_end) = after_label.split_at(body_length);
    if from_end.starts_with(BEGIN) {
        let refusal = malformed(format!(
            "another block begins before the {ordinal} one ends"
        ));
        return Err(Rejection::perhaps_copying(refusal));
    }
    let expected = [END, label, DASHES].concat();
    if expected.starts_with(from_end) && from_end != expected {
        return Err(cut(ordinal));
    }
    let Some(after) = from_end.strip_prefix(expected.as_slice()) else {
        return Err(other_end(label, from_end, ordinal));
    };
    let der = decode(body, ordinal)?;
    if is_pkcs7 && !pkcs7::is_pkcs7(&der) {
        return Err(Rejection::for_good(foreign::other_label(label)));
    }
    Ok((der, after))
}

fn decode(body: &[u8], ordinal: &str) -> Result<Vec<u8>, Rejection> {
    if body.contains(&b'\\') {
        return Err(Rejection::for_good(foreign::escaped()));
    }
    if find(body, b"=3D").is_some() {
        return Err(Rejection::for_good(foreign::quoted_printable()));
    }
    if body.contains(&b':') {
        let found = format!("the {ordinal} block has headers inside (RFC 1421)");
        let refusal = malformed(found).help("openssl x509 -in FILE -out signing.pem");
        return Err(Rejection::for_good(refusal));
    }
    let digits: String = body
        .iter()
        .filter(|it| !it.is_ascii_whitespace())
        .map(|it| char::from(*it))
        .collect();
    if digits.is_empty() {
        let refusal = malformed(format!("the {ordinal} block is empty"));
        return Err(Rejection::perhaps_copying(refusal));
    }
    let decoded = decoded(&digits).ok_or_else(|| {
        Rejection::perhaps_copying(
            malformed(format!("the {ordinal} block is not base64"))
                .help("a character was lost or changed; copy the file again, as a file"),
        )
    })?;
    match foreign::encoded_twice(&decoded, "sed '/^-----/d' FILE | base64 -d") {
        Some(refusal) => Err(Rejection::for_good(refusal)),
        None => Ok(decoded),
    }
}

/// What the digits of a block say. Their padding may be missing, if that loses nothing: else a lost digit would pass.
fn decoded(digits: &str) -> Option<Vec<u8>> {
    let unpadded = || {
        let decoded = Base64Unpadded::decode_vec(digits.trim_end_matches('=')).ok()?;
        let is_whole =
            tlv::read(&decoded).is_ok_and(|it| it.rest.is_empty()) && tlv::is_whole(&decoded);
        is_whole.then_some(decoded)
    };
    Base64::decode_vec(digits).ok().or_else(unpadded)
}

/// Between two blocks there is no END: it would be the rest of a block that lost its beginning.
fn no_end_in(text: &[u8]) -> Result<(), Rejection> {
    if find(text, END).is_none() {
        return Ok(());
    }
    Err(Rejection::perhaps_copying(
        malformed("a block ends that never began")
            .help("the file was overwritten in part; copy it again"),
    ))
}

/// `begun` is one of the labels that are read.
fn other_end(begun: &[u8], from_end: &[u8], ordinal: &str) -> Rejection {
    let begun = String::from_utf8_lossy(begun);
    let line = from_end
        .split(|it| is_line_end(*it))
        .next()
        .unwrap_or_default();
    let label = line
        .strip_prefix(END)
        .and_then(|it| it.get(..find(it, DASHES)?));
    Rejection::for_good(match label {
        Some(label) => Refusal::new(
            Reason::PemLabel,
            format!("BEGIN {begun} ends as {}", foreign::end_label(label)),
        )
        .help(format!(
            "copy it again, from its line BEGIN {begun} to its line END {begun}"
        )),
        None => malformed(format!(
            "the END line of the {ordinal} certificate is damaged"
        )),
    })
}

fn cut(ordinal: &str) -> Rejection {
    Rejection::perhaps_copying(
        malformed(format!("the text stops inside the {ordinal} certificate"))
            .help("the copy was interrupted; copy it again"),
    )
}

fn malformed(found: impl Into<String>) -> Refusal {
    Refusal::new(Reason::PemMalformed, found)
}

const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}
