//! Foreign text made safe to show: on a terminal, in a log, in a label.

use std::time::Duration;

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
            out.push_str("\\x");
            out.push_str(&super::fingerprint::hex(&[*byte]));
        }
    }
    out
}

/// The last part of a path, as [`printable_path`].
pub fn file_name(path: &std::path::Path) -> String {
    printable_path(path.file_name().map_or(path, std::path::Path::new))
}

/// `one`, or `many`, with the number before it: `1 file`, `2 files`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {many}")
    }
}

/// How long, in words and at most two units: `14 ms`, `41 s`, `3 min 12 s`, `6 d 4 h`, `0.9 s`.
pub fn span(duration: Duration) -> String {
    let (secs, tenths) = (duration.as_secs(), duration.subsec_millis() / 100);
    match secs {
        0 if tenths == 0 && !duration.is_zero() => format!("{} ms", duration.as_millis()),
        0..10 if tenths > 0 => format!("{secs}.{tenths} s"),
        0..60 => format!("{secs} s"),
        60..3_600 => two(secs / 60, "min", secs % 60, "s"),
        3_600..86_400 => two(secs / 3_600, "h", secs % 3_600 / 60, "min"),
        _ => two(secs / 86_400, "d", secs % 86_400 / 3_600, "h"),
    }
}

/// How much is left, in one unit, for a column: `20 d`, `9.3 y`, `4 h`, `12 min`.
pub fn left(duration: Duration) -> String {
    let secs = duration.as_secs();
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        3_600..172_800 => format!("{} h", secs / 3_600),
        172_800..63_072_000 => format!("{} d", secs / 86_400),
        _ => {
            let tenths = secs / 3_155_760;
            format!("{}.{} y", tenths / 10, tenths % 10)
        }
    }
}

fn two(big: u64, big_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{big} {big_unit}")
    } else {
        format!("{big} {big_unit} {small} {small_unit}")
    }
}

/// Whether a character could steer a terminal, or hide or turn round the text beside it.
pub fn is_hidden(character: char) -> bool {
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
    fn a_span_has_at_most_two_units() {
        let cases = [
            (900, "0.9 s"),
            (14, "14 ms"),
            (0, "0 s"),
            (41_000, "41 s"),
            (192_000, "3 min 12 s"),
            (532_800_000, "6 d 4 h"),
        ];
        for (millis, text) in cases {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn what_is_left_has_one_unit() {
        let days = |it: u64| Duration::from_secs(it * 86_400);
        let cases = [
            (days(20), "20 d"),
            (days(364), "364 d"),
            (days(3383), "9.2 y"),
            (Duration::from_secs(7200), "2 h"),
        ];
        for (duration, text) in cases {
            assert_eq!(left(duration), text);
        }
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
