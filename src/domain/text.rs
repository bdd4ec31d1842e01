//! Foreign text made safe to show: on a terminal, in a log, in a label.

/// Characters kept of a subject or an issuer.
pub const NAME_LENGTH: usize = 300;

/// `raw` with everything that could steer a terminal or hide text written as `\u{…}`, cut after `limit` characters
/// (a cut ends in `…`).
pub fn printable(raw: &str, limit: usize) -> String {
    let mut out = String::new();
    for (count, character) in raw.chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        if is_hidden(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// A file name or path as text: bytes that are no UTF-8 are written `\xNN`, the rest as [`printable`].
pub fn printable_path(path: &std::path::Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mut out = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        out.push_str(&printable(chunk.valid(), usize::MAX));
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// `one`, or `many`, with the number before it: `1 file`, `2 files`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {many}")
    }
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    use super::*;

    #[test]
    fn escapes_and_overrides_are_shown_not_obeyed() {
        assert_eq!(
            printable("a\u{1b}[31mb\nc\u{202e}d", 100),
            "a\\u{1b}[31mb\\u{a}c\\u{202e}d"
        );
        assert_eq!(printable("Größe, 日本", 100), "Größe, 日本");
    }

    #[test]
    fn a_cut_is_seen() {
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }

    #[test]
    fn names_that_are_no_text_are_shown_by_their_bytes() {
        assert_eq!(
            printable_path(Path::new(OsStr::from_bytes(b"a\xff\n.pem"))),
            "a\\xff\\u{a}.pem"
        );
    }
}
