//! Private keys, in any encoding and anywhere in a file. The scan comes before everything else, so that no byte of a
//! key is ever parsed, logged, stored or sent.
//!
//! It reads the bytes as they are, as UTF-16, with JSON's escapes undone, and what any run of base64 decodes to. A
//! key is known by how it begins: it may be cut, unterminated or behind 60 KiB of comments.

use std::sync::LazyLock;

use zeroize::Zeroizing;

use super::pem::find as position;
use crate::domain::{Reason, Refusal};

/// Fewer base64 digits do not hold the beginning of any key.
const SHORTEST_RUN: usize = 16;

/// A private key that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KeyMaterial {
    kind: Kind,
    /// The line it begins on, in text.
    line: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Pkcs8,
    EncryptedPkcs8,
    Pkcs1,
    Sec1,
    Dsa,
    OpenSsh,
    Putty,
    Pgp,
    Jwk,
    Xml,
    Pkcs12,
    JavaKeystore,
    Microsoft,
    Unnamed,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Pkcs8 => "an unencrypted PKCS#8 private key",
            Self::EncryptedPkcs8 => "an encrypted PKCS#8 private key",
            Self::Pkcs1 => "a PKCS#1 private key",
            Self::Sec1 => "a SEC 1 (EC) private key",
            Self::Dsa => "a DSA private key",
            Self::OpenSsh => "an OpenSSH private key",
            Self::Putty => "a PuTTY private key",
            Self::Pgp => "an OpenPGP private key",
            Self::Jwk => "a private key as JSON (JWK)",
            Self::Xml => "a private key as XML (RSAKeyValue)",
            Self::Pkcs12 => "PKCS#12 container",
            Self::JavaKeystore => "Java keystore",
            Self::Microsoft => "a Microsoft private key blob",
            Self::Unnamed => "a private key",
        }
    }
}

impl KeyMaterial {
    /// The refusal of the whole file.
    pub(super) fn refusal(self) -> Refusal {
        let name = self.kind.name();
        let found = match self.line {
            Some(line) => format!("line {line} begins {name}"),
            None => name.to_owned(),
        };
        let refusal = Refusal::new(Reason::PrivateKey, found);
        match self.kind {
            Kind::Pkcs12 => refusal
                .help("openssl pkcs12 -in FILE -nokeys -clcerts -out okta.pem; then remove FILE"),
            Kind::JavaKeystore => refusal.help(
                "keytool -exportcert -rfc -keystore FILE -alias NAME -file okta.pem; then remove FILE",
            ),
            _ => refusal
                .help("keep only the certificate   openssl x509 -in FILE -out okta.pem")
                .help("remove the bundle           shred -u FILE")
                .help("if it was ever copied, mailed or in a shared directory: have a new key made at the IdP"),
        }
    }
}

/// The first key material in `bytes`.
pub(super) fn find(bytes: &[u8]) -> Option<KeyMaterial> {
    if let Some((kind, at)) = scan(bytes) {
        let line = is_text(bytes).then(|| line_of(bytes, at));
        return Some(KeyMaterial { kind, line });
    }
    // UTF-16 of either byte order is ASCII with zeros between.
    let narrow: Zeroizing<Vec<u8>> = Zeroizing::new(if bytes.contains(&0) {
        bytes.iter().copied().filter(|it| *it != 0).collect()
    } else {
        Vec::new()
    });
    if let Some((kind, at)) = scan(&narrow) {
        return Some(KeyMaterial {
            kind,
            line: Some(line_of(&narrow, at)),
        });
    }
    let text = if narrow.is_empty() { bytes } else { &narrow };
    if !text.contains(&b'\\') {
        return None;
    }
    scan(&unescaped(text)).map(|(kind, _)| KeyMaterial { kind, line: None })
}

/// JSON's escapes undone, as far as they occur around keys.
fn unescaped(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'n' | b'r' | b't') => b'\n',
                Some(other) => other,
                None => break,
            },
            other => other,
        });
    }
    out
}

/// The first key in these bytes as they are, or in a run of base64, and where it begins.
fn scan(bytes: &[u8]) -> Option<(Kind, usize)> {
    plain(bytes).or_else(|| in_base64(bytes))
}

/// The first key that stands in these bytes without further encoding.
fn plain(bytes: &[u8]) -> Option<(Kind, usize)> {
    bytes.iter().enumerate().find_map(|(at, byte)| {
        let interesting = matches!(
            byte,
            b'0' | b'P' | b'p' | b'o' | b'"' | b'<' | 0x07 | 0x1e | 0xce | 0xfe
        );
        if !interesting {
            return None;
        }
        let (before, from) = bytes.split_at_checked(at)?;
        let kind = match byte {
            b'0' => der_key(from),
            b'P' | b'p' => armour(before, from).or_else(|| {
                from.starts_with(b"PuTTY-User-Key-File-")
                    .then_some(Kind::Putty)
            }),
            b'o' => from
                .starts_with(b"openssh-key-v1\0")
                .then_some(Kind::OpenSsh),
            b'"' => json_key(bytes, from).then_some(Kind::Jwk),
            b'<' => xml_key(bytes, from).then_some(Kind::Xml),
            _ => magic(from),
        };
        kind.map(|it| (it, at))
    })
}

/// `-----BEGIN … PRIVATE KEY`, whatever the dashes are; `from` begins at the P.
fn armour(before: &[u8], from: &[u8]) -> Option<Kind> {
    const LONGEST_LABEL: usize = 48;
    if !starts_with_ignoring_case(from, b"PRIVATE KEY") {
        return None;
    }
    let tail = before.get(before.len().saturating_sub(LONGEST_LABEL)..)?;
    let tail = tail.to_ascii_uppercase();
    let begin = tail.windows(5).rposition(|it| it == b"BEGIN")?;
    let (dashes, label) = tail.split_at_checked(begin)?;
    let label = label.get(5..)?;
    let has_dash = dashes
        .iter()
        .rev()
        .find(|it| **it != b' ')
        .is_some_and(|it| *it == b'-' || !it.is_ascii());
    let is_label = label
        .iter()
        .all(|it| it.is_ascii_alphanumeric() || *it == b' ');
    (has_dash && is_label).then(|| match label.trim_ascii() {
        b"" => Kind::Pkcs8,
        b"ENCRYPTED" => Kind::EncryptedPkcs8,
        b"RSA" => Kind::Pkcs1,
        b"EC" => Kind::Sec1,
        b"DSA" => Kind::Dsa,
        b"OPENSSH" => Kind::OpenSsh,
        b"PGP" => Kind::Pgp,
        _ => Kind::Unnamed,
    })
}

/// The member `d` of a JWK (RFC 7518, 6.2.2 and 6.3.2).
fn json_key(all: &[u8], from: &[u8]) -> bool {
    /// Fewer digits are no key: P-256 has 43.
    const DIGITS: usize = 20;
    let value = from
        .strip_prefix(b"\"d\"")
        .and_then(|it| it.trim_ascii_start().strip_prefix(b":"))
        .and_then(|it| it.trim_ascii_start().strip_prefix(b"\""));
    value.is_some_and(|it| {
        let digits = it
            .iter()
            .take_while(|it| sextet(**it) < 64)
            .take(DIGITS)
            .count();
        digits == DIGITS && position(all, b"\"kty\"").is_some()
    })
}

/// A private element of .NET's `RSAKeyValue`; the public ones are Modulus and Exponent.
fn xml_key(all: &[u8], from: &[u8]) -> bool {
    let name: Vec<u8> = from
        .iter()
        .skip(1)
        .take_while(|it| !matches!(it, b'>' | b' ' | b'\t' | b'\r' | b'\n' | b'<'))
        .take(40)
        .copied()
        .collect();
    let local = name.rsplit(|it| *it == b':').next().unwrap_or_default();
    matches!(local, b"D" | b"P" | b"Q" | b"DP" | b"DQ" | b"InverseQ")
        && position(all, b"RSAKeyValue").is_some()
}

/// Containers that are known by their first bytes.
fn magic(from: &[u8]) -> Option<Kind> {
    match from {
        // JKS and JCEKS, versions 1 and 2.
        [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 1 | 2, ..]
        | [0xce, 0xce, 0xce, 0xce, 0, 0, 0, 1 | 2, ..] => Some(Kind::JavaKeystore),
        // PRIVATEKEYBLOB of CryptoAPI, and PVK around it.
        [7, 2, 0, 0, _, _, _, _, b'R', b'S', b'A', b'2', ..]
        | [0x1e, 0xf1, 0xb5, 0xb0, 0, 0, 0, 0, ..] => Some(Kind::Microsoft),
        _ => None,
    }
}

/// A key's DER or BER by its first elements; the rest may be missing.
fn der_key(from: &[u8]) -> Option<Kind> {
    const PKCS5: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05";
    const PKCS12_PBE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01";
    const PKCS7: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07";
    let (length, inside) = header(from, 0x30)?;
    let inside = length.and_then(|it| inside.get(..it)).unwrap_or(inside);
    if let [2, 1, 3, rest @ ..] = inside {
        let (_, content_info) = header(rest, 0x30)?;
        let (_, oid) = header(content_info, 6)?;
        return matches!(oid.strip_prefix(PKCS7), Some([1 | 2, ..])).then_some(Kind::Pkcs12);
    }
    if let [2, 1, version @ (0 | 1), rest @ ..] = inside {
        return match rest.first()? {
            0x30 => {
                let (length, algorithm) = header(rest, 0x30)?;
                (algorithm.starts_with(&[6]) && is_key_behind(algorithm, length?))
                    .then_some(Kind::Pkcs8)
            }
            2 => {
                let (length, number) = header(rest, 2)?;
                let is_large = length? >= 32 && number.first().is_none_or(|it| *it < 0x80);
                is_large.then_some(Kind::Pkcs1)
            }
            4 if *version == 1 => {
                let (length, secret) = header(rest, 4)?;
                let fits = (20..=72).contains(&length?);
                let next = secret.get(length?..).and_then(<[u8]>::first);
                (fits && matches!(next, None | Some(0xa0 | 0xa1))).then_some(Kind::Sec1)
            }
            _ => None,
        };
    }
    let (length, algorithm) = header(inside, 0x30)?;
    let (_, oid) = header(algorithm, 6)?;
    let is_password_based = oid.starts_with(PKCS5) || oid.starts_with(PKCS12_PBE);
    (is_password_based && is_key_behind(algorithm, length?)).then_some(Kind::EncryptedPkcs8)
}

/// Whether an OCTET STRING follows the algorithm, or the bytes stop inside the algorithm.
fn is_key_behind(algorithm: &[u8], length: usize) -> bool {
    algorithm
        .get(length..)
        .is_none_or(|it| it.starts_with(&[4]))
}

/// The length in an element's header (none: indefinite) and what follows it, if the tag is this one.
fn header(bytes: &[u8], tag: u8) -> Option<(Option<usize>, &[u8])> {
    match bytes {
        [first, ..] if *first != tag => None,
        [_, 0x80, rest @ ..] => Some((None, rest)),
        [_, length @ 0..=0x7f, rest @ ..] => Some((Some(usize::from(*length)), rest)),
        [_, count @ 0x81..=0x84, rest @ ..] => {
            let (digits, rest) = rest.split_at_checked(usize::from(count & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |sum, it| sum * 256 + usize::from(*it));
            Some((Some(length), rest))
        }
        _ => None,
    }
}

/// The first key in what a run of base64 decodes to. White space inside a run does not end it; where the digits of
/// a key begin in a run is unknown, so all four alignments are tried.
fn in_base64(bytes: &[u8]) -> Option<(Kind, usize)> {
    let mut run = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut start = 0;
    // The byte behind the end ends the last run.
    let ended = bytes.iter().copied().chain([b'!']);
    for (at, value) in ended.map(sextet).enumerate() {
        match value {
            0..64 => {
                if run.is_empty() {
                    start = at;
                }
                run.push(value);
            }
            SPACE => {}
            _ => {
                if let Some((kind, digit)) = in_run(&run) {
                    return Some((kind, place(bytes, start, digit)));
                }
                run.clear();
            }
        }
    }
    None
}

fn in_run(run: &[u8]) -> Option<(Kind, usize)> {
    if run.len() < SHORTEST_RUN {
        return None;
    }
    (0..4).find_map(|alignment| {
        let digits = run.get(alignment..).unwrap_or_default();
        let decoded = decode(digits);
        plain(&decoded).map(|(kind, at)| (kind, alignment + at * 4 / 3))
    })
}

fn decode(digits: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(digits.len() / 4 * 3 + 3));
    for group in digits.chunks(4) {
        let bits = group
            .iter()
            .fold(0_u32, |sum, it| (sum << 6) | u32::from(*it));
        let bits = bits << (6 * (4 - group.len()));
        let [_, bytes @ ..] = bits.to_be_bytes();
        out.extend(bytes.iter().take(group.len() * 3 / 4));
    }
    out
}

/// Where the n-th digit of the run that begins at `start` stands.
fn place(bytes: &[u8], start: usize, digit: usize) -> usize {
    let run = bytes.get(start..).unwrap_or_default();
    let digits = run.iter().enumerate().filter(|(_, it)| sextet(**it) < 64);
    start + digits.map(|(at, _)| at).nth(digit).unwrap_or_default()
}

const SPACE: u8 = 64;
const OTHER: u8 = 65;

/// The value of a digit of base64 or base64url; [`SPACE`] or [`OTHER`] for what is none.
fn sextet(byte: u8) -> u8 {
    static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        (0..=u8::MAX)
            .map(|byte| match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                b' ' | b'\t' | b'\r' | b'\n' => SPACE,
                _ => OTHER,
            })
            .collect()
    });
    TABLE.get(usize::from(byte)).copied().unwrap_or(OTHER)
}

fn starts_with_ignoring_case(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes
        .get(..prefix.len())
        .is_some_and(|it| it.eq_ignore_ascii_case(prefix))
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.starts_with(&[0x30, 0x82]) && !bytes.contains(&0)
}

/// The number of the line with the byte at `at`, counted from 1; lines end in LF, or in CR if there is no LF.
fn line_of(bytes: &[u8], at: usize) -> usize {
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    1 + bytes.iter().take(at).filter(|it| **it == end).count()
}
