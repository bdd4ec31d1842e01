//! Things that are no certificate file, told apart so that the refusal can say what to do instead.

use memchr::memmem::find;

use super::{pkcs7, tlv};
use crate::domain::{Reason, Refusal};

/// UTF-16 text, with or without its byte-order mark.
pub(super) fn utf16(bytes: &[u8]) -> Option<Refusal> {
    let head = bytes.get(..bytes.len().min(64)).unwrap_or_default();
    let marked =
        (head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff")) && head.contains(&0);
    let every_other = |offset: usize| {
        head.len() >= 8
            && head.iter().skip(offset).step_by(2).all(|it| *it == 0)
            && head.iter().skip(1 - offset).step_by(2).all(|it| *it != 0)
    };
    (marked || every_other(0) || every_other(1)).then(|| {
        Refusal::new(Reason::Encoding, "UTF-16 text, as PowerShell's \">\" writes it")
            .help("iconv -f UTF-16 -t UTF-8 FILE > signing.pem          (PowerShell: … | Set-Content -Encoding ascii)")
    })
}

/// How `-----BEGIN ` begins in base64.
const IN_BASE64: &[u8] = b"LS0tLS1CRUdJTi";

/// Text that is neither PEM nor base64, nor known by its [context](super::context).
pub(super) fn name(text: &[u8]) -> Refusal {
    if find(text, IN_BASE64).is_some() {
        none("a PEM file in base64 as a value in something else, as in a Kubernetes Secret").help(
            "grep -o 'LS0tLS1CRUdJTi[A-Za-z0-9+/=]*' FILE | head -n 1 | base64 -d > signing.pem   (the first one)",
        )
    } else if text.starts_with(b"ssh-") || text.starts_with(b"ecdsa-sha2-") {
        none("an SSH public key; SendGrid needs the identity provider's certificate").help(DOWNLOAD)
    } else if text.starts_with(b"PK\x03\x04") {
        none("a ZIP archive").help("unpack it, and keep the certificate alone")
    } else if text.starts_with(b"\x1f\x8b") {
        none("a gzip archive").help("unpack it, and keep the certificate alone")
    } else if text.contains(&0) {
        none("binary data that is no certificate").help(DOWNLOAD)
    } else {
        none("neither PEM nor DER nor base64 of one")
            .help("a PEM file begins with -----BEGIN CERTIFICATE-----")
    }
}

/// A certificate's text taken over with the escapes of JSON or of a program's string.
pub(super) fn escaped() -> Refusal {
    none("PEM with its line breaks written as \\n").help(
        "sed 's/\\\\[rn]/\\n/g;s/[\"\\\\]//g' FILE | sed -n '/-----BEGIN/,/-----END/{s/.*-----BEGIN/-----BEGIN/;p}' > signing.pem",
    )
}

/// A letter whose text was written as quoted-printable (RFC 2045, 6.7).
pub(super) fn quoted_printable() -> Refusal {
    none("a letter in quoted-printable").help("python3 -m quopri -d FILE > signing.pem")
}

/// What is encoded twice; `decode` is the command that undoes the outer one.
pub(super) fn encoded_twice(decoded: &[u8], decode: &str) -> Option<Refusal> {
    let found = if find(decoded, b"-----BEGIN ").is_some() {
        "base64 of a PEM file"
    } else if decoded.starts_with(b"MII") {
        "base64 of base64"
    } else {
        return None;
    };
    Some(none(found).help(format!("{decode} > signing.pem")))
}

/// A SEQUENCE with a long length, or PKCS#7 of any: text never begins like this.
pub(super) fn looks_like_der(bytes: &[u8]) -> bool {
    matches!(bytes, [tlv::SEQUENCE, 0x80..=0x84, ..]) || pkcs7::is_pkcs7(bytes)
}

/// The bytes without the byte-order mark of UTF-8.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// A DER structure that is not a certificate, by its first elements; none if it may be one.
pub(super) fn other_der(der: &[u8]) -> Option<Refusal> {
    let (inside, _) = tlv::expect(der, tlv::SEQUENCE)?;
    let (first, _) = tlv::expect(inside, tlv::SEQUENCE)?;
    let mut tags = Vec::new();
    let mut rest = first;
    while let Ok(element) = tlv::read(rest) {
        tags.push(element.tag);
        rest = element.rest;
    }
    match tags.as_slice() {
        [0x02, 0x30, 0x30, 0xa0] => Some(
            none("a certificate request (CSR); SendGrid needs the certificate made from it")
                .help(DOWNLOAD),
        ),
        [0x02, 0x30, 0x30, 0x17 | 0x18, ..] | [0x30, 0x30, 0x17 | 0x18, ..] => {
            Some(none("a revocation list (CRL), not a certificate").help(DOWNLOAD))
        }
        [0x06, ..] => Some(none("a public key without its certificate").help(DOWNLOAD)),
        _ => None,
    }
}

/// What helps where there is nothing to be made of the file.
pub(super) const DOWNLOAD: &str = "download the signing certificate from the identity provider, as PEM or DER, and put it in place of FILE";

/// A PEM block of another kind.
pub(super) fn other_label(label: &[u8]) -> Refusal {
    let other = |found: &str| Refusal::new(Reason::PemLabel, found);
    match label {
        b"TRUSTED CERTIFICATE" => other("TRUSTED CERTIFICATE, an OpenSSL form with extra data")
            .help("openssl x509 -in FILE -out signing.pem"),
        b"X509 CERTIFICATE" => other("X509 CERTIFICATE, an old OpenSSL form")
            .help("openssl x509 -in FILE -out signing.pem"),
        b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => {
            other("a certificate request (CSR); SendGrid needs the certificate made from it")
                .help(DOWNLOAD)
        }
        b"X509 CRL" => other("a revocation list (CRL), not a certificate").help(DOWNLOAD),
        b"PKCS7" | b"CMS" | b"PKCS #7 SIGNED DATA" => {
            other("a block of PKCS#7 that holds something else").help(DOWNLOAD)
        }
        b"PUBLIC KEY" | b"RSA PUBLIC KEY" => {
            other("a public key without its certificate; SendGrid needs the certificate")
                .help(DOWNLOAD)
        }
        b"EC PARAMETERS" | b"DH PARAMETERS" => other("parameters of a key, not a certificate")
            .help("openssl x509 -in FILE -out signing.pem"),
        _ => other("a block that is no certificate").help("openssl x509 -in FILE -out signing.pem"),
    }
}

/// What an END line says, if it is a label that may be shown.
pub(super) fn end_label(label: &[u8]) -> &'static str {
    match label {
        b"PRIVATE KEY" => "END PRIVATE KEY",
        b"RSA PRIVATE KEY" => "END RSA PRIVATE KEY",
        b"EC PRIVATE KEY" => "END EC PRIVATE KEY",
        b"PUBLIC KEY" => "END PUBLIC KEY",
        b"TRUSTED CERTIFICATE" => "END TRUSTED CERTIFICATE",
        b"CERTIFICATE REQUEST" => "END CERTIFICATE REQUEST",
        _ => "something else",
    }
}

/// Dashes around BEGIN or END CERTIFICATE that are not five hyphens.
pub(super) fn odd_dashes(text: &[u8]) -> Option<Refusal> {
    [&b"BEGIN CERTIFICATE"[..], b"END CERTIFICATE"]
        .into_iter()
        .find_map(|line| odd_dashes_around(text, line))
}

fn odd_dashes_around(text: &[u8], line: &[u8]) -> Option<Refusal> {
    let label = String::from_utf8_lossy(line);
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|it| find(it, line)) {
        let start = from + at;
        from = start + line.len();
        let before = text.get(..start).unwrap_or_default();
        let after = text.get(from..).unwrap_or_default();
        let odd_before = dash_before(before).filter(|_| !before.ends_with(b"-----"));
        let cut = after.len() < 5 && after.iter().all(|it| *it == b'-');
        let odd_after = dash_after(after).filter(|_| !after.starts_with(b"-----") && !cut);
        let Some(dash) = odd_before.or(odd_after) else {
            continue;
        };
        return Some(if dash == '-' {
            none(format!("there are not five hyphens around {label}"))
                .help("type five hyphens on each side")
        } else {
            none(format!(
                "the dashes around {label} are \"{dash}\" (U+{:04X}), not \"-\"",
                u32::from(dash)
            ))
            .help("a word processor changed them; type five hyphens")
        });
    }
    None
}

fn dash_before(bytes: &[u8]) -> Option<char> {
    let tail = bytes
        .get(bytes.len().saturating_sub(8)..)
        .unwrap_or_default();
    let last = String::from_utf8_lossy(tail)
        .trim_end_matches(' ')
        .chars()
        .next_back()?;
    is_dash(last).then_some(last)
}

fn dash_after(bytes: &[u8]) -> Option<char> {
    let head = bytes.get(..bytes.len().min(8)).unwrap_or_default();
    let first = String::from_utf8_lossy(head)
        .trim_start_matches(' ')
        .chars()
        .next()?;
    is_dash(first).then_some(first)
}

const fn is_dash(character: char) -> bool {
    matches!(
        character,
        '-' | '\u{2010}'
            ..='\u{2015}' | '\u{2212}' | '\u{2500}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// `first`, `second`, … for an index from 0.
pub(super) fn ordinal(index: usize) -> String {
    const WORDS: [&str; 10] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth",
    ];
    WORDS
        .get(index)
        .map_or_else(|| format!("{}th", index + 1), |it| (*it).to_owned())
}

/// `980 bytes`, `1.2 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut tenths = u128::from(bytes) * 10 / 1024;
    if tenths == 0 {
        return format!("{bytes} bytes");
    }
    for unit in UNITS {
        if tenths < 10_240 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths /= 1024;
    }
    format!("{bytes} bytes")
}

fn none(found: impl Into<String>) -> Refusal {
    Refusal::new(Reason::NoCertificate, found)
}
