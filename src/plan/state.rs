//! The state table: what every combination of file, list and ledger means.
//!
//! A certificate is looked at from three sides. *File*: what the source says of it. *Listed*: what SendGrid's list says.
//! *Ledger*: what we believe from before. The first row that fits decides; `*` is anything, `over` means that its
//! `not_after` has passed, wherever it lies.
//!
//! | file | listed | ledger | state | action | person |
//! |---|---|---|---|---|---|
//! | * | other | confirmed, disabled, denied | `replaced` | | yes |
//! | * | undecodable | confirmed, disabled, denied | `undecodable` | | yes |
//! | over | * | * | `expired` | | |
//! | * | * | deleting | `settling` | | |
//! | * | ours | disabled | `disabled` | | |
//! | * | ours | all but unknown | `trusted` | | |
//! | * | found, twice | intent | `trusted` | | |
//! | * | twice | confirmed | `trusted` | | |
//! | none | ours, found, twice | unknown, denied | `unmanaged` | | yes |
//! | * | ours, found, twice | * | `found` | | |
//! | * | no, other, undecodable | intent, confirmed, disabled | `settling` | | |
//! | * | no, other, undecodable | removed | `removed` | | yes |
//! | * | no | denied | `denied` | | |
//! | accepted | no, other, undecodable | unknown | `planned` | upload | |
//! | none, refused | no, other, undecodable | unknown | nothing to say | | |
//!
//! Three things follow from the table alone. A listing beats every hold. Nothing is uploaded but what an accepted file
//! asks for and nobody has ever sent. A row that cannot be read, or that carries something else, is never written to.
//!
//! Later knowledge refines a cell and never contradicts it: `planned` becomes `waiting`, `held` or `rejected` when
//! policy or time say so; `trusted` becomes `ahead` before its first second and `superseded` when its file is gone and
//! a newer one is trusted; `unmanaged` becomes `inherited` when it was there at our first complete list and
//! `acknowledged` when a person knows it; `disabled` becomes `planned` when a person wants it back, or when it was taken
//! away for its absence and is in a file again. Of a certificate that is listed twice the surplus rows are `duplicate`.

/// The state of a certificate or of a row that cannot be read. The words are the same in plan, status, page, metrics
/// and history.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// Ours, listed, enabled by our last confirmed write, valid now.
    Trusted,
    /// The same, valid later.
    Ahead,
    /// In the source and listed, not by us; whether it is enabled is unknown.
    Found,
    /// Goes up in this pass (in `observe`: would).
    Planned,
    /// Sent, outcome unknown; or ours and missing from one list.
    Settling,
    /// In the source, goes by itself at a known time.
    Waiting,
    /// In the source, goes only when a person acts.
    Held,
    /// SendGrid answered 400.
    Rejected,
    /// A person said never, for it or its key.
    Denied,
    /// Over, wherever it lies.
    Expired,
    /// Ours, listed, valid, gone from the source, a newer one is trusted.
    Superseded,
    /// Ours, disabled by us, still listed.
    Disabled,
    /// Was listed; somebody removed it while it was wanted.
    Removed,
    /// The id of ours carries another certificate.
    Replaced,
    /// A surplus row of a certificate that is listed twice.
    Duplicate,
    /// A row that cannot be read.
    Undecodable,
    /// Not ours, in no source, there at our first complete list.
    Inherited,
    /// `inherited` or `unmanaged`, and a person knows it.
    Acknowledged,
    /// Not ours, in no source, appeared since.
    Unmanaged,
    /// Of an integration that is no longer configured.
    Orphaned,
}

impl State {
    /// Every state, in the order above.
    pub const ALL: [Self; 20] = [
        Self::Trusted,
        Self::Ahead,
        Self::Found,
        Self::Planned,
        Self::Settling,
        Self::Waiting,
        Self::Held,
        Self::Rejected,
        Self::Denied,
        Self::Expired,
        Self::Superseded,
        Self::Disabled,
        Self::Removed,
        Self::Replaced,
        Self::Duplicate,
        Self::Undecodable,
        Self::Inherited,
        Self::Acknowledged,
        Self::Unmanaged,
        Self::Orphaned,
    ];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Ahead => "ahead",
            Self::Found => "found",
            Self::Planned => "planned",
            Self::Settling => "settling",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
            Self::Replaced => "replaced",
            Self::Duplicate => "duplicate",
            Self::Undecodable => "undecodable",
            Self::Inherited => "inherited",
            Self::Acknowledged => "acknowledged",
            Self::Unmanaged => "unmanaged",
            Self::Orphaned => "orphaned",
        }
    }

    /// Whether a certificate in this state is one that SendGrid trusts and that counts, while it is valid.
    pub const fn is_trust(self) -> bool {
        matches!(self, Self::Trusted | Self::Found)
    }

    /// Whether it stays so until a person acts.
    pub const fn needs_person(self) -> bool {
        matches!(
            self,
            Self::Held
                | Self::Rejected
                | Self::Removed
                | Self::Replaced
                | Self::Undecodable
                | Self::Unmanaged
        )
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// What the source says of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InFile {
    /// In no file of a healthy source.
    None,
    /// In an accepted file.
    Accepted,
    /// Last seen in a file that is refused or waits now, or in a source that cannot be read: not absent.
    Refused,
    /// Over, whether or not its file is still there.
    Over,
}

/// What SendGrid's list says of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listed {
    /// Not there.
    No,
    /// Once, under the id the ledger has for it.
    Ours,
    /// Once, under another id.
    Found,
    /// Not there, and the id the ledger has for it carries another certificate.
    Other,
    /// More than once.
    Twice,
    /// Not there, and a row that cannot be read may be it: it has its id, or is newer than its POST.
    Undecodable,
}

/// What the ledger believes of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Believed {
    /// Nothing that matters: never sent, never listed as ours.
    Unknown,
    /// A POST was made or about to be made; its outcome is unknown.
    Intent,
    /// Ours, enabled by our last confirmed write.
    Confirmed,
    /// Ours, disabled by us.
    Disabled,
    /// Was listed, and somebody removed it while it was wanted.
    Removed,
    /// A person said never.
    Denied,
    /// Ours, and a DELETE was made or about to be made; its outcome is unknown.
    Deleting,
}

/// One cell of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    /// The state; none where there is nothing to say.
    pub state: Option<State>,
    /// Whether it is to be uploaded, if policy and time allow.
    pub upload: bool,
}

impl Cell {
    /// Whether a person is needed.
    pub fn needs_person(self) -> bool {
        self.state.is_some_and(State::needs_person)
    }
}

/// Looks the combination up in the table.
pub fn cell(file: InFile, listed: Listed, believed: Believed) -> Cell {
    use {Believed as B, InFile as F, Listed as L};
    let state = match (file, listed, believed) {
        (_, L::Other, B::Confirmed | B::Disabled | B::Denied) => Some(State::Replaced),
        (_, L::Undecodable, B::Confirmed | B::Disabled | B::Denied) => Some(State::Undecodable),
        (F::Over, _, _) => Some(State::Expired),
        (_, _, B::Deleting) => Some(State::Settling),
        (_, L::Ours, B::Disabled) => Some(State::Disabled),
        (_, L::Ours, B::Intent | B::Confirmed | B::Removed | B::Denied)
        | (_, L::Found | L::Twice, B::Intent)
        | (_, L::Twice, B::Confirmed) => Some(State::Trusted),
        (F::None, L::Ours | L::Found | L::Twice, B::Unknown | B::Denied) => Some(State::Unmanaged),
        (_, L::Ours | L::Found | L::Twice, _) => Some(State::Found),
        (_, L::No | L::Other | L::Undecodable, B::Intent | B::Confirmed | B::Disabled) => {
            Some(State::Settling)
        }
        (_, L::No | L::Other | L::Undecodable, B::Removed) => Some(State::Removed),
        (_, L::No, B::Denied) => Some(State::Denied),
        (F::Accepted, L::No | L::Other | L::Undecodable, B::Unknown) => Some(State::Planned),
        (F::None | F::Refused, L::No | L::Other | L::Undecodable, B::Unknown) => None,
    };
    Cell {
        state,
        upload: state == Some(State::Planned),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const FILES: [(&str, InFile); 4] = [
        ("none", InFile::None),
        ("accepted", InFile::Accepted),
        ("refused", InFile::Refused),
        ("expired", InFile::Over),
    ];
    const LISTED: [(&str, Listed); 6] = [
        ("no", Listed::No),
        ("ours", Listed::Ours),
        ("found", Listed::Found),
        ("other", Listed::Other),
        ("twice", Listed::Twice),
        ("undecodable", Listed::Undecodable),
    ];
    const BELIEVED: [(&str, Believed); 7] = [
        ("unknown", Believed::Unknown),
        ("intent", Believed::Intent),
        ("confirmed", Believed::Confirmed),
        ("disabled", Believed::Disabled),
        ("removed", Believed::Removed),
        ("denied", Believed::Denied),
        ("deleting", Believed::Deleting),
    ];

    /// Every cell: `+` uploads, `!` needs a person.
    #[test]
    fn the_whole_table() {
        let row = |file: &str, listed: &str, cells: &[String]| {
            let cells = cells
                .iter()
                .fold(String::new(), |all, it| all + &format!("{it:14}"));
            format!("{file:10}{listed:13}{cells}").trim_end().to_owned()
        };
        let mut table = vec![row(
            "file",
            "listed",
            &BELIEVED.map(|(name, _)| name.to_owned()),
        )];
        for (file_name, file) in FILES {
            for (listed_name, listed) in LISTED {
                let cells = BELIEVED.map(|(_, believed)| {
                    let cell = cell(file, listed, believed);
                    let mark = match (cell.upload, cell.needs_person()) {
                        (true, _) => "+",
                        (false, true) => "!",
                        (false, false) => "",
                    };
                    let word = cell.state.map_or("-", State::word);
                    format!("{word}{mark}")
                });
                table.push(row(file_name, listed_name, &cells));
            }
        }
        expect![[r#"
            file      listed       unknown       intent        confirmed     disabled      removed       denied        deleting
            none      no           -             settling      settling      settling      removed!      denied        settling
            none      ours         unmanaged!    trusted       trusted       disabled      trusted       trusted       settling
            none      found        unmanaged!    trusted       found         found         found         unmanaged!    settling
            none      other        -             settling      replaced!     replaced!     removed!      replaced!     settling
            none      twice        unmanaged!    trusted       trusted       found         found         unmanaged!    settling
            none      undecodable  -             settling      undecodable!  undecodable!  removed!      undecodable!  settling
            accepted  no           planned+      settling      settling      settling      removed!      denied        settling
            accepted  ours         found         trusted       trusted       disabled      trusted       trusted       settling
            accepted  found        found         trusted       found         found         found         found         settling
            accepted  other        planned+      settling      replaced!     replaced!     removed!      replaced!     settling
            accepted  twice        found         trusted       trusted       found         found         found         settling
            accepted  undecodable  planned+      settling      undecodable!  undecodable!  removed!      undecodable!  settling
            refused   no           -             settling      settling      settling      removed!      denied        settling
            refused   ours         found         trusted       trusted       disabled      trusted       trusted       settling
            refused   found        found         trusted       found         found         found         found         settling
            refused   other        -             settling      replaced!     replaced!     removed!      replaced!     settling
            refused   twice        found         trusted       trusted       found         found         found         settling
            refused   undecodable  -             settling      undecodable!  undecodable!  removed!      undecodable!  settling
            expired   no           expired       expired       expired       expired       expired       expired       expired
            expired   ours         expired       expired       expired       expired       expired       expired       expired
            expired   found        expired       expired       expired       expired       expired       expired       expired
            expired   other        expired       expired       replaced!     replaced!     expired       replaced!     expired
            expired   twice        expired       expired       expired       expired       expired       expired       expired
            expired   undecodable  expired       expired       undecodable!  undecodable!  expired       undecodable!  expired"#]].assert_eq(&table.join("\n"));
    }

    #[test]
    fn only_an_accepted_file_of_a_certificate_nobody_ever_sent_is_uploaded() {
        for (_, file) in FILES {
            for (_, listed) in LISTED {
                for (_, believed) in BELIEVED {
                    let upload = cell(file, listed, believed).upload;
                    let listed_by_fingerprint =
                        matches!(listed, Listed::Ours | Listed::Found | Listed::Twice);
                    let may = file == InFile::Accepted
                        && !listed_by_fingerprint
                        && believed == Believed::Unknown;
                    assert_eq!(upload, may, "{file:?} {listed:?} {believed:?}");
                }
            }
        }
    }

    #[test]
    fn a_listing_beats_every_hold() {
        for believed in [Believed::Removed, Believed::Denied] {
            for listed in [Listed::Ours, Listed::Found, Listed::Twice] {
                let state = cell(InFile::Accepted, listed, believed).state;
                assert!(
                    state.is_some_and(State::is_trust),
                    "{listed:?} {believed:?}"
                );
            }
        }
    }
}
