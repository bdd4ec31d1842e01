//! What a look at the source teaches the book.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::domain::text::file_name;
use crate::domain::{Credit, Fingerprint, Look, LookedFile, Moment};
use crate::plan::admission::Admission;
use crate::plan::book::{Book, InSource, Standing};
use crate::plan::entry::{Entry, What};
use crate::plan::policy::Policy;

/// Notes what a look saw: what appeared, and, if the source is healthy, what is gone from it. A look that failed, or that
/// cannot tell, takes nothing back and adds nothing to what is counted.
pub fn note_source(
    book: &mut Book,
    look: Option<&Look>,
    policy: &Policy,
    now: &Moment,
) -> Vec<Entry> {
    let Some(look) = look else {
        for belief in book.beliefs.values_mut() {
            belief.source.pause();
        }
        return Vec::new();
    };
    let look = Admission::of(book, policy).apply(look);
    let (ignored, mut entries) = note_issuers(book, &look, policy, now);
    let mut accepted: BTreeMap<Fingerprint, Vec<PathBuf>> = BTreeMap::new();
    for file in &look.files {
        for certificate in file.verdict.accepted() {
            let paths = accepted.entry(certificate.fingerprint()).or_default();
            paths.push(file.path.clone());
            if paths.len() > 1 {
                continue; // one look sees it once, in however many files
            }
            let belief = book.belief(certificate);
            if belief.source == InSource::Never {
                let fingerprint = Some(certificate.fingerprint());
                let entry = Entry::new(now.wall, What::Seen, fingerprint, file_name(&file.path));
                entries.push(entry.by(owner(file)));
            }
            if !matches!(belief.source, InSource::Present { .. }) {
                if belief.standing == Standing::Seen {
                    belief.attempts = None; // what became of it before its file went is another story
                }
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
            (InSource::Present { .. }, None) if ignored.contains(fingerprint) => {}
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

/// Remembers which certificates of the source are ignored as issuers, and which no longer are. Returns those that are.
fn note_issuers(
    book: &mut Book,
    look: &Look,
    policy: &Policy,
    now: &Moment,
) -> (BTreeSet<Fingerprint>, Vec<Entry>) {
    for (fingerprint, belief) in &mut book.beliefs {
        if belief.is_never_ignored() || policy.trust.pins.contains(fingerprint) {
            belief.issued = None;
        }
    }
    let mut ignored = BTreeSet::new();
    let mut entries = Vec::new();
    for (file, issuer) in look.issuers_ignored() {
        let fingerprint = issuer.certificate.fingerprint();
        ignored.insert(fingerprint);
        let belief = book.belief(&issuer.certificate);
        if belief.issued.replace(issuer.issued).is_none() {
            let detail = format!(
                "{}: it issued {}",
                file_name(&file.path),
                issuer.issued.short()
            );
            let entry = Entry::new(now.wall, What::Ignored, Some(fingerprint), detail);
            entries.push(entry.by(owner(file)));
        }
    }
    (ignored, entries)
}

/// Who owns a file, without its mode.
fn owner(file: &LookedFile) -> String {
    file.owner.split(' ').next().unwrap_or_default().to_owned()
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
