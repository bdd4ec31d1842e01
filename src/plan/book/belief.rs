//! What is believed about one certificate.

use std::path::PathBuf;

use crate::domain::{Certificate, CertificateId, Clocks, Credit, Fingerprint, Moment, PublicKeyId};

/// What is believed about one certificate of one integration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Belief {
    /// The certificate; none only where a person decided about a fingerprint that was never seen.
    pub certificate: Option<Certificate>,
    /// Where it stands between us and SendGrid.
    pub standing: Standing,
    /// Where it stands in the source.
    pub source: InSource,
    /// The first list in a row that lacked it, while it should be there.
    pub missing: Option<Moment>,
    /// POSTs that may have arrived, since the last time it was known to be there.
    pub posts: u32,
    /// When the last of them was made.
    pub last_post: Option<Moment>,
    /// The POSTs since then, and when the first was tried, also if that one certainly stored nothing.
    pub attempts: Option<Attempts>,
    /// SendGrid's last 400, until it is there after all.
    pub rejection: Option<Rejection>,
    /// When its key was uploaded as a new one; counts against the budget of new keys.
    pub new_key: Option<Moment>,
    /// When it was last confirmed to be there, having been away before.
    pub trusted_since: Option<Moment>,
    /// For how long it has been there, ours, enabled and valid, without a gap.
    pub trusted_for: Option<Credit>,
    /// Since when it waits for a person, and for what.
    pub hold: Option<Hold>,
    /// A certificate of the source that it issued: it is there only for that, and is not uploaded.
    pub issued: Option<Fingerprint>,
    /// A person's word, which stands until another.
    pub word: Option<Word>,
    /// A person's order, which stands until it is carried out.
    pub order: Option<Order>,
}

/// Where a certificate stands between us and SendGrid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Known, and neither sent nor listed.
    Seen,
    /// A POST was made or about to be made; its outcome is unknown.
    Intent(Intent),
    /// Ours: read back from the list under this id.
    Confirmed(CertificateId),
    /// Ours, disabled by us.
    Disabled {
        /// Its id.
        id: CertificateId,
        /// A person ordered it.
        ordered: bool,
        /// The request is about to be made, or was made and nobody knows what came of it.
        unsure: bool,
    },
    /// Ours, and a DELETE is about to be made, or was made and nobody knows what came of it.
    Deleting(Deleting),
    /// Was ours: deleted by us, or gone from the list while nothing asked for it. It can be restored from here.
    Retired {
        /// A person ordered it: it is not uploaded again because a file asks for it.
        ordered: bool,
    },
    /// Listed, and not by us.
    Foreign {
        /// Its id, if the row had one.
        id: Option<CertificateId>,
        /// It was on our first complete list.
        inherited: bool,
    },
    /// Was listed, and somebody removed it while it was wanted.
    Removed {
        /// The id it had as ours; none if it was not ours.
        id: Option<CertificateId>,
    },
}

/// A POST whose outcome is unknown. Durable before the POST is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    /// When it was made; once it was answered or given up, when that was. It may arrive late, and is late from then on.
    pub at: Moment,
    /// The id of a 2xx answer, until the list shows it.
    pub id: Option<CertificateId>,
    /// Complete lists since then that lacked it.
    pub lists: u32,
    /// How it was answered.
    pub answer: PostAnswer,
    /// An operator typed `sync`: the first window is enough, whichever this one is.
    pub is_hurried: bool,
}

impl Intent {
    /// A POST that is about to be made.
    pub const fn new(at: Moment) -> Self {
        Self {
            at,
            id: None,
            lists: 0,
            answer: PostAnswer::Missing,
            is_hurried: false,
        }
    }
}

/// How a POST was answered. Whether it stored anything is open in each case: a 400 may lie, a 2xx may be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PostAnswer {
    /// Not, or not in a way that could be read; also while it is under way.
    Missing,
    /// With an error that leaves it open: a 5xx, 408, 409, 425.
    Error,
    /// With a 2xx.
    Accepted,
    /// With a 400 or its like.
    Refused,
}

/// The POSTs of a certificate since it was last known to be listed, or since its file came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempts {
    /// When the first was made.
    pub first: Moment,
    /// How many.
    pub posts: u32,
    /// Those that were answered by a 2xx.
    pub accepted: u32,
    /// Those that were not answered.
    pub unanswered: u32,
}

/// A DELETE whose outcome is unknown. Durable before the DELETE is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deleting {
    /// The id that it has or had.
    pub id: CertificateId,
    /// A person ordered it.
    pub ordered: bool,
    /// It was disabled before.
    pub was_disabled: bool,
    /// Whether that was so was not known.
    pub was_unsure: bool,
    /// When it was made.
    pub at: Moment,
}

/// Where a certificate stands in the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InSource {
    /// It was never there.
    Never,
    /// It was in an accepted file at the last look that says something about it.
    Present {
        /// Since when, without a healthy look that lacked it.
        since: Moment,
        /// For how long, while it is neither sent nor listed.
        credit: Credit,
        /// In which files.
        paths: Vec<PathBuf>,
    },
    /// A healthy look lacked it.
    Gone {
        /// The first such look in a row.
        since: Moment,
        /// For how long healthy looks have lacked it, while it is listed as ours.
        credit: Credit,
    },
}

/// A 400. It concerns the certificate, in whichever file it lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// When.
    pub at: Moment,
}

/// What a certificate waits for, since when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// When the wait began.
    pub since: Moment,
    /// For what.
    pub kind: HoldKind,
}

/// What a person must give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoldKind {
    /// An approval.
    Approval,
    /// A pin, or an approval.
    Pin,
    /// An approval, because too many new keys came in a day. It stands until then, whatever the clock says.
    KeyBudget,
}

/// What a person wants done once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Make it ours: enable it.
    Adopt,
    /// Bring it back: upload it from the ledger, or enable it.
    Restore,
    /// Take it away: disable it.
    Disable,
    /// Take it away: delete it.
    Delete,
}

/// A person's word about a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Upload it, whatever the trust mode.
    Approved,
    /// The same, although another certificate with its key was removed at SendGrid.
    ApprovedKey,
    /// Never upload it or its key.
    Denied,
    /// Never upload it; its key stays with another certificate.
    DeniedAlone,
    /// Not ours, and known.
    Acknowledged,
}

impl Belief {
    /// A certificate that nothing is known about yet.
    pub fn new(certificate: Certificate) -> Self {
        Self {
            certificate: Some(certificate),
            ..Self::unseen()
        }
    }

    /// A fingerprint that a person decided about and nobody has ever seen.
    pub const fn unseen() -> Self {
        Self {
            certificate: None,
            standing: Standing::Seen,
            source: InSource::Never,
            missing: None,
            posts: 0,
            last_post: None,
            attempts: None,
            rejection: None,
            new_key: None,
            trusted_since: None,
            trusted_for: None,
            hold: None,
            issued: None,
            word: None,
            order: None,
        }
    }

    /// Which key it wraps, if it was ever seen.
    pub fn key_id(&self) -> Option<PublicKeyId> {
        self.certificate.as_ref().map(Certificate::key_id)
    }

    /// The id under which it should be listed.
    pub fn id(&self) -> Option<&CertificateId> {
        match &self.standing {
            Standing::Confirmed(id)
            | Standing::Disabled { id, .. }
            | Standing::Deleting(Deleting { id, .. }) => Some(id),
            Standing::Intent(Intent { id, .. })
            | Standing::Foreign { id, .. }
            | Standing::Removed { id } => id.as_ref(),
            Standing::Seen | Standing::Retired { .. } => None,
        }
    }

    /// Whether an accepted file asked for it at the last look that says something about it.
    pub fn is_wanted(&self) -> bool {
        matches!(self.source, InSource::Present { .. })
    }

    /// Whether it was listed the last time that the list was conclusive.
    pub fn is_listed(&self) -> bool {
        matches!(
            self.standing,
            Standing::Confirmed(_) | Standing::Disabled { .. } | Standing::Foreign { .. }
        )
    }

    /// Whether a request to enable or disable it has an unknown outcome.
    pub const fn is_unsure(&self) -> bool {
        matches!(self.standing, Standing::Disabled { unsure: true, .. })
    }

    /// It is there, it is ours, and it was enabled by our last write.
    pub(in crate::plan) fn confirm(&mut self, id: CertificateId, now: &Moment) {
        self.standing = Standing::Confirmed(id);
        self.posts = 0;
        self.last_post = None;
        self.attempts = None;
        self.rejection = None;
        self.missing = None;
        self.trusted_since.get_or_insert_with(|| now.clone());
        self.count_trust(now);
        // Absence counts while it is listed as ours; what came back is not taken away at once for an earlier one.
        if let InSource::Gone { credit, .. } = &mut self.source {
            *credit = Credit::default();
        }
    }

    /// A list shows it, ours and enabled: it is trusted while it is valid. By our clock alone: this time only lets another one
    /// be taken away, and never while a clock is in doubt.
    pub(in crate::plan) fn count_trust(&mut self, now: &Moment) {
        let is_valid = |it: &Certificate| it.validity().is_valid(now.wall);
        if !self.certificate.as_ref().is_some_and(is_valid) {
            return;
        }
        match &mut self.trusted_for {
            Some(credit) => credit.grow(now),
            None => self.trusted_for = Some(Credit::begin(now)),
        }
    }

    /// Whether its last second has passed; true of what was never seen.
    pub fn is_over(&self, now: Clocks) -> bool {
        self.certificate
            .as_ref()
            .is_none_or(|it| it.validity().is_over(now))
    }

    /// Whether nothing is left to remember: it may be dropped from the books; the audit trail keeps its story. What was
    /// ours is kept for as long as it could be restored.
    pub(super) fn is_idle(&self, is_remembered: bool, now: Clocks) -> bool {
        let is_over = self.is_over(now);
        let is_past = match self.standing {
            Standing::Seen => is_over || !is_remembered,
            Standing::Retired { .. } => is_over,
            _ => false,
        };
        // It would go up if its file were the only one to come back.
        let is_ignored = self.issued.is_some() && !is_over;
        let is_decided = match self.word {
            None | Some(Word::Acknowledged) => self.order.is_some(),
            Some(Word::Approved | Word::ApprovedKey) => self.certificate.is_none() || !is_over,
            Some(Word::Denied | Word::DeniedAlone) => true, // its key stays denied, whatever wraps it
        };
        is_past && !self.is_wanted() && !is_ignored && !is_decided && self.new_key.is_none()
    }

    /// Whether it is not at SendGrid, as far as is known.
    pub(in crate::plan) const fn is_away(&self) -> bool {
        matches!(
            self.standing,
            Standing::Seen
                | Standing::Intent(_)
                | Standing::Retired { .. }
                | Standing::Removed { .. }
        )
    }

    /// Whether an operator said never to it.
    pub const fn is_denied(&self) -> bool {
        matches!(self.word, Some(Word::Denied | Word::DeniedAlone))
    }

    /// Whether an operator lets it in, whatever the trust mode.
    pub const fn is_approved(&self) -> bool {
        matches!(self.word, Some(Word::Approved | Word::ApprovedKey))
    }

    /// Whether SendGrid lets its key in, as far as is known: it is listed, and ours or in the source.
    pub(in crate::plan) fn is_in_use(&self) -> bool {
        matches!(self.standing, Standing::Confirmed(_))
            || (matches!(self.standing, Standing::Foreign { .. }) && self.is_wanted())
    }

    /// Whether it was removed, perhaps for cause, and no person wants it back.
    pub(in crate::plan) fn is_tombstone(&self) -> bool {
        matches!(self.standing, Standing::Removed { .. }) && self.order != Some(Order::Restore)
    }

    /// Whether an order can still be carried out.
    pub(super) const fn is_open(&self, order: Order) -> bool {
        match order {
            Order::Adopt => matches!(self.standing, Standing::Foreign { .. }),
            Order::Restore => self.is_away() || matches!(self.standing, Standing::Disabled { .. }),
            Order::Disable => matches!(
                self.standing,
                Standing::Confirmed(_) | Standing::Disabled { unsure: true, .. }
            ),
            Order::Delete => matches!(
                self.standing,
                Standing::Confirmed(_) | Standing::Disabled { .. } | Standing::Deleting(_)
            ),
        }
    }
}
