//! A directory of certificate files, looked at as a whole, and never written to.
//!
//! A look is incremental: a file whose stamp (device, inode, size, times) is unchanged is not opened again. What
//! makes a file count, wait or be refused is read off that stamp and the two clocks; what is in it, a function passed in
//! says, for several files at once.

mod access;
mod file;
mod inspect;
mod names;
mod threads;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

pub use access::{
    CONFIG_GROUPS, CONFIG_OWNERS, GroupRemark, PathJudge, Trusted, UnknownName, group_name, quoted,
};
use file::{Content, Opened, Reader, Stamp};
pub use inspect::{InspectError, inspect_directory, inspect_file};
use names::Patterns;
pub use names::{PatternError, is_leaving};
use thiserror::Error;

use crate::domain::text::printable_path;
use crate::domain::{
    ContentId, FileVerdict, Judge, Look, LookedFile, Moment, Reason, Refusal, Rejection,
    SourceError,
};

/// Files of one directory that are looked at, by name order.
pub const FILES_LIMIT: usize = 1024;

/// What looks like an unfinished copy is refused once nothing happened to it for this long.
const COPY_PATIENCE: Duration = Duration::from_secs(60);

/// A file read sooner than this after its last change is read again by the next look: a second change within the same
/// tick of the file system's clock would leave the stamp as it was. The coarsest clock, FAT's, ticks every two seconds.
const RACY: Duration = Duration::from_secs(2);

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

/// Why a directory cannot be looked at as configured.
#[derive(Debug, Error)]
pub enum DirectorySettingsError {
    /// A pattern of `files`.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A name of `allowed_owners` or `allowed_groups`.
    #[error(transparent)]
    Name(#[from] UnknownName),
}

/// A directory, and what is known of its files from the last look.
#[derive(Debug)]
pub struct CertificateDirectory {
    directory: PathBuf,
    patterns: Patterns,
    trusted: Trusted,
    strict: bool,
    quiet: Duration,
    reader: Reader,
    known: BTreeMap<OsString, Known>,
}

/// What is known of one file.
#[derive(Debug)]
struct Known {
    stamp: Stamp,
    owner: String,
    /// When this stamp was first seen.
    first_seen: Moment,
    content: Option<ReadContent>,
}

/// What was in a file when it was read.
#[derive(Debug)]
struct ReadContent {
    content: Content,
    id: ContentId,
    /// To be read again, as the file had just changed then.
    is_racy: bool,
}

/// One file of a look, before what is in it is known.
enum Seen {
    /// There is nothing to read.
    Judged(LookedFile),
    /// What is known under this name says the rest.
    Known {
        name: OsString,
        path: PathBuf,
        permissions: Result<(), Refusal>,
    },
}

impl CertificateDirectory {
    /// A directory that was not looked at yet; `judge` says what a file holds. Nothing is read but the names of users and groups.
    ///
    /// # Errors
    /// A pattern that is none, or a user or group that this machine does not know.
    pub fn new(settings: DirectorySettings, judge: Judge) -> Result<Self, DirectorySettingsError> {
        Ok(Self {
            patterns: Patterns::new(&settings.files)?,
            trusted: Trusted::resolve(&settings.allowed_owners, &settings.allowed_groups)?,
            directory: settings.directory,
            strict: settings.strict_permissions,
            quiet: settings.quiet,
            reader: Reader::new(judge),
            known: BTreeMap::new(),
        })
    }

    /// The same, counting the files it reads where others see it, even during a look.
    #[must_use]
    pub fn counting(mut self, reads: Arc<AtomicU64>) -> Self {
        self.reader.count_in(reads);
        self
    }

    /// The directory as configured.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// How many files were opened and read since the start. A look at what did not change adds none.
    pub fn reads(&self) -> u64 {
        self.reader.reads()
    }

    /// Judges the permissions of the directory and of everything above it, for start-up. Fine where they do not count.
    ///
    /// # Errors
    /// `unsafe_permissions`, or `unreadable` if the path leads nowhere.
    pub fn judge_path(&self) -> Result<(), Refusal> {
        if !self.strict {
            return Ok(());
        }
        PathJudge::new(&self.trusted).judge(&self.directory)
    }

    /// Looks at every file whose name counts.
    ///
    /// # Errors
    /// The directory is missing, cannot be listed, or was replaced meanwhile: then nothing is known of any file.
    pub fn look(&mut self, now: &Moment) -> Result<Look, SourceError> {
        let before = identity(&self.directory)?;
        let listing = names::list(&self.directory, &self.patterns)?;
        self.known
            .retain(|name, _| listing.counted.binary_search(name).is_ok());
        let mut judge = PathJudge::new(&self.trusted.clone());
        let mut seen = Vec::with_capacity(listing.counted.len());
        for name in listing.counted {
            seen.extend(self.see(name, &mut judge, now));
        }
        let mut opened = self.read_what_is_due(&seen, now);
        let files = seen
            .into_iter()
            .filter_map(|it| self.judge(it, &mut opened, now))
            .collect();
        if identity(&self.directory)? != before {
            return Err(SourceError::Unreadable {
                path: printable_path(&self.directory),
                why: "it was replaced during the look".to_owned(),
            });
        }
        Ok(Look {
            files,
            ignored: listing.ignored,
            surplus: listing.surplus,
            ..Look::default()
        })
    }

    /// One file, unread; none if it is gone by now.
    fn see(&mut self, name: OsString, judge: &mut PathJudge, now: &Moment) -> Option<Seen> {
        let path = self.directory.join(&name);
        let stamp = match file::stamp(&path) {
            Ok(stamp) => stamp,
            Err(file::NoStamp::Gone) => return None,
            Err(file::NoStamp::Unknown(refusal)) => {
                self.known.remove(&name);
                return Some(Seen::Judged(file::unseen(path, refusal)));
            }
            Err(file::NoStamp::Refused(stamp, refusal)) => {
                self.known.remove(&name);
                let owner = judge.owner_text(&stamp);
                let verdict = FileVerdict::refused(refusal);
                return Some(Seen::Judged(file::looked(path, &stamp, owner, verdict)));
            }
        };
        if self.known.get(&name).is_none_or(|it| it.stamp != stamp) {
            let known = Known {
                owner: judge.owner_text(&stamp),
                first_seen: now.clone(),
                content: None,
                stamp: stamp.clone(),
            };
            self.known.insert(name.clone(), known);
        }
        let permissions = match self.strict.then(|| judge.walk(&path)) {
            Some(Ok(end)) if end != stamp => {
                // It was replaced since its stamp was taken; the next look sees one version.
                let verdict = still_changing(self.quiet, now);
                let owner = judge.owner_text(&end);
                return Some(Seen::Judged(file::looked(path, &end, owner, verdict)));
            }
            Some(Err(refusal)) => Err(refusal),
            _ => Ok(()),
        };
        Some(Seen::Known {
            name,
            path,
            permissions,
        })
    }

    /// Reads and judges what was not read yet in this version, several files at once.
    fn read_what_is_due(&self, seen: &[Seen], now: &Moment) -> BTreeMap<OsString, Opened> {
        let due: Vec<(&OsString, &Path, &Stamp)> = seen
            .iter()
            .filter_map(|it| match it {
                Seen::Known { name, path, .. } => {
                    let known = self.known.get(name)?;
                    let is_due = known.is_due(self.quiet, now);
                    is_due.then_some((name, path.as_path(), &known.stamp))
                }
                Seen::Judged(_) => None,
            })
            .collect();
        threads::map(&due, |(name, path, stamp)| {
            ((*name).clone(), file::read(path, stamp, &self.reader))
        })
        .into_iter()
        .collect()
    }

    fn judge(
        &mut self,
        seen: Seen,
        opened: &mut BTreeMap<OsString, Opened>,
        now: &Moment,
    ) -> Option<LookedFile> {
        let (name, path, permissions) = match seen {
            Seen::Judged(file) => return Some(file),
            Seen::Known {
                name,
                path,
                permissions,
            } => (name, path, permissions),
        };
        let known = self.known.get_mut(&name)?;
        let verdict = known.verdict(opened.remove(&name), self.quiet, now);
        let verdict = strictest(verdict, permissions);
        let owner = known.owner.clone();
        let content = known.content.as_ref().map(|it| it.id);
        let file = file::looked(path, &known.stamp, owner, verdict);
        Some(LookedFile { content, ..file })
    }
}

impl Known {
    /// Whether the file counts by now and is not known in this version.
    fn is_due(&self, quiet: Duration, now: &Moment) -> bool {
        let is_unread = self.content.as_ref().is_none_or(|it| it.is_racy);
        is_unread && self.stamp.refusal().is_none() && self.age(now) >= quiet
    }

    /// `opened` is what came of reading it in this look, if it was due.
    fn verdict(&mut self, opened: Option<Opened>, quiet: Duration, now: &Moment) -> FileVerdict {
        if let Some(refusal) = self.stamp.refusal() {
            return FileVerdict::refused(refusal);
        }
        let rest = self.age(now);
        if rest < quiet {
            return FileVerdict::Waiting {
                until: now.wall.plus(quiet.saturating_sub(rest)),
                otherwise: None,
            };
        }
        match opened {
            Some(Opened::Read(content, id)) => {
                self.content = Some(ReadContent {
                    content,
                    id,
                    is_racy: rest < RACY,
                });
            }
            Some(Opened::Changing) => {
                self.first_seen = now.clone();
                self.content = None;
                return still_changing(quiet, now);
            }
            Some(Opened::Refused(refusal)) => return FileVerdict::refused(refusal),
            None => {}
        }
        match self.content.as_ref().map(|it| &it.content) {
            Some(Ok(accepted)) => accepted.clone().into(),
            Some(Err(rejection)) => patient(rejection, rest, now),
            None => FileVerdict::refused(file::vanished()),
        }
    }

    /// For how long nothing happened to the file: by its ctime and the wall clock, or by how long this stamp has
    /// been seen, whichever is longer. A ctime in the future says nothing: the clock was stepped.
    fn age(&self, now: &Moment) -> Duration {
        now.wall
            .since(self.stamp.changed)
            .max(now.elapsed_since(&self.first_seen))
    }
}

/// Not one version yet.
fn still_changing(quiet: Duration, now: &Moment) -> FileVerdict {
    FileVerdict::Waiting {
        until: now.wall.plus(quiet),
        otherwise: None,
    }
}

/// A refusal that an unfinished copy could have earned waits.
fn patient(rejection: &Rejection, age: Duration, now: &Moment) -> FileVerdict {
    if !rejection.may_be_copying {
        return rejection.clone().into();
    }
    let mut refusal = rejection.refusal.clone();
    if age < COPY_PATIENCE {
        return FileVerdict::Waiting {
            until: now.wall.plus(COPY_PATIENCE.saturating_sub(age)),
            otherwise: Some(refusal),
        };
    }
    refusal.found.push_str(match refusal.reason {
        Reason::Empty => " for more than 60 s",
        _ => ", unchanged for 60 s",
    });
    FileVerdict::refused(refusal)
}

/// Unsafe permissions refuse whatever a file holds. But key material is the louder news; and what is no file is never
/// opened, and nobody is to change the permissions of a device.
fn strictest(verdict: FileVerdict, permissions: Result<(), Refusal>) -> FileVerdict {
    let says_more = matches!(&verdict, FileVerdict::Refused { refusal, .. }
        if matches!(refusal.reason, Reason::PrivateKey | Reason::NotRegularFile));
    match permissions {
        Err(refusal) if !says_more => FileVerdict::refused(refusal),
        _ => verdict,
    }
}

/// Device and inode of a directory.
fn identity(directory: &Path) -> Result<(u64, u64), SourceError> {
    let metadata = std::fs::metadata(directory).map_err(|error| source_error(directory, &error))?;
    Ok((metadata.dev(), metadata.ino()))
}

fn source_error(directory: &Path, error: &io::Error) -> SourceError {
    let path = printable_path(directory);
    if error.kind() == io::ErrorKind::NotFound {
        SourceError::Missing(path)
    } else {
        SourceError::Unreadable {
            path,
            why: file::word(error),
        }
    }
}
