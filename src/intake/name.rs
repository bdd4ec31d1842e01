//! Distinguished names as text, most specific part first (RFC 4514, with a space behind each comma).

use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::{AttributeTypeAndValue, X509Name};

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
    let length = value.chars().count();
    for (index, character) in value.chars().enumerate() {
        let at_edge = index == 0 || index + 1 == length;
        if matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (character == '#' && index == 0)
            || (character == ' ' && at_edge)
        {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
