//! Which names in a directory count.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

use super::{FILES_LIMIT, source_error};
use crate::domain::{PassedOver, SourceError};

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
        self.0.is_match(Path::new(name)) && !is_leaving(name)
    }
}

/// The names in a directory, in byte order. However many there are, few are kept.
pub(super) struct Listing {
    /// The first that count, up to the limit of files.
    pub(super) counted: Vec<OsString>,
    /// Those that do not count.
    pub(super) ignored: PassedOver,
    /// Those that count and are beyond the limit.
    pub(super) surplus: PassedOver,
}

/// Lists a directory, whole or not at all.
pub(super) fn list(directory: &Path, patterns: &Patterns) -> Result<Listing, SourceError> {
    let unreadable = |error| source_error(directory, &error);
    let mut counted = Smallest::new(FILES_LIMIT + PassedOver::SHOWN);
    let mut ignored = Smallest::new(PassedOver::SHOWN);
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if patterns.count(&name) {
            counted.add(name);
        } else {
            ignored.add(name);
        }
    }
    let passed_over = |count, names: Vec<OsString>| PassedOver {
        count,
        first: names.iter().map(|it| directory.join(it)).collect(),
    };
    let ignored = passed_over(ignored.seen, ignored.kept.into_iter().collect());
    let seen = counted.seen;
    let mut counted: Vec<OsString> = counted.kept.into_iter().collect();
    let surplus = counted.split_off(counted.len().min(FILES_LIMIT));
    Ok(Listing {
        surplus: passed_over(seen - counted.len(), surplus),
        counted,
        ignored,
    })
}

/// The first names in byte order, and how many there were in all.
struct Smallest {
    most: usize,
    seen: usize,
    kept: BTreeSet<OsString>,
}

impl Smallest {
    const fn new(most: usize) -> Self {
        Self {
            most,
            seen: 0,
            kept: BTreeSet::new(),
        }
    }

    fn add(&mut self, name: OsString) {
        if self.kept.contains(&name) {
            return; // readdir(3) may tell a name twice while the directory changes
        }
        self.seen += 1;
        let is_late = || self.kept.last().is_some_and(|last| *last < name);
        if self.kept.len() == self.most && is_late() {
            return;
        }
        self.kept.insert(name);
        if self.kept.len() > self.most {
            self.kept.pop_last();
        }
    }
}

/// Whether no pattern makes a name count: dot files, `x~`, `.x.swp`, `#x#`, `x.tmp`, `x.part`, and vim's `4913`.
pub fn is_leaving(name: &OsStr) -> bool {
    let name = name.as_bytes();
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
