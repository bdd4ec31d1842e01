//! Private keys, wherever they hide; their public halves, which are none.

use std::fmt::Write as _;

use base64ct::{Base64, Encoding as _};
use rcgen::{KeyPair, PKCS_ED25519};

use super::*;
use crate::intake::forge;

fn key_found(bytes: impl AsRef<[u8]>) -> Refusal {
    refuses(bytes, Reason::PrivateKey, "")
}

#[test]
fn a_private_key_is_found_before_after_and_between_certificates() {
    let (certificate, key) = made("idp");
    let pem = canonical_pem(certificate.der());
    let key = key.serialize_pem();
    let refusal = key_found(format!("{key}{pem}"));
    assert_eq!(
        refusal.found,
        "line 1 begins an unencrypted PKCS#8 private key"
    );
    let line = pem.lines().count() + 1;
    assert_eq!(
        key_found(format!("{pem}{key}{pem}")).found,
        format!("line {line} begins an unencrypted PKCS#8 private key")
    );
    let unterminated = key.split("-----END").next().unwrap();
    key_found(format!("{pem}{unterminated}"));
    key_found(format!("{pem}-----BEGIN PRIVATE KEY"));
    key_found(format!("{}{key}", "# comment\n".repeat(6_000)));
    for bytes in [utf16(&key, true), utf16(&key, false)] {
        key_found(bytes);
    }
    for text in [format!("{pem}{key}"), key] {
        let secret = text.lines().rev().nth(1).unwrap();
        let refusal = key_found(&text);
        assert!(
            !format!("{refusal:?}").contains(secret.split_at(8).0),
            "no byte of it is said"
        );
    }
}

#[test]
fn every_label_of_a_private_key_is_known() {
    for (label, words) in [
        ("PRIVATE KEY", "an unencrypted PKCS#8"),
        ("ENCRYPTED PRIVATE KEY", "an encrypted PKCS#8"),
        ("RSA PRIVATE KEY", "a PKCS#1"),
        ("EC PRIVATE KEY", "a SEC 1 (EC)"),
        ("DSA PRIVATE KEY", "a DSA"),
        ("OPENSSH PRIVATE KEY", "an OpenSSH"),
        ("PGP PRIVATE KEY BLOCK", "an OpenPGP"),
        ("ANY PRIVATE KEY", "a private key"),
    ] {
        for dashes in ["-----", "----", "\u{2013}\u{2013}", "---- "] {
            let text = format!("comment\r\n{dashes}BEGIN {label}{dashes}\r\n");
            refuses(text, Reason::PrivateKey, &format!("line 2 begins {words}"));
        }
    }
    let pem = canonical_pem(&der("idp"));
    accepts_one(format!(
        "The private key is elsewhere. Begin private key talk.\n{pem}"
    ));
}

/// Keys in DER, of every form; the secrets are the number 7 repeated.
fn der_keys() -> Vec<(&'static str, Vec<u8>)> {
    let rsa = forge::sequence(&[&forge::oid("1.2.840.113549.1.1.1"), &[5, 0]]);
    let large = forge::element(2, &[7; 256]);
    let pkcs1 = forge::sequence(&[&[2, 1, 0], &large, &[2, 3, 1, 0, 1], &large]);
    let curve = forge::element(0xa0, &forge::oid(P256));
    let sec1 = forge::sequence(&[&[2, 1, 1], &forge::element(4, &[7; 32]), &curve]);
    let pbes2 = forge::sequence(&[
        &forge::oid("1.2.840.113549.1.5.13"),
        &forge::element(0x30, &[7; 80]),
    ]);
    let data = forge::sequence(&[
        &forge::oid("1.2.840.113549.1.7.1"),
        &forge::element(0xa0, &[4; 400]),
    ]);
    let mut indefinite = vec![0x30, 0x80, 2, 1, 3, 0x30, 0x80];
    indefinite.extend(forge::oid("1.2.840.113549.1.7.1"));
    vec![
        (
            "PKCS#8",
            forge::sequence(&[&[2, 1, 0], &rsa, &forge::element(4, &pkcs1)]),
        ),
        ("PKCS#8", KeyPair::generate().unwrap().serialize_der()),
        (
            "PKCS#8",
            KeyPair::generate_for(&PKCS_ED25519)
                .unwrap()
                .serialize_der(),
        ),
        ("PKCS#1", pkcs1),
        ("SEC 1", sec1),
        (
            "SEC 1",
            forge::sequence(&[&[2, 1, 1], &forge::element(4, &[7; 66])]),
        ),
        (
            "SEC 1",
            forge::sequence(&[&[2, 1, 1], &forge::element(4, &[7; 16]), &curve]),
        ),
        (
            "encrypted PKCS#8",
            forge::sequence(&[&pbes2, &forge::element(4, &[7; 200])]),
        ),
        ("PKCS#12", forge::sequence(&[&[2, 1, 3], &data])),
        ("PKCS#12", indefinite),
    ]
}

#[test]
fn keys_in_der_are_found_alone_inside_other_bytes_and_cut() {
    let certificate = der("idp");
    for (kind, key) in der_keys() {
        for bytes in [
            key.clone(),
            [&certificate[..], &key].concat(),
            [&b"junk\0\xff"[..], &key, b"more"].concat(),
        ] {
            refuses(bytes, Reason::PrivateKey, kind);
        }
        if key.len() > 110 {
            refuses(&key[..110], Reason::PrivateKey, kind);
        }
    }
}

#[test]
fn keys_in_base64_are_found_without_armour_and_under_wrong_labels() {
    let pem = canonical_pem(&der("idp"));
    for (kind, key) in der_keys() {
        let digits = Base64::encode_string(&key);
        let wrapped: String = digits
            .as_bytes()
            .chunks(64)
            .fold(String::new(), |mut out, line| {
                writeln!(out, "  {}\r", std::str::from_utf8(line).unwrap()).unwrap();
                out
            });
        let url = digits.replace('+', "-").replace('/', "_").replace('=', "");
        for text in [
            digits.clone(),
            wrapped.clone(),
            url,
            canonical_pem(&key),
            format!("{pem}{wrapped}"),
            format!("x{wrapped}{pem}"),
            format!("a word{wrapped}"),
            wrapped
                .lines()
                .fold(String::new(), |out, line| out + "> " + line + "\n"),
            digits
                .as_bytes()
                .chunks(64)
                .fold(String::from("{\"key\": \""), |out, line| {
                    out + std::str::from_utf8(line).unwrap() + "\\n"
                }),
        ] {
            refuses(text, Reason::PrivateKey, kind);
        }
        for bytes in [utf16(&wrapped, true), utf16(&digits, false)] {
            refuses(bytes, Reason::PrivateKey, kind);
        }
    }
    let key = KeyPair::generate().unwrap().serialize_pem();
    refuses(
        Base64::encode_string(key.as_bytes()),
        Reason::PrivateKey,
        "PKCS#8",
    );
}

/// As `xxd` and `hexdump -C` show bytes: an offset, sixteen of them in pairs of `group`, and their text.
fn dump(bytes: &[u8], colon: &str, group: usize) -> String {
    let mut out = String::new();
    for (line, bytes) in bytes.chunks(16).enumerate() {
        write!(out, "{:08x}{colon} ", line * 16).unwrap();
        for (at, byte) in bytes.iter().enumerate() {
            let space = if at % group == 0 { " " } else { "" };
            write!(out, "{space}{byte:02x}").unwrap();
        }
        let text: String = bytes
            .iter()
            .map(|it| char::from(*it))
            .map(|it| if it.is_ascii_graphic() { it } else { '.' })
            .collect();
        writeln!(out, "  |{text}|").unwrap();
    }
    out
}

#[test]
fn keys_in_hexadecimal_digits_are_found_bare_and_dumped() {
    let (certificate, key) = made("idp");
    let pem = canonical_pem(certificate.der());
    let mut keys = der_keys();
    let armoured = key.serialize_pem();
    keys.push(("private key", armoured.into_bytes()));
    keys.push(("OpenSSH", b"openssh-key-v1\0\0\0\0\x04none".to_vec()));
    for (kind, key) in keys {
        let each = |before: &str, after: &str| {
            key.iter().fold(String::new(), |out, it| {
                out + before + &format!("{it:02x}") + after
            })
        };
        let plain = each("", "");
        let shifted = [&b"a certificate"[..], &key].concat();
        for text in [
            plain.clone(),
            plain.to_uppercase(),
            format!("{pem}key {plain}"),
            format!("a{plain}"),
            format!("{{\"key\": \"{plain}\"}}"),
            each("", ":"),
            each("", " "),
            each("0x", ", "),
            each("0X", ",\n"),
            each("\\x", ""),
            each("\\\\x", ""),
            dump(&key, ":", 2),
            dump(&key, "", 1).replace('\n', "\r\n"),
            dump(&shifted, ":", 2),
            dump(&shifted, "", 4),
            format!("{pem}{}", dump(&key, "", 1)),
        ] {
            refuses(&text, Reason::PrivateKey, kind);
            refuses(utf16(&text, true), Reason::PrivateKey, kind);
        }
    }
    accepts_one(format!("{pem}308202010002"));
    let digits: String = certificate
        .der()
        .iter()
        .fold(String::new(), |out, it| out + &format!("{it:02x}"));
    refuses(digits, Reason::NoCertificate, "neither PEM");
    refuses(
        dump(certificate.der(), ":", 2),
        Reason::NoCertificate,
        "neither PEM",
    );
}

#[test]
fn a_dump_is_told_by_its_line() {
    let (certificate, key) = made("idp");
    let pem = canonical_pem(certificate.der());
    let dumped = dump(&key.serialize_der(), ":", 2);
    let line = pem.lines().count() + 1;
    assert_eq!(
        key_found(format!("{pem}{dumped}")).found,
        format!("line {line} begins an unencrypted PKCS#8 private key")
    );
}

#[test]
fn keys_as_openssl_describes_them_are_found() {
    let pem = canonical_pem(&der("idp"));
    for text in [
        "Private-Key: (2048 bit, 2 primes)\nmodulus:\n    00:c3:aa:01:02:03\nprivateExponent:\n    1f:2e:3d:4c:5b\n",
        "Private-Key: (256 bit)\npriv:\n    1f:2e:3d:4c:5b\npub:\n    04:c3:aa:01:02:03\n",
        "ED25519 Private-Key:\r\npriv:\r\n    1f:2e:3d:4c:5b\r\n",
        "prime1:\n    00:ff:12:34:56:78\n",
    ] {
        key_found(text);
        key_found(format!("{pem}{text}"));
    }
    accepts_one(format!(
        "Modulus:\n    00:c3:aa:01:02:03\nprivateExponent: none\n{pem}"
    ));
}

#[test]
fn the_rest_of_a_block_that_lost_its_beginning_is_key_material() {
    let (certificate, key) = made("idp");
    let pem = canonical_pem(certificate.der());
    let key = key.serialize_pem();
    let rest: String = key
        .lines()
        .skip(2)
        .fold(String::new(), |out, it| out + it + "\n");
    let line = pem.lines().count() + rest.lines().count();
    assert_eq!(
        key_found(format!("{pem}{rest}")).found,
        format!("line {line} ends a private key")
    );
    key_found(&rest);
    key_found(format!("{pem}-----END RSA PRIVATE KEY-----\n"));
    let label = pem.replace("END CERTIFICATE", "END PRIVATE KEY");
    refuses(&label, Reason::PemLabel, "BEGIN CERTIFICATE ends as");
    key_found(format!("{label}{rest}"));
}

#[test]
fn keys_of_other_worlds_are_found() {
    let digits = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6";
    for (text, words) in [
        (
            format!("{{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\" : \"{digits}\"}}"),
            "JWK",
        ),
        (
            format!("{{\\\"kty\\\":\\\"EC\\\",\\\"d\\\":\\\"{digits}\\\"}}"),
            "JWK",
        ),
        (
            format!("<RSAKeyValue><Modulus>{digits}</Modulus><D>{digits}</D></RSAKeyValue>"),
            "XML",
        ),
        (
            format!(
                "<ds:RSAKeyValue><ds:Modulus>x</ds:Modulus><ds:InverseQ>{digits}</ds:InverseQ>"
            ),
            "XML",
        ),
        (
            "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n".to_owned(),
            "PuTTY",
        ),
        (
            "Public-Lines: 6\nPrivate-Lines: 14\nAAAA".to_owned(),
            "PuTTY",
        ),
        (
            "{\"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMII\"}".to_owned(),
            "PKCS#8",
        ),
    ] {
        refuses(text, Reason::PrivateKey, words);
    }
    for (bytes, words) in [
        (
            &b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01rest"[..],
            "Java keystore",
        ),
        (b"\xce\xce\xce\xce\0\0\0\x02\0\0\0\x01rest", "Java keystore"),
        (
            b"\0\0\0\x02\0\0\0\x14saltsaltsaltsaltsalt\0\0\x05\x39\x02",
            "Java keystore",
        ),
        (
            b"\0\0\0\x01\0\0\0\x14saltsaltsaltsaltsalt\0\0\x05\x39encrypted",
            "Java keystore",
        ),
        (b"openssh-key-v1\0\0\0\0\x04none", "OpenSSH"),
        (b"\x07\x02\0\0\0\xa4\0\0RSA2\0\x08\0\0", "Microsoft"),
        (b"\x1e\xf1\xb5\xb0\0\0\0\0\x01\0\0\0", "Microsoft"),
    ] {
        let refusal = refuses(bytes, Reason::PrivateKey, words);
        assert!(!refusal.found.contains("line"));
        refuses(Base64::encode_string(bytes), Reason::PrivateKey, words);
    }
    let refusal = key_found(b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01rest");
    assert!(refusal.help[0].starts_with("keytool -exportcert"));
}

#[test]
fn public_halves_are_no_key_material() {
    let digits = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6";
    for text in [
        format!("{{\"kty\":\"EC\",\"x\":\"{digits}\",\"y\":\"{digits}\"}}"),
        format!("{{\"d\":\"{digits}\"}}"),
        "{\"kty\":\"EC\",\"d\":\"short\"}".to_owned(),
        format!("<RSAKeyValue><Modulus>{digits}</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>"),
        format!("<D>{digits}</D>"),
    ] {
        refuses(text, Reason::NoCertificate, "");
    }
    for shape in [
        Shape::default(),
        Shape {
            version: None,
            serial: vec![1],
            ..Shape::default()
        },
        Shape {
            version: None,
            serial: vec![0],
            ..Shape::default()
        },
    ] {
        accepts_one(shape.der());
        accepts_one(canonical_pem(&shape.der()));
    }
}
