//! A directory of certificate files, looked at as a whole.

use std::path::PathBuf;
use std::time::Duration;

/// Which directory, which files in it, and who may write them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DirectorySettings {
    /// The directory.
    pub directory: PathBuf,
    /// Patterns of the names that count, such as `*.pem`; matched against the name without regard to case.
    pub files: Vec<String>,
    /// Refuse files that others than root, the daemon, `allowed_owners` or `allowed_groups` could write.
    pub strict_permissions: bool,
    /// User names or numbers.
    pub allowed_owners: Vec<String>,
    /// Group names or numbers.
    pub allowed_groups: Vec<String>,
    /// A file counts once nothing happened to it for this long.
    pub quiet: Duration,
}
