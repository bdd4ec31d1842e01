//! What a look at the source teaches the book.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::domain::text::printable_path;
use crate::domain::{Credit, FileVerdict, Fingerprint, Look, Moment};
use crate::plan::book::{Book, InSource, Standing};
use crate::plan::entry::{Entry, What};

/// Notes what a look saw: what appeared, and, if the source is healthy, what is gone from it. A look that failed, or that
/// cannot tell, takes nothing back and adds nothing to what is counted.
pub fn note_source(book: &mut Book, look: Option<&Look>, now: &Moment) -> Vec<Entry> {
    let Some(look) = look else {
        for belief in book.beliefs.values_mut() {
            belief.source.pause();
        }
        return Vec::new();
    };
    let mut entries = Vec::new();
    let mut accepted: BTreeMap<Fingerprint, Vec<PathBuf>> = BTreeMap::new();
    for file in &look.files {
        let FileVerdict::Accepted { certificates, .. } = &file.verdict else {
            continue;
        };
        for certificate in certificates {
            let paths = accepted.entry(certificate.fingerprint()).or_default();
            paths.push(file.path.clone());
            if paths.len() > 1 {
                continue; // one look sees it once, in however many files
            }
            let belief = book.belief(certificate);
            if belief.source == InSource::Never {
                let name = file.path.file_name().unwrap_or(file.path.as_os_str());
                let name = printable_path(Path::new(name));
                let owner = file.owner.split(' ').next().unwrap_or_default().to_owned();
                entries.push(
                    Entry::new(now.wall, What::Seen, Some(certificate.fingerprint()), name)
                        .by(owner),
                );
            }
            if !matches!(belief.source, InSource::Present { .. }) {
                belief.source = InSource::Present {
                    since: now.clone(),
                    credit: Credit::begin(now),
                    paths: Vec::new(),
                };
            } else if matches!(belief.standing, Standing::Seen | Standing::Retired { .. }) {
                belief.source.grow(now); // it is neither sent nor listed
            }
        }
    }
    let healthy = look.is_healthy();
    for (fingerprint, belief) in &mut book.beliefs {
        let ours = matches!(
            belief.standing,
            Standing::Confirmed(_) | Standing::Disabled { .. }
        );
        match (&mut belief.source, accepted.remove(fingerprint)) {
            (InSource::Present { paths, .. }, Some(now_in)) => *paths = now_in,
            (InSource::Present { .. }, None) if healthy => {
                belief.source = InSource::Gone {
                    since: now.clone(),
                    credit: Credit::begin(now),
                };
            }
            (InSource::Gone { .. }, None) if healthy && ours => belief.source.grow(now),
            (_, None) if !healthy => belief.source.pause(),
            _ => {}
        }
    }
    entries
}

impl InSource {
    fn grow(&mut self, now: &Moment) {
        match self {
            Self::Present { credit, .. } | Self::Gone { credit, .. } => credit.grow(now),
            Self::Never => {}
        }
    }

    fn pause(&mut self) {
        match self {
            Self::Present { credit, .. } | Self::Gone { credit, .. } => credit.pause(),
            Self::Never => {}
        }
    }
}
