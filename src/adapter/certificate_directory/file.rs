//! One file: its stamp, and one bounded read that is of one version or of none.

use std::fs::{File, Metadata};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::access;
pub(super) use crate::adapter::system_error::word;
use crate::adapter::users::user_name;
use crate::domain::{
    Accepted, ContentId, FILE_LIMIT, FileVerdict, Fingerprint, Judge, LookedFile, Reason, Refusal,
    Rejection, Timestamp,
};

/// What a file holds, by its judge.
pub(super) type Content = Result<Accepted, Rejection>;

/// A version of a file: if none of this changed, neither did its content (but for the same tick of the clock).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// The status change time, which nobody can set.
    change: (i64, i64),
    /// The same to the millisecond.
    pub(super) changed: Timestamp,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    /// How many names it has.
    links: u64,
    special: Option<&'static str>,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let kind = metadata.file_type();
        let millis = metadata
            .ctime()
            .saturating_mul(1000)
            .saturating_add(metadata.ctime_nsec() / 1_000_000);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            change: (metadata.ctime(), metadata.ctime_nsec()),
            changed: Timestamp::from_millis(millis),
            uid: metadata.uid(),
            gid: metadata.gid(),
            mode: metadata.mode() & 0o7777,
            links: metadata.nlink(),
            special: if kind.is_file() {
                None
            } else if kind.is_dir() {
                Some("a directory")
            } else if kind.is_fifo() {
                Some("a named pipe")
            } else if kind.is_socket() {
                Some("a socket")
            } else if kind.is_symlink() {
                Some("a symbolic link")
            } else {
                Some("a device")
            },
        }
    }

    /// Why such a file is not even opened.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.special
            .map(|it| Refusal::new(Reason::NotRegularFile, it))
    }

    pub(super) fn is_directory(&self) -> bool {
        self.special == Some("a directory")
    }

    fn text(&self) -> String {
        let Self {
            device,
            inode,
            size,
            modified,
            change,
            ..
        } = self;
        format!(
            "{device}:{inode}:{size}:{}.{:09}:{}.{:09}",
            modified.0, modified.1, change.0, change.1
        )
    }
}

/// Why there is no stamp.
pub(super) enum NoStamp {
    /// The name is gone.
    Gone,
    /// Nothing can be said of it but this.
    Unknown(Refusal),
    /// The name is there and leads nowhere: the link's own stamp, and what to say.
    Refused(Box<Stamp>, Refusal),
}

/// The stamp of what a path leads to.
pub(super) fn stamp(path: &Path) -> Result<Stamp, NoStamp> {
    let error = match std::fs::metadata(path) {
        Ok(metadata) => return Ok(Stamp::of(&metadata)),
        Err(error) => error,
    };
    let own = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(NoStamp::Gone),
        // It is there, by the directory; no more is known than its name.
        Err(error) => {
            let found = format!("it cannot be looked at: {}", word(&error));
            return Err(NoStamp::Unknown(Refusal::new(Reason::Unreadable, found)));
        }
    };
    let found = if error.kind() == io::ErrorKind::NotFound {
        "a symbolic link that leads nowhere".to_owned()
    } else {
        format!("a symbolic link that cannot be followed: {}", word(&error))
    };
    Err(NoStamp::Refused(
        Box::new(Stamp::of(&own)),
        Refusal::new(Reason::Unreadable, found),
    ))
}

/// A file of which nothing is known but why it is refused.
pub(super) const fn unseen(path: PathBuf, refusal: Refusal) -> LookedFile {
    LookedFile {
        path,
        owner: String::new(),
        stamp: String::new(),
        changed: Timestamp::from_millis(0),
        content: None,
        verdict: FileVerdict::refused(refusal),
    }
}

/// What came of opening a file.
pub(super) enum Opened {
    /// It was read whole and judged.
    Read(Content, ContentId),
    /// It is not, or did not stay, the version of the stamp.
    Changing,
    /// It cannot be read.
    Refused(Refusal),
}

/// Reads files, judges what is in them, and counts how often.
#[derive(Debug)]
pub(super) struct Reader {
    judge: Judge,
    reads: Arc<AtomicU64>,
}

impl Reader {
    pub(super) fn new(judge: Judge) -> Self {
        Self {
            judge,
            reads: Arc::default(),
        }
    }

    pub(super) fn count_in(&mut self, reads: Arc<AtomicU64>) {
        self.reads = reads;
    }

    pub(super) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

/// Reads and judges the version of a file that has this stamp. Opening never blocks.
pub(super) fn read(path: &Path, stamp: &Stamp, reader: &Reader) -> Opened {
    read_while(path, stamp, reader, || {})
}

/// The same, with what happens elsewhere once the bytes are read.
fn read_while(path: &Path, stamp: &Stamp, reader: &Reader, meanwhile: impl FnOnce()) -> Opened {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(error) => return not_opened(&error.into(), stamp),
    };
    let is_still = |file: &File| file.metadata().is_ok_and(|it| Stamp::of(&it) == *stamp);
    if !is_still(&file) {
        return Opened::Changing;
    }
    reader.reads.fetch_add(1, Ordering::Relaxed);
    let bytes = match first_bytes(&mut file) {
        Ok(bytes) => bytes,
        Err(error) => return unreadable(word(&error)),
    };
    meanwhile();
    if !is_still(&file) {
        return Opened::Changing;
    }
    let mut content = guarded(&bytes, || (reader.judge)(&bytes, stamp.size));
    if let Err(rejection) = &mut content
        && rejection.refusal.reason == Reason::PrivateKey
    {
        let help = take_away(path, stamp);
        rejection.refusal.help.push(help);
    }
    Opened::Read(content, content_id(&bytes))
}

/// How a private key is taken away. Where another name leads to it, something else lives by it: only this name goes.
fn take_away(path: &Path, stamp: &Stamp) -> String {
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_symlink());
    if is_link {
        "take the link away          rm FILE   (the key it leads to stays); or let `files` not match it".to_owned()
    } else if stamp.links > 1 {
        let others = stamp.links - 1;
        format!(
            "take this name away         rm FILE   (the key stays under its other names: {others}); or let `files` not match it"
        )
    } else {
        "if anything else uses the key, let `files` not match it; if not, remove it   shred -u FILE"
            .to_owned()
    }
}

/// The key of every [`ContentId`].
static CONTENT_KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// `SipHash` takes eight bytes at a time and keeps at most the last seven. SHA-256 would leave up to 63 bytes of the file in a buffer that
/// nobody wipes, and they may be of a private key.
fn content_id(bytes: &[u8]) -> ContentId {
    ContentId::new(CONTENT_KEY.hash_one(bytes))
}

/// At most one byte more than the limit, in a buffer that is wiped and never grows.
fn first_bytes(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; FILE_LIMIT + 1]);
    let mut filled = 0;
    while let Some(free) = bytes.get_mut(filled..).filter(|it| !it.is_empty()) {
        match file.read(free) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// One file must not stop the others: the only place where a panic is caught.
fn guarded(bytes: &[u8], judge: impl FnOnce() -> Content) -> Content {
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| {
        let digest = Fingerprint::from_bytes(Sha256::digest(bytes).into());
        let found = format!("the checker stopped on this file; please report its SHA-256 {digest}");
        Err(Rejection::for_good(Refusal::new(Reason::Internal, found)))
    })
}

fn not_opened(error: &io::Error, stamp: &Stamp) -> Opened {
    match error.kind() {
        io::ErrorKind::NotFound => Opened::Changing,
        io::ErrorKind::PermissionDenied => {
            let user = user_name(rustix::process::geteuid().as_raw());
            let (owner, group) = (user_name(stamp.uid), access::group_name(stamp.gid));
            let found = format!(
                "permission denied for user {user} (file {owner}:{group} {:04o})",
                stamp.mode
            );
            let refusal = Refusal::new(Reason::Unreadable, found);
            Opened::Refused(refusal.help(
                "chmod 644 FILE   (if it holds a certificate alone; take a private key away)",
            ))
        }
        _ => unreadable(word(error)),
    }
}

fn unreadable(found: String) -> Opened {
    Opened::Refused(Refusal::new(Reason::Unreadable, found))
}

/// A file that went away between two steps of one look.
pub(super) fn vanished() -> Refusal {
    Refusal::new(Reason::Unreadable, "no such file")
}

/// A file with its verdict.
pub(super) fn looked(
    path: PathBuf,
    stamp: &Stamp,
    owner: String,
    verdict: FileVerdict,
) -> LookedFile {
    LookedFile {
        path,
        owner,
        stamp: stamp.text(),
        changed: stamp.changed,
        content: None,
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_while_judging_refuses_that_file() {
        let content = guarded(b"abc", || panic!("a fault of ours"));
        let rejection = content.unwrap_err();
        assert_eq!(
            rejection.refusal.to_string(),
            "refused (internal): the checker stopped on this file; please report its SHA-256 \
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(!rejection.may_be_copying);
    }

    #[test]
    fn what_is_rewritten_while_it_is_read_is_not_judged() {
        static JUDGED: AtomicU64 = AtomicU64::new(0);
        let judge: Judge = |_, _| {
            JUDGED.fetch_add(1, Ordering::Relaxed);
            Err(Rejection::for_good(Refusal::new(Reason::Empty, "judged")))
        };
        let reader = Reader::new(judge);
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path();
        std::fs::write(path, "old").unwrap();
        // The clock of the file system may not tick between the two writes: the first is of long ago.
        file.as_file().set_modified(std::time::UNIX_EPOCH).unwrap();
        let stamp = Stamp::of(&std::fs::metadata(path).unwrap());
        let rewrite = || std::fs::write(path, "new").unwrap();
        let opened = read_while(path, &stamp, &reader, rewrite);
        assert!(matches!(opened, Opened::Changing));
        assert_eq!((reader.reads(), JUDGED.load(Ordering::Relaxed)), (1, 0));

        let stamp = Stamp::of(&std::fs::metadata(path).unwrap());
        assert_eq!(stamp.size, 3);
        let opened = read_while(path, &stamp, &reader, || {});
        assert!(matches!(opened, Opened::Read(..)));
        assert_eq!((reader.reads(), JUDGED.load(Ordering::Relaxed)), (2, 1));
    }
}
