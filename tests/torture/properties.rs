//! What must hold of every file.

use std::sync::LazyLock;

use base64ct::{Base64, Encoding as _};
use sso_certd::intake::canonical_pem;

use crate::chance::Chance;
use crate::corpus::{self, MADE};
use crate::damage;
use crate::forge;
use crate::keys::{Key, Place, every_container, utf16};
use crate::trial::{Case, torture};
use crate::witness::{Owed, judged};

#[test]
fn every_file_gets_a_verdict_that_keeps_the_rules() {
    torture("every_file", |chance| (damage::file(chance), Owed::Verdict));
}

#[test]
fn a_key_in_every_container_is_found_wherever_it_stands() {
    torture("a_key_in_every_container", key_somewhere);
}

#[test]
fn the_clothes_of_a_certificate_do_not_matter() {
    torture("the_clothes", honest_clothes);
}

/// The numbers inside of a key are the only thing about it that chance could change, and nobody reads those.
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| every_container(1));

/// A damaged file, with a key that is whole or cut somewhere in it.
fn key_somewhere(chance: &mut Chance) -> Case {
    let mut key = chance.pick(&KEYS).clone();
    let mut around = damage::file(chance);
    around.truncate(damage::LONGEST - 20_000);
    let at = match key.place {
        Place::Anywhere => chance.place(around.len()),
        Place::Line => {
            let line = chance.place(around.len());
            let end = around[..line].iter().rposition(|it| *it == b'\n');
            end.map_or(0, |it| it + 1)
        }
        Place::File => 0,
    };
    if let Some(least) = key.known_by
        && chance.one_in(3)
    {
        let length = least + chance.place(key.bytes.len().saturating_sub(least));
        key.bytes.truncate(length);
        if chance.one_in(2) {
            around.truncate(at);
        }
    }
    if key.place == Place::File {
        // What follows a run of digits at once would be more of it, and harmless.
        around.splice(0..0, *b"\n");
    }
    around.splice(at..at, key.bytes);
    if around.is_ascii() && around.len() < damage::LONGEST / 2 && chance.one_in(4) {
        around = utf16(&around, chance.one_in(2));
    }
    (around, Owed::PrivateKey)
}

/// Sound certificates, written in the ways in which honest tools write them.
fn honest_clothes(chance: &mut Chance) -> Case {
    let is_sound = |it: &Vec<u8>| judged(it).is_ok();
    let mut ders = Vec::new();
    for _ in 0..=chance.below(3) {
        let candidate = corpus::certificate(chance);
        if is_sound(&candidate) {
            ders.push(candidate);
        }
    }
    if ders.is_empty() {
        ders.push(MADE.iter().find(|it| is_sound(it)).unwrap().clone());
    }
    if ders.len() == 1 && chance.one_in(4) {
        return (ders[0].clone(), Owed::Certificates(ders));
    }
    if chance.one_in(4) {
        return (in_another_form(chance, &ders), Owed::Certificates(ders));
    }
    let mut file = String::new();
    if chance.one_in(4) {
        file.push('\u{feff}');
    }
    for der in &ders {
        if chance.one_in(2) {
            file.push_str("Bag Attributes\n    localKeyID: 01\nsubject=CN=Gr\u{fc}\u{df}e\n");
        }
        let indent = *chance.pick(&["", "", "  ", "\t"]);
        for line in canonical_pem(der).lines() {
            file.push_str(indent);
            file.push_str(line);
            let end: &&str = chance.pick(&["\n", "\n", " \n", "\n\n"]);
            file.push_str(end);
        }
    }
    let end: &&str = chance.pick(&["\n", "\r\n", "\r"]);
    let mut file = file.replace('\n', end).into_bytes();
    if chance.one_in(3) {
        file.truncate(file.trim_ascii_end().len());
    }
    if chance.one_in(3) {
        file.splice(0..0, *b"\xffoutside\xa4\n");
    }
    (file, Owed::Certificates(ders))
}

/// The same in PKCS#7 of any clothes, or in base64 without armour.
fn in_another_form(chance: &mut Chance, ders: &[Vec<u8>]) -> Vec<u8> {
    let members: Vec<&[u8]> = ders.iter().map(Vec::as_slice).collect();
    let bundle = forge::pkcs7(&members, &[], &[]);
    let end: &&str = chance.pick(&["\n", "\r\n", "", "\n\n"]);
    let mut text = match chance.below(4) {
        0 => return bundle,
        1 => canonical_pem(&bundle),
        2 => canonical_pem(&bundle).replace(" CERTIFICATE", " PKCS7"),
        _ => ders
            .iter()
            .map(|it| Base64::encode_string(it) + end)
            .collect(),
    };
    if chance.one_in(2) {
        text = text.replace('=', "");
    }
    text.into_bytes()
}
