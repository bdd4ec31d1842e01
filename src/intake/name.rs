//! Distinguished names as text, most specific part first (RFC 4514, with a space behind each comma).

use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::{AttributeTypeAndValue, X509Name};

use super::tlv;

/// More of a name is never shown.
const PARTS: usize = 64;

/// The name as text. What it says is foreign: nothing is escaped but what RFC 4514 escapes.
pub(super) fn text(name: &X509Name<'_>) -> String {
    let mut parts: Vec<_> = name.iter_rdn().collect();
    parts.reverse();
    let parts: Vec<String> = parts
        .into_iter()
        .take(PARTS)
        .map(|part| {
            let attributes: Vec<String> = part.iter().take(PARTS).map(attribute).collect();
            attributes.join("+")
        })
        .collect();
    parts.join(", ")
}

/// Whether the attributes of each part stand in ascending order, as DER demands of a SET OF (X.690, 11.6).
pub(super) fn is_in_order(name: &X509Name<'_>) -> bool {
    let parts = tlv::expect(name.as_raw(), tlv::SEQUENCE).map(|(parts, _)| tlv::elements(parts));
    parts.into_iter().flatten().all(|part| {
        let attributes = tlv::expect(part, tlv::SET).map(|(content, _)| tlv::elements(content));
        attributes.into_iter().flatten().is_sorted_by(|a, b| a < b)
    })
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let kind = match oid.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.42" => "GN",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => &oid,
    };
    format!("{kind}={}", escape(&value(attribute)))
}

fn value(attribute: &AttributeTypeAndValue<'_>) -> String {
    let raw = attribute.as_slice();
    if attribute.attr_value().tag() == Tag::BmpString {
        let units: Vec<u16> = raw
            .chunks_exact(2)
            .map(|it| it.iter().fold(0, |sum, byte| (sum << 8) | u16::from(*byte)))
            .collect();
        return String::from_utf16_lossy(&units);
    }
    // T61String is Latin-1 in practice, and only shown.
    std::str::from_utf8(raw).map_or_else(
        |_| raw.iter().map(|it| char::from(*it)).collect(),
        str::to_owned,
    )
}

fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, character) in value.char_indices() {
        let at_edge = at == 0 || at + character.len_utf8() == value.len();
        if matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (character == '#' && at == 0)
            || (character == ' ' && at_edge)
        {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer as _;

    use super::*;
    use crate::intake::forge::{element, oid, sequence};

    /// A name of one part with these common names.
    fn of_one_part(common_names: &[&str]) -> Vec<u8> {
        let attributes = common_names
            .iter()
            .map(|it| sequence(&[&oid("2.5.4.3"), &element(12, it.as_bytes())]));
        sequence(&[&element(tlv::SET, &attributes.collect::<Vec<_>>().concat())])
    }

    #[test]
    fn attributes_stand_in_the_order_of_their_bytes_and_none_twice() {
        for (common_names, expected) in [
            (&["a"][..], true),
            (&["a", "b", "c"], true),
            (&["b", "aa"], true),
            (&["a", "c", "b"], false),
            (&["aa", "b"], false),
            (&["a", "a"], false),
        ] {
            let name = of_one_part(common_names);
            let (_, name) = X509Name::from_der(&name).unwrap();
            assert_eq!(is_in_order(&name), expected, "{common_names:?}");
        }
    }

    #[test]
    fn only_the_ends_of_a_value_have_their_spaces_escaped() {
        for (value, expected) in [
            (" a b ", "\\ a b\\ "),
            ("a ü", "a ü"),
            ("ü ", "ü\\ "),
            ("#a#", "\\#a#"),
            ("", ""),
            (" ", "\\ "),
        ] {
            assert_eq!(escape(value), expected);
        }
    }
}
