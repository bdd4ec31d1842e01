//! The configuration: TOML files and variables become the settings that the daemon runs on.
//!
//! ```text
//! main file, conf.d/*.toml, variables ──▶ each checked alone ──▶ merged ──▶ checked together ──▶ Settings
//! ```
//!
//! Each file is checked against the table of keys, which tells file, line, key and what is allowed, and lists all
//! that is wrong, not only the first. Then the `config` crate merges the layers, later beats earlier, key by key.
//! serde reads the result. No message quotes a value or a line of a file, and none comes from a library: a file of
//! the configuration is where an API key is pasted by mistake.

mod access;
mod agreement;
mod bounds;
mod check;
mod environment;
mod files;
mod keys;
mod kind;
mod layer;
mod merge;
mod problem;
mod raw;
mod reference;
mod settings;
mod table;
mod value;
mod variables;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::ValueKind;
use layer::Layer;

pub use access::{Access, Writers, access};
pub use environment::Environment;
pub use keys::{default_files, default_warn, nearest};
pub use merge::Printed;
pub use problem::{Problem, Problems};
pub use reference::{key_table, reference};
pub use settings::{AccountSettings, IntegrationSettings, ScheduleSettings, Settings};

use crate::domain::Timestamp;
use crate::plan::policy::Require;

/// From here on a hold-down eats up the time that AD FS leaves.
const LONG_HOLD_DOWN: Duration = Duration::from_secs(72 * 3600);

/// A configuration that can be run.
#[derive(Debug)]
pub struct Loaded {
    /// What the daemon runs on.
    pub settings: Settings,
    /// What works and is probably not meant.
    pub warnings: Vec<Problem>,
    /// Every key with its effective value and where that came from, in the order of the shipped file.
    pub printed: Vec<Printed>,
}

/// Reads the file at `path`, every `conf.d/*.toml` beside it in the order of their names, and the variables.
///
/// # Errors
/// Everything that is wrong, in the order in which it was read.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Problems> {
    let Read {
        files,
        layers,
        mut problems,
        is_whole,
    } = read(path, environment);
    if !is_whole {
        // What a file that cannot be read defines would be called unknown.
        return Err(Problems(problems));
    }
    let merged = merge::merge(&layers).map_err(one)?;
    problems.extend(agreement::problems(&layers, &merged, &problems));
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let printed = merged.printed();
    let raw = raw::read(merged.root).map_err(one)?;
    let mut remarks = bounds::remarks(raw.accounts_in_use(), &raw.delivery);
    let settings = settings::settings(raw, files, environment).map_err(one)?;
    remarks.splice(0..0, warnings(&settings, environment));
    Ok(Loaded {
        warnings: remarks,
        settings,
        printed,
    })
}

/// Where a daemon with this configuration keeps its control socket, as far as the files can be read: who found them wrong
/// can still tell it so.
pub fn state_directory(path: &Path, environment: &Environment) -> Option<PathBuf> {
    let merged = merge::merge(&read(path, environment).layers).ok()?;
    match &merged.at("state_directory")?.kind {
        ValueKind::String(directory) => Some(PathBuf::from(directory)),
        _ => None,
    }
}

/// The sources of a configuration, each checked alone.
struct Read {
    files: Vec<PathBuf>,
    /// The weakest first.
    layers: Vec<Layer>,
    problems: Vec<Problem>,
    /// Whether every file could be read.
    is_whole: bool,
}

fn read(path: &Path, environment: &Environment) -> Read {
    let (sources, mut problems) = files::read(path);
    let mut is_whole = problems.is_empty();
    let (state_directory, wrong) = variables::state_directory(environment);
    problems.extend(wrong);
    let mut layers = vec![state_directory];
    for source in &sources {
        match check::file(&source.path, &source.text) {
            Ok((layer, wrong)) => {
                layers.push(layer);
                problems.extend(wrong);
            }
            Err(problem) => {
                is_whole = false;
                problems.push(problem);
            }
        }
    }
    let (variables, wrong) = variables::read(environment);
    layers.push(variables);
    problems.extend(wrong);
    Read {
        files: sources.into_iter().map(|it| it.path).collect(),
        layers,
        problems,
        is_whole,
    }
}

fn one(problem: Problem) -> Problems {
    Problems(vec![problem])
}

fn warnings(settings: &Settings, environment: &Environment) -> Vec<Problem> {
    let mut warnings = environment.warnings(|key| {
        settings.accounts.values().any(|it| match key {
            "proxy" => it.client.proxy.is_some(),
            _ => it.client.ca_file.is_some(),
        })
    });
    if settings.integrations.is_empty() {
        let help = "sso-certd integrations lists yours, and prints the lines to paste".to_owned();
        warnings.push(Problem::new("no integration is configured").help(help));
    }
    for (name, it) in &settings.integrations {
        let trust = &it.policy.trust;
        if trust.require == Require::HoldDown && trust.hold_down > LONG_HOLD_DOWN {
            let text = format!("`integrations.{name}.trust.hold_down` is longer than 72 h");
            let help = "AD FS signs with a new key five days after it appears: a hold-down must leave room for a repair";
            warnings.push(Problem::new(text).help(help.to_owned()));
        }
    }
    if !settings.watch.events && settings.watch.poll.is_none() {
        let text = "`watch.events` is false and `watch.poll` is \"0s\": a new file is found by `schedule.reconcile` alone";
        let help = "watch.poll = \"60s\"";
        warnings.push(Problem::new(text).help(help.to_owned()));
    }
    // Any minute shows it; this one is far from the calendar's ends.
    let times = settings
        .schedule
        .reconcile
        .next_three(Timestamp::from_secs(1_800_000_000));
    if times
        .windows(2)
        .any(|it| matches!(it, [a, b] if b.since(*a).as_secs() < 60))
    {
        let help =
            "six fields begin with the second: \"0 */15 * * * *\" is every quarter of an hour"
                .to_owned();
        warnings
            .push(Problem::new("`schedule.reconcile` comes more than once a minute").help(help));
    }
    warnings
}
