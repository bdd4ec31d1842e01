//! Private keys that are known to the last byte, in every container in which one travels.
//!
//! The numbers inside are drawn from a seed: no reader of the daemon's does arithmetic with them, and a search for any
//! twelve of their bytes can have no other cause. What is encrypted in a container is drawn likewise.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "two programs include this tree, and each uses a part of it"
)]

use std::fmt::Write as _;

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};

/// A file's worth of key material.
#[derive(Clone)]
pub struct Key {
    /// Such as `PKCS#8 in PEM`.
    pub name: String,
    pub bytes: Vec<u8>,
    /// What of it must never be seen again.
    pub secrets: Vec<Vec<u8>>,
    /// Where it is looked for.
    pub place: Place,
    /// How many of its first bytes say what it is, if it may be cut behind them.
    pub known_by: Option<usize>,
}

/// The first bytes of nearly every key that say what it is, as text or as DER.
const BEGINNING: usize = 150;

/// Where key material is known as such.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Anywhere,
    /// At the beginning of a line.
    Line,
    /// At the beginning of the file.
    File,
}

impl Key {
    pub fn is_text(&self) -> bool {
        self.bytes.is_ascii() && !self.bytes.contains(&0)
    }

    /// The same behind, between or inside something else.
    pub fn dressed(&self, how: &str, bytes: Vec<u8>) -> Self {
        Self {
            name: format!("{}, {how}", self.name),
            bytes,
            secrets: self.secrets.clone(),
            place: Place::File,
            known_by: None,
        }
    }
}

/// Every container alone, between certificates, behind much text, cut, and in UTF-16.
pub fn every_hiding_place(pem: &[u8]) -> Vec<Key> {
    const MUCH: usize = 60 * 1024;
    let mut all = Vec::new();
    for key in every_container(20_261_125) {
        if key.place != Place::File {
            let between = [pem, &key.bytes, b"\n", pem].concat();
            all.push(key.dressed("between certificates", between));
        }
        if key.name.ends_with(" in PEM") || key.name.ends_with(" in DER") {
            let mut comments = b"# comment\n".repeat(MUCH / 10);
            comments.truncate(MUCH - key.bytes.len());
            let behind = [&comments, &b"\n"[..], &key.bytes].concat();
            all.push(key.dressed("behind comments", behind));
        }
        if key.known_by.is_some() {
            let half = &key.bytes[..key.bytes.len() / 3 * 2];
            let cut = key.dressed("cut", half.to_vec());
            all.push(cut);
        }
        if key.is_text() {
            all.push(key.dressed("in UTF-16", utf16(&key.bytes, true)));
            let before = if key.place == Place::File { b"" } else { pem };
            let whole = [before, &key.bytes].concat();
            all.push(key.dressed("in UTF-16 of the other order", utf16(&whole, false)));
        }
        all.push(key);
    }
    all
}

/// Every container with keys of this seed.
pub fn every_container(seed: u64) -> Vec<Key> {
    let mut numbers = Numbers(seed);
    let rsa = Rsa::draw(&mut numbers);
    let ec = numbers.draw(32);
    let mut keys = Vec::new();
    for (name, label, der, secrets) in der_forms(&rsa, &ec, &mut numbers) {
        keys.extend(clothes(name, label, &der, &secrets));
    }
    keys.extend(text_forms(&rsa, &ec, &mut numbers));
    keys.extend(binary_forms(&rsa, &mut numbers));
    keys
}

/// Bytes that nobody else has.
struct Numbers(u64);

impl Numbers {
    fn draw(&mut self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| self.next())
            .take(length.div_ceil(8))
            .flat_map(u64::to_be_bytes)
            .take(length)
            .collect();
        // A positive number of exactly so many bytes.
        bytes[0] = bytes[0] & 0x7f | 0x40;
        bytes
    }

    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The numbers of an RSA key: n, then d, p, q, d mod p-1, d mod q-1, q^-1 mod p.
struct Rsa {
    modulus: Vec<u8>,
    private: Vec<Vec<u8>>,
}

impl Rsa {
    fn draw(numbers: &mut Numbers) -> Self {
        let lengths = [256, 128, 128, 128, 128, 128];
        Self {
            modulus: numbers.draw(256),
            private: lengths.map(|it| numbers.draw(it)).to_vec(),
        }
    }

    fn pkcs1(&self) -> Vec<u8> {
        let mut parts = vec![
            INTEGER_0.to_vec(),
            element(2, &self.modulus),
            EXPONENT.to_vec(),
        ];
        parts.extend(self.private.iter().map(|it| element(2, it)));
        element(0x30, &parts.concat())
    }
}

const INTEGER_0: &[u8] = &[2, 1, 0];
const EXPONENT: &[u8] = &[2, 3, 1, 0, 1];
const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

type DerForm = (&'static str, &'static str, Vec<u8>, Vec<Vec<u8>>);

/// Name, PEM label, DER, secrets.
fn der_forms(rsa: &Rsa, ec: &[u8], numbers: &mut Numbers) -> Vec<DerForm> {
    let sequence = |parts: &[&[u8]]| element(0x30, &parts.concat());
    let octets = |content: &[u8]| element(4, content);
    let pkcs1 = rsa.pkcs1();
    let rsa_encryption = sequence(&[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", &[5, 0]]);
    let point = element(
        0xa1,
        &element(3, &[&[0, 4][..], &numbers.draw(64)].concat()),
    );
    let sec1 = sequence(&[&[2, 1, 1], &octets(ec), &element(0xa0, P256), &point]);
    let ec_algorithm = sequence(&[b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", P256]);
    let inner = sequence(&[&[2, 1, 1], &octets(ec), &point]);
    let ed25519 = numbers.draw(32);
    let sealed = numbers.draw(1200);
    let scheme = sequence(&[
        b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d",
        &element(0x30, &octets(&numbers.draw(60))),
    ]);
    let data = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
    let content = element(0xa0, &octets(&sealed));
    let rsa_secrets = &rsa.private;
    vec![
        (
            "PKCS#8",
            "PRIVATE KEY",
            sequence(&[INTEGER_0, &rsa_encryption, &octets(&pkcs1)]),
            rsa_secrets.clone(),
        ),
        (
            "PKCS#8 of an elliptic curve",
            "PRIVATE KEY",
            sequence(&[INTEGER_0, &ec_algorithm, &octets(&inner)]),
            vec![ec.to_vec()],
        ),
        (
            "PKCS#8 of Ed25519",
            "PRIVATE KEY",
            sequence(&[
                INTEGER_0,
                &sequence(&[b"\x06\x03\x2b\x65\x70"]),
                &octets(&octets(&ed25519)),
            ]),
            vec![ed25519],
        ),
        ("PKCS#1", "RSA PRIVATE KEY", pkcs1, rsa_secrets.clone()),
        ("SEC 1", "EC PRIVATE KEY", sec1, vec![ec.to_vec()]),
        (
            "encrypted PKCS#8",
            "ENCRYPTED PRIVATE KEY",
            sequence(&[&scheme, &octets(&sealed)]),
            vec![sealed.clone()],
        ),
        (
            "PKCS#12",
            "PKCS12",
            sequence(&[&[2, 1, 3], &sequence(&[data, &content])]),
            vec![sealed],
        ),
    ]
}

/// A key's DER as it is, and in the texts that are made of it.
fn clothes(name: &str, label: &str, der: &[u8], secrets: &[Vec<u8>]) -> Vec<Key> {
    let digits = Base64::encode_string(der);
    let hex = hex(der);
    let key = |form: &str, bytes: Vec<u8>, place| Key {
        name: format!("{name} {form}"),
        bytes,
        secrets: secrets.to_vec(),
        place,
        known_by: Some(BEGINNING),
    };
    let text = |form: &str, text: String| key(form, text.into_bytes(), Place::Anywhere);
    let pem = armoured("PRIVATE KEY", "", &digits);
    let twice = Base64::encode_string(pem.as_bytes());
    let mut twice = text("in base64 of PEM", twice);
    // The end of a line in the middle: how the first one begins is much the same for every key.
    let line = pem.lines().nth(pem.lines().count() / 2).unwrap();
    twice.secrets = vec![line.as_bytes()[24..].to_vec()];
    // So many bytes of text for each of the key.
    let wide = |width: usize, mut key: Key| {
        key.known_by = Some(width * BEGINNING);
        key
    };
    vec![
        key("in DER", der.to_vec(), Place::Anywhere),
        text("in PEM", armoured(label, "", &digits)),
        text(
            "in PEM under a certificate's label",
            armoured("CERTIFICATE", "", &digits),
        ),
        text("in base64", digits.clone()),
        text("in base64 of many lines", lines(&digits, 76)),
        text("in base64url", Base64UrlUnpadded::encode_string(der)),
        twice,
        wide(2, text("in hexadecimal digits", hex.clone())),
        wide(2, text("in capital hexadecimal digits", hex.to_uppercase())),
        wide(
            3,
            text("in hexadecimal digits with colons", spaced(&hex, "", ":")),
        ),
        wide(6, text("as a C array", spaced(&hex, "0x", ", "))),
        wide(5, key("as a dump", dumped(der).into_bytes(), Place::Line)),
    ]
}

/// What is text by itself.
fn text_forms(rsa: &Rsa, ec: &[u8], numbers: &mut Numbers) -> Vec<Key> {
    let sealed = numbers.draw(1190);
    let url = |it: &[u8]| Base64UrlUnpadded::encode_string(it);
    let base64 = |it: &[u8]| Base64::encode_string(it);
    let [d, p, q, dp, dq, qi] = [0, 1, 2, 3, 4, 5].map(|it| rsa.private[it].as_slice());
    let modulus = rsa.modulus.as_slice();
    let public = numbers.draw(64);
    let (left, right) = public.split_at(32);
    let openssh = openssh(&public, ec);
    let ec_jwk = format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}","d":"{}"}}"#,
        url(left),
        url(right),
        url(ec)
    );
    let rsa_jwk = format!(
        r#"{{"kty": "RSA", "n": "{}", "e": "AQAB", "d": "{}", "p": "{}", "q": "{}"}}"#,
        url(modulus),
        url(d),
        url(p),
        url(q)
    );
    let xml = format!(
        "<RSAKeyValue><Modulus>{}</Modulus><Exponent>AQAB</Exponent><P>{}</P><Q>{}</Q><DP>{}</DP><DQ>{}</DQ>\
         <InverseQ>{}</InverseQ><D>{}</D></RSAKeyValue>",
        base64(modulus),
        base64(p),
        base64(q),
        base64(dp),
        base64(dq),
        base64(qi),
        base64(d)
    );
    let words = format!(
        "Private-Key: (2048 bit, 2 primes)\nmodulus:\n    {}\nprivateExponent:\n    {}\nprime1:\n    {}\n",
        spaced(&hex(modulus), "", ":"),
        spaced(&hex(d), "", ":"),
        spaced(&hex(p), "", ":")
    );
    let putty = format!(
        "PuTTY-User-Key-File-3: ecdsa-sha2-nistp256\nEncryption: none\nComment: idp\nPublic-Lines: 2\n{}Private-Lines: 1\n{}\n\
         Private-MAC: {}\n",
        lines(&base64(&public), 64),
        base64(&[&[0, 0, 0, 0x20][..], ec].concat()),
        hex(&public[..32])
    );
    let legacy =
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,5A0C9B1E77D20F3344A1C6E0B85D9F21\n\n";
    let key = |name: &str, text: String, secrets: &[&[u8]], may_be_cut: bool| Key {
        name: name.to_owned(),
        bytes: text.into_bytes(),
        secrets: secrets.iter().map(|it| it.to_vec()).collect(),
        place: Place::Anywhere,
        known_by: may_be_cut.then_some(BEGINNING),
    };
    vec![
        key(
            "PKCS#1 encrypted as in RFC 1421",
            armoured("RSA PRIVATE KEY", legacy, &base64(&sealed)),
            &[&sealed],
            true,
        ),
        key(
            "OpenSSH in PEM",
            armoured("OPENSSH PRIVATE KEY", "", &base64(&openssh)),
            &[ec],
            true,
        ),
        key("OpenSSH in base64", base64(&openssh), &[ec], true),
        key("PuTTY", putty, &[ec], true),
        key("JWK of an elliptic curve", ec_jwk.clone(), &[ec], false),
        key("JWK of RSA", rsa_jwk, &[d, p, q], false),
        key(
            "JWK inside of a JSON text",
            ec_jwk.replace('"', "\\\""),
            &[ec],
            false,
        ),
        key("XML", xml, &[d, p, q, dp, dq, qi], false),
        key("as openssl describes it", words, &[d, p], false),
    ]
}

fn binary_forms(rsa: &Rsa, numbers: &mut Numbers) -> Vec<Key> {
    let sealed = numbers.draw(1200);
    let salt = numbers.draw(20);
    let entry = [
        b"\0\0\0\x01\0\0\0\x01\0\x03idp\0\0\x01\x9a\0\0\0\0\0\0\x04\xb0".as_slice(),
        &sealed,
    ]
    .concat();
    let private: Vec<u8> = rsa
        .private
        .iter()
        .flat_map(|it| it.iter().rev().copied())
        .collect();
    let backwards: Vec<Vec<u8>> = rsa
        .private
        .iter()
        .map(|it| it.iter().rev().copied().collect())
        .collect();
    let key = |name: &str, bytes: Vec<u8>, secrets: Vec<Vec<u8>>, place| Key {
        name: name.to_owned(),
        bytes,
        secrets,
        place,
        known_by: Some(BEGINNING),
    };
    let blob = [
        b"\x07\x02\0\0\0\xa4\0\0RSA2\0\x08\0\0\x01\0\x01\0".as_slice(),
        &rsa.modulus,
        &private,
    ]
    .concat();
    let bks = [
        b"\0\0\0\x02\0\0\0\x14".as_slice(),
        &salt,
        b"\0\0\x06\x39\x02\0\x03idp",
        &sealed,
    ]
    .concat();
    let digits = Base64::encode_string(&bks);
    vec![
        key(
            "JKS",
            [b"\xfe\xed\xfe\xed\0\0\0\x02", &entry[..]].concat(),
            vec![sealed.clone()],
            Place::Anywhere,
        ),
        key(
            "JCEKS",
            [b"\xce\xce\xce\xce\0\0\0\x02", &entry[..]].concat(),
            vec![sealed.clone()],
            Place::Anywhere,
        ),
        key("BKS", bks, vec![sealed.clone()], Place::File),
        key(
            "BKS in base64",
            digits.into_bytes(),
            vec![sealed],
            Place::File,
        ),
        key("a blob of CryptoAPI", blob, backwards, Place::Anywhere),
    ]
}

/// The format of `ssh-keygen`, without a passphrase.
fn openssh(public: &[u8], private: &[u8]) -> Vec<u8> {
    let text = |it: &[u8]| [&u32::try_from(it.len()).unwrap().to_be_bytes()[..], it].concat();
    let public = [
        text(b"ecdsa-sha2-nistp256"),
        text(b"nistp256"),
        text(public),
    ]
    .concat();
    let private = [&[7; 8][..], &public, &text(private), &text(b"idp")].concat();
    [
        b"openssh-key-v1\0".to_vec(),
        text(b"none"),
        text(b"none"),
        text(b""),
        vec![0, 0, 0, 1],
        text(&public),
        text(&private),
    ]
    .concat()
}

/// One DER element.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match content.len() {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&header[..], content].concat()
}

fn armoured(label: &str, headers: &str, digits: &str) -> String {
    let body = lines(digits, 64);
    format!("-----BEGIN {label}-----\n{headers}{body}-----END {label}-----\n")
}

fn lines(text: &str, columns: usize) -> String {
    let lines = text.as_bytes().chunks(columns);
    lines.fold(String::new(), |out, it| {
        out + std::str::from_utf8(it).unwrap() + "\n"
    })
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, it| {
        write!(out, "{it:02x}").unwrap();
        out
    })
}

/// Each byte of hexadecimal digits with something before and behind it.
fn spaced(hex: &str, before: &str, behind: &str) -> String {
    let bytes = hex.as_bytes().chunks(2);
    bytes.fold(String::new(), |out, it| {
        out + before + std::str::from_utf8(it).unwrap() + behind
    })
}

/// As `xxd` shows bytes.
fn dumped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (line, bytes) in bytes.chunks(16).enumerate() {
        write!(out, "{:08x}:", line * 16).unwrap();
        for pair in bytes.chunks(2) {
            write!(out, " {}", hex(pair)).unwrap();
        }
        let shown = |it: &u8| {
            if it.is_ascii_graphic() {
                char::from(*it)
            } else {
                '.'
            }
        };
        writeln!(out, "  {}", bytes.iter().map(shown).collect::<String>()).unwrap();
    }
    out
}

/// UTF-16 with a byte-order mark, as PowerShell's `>` writes it, or the other way round.
pub fn utf16(text: &[u8], is_little: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.iter().copied().map(u16::from));
    units
        .flat_map(|it| {
            if is_little {
                it.to_le_bytes()
            } else {
                it.to_be_bytes()
            }
        })
        .collect()
}
