//! Private keys in DER or BER, known by how they begin: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017, A.1.2), SEC 1 (RFC 5915)
//! and PKCS#12 (RFC 7292).

use super::key_material::Kind;

/// A key's DER or BER by its first elements; the rest may be missing.
pub(super) fn der_key(from: &[u8]) -> Option<Kind> {
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
                // Short numbers are written short by some; then the curve's name must follow.
                let least = match secret.get(length?..).and_then(<[u8]>::first) {
                    Some(0xa0) => 1,
                    None | Some(0xa1) => 20,
                    Some(_) => return None,
                };
                (least..=72).contains(&length?).then_some(Kind::Sec1)
            }
            _ => None,
        };
    }
    let (length, algorithm) = header(inside, 0x30)?;
    let (_, oid) = header(algorithm, 6)?;
    let is_password_based = oid.starts_with(PKCS5) || oid.starts_with(PKCS12_PBE);
    (is_password_based && is_key_behind(algorithm, length?)).then_some(Kind::EncryptedPkcs8)
}

/// Whether an OCTET STRING follows the algorithm, or the bytes stop inside or right behind it.
fn is_key_behind(algorithm: &[u8], length: usize) -> bool {
    algorithm
        .get(length..)
        .is_none_or(|it| it.is_empty() || it.starts_with(&[4]))
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
