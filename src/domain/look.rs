//! What one look at a certificate directory saw.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use super::{
    Accepted, Certificate, Fingerprint, Refusal, RefusedCertificate, Rejection, Timestamp,
};

/// A whole look: every file whose name counts, with its verdict. A look is whole or it is a [`SourceError`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// The files judged, in the order of their paths.
    pub files: Vec<LookedFile>,
    /// Certificates of these files that issued another one of them, by verified signature, with one that each issued.
    pub issuers: BTreeMap<Fingerprint, Fingerprint>,
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

/// A certificate of the source that is not uploaded because it issued another one of the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IgnoredIssuer {
    /// The certificate.
    pub certificate: Certificate,
    /// One that it issued.
    pub issued: Fingerprint,
}

/// What was decided about one file. It never depends on the clock, but for `Waiting`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileVerdict {
    /// The file could be read, and not each of its certificates is refused.
    Accepted {
        /// Each once.
        certificates: Vec<Certificate>,
        /// Certificates of the file that are refused one by one; the others go on.
        refused: Vec<RefusedCertificate>,
        /// Certificates of the file that are there only because they issued others. If there is nothing else in the file,
        /// it is ignored.
        issuers: Vec<IgnoredIssuer>,
        /// For people: `the same certificate more than once, counted once`.
        notes: Vec<String>,
    },
    /// The file counts for nothing.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Its certificates, if it could be read and each of them is refused.
        certificates: Vec<RefusedCertificate>,
    },
    /// Still being written, perhaps: looked at again at this time, and refused then if it stays so.
    Waiting {
        /// When it is looked at again.
        until: Timestamp,
        /// What it would be refused for; none while it only has not been quiet for long enough.
        otherwise: Option<Refusal>,
    },
}

impl From<Accepted> for FileVerdict {
    fn from(accepted: Accepted) -> Self {
        Self::of(
            accepted.certificates,
            accepted.refused,
            Vec::new(),
            accepted.notes,
        )
    }
}

impl From<Rejection> for FileVerdict {
    fn from(rejection: Rejection) -> Self {
        Self::Refused {
            refusal: rejection.refusal,
            certificates: rejection.certificates,
        }
    }
}

impl FileVerdict {
    /// The verdict on a whole file that could not be read as certificates.
    pub const fn refused(refusal: Refusal) -> Self {
        Self::Refused {
            refusal,
            certificates: Vec::new(),
        }
    }

    /// The verdict on a file that could be read, by what is decided about each of its certificates.
    pub fn of(
        certificates: Vec<Certificate>,
        refused: Vec<RefusedCertificate>,
        issuers: Vec<IgnoredIssuer>,
        notes: Vec<String>,
    ) -> Self {
        if certificates.is_empty() && !refused.is_empty() {
            return Self::Refused {
                refusal: RefusedCertificate::summary(&refused),
                certificates: refused,
            };
        }
        Self::Accepted {
            certificates,
            refused,
            issuers,
            notes,
        }
    }

    /// The certificates that are fit for upload.
    pub fn accepted(&self) -> &[Certificate] {
        match self {
            Self::Accepted { certificates, .. } => certificates,
            Self::Refused { .. } | Self::Waiting { .. } => &[],
        }
    }

    /// Whether at least one certificate is fit for upload.
    pub fn is_accepted(&self) -> bool {
        !self.accepted().is_empty()
    }

    /// Whether nothing is in the file but what issued others.
    pub fn is_ignored(&self) -> bool {
        matches!(self, Self::Accepted { certificates, .. } if certificates.is_empty())
    }

    /// The certificates that are not fit for upload by themselves.
    pub fn refused_certificates(&self) -> &[RefusedCertificate] {
        match self {
            Self::Accepted { refused, .. } => refused,
            Self::Refused { certificates, .. } => certificates,
            Self::Waiting { .. } => &[],
        }
    }
}

impl Look {
    /// Every certificate that could be read, fit for upload or not.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.files.iter().flat_map(|file| {
            let refused = file.verdict.refused_certificates().iter();
            let refused = refused.filter_map(|it| it.certificate.as_ref());
            file.verdict.accepted().iter().chain(refused)
        })
    }

    /// Whether absence from this look says anything: a certificate was accepted, no file waits or is refused.
    pub fn is_healthy(&self) -> bool {
        let clean = |it: &LookedFile| matches!(&it.verdict, FileVerdict::Accepted { refused, .. } if refused.is_empty());
        self.files.iter().any(|it| it.verdict.is_accepted())
            && self.surplus.is_empty()
            && self.files.iter().all(clean)
    }

    /// Every refusal with the file it belongs to: of whole files, and of single certificates.
    pub fn refusals(&self) -> impl Iterator<Item = (&LookedFile, &Refusal)> {
        self.files.iter().flat_map(|file| {
            let (of_file, of_certificates) = match &file.verdict {
                FileVerdict::Accepted { refused, .. } => (None, refused.as_slice()),
                FileVerdict::Refused { refusal, .. } => (Some(refusal), &[][..]),
                FileVerdict::Waiting { .. } => (None, &[][..]),
            };
            let refusals = of_certificates.iter().map(|it| &it.refusal);
            of_file
                .into_iter()
                .chain(refusals)
                .map(move |it| (file, it))
        })
    }

    /// Every certificate that is ignored because it issued another one, with its file.
    pub fn issuers_ignored(&self) -> impl Iterator<Item = (&LookedFile, &IgnoredIssuer)> {
        self.files.iter().flat_map(|file| {
            let issuers = match &file.verdict {
                FileVerdict::Accepted { issuers, .. } => issuers.as_slice(),
                FileVerdict::Refused { .. } | FileVerdict::Waiting { .. } => &[],
            };
            issuers.iter().map(move |it| (file, it))
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
