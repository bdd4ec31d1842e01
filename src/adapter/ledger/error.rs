//! What can be wrong with the ledger, in our words; nothing of what it holds is quoted.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rustix::io::Errno;
use thiserror::Error;

use crate::adapter::system_error::word;
use crate::domain::text::printable_path;

use super::lock::Holder;

/// Why the ledger is of no use right now, and the exit code of a command that needs it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LedgerError {
    /// Another instance holds the state directory. Exit 75.
    #[error("another sso-certd ({holder}) holds {}", printable_path(.directory))]
    Held {
        /// The state directory.
        directory: PathBuf,
        /// Who it is.
        holder: Holder,
    },
    /// A newer program wrote it. Exit 78: a restart changes nothing.
    #[error(
        "the ledger {} was written by {written_by}, which is newer than this sso-certd {}",
        printable_path(.path),
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Which program, with its version.
        written_by: String,
    },
    /// It is not what this program wrote. It is never repaired or replaced by itself. Exit 78 of the daemon: a restart
    /// changes nothing.
    #[error(
        "the ledger {} is damaged: {what}; put a copy from a backup in its place, or move it away \
         with its -wal and -shm: then nothing at SendGrid is known to be ours, so nothing is retired \
         until `adopt`, and what was approved, denied or paused is forgotten",
        printable_path(.path)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// There is none, and it was opened for reading only. Exit 1.
    #[error("there is no ledger in {}", printable_path(.directory))]
    Missing {
        /// The state directory.
        directory: PathBuf,
    },
    /// It could not be read. Exit 77 if the obstacle is a permission, else 1.
    #[error("cannot read {}: {obstacle}", printable_path(.path))]
    NotReadable {
        /// The file, or what stands beside it.
        path: PathBuf,
        /// Why.
        obstacle: Obstacle,
    },
    /// It could not be written; nothing of what was to be saved is in it. Saving again works as soon as the obstacle is
    /// gone, but for [`Obstacle::Moved`]. Exit 77 if the obstacle is a permission, else 1.
    #[error("cannot write {}: {obstacle}", printable_path(.path))]
    NotWritable {
        /// The file, or what stands beside it.
        path: PathBuf,
        /// Why.
        obstacle: Obstacle,
    },
}

impl LedgerError {
    /// Whether room on the disk is all that is missing.
    pub(super) const fn is_for_want_of_room(&self) -> bool {
        matches!(
            self,
            Self::NotWritable {
                obstacle: Obstacle::NoSpace,
                ..
            }
        )
    }
}

/// What stands in the way of reading or writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// The disk or the quota is full.
    NoSpace,
    /// The file system is mounted for reading only, or the ledger was opened so.
    ReadOnly,
    /// This user may not.
    Permission,
    /// A directory on the way to it does not exist.
    NoDirectory,
    /// Another program keeps it locked.
    Locked,
    /// The file that was opened is no longer the one at its path: what would be written would be lost.
    Moved,
    /// The file system cannot share memory between processes.
    NoSharedMemory,
    /// No file can be opened: this process, or the machine, has as many open as it may.
    TooManyFiles,
    /// The disk did not do what it was asked to.
    InputOutput,
    /// What else the system says, by its number.
    System(i32),
    /// An answer of SQLite that nothing here explains, by its number.
    Unexpected(i32),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSpace => "no space left; make room there",
            Self::ReadOnly => "read-only file system; mount it for writing",
            Self::Permission => "permission denied",
            Self::NoDirectory => "no such directory",
            Self::Locked => "another program keeps it locked",
            Self::Moved => "the file was moved or deleted; sso-certd ends, to be started anew",
            Self::NoSharedMemory => {
                "its file system cannot share memory, as network file systems cannot"
            }
            Self::TooManyFiles => {
                "too many open files; see LimitNOFILE in the unit, and fs.file-max"
            }
            Self::InputOutput => "input/output error; dmesg may say more",
            Self::System(code) => return f.write_str(&word(&io::Error::from_raw_os_error(*code))),
            Self::Unexpected(code) => return write!(f, "SQLite says {code}"),
        })
    }
}

impl From<&io::Error> for Obstacle {
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind;
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::MFILE | Errno::NFILE) => return Self::TooManyFiles,
            Some(Errno::IO) => return Self::InputOutput,
            _ => {}
        }
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::NoSpace,
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            ErrorKind::PermissionDenied => Self::Permission,
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::NoDirectory,
            _ => error.raw_os_error().map_or(Self::InputOutput, Self::System),
        }
    }
}

/// What went wrong inside one call, before it is known which file it was about.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite said no.
    Sqlite(rusqlite::Error),
    /// A write-ahead log is not to be had.
    NoSharedMemory,
    /// SQLite said yes, and the value cannot be.
    Content(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Fault {
    /// The error of a read.
    pub(super) fn while_reading(&self, path: &Path) -> LedgerError {
        self.damage(path)
            .unwrap_or_else(|| LedgerError::NotReadable {
                path: path.to_owned(),
                obstacle: self.obstacle(path, false),
            })
    }

    /// The error of a write.
    pub(super) fn while_writing(&self, path: &Path) -> LedgerError {
        self.damage(path)
            .unwrap_or_else(|| LedgerError::NotWritable {
                path: path.to_owned(),
                obstacle: self.obstacle(path, true),
            })
    }

    fn damage(&self, path: &Path) -> Option<LedgerError> {
        let what = match self {
            Self::NoSharedMemory => return None,
            Self::Content(what) => what.clone(),
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase) => "it is no SQLite file".to_owned(),
                Some(ErrorCode::DatabaseCorrupt) => "its pages do not fit together".to_owned(),
                Some(_) => return None,
                None => "a column holds what it cannot hold".to_owned(),
            },
        };
        Some(LedgerError::Damaged {
            path: path.to_owned(),
            what,
        })
    }

    fn obstacle(&self, path: &Path, writing: bool) -> Obstacle {
        let Self::Sqlite(error) = self else {
            return Obstacle::NoSharedMemory;
        };
        let extended = error.sqlite_extended_error_code().unwrap_or_default();
        if extended == rusqlite::ffi::SQLITE_IOERR_SHMSIZE {
            return Obstacle::NoSpace;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Obstacle::NoSpace,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Obstacle::Locked,
            Some(ErrorCode::ReadOnly) => {
                ask_the_system(path, writing).unwrap_or(Obstacle::ReadOnly)
            }
            Some(
                ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::PermissionDenied,
            ) => ask_the_system(path, writing).unwrap_or(Obstacle::InputOutput),
            _ => Obstacle::Unexpected(extended),
        }
    }
}

/// SQLite keeps the system's reason to itself; opening the file once more tells it, if it still holds.
fn ask_the_system(path: &Path, writing: bool) -> Option<Obstacle> {
    let opened = std::fs::OpenOptions::new()
        .read(true)
        .write(writing)
        .open(path);
    opened.err().map(|it| Obstacle::from(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_is_told_by_its_name() {
        for (errno, expected) in [
            (
                Errno::MFILE,
                "too many open files; see LimitNOFILE in the unit, and fs.file-max",
            ),
            (
                Errno::NFILE,
                "too many open files; see LimitNOFILE in the unit, and fs.file-max",
            ),
            (Errno::IO, "input/output error; dmesg may say more"),
            (Errno::ISDIR, "is a directory"),
            (Errno::LOOP, "too many levels of symbolic links"),
            (Errno::NOSPC, "no space left; make room there"),
            (Errno::ACCESS, "permission denied"),
        ] {
            let error = io::Error::from(errno);
            assert_eq!(Obstacle::from(&error).to_string(), expected);
        }
    }
}
