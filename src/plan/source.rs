//! What a look at the source teaches the book.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::domain::text::printable_path;
use crate::domain::{FileVerdict, Fingerprint, Look, Moment};
use crate::plan::book::{Book, InSource};
use crate::plan::entry::{Entry, What};

/// Notes what a whole look saw: what appeared, and, if the source is healthy, what is gone from it.
pub fn note_source(book: &mut Book, look: &Look, now: &Moment) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut accepted: BTreeMap<Fingerprint, Vec<PathBuf>> = BTreeMap::new();
    for file in &look.files {
        let FileVerdict::Accepted { certificates, .. } = &file.verdict else {
            continue;
        };
        for certificate in certificates {
            accepted
                .entry(certificate.fingerprint())
                .or_default()
                .push(file.path.clone());
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
                    paths: Vec::new(),
                };
            }
        }
    }
    let healthy = look.is_healthy();
    for (fingerprint, belief) in &mut book.beliefs {
        let InSource::Present { paths, .. } = &mut belief.source else {
            continue;
        };
        match accepted.remove(fingerprint) {
            Some(now_in) => *paths = now_in,
            None if healthy => belief.source = InSource::Gone { since: now.clone() },
            None => {}
        }
    }
    entries
}
