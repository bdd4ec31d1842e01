//! One instance a state directory: an advisory lock (`flock`) on a file in it, held as long as the ledger is open.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::error::{LedgerError, Obstacle};

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

/// The lock, held. The kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    /// Takes the lock of this directory and writes our process id into it.
    pub(super) fn take(directory: &Path) -> Result<Self, LedgerError> {
        let path = directory.join(FILE);
        let not_writable = |it: &io::Error| LedgerError::NotWritable {
            path: path.clone(),
            obstacle: Obstacle::from(it),
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
            return Err(LedgerError::Held {
                directory: directory.to_owned(),
                holder: read_holder(&file),
            });
        }
        // Always the same length, in place: on most file systems this needs no new block of a full disk. Where it does,
        // the lock holds without a name.
        let line = format!("{:<10}\n", std::process::id());
        match file.write_all(line.as_bytes()) {
            Err(error) if Obstacle::from(&error) != Obstacle::NoSpace => Err(not_writable(&error)),
            _ => Ok(Self { _file: file }),
        }
    }
}

/// Who holds this directory now, if anybody does. Nothing is written or made.
pub(super) fn holder(directory: &Path) -> Result<Option<Holder>, LedgerError> {
    let path = directory.join(FILE);
    let not_readable = |it: &io::Error| LedgerError::NotReadable {
        path: path.clone(),
        obstacle: Obstacle::from(it),
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(not_readable(&error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read_holder(&file))),
        Err(TryLockError::Error(error)) => Err(not_readable(&error)),
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

fn read_holder(mut file: &File) -> Holder {
    let mut line = [0; 16];
    let read = file.read(&mut line).unwrap_or(0);
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
