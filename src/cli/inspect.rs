//! `inspect`: what the intake says of files, without configuration or network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Outcome, Screen};
use crate::adapter::certificate_directory::{
    DirectorySettings, InspectError, PathJudge, Trusted, inspect_directory, inspect_file,
    is_leaving,
};
use crate::adapter::clock::Clock;
use crate::config::{Environment, IntegrationSettings, default_files, default_warn, load};
use crate::domain::{Look, LookedFile, SourceError};
use crate::intake::{judge_file, signed_by};
use crate::plan::admission::{Admission, issuers};
use crate::plan::book::Book;
use crate::view::inspect_text::{Inspected, PermissionNote, inspect_text};
use crate::view::remarks::Warn;

/// Inspects files and directories. A path below a configured directory is judged as the daemon would.
pub(super) fn inspect(
    configuration: &Path,
    paths: &[PathBuf],
    strict: bool,
    screen: Screen,
) -> Outcome {
    let watched = load(configuration, &Environment::default());
    let watched: Vec<IntegrationSettings> = watched
        .map(|it| it.settings.integrations.into_values().collect())
        .unwrap_or_default();
    let mut look = Look::default();
    let mut failures = Vec::new();
    let mut permissions = BTreeMap::new();
    let mut warns = BTreeMap::new();
    let mut patterns = BTreeMap::new();
    for path in paths {
        let judged = look.files.len();
        let settings = settings_for(path, &watched, strict);
        if path.is_dir() {
            match inspect_directory(&settings, judge_file) {
                Ok(found) => {
                    look.files.extend(found.files);
                    look.ignored.extend(found.ignored);
                    look.surplus.extend(found.surplus);
                    patterns.insert(settings.directory.clone(), settings.files.clone());
                }
                Err(error) => failures.push(unreadable(path, error)),
            }
        } else {
            match Trusted::resolve(&settings.allowed_owners, &settings.allowed_groups) {
                Ok(trusted) => {
                    look.files.push(inspect_file(
                        path,
                        &trusted,
                        settings.strict_permissions,
                        judge_file,
                    ));
                }
                Err(error) => failures.push(SourceError::Unreadable {
                    path: crate::domain::text::printable_path(path),
                    why: error.to_string(),
                }),
            }
        }
        if let Some(warn) = configured_warn(path, &watched) {
            let new = look.files.iter().skip(judged);
            warns.extend(new.map(|it| (it.path.clone(), warn)));
        }
        if !settings.strict_permissions
            && let Ok(trusted) =
                Trusted::resolve(&settings.allowed_owners, &settings.allowed_groups)
        {
            permissions.extend(notes(&look.files, &trusted));
        }
    }
    let serving = watched
        .iter()
        .filter(|it| paths.iter().any(|path| serves(it, path)));
    let admissions: Vec<Admission> = serving
        .map(|it| Admission::of(&Book::default(), &it.policy))
        .collect();
    look.issuers = issuers(look.certificates(), signed_by);
    let look = Admission::any(admissions.iter()).apply(&look).into_owned();
    let is_left = |it: &&PathBuf| it.file_name().is_some_and(is_leaving);
    let leavings = look.ignored.first.iter().filter(is_left).cloned().collect();
    let inspected = Inspected {
        look,
        failures,
        permissions,
        patterns,
        leavings,
        warn: Warn {
            before: default_warn(),
            is_default: true,
        },
        warns,
        now: Clock::new().now().wall,
    };
    let rendered = inspect_text(&inspected, screen.out);
    Outcome {
        out: rendered.text,
        err: String::new(),
        exit: rendered.exit,
    }
}

fn settings_for(path: &Path, watched: &[IntegrationSettings], strict: bool) -> DirectorySettings {
    let configured = watched.iter().find(|it| serves(it, path));
    match configured {
        Some(it) => it.directory.clone(),
        None => DirectorySettings {
            directory: path.to_owned(),
            files: default_files(),
            strict_permissions: strict,
            allowed_owners: Vec::new(),
            allowed_groups: Vec::new(),
            quiet: Duration::ZERO,
        },
    }
}

/// Whether a path is the directory of this integration, or a file in it.
fn serves(integration: &IntegrationSettings, path: &Path) -> bool {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let directory = if path.is_dir() {
        Some(absolute.as_path())
    } else {
        absolute.parent()
    };
    Some(integration.directory.directory.as_path()) == directory
}

/// `expiry.warn` of the integrations that a path serves, else of all that there are: the one that warns first.
fn configured_warn(path: &Path, watched: &[IntegrationSettings]) -> Option<Warn> {
    let warn = |it: &IntegrationSettings| it.policy.expiry.warn;
    let own = watched.iter().filter(|it| serves(it, path)).map(warn).max();
    let before = own.or_else(|| watched.iter().map(warn).max())?;
    Some(Warn {
        before,
        is_default: false,
    })
}

fn unreadable(path: &Path, error: InspectError) -> SourceError {
    match error {
        InspectError::Source(error) => error,
        InspectError::Settings(error) => SourceError::Unreadable {
            path: crate::domain::text::printable_path(path),
            why: error.to_string(),
        },
    }
}

/// What a watched directory would say of each file's permissions.
fn notes(files: &[LookedFile], trusted: &Trusted) -> BTreeMap<PathBuf, PermissionNote> {
    let mut judge = PathJudge::new(trusted);
    let note = |file: &LookedFile| {
        let refusal = judge.judge(&file.path).err()?;
        let found = format!(
            "fine to look at; in a watched directory refused: {}",
            refusal.found
        );
        Some((
            file.path.clone(),
            PermissionNote {
                found,
                help: refusal.help,
            },
        ))
    };
    files.iter().filter_map(note).collect()
}
