//! Who could change a file: the owner, mode and ACL of everything its path goes through.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use nix::unistd::{Gid, Group, User};
use thiserror::Error;

use super::file::{Stamp, word};
use crate::adapter::users::user_name;
use crate::domain::text::printable_path;
use crate::domain::{Reason, Refusal};

/// Links on one path before it is a loop; the kernel's own limit.
const LINKS_LIMIT: usize = 40;

const STICKY: u32 = 0o1000;
const GROUP_WRITE: u32 = 0o020;
const OTHER_WRITE: u32 = 0o002;

/// Who may write certificate files: root, the daemon, and who the configuration names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trusted {
    owners: BTreeSet<u32>,
    groups: BTreeSet<u32>,
}

/// A name in the configuration that this machine does not know.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum UnknownName {
    /// A user.
    #[error("`allowed_owners` names the user `{0}`, which is not known here")]
    Owner(String),
    /// A group.
    #[error("`allowed_groups` names the group `{0}`, which is not known here")]
    Group(String),
}

impl Trusted {
    /// Looks names up; numbers are taken as they are.
    ///
    /// # Errors
    /// A name that is not known, or that could not be looked up.
    pub fn resolve(owners: &[String], groups: &[String]) -> Result<Self, UnknownName> {
        let mut trusted = Self {
            owners: BTreeSet::from([0, rustix::process::geteuid().as_raw()]),
            groups: BTreeSet::new(),
        };
        for name in owners {
            let by_name = || {
                User::from_name(name)
                    .ok()
                    .flatten()
                    .map(|it| it.uid.as_raw())
            };
            let id = name.parse().ok().or_else(by_name);
            trusted
                .owners
                .insert(id.ok_or_else(|| UnknownName::Owner(name.clone()))?);
        }
        for name in groups {
            let by_name = || {
                Group::from_name(name)
                    .ok()
                    .flatten()
                    .map(|it| it.gid.as_raw())
            };
            let id = name.parse().ok().or_else(by_name);
            trusted
                .groups
                .insert(id.ok_or_else(|| UnknownName::Group(name.clone()))?);
        }
        Ok(trusted)
    }
}

/// Judges paths during one look: what many of them share is looked at once.
#[derive(Debug)]
pub struct PathJudge {
    trusted: Trusted,
    steps: HashMap<PathBuf, Step>,
    owners: HashMap<u32, String>,
}

/// What stands at a path whose directories are resolved.
#[derive(Clone, Debug)]
enum Step {
    Link(PathBuf, Result<(), Refusal>),
    Other(Stamp, Result<(), Refusal>),
    Unreachable(Refusal),
}

impl PathJudge {
    /// A judge that has seen nothing yet.
    pub fn new(trusted: &Trusted) -> Self {
        Self {
            trusted: trusted.clone(),
            steps: HashMap::new(),
            owners: HashMap::new(),
        }
    }

    /// Judges a file or directory and everything above it; links are followed and judged where they lead.
    ///
    /// # Errors
    /// `unsafe_permissions` for the first step that somebody else could change, naming it, its mode and what helps;
    /// `unreadable` if the path leads nowhere.
    pub fn judge(&mut self, path: &Path) -> Result<(), Refusal> {
        self.walk(path).map(|_| ())
    }

    /// `user 0644`.
    pub(super) fn owner_text(&mut self, stamp: &Stamp) -> String {
        let name = self
            .owners
            .entry(stamp.uid)
            .or_insert_with(|| user_name(stamp.uid));
        format!("{name} {:04o}", stamp.mode)
    }

    /// Goes along a path step by step, as the kernel does, and judges each; what it leads to.
    pub(super) fn walk(&mut self, path: &Path) -> Result<Stamp, Refusal> {
        let path = std::path::absolute(path).map_err(|error| unreachable(path, &error))?;
        let mut ahead: Vec<OsString> = steps_of(&path);
        let mut here = PathBuf::from("/");
        let mut end = self.judged_other(&here)?;
        let mut links = 0;
        while let Some(step) = ahead.pop() {
            if step == ".." {
                here.pop();
                end = self.judged_other(&here)?;
                continue;
            }
            let next = here.join(&step);
            match self.step(&next) {
                Step::Link(target, verdict) => {
                    verdict?;
                    links += 1;
                    if links > LINKS_LIMIT {
                        return Err(Refusal::new(
                            Reason::Unreadable,
                            "its symbolic links lead in a circle",
                        ));
                    }
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    ahead.extend(steps_of(&target));
                }
                Step::Other(stamp, verdict) => {
                    verdict?;
                    here = next;
                    end = stamp;
                }
                Step::Unreachable(refusal) => return Err(refusal),
            }
        }
        Ok(end)
    }

    fn judged_other(&mut self, path: &Path) -> Result<Stamp, Refusal> {
        match self.step(path) {
            Step::Other(stamp, verdict) => verdict.map(|()| stamp),
            Step::Link(_, _) => Err(Refusal::new(
                Reason::Unreadable,
                "it was replaced during the look",
            )),
            Step::Unreachable(refusal) => Err(refusal),
        }
    }

    fn step(&mut self, path: &Path) -> Step {
        if let Some(step) = self.steps.get(path) {
            return step.clone();
        }
        let step = self.look_at(path);
        self.steps.insert(path.to_owned(), step.clone());
        step
    }

    fn look_at(&self, path: &Path) -> Step {
        let metadata = match std::fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return Step::Unreachable(unreachable(path, &error)),
        };
        if metadata.is_symlink() {
            return match std::fs::read_link(path) {
                Ok(target) => Step::Link(target, self.owner_is_trusted(path, metadata.uid(), None)),
                Err(error) => Step::Unreachable(unreachable(path, &error)),
            };
        }
        let stamp = Stamp::of(&metadata);
        let verdict = self.judge_step(path, &stamp);
        Step::Other(stamp, verdict)
    }

    fn judge_step(&self, path: &Path, stamp: &Stamp) -> Result<(), Refusal> {
        // In such a directory everybody may create files, and only their owners may replace them.
        let is_shared_safely = stamp.is_directory() && stamp.mode & STICKY != 0 && stamp.uid == 0;
        if is_shared_safely {
            return Ok(());
        }
        self.owner_is_trusted(path, stamp.uid, Some(stamp.mode))?;
        if let Some(acl) = Acl::of(path) {
            return self.acl_is_safe(path, stamp, &acl);
        }
        self.mode_is_safe(path, stamp)
    }

    /// `mode` is none for a symbolic link, which has none.
    fn owner_is_trusted(&self, path: &Path, uid: u32, mode: Option<u32>) -> Result<(), Refusal> {
        if self.trusted.owners.contains(&uid) {
            return Ok(());
        }
        let (name, shown) = (user_name(uid), printable_path(path));
        let (mode, chown) = match mode {
            Some(mode) => (format!("{mode:04o}"), "chown root"),
            None => ("a symbolic link".to_owned(), "chown -h root"),
        };
        let found = format!("owner {name} (uid {uid}) may change {shown} ({mode})");
        Err(unsafe_permissions(found).help(format!(
            "{chown} {}, or allowed_owners = [\"{name}\"] in [integrations.NAME]",
            quoted(path)
        )))
    }

    fn mode_is_safe(&self, path: &Path, stamp: &Stamp) -> Result<(), Refusal> {
        let shown = printable_path(path);
        if stamp.mode & OTHER_WRITE != 0 {
            let found = format!("{shown} is writable by everyone ({:04o})", stamp.mode);
            return Err(unsafe_permissions(found).help(format!("chmod o-w {}", quoted(path))));
        }
        if stamp.mode & GROUP_WRITE != 0 && !self.trusted.groups.contains(&stamp.gid) {
            let group = group_name(stamp.gid);
            let found = format!("{shown} is writable by group {group} ({:04o})", stamp.mode);
            return Err(unsafe_permissions(found).help(format!(
                "chmod g-w {}, or allowed_groups = [\"{group}\"] in [integrations.NAME]",
                quoted(path)
            )));
        }
        Ok(())
    }

    fn acl_is_safe(&self, path: &Path, stamp: &Stamp, acl: &Acl) -> Result<(), Refusal> {
        let is_safe = acl.writers.iter().all(|it| match it {
            Writer::User(uid) => self.trusted.owners.contains(uid),
            Writer::Group(gid) => self.trusted.groups.contains(gid),
            Writer::OwningGroup => self.trusted.groups.contains(&stamp.gid),
            Writer::Everyone | Writer::Unknown => false,
        });
        if is_safe {
            return Ok(());
        }
        let path_text = quoted(path);
        let found = format!(
            "an ACL gives write access to {} ({:04o}; getfacl {path_text})",
            printable_path(path),
            stamp.mode
        );
        Err(unsafe_permissions(found).help(format!("setfacl -b {path_text}")))
    }
}

/// The entries of a POSIX ACL that give write access, the owner's aside (`acl_access` in `linux/posix_acl_xattr.h`).
struct Acl {
    writers: Vec<Writer>,
}

enum Writer {
    User(u32),
    Group(u32),
    OwningGroup,
    Everyone,
    Unknown,
}

impl Acl {
    /// The ACL of a path; none if it has only a mode.
    fn of(path: &Path) -> Option<Self> {
        // A longer one is judged by the mode, whose group bits then are the mask: the most that any entry gives.
        let mut bytes = vec![0; 4096];
        let length = rustix::fs::lgetxattr(path, "system.posix_acl_access", &mut bytes).ok()?;
        bytes.get(..length).map(Self::parse)
    }

    fn parse(bytes: &[u8]) -> Self {
        const WRITE: u16 = 2;
        const MASK: u16 = 0x10;
        let entries: Vec<(u16, u16, u32)> = bytes
            .get(4..)
            .unwrap_or_default()
            .chunks(8)
            .map(entry)
            .collect();
        // The mask limits every entry but the owner's and everyone's.
        let masked = entries
            .iter()
            .any(|(tag, allowed, _)| *tag == MASK && allowed & WRITE == 0);
        let writers = entries
            .into_iter()
            .filter(|(_, allowed, _)| allowed & WRITE != 0)
            .filter_map(|(tag, _, id)| match tag {
                0x01 | MASK => None,
                0x02 => (!masked).then_some(Writer::User(id)),
                0x04 => (!masked).then_some(Writer::OwningGroup),
                0x08 => (!masked).then_some(Writer::Group(id)),
                0x20 => Some(Writer::Everyone),
                _ => Some(Writer::Unknown),
            })
            .collect();
        Self { writers }
    }
}

/// Tag, permissions and id; a cut entry is an unknown one that may write.
fn entry(bytes: &[u8]) -> (u16, u16, u32) {
    match bytes {
        [t0, t1, p0, p1, i0, i1, i2, i3] => (
            u16::from_le_bytes([*t0, *t1]),
            u16::from_le_bytes([*p0, *p1]),
            u32::from_le_bytes([*i0, *i1, *i2, *i3]),
        ),
        _ => (u16::MAX, u16::MAX, u32::MAX),
    }
}

/// The name of a group, or the number.
pub(super) fn group_name(gid: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    group.map_or_else(|| gid.to_string(), |it| it.name)
}

/// The steps of a path, the last one first.
fn steps_of(path: &Path) -> Vec<OsString> {
    let mut steps: Vec<OsString> = path
        .components()
        .filter_map(|it| match it {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect();
    steps.reverse();
    steps
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = printable_path(path);
    let is_plain = text
        .bytes()
        .all(|it| it.is_ascii_alphanumeric() || b"/._-+:@".contains(&it));
    if is_plain {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn unreachable(path: &Path, error: &std::io::Error) -> Refusal {
    Refusal::new(
        Reason::Unreadable,
        format!("{}: {}", printable_path(path), word(error)),
    )
}

fn unsafe_permissions(found: String) -> Refusal {
    Refusal::new(Reason::UnsafePermissions, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Trusted {
        /// Trust in nobody else, not even in the user who runs the tests.
        pub(crate) fn only_root() -> Self {
            Self {
                owners: BTreeSet::from([0]),
                groups: BTreeSet::new(),
            }
        }
    }

    fn writers(entries: &[(u16, u16)]) -> usize {
        let mut bytes = vec![2, 0, 0, 0];
        for (tag, allowed) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(allowed.to_le_bytes());
            bytes.extend(1000_u32.to_le_bytes());
        }
        Acl::parse(&bytes).writers.len()
    }

    #[test]
    fn the_mask_limits_named_users_and_groups() {
        let (owner, user, owning_group, group, mask, everyone) = (1, 2, 4, 8, 0x10, 0x20);
        assert_eq!(writers(&[(owner, 7), (owning_group, 5), (everyone, 5)]), 0);
        assert_eq!(writers(&[(user, 6)]), 1);
        assert_eq!(
            writers(&[(user, 6), (group, 2), (owning_group, 2), (mask, 7)]),
            3
        );
        assert_eq!(
            writers(&[(user, 6), (group, 2), (owning_group, 2), (mask, 5)]),
            0
        );
        assert_eq!(writers(&[(everyone, 2), (mask, 0)]), 1);
        assert_eq!(
            Acl::parse(&[2, 0, 0, 0, 1]).writers.len(),
            1,
            "cut: nobody knows"
        );
    }

    #[test]
    fn a_path_is_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted(Path::new("/srv/idp-1/a.pem")), "/srv/idp-1/a.pem");
        assert_eq!(
            quoted(Path::new("/srv/it's a.pem")),
            "'/srv/it'\\''s a.pem'"
        );
    }
}
