//! What one look at a certificate directory saw.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use super::{Certificate, Refusal, Timestamp};

/// A whole look: every file whose name counts, with its verdict. A look is whole or it is a [`SourceError`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// The files judged, in the order of their paths.
    pub files: Vec<LookedFile>,
    /// Names that were not looked at: they match no pattern, or are directories or editors' leavings.
    pub ignored: PassedOver,
    /// Names beyond the limit of files, never silent.
    pub surplus: PassedOver,
}

/// Names that were not looked at: all are counted, and the first are kept to be shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PassedOver {
    /// How many there are.
    pub count: usize,
    /// Some of them, at most [`PassedOver::SHOWN`]: of one directory the first by name.
    pub first: Vec<PathBuf>,
}

impl PassedOver {
    /// A directory may hold a million names; more than this nobody reads.
    pub const SHOWN: usize = 20;

    /// Whether nothing was passed over.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many there are beyond those that are kept.
    pub fn more(&self) -> usize {
        self.count.saturating_sub(self.first.len())
    }

    /// Takes in what was passed over elsewhere.
    pub fn extend(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        let free = Self::SHOWN.saturating_sub(self.first.len());
        self.first.extend(other.first.into_iter().take(free));
    }
}

/// One file of a look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LookedFile {
    /// Where it lies: the directory as configured, and its name.
    pub path: PathBuf,
    /// Who owns it and its mode, for people: `adfs-drop 0644`.
    pub owner: String,
    /// Which version of the file was judged: device, inode, size and times. Another text, another version.
    pub stamp: String,
    /// When its contents or attributes last changed, by the file system.
    pub changed: Timestamp,
    /// Which bytes were judged; none if it was not read.
    pub content: Option<ContentId>,
    /// What was decided about it.
    pub verdict: FileVerdict,
}

/// Which bytes a file held, by a hash under a key that this process alone has. The file may hold a private key, so this is
/// for comparing in memory alone: it cannot be shown, stored or sent, and says nothing to anybody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentId(u64);

impl ContentId {
    /// Takes a keyed hash.
    pub const fn new(keyed_hash: u64) -> Self {
        Self(keyed_hash)
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentId")
    }
}

/// What was decided about one file. It never depends on the clock, but for `Waiting`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileVerdict {
    /// These certificates are fit for upload. `notes` name what else was in the file and is ignored.
    Accepted {
        /// At least one, each once.
        certificates: Vec<Certificate>,
        /// Certificates of the file that are refused one by one; the others go on.
        refused: Vec<Refusal>,
        /// For people: `2 issuers ignored`.
        notes: Vec<String>,
    },
    /// The file counts for nothing.
    Refused(Refusal),
    /// Still being written, perhaps: looked at again at this time, and refused then if it stays so.
    Waiting {
        /// When it is looked at again.
        until: Timestamp,
        /// What it would be refused for; none while it only has not been quiet for long enough.
        otherwise: Option<Refusal>,
    },
}

impl Look {
    /// Whether absence from this look says anything: a certificate was accepted, no file waits or is refused.
    pub fn is_healthy(&self) -> bool {
        let accepted = self
            .files
            .iter()
            .any(|it| matches!(it.verdict, FileVerdict::Accepted { .. }));
        let clean = |it: &LookedFile| matches!(&it.verdict, FileVerdict::Accepted { refused, .. } if refused.is_empty());
        accepted && self.surplus.is_empty() && self.files.iter().all(clean)
    }

    /// Every refusal with the file it belongs to: of whole files, and of single certificates.
    pub fn refusals(&self) -> impl Iterator<Item = (&LookedFile, &Refusal)> {
        self.files.iter().flat_map(|file| {
            let of_file = match &file.verdict {
                FileVerdict::Accepted { refused, .. } => refused.as_slice(),
                FileVerdict::Refused(refusal) => std::slice::from_ref(refusal),
                FileVerdict::Waiting { .. } => &[],
            };
            of_file.iter().map(move |it| (file, it))
        })
    }

    /// The earliest time at which a waiting file is to be looked at again.
    pub fn again_at(&self) -> Option<Timestamp> {
        self.files
            .iter()
            .filter_map(|it| match it.verdict {
                FileVerdict::Waiting { until, .. } => Some(until),
                _ => None,
            })
            .min()
    }
}

/// Why a directory could not be read whole.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SourceError {
    /// It is not there.
    #[error("the directory {0} is missing")]
    Missing(String),
    /// It is there and cannot be listed.
    #[error("the directory {path} cannot be read: {why}")]
    Unreadable {
        /// Which one.
        path: String,
        /// The system's word for it.
        why: String,
    },
}
