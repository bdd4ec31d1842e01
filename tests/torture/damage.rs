//! What chance does to certificates and to files of them.

use base64ct::{Base64, Encoding as _};
use sso_certd::intake::canonical_pem;

use crate::chance::Chance;
use crate::corpus::{self, TEXTS};
use crate::element::{Content, Element};
use crate::forge;
use crate::keys::utf16;

/// No file is read further.
pub(crate) const LONGEST: usize = 64 * 1024 + 1;

/// Bytes that mean something: lengths, tags, ends of ranges, and what armour is made of.
const TELLING: &[u8] = b"\x00\x01\x02\x03\x04\x05\x06\x0c\x13\x17\x18\x1e\x30\x31\x7f\x80\x81\x82\x83\x84\xa0\xa3\xfe\xff-\n\r =:\\";

/// A file of anything.
pub(crate) fn file(chance: &mut Chance) -> Vec<u8> {
    let blocks = if chance.one_in(40) {
        22
    } else {
        [1, 1, 1, 2, 3][chance.below(5)]
    };
    let mut file = Vec::new();
    for _ in 0..blocks {
        file.extend(block(chance));
    }
    for _ in 0..[0, 0, 0, 1, 2][chance.below(5)] {
        bytes(chance, &mut file);
    }
    if chance.one_in(12) && file.is_ascii() {
        file = utf16(&file, chance.one_in(2));
    }
    if chance.one_in(30) {
        file = Base64::encode_string(&file).into_bytes();
    }
    file.truncate(LONGEST);
    file
}

/// One certificate or something else, in some clothes.
fn block(chance: &mut Chance) -> Vec<u8> {
    if chance.one_in(6) {
        return chance.pick(&TEXTS).as_bytes().to_vec();
    }
    let mut der = corpus::certificate(chance);
    if chance.one_in(2) {
        der = structure(chance, &der);
    }
    for _ in 0..[0, 0, 0, 1, 2][chance.below(5)] {
        bytes(chance, &mut der);
    }
    match chance.below(10) {
        0 => der,
        1 => Base64::encode_string(&der).into_bytes(),
        2 => bundle(chance, &der),
        3 => canonical_pem(&bundle(chance, &der))
            .replace(" CERTIFICATE", [" PKCS7", " CERTIFICATE"][chance.below(2)])
            .into_bytes(),
        4 => odd_armour(chance, &canonical_pem(&der)).into_bytes(),
        _ => canonical_pem(&der).into_bytes(),
    }
}

/// PKCS#7 around it, damaged now and then.
fn bundle(chance: &mut Chance, der: &[u8]) -> Vec<u8> {
    let other = corpus::certificate(chance);
    let bundle = if der.len() + other.len() < 60_000 {
        forge::pkcs7(&[der, &other], &[], &[])
    } else {
        der.to_vec()
    };
    if chance.one_in(2) {
        structure(chance, &bundle)
    } else {
        bundle
    }
}

fn odd_armour(chance: &mut Chance, pem: &str) -> String {
    match chance.below(12) {
        0 => pem.replace('\n', "\r\n"),
        1 => pem.replace('\n', "\r"),
        2 => pem.replace('\n', ""),
        3 => pem.replace('\n', "\n \t"),
        4 => pem.replace('\n', "\\n"),
        5 => format!("\u{feff}{pem}"),
        6 => pem.replace("-----", "----"),
        7 => pem.replace("END CERTIFICATE", "END PRIVATE KEY"),
        8 => pem.replace(" CERTIFICATE", " TRUSTED CERTIFICATE"),
        10 => pem.replace('=', ""),
        9 => pem.replace(
            "CERTIFICATE-----\n",
            "CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\n",
        ),
        _ => pem.trim_end().to_owned(),
    }
}

/// Damages the tree, and mostly lets every length fit again.
fn structure(chance: &mut Chance, der: &[u8]) -> Vec<u8> {
    let Some(mut tree) = Element::read(der) else {
        return der.to_vec();
    };
    for _ in 0..=chance.below(3) {
        let other = Element::read(&corpus::certificate(chance)).unwrap();
        let at = chance.below(tree.count());
        element(chance, tree.nth(at), other);
    }
    tree.write()
}

fn element(chance: &mut Chance, it: &mut Element, mut other: Element) {
    let brought = chance.below(other.count());
    match (chance.below(9), &mut it.content) {
        (0, _) => it.tag = *chance.pick(TELLING),
        (1, _) => *it = other.nth(brought).clone(),
        (2, Content::Elements(inside)) if !inside.is_empty() => {
            inside.remove(chance.below(inside.len()));
        }
        (3, Content::Elements(inside)) if !inside.is_empty() => {
            let again = chance.pick(inside).clone();
            let times = [1, 1, 2, 20, 400][chance.below(5)];
            inside.extend(std::iter::repeat_n(again, times));
        }
        (4, Content::Elements(inside)) if inside.len() > 1 => {
            let (a, b) = (chance.below(inside.len()), chance.below(inside.len()));
            inside.swap(a, b);
        }
        (5, Content::Elements(inside)) => {
            inside.insert(chance.place(inside.len()), other.nth(brought).clone());
        }
        (6, content) => *content = Content::Bytes(Vec::new()),
        (7, Content::Bytes(inside)) => {
            let length = if chance.one_in(20) {
                20_000
            } else {
                [1, 20, 21, 128, 300][chance.below(5)]
            };
            *inside = if chance.one_in(2) {
                chance.bytes(length)
            } else {
                vec![*chance.pick(TELLING); length]
            };
        }
        (_, Content::Bytes(inside)) => bytes(chance, inside),
        (_, Content::Elements(inside)) => inside.reverse(),
    }
}

/// Damages bytes without knowing what they are.
pub(crate) fn bytes(chance: &mut Chance, it: &mut Vec<u8>) {
    if it.is_empty() {
        it.push(chance.byte());
        return;
    }
    let at = chance.below(it.len());
    let end = at + chance.below((it.len() - at).min(200) + 1);
    match chance.below(10) {
        0 => it[at] ^= 1 << chance.below(8),
        1 => it[at] = *chance.pick(TELLING),
        2 => it[at] = it[at].wrapping_add([1, 0xff][chance.below(2)]),
        3 => it.truncate(at),
        4 => drop(it.drain(at..end)),
        5 => {
            let again = it[at..end].to_vec();
            it.splice(at..at, again);
        }
        6 => {
            let length = chance.below(20);
            let new = chance.bytes(length);
            it.splice(at..at, new);
        }
        7 => {
            let other = corpus::certificate(chance);
            let from = chance.below(other.len());
            let new = other[from..(from + 60).min(other.len())].to_vec();
            it.splice(at..end, new);
        }
        8 => {
            let text = chance.pick(&TEXTS).bytes();
            it.splice(at..at, text);
        }
        _ => {
            let filler = *chance.pick(TELLING);
            let length = if chance.one_in(10) {
                60_000
            } else {
                chance.below(300)
            };
            it.splice(at..at, std::iter::repeat_n(filler, length));
        }
    }
}
