//! Hints that something in a directory changed, from the kernel by way of `notify`.
//!
//! A hint means "look at this directory", never what changed there: events get lost, queues overflow, and the directory
//! may be swapped for another one under the watch. So who watches must look by itself as well, and arm the watch anew
//! when the directory is not the one that was armed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{EventHandler, RecommendedWatcher, RecursiveMode, Watcher as _};
use rustix::fs::{AtFlags, CWD, FsWord, Mode, OFlags, StatxFlags, inotify, stat, statfs, statx};
use rustix::io::Errno;
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
    /// The watcher itself failed or ended: it must be made anew. Also told, to whoever still listens, when it is dropped.
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
    /// This process can open nothing more.
    #[error("too many open files; see LimitNOFILE in the unit, and fs.file-max")]
    TooManyFiles,
    /// The file system never tells of changes.
    #[error("{0} never tells of changes")]
    Unsupported(&'static str),
    /// It is not there, or may not be read.
    #[error("it cannot be watched")]
    Refused,
    /// The watcher has ended and must be made anew.
    #[error("the watcher has ended")]
    Broken,
}

/// Which directory a watch stands on: the same path may lead elsewhere tomorrow.
///
/// Inode numbers are used again at once, and a directory that was unmounted and mounted again is the same one, but has
/// lost its watches. So the time of birth and the mount count as well, where the system tells them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirectoryIdentity {
    inode: Inode,
    birth: (i64, u32),
    mount: u64,
}

/// What the kernel puts a watch on: device and number. There is one watch an inode, whatever paths lead there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Inode(u64, u64);

impl DirectoryIdentity {
    /// The directory that `path` leads to now; none if it leads nowhere.
    pub fn of(path: &Path) -> Option<Self> {
        let stat = stat(path).ok()?;
        let wanted = StatxFlags::BTIME | StatxFlags::MNT_ID;
        let more = statx(CWD, path, AtFlags::empty(), wanted).ok();
        Some(Self {
            inode: Inode(stat.st_dev, stat.st_ino),
            birth: more.map_or((0, 0), |it| (it.stx_btime.tv_sec, it.stx_btime.tv_nsec)),
            mount: more.map_or(0, |it| it.stx_mnt_id),
        })
    }

    /// What a watch on it stands on.
    pub fn inode(&self) -> Inode {
        self.inode
    }
}

/// One connection to the kernel for any number of directories.
pub struct Watcher {
    /// None only while it is dropped.
    inner: Option<RecommendedWatcher>,
    is_alive: Arc<AtomicBool>,
}

impl Watcher {
    /// Connects. `tell` is called from `notify`'s own thread and must not block.
    ///
    /// # Errors
    /// The kernel grants no instance.
    pub fn new(tell: impl Fn(Hint) + Send + 'static) -> Result<Self, WatchError> {
        let is_alive = Arc::new(AtomicBool::new(true));
        let teller = Teller {
            tell,
            is_alive: Arc::clone(&is_alive),
        };
        let inner = notify::recommended_watcher(teller).map_err(|it| kind_of(&it))?;
        Ok(Self {
            inner: Some(inner),
            is_alive,
        })
    }

    /// Watches the names in a directory, and the directory itself. An older watch of the same path is dropped first.
    ///
    /// # Errors
    /// The directory is missing or may not be read, the kernel's limit is reached, or the watcher has ended.
    pub fn watch(&mut self, directory: &Path) -> Result<(), WatchError> {
        self.unwatch(directory);
        let Some(inner) = self.living() else {
            return Err(WatchError::Broken);
        };
        inner
            .watch(directory, RecursiveMode::NonRecursive)
            .map_err(|it| kind_of(&it))
    }

    /// Stops watching a directory, if it was watched.
    pub fn unwatch(&mut self, directory: &Path) {
        if let Some(Err(error)) = self.living().map(|it| it.unwatch(directory)) {
            tracing::trace!(path = %directory.display(), kind = ?error.kind, "Not watched before");
        }
    }

    /// `notify` panics when it is asked something and its thread has ended.
    fn living(&mut self) -> Option<&mut RecommendedWatcher> {
        let is_alive = self.is_alive.load(Ordering::Acquire);
        self.inner.as_mut().filter(|_| is_alive)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if !self.is_alive.load(Ordering::Acquire) {
            // Dropping it would tell its thread to end, and panic as there is none; what is lost is one descriptor.
            std::mem::forget(self.inner.take());
        }
    }
}

/// Lives in `notify`'s thread, and is dropped when that ends, in whatever way.
struct Teller<F: Fn(Hint)> {
    tell: F,
    is_alive: Arc<AtomicBool>,
}

impl<F: Fn(Hint) + Send + 'static> EventHandler for Teller<F> {
    fn handle_event(&mut self, event: notify::Result<notify::Event>) {
        hints(event).into_iter().for_each(&self.tell);
    }
}

impl<F: Fn(Hint)> Drop for Teller<F> {
    fn drop(&mut self) {
        self.is_alive.store(false, Ordering::Release);
        (self.tell)(Hint::Broken);
    }
}

fn kind_of(error: &notify::Error) -> WatchError {
    let notify::ErrorKind::Io(io) = &error.kind else {
        return match error.kind {
            notify::ErrorKind::MaxFilesWatch => WatchError::Limit,
            _ => WatchError::Refused,
        };
    };
    match Errno::from_io_error(io) {
        Some(Errno::MFILE) if lacks_an_instance() => WatchError::Limit,
        Some(Errno::MFILE | Errno::NFILE) => WatchError::TooManyFiles,
        _ => WatchError::Refused,
    }
}

/// What EMFILE means: that the user has no inotify instance left, and not that this process has no descriptor left.
///
/// A watcher takes several descriptors. Where the last of them was refused, the others are free again by now, so that
/// something else could be opened: only an instance tells.
fn lacks_an_instance() -> bool {
    let instance = inotify::init(inotify::CreateFlags::CLOEXEC);
    instance.is_err()
        && rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).is_ok()
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
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
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

/// The name of the file system under a path, if it is one whose changes by others raise no events here. virtiofs says
/// that it is FUSE.
///
/// The numbers are `f_type` of statfs(2). Overlay, tmpfs and the disk file systems tell.
pub fn silent_file_system(path: &Path) -> Option<&'static str> {
    const SILENT: [(FsWord, &str); 10] = [
        (0x6969, "NFS"),
        (0xfe53_4d42, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0x517b, "SMB"),
        (0x0102_1997, "9p"),
        (0x6573_5546, "FUSE"),
        (0x0187, "autofs"),
        (0x00c3_6400, "Ceph"),
        (0x5346_414f, "AFS"),
        (0x786f_4256, "vboxsf"),
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
    fn where_an_instance_is_granted_the_descriptors_had_run_out() {
        let error = |it: Errno| notify::Error::io(it.into());
        assert_eq!(kind_of(&error(Errno::MFILE)), WatchError::TooManyFiles);
        assert_eq!(kind_of(&error(Errno::NFILE)), WatchError::TooManyFiles);
        assert_eq!(kind_of(&error(Errno::ACCESS)), WatchError::Refused);
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

    #[test]
    fn a_recreated_directory_has_another_identity_even_with_the_same_inode() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("d");
        let mut seen = Vec::new();
        for _ in 0..3 {
            std::fs::create_dir(&directory).unwrap();
            let identity = DirectoryIdentity::of(&directory);
            assert!(!seen.contains(&identity), "{seen:?}");
            seen.push(identity);
            std::fs::remove_dir(&directory).unwrap();
        }
    }

    #[test]
    fn the_end_of_notifys_thread_is_told_and_nothing_panics() {
        let directory = tempfile::tempdir().unwrap();
        let (tell, hints) = channel();
        let mut watcher = Watcher::new(move |hint| {
            let is_fatal = matches!(&hint, Hint::Touched(path) if path.ends_with("fatal.pem"));
            drop(tell.send(hint));
            assert!(!is_fatal, "this is how the thread of this test ends");
        })
        .unwrap();
        watcher.watch(directory.path()).unwrap();
        std::fs::write(directory.path().join("fatal.pem"), "a").unwrap();
        while next(&hints) != Hint::Broken {}
        assert_eq!(watcher.watch(directory.path()), Err(WatchError::Broken));
        watcher.unwatch(directory.path());
        drop(watcher);
    }

    #[test]
    fn a_directory_that_cannot_be_watched_leaves_the_watcher_whole() {
        let directory = tempfile::tempdir().unwrap();
        let (mut watcher, hints) = watcher(directory.path());
        assert_eq!(
            watcher.watch(&directory.path().join("gone")),
            Err(WatchError::Refused)
        );
        std::fs::write(directory.path().join("a.pem"), "a").unwrap();
        assert!(matches!(next(&hints), Hint::Touched(_)));
    }
}
