//! Hints that something in a directory changed, from the kernel by way of `notify`.
//!
//! A hint means "look at this directory", never what changed there: events get lost, queues overflow, and the directory
//! may be swapped for another one under the watch. So who watches must look by itself as well, and arm the watch anew
//! when the directory is not the one that was armed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use rustix::fs::{FsWord, stat, statfs};
use thiserror::Error;

/// How directories are watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchSettings {
    /// Whether to ask the kernel for events; else polling only.
    pub events: bool,
    /// A file counts once nothing happened to it for this long.
    pub quiet: Duration,
    /// A full look at every directory, events or not; none: never.
    pub poll: Option<Duration>,
}

/// What a watcher tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hint {
    /// Something happened to this path: a watched directory, or a name in one.
    Touched(PathBuf),
    /// A watched directory itself is gone or moved: its watch tells nothing any more.
    Lost(PathBuf),
    /// Events were lost: look at everything.
    Overflow,
    /// The watcher itself failed: it must be made anew.
    Broken,
}

/// Why a directory is not watched.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum WatchError {
    /// The kernel has no watch left to give.
    #[error(
        "the limit of inotify watches is reached (fs.inotify.max_user_watches or max_user_instances)"
    )]
    Limit,
    /// The file system never tells of changes.
    #[error("{0} never tells of changes")]
    Unsupported(&'static str),
    /// It is not there, or may not be read.
    #[error("it cannot be watched")]
    Refused,
}

/// Which directory a watch stands on: the same path may lead elsewhere tomorrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirectoryIdentity {
    device: u64,
    inode: u64,
}

impl DirectoryIdentity {
    /// The directory that `path` leads to now; none if it leads nowhere.
    pub fn of(path: &Path) -> Option<Self> {
        let stat = stat(path).ok()?;
        Some(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        })
    }
}

/// One connection to the kernel for any number of directories.
pub struct Watcher {
    inner: RecommendedWatcher,
}

impl Watcher {
    /// Connects. `tell` is called from `notify`'s own thread and must not block.
    ///
    /// # Errors
    /// The kernel grants no instance.
    pub fn new(tell: impl Fn(Hint) + Send + 'static) -> Result<Self, WatchError> {
        let handler = move |event: notify::Result<notify::Event>| {
            for hint in hints(event) {
                tell(hint);
            }
        };
        let inner = notify::recommended_watcher(handler).map_err(|it| kind_of(&it))?;
        Ok(Self { inner })
    }

    /// Watches the names in a directory, and the directory itself. An older watch of the same path is dropped first.
    ///
    /// # Errors
    /// The directory is missing, its file system tells nothing, or the kernel's limit is reached.
    pub fn watch(&mut self, directory: &Path) -> Result<(), WatchError> {
        self.unwatch(directory);
        if let Some(name) = silent_file_system(directory) {
            return Err(WatchError::Unsupported(name));
        }
        self.inner
            .watch(directory, RecursiveMode::NonRecursive)
            .map_err(|it| kind_of(&it))
    }

    /// Stops watching a directory, if it was watched.
    pub fn unwatch(&mut self, directory: &Path) {
        if let Err(error) = self.inner.unwatch(directory) {
            tracing::trace!(path = %directory.display(), kind = ?error.kind, "Not watched before");
        }
    }
}

fn kind_of(error: &notify::Error) -> WatchError {
    const TOO_MANY_FILES: i32 = 24; // EMFILE: no instance left
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => WatchError::Limit,
        notify::ErrorKind::Io(io) if io.raw_os_error() == Some(TOO_MANY_FILES) => WatchError::Limit,
        _ => WatchError::Refused,
    }
}

/// What an event of `notify` says to us. Reading is no change: our own looks open every file.
fn hints(event: notify::Result<notify::Event>) -> Vec<Hint> {
    let Ok(event) = event else {
        return vec![Hint::Broken];
    };
    if event.need_rescan() {
        return vec![Hint::Overflow];
    }
    let is_gone = matches!(
        event.kind,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
    );
    match event.kind {
        EventKind::Access(notify::event::AccessKind::Close(notify::event::AccessMode::Write)) => {}
        EventKind::Access(_) => return Vec::new(),
        _ => {}
    }
    let hint = |path| {
        if is_gone {
            Hint::Lost(path)
        } else {
            Hint::Touched(path)
        }
    };
    event.paths.into_iter().map(hint).collect()
}

/// The name of the file system under a path, if it is one whose changes by others raise no events here.
///
/// The numbers are `f_type` of statfs(2). Overlay, tmpfs and the disk file systems tell.
fn silent_file_system(path: &Path) -> Option<&'static str> {
    const SILENT: [(FsWord, &str); 7] = [
        (0x6969, "NFS"),
        (0xfe53_4d42, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0x517b, "SMB"),
        (0x0102_1997, "9p"),
        (0x6573_5546, "FUSE"),
        (0x0187, "autofs"),
    ];
    let kind = statfs(path).ok()?.f_type;
    SILENT
        .iter()
        .find(|(number, _)| *number == kind)
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn watcher(directory: &Path) -> (Watcher, Receiver<Hint>) {
        let (tell, hints) = channel();
        let mut watcher = Watcher::new(move |hint| drop(tell.send(hint))).unwrap();
        watcher.watch(directory).unwrap();
        (watcher, hints)
    }

    fn next(hints: &Receiver<Hint>) -> Hint {
        hints.recv_timeout(Duration::from_secs(20)).expect("a hint")
    }

    #[test]
    fn a_rename_into_the_directory_is_a_hint() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (_watcher, hints) = watcher(inside.path());
        std::fs::write(outside.path().join("a"), "a").unwrap();
        std::fs::rename(outside.path().join("a"), inside.path().join("a.pem")).unwrap();
        let expected = inside.path().join("a.pem");
        assert!(matches!(next(&hints), Hint::Touched(path) | Hint::Lost(path) if path == expected));
    }

    #[test]
    fn reading_is_no_hint() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.pem"), "a").unwrap();
        let (_watcher, hints) = watcher(directory.path());
        std::fs::read(directory.path().join("a.pem")).unwrap();
        std::fs::read_dir(directory.path()).unwrap().for_each(drop);
        std::fs::write(directory.path().join("b.pem"), "b").unwrap();
        let expected = directory.path().join("b.pem");
        assert!(
            matches!(next(&hints), Hint::Touched(path) if path == expected),
            "the write is the first hint"
        );
    }

    #[test]
    fn a_deleted_directory_is_lost_and_its_successor_has_another_identity() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("d");
        std::fs::create_dir(&directory).unwrap();
        let (mut watcher, hints) = watcher(&directory);
        std::fs::remove_dir(&directory).unwrap();
        while next(&hints) != Hint::Lost(directory.clone()) {}
        assert_eq!(DirectoryIdentity::of(&directory), None);
        std::fs::create_dir(&directory).unwrap();
        watcher.watch(&directory).unwrap();
        std::fs::write(directory.join("a.pem"), "a").unwrap();
        while !matches!(next(&hints), Hint::Touched(path) if path == directory.join("a.pem")) {}
    }
}
