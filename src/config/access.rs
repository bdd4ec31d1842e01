//! Who may write the configuration: whoever can change `base_url` or `ca_file` is sent the API key.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::conf_d;
use super::problem::Problem;
use super::settings::Settings;
use crate::adapter::certificate_directory::{
    CONFIG_GROUPS, CONFIG_OWNERS, GroupRemark, PathJudge, Trusted, group_name, quoted,
};
use crate::adapter::ledger::Ledger;
use crate::adapter::users::RunsAs;
use crate::domain::Reason;
use crate::domain::text::printable_path;

/// Whom the unit lets write the configuration, beside root and the daemon.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Writers {
    /// User names or numbers.
    pub owners: Vec<String>,
    /// Group names or numbers.
    pub groups: Vec<String>,
}

/// What is said of who may write the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Access {
    /// What somebody else may change: the key may not be used with it.
    pub problems: Vec<Problem>,
    /// What a group may change that is not somebody else's.
    pub remarks: Vec<Problem>,
}

const KEY: &str = "whoever writes the configuration is sent the API key";
const ROOTS: &str = "whoever writes `ca_file` can read the API key on its way";
const LEDGER: &str = "whoever writes the ledger decides what is uploaded and deleted";

/// Judges everything that decides where the API key goes, and everything above it, for a daemon that runs so.
pub fn access(settings: &Settings, daemon: &RunsAs) -> Access {
    let Writers { owners, groups } = &settings.writers;
    let trusted = Trusted::for_configuration(daemon, owners, groups);
    let mut judge = PathJudge::new(&trusted);
    let mut problems: Vec<Problem> = Vec::new();
    let mut told = BTreeSet::new();
    for (path, stake) in judged(settings) {
        // What cannot be reached is not used either; who reads it says why.
        let Err(refusal) = judge.judge(&path) else {
            continue;
        };
        if refusal.reason == Reason::UnsafePermissions && told.insert(refusal.found.clone()) {
            let problem = Problem::new(format!("{}: {stake}", refusal.found));
            problems.push(problem.help(refusal.help.join("\n")));
        }
    }
    Access {
        problems,
        remarks: remarks(judge.remarks()),
    }
}

/// What is judged, and what is at stake.
fn judged(settings: &Settings) -> Vec<(PathBuf, &'static str)> {
    let files = settings.files_read.iter();
    let beside = settings.files_read.first().map(|main| conf_d(main));
    let roots = settings.accounts.values();
    let roots = roots.filter_map(|account| account.client.ca_file.as_ref());
    let state = &settings.state_directory;
    let ledger = Ledger::files(state).into_iter().filter(|it| it.exists());
    files
        .cloned()
        .chain(beside.filter(|it| it.exists()))
        .map(|path| (path, KEY))
        .chain(roots.map(|path| (path.clone(), ROOTS)))
        .chain([(first_existing(state), LEDGER)])
        .chain(ledger.map(|path| (path, LEDGER)))
        .collect()
}

/// The path itself, or what it will be made in.
fn first_existing(path: &Path) -> PathBuf {
    let mut above = path.ancestors();
    let found = above.find(|it| it.symlink_metadata().is_ok());
    found.unwrap_or(path).to_owned()
}

/// One remark a group: a volume has many files.
fn remarks(all: &[GroupRemark]) -> Vec<Problem> {
    let mut remarks = Vec::new();
    let mut told = BTreeSet::new();
    for first in all {
        if !told.insert(first.gid) {
            continue;
        }
        let more = all.iter().filter(|it| it.gid == first.gid).count() - 1;
        let more = if more == 0 {
            String::new()
        } else {
            format!(", and {more} more")
        };
        let (path, mode) = (printable_path(&first.path), first.mode);
        let group = group_name(first.gid);
        let text = format!("{path} is writable by group {group} ({mode:04o}){more}");
        let help = format!(
            "everybody in {group} can have the API key sent elsewhere; if that is not meant: chmod g-w {}",
            quoted(&first.path)
        );
        remarks.push(Problem::new(text).help(help));
    }
    remarks
}

/// Names in a variable of the unit, separated by commas or blanks.
pub(super) fn names(value: &str) -> Vec<String> {
    let names = value.split(|it: char| it == ',' || it.is_whitespace());
    names
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The variables that [`Writers`] come from.
pub(super) const VARIABLES: [&str; 2] = [CONFIG_OWNERS, CONFIG_GROUPS];
