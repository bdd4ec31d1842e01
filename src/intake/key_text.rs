//! Private keys as text: known by the words around them.

use memchr::memmem;

use super::key_material::Kind;

/// The key that the words at the beginning of `from` announce; `before` is what stands before them.
pub(super) fn key(before: &[u8], from: &[u8]) -> Option<Kind> {
    if starts_with_ignoring_case(from, b"PRIVATE KEY") {
        return armour(before);
    }
    if from.starts_with(b"PuTTY-User-Key-File-") || from.starts_with(b"Private-Lines:") {
        return Some(Kind::Putty);
    }
    is_number_of_a_key(from).then_some(Kind::Unnamed)
}

/// `-----BEGIN … PRIVATE KEY`, whatever the dashes are, or the END of one that never began; `before` stops at PRIVATE.
fn armour(before: &[u8]) -> Option<Kind> {
    const LONGEST_LABEL: usize = 48;
    let tail = before.get(before.len().saturating_sub(LONGEST_LABEL)..)?;
    let word = |word: &[u8]| {
        tail.windows(word.len())
            .rposition(|it| it.eq_ignore_ascii_case(word))
    };
    let (begin, end) = (word(b"BEGIN"), word(b"END"));
    let is_end = end > begin;
    let (at, length) = if is_end { (end?, 3) } else { (begin?, 5) };
    let (dashes, label) = tail.split_at_checked(at)?;
    let label = label.get(length..)?;
    let has_dash = dashes
        .iter()
        .rev()
        .find(|it| **it != b' ')
        .is_some_and(|it| *it == b'-' || !it.is_ascii());
    let is_label = label
        .iter()
        .all(|it| it.is_ascii_alphanumeric() || *it == b' ');
    if !has_dash || !is_label {
        return None;
    }
    if is_end {
        return (!is_in_a_certificate(before)).then_some(Kind::Rest);
    }
    let label = label.trim_ascii();
    let kinds: [(&[u8], Kind); 7] = [
        (b"", Kind::Pkcs8),
        (b"ENCRYPTED", Kind::EncryptedPkcs8),
        (b"RSA", Kind::Pkcs1),
        (b"EC", Kind::Sec1),
        (b"DSA", Kind::Dsa),
        (b"OPENSSH", Kind::OpenSsh),
        (b"PGP", Kind::Pgp),
    ];
    let known = kinds
        .into_iter()
        .find(|it| label.eq_ignore_ascii_case(it.0));
    Some(known.map_or(Kind::Unnamed, |it| it.1))
}

/// Whether the last block that began before this END line is a certificate's: then only the label is wrong.
fn is_in_a_certificate(before: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    memmem::rfind(before, BEGIN).is_some_and(|at| {
        let block = before.get(at + BEGIN.len()..).unwrap_or_default();
        memmem::find(block, b"-----END ")
            .is_none_or(|it| memmem::rfind(block, b"-----") == Some(it))
    })
}

/// A private number as `openssl pkey -text` prints it: its name, then bytes in hexadecimal digits with colons.
fn is_number_of_a_key(from: &[u8]) -> bool {
    const NAMES: [&[u8]; 4] = [b"privateExponent:", b"priv:", b"prime1:", b"prime2:"];
    const DIGITS: usize = 12;
    let Some(number) = NAMES.iter().find_map(|it| from.strip_prefix(*it)) else {
        return false;
    };
    let number = number.trim_ascii_start();
    let bytes = number.get(..DIGITS).unwrap_or_default();
    bytes.len() == DIGITS
        && bytes.chunks(3).all(|it| match it {
            [a, b, colon] => a.is_ascii_hexdigit() && b.is_ascii_hexdigit() && *colon == b':',
            _ => false,
        })
}

fn starts_with_ignoring_case(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes
        .get(..prefix.len())
        .is_some_and(|it| it.eq_ignore_ascii_case(prefix))
}
