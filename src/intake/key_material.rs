//! Private keys, in any encoding and anywhere in a file. The scan comes before everything else, so that no byte of a
//! key is ever parsed, logged, stored or sent.
//!
//! It reads the bytes as they are, as UTF-16, with JSON's escapes undone, and what any run of base64 or hexadecimal
//! digits decodes to. A key is known by how it begins: it may be cut, unterminated or behind 60 KiB of comments.

use std::cell::LazyCell;
use std::sync::LazyLock;

use memchr::memmem;
use zeroize::Zeroizing;

use super::key_der::der_key;
use super::key_hex::in_hex;
use super::key_text;
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

/// What kind of private key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
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
    /// A block that lost its beginning.
    Rest,
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
            Self::Unnamed | Self::Rest => "a private key",
        }
    }
}

impl KeyMaterial {
    /// The refusal of the whole file. Who knows where the file lies says how the key is taken away.
    pub(super) fn refusal(self, bytes: &[u8]) -> Refusal {
        let name = self.kind.name();
        let found = match self.line {
            Some(line) if self.kind == Kind::Rest => format!("line {line} ends {name}"),
            Some(line) => format!("line {line} begins {name}"),
            None => name.to_owned(),
        };
        let refusal = Refusal::new(Reason::PrivateKey, found);
        let refusal = match self.kind {
            Kind::Pkcs12 => refusal.help(
                "openssl pkcs12 -in FILE -nokeys -clcerts -out signing.pem   (an old one, with RC2: add -legacy)",
            ),
            Kind::JavaKeystore => refusal.help(
                "keytool -exportcert -rfc -keystore FILE -alias NAME -file signing.pem",
            ),
            _ if holds_certificate(bytes) => refusal
                .help("keep only the certificate   openssl x509 -in FILE -out signing.pem"),
            _ => refusal,
        };
        refusal.help("if the key was ever copied, mailed or in a shared directory: have a new one made at the IdP")
    }
}

/// Whether `openssl x509` finds a certificate in these bytes: a block on lines of its own.
fn holds_certificate(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|it| *it == b'\n').map(<[u8]>::trim_ascii_end);
    lines.any(|it| it == b"-----BEGIN CERTIFICATE-----")
        && lines.any(|it| it == b"-----END CERTIFICATE-----")
}

/// The first key material in `bytes`.
pub(super) fn find(bytes: &[u8]) -> Option<KeyMaterial> {
    if let Some((kind, at)) = scan(bytes) {
        let line = is_text(bytes).then(|| line_of(bytes, at));
        return Some(KeyMaterial { kind, line });
    }
    // UTF-16 of either byte order is ASCII with zeros between.
    let mut narrow = Zeroizing::new(Vec::new());
    if bytes.contains(&0) {
        // Reserved at once: a buffer that grows leaves what it held behind, not wiped.
        narrow.reserve_exact(bytes.len());
        narrow.extend(bytes.iter().filter(|it| **it != 0));
    }
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

/// The first key in these bytes as they are, or in a run of base64 or hexadecimal digits, and where it begins.
fn scan(bytes: &[u8]) -> Option<(Kind, usize)> {
    plain(bytes)
        .or_else(|| in_base64(bytes))
        .or_else(|| in_hex(bytes))
}

/// The first key that stands in these bytes without further encoding.
pub(super) fn plain(bytes: &[u8]) -> Option<(Kind, usize)> {
    if is_bouncy_castle(bytes) {
        return Some((Kind::JavaKeystore, 0));
    }
    let is_jwk = LazyCell::new(|| memmem::find(bytes, b"\"kty\"").is_some());
    let is_rsa_xml = LazyCell::new(|| memmem::find(bytes, b"RSAKeyValue").is_some());
    let begins = beginnings();
    let mut at = 0;
    while let Some(step) = bytes
        .get(at..)?
        .iter()
        .position(|it| lookup(begins, *it) == 1)
    {
        at += step;
        let (before, from) = bytes.split_at_checked(at)?;
        let kind = match from {
            [b'0', 0x20..=0x84, ..] => der_key(from),
            [b'P' | b'p', b'R' | b'r' | b'u', ..] => key_text::key(before, from),
            [b'o', b'p', ..] => from
                .starts_with(b"openssh-key-v1\0")
                .then_some(Kind::OpenSsh),
            [b'"', b'd', ..] => (json_key(from) && *is_jwk).then_some(Kind::Jwk),
            [b'<', ..] => (xml_key(from) && *is_rsa_xml).then_some(Kind::Xml),
            _ => magic(from),
        };
        if let Some(kind) = kind {
            return Some((kind, at));
        }
        at += 1;
    }
    None
}

/// 1 for every byte with which key material may begin: most begin nothing, and this is the hot loop of a look.
fn beginnings() -> &'static [u8; 256] {
    static TABLE: LazyLock<[u8; 256]> = LazyLock::new(|| {
        const BYTES: &[u8] = b"0Ppo\"<\x07\x1e\xce\xfe";
        table_of(|byte| u8::from(BYTES.contains(&byte)))
    });
    &TABLE
}

/// The member `d` of a JWK (RFC 7518, 6.2.2 and 6.3.2).
fn json_key(from: &[u8]) -> bool {
    /// Fewer digits are no key: P-256 has 43.
    const DIGITS: usize = 20;
    let value = from
        .strip_prefix(b"\"d\"")
        .and_then(|it| skip_space(it).strip_prefix(b":"))
        .and_then(|it| skip_space(it).strip_prefix(b"\""));
    value.is_some_and(|it| {
        let table = sextets();
        let digits = it
            .iter()
            .take(DIGITS)
            .filter(|it| lookup(table, **it) < SPACE);
        digits.count() == DIGITS
    })
}

/// What follows the white space of a JSON text; a page of it is no JSON anybody wrote.
fn skip_space(bytes: &[u8]) -> &[u8] {
    const PAGE: usize = 100;
    let space = bytes
        .iter()
        .take(PAGE)
        .take_while(|it| it.is_ascii_whitespace())
        .count();
    bytes.get(space..).unwrap_or_default()
}

/// A private element of .NET's `RSAKeyValue`; the public ones are Modulus and Exponent.
fn xml_key(from: &[u8]) -> bool {
    const LONGEST_NAME: usize = 40;
    let tag = from
        .get(1..from.len().min(LONGEST_NAME))
        .unwrap_or_default();
    let is_end = |it: &u8| matches!(it, b'>' | b' ' | b'\t' | b'\r' | b'\n');
    let name = tag.split(is_end).next().unwrap_or_default();
    let local = name.rsplit(|it| *it == b':').next().unwrap_or_default();
    matches!(local, b"D" | b"P" | b"Q" | b"DP" | b"DQ" | b"InverseQ")
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

/// A keystore of Bouncy Castle (BKS, UBER): version, twenty bytes of salt, rounds. Too little to be looked for elsewhere
/// than at the beginning.
fn is_bouncy_castle(bytes: &[u8]) -> bool {
    const SALT: usize = 20;
    let salt = bytes
        .strip_prefix(&[0, 0, 0])
        .and_then(|it| it.strip_prefix(&[1]).or_else(|| it.strip_prefix(&[2])))
        .and_then(|it| it.strip_prefix(&[0, 0, 0, 20]));
    let rounds = salt.and_then(|it| it.get(SALT..SALT + 4));
    matches!(rounds, Some([0, 0, 1..=255, _]))
}

/// The first key in what a run of base64 decodes to. White space inside a run does not end it; where the digits of
/// a key begin in a run is unknown, so all four alignments are tried.
fn in_base64(bytes: &[u8]) -> Option<(Kind, usize)> {
    let table = sextets();
    let mut run = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut decoded = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut start = 0;
    // The byte behind the end ends the last run.
    for (at, byte) in bytes.iter().copied().chain([b'!']).enumerate() {
        match lookup(table, byte) {
            SPACE => {}
            OTHER => {
                if let Some((kind, digit)) = in_run(&run, &mut decoded) {
                    return Some((kind, place(bytes, start, digit)));
                }
                run.clear();
            }
            value => {
                if run.is_empty() {
                    start = at;
                }
                run.push(value);
            }
        }
    }
    None
}

/// `decoded` is room to decode in, as large as the run.
fn in_run(run: &[u8], decoded: &mut Vec<u8>) -> Option<(Kind, usize)> {
    if run.len() < SHORTEST_RUN {
        return None;
    }
    (0..4).find_map(|alignment| {
        decode(run.get(alignment..).unwrap_or_default(), decoded);
        plain(decoded).map(|(kind, at)| (kind, alignment + at * 4 / 3))
    })
}

/// `decoded` has room for all of it: it never grows.
fn decode(digits: &[u8], decoded: &mut Vec<u8>) {
    let (groups, rest) = digits.as_chunks::<4>();
    decoded.clear();
    decoded.resize(3 * groups.len(), 0);
    let (places, _) = decoded.as_chunks_mut::<3>();
    for (place, [a, b, c, d]) in places.iter_mut().zip(groups) {
        *place = [(a << 2) | (b >> 4), (b << 4) | (c >> 2), (c << 6) | d];
    }
    match rest {
        [a, b] => decoded.push((a << 2) | (b >> 4)),
        [a, b, c] => decoded.extend_from_slice(&[(a << 2) | (b >> 4), (b << 4) | (c >> 2)]),
        _ => {}
    }
}

/// Where the n-th digit of the run that begins at `start` stands.
fn place(bytes: &[u8], start: usize, digit: usize) -> usize {
    let table = sextets();
    let run = bytes.get(start..).unwrap_or_default();
    let digits = run
        .iter()
        .enumerate()
        .filter(|(_, it)| lookup(table, **it) < SPACE);
    start + digits.map(|(at, _)| at).nth(digit).unwrap_or_default()
}

const SPACE: u8 = 64;
const OTHER: u8 = 65;

/// The value of every byte as a digit of base64 or base64url; [`SPACE`] or [`OTHER`] for what is none.
fn sextets() -> &'static [u8; 256] {
    static TABLE: LazyLock<[u8; 256]> = LazyLock::new(|| {
        table_of(|byte| match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b' ' | b'\t' | b'\r' | b'\n' => SPACE,
            _ => OTHER,
        })
    });
    &TABLE
}

pub(super) fn table_of(value: impl Fn(u8) -> u8) -> [u8; 256] {
    let mut next = 0_u8;
    [(); 256].map(|()| {
        let byte = next;
        next = next.wrapping_add(1);
        value(byte)
    })
}

pub(super) fn lookup(table: &[u8; 256], byte: u8) -> u8 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.starts_with(&[0x30, 0x82]) && !bytes.contains(&0)
}

/// The number of the line with the byte at `at`, counted from 1; lines end in LF, or in CR if there is no LF.
fn line_of(bytes: &[u8], at: usize) -> usize {
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    1 + bytes.iter().take(at).filter(|it| **it == end).count()
}
