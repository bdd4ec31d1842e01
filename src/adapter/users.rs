//! The user database, and as whom a process runs.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, getgrouplist};

/// A user as the system calls it; its number if it has no name.
pub fn user_name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |it| it.name)
}

/// A user and the groups that a process of theirs is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunsAs {
    /// The user.
    pub uid: u32,
    /// The groups.
    pub groups: BTreeSet<u32>,
}

impl RunsAs {
    /// As this process does.
    pub fn this_process() -> Self {
        let supplementary = rustix::process::getgroups().unwrap_or_default();
        let own = rustix::process::getegid();
        let groups = supplementary.into_iter().chain([own]);
        Self {
            uid: rustix::process::geteuid().as_raw(),
            groups: groups.map(rustix::process::Gid::as_raw).collect(),
        }
    }

    /// As the daemon does whose state directory this is: as its owner. As this process if there is none yet, or if it is
    /// root's, as a mounted volume is that its daemon may write as a group.
    pub fn owner_of(state_directory: &Path) -> Self {
        let this = Self::this_process();
        match std::fs::metadata(state_directory) {
            Ok(found) if found.uid() != 0 && found.uid() != this.uid => Self {
                uid: found.uid(),
                groups: groups_of(found.uid(), found.gid()),
            },
            _ => this,
        }
    }
}

/// The groups that a service manager would put a user in.
fn groups_of(uid: u32, own: u32) -> BTreeSet<u32> {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let name = user.and_then(|it| CString::new(it.name).ok());
    let listed = name.and_then(|it| getgrouplist(&it, Gid::from_raw(own)).ok());
    let listed = listed.unwrap_or_default().into_iter().map(Gid::as_raw);
    listed.chain([own]).collect()
}
