//! Which names in a directory count.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

use super::source_error;
use crate::domain::SourceError;

/// A pattern that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("`{0}` is no pattern for file names")]
pub struct PatternError(pub String);

/// The patterns of `files`.
#[derive(Debug)]
pub(super) struct Patterns(GlobSet);

impl Patterns {
    pub(super) fn new(patterns: &[String]) -> Result<Self, PatternError> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let unusable = |_| PatternError(pattern.clone());
            let glob = GlobBuilder::new(pattern).case_insensitive(true).build();
            set.add(glob.map_err(unusable)?);
        }
        set.build()
            .map(Self)
            .map_err(|_| PatternError(patterns.join("`, `")))
    }

    /// Whether a name matches a pattern and is no editor's or copier's leaving.
    pub(super) fn count(&self, name: &OsStr) -> bool {
        self.0.is_match(Path::new(name)) && !is_leaving(name.as_bytes())
    }
}

/// The names in a directory, each list in byte order.
pub(super) struct Listing {
    pub(super) counted: Vec<OsString>,
    pub(super) ignored: Vec<OsString>,
}

/// Lists a directory, whole or not at all.
pub(super) fn list(directory: &Path, patterns: &Patterns) -> Result<Listing, SourceError> {
    let unreadable = |error| source_error(directory, &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        names.push(entry.map_err(unreadable)?.file_name());
    }
    names.sort_unstable();
    let (counted, ignored) = names.into_iter().partition(|it| patterns.count(it));
    Ok(Listing { counted, ignored })
}

/// Dot files, `x~`, `.x.swp`, `#x#`, `x.tmp`, `x.part`, and vim's `4913`.
fn is_leaving(name: &[u8]) -> bool {
    let ends_with = |suffix: &[u8]| {
        name.len() >= suffix.len()
            && name
                .iter()
                .rev()
                .zip(suffix.iter().rev())
                .all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    // A swap file `.x.swp` is a dot file.
    name.starts_with(b".")
        || name.ends_with(b"~")
        || (name.starts_with(b"#") && name.ends_with(b"#"))
        || ends_with(b".tmp")
        || ends_with(b".part")
        || name == b"4913"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_without_regard_to_case() {
        let patterns = Patterns::new(&["*.pem".to_owned(), "idp-?.crt".to_owned()]).unwrap();
        for name in [
            "a.pem",
            "A.PEM",
            "idp-1.CRT",
            "-rf.pem",
            "a\nb.pem",
            ".x.pem.pem",
        ] {
            assert_eq!(
                patterns.count(OsStr::new(name)),
                !name.starts_with('.'),
                "{name}"
            );
        }
        for name in ["a.pem.txt", "README", "tls.key", "idp-12.crt"] {
            assert!(!patterns.count(OsStr::new(name)), "{name}");
        }
        assert!(patterns.count(OsStr::from_bytes(b"\xff\xfe.pem")));
    }

    #[test]
    fn leavings_of_editors_and_copiers_do_not_count() {
        let patterns = Patterns::new(&["*".to_owned()]).unwrap();
        for name in [
            ".hidden.pem",
            "a.pem~",
            ".a.pem.swp",
            ".a.pem.swx",
            "#a.pem#",
            "a.pem.tmp",
            "a.TMP",
            "a.part",
            "4913",
            "..data",
        ] {
            assert!(!patterns.count(OsStr::new(name)), "{name}");
        }
        assert!(patterns.count(OsStr::new("4914")));
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        let error = Patterns::new(&["[a".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "`[a` is no pattern for file names");
    }
}
