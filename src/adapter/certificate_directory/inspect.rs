//! Looking once, by hand: nothing waits, and permissions refuse nothing unless they are to count.

use std::ffi::OsString;
use std::path::Path;

use thiserror::Error;

use super::access::{PathJudge, Trusted};
use super::file::{self, NoStamp, Opened, Reader};
use super::names::{self, Patterns};
use super::{DirectorySettings, DirectorySettingsError};
use crate::domain::{FileVerdict, Judge, Look, LookedFile, Reason, Refusal, SourceError};

/// Why a directory cannot be inspected.
#[derive(Debug, Error)]
pub enum InspectError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] DirectorySettingsError),
    /// It cannot be listed.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Judges one file at once. With `strict`, unsafe permissions refuse it; else they are for [`PathJudge`] to say.
pub fn inspect_file(
    path: &Path,
    trusted: &Trusted,
    strict: bool,
    judge_content: Judge,
) -> LookedFile {
    let mut judge = PathJudge::new(trusted);
    let stamp = match file::stamp(path) {
        Ok(stamp) => stamp,
        Err(NoStamp::Refused(stamp, refusal)) => {
            let owner = judge.owner_text(&stamp);
            return file::looked(
                path.to_owned(),
                &stamp,
                owner,
                FileVerdict::refused(refusal),
            );
        }
        Err(NoStamp::Unknown(refusal)) => return file::unseen(path.to_owned(), refusal),
        Err(NoStamp::Gone) => return file::unseen(path.to_owned(), file::vanished()),
    };
    let verdict = content(path, &stamp, judge_content);
    let verdict = if strict {
        super::strictest(verdict, judge.judge(path))
    } else {
        verdict
    };
    file::looked(path.to_owned(), &stamp, judge.owner_text(&stamp), verdict)
}

/// Judges every file of a directory whose name counts, as [`inspect_file`] does; `strict_permissions` decides.
///
/// # Errors
/// Settings that cannot be used, or a directory that cannot be listed.
pub fn inspect_directory(
    settings: &DirectorySettings,
    judge_content: Judge,
) -> Result<Look, InspectError> {
    let patterns = Patterns::new(&settings.files).map_err(DirectorySettingsError::from)?;
    let trusted = Trusted::resolve(&settings.allowed_owners, &settings.allowed_groups)
        .map_err(DirectorySettingsError::from)?;
    let directory = &settings.directory;
    let listing = names::list(directory, &patterns)?;
    let inspected = |name: &OsString| {
        let strict = settings.strict_permissions;
        inspect_file(&directory.join(name), &trusted, strict, judge_content)
    };
    Ok(Look {
        files: listing.counted.iter().map(inspected).collect(),
        ignored: listing.ignored,
        surplus: listing.surplus,
        ..Look::default()
    })
}

fn content(path: &Path, stamp: &file::Stamp, judge: Judge) -> FileVerdict {
    if let Some(refusal) = stamp.refusal() {
        return FileVerdict::refused(refusal);
    }
    match file::read(path, stamp, &Reader::new(judge)) {
        Opened::Read(Ok(accepted), _) => accepted.into(),
        Opened::Read(Err(rejection), _) => rejection.into(),
        Opened::Changing => {
            FileVerdict::refused(Refusal::new(Reason::Unreadable, "it is being written"))
        }
        Opened::Refused(refusal) => FileVerdict::refused(refusal),
    }
}
