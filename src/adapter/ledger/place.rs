//! Whether what was opened is still what its path leads to.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// Which file or directory a path meant when it was opened.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    found: Option<(u64, u64)>,
}

impl FileIdentity {
    /// What the path leads to now.
    pub(super) fn of(path: PathBuf) -> Self {
        let found = std::fs::metadata(&path);
        Self::opened(path, found)
    }

    /// What was opened by this path, by its metadata.
    pub(super) fn opened(path: PathBuf, metadata: io::Result<Metadata>) -> Self {
        let found = metadata.ok().map(|it| numbers(&it));
        Self { path, found }
    }

    /// Whether the path still means that file.
    pub(super) fn is_there(&self) -> bool {
        let now = std::fs::metadata(&self.path).ok();
        self.found.is_some() && now.map(|it| numbers(&it)) == self.found
    }
}

fn numbers(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
