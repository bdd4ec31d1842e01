//! Everything that was ever found in a directory of certificates, as real files before the real daemon: each is answered
//! as the catalogue says, by the daemon and by `inspect` alike, and none of it harms who reads about it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};
use num_bigint::BigUint;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, PKCS_ED25519};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::Value;
use sso_certd::domain::Fingerprint;
use tokio::task::JoinSet;

use crate::certificates::{expired, future, valid};
use crate::harness::{Daemon, Home, OKTA, Stage, finish, integration};
use crate::keys::{every_container, utf16};

#[expect(dead_code, reason = "each program that includes it uses a part of it")]
#[path = "../../src/intake/forge.rs"]
mod forge;

use forge::{EcdsaCurve, Hash, Shape, Signing};

/// What is owed to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owed {
    Accepted,
    /// Accepted, as no verdict depends on the clock, and over.
    Expired,
    Refused(&'static str),
    /// Accepted, but for one certificate in it.
    InPart(&'static str),
    /// It may still be being written: the daemon gives it time, and who inspects it is told what is wrong today.
    Waits(&'static str),
    Ignored,
}

use Owed::{Accepted, Expired, Ignored, InPart, Refused, Waits};

/// A file of the catalogue.
struct Row {
    name: String,
    /// None if it lies there already.
    bytes: Option<Vec<u8>>,
    owed: Owed,
    /// What is remarked on its certificate, if that is in the catalogue.
    remark: Option<&'static str>,
}

fn row(name: &str, bytes: impl Into<Vec<u8>>, owed: Owed) -> Row {
    Row {
        name: name.to_owned(),
        bytes: Some(bytes.into()),
        owed,
        remark: None,
    }
}

fn remarked(name: &str, bytes: impl Into<Vec<u8>>, remark: &'static str) -> Row {
    Row {
        remark: Some(remark),
        ..row(name, bytes, Accepted)
    }
}

fn pem(der: &[u8]) -> String {
    let digits = Base64::encode_string(der);
    let lines = digits.as_bytes().chunks(64);
    let lines = lines.map(|it| std::str::from_utf8(it).unwrap().to_owned() + "\n");
    let lines: String = lines.collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

// Section 1: files.

/// A certificate, in whatever text.
fn honest_texts() -> Vec<Row> {
    let fresh = |name: &str| valid(name).pem;
    let digits = |name: &str| Base64::encode_string(&valid(name).der);
    let indented = |text: &str| {
        text.lines()
            .fold(String::new(), |out, it| out + "\t  " + it + "  \n")
    };
    let bare = |text: &str| -> String {
        text.lines()
            .filter(|it| !it.starts_with('-'))
            .map(|it| it.to_owned() + "\r\n")
            .collect()
    };
    let bundle = || forge::pkcs7(&[&valid("bundled").der], &[], &[]);
    let line = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----",
        digits("one line")
    );
    let strange = [
        b"\xff\xfeGr\xfc\xdfe\n",
        fresh("strange").as_bytes(),
        b"\x80",
    ]
    .concat();
    let marked = [b"\xef\xbb\xbf", fresh("marked").as_bytes()].concat();
    let [old, new, twice] = ["old", "new", "twice"].map(valid);
    let authority = |subject, issuer| Shape {
        subject: forge::name(subject),
        issuer: forge::name(issuer),
        extensions: vec![forge::ca()],
        ..ec()
    };
    let leaf = Shape {
        subject: forge::name("leaf"),
        issuer: forge::name("middle"),
        signing: Signing::Ecdsa(EcdsaCurve::P256),
        ..Shape::default()
    };
    let chain = [
        authority("root", "root").der(),
        leaf.der(),
        authority("middle", "root").der(),
    ];
    let owed = Accepted;
    vec![
        row("lf.pem", fresh("lf"), owed),
        row("crlf.pem", fresh("crlf").replace('\n', "\r\n"), owed),
        row("cr.pem", fresh("cr").replace('\n', "\r"), owed),
        row("no-final-newline.pem", fresh("open").trim_end(), owed),
        row("byte-order-mark.pem", marked, owed),
        row(
            "text-around.pem",
            format!("Bag Attributes\n  localKeyID: 01\n{}end\n", fresh("bag")),
            owed,
        ),
        row("strange-bytes-around.pem", strange, owed),
        row("one-line.pem", line, owed),
        row("indented.pem", indented(&fresh("indented")), owed),
        row("binary.der", valid("binary").der, owed),
        row("binary.pem", valid("binary, named as text").der, owed),
        row("text.der", fresh("text, named as binary"), owed),
        row("base64.cer", digits("bare"), owed),
        row("base64-in-lines.cer", bare(&fresh("bare lines")), owed),
        row("unpadded.cer", digits("unpadded").replace('=', ""), owed),
        row(
            "unpadded.pem",
            fresh("unpadded armour").replace('=', ""),
            owed,
        ),
        row(
            "two-lines.cer",
            format!("{}\n{}\n", digits("first line"), digits("second line")),
            owed,
        ),
        row("bundle.p7b", bundle(), owed),
        row(
            "bundle.pem",
            pem(&bundle()).replace("CERTIFICATE", "PKCS7"),
            owed,
        ),
        row("bundle.cer", pem(&bundle()), owed),
        row("rollover.pem", old.pem + &new.pem, owed),
        row("chain.pem", chain.map(|it| pem(&it)).concat(), owed),
        row("twice.pem", twice.pem.clone() + &twice.pem, owed),
        row("twice-again.der", twice.der, owed),
    ]
}

/// What was saved in place of a certificate, or around one.
fn other_things() -> Vec<Row> {
    let text = valid("other things").pem;
    let no = Refused("no_certificate");
    let label = Refused("pem_label");
    let relabelled = |to: &str| text.replace(" CERTIFICATE", &format!(" {to}"));
    let headers = text.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1);
    let request = CertificateParams::default()
        .serialize_request(&KeyPair::generate().unwrap())
        .unwrap();
    let message = forge::pkcs7(&[&valid("signer").der], &[0xa0, 3, 4, 1, 7], &[0x30, 0]);
    let ber = [&[0x30, 0x80][..], &message[4..], &[0, 0]].concat();
    let yaml = format!(
        "encryption: |\n{}",
        text.replace("-----BEGIN", "  -----BEGIN")
    );
    let metadata = format!("<md:EntityDescriptor>\n{text}</md:EntityDescriptor>");
    let utf16 = |is_little| utf16(text.as_bytes(), is_little);
    vec![
        row("utf16.pem", utf16(true), Refused("encoding")),
        row("utf16-big.pem", utf16(false), Refused("encoding")),
        row("utf16-unmarked.pem", &utf16(true)[2..], Refused("encoding")),
        row("four-dashes.pem", text.replace("-----", "----"), no),
        row("dashes.pem", text.replace("-----", "\u{2013}\u{2013}"), no),
        row("page.pem", "<!DOCTYPE html><html>Sign in</html>", no),
        row(
            "answer.pem",
            format!("{{\"x5c\": \"{}\"}}", text.replace('\n', "\\n")),
            no,
        ),
        row("hello.pem", "hello", no),
        row("metadata.xml", "<md:EntityDescriptor/>", no),
        row("request.der", request.der().to_vec(), no),
        row("message.p7b", message, no),
        row("ber.p7b", ber, Refused("not_der")),
        row("metadata-with-armour.xml", metadata.clone(), no),
        row(
            "metadata-of-98-kib.xml",
            format!("{metadata}{}", "<!-- -->".repeat(12_000)),
            no,
        ),
        row("values.pem", yaml, no),
        row("variable.pem", format!("CERT=\"{text}\"\n"), no),
        row("escaped.pem", text.replace('\n', "\\n"), no),
        row(
            "twice-encoded.cer",
            Base64::encode_string(text.as_bytes()),
            no,
        ),
        row("public-key.der", EcdsaCurve::P256.info(), no),
        row(
            "end-differs.pem",
            text.replace("END CERTIFICATE", "END CERTIFICATE REQUEST"),
            label,
        ),
        row("trusted.pem", relabelled("TRUSTED CERTIFICATE"), label),
        row("request.pem", relabelled("CERTIFICATE REQUEST"), label),
        row("list.pem", relabelled("X509 CRL"), label),
        row("pkcs7.pem", relabelled("PKCS7"), label),
        row("public-key.pem", relabelled("PUBLIC KEY"), label),
        row("headers.pem", headers, Refused("pem_malformed")),
    ]
}

/// What a copy under way looks like.
fn halves() -> Vec<Row> {
    let text = valid("halves").pem;
    let good = valid("good, beside a half").pem;
    let end = text.find("-----END").unwrap();
    let half = Waits("pem_malformed");
    vec![
        row("empty.pem", "", Waits("empty")),
        row("blank.pem", " \r\n\t\n", Waits("empty")),
        row("zeros.pem", vec![0; 4_096], Waits("empty")),
        row("no-base64.pem", text.replacen("MII", "M!I", 1), half),
        row("no-end.pem", &text[..end], half),
        row("cut.pem", &text[..end / 2], half),
        row("cut-in-the-end-line.pem", &text[..end + 12], half),
        row("good-and-cut.pem", good + &text[..end / 2], half),
    ]
}

/// Bytes that only some readers take for a certificate, and too many of them.
fn excess() -> Vec<Row> {
    let no = Refused("not_der");
    let der = Shape::default().der();
    let longer = [&der[..], &[0; 16]].concat();
    let good = valid("good, beside a corrupt one").pem;
    let critical_of_one = Shape {
        extensions: vec![forge::sequence(&[
            &forge::oid("2.5.29.19"),
            &[1, 1, 1],
            &forge::element(4, &[0x30, 0]),
        ])],
        ..ec()
    };
    let many: String = (0..21)
        .map(|it| valid(&format!("{it} of many")).pem)
        .collect();
    let large = "#".repeat(64 * 1_024) + &valid("behind comments").pem;
    vec![
        row("longer.der", longer.clone(), no),
        row("longer.pem", pem(&longer), no),
        row("newline-behind.der", [&der[..], b"\n"].concat(), no),
        row("good-and-corrupt.pem", good + &pem(&longer), no),
        row(
            "long-length.der",
            [&[0x30, 0x83, 0][..], &der[2..]].concat(),
            no,
        ),
        row(
            "indefinite-length.der",
            [&[0x30, 0x80][..], &der[4..], &[0, 0]].concat(),
            no,
        ),
        row("boolean-of-one.der", critical_of_one.der(), no),
        row("many.pem", many, Refused("too_many_certificates")),
        row("large.pem", large, Refused("too_large")),
    ]
}

/// Keys in every kind of container, and around certificates.
fn key_material() -> Vec<Row> {
    const CONTAINERS: [&str; 16] = [
        "PKCS#8 in PEM",
        "PKCS#8 in DER",
        "PKCS#8 in base64",
        "PKCS#1 in PEM",
        "PKCS#1 in DER",
        "SEC 1 in PEM",
        "SEC 1 in DER",
        "encrypted PKCS#8 in PEM",
        "encrypted PKCS#8 in DER",
        "PKCS#12 in DER",
        "OpenSSH in PEM",
        "PuTTY",
        "JWK of RSA",
        "JWK of an elliptic curve",
        "XML",
        "JKS",
    ];
    let no = Refused("private_key");
    let all = every_container(20_261_128);
    let of = |name: &str| {
        let found = all.iter().find(|it| it.name == name);
        found.unwrap_or_else(|| panic!("no {name}")).bytes.clone()
    };
    let [first, second] = ["before a key", "behind a key"].map(|it| valid(it).pem.into_bytes());
    let key = of("PKCS#8 in PEM");
    let utf16 = utf16(&key, true);
    let unterminated = &key[..key.len() / 2];
    let mut rows: Vec<Row> = CONTAINERS
        .iter()
        .enumerate()
        .map(|(number, name)| row(&format!("key-{number}.pem"), of(name), no))
        .collect();
    rows.extend([
        row("key-before.pem", [&key[..], &first].concat(), no),
        row("key-after.pem", [&first[..], &key].concat(), no),
        row("key-between.pem", [&first[..], &key, &second].concat(), no),
        row("key-cut.pem", [&first[..], unterminated].concat(), no),
        row("key-in-utf16.pem", utf16, no),
    ]);
    rows
}

/// What is no file with something in it, or not one that counts.
fn lain_down(home: &Home) -> Vec<Row> {
    let directory = home.directory("okta");
    let at = |name: &str| directory.join(name);
    rustix::fs::mknodat(CWD, at("pipe.pem"), FileType::Fifo, Mode::from(0o644), 0).unwrap();
    fs::create_dir(at("directory.pem")).unwrap();
    symlink("nowhere", at("dangling.pem")).unwrap();
    symlink("/dev/null", at("device.pem")).unwrap();
    home.write("elsewhere", &valid("elsewhere").pem, 0o644);
    symlink(home.path("elsewhere"), at("link.pem")).unwrap();
    let sparse = fs::File::create(at("sparse.pem")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    home.put("okta", "writable.pem", &valid("writable").pem);
    fs::set_permissions(at("writable.pem"), fs::Permissions::from_mode(0o666)).unwrap();
    let mut rows: Vec<Row> = [
        ("pipe.pem", Refused("not_regular_file")),
        ("directory.pem", Refused("not_regular_file")),
        ("dangling.pem", Refused("unreadable")),
        ("device.pem", Refused("not_regular_file")),
        ("link.pem", Accepted),
        ("sparse.pem", Refused("too_large")),
        ("writable.pem", Refused("unsafe_permissions")),
    ]
    .into_iter()
    .map(|(name, owed)| Row {
        bytes: None,
        ..row(name, "", owed)
    })
    .collect();
    let ignored = [
        "README",
        "tls.key",
        "SHA256SUMS",
        ".hidden.pem",
        "kept.pem~",
        ".kept.pem.swp",
        "#kept.pem#",
        "coming.tmp",
        "coming.part",
        "4913",
    ];
    rows.extend(ignored.map(|name| row(name, valid(name).pem, Ignored)));
    rows
}

// Section 2: certificates.

/// A sound self-signed certificate that is soon made.
fn ec() -> Shape {
    of_curve(EcdsaCurve::P256)
}

fn of_curve(curve: EcdsaCurve) -> Shape {
    Shape {
        key: curve.info(),
        signing: Signing::Ecdsa(curve),
        ..Shape::default()
    }
}

/// One of another issuer, whose signature cannot be verified here.
fn issued() -> Shape {
    Shape {
        issuer: forge::name("ca"),
        ..Shape::default()
    }
}

fn times_and_numbers() -> Vec<Row> {
    let from_to = |not_before: Vec<u8>, not_after: Vec<u8>| {
        Shape {
            not_before,
            not_after,
            ..ec()
        }
        .der()
    };
    let until = |not_after| from_to(forge::utc("250101000000Z"), not_after);
    let utc = |from: &str, to: &str| from_to(forge::utc(from), forge::utc(to));
    let serial = |serial: &[u8]| {
        Shape {
            serial: serial.to_vec(),
            ..ec()
        }
        .der()
    };
    let no = Refused("not_der");
    let early = from_to(
        forge::general("20240101000000Z"),
        forge::general("20340101000000Z"),
    );
    let (century, last) = (
        until(forge::general("21250101000000Z")),
        until(forge::general("99991231235959Z")),
    );
    vec![
        row("expired.pem", expired("expired").pem, Expired),
        row("future.pem", future("future").pem, Accepted),
        row("generalized-time.der", early, Accepted),
        remarked(
            "year-2050.der",
            until(forge::general("20500101000000Z")),
            "long_validity",
        ),
        remarked("hundred-years.der", century, "long_validity"),
        remarked("year-9999.der", last, "long_validity"),
        row(
            "ends-before-it-begins.der",
            utc("261124000000Z", "251124000000Z"),
            Refused("validity"),
        ),
        row("no-such-day.der", utc("260228000000Z", "270229000000Z"), no),
        row("no-seconds.der", utc("2602280000Z", "280229000000Z"), no),
        row("offset.der", utc("260228000000+0100", "280229000000Z"), no),
        row("serial-of-20.der", serial(&[0x7f; 20]), Accepted),
        row("serial-of-21.der", serial(&[0x7f; 21]), no),
        row("serial-empty.der", serial(&[]), no),
        remarked("serial-zero.der", serial(&[0]), "odd_serial"),
        remarked("serial-negative.der", serial(&[0x80]), "odd_serial"),
    ]
}

fn public_keys() -> Vec<Row> {
    let one = || BigUint::from(1_u8);
    let with_key = |key: Vec<u8>| Shape { key, ..issued() }.unsigned();
    let rsa = |modulus: &BigUint, exponent| with_key(forge::rsa_info(modulus, exponent));
    let good = forge::rsa_modulus();
    let of_oid = |dotted: &str, key: &[u8]| {
        let algorithm = forge::sequence(&[&forge::oid(dotted)]);
        with_key(forge::sequence(&[&algorithm, &forge::bits(key)]))
    };
    let negative = forge::sequence(&[&forge::element(2, &[0x80; 256]), &[2, 3, 1, 0, 1]]);
    let algorithm = forge::sequence(&[&forge::oid("1.2.840.113549.1.1.1"), &[5, 0]]);
    let negative = with_key(forge::sequence(&[&algorithm, &forge::bits(&negative)]));
    let close = (one() << 1_024_u32) - 105_u8;
    let close = &close * (&close - 2_u8);
    let on = |curve: &str, point: &[u8]| with_key(forge::ec_info(curve, point));
    let mut off = EcdsaCurve::P521.point();
    *off.last_mut().unwrap() ^= 1;
    let explicit = forge::sequence(&[
        &forge::sequence(&[
            &forge::oid("1.2.840.10045.2.1"),
            &forge::sequence(&[&[2, 1, 1]]),
        ]),
        &forge::bits(&[4; 65]),
    ]);
    let ed25519 = CertificateParams::default()
        .self_signed(&KeyPair::generate_for(&PKCS_ED25519).unwrap())
        .unwrap();
    let (weak, kind) = (Refused("weak_key"), Refused("key_type"));
    let made = valid("renewed");
    let renewed = made.renewed();
    vec![
        row("rsa-2048.der", Shape::default().der(), Accepted),
        row("p384.der", of_curve(EcdsaCurve::P384).der(), Accepted),
        row("p521.der", of_curve(EcdsaCurve::P521).der(), Accepted),
        row("key-of-old.pem", made.pem, Accepted),
        row("key-of-new.pem", renewed.pem, Accepted),
        remarked("exponent-3.der", rsa(&good, 3), "small_exponent"),
        row("exponent-1.der", rsa(&good, 1), weak),
        row("exponent-4.der", rsa(&good, 4), weak),
        row(
            "rsa-1024.der",
            rsa(&((one() << 1_023_u32) + 1_u8), 65_537),
            weak,
        ),
        row(
            "rsa-2047.der",
            rsa(&((one() << 2_046_u32) + 1_u8), 65_537),
            weak,
        ),
        row(
            "rsa-16384.der",
            rsa(&((one() << 16_383_u32) + 1_u8), 65_537),
            weak,
        ),
        row("rsa-even.der", rsa(&(&good + 1_u8), 65_537), weak),
        row("rsa-zero.der", rsa(&BigUint::ZERO, 65_537), weak),
        row("rsa-negative.der", negative, weak),
        row("rsa-close-primes.der", rsa(&close, 65_537), weak),
        row("curve-unusual.der", on("1.3.132.0.10", &[4; 65]), kind),
        row("curve-explicit.der", with_key(explicit), kind),
        row("point-off.der", on("1.3.132.0.35", &off), kind),
        row("point-at-infinity.der", on("1.3.132.0.35", &[0]), kind),
        row("dsa.der", of_oid("1.2.840.10040.4.1", &[2, 1, 1]), kind),
        row(
            "pss-only.der",
            of_oid("1.2.840.113549.1.1.10", &[2, 1, 1]),
            kind,
        ),
        row("ed25519.der", ed25519.der().to_vec(), kind),
    ]
}

fn signatures_and_uses() -> Vec<Row> {
    let with = |extensions: &[Vec<u8>], shape: Shape| Shape {
        extensions: extensions.to_vec(),
        ..shape
    };
    let version = |version: Option<Vec<u8>>, extensions: &[Vec<u8>]| {
        let shape = Shape { version, ..ec() };
        with(extensions, shape).der()
    };
    let hash = |hash| Shape { hash, ..ec() }.der();
    let differ = Shape {
        outer_hash: Some(Hash::Sha1),
        ..ec()
    };
    let md5 = Shape {
        hash: Hash::Md5,
        ..Shape::default()
    };
    let mut flipped = valid("flipped").der;
    *flipped.last_mut().unwrap() ^= 1;
    let mut server = CertificateParams::new(vec!["www.example.com".to_owned()]).unwrap();
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server = server.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let identifier = forge::extension("2.5.29.14", false, &forge::element(4, &[1; 20]));
    let unknown = forge::extension("1.2.3.4", true, &[5, 0]);
    let encrypting = [forge::key_usage(0x20)];
    let weak = Shape {
        key: forge::rsa_info(&((BigUint::from(1_u8) << 1_023_u32) + 1_u8), 65_537),
        ..issued()
    };
    let good_and_weak = valid("good, beside a weak one").pem + &pem(&weak.unsigned());
    let (no, signature) = (Refused("not_der"), Refused("signature"));
    vec![
        row("md5.der", md5.der(), signature),
        row("two-algorithms.der", differ.der(), signature),
        row("flipped.der", flipped, signature),
        remarked("sha1.der", hash(Hash::Sha1), "sha1_signature"),
        row(
            "own-authority.der",
            with(&[forge::ca()], ec()).der(),
            Accepted,
        ),
        row(
            "authority.der",
            with(&[forge::ca()], issued()).unsigned(),
            Refused("ca_certificate"),
        ),
        remarked(
            "encrypting.der",
            with(&encrypting, ec()).der(),
            "encryption_only",
        ),
        row(
            "encrypting-issued.der",
            with(&encrypting, issued()).unsigned(),
            Refused("key_usage"),
        ),
        remarked("server.der", server.der().to_vec(), "web_server"),
        row("version-1.der", version(None, &[]), Accepted),
        row("version-4.der", version(Some(vec![3]), &[]), no),
        row(
            "version-1-extended.der",
            version(None, std::slice::from_ref(&identifier)),
            no,
        ),
        row(
            "extended-twice.der",
            version(Some(vec![2]), &[identifier.clone(), identifier]),
            no,
        ),
        remarked(
            "extended-critically.der",
            with(&[unknown], ec()).der(),
            "unknown_critical_extension",
        ),
        row("good-and-weak.pem", good_and_weak, InPart("weak_key")),
    ]
}

/// What is meant to do something to who reads about it.
fn evil_subjects() -> Vec<Row> {
    let of = |subject: &str| {
        Shape {
            subject: forge::name(subject),
            ..issued()
        }
        .unsigned()
    };
    vec![
        row("evil-newline.der", of("a\nINJECTED\r\nINJECTED"), Accepted),
        row("evil-escape.der", of("\u{1b}[2J\u{1b}]0;a\u{7}b"), Accepted),
        row("evil-direction.der", of("a\u{202e}b\u{2066}c"), Accepted),
        row("evil-length.der", of(&"x".repeat(45_000)), Accepted),
    ]
}

// The test.

#[tokio::test]
async fn every_file_of_the_catalogue_is_answered_as_it_says() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let home = &stage.home;
    let mut rows = lain_down(home);
    for more in [
        honest_texts(),
        other_things(),
        halves(),
        excess(),
        key_material(),
        times_and_numbers(),
        public_keys(),
        signatures_and_uses(),
        evil_subjects(),
    ] {
        rows.extend(more);
    }
    let directory = home.directory("okta");
    for row in &rows {
        if let Some(bytes) = &row.bytes {
            let path = directory.join(&row.name);
            assert!(!path.exists(), "{} is there twice", row.name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
    let daemon = stage.start().await;
    let status = daemon
        .shows(
            "everything that is accepted is planned, and the evil trusted",
            |it| is_settled(it, &rows, &directory),
        )
        .await;
    assert_status(&status, &rows, &directory);
    assert_inspected(home, &rows, &directory).await;
    assert_harmless(home, &daemon, &rows, &directory).await;
}

/// As many files of each kind as there are rows, every accepted one in the plan, and SendGrid has what is evil.
fn is_settled(status: &Value, rows: &[Row], directory: &Path) -> bool {
    let okta = integration(status, "okta");
    let refused = okta["source"]["refused"].as_array().unwrap();
    let planned = planned(okta);
    let number = |wanted: fn(&Owed) -> bool| rows.iter().filter(|it| wanted(&it.owed)).count();
    let all_planned = rows.iter().filter(|it| it.owed.is_accepted()).all(|it| {
        let found = planned.get(&shown(directory, &it.name));
        found.is_some_and(|all| {
            !it.name.starts_with("evil") || all.iter().all(|it| it["state"] == "trusted")
        })
    });
    okta["source"]["accepted"] == number(Owed::is_accepted)
        && okta["source"]["waiting"] == number(|it| matches!(it, Waits(_)))
        && okta["source"]["ignored"] == number(|it| *it == Ignored)
        && refused.len() == number(|it| matches!(it, Refused(_) | InPart(_)))
        && all_planned
}

impl Owed {
    fn is_accepted(&self) -> bool {
        matches!(self, Accepted | Expired | InPart(_))
    }
}

fn shown(directory: &Path, name: &str) -> String {
    directory.join(name).display().to_string()
}

/// The certificates of every file.
fn planned(okta: &Value) -> BTreeMap<String, Vec<&Value>> {
    let mut all = BTreeMap::<String, Vec<&Value>>::new();
    for certificate in okta["certificates"].as_array().unwrap() {
        for path in certificate["paths"].as_array().unwrap() {
            let path = path.as_str().unwrap().to_owned();
            all.entry(path).or_default().push(certificate);
        }
    }
    all
}

fn assert_status(status: &Value, rows: &[Row], directory: &Path) {
    let okta = integration(status, "okta");
    let refused = okta["source"]["refused"].as_array().unwrap();
    let planned = planned(okta);
    for row in rows {
        let (name, path) = (&row.name, shown(directory, &row.name));
        let reasons: Vec<&Value> = refused
            .iter()
            .filter(|it| it["path"] == path)
            .map(|it| &it["reason"])
            .collect();
        let expected = match row.owed {
            Refused(reason) | InPart(reason) => vec![reason],
            Accepted | Expired | Waits(_) | Ignored => Vec::new(),
        };
        assert_eq!(reasons, expected, "{name}");
        let certificates = planned.get(&path).map_or(&[][..], Vec::as_slice);
        assert_eq!(certificates.is_empty(), !row.owed.is_accepted(), "{name}");
        let states: Vec<&Value> = certificates.iter().map(|it| &it["state"]).collect();
        assert_eq!(
            states.iter().any(|it| *it == "expired"),
            row.owed == Expired,
            "{name}: {states:?}"
        );
        if let Some(remark) = row.remark {
            let remarks = &certificates[0]["remarks"];
            let mut all = remarks.as_array().unwrap().iter();
            assert!(all.any(|it| it["code"] == remark), "{name}: {remarks}");
        }
    }
}

/// `inspect` says of each file what the daemon says.
async fn assert_inspected(home: &Home, rows: &[Row], directory: &Path) {
    let mut left = rows
        .iter()
        // A directory's files are inspected, and whatever is named counts.
        .filter(|it| it.owed != Ignored && it.name != "directory.pem");
    let mut running = JoinSet::new();
    loop {
        while running.len() < 4
            && let Some(row) = left.next()
        {
            let path: PathBuf = directory.join(&row.name);
            let command = home.command(&["inspect", path.to_str().unwrap()]);
            let (name, owed) = (row.name.clone(), row.owed);
            running.spawn(async move { (name, owed, finish(command).await) });
        }
        let Some(ran) = running.join_next().await else {
            return;
        };
        let (name, owed, ran) = ran.unwrap();
        let words = match owed {
            Accepted => "fit for upload".to_owned(),
            Expired => "refused (expired)".to_owned(),
            Refused(reason) | InPart(reason) | Waits(reason) => format!("refused ({reason})"),
            Ignored => unreachable!(),
        };
        assert!(ran.out.contains(&words), "{name} {owed:?}: {ran:?}");
        let is_fine = owed == Accepted;
        assert_eq!(ran.exit, i32::from(!is_fine), "{name} {owed:?}: {ran:?}");
        assert_eq!(
            ran.out.contains("refused ("),
            !is_fine,
            "{name} {owed:?}: {ran:?}"
        );
    }
}

/// No subject does anything to the screen, the scraper or the log of who reads about it.
async fn assert_harmless(home: &Home, daemon: &Daemon, rows: &[Row], directory: &Path) {
    let mut told = Vec::new();
    let directory = directory.to_str().unwrap();
    let [newline, length] = ["newline", "length"].map(|it| format!("{directory}/evil-{it}.der"));
    let commands: [&[&str]; 8] = [
        &["status", "--all"],
        &["status", "okta"],
        &["status", "--json"],
        &["plan"],
        &["history"],
        &["inspect", directory],
        &["inspect", &newline],
        &["inspect", &length],
    ];
    for arguments in commands {
        let ran = home.ask(arguments).await;
        told.push((arguments.join(" "), ran.out + &ran.err));
    }
    for row in rows.iter().filter(|it| it.name.starts_with("evil")) {
        let fingerprint = Fingerprint::of(row.bytes.as_ref().unwrap()).hex();
        let ran = home.ask(&["explain", &fingerprint]).await;
        assert_eq!(ran.exit, 0, "{ran:?}");
        told.push((format!("explain {}", row.name), ran.out + &ran.err));
    }
    for page in ["/", "/metrics"] {
        told.push((page.to_owned(), daemon.get(page).await.1));
    }
    told.push(("the log".to_owned(), daemon.log()));
    for (place, text) in &told {
        assert!(!text.is_empty(), "{place}");
        let evil = text.find(['\u{1b}', '\u{7}', '\r', '\u{202e}', '\u{2066}']);
        assert_eq!(evil, None, "{place}: {text}");
        for line in text.lines() {
            let is_json = place == "status --json";
            assert!(is_json || line.len() <= 2_048, "{place}: {line}");
            assert!(
                !line.trim_start().starts_with("INJECTED"),
                "{place}: {text}"
            );
        }
    }
    // Where subjects are told of, they are escaped.
    let telling = told.iter().filter(|(place, _)| {
        let names = ["status --json", "explain ", "inspect ", "/metrics"];
        names.iter().any(|it| place.starts_with(it))
    });
    let telling: Vec<String> = telling
        .map(|(_, text)| text.replace("\\\\", "\\"))
        .collect();
    for escaped in ["a\\u{a}INJECTED", "\\u{1b}[2J", "a\\u{202e}b"] {
        let count = telling.iter().filter(|it| it.contains(escaped)).count();
        assert!(count >= 4, "{escaped}: {telling:#?}");
    }
}
