//! Documents in which certificates stand: there the place says which of them is for signing, and nothing here reads it.
//!
//! The rule: a certificate counts where nothing but free text surrounds it, as the text that `openssl x509 -text`, a bag's
//! attributes, a letter or a page of Markdown are. A file is something else, and is refused as that,
//!
//! 1. if it begins as XML, HTML, JSON or RTF, or a tag is closed in it;
//! 2. if anything printable stands before a block's BEGIN or behind its END on the same line: a value in quotes, a
//!    variable, a column, a comment, a quoted letter;
//! 3. if a line above a block opens a value: `KEY: |` and `KEY: >` of YAML, `KEY:` and `KEY =` above a block that is indented
//!    under it, three quotes, a here-document, an open bracket.

use memchr::memmem::{find, find_iter};

use super::foreign;
use crate::domain::{Reason, Refusal};

const ARMOUR: [&[u8]; 2] = [b"-----BEGIN ", b"-----END "];
const DASHES: &[u8] = b"-----";

/// Takes the blocks out of the text around them, with what stands before and behind them on each line.
const BLOCKS: &str = "sed -n '/-----BEGIN CERT/,/-----END CERT/{s/^[>#[:space:]]*//;s/.*-----BEGIN/-----BEGIN/;s/\\(-----END [A-Z]*-----\\).*/\\1/;p}'";

/// What the file is, if certificates in it are not to be read without their context.
pub(super) fn structured(bytes: &[u8]) -> Option<Refusal> {
    if let Some(refusal) = foreign::utf16(bytes) {
        return Some(refusal);
    }
    let is_binary = bytes.contains(&0) && find(bytes, ARMOUR[0]).is_none();
    if is_binary || foreign::looks_like_der(bytes) {
        return None;
    }
    let text = foreign::without_mark(bytes);
    document(text).or_else(|| surroundings(text))
}

/// By its first characters, or a tag that is closed anywhere.
fn document(text: &[u8]) -> Option<Refusal> {
    let start = text.trim_ascii_start();
    match start {
        [b'<', ..] => Some(markup(start)),
        [b'{', b'\\', b'r', b't', b'f', ..] => Some(
            none("a word processor's file (RTF)")
                .help("open it there and save it as plain text, as signing.pem"),
        ),
        [b'{', ..] => Some(json(text, ".FIELD")),
        [b'[', rest @ ..] if begins_json(rest.trim_ascii_start()) => Some(json(text, ".[].FIELD")),
        [b'"', ..] if text.trim_ascii_end().ends_with(b"\"") && is_escaped(text) => {
            Some(json(text, "."))
        }
        _ => {
            let closes = |at: usize| text.get(at + 2).is_some_and(u8::is_ascii_alphabetic);
            find_iter(text, b"</").any(closes).then(|| markup(text))
        }
    }
}

/// Whether this can follow the `[` of a JSON array; a section of an INI file has a word there.
const fn begins_json(rest: &[u8]) -> bool {
    matches!(rest, [b'{' | b'[' | b'"' | b']' | b'-' | b'0'..=b'9', ..])
}

fn markup(text: &[u8]) -> Refusal {
    const SIGNING: &str = "xmllint --xpath \"string(//*[local-name()='IDPSSODescriptor']/*[local-name()='KeyDescriptor'][not(@use) or @use='signing']//*[local-name()='X509Certificate'])\" FILE > signing.pem";
    const ANY: &str =
        "xmllint --xpath \"string(//*[local-name()='X509Certificate'])\" FILE > signing.pem";
    let lower = text.to_ascii_lowercase();
    let has = |needle: &[u8]| find(&lower, needle).is_some();
    let page = none("an HTML page, probably the portal's login form")
        .help("download it again while signed in, or with the portal's own button");
    if has(b"<html") || has(b"<!doctype html") {
        page
    } else if has(b"entitydescriptor") || has(b"entitiesdescriptor") {
        none("SAML metadata (XML), which names certificates for several purposes")
            .help(format!("{SIGNING}   (the first one)"))
    } else if has(b"x509certificate") {
        none("XML without SAML metadata").help(format!("{ANY}   (the first one)"))
    } else if PAGE.iter().any(|it| has(it)) {
        page
    } else if find(text, DASHES).is_some() {
        none("a block between tags, in XML or a configuration").help(blocks())
    } else {
        none("XML without SAML metadata").help(foreign::DOWNLOAD)
    }
}

/// What a part of a page has.
const PAGE: [&[u8]; 8] = [
    b"<head", b"<body", b"<div", b"<p>", b"<form", b"<script", b"<table", b"<br",
];

fn json(text: &[u8], filter: &str) -> Refusal {
    let found = if is_escaped(text) {
        "JSON, with line breaks written as \\n"
    } else {
        "JSON"
    };
    none(found).help(format!("jq -r '{filter}' FILE > signing.pem"))
}

/// By what stands around the blocks of a text.
fn surroundings(text: &[u8]) -> Option<Refusal> {
    let places = || ARMOUR.iter().flat_map(|it| find_iter(text, it));
    if is_escaped(text) {
        return Some(foreign::escaped());
    }
    if let Some(place) = places().find(|it| is_printable(before(text, *it))) {
        return Some(beside(before(text, place)));
    }
    if let Some(place) = places().find(|it| is_printable(behind(text, *it))) {
        return Some(beside(behind(text, place)));
    }
    find_iter(text, ARMOUR[0]).find_map(|it| opened(text, it))
}

/// Whether a block's line breaks are written out.
fn is_escaped(text: &[u8]) -> bool {
    find(text, b"CERTIFICATE-----\\").is_some()
}

/// What stands on the line of a block's BEGIN or END before it; not what the block before it ends with.
fn before(text: &[u8], place: usize) -> &[u8] {
    let head = text.get(..place).unwrap_or_default();
    let line = head
        .rsplit(|it| is_line_end(*it))
        .next()
        .unwrap_or_default();
    let is_end = text
        .get(place..)
        .is_some_and(|it| it.starts_with(ARMOUR[1]));
    match memchr::memmem::rfind(line, DASHES) {
        // A block in one line has its base64 there.
        _ if is_end => &[],
        Some(at) => line.get(at + DASHES.len()..).unwrap_or_default(),
        None => line,
    }
}

/// What stands on the line of a block's END behind it; not what the next block begins with.
fn behind(text: &[u8], place: usize) -> &[u8] {
    let from = text.get(place..).unwrap_or_default();
    if !from.starts_with(ARMOUR[1]) {
        return &[];
    }
    let line = from.split(|it| is_line_end(*it)).next().unwrap_or_default();
    let label = line.get(ARMOUR[1].len()..).unwrap_or_default();
    let rest = find(label, DASHES).and_then(|it| label.get(it + DASHES.len()..));
    let rest = rest.unwrap_or_default();
    rest.get(..find(rest, DASHES).unwrap_or(rest.len()))
        .unwrap_or_default()
}

/// Whether anything that one sees is in it: stray bytes and marks are none, and hyphens are judged with the armour.
fn is_printable(part: &[u8]) -> bool {
    part.iter().any(|it| it.is_ascii_graphic() && *it != b'-')
}

fn beside(part: &[u8]) -> Refusal {
    let found = match part.trim_ascii_start() {
        [b'>', ..] => "a certificate in a quoted letter (\">\" before its lines)",
        [b'#', ..] | [b'/', b'/', ..] => "a certificate that is commented out",
        _ => {
            "a certificate as a value in something else: more stands on the line of its BEGIN or END"
        }
    };
    none(found).help(blocks())
}

/// Whether a line above the block at `place` opens a value that the block stands in.
fn opened(text: &[u8], place: usize) -> Option<Refusal> {
    let head = text.get(..place).unwrap_or_default();
    let mut lines = head.rsplit(|it| is_line_end(*it));
    let own = indentation(lines.next().unwrap_or_default());
    let above = lines
        .filter(|it| !it.trim_ascii().is_empty())
        .take_while(|it| !it.trim_ascii().ends_with(DASHES));
    // The lines that a block is indented under, from the inside out.
    let mut margin = own;
    for (distance, line) in above.enumerate() {
        let indentation = indentation(line);
        let words = line.trim_ascii();
        let is_over = |sign: u8| indentation < margin && is_key(words, sign);
        if is_over(b':') || ((distance == 0 || indentation < margin) && is_block_scalar(words)) {
            let refusal = none("YAML: its key says which certificate this is");
            return Some(refusal.help("yq -r .KEY FILE > signing.pem"));
        }
        if is_over(b'=') || opens_text(words) || (distance == 0 && stays_open(words)) {
            let found = "a certificate as a value in a script or a configuration";
            return Some(none(found).help(blocks()));
        }
        margin = margin.min(indentation);
    }
    None
}

fn indentation(line: &[u8]) -> usize {
    line.iter()
        .take_while(|it| matches!(it, b' ' | b'\t'))
        .count()
}

/// `KEY: |`, `- >-`, `KEY: !!binary |2`: what follows, indented, is the value (YAML 1.2.2, 8.1).
fn is_block_scalar(line: &[u8]) -> bool {
    let words = |it| <[u8]>::split(it, u8::is_ascii_whitespace).filter(|it| !it.is_empty());
    let opens = |word: &[u8]| {
        let is_indicator = |it: &u8| matches!(it, b'-' | b'+' | b'0'..=b'9');
        matches!(word, [b'|' | b'>', rest @ ..] if rest.iter().all(is_indicator))
    };
    let has_key = words(line).any(|it| it.ends_with(b":") || it == b"-");
    let before_comment = find(line, b" #").and_then(|it| line.get(..it));
    let last = words(before_comment.unwrap_or(line)).next_back();
    has_key && last.is_some_and(opens)
}

/// `KEY:`, `export KEY =`: one word and the sign, and nothing else.
fn is_key(line: &[u8], sign: u8) -> bool {
    let Some(key) = line.strip_suffix(&[sign]) else {
        return false;
    };
    let key = key.trim_ascii_end();
    let bare = [&b"export "[..], b"- "];
    let key = bare
        .iter()
        .find_map(|it| key.strip_prefix(*it))
        .unwrap_or(key);
    !key.is_empty() && !key.iter().any(u8::is_ascii_whitespace)
}

/// Three quotes, or a here-document.
fn opens_text(line: &[u8]) -> bool {
    let names_end = |at: usize| {
        let is_mark = |it: &&u8| matches!(**it, b'-' | b'~' | b'\'' | b'"' | b'\\' | b' ');
        let mut word = line.iter().skip(at + 2).skip_while(is_mark);
        word.next()
            .is_some_and(|it| it.is_ascii_alphabetic() || *it == b'_')
    };
    line.ends_with(b"\"\"\"") || line.ends_with(b"'''") || find_iter(line, b"<<").any(names_end)
}

/// A bracket or a template's quote of a program, or a line that goes on; the fences of Markdown are none.
fn stays_open(line: &[u8]) -> bool {
    !line.ends_with(b"```") && matches!(line, [.., b'(' | b'{' | b'[' | b'`' | b'\\'])
}

fn blocks() -> String {
    format!("{BLOCKS} FILE > signing.pem   (all of them: keep the signing one)")
}

const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn none(found: &str) -> Refusal {
    Refusal::new(Reason::NoCertificate, found)
}
