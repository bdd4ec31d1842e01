//! What was told of refusals, kept over reloads: a touch, the same bytes written anew or a SIGHUP are no news.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::adapter::certificate_directory::DirectorySettings;
use crate::domain::{ContentId, FileVerdict, Look, LookedFile, Reason, Refusal};

/// What was told, by directory as it is configured. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Told {
    directories: Arc<Mutex<BTreeMap<DirectorySettings, Directory>>>,
}

#[derive(Debug, Default)]
struct Directory {
    /// Of each file that is there and is refused or may be.
    files: BTreeMap<PathBuf, BTreeSet<Fact>>,
    /// Of the way to the directory.
    way: Option<Refusal>,
}

/// A refusal of one content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Fact {
    reason: Reason,
    found: String,
    content: Option<ContentId>,
}

impl Told {
    /// Forgets every directory but these.
    pub fn keep(&self, configured: &BTreeSet<&DirectorySettings>) {
        self.lock().retain(|it, _| configured.contains(it));
    }

    /// The refusals of a look that are to be told; from now on they are.
    pub(super) fn news<'a>(
        &self,
        directory: &DirectorySettings,
        look: &'a Look,
    ) -> Vec<(&'a LookedFile, &'a Refusal)> {
        let mut directories = self.lock();
        let told = directories.entry(directory.clone()).or_default();
        let mut before = std::mem::take(&mut told.files);
        let mut news = Vec::new();
        for (file, refusal) in look.refusals() {
            let mut fact = Fact {
                reason: refusal.reason,
                found: refusal.found.clone(),
                content: file.content,
            };
            let known = before.get(&file.path).and_then(|it| fact.known_in(it));
            match known {
                Some(known) => fact.content = fact.content.or(known.content),
                None => news.push((file, refusal)),
            }
            let facts = told.files.entry(file.path.clone()).or_default();
            facts.insert(fact);
        }
        // What is written at the moment may well be written as it was.
        let waiting = |it: &&LookedFile| matches!(it.verdict, FileVerdict::Waiting { .. });
        for file in look.files.iter().filter(waiting) {
            if let Some(facts) = before.remove(&file.path) {
                told.files.insert(file.path.clone(), facts);
            }
        }
        news
    }

    /// Whether this is to be told of the way to a directory; from now on it is.
    pub(super) fn is_news(&self, directory: &DirectorySettings, way: Option<&Refusal>) -> bool {
        let mut directories = self.lock();
        let told = directories.entry(directory.clone()).or_default();
        let is_news = way.is_some() && told.way.as_ref() != way;
        told.way = way.cloned();
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DirectorySettings, Directory>> {
        let locked = self.directories.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fact {
    /// The same, told before. A file that is refused unread may hold what it held.
    fn known_in<'a>(&self, told: &'a BTreeSet<Self>) -> Option<&'a Self> {
        let is_same = |it: &&Self| {
            let may_be = it.content.is_none() || self.content.is_none();
            (it.reason, &it.found) == (self.reason, &self.found)
                && (may_be || it.content == self.content)
        };
        told.iter().find(is_same)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::Timestamp;

    const PEM: Reason = Reason::PemMalformed;

    fn settings() -> DirectorySettings {
        DirectorySettings {
            directory: "/srv/idp".into(),
            files: Vec::new(),
            strict_permissions: true,
            allowed_owners: Vec::new(),
            allowed_groups: Vec::new(),
            quiet: std::time::Duration::ZERO,
        }
    }

    fn file(name: &str, content: &str, verdict: FileVerdict) -> LookedFile {
        LookedFile {
            path: Path::new("/srv/idp").join(name),
            owner: String::new(),
            stamp: String::new(),
            changed: Timestamp::from_secs(0),
            content: match content {
                "" => None,
                "one" => Some(ContentId::new(1)),
                _ => Some(ContentId::new(2)),
            },
            verdict,
        }
    }

    fn refused(reason: Reason) -> FileVerdict {
        FileVerdict::refused(Refusal::new(reason, "so it is"))
    }

    const fn waiting() -> FileVerdict {
        FileVerdict::Waiting {
            until: Timestamp::from_secs(9),
            otherwise: None,
        }
    }

    fn fine() -> FileVerdict {
        FileVerdict::Accepted {
            certificates: Vec::new(),
            refused: Vec::new(),
            issuers: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// What is told of one file, look after look: its content, what is said of it, and whether that is news.
    #[track_caller]
    fn check(looks: &[(&str, FileVerdict, usize)]) {
        let told = Told::default();
        for (number, (content, verdict, news)) in looks.iter().enumerate() {
            let look = Look {
                files: vec![file("a.pem", content, verdict.clone())],
                ..Look::default()
            };
            let found = told.news(&settings(), &look).len();
            assert_eq!(found, *news, "look {number}");
        }
    }

    #[test]
    fn the_same_bytes_are_no_news_and_others_are() {
        check(&[
            ("one", refused(PEM), 1),
            ("one", refused(PEM), 0),
            ("", waiting(), 0),
            ("one", refused(PEM), 0),
            ("", waiting(), 0),
            ("two", refused(PEM), 1),
            ("two", refused(Reason::NotDer), 1),
        ]);
    }

    #[test]
    fn what_was_right_in_between_is_news() {
        check(&[
            ("one", refused(PEM), 1),
            ("two", fine(), 0),
            ("one", refused(PEM), 1),
        ]);
    }

    #[test]
    fn a_file_that_is_refused_unread_is_told_once() {
        let unsafe_one = || refused(Reason::UnsafePermissions);
        check(&[
            ("", unsafe_one(), 1),
            ("one", unsafe_one(), 0),
            ("", unsafe_one(), 0),
            ("one", unsafe_one(), 0),
            ("", unsafe_one(), 0),
            ("two", unsafe_one(), 1),
        ]);
    }

    #[test]
    fn each_file_and_each_directory_is_told_of_for_itself() {
        let told = Told::default();
        let look = Look {
            files: vec![
                file("a.pem", "one", refused(PEM)),
                file("b.pem", "one", refused(PEM)),
            ],
            ..Look::default()
        };
        assert_eq!(told.news(&settings(), &look).len(), 2);
        let mut other = settings();
        other.strict_permissions = false;
        assert_eq!(told.news(&other, &look).len(), 2);
        let mine = settings();
        told.keep(&BTreeSet::from([&mine]));
        assert_eq!(told.news(&mine, &look).len(), 0);
        assert_eq!(told.news(&other, &look).len(), 2, "no longer configured");
    }

    #[test]
    fn the_way_is_told_of_once() {
        let told = Told::default();
        let refusal = Refusal::new(Reason::UnsafePermissions, "/srv is writable by everyone");
        assert!(!told.is_news(&settings(), None));
        assert!(told.is_news(&settings(), Some(&refusal)));
        assert!(!told.is_news(&settings(), Some(&refusal)));
    }
}
