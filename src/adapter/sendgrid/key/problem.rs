//! What stands in the place of an API key: the key, or something that is named.

use thiserror::Error;

/// Why a text is no API key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum KeyProblem {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// Two bytes a character.
    #[error("is UTF-16 text, as PowerShell's \">\" writes it")]
    Utf16,
    /// An object or an array.
    #[error("holds JSON around the key")]
    Json,
    /// `NAME=`, `export NAME=`, `NAME:` or `Bearer`.
    #[error("holds a name before the key")]
    Named,
    /// A quote at its beginning or its end.
    #[error("holds quotes around the key")]
    Quoted,
    /// A line break inside.
    #[error("holds more than one line")]
    Lines,
    /// A space, a control character, or what is no ASCII.
    #[error("holds characters that no API key has")]
    Characters,
}

impl KeyProblem {
    /// The command that leaves the key alone in a file; none where only the right key helps.
    pub(super) const fn mend(self) -> Option<&'static str> {
        match self {
            Self::Utf16 => {
                Some("(umask 077; iconv -f UTF-16 -t UTF-8 FILE > FILE.new) && mv FILE.new FILE")
            }
            Self::Json => Some(
                "(umask 077; jq -r .NAME FILE > FILE.new) && mv FILE.new FILE   # NAME: the key's field",
            ),
            Self::Named => {
                Some("sed -i --follow-symlinks -E 's/^[^=:]*[=:][[:space:]]*//; s/^Bearer //' FILE")
            }
            Self::Quoted => Some("sed -i --follow-symlinks -E 's/[\"'\\'']//g' FILE"),
            Self::Empty | Self::Lines | Self::Characters => None,
        }
    }
}

/// The key in a text, without a byte-order mark and white space around it.
pub(super) fn key_in(raw: &[u8]) -> Result<&str, KeyProblem> {
    if is_utf16(raw) {
        return Err(KeyProblem::Utf16);
    }
    let text = std::str::from_utf8(raw).map_err(|_| KeyProblem::Characters)?;
    let key = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    if key.is_empty() {
        return Err(KeyProblem::Empty);
    }
    if key.starts_with(['{', '[']) {
        return Err(KeyProblem::Json);
    }
    if is_named(key) {
        return Err(KeyProblem::Named);
    }
    if key.starts_with(is_quote) || key.ends_with(is_quote) {
        return Err(KeyProblem::Quoted);
    }
    if key.contains(['\n', '\r']) {
        return Err(KeyProblem::Lines);
    }
    if !key.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(KeyProblem::Characters);
    }
    Ok(key)
}

/// Text of two bytes a character, of either byte order, with its mark or without.
fn is_utf16(raw: &[u8]) -> bool {
    let marked = raw.starts_with(b"\xff\xfe") || raw.starts_with(b"\xfe\xff");
    marked
        || matches!(
            raw,
            [0, 1..=0xff, 0, 1..=0xff, ..] | [1..=0xff, 0, 1..=0xff, 0, ..]
        )
}

/// Whether a word stands before the key that is none of it: a variable's name and `=`, a field's and `:`, `Bearer`.
fn is_named(text: &str) -> bool {
    let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
    let is_word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
    let rest = text.trim_start_matches(is_word);
    let value = rest.trim_start().strip_prefix(['=', ':']);
    // An equals sign that ends a text may be the padding of another server's key.
    let has_value = value.is_some_and(|it| !it.trim_matches('=').is_empty());
    text.starts_with("Bearer ") || (rest.len() < text.len() && has_value)
}

const fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}')
}
