//! Which certificate a person means who types a fingerprint or its beginning.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use thiserror::Error;

use crate::domain::text::count;
use crate::domain::{Fingerprint, FingerprintPrefix, IntegrationId, IntegrationName};

/// An integration and the certificates that are known in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// What it is called: its name; of an orphan its last one, or its id where that name is another's by now.
    pub name: IntegrationName,
    /// Its id.
    pub id: IntegrationId,
    /// Whether it is no longer configured: then only the ledger knows it.
    pub is_orphan: bool,
    /// What is known in it.
    pub known: BTreeSet<Fingerprint>,
}

/// What may be meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reach {
    /// Also a certificate that nobody has ever seen, by its whole fingerprint.
    pub unseen: bool,
    /// Also one of an integration that is no longer configured.
    pub orphans: bool,
}

/// A certificate and where it is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meant<'a> {
    /// Which.
    pub fingerprint: Fingerprint,
    /// Where.
    pub place: &'a Place,
}

/// Why it is not clear what is meant.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Unclear {
    /// No integration is called so.
    #[error("no such integration is known here")]
    NoSuchPlace {
        /// Those that there are.
        places: Vec<IntegrationName>,
    },
    /// Nothing begins so.
    #[error("no certificate begins with {typed}")]
    NoMatch {
        /// What was typed.
        typed: FingerprintPrefix,
        /// What it may have been, with where.
        near: Vec<(Fingerprint, IntegrationName)>,
    },
    /// More than one begins so.
    #[error("{typed} fits {}: {}", count(.fits.len(), "certificate", "certificates"), listed(.fits))]
    Ambiguous {
        /// What was typed.
        typed: FingerprintPrefix,
        /// Those, with where.
        fits: Vec<(Fingerprint, IntegrationName)>,
    },
    /// It is known in more than one integration, or in none of several.
    #[error("{} may be meant in more than one integration", .fingerprint.short())]
    WhichPlace {
        /// The certificate.
        fingerprint: Fingerprint,
        /// The integrations.
        places: Vec<IntegrationName>,
    },
    /// Its integration is no longer configured.
    #[error("{} is known only in {place}, which is no longer configured", .fingerprint.short())]
    OnlyOrphan {
        /// The certificate.
        fingerprint: Fingerprint,
        /// Where.
        place: IntegrationName,
    },
}

/// How many near ones are told.
const MOST_NEAR: usize = 3;

impl Unclear {
    /// What helps.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoSuchPlace { places } => format!("known here: {}", names(places)),
            Self::NoMatch { near, .. } if near.is_empty() => {
                "sso-certd status --all lists what is known".to_owned()
            }
            Self::NoMatch { near, .. } => format!("near: {}", listed(near)),
            Self::Ambiguous { .. } => return None,
            Self::WhichPlace { places, .. } => {
                format!("add the integration behind it: {}", names(places))
            }
            Self::OnlyOrphan { fingerprint, .. } => format!(
                "sso-certd forget {} drops it from the books",
                fingerprint.short()
            ),
        })
    }

    /// Whether other words on the command line are all that is needed.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::NoSuchPlace { .. } | Self::WhichPlace { .. })
    }
}

/// Finds the one certificate that begins so, in the one integration it is known in, or in the one that is named: by its
/// name, or by its id.
///
/// # Errors
/// There is none, or more than one.
pub fn resolve<'a>(
    typed: &FingerprintPrefix,
    name: Option<&str>,
    reach: Reach,
    places: &'a [Place],
) -> Result<Meant<'a>, Unclear> {
    let is_meant =
        |it: &&Place| name.is_none_or(|name| it.name.as_str() == name || it.id.to_string() == name);
    let searched: Vec<&Place> = places.iter().filter(is_meant).collect();
    if searched.is_empty() {
        return Err(Unclear::NoSuchPlace {
            places: names_of(places.iter().filter(|it| !it.is_orphan)),
        });
    }
    let (orphans, configured): (Vec<&Place>, Vec<&Place>) =
        searched.into_iter().partition(|it| it.is_orphan);
    match (one(typed, &configured), one(typed, &orphans)) {
        (Ok(Some(meant)), Ok(Some(orphan)))
            if reach.orphans && orphan.fingerprint != meant.fingerprint =>
        {
            Err(Unclear::Ambiguous {
                typed: typed.clone(),
                fits: [meant, orphan]
                    .map(|it| (it.fingerprint, it.place.name.clone()))
                    .to_vec(),
            })
        }
        (Ok(Some(meant)), _) => Ok(meant),
        (Err(unclear), _) => Err(unclear),
        (Ok(None), Ok(Some(meant))) if reach.orphans => Ok(meant),
        (Ok(None), Err(unclear)) if reach.orphans => Err(unclear),
        (Ok(None), orphan) => match (typed.whole(), configured.as_slice()) {
            (Some(fingerprint), [place]) if reach.unseen => Ok(Meant { fingerprint, place }),
            (Some(fingerprint), [_, _, ..]) if reach.unseen => Err(Unclear::WhichPlace {
                fingerprint,
                places: names_of(configured),
            }),
            _ => Err(match orphan {
                Ok(Some(Meant { fingerprint, place })) => Unclear::OnlyOrphan {
                    fingerprint,
                    place: place.name.clone(),
                },
                _ => Unclear::NoMatch {
                    typed: typed.clone(),
                    near: near(typed, &configured),
                },
            }),
        },
    }
}

/// The one certificate of these places that begins so, if there is any.
fn one<'a>(typed: &FingerprintPrefix, places: &[&'a Place]) -> Result<Option<Meant<'a>>, Unclear> {
    let all = places.iter().flat_map(|place| {
        let known = place.known.iter().filter(|it| typed.fits(it));
        known.map(|fingerprint| Meant {
            fingerprint: *fingerprint,
            place,
        })
    });
    let fits: Vec<Meant<'a>> = all.collect();
    let different: BTreeSet<Fingerprint> = fits.iter().map(|it| it.fingerprint).collect();
    match fits.as_slice() {
        [] => Ok(None),
        [meant] => Ok(Some(*meant)),
        [first, ..] if different.len() == 1 => Err(Unclear::WhichPlace {
            fingerprint: first.fingerprint,
            places: names_of(fits.iter().map(|it| it.place)),
        }),
        _ => Err(Unclear::Ambiguous {
            typed: typed.clone(),
            fits: fits
                .iter()
                .map(|it| (it.fingerprint, it.place.name.clone()))
                .collect(),
        }),
    }
}

/// What shares the most digits with it, from the second on.
fn near(typed: &FingerprintPrefix, places: &[&Place]) -> Vec<(Fingerprint, IntegrationName)> {
    let shared = |it: &(Fingerprint, IntegrationName)| Reverse(typed.shared(&it.0));
    let all = places
        .iter()
        .flat_map(|place| place.known.iter().map(|it| (*it, place.name.clone())));
    let mut near: Vec<_> = all.filter(|it| typed.shared(&it.0) > 1).collect();
    near.sort_by_key(shared);
    near.truncate(MOST_NEAR);
    near
}

fn names_of<'a>(places: impl IntoIterator<Item = &'a Place>) -> Vec<IntegrationName> {
    places.into_iter().map(|it| it.name.clone()).collect()
}

/// `5d20e6a4c8f1937b (entra-eu), 5d9f10c2b1a0ffee (okta)`
fn listed(certificates: &[(Fingerprint, IntegrationName)]) -> String {
    let one = |(fingerprint, name): &(Fingerprint, IntegrationName)| {
        format!("{} ({name})", fingerprint.short())
    };
    certificates.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn names(places: &[IntegrationName]) -> String {
    let names: Vec<&str> = places.iter().map(IntegrationName::as_str).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Reach = Reach {
        unseen: false,
        orphans: false,
    };
    const UNSEEN: Reach = Reach {
        unseen: true,
        ..SEEN
    };
    const ORPHANS: Reach = Reach {
        orphans: true,
        ..SEEN
    };

    /// A fingerprint that begins so, and goes on with zeros.
    fn print(start: &str) -> Fingerprint {
        Fingerprint::parse(&format!("{start:0<64}")).unwrap()
    }

    fn place(name: &str, known: &[&str]) -> Place {
        let number = name.bytes().map(u32::from).sum::<u32>();
        Place {
            name: IntegrationName::parse(name).unwrap(),
            id: IntegrationId::parse(&format!("b0b98502-9408-4b24-9e3d-{number:012}")).unwrap(),
            is_orphan: name.starts_with("old"),
            known: known.iter().map(|it| print(it)).collect(),
        }
    }

    /// What it comes to: `FINGERPRINT@PLACE`, or the error with its help.
    #[track_caller]
    fn check(typed: &str, name: Option<&str>, reach: Reach, places: &[Place], wanted: &str) {
        let typed = FingerprintPrefix::parse(typed).unwrap();
        let told = match resolve(&typed, name, reach, places) {
            Ok(meant) => format!("{}@{}", meant.fingerprint.brief(), meant.place.name),
            Err(unclear) => match unclear.help() {
                Some(help) => format!("{unclear}; {help}"),
                None => unclear.to_string(),
            },
        };
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_unique_beginning_is_enough() {
        let places = [place("entra", &["5d20", "77"]), place("okta", &["5d9f"])];
        for typed in ["5d2", "5D:20", &print("5d20").hex()] {
            check(typed, None, SEEN, &places, "5d200000@entra");
        }
        check("7", Some("entra"), SEEN, &places, "77000000@entra");
        let id = places[0].id.to_string();
        check("7", Some(&id), SEEN, &places, "77000000@entra");
    }

    #[test]
    fn candidates_and_neighbours_are_told() {
        let places = [place("entra", &["5d20", "77"]), place("okta", &["5d9f"])];
        check(
            "5d",
            None,
            SEEN,
            &places,
            "5d fits 2 certificates: 5d20000000000000 (entra), 5d9f000000000000 (okta)",
        );
        check(
            "5d21",
            None,
            SEEN,
            &places,
            "no certificate begins with 5d21; near: 5d20000000000000 (entra), 5d9f000000000000 (okta)",
        );
        check(
            "ee",
            None,
            UNSEEN,
            &places,
            "no certificate begins with ee; sso-certd status --all lists what is known",
        );
        check(
            "77",
            Some("okat"),
            SEEN,
            &places,
            "no such integration is known here; known here: entra, okta",
        );
    }

    #[test]
    fn what_is_in_several_integrations_wants_a_name() {
        let places = [place("entra", &["5d20"]), place("okta", &["5d20"])];
        check(
            "5d20",
            None,
            SEEN,
            &places,
            "5d20000000000000 may be meant in more than one integration; add the integration behind it: entra, okta",
        );
        check("5d20", Some("okta"), SEEN, &places, "5d200000@okta");
    }

    #[test]
    fn what_was_never_seen_is_meant_by_all_its_digits() {
        let whole = print("ab").hex();
        let one = [place("okta", &["5d20"])];
        check(&whole, None, UNSEEN, &one, "ab000000@okta");
        let none = "no certificate begins with ";
        let help = "; sso-certd status --all lists what is known";
        check(&whole, None, SEEN, &one, &format!("{none}{whole}{help}"));
        check("ab", None, UNSEEN, &one, &format!("{none}ab{help}"));
        let two = [place("okta", &["5d20"]), place("adfs", &[])];
        check(
            &whole,
            None,
            UNSEEN,
            &two,
            "ab00000000000000 may be meant in more than one integration; add the integration behind it: okta, adfs",
        );
        check(&whole, Some("adfs"), UNSEEN, &two, "ab000000@adfs");
        // Where it is known, it is meant there.
        check(&print("5d20").hex(), None, UNSEEN, &two, "5d200000@okta");
    }

    #[test]
    fn an_orphan_is_only_forgotten() {
        let places = [place("okta", &["5d20"]), place("old", &["5d20", "77"])];
        check("77", None, ORPHANS, &places, "77000000@old");
        check("77", Some("old"), ORPHANS, &places, "77000000@old");
        check("5d20", None, ORPHANS, &places, "5d200000@okta");
        check("5d20", Some("old"), ORPHANS, &places, "5d200000@old");
        let both = [place("okta", &["5d20"]), place("old", &["5d77"])];
        check(
            "5d",
            None,
            ORPHANS,
            &both,
            "5d fits 2 certificates: 5d20000000000000 (okta), 5d77000000000000 (old)",
        );
        check(
            "77",
            None,
            SEEN,
            &places,
            "7700000000000000 is known only in old, which is no longer configured; \
             sso-certd forget 7700000000000000 drops it from the books",
        );
    }
}
