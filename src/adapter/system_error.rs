//! The system's errors in words.

use std::io;

/// The system's own word for it, as part of a sentence: `permission denied`, `too many open files`. The standard
/// library's kinds have no name for the rarer ones.
pub fn word(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(characters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_by_its_name() {
        for (errno, expected) in [
            (rustix::io::Errno::ACCESS, "permission denied"),
            (rustix::io::Errno::MFILE, "too many open files"),
            (rustix::io::Errno::NOENT, "no such file or directory"),
        ] {
            assert_eq!(word(&errno.into()), expected);
        }
        assert_eq!(word(&io::Error::other("")), "");
    }
}
