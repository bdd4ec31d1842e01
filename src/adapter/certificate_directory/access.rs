//! Who could change a file: the owner, mode and ACL of everything its path goes through.

mod acl;
mod trusted;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use nix::unistd::{Gid, Group};

use self::acl::{Acl, Writer};
use self::trusted::Subject;
pub use self::trusted::{CONFIG_GROUPS, CONFIG_OWNERS, Trusted, UnknownName};
use super::file::{Stamp, word};
use crate::adapter::users::user_name;
use crate::domain::text::printable_path;
use crate::domain::{Reason, Refusal};

/// Links on one path before it is a loop; the kernel's own limit.
const LINKS_LIMIT: usize = 40;

const STICKY: u32 = 0o1000;
const GROUP_WRITE: u32 = 0o020;
const OTHER_WRITE: u32 = 0o002;
/// Whoever may not search a directory reaches nothing below it, whatever its mode says of reading. Where an ACL names
/// others, the group's bits are its mask: the most that any of them may.
const OTHERS_SEARCH: u32 = 0o011;

/// Judges paths during one look: what many of them share is looked at once.
#[derive(Debug)]
pub struct PathJudge {
    trusted: Trusted,
    steps: HashMap<PathBuf, Step>,
    owners: HashMap<u32, String>,
    /// Directories that only trusted owners may enter: below them nobody else changes anything.
    private: HashSet<PathBuf>,
    remarks: Vec<GroupRemark>,
}

/// What a group may write that is tolerated: fit for use, and worth knowing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupRemark {
    /// What.
    pub path: PathBuf,
    /// Its mode, without the kind.
    pub mode: u32,
    /// The group.
    pub gid: u32,
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
            private: HashSet::new(),
            remarks: Vec::new(),
        }
    }

    /// What was tolerated so far, in the order in which it was met.
    pub fn remarks(&self) -> &[GroupRemark] {
        &self.remarks
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

    fn look_at(&mut self, path: &Path) -> Step {
        let metadata = match std::fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return Step::Unreachable(unreachable(path, &error)),
        };
        let is_sheltered = self.is_sheltered(path);
        if metadata.is_symlink() {
            let verdict = if is_sheltered {
                Ok(())
            } else {
                self.owner_is_trusted(path, metadata.uid(), None)
            };
            return match std::fs::read_link(path) {
                Ok(target) => Step::Link(target, verdict),
                Err(error) => Step::Unreachable(unreachable(path, &error)),
            };
        }
        let stamp = Stamp::of(&metadata);
        let verdict = if is_sheltered {
            Ok(())
        } else {
            self.judge_step(path, &stamp)
        };
        Step::Other(stamp, verdict)
    }

    /// Whether a directory above lets only trusted owners in. Every one of them was judged before.
    fn is_sheltered(&self, path: &Path) -> bool {
        let mut above = path.ancestors().skip(1);
        above.any(|directory| self.private.contains(directory))
    }

    fn judge_step(&mut self, path: &Path, stamp: &Stamp) -> Result<(), Refusal> {
        // In such a directory everybody may create files, and only their owners may replace them.
        let is_shared_safely = stamp.is_directory() && stamp.mode & STICKY != 0 && stamp.uid == 0;
        if is_shared_safely {
            return Ok(());
        }
        self.owner_is_trusted(path, stamp.uid, Some(stamp.mode))?;
        let writers = Acl::of(path).map(|acl| acl.writers);
        match &writers {
            Some(writers) => self.acl_is_safe(path, stamp, writers)?,
            None => self.mode_is_safe(path, stamp)?,
        }
        if self.trusted.subject == Subject::Configuration {
            self.note_shelter(path, stamp);
            self.note_groups(path, stamp, writers.as_deref());
        }
        Ok(())
    }

    fn note_shelter(&mut self, path: &Path, stamp: &Stamp) {
        if stamp.is_directory() && stamp.mode & OTHERS_SEARCH == 0 {
            self.private.insert(path.to_owned());
        }
    }

    fn note_groups(&mut self, path: &Path, stamp: &Stamp, writers: Option<&[Writer]>) {
        let by_mode = [Writer::OwningGroup];
        let by_mode = if stamp.mode & GROUP_WRITE == 0 {
            &[]
        } else {
            by_mode.as_slice()
        };
        for writer in writers.unwrap_or(by_mode) {
            let gid = match writer {
                Writer::OwningGroup => stamp.gid,
                Writer::Group(gid) => *gid,
                Writer::User(_) | Writer::Everyone | Writer::Unknown => continue,
            };
            if !self.trusted.groups.contains(&gid) {
                self.remarks.push(GroupRemark {
                    path: path.to_owned(),
                    mode: stamp.mode,
                    gid,
                });
            }
        }
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
        let allow = match self.trusted.subject {
            Subject::Certificates => {
                format!("allowed_owners = [\"{name}\"] in [integrations.NAME]")
            }
            Subject::Configuration => format!("{CONFIG_OWNERS}={name} in the unit's environment"),
        };
        Err(unsafe_permissions(found).help(format!("{chown} {}, or {allow}", quoted(path))))
    }

    fn mode_is_safe(&self, path: &Path, stamp: &Stamp) -> Result<(), Refusal> {
        let shown = printable_path(path);
        let is_groups = stamp.mode & GROUP_WRITE != 0 && !self.trusted.group_may_write(stamp.gid);
        if stamp.mode & OTHER_WRITE != 0 {
            let found = format!("{shown} is writable by everyone ({:04o})", stamp.mode);
            let whose = if is_groups { "go-w" } else { "o-w" };
            let refusal = unsafe_permissions(found).help(format!("chmod {whose} {}", quoted(path)));
            return Err(if is_kubernetes_volume(path) {
                refusal.help("in Kubernetes: a projected volume instead of a ConfigMap's own")
            } else {
                refusal
            });
        }
        if is_groups {
            let group = group_name(stamp.gid);
            let found = format!("{shown} is writable by group {group} ({:04o})", stamp.mode);
            let allow = match self.trusted.subject {
                Subject::Certificates => {
                    format!("allowed_groups = [\"{group}\"] in [integrations.NAME]")
                }
                Subject::Configuration => {
                    format!("{CONFIG_GROUPS}={group} in the unit's environment")
                }
            };
            let help = format!("chmod g-w {}, or {allow}", quoted(path));
            return Err(unsafe_permissions(found).help(help));
        }
        Ok(())
    }

    fn acl_is_safe(&self, path: &Path, stamp: &Stamp, writers: &[Writer]) -> Result<(), Refusal> {
        let is_safe = writers.iter().all(|writer| match writer {
            Writer::User(uid) => self.trusted.owners.contains(uid),
            Writer::Group(gid) => self.trusted.group_may_write(*gid),
            Writer::OwningGroup => self.trusted.group_may_write(stamp.gid),
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

/// Whether the kubelet fills this directory. A `ConfigMap`'s is 0777 without the sticky bit, and its mode cannot be set.
fn is_kubernetes_volume(path: &Path) -> bool {
    path.join("..data").is_symlink()
}

/// The name of a group, or the number.
pub fn group_name(gid: u32) -> String {
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
pub fn quoted(path: &Path) -> String {
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

    #[test]
    fn a_path_is_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted(Path::new("/srv/idp-1/a.pem")), "/srv/idp-1/a.pem");
        assert_eq!(
            quoted(Path::new("/srv/it's a.pem")),
            "'/srv/it'\\''s a.pem'"
        );
    }
}
