//! PEM as it really comes (RFC 7468, read as laxly as its producers write): any line ends, indentation, one long
//! line, text of any kind around it. What is not lax: each block is whole, closed by its own label, and base64.

use base64ct::{Base64, Encoding as _};
use memchr::memmem::find;

use super::foreign;
use crate::domain::Rejection;
use crate::domain::{Reason, Refusal};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const CERTIFICATE: &[u8] = b"CERTIFICATE";

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

/// The bytes of every certificate's block, in order. One block that is no certificate or not whole refuses all.
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
    if label != CERTIFICATE {
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
    let expected = [END, CERTIFICATE, DASHES].concat();
    if expected.starts_with(from_end) && from_end != expected {
        return Err(cut(ordinal));
    }
    let Some(after) = from_end.strip_prefix(expected.as_slice()) else {
        return Err(other_end(from_end, ordinal));
    };
    Ok((decode(body, ordinal)?, after))
}

fn decode(body: &[u8], ordinal: &str) -> Result<Vec<u8>, Rejection> {
    if body.contains(&b'\\') {
        return Err(Rejection::for_good(foreign::escaped()));
    }
    if body.contains(&b':') {
        let found = format!("the {ordinal} block has headers inside (RFC 1421)");
        let refusal = malformed(found).help("openssl x509 -in FILE -out okta.pem");
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
    Base64::decode_vec(&digits).map_err(|_| {
        Rejection::perhaps_copying(
            malformed(format!("the {ordinal} block is not base64"))
                .help("a character was lost or changed; copy the file again, as a file"),
        )
    })
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

fn other_end(from_end: &[u8], ordinal: &str) -> Rejection {
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
            format!("BEGIN CERTIFICATE ends as {}", foreign::end_label(label)),
        )
        .help("copy it again, from its line BEGIN CERTIFICATE to its line END CERTIFICATE"),
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
