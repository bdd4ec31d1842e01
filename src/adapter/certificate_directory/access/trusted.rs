//! Who may write what is judged.

use std::collections::BTreeSet;

use nix::unistd::{Group, User};
use thiserror::Error;

use crate::adapter::users::RunsAs;

/// Who may write what is judged: root, the daemon, and who is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trusted {
    pub(super) owners: BTreeSet<u32>,
    pub(super) groups: BTreeSet<u32>,
    /// Groups that may write as well, which is worth a remark.
    tolerated: BTreeSet<u32>,
    pub(super) subject: Subject,
}

/// What is judged: a certificate is data, and the configuration decides who is sent the API key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    Certificates,
    Configuration,
}

/// The variable of the unit whose users may write the configuration: a file cannot vouch for itself.
pub const CONFIG_OWNERS: &str = "SSO_CERTD_CONFIG_OWNERS";
/// The variable of the unit whose groups may write the configuration.
pub const CONFIG_GROUPS: &str = "SSO_CERTD_CONFIG_GROUPS";

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
            tolerated: BTreeSet::new(),
            subject: Subject::Certificates,
        };
        for name in owners {
            let uid = uid_of(name).ok_or_else(|| UnknownName::Owner(name.clone()))?;
            trusted.owners.insert(uid);
        }
        for name in groups {
            let gid = gid_of(name).ok_or_else(|| UnknownName::Group(name.clone()))?;
            trusted.groups.insert(gid);
        }
        Ok(trusted)
    }

    /// Who may write the configuration of a daemon that runs so: root, the daemon, and whom the unit names. Its groups,
    /// and root's, may as well, with a remark. A name that this machine does not know vouches for nobody.
    pub fn for_configuration(daemon: &RunsAs, owners: &[String], groups: &[String]) -> Self {
        let named = owners.iter().filter_map(|it| uid_of(it));
        Self {
            owners: [0, daemon.uid].into_iter().chain(named).collect(),
            groups: groups.iter().filter_map(|it| gid_of(it)).collect(),
            tolerated: daemon.groups.iter().copied().chain([0]).collect(),
            subject: Subject::Configuration,
        }
    }

    pub(super) fn group_may_write(&self, gid: u32) -> bool {
        self.groups.contains(&gid) || self.tolerated.contains(&gid)
    }
}

/// A user's number, by name or as it is; none if this machine does not know the name.
fn uid_of(name: &str) -> Option<u32> {
    let by_name = || User::from_name(name).ok().flatten();
    name.parse()
        .ok()
        .or_else(|| by_name().map(|user| user.uid.as_raw()))
}

/// A group's number, by name or as it is; none if this machine does not know the name.
fn gid_of(name: &str) -> Option<u32> {
    let by_name = || Group::from_name(name).ok().flatten();
    name.parse()
        .ok()
        .or_else(|| by_name().map(|group| group.gid.as_raw()))
}

#[cfg(test)]
impl Trusted {
    /// Trust in nobody else, not even in the user who runs the tests.
    pub(crate) fn only_root() -> Self {
        Self {
            owners: BTreeSet::from([0]),
            groups: BTreeSet::new(),
            tolerated: BTreeSet::new(),
            subject: Subject::Certificates,
        }
    }
}
