//! One instance a state directory: advisory locks (`flock`) on the directory and on a file in it, held as long as the ledger
//! is open. The directory's still holds when everything in it was deleted; on a file system that locks no directories the
//! file's has to do.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::error::{LedgerError, Obstacle};
use super::place::FileIdentity;

/// The file's name. It stays when the instance ends; only the lock on it says something.
pub(super) const FILE: &str = "lock";

/// How often to ask again when only a command that looks at the lock is in the way, and how long to wait each time. It looks
/// for microseconds, unless a busy machine stops it in the middle.
const TRIES: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(1);

/// Who holds a state directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Its process id, as its own process namespace counts; none if it had no room to write it down.
    pub pid: Option<u32>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "pid {pid}"),
            None => f.write_str("pid unknown"),
        }
    }
}

/// The locks, held. The kernel gives them back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct InstanceLock {
    _directory: Option<File>,
    _file: File,
    places: [FileIdentity; 2],
}

impl InstanceLock {
    /// Takes the lock of this directory and writes our process id into it.
    pub(super) fn take(directory: &Path) -> Result<Self, LedgerError> {
        let path = directory.join(FILE);
        let not_writable = |it: &io::Error| LedgerError::NotWritable {
            path: path.clone(),
            obstacle: Obstacle::from(it),
        };
        let opened = File::open(directory).map_err(|it| not_writable(&it))?;
        let place = FileIdentity::opened(directory.to_owned(), opened.metadata());
        let locked = match try_take(&opened) {
            Ok(true) => Some(opened),
            Ok(false) => return Err(held(directory)),
            Err(_) => None,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|it| not_writable(&it))?;
        if !try_take(&file).map_err(|it| not_writable(&it))? {
            return Err(held(directory));
        }
        let places = [place, FileIdentity::opened(path.clone(), file.metadata())];
        // Always the same length, in place: on most file systems this needs no new block of a full disk. Where it does,
        // the lock holds without a name.
        let line = format!("{:<10}\n", std::process::id());
        match file.write_all(line.as_bytes()) {
            Err(error) if Obstacle::from(&error) != Obstacle::NoSpace => Err(not_writable(&error)),
            _ => Ok(Self {
                _directory: locked,
                _file: file,
                places,
            }),
        }
    }

    /// Whether the directory and the file in it are still what their paths lead to.
    pub(super) fn is_in_place(&self) -> bool {
        self.places.iter().all(FileIdentity::is_there)
    }
}

fn held(directory: &Path) -> LedgerError {
    LedgerError::Held {
        directory: directory.to_owned(),
        holder: read_holder(directory),
    }
}

/// Who holds this directory now, if anybody does. Nothing is written or made.
pub(super) fn holder(directory: &Path) -> Result<Option<Holder>, LedgerError> {
    if let Ok(true) = is_locked(directory) {
        return Ok(Some(read_holder(directory)));
    }
    let path = directory.join(FILE);
    match is_locked(&path) {
        Ok(is_locked) => Ok(is_locked.then(|| read_holder(directory))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LedgerError::NotReadable {
            obstacle: Obstacle::from(&error),
            path,
        }),
    }
}

/// Whether an instance holds the lock on this; the look itself holds it for a moment, with whoever else looks.
fn is_locked(path: &Path) -> io::Result<bool> {
    match File::open(path)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it happens once, before there is anything to keep waiting"
)]
fn try_take(file: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // An instance lets nobody share its lock; a command that looks does.
        match file.try_lock_shared() {
            Ok(()) => file.unlock()?,
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        std::thread::sleep(PAUSE);
    }
    Ok(false)
}

fn read_holder(directory: &Path) -> Holder {
    let mut line = [0; 16];
    let file = File::open(directory.join(FILE));
    let read = file.and_then(|mut it| it.read(&mut line)).unwrap_or(0);
    let text = line.get(..read).and_then(|it| std::str::from_utf8(it).ok());
    Holder {
        pid: text.and_then(|it| it.trim().parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_who_the_first_is() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(holder(directory.path()), Ok(None));
        let first = InstanceLock::take(directory.path()).unwrap();
        let me = Holder {
            pid: Some(std::process::id()),
        };
        let error = InstanceLock::take(directory.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "another sso-certd ({me}) holds {}",
                directory.path().display()
            )
        );
        assert_eq!(holder(directory.path()), Ok(Some(me)));
        drop(first);
        assert_eq!(holder(directory.path()), Ok(None));
        InstanceLock::take(directory.path()).unwrap();
    }

    #[test]
    fn the_lock_holds_although_everything_in_the_directory_is_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let first = InstanceLock::take(directory.path()).unwrap();
        assert!(first.is_in_place());
        std::fs::remove_file(directory.path().join(FILE)).unwrap();
        assert!(!first.is_in_place());
        let nobody_known = Holder { pid: None };
        assert_eq!(holder(directory.path()), Ok(Some(nobody_known)));
        let error = InstanceLock::take(directory.path()).unwrap_err();
        assert!(matches!(error, LedgerError::Held { .. }), "{error}");
        drop(first);
        InstanceLock::take(directory.path()).unwrap();
    }

    #[test]
    fn a_look_at_the_lock_keeps_nobody_out() {
        let directory = tempfile::tempdir().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    holder(directory.path()).unwrap();
                }
            });
            for _ in 0..500 {
                let taken = InstanceLock::take(directory.path());
                if taken.is_err() {
                    done.store(true, std::sync::atomic::Ordering::Relaxed);
                }
                drop(taken.unwrap());
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
