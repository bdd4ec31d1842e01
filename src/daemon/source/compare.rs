//! What two looks at one directory have in common.

use std::collections::{BTreeMap, BTreeSet};

use super::Sight;
use crate::domain::{Certificate, Fingerprint, IntegrationName, Look, LookedFile, Reason};

/// Whether the files themselves are others, or other versions. What time alone makes of a file is no change of it.
pub(super) fn has_other_versions(before: &Sight, after: &Sight) -> bool {
    let (Ok(before), Ok(after)) = (before, after) else {
        return false;
    };
    let versions = |look: &Look| {
        let version = |it: &LookedFile| (it.path.clone(), it.stamp.clone());
        look.files.iter().map(version).collect::<Vec<_>>()
    };
    versions(before) != versions(after) || before.surplus != after.surplus
}

/// What a plan takes from a look. Names, times and modes are not in it: a file that was touched, renamed or written anew
/// with the same certificates makes no other plan.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Facts {
    /// Every certificate that could be read, refused or not: a pin or another certificate may make something else of it.
    certificates: BTreeSet<Fingerprint>,
    refusals: BTreeSet<Reason>,
    has_surplus: bool,
    /// Whether no file waits.
    is_whole: bool,
}

impl Facts {
    /// The facts of a look; none if the source could not be read.
    fn of(sight: &Sight) -> Option<Self> {
        let look = sight.as_ref().ok()?;
        Some(Self {
            certificates: look.certificates().map(Certificate::fingerprint).collect(),
            refusals: look.refusals().map(|(_, it)| it.reason).collect(),
            has_surplus: !look.surplus.is_empty(),
            is_whole: look.again_at().is_none(),
        })
    }

    /// The facts of the next look, for who was told these. While a file waits, what is missing may be in it: only what is
    /// new is news.
    fn then(told: Option<&Self>, sight: &Sight) -> Option<Self> {
        let mut facts = Self::of(sight)?;
        if let (false, Some(told)) = (facts.is_whole, told) {
            facts.is_whole = told.is_whole;
            facts.certificates.extend(&told.certificates);
            facts.refusals.extend(&told.refusals);
        }
        Some(facts)
    }
}

/// What each integration's last pass knew, or is about to know.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<IntegrationName, Option<Facts>>);

impl Known {
    /// Takes in a sight; whom it tells something new. The pass that asked for it knows it from the answer.
    pub(super) fn take_in(
        &mut self,
        integrations: &BTreeSet<IntegrationName>,
        sight: &Sight,
        pass: Option<&IntegrationName>,
    ) -> Vec<IntegrationName> {
        let facts = Facts::of(sight);
        let mut concerned = Vec::new();
        for name in integrations {
            let next = match self.0.get(name) {
                Some(known) if pass != Some(name) => {
                    let next = Facts::then(known.as_ref(), sight);
                    if next != *known {
                        concerned.push(name.clone());
                    }
                    next
                }
                _ => facts.clone(),
            };
            self.0.insert(name.clone(), next);
        }
        concerned
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::domain::{FileVerdict, Refusal, Timestamp};
    use crate::plan::testing::certificate;

    fn accepted(name: &str) -> FileVerdict {
        FileVerdict::Accepted {
            certificates: vec![certificate(name, name, 90)],
            refused: Vec::new(),
            issuers: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn refused(reason: Reason) -> FileVerdict {
        FileVerdict::refused(Refusal::new(reason, "why"))
    }

    fn waiting() -> FileVerdict {
        FileVerdict::Waiting {
            until: Timestamp::from_secs(1),
            otherwise: None,
        }
    }

    fn look(files: &[(&str, FileVerdict)]) -> Look {
        let file = |(name, verdict): &(&str, FileVerdict)| LookedFile {
            path: PathBuf::from(name),
            owner: String::new(),
            stamp: String::new(),
            changed: Timestamp::from_secs(0),
            content: None,
            verdict: verdict.clone(),
        };
        Look {
            files: files.iter().map(file).collect(),
            ..Look::default()
        }
    }

    /// Whether who was told of `before` is told of `after`.
    fn is_news(before: &Look, after: &Look) -> bool {
        is_news_of(&Ok(Arc::new(before.clone())), &Ok(Arc::new(after.clone())))
    }

    fn is_news_of(before: &Sight, after: &Sight) -> bool {
        let told = Facts::of(before);
        Facts::then(told.as_ref(), after) != told
    }

    #[test]
    fn names_and_copies_are_no_news_and_certificates_are() {
        let before = look(&[("a.pem", accepted("a"))]);
        let renamed = look(&[("b.pem", accepted("a"))]);
        let copied = look(&[("a.pem", accepted("a")), ("b.pem", accepted("a"))]);
        for same in [&before, &renamed, &copied] {
            assert!(!is_news(&before, same), "{same:?}");
            assert!(!is_news(same, &before), "{same:?}");
        }
        let more = look(&[("a.pem", accepted("a")), ("b.pem", accepted("b"))]);
        let refused = look(&[("a.pem", accepted("a")), ("b.pem", refused(Reason::Empty))]);
        let gone = look(&[]);
        for other in [&more, &refused, &gone] {
            assert!(is_news(&before, other), "{other:?}");
            assert!(is_news(other, &before), "{other:?}");
        }
        let (up, down) = (
            Ok(Arc::new(before)),
            Err(crate::domain::SourceError::Missing("/srv".to_owned())),
        );
        assert!(is_news_of(&up, &down) && is_news_of(&down, &up));
    }

    #[test]
    fn while_a_file_waits_only_what_is_new_is_news() {
        let before = look(&[("a.pem", accepted("a"))]);
        assert!(!is_news(&before, &look(&[("a.pem", waiting())])));
        assert!(!is_news(&before, &look(&[("b.pem", waiting())])));
        let more = look(&[("a.pem", waiting()), ("b.pem", accepted("b"))]);
        assert!(is_news(&before, &more));
        let odd = look(&[("a.pem", waiting()), ("b.pem", refused(Reason::Empty))]);
        assert!(is_news(&before, &odd));
        // A pass that looked while it waited knows nothing of it: then its end is news.
        assert!(is_news(&look(&[("a.pem", waiting())]), &before));
        let was_odd = look(&[("b.pem", refused(Reason::Empty))]);
        assert!(!is_news(&was_odd, &look(&[("b.pem", waiting())])));
    }
}
