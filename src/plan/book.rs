//! What the ledger believes of one integration, and how it comes to believe something else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{
    Certificate, CertificateId, Fingerprint, Moment, PublicKeyId, Row, RowContent, Timestamp,
};
use crate::plan::entry::{Entry, What};

/// Everything believed about one integration: the ledger's memory as values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Book {
    /// One belief a fingerprint.
    pub beliefs: BTreeMap<Fingerprint, Belief>,
    /// When SendGrid's list was first read whole; what was on it then is `inherited`.
    pub first_list: Option<Timestamp>,
    /// When it was last read whole.
    pub last_list: Option<Timestamp>,
    /// Ids of rows that could not be read at the last list. A new one may be what an open intent stored.
    pub unreadable: BTreeSet<CertificateId>,
}

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
    /// SendGrid's last 400, until it is there after all.
    pub rejection: Option<Rejection>,
    /// When its key was uploaded as a new one; counts against the budget of new keys.
    pub new_key: Option<Moment>,
    /// When it was last confirmed to be there, having been away before.
    pub trusted_since: Option<Moment>,
    /// A person's word.
    pub word: Option<Word>,
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
    /// Ours, disabled by us, under this id.
    Disabled(CertificateId),
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
        /// In which files.
        paths: Vec<PathBuf>,
    },
    /// A healthy look lacked it.
    Gone {
        /// The first such look in a row.
        since: Moment,
    },
}

/// A 400.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// When.
    pub at: Moment,
    /// The version of the files that asked for it; another version lifts the hold.
    pub stamp: String,
}

/// A person's word about a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Upload it, whatever the trust mode.
    Approved,
    /// Never upload it or its key.
    Denied,
    /// Not ours, and known.
    Acknowledged,
}

impl Belief {
    /// A certificate that nothing is known about yet.
    pub fn new(certificate: Certificate) -> Self {
        Self {
            certificate: Some(certificate),
            standing: Standing::Seen,
            source: InSource::Never,
            missing: None,
            posts: 0,
            last_post: None,
            rejection: None,
            new_key: None,
            trusted_since: None,
            word: None,
        }
    }

    /// Which key it wraps, if it was ever seen.
    pub fn key_id(&self) -> Option<PublicKeyId> {
        self.certificate.as_ref().map(Certificate::key_id)
    }

    /// The id under which it should be listed.
    pub fn id(&self) -> Option<&CertificateId> {
        match &self.standing {
            Standing::Confirmed(id) | Standing::Disabled(id) => Some(id),
            Standing::Intent(Intent { id, .. })
            | Standing::Foreign { id, .. }
            | Standing::Removed { id } => id.as_ref(),
            Standing::Seen => None,
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
            Standing::Confirmed(_) | Standing::Disabled(_) | Standing::Foreign { .. }
        )
    }

    /// Whether nothing is left to remember: it may be dropped from the books; the audit trail keeps its story.
    fn is_idle(&self) -> bool {
        let there = self.is_wanted() || self.standing != Standing::Seen;
        !there && self.word.is_none() && self.new_key.is_none()
    }
}

impl Book {
    /// What is believed about a certificate, made if there is nothing yet.
    pub fn belief(&mut self, certificate: &Certificate) -> &mut Belief {
        let belief = self
            .beliefs
            .entry(certificate.fingerprint())
            .or_insert_with(|| Belief::new(certificate.clone()));
        belief
            .certificate
            .get_or_insert_with(|| certificate.clone());
        belief
    }

    /// The list as it was when it was last read, as far as it is remembered: what can be said before a new one is there.
    pub fn as_listed(&self) -> Vec<Row> {
        let known = self
            .beliefs
            .values()
            .filter(|it| it.is_listed() && it.missing.is_none())
            .filter_map(|it| {
                let certificate = Box::new(it.certificate.clone()?);
                Some(Row {
                    id: it.id().cloned(),
                    content: RowContent::Certificate(certificate),
                })
            });
        let unreadable = self.unreadable.iter().map(|it| Row {
            id: Some(it.clone()),
            content: RowContent::Undecodable,
        });
        known.chain(unreadable).collect()
    }

    /// Open intents: POSTs whose outcome is unknown.
    pub fn open_intents(&self) -> usize {
        self.beliefs
            .values()
            .filter(|it| matches!(it.standing, Standing::Intent(_)))
            .count()
    }

    /// Notes that a POST is about to be made. This must be durable before the POST is.
    pub fn intend(&mut self, certificate: &Certificate, is_new_key: bool, now: &Moment) {
        let counts = is_new_key && self.beliefs.values().any(|it| it.trusted_since.is_some());
        let belief = self.belief(certificate);
        belief.standing = Standing::Intent(Intent {
            at: now.clone(),
            id: None,
            lists: 0,
        });
        belief.posts = belief.posts.saturating_add(1);
        belief.last_post = Some(now.clone());
        if counts && belief.new_key.is_none() {
            belief.new_key = Some(now.clone());
        }
    }

    /// Takes in what a POST came to. While that is unknown the intent stays open, and its window begins anew: a machine
    /// may have slept for hours between the intent and the request.
    pub fn record(
        &mut self,
        fingerprint: Fingerprint,
        outcome: &PostOutcome,
        stamp: &str,
        now: &Moment,
    ) -> Vec<Entry> {
        let Some(belief) = self.beliefs.get_mut(&fingerprint) else {
            return Vec::new();
        };
        let entry = |what, detail: String| Entry::new(now.wall, what, Some(fingerprint), detail);
        if let Standing::Intent(intent) = &mut belief.standing {
            intent.at = now.clone();
        }
        match outcome {
            PostOutcome::Answered { id, took } => {
                if let Standing::Intent(intent) = &mut belief.standing {
                    intent.id.clone_from(id);
                }
                vec![entry(
                    What::Uploaded,
                    format!("answered in {} ms", took.as_millis()),
                )]
            }
            PostOutcome::Unknown(why) => {
                vec![entry(What::Uploaded, format!("{why}, not sent again"))]
            }
            PostOutcome::NotStored(why) => {
                belief.withdraw();
                vec![entry(What::Unsent, why.clone())]
            }
            PostOutcome::Rejected(why) => {
                belief.withdraw();
                belief.rejection = Some(Rejection {
                    at: now.clone(),
                    stamp: stamp.to_owned(),
                });
                vec![entry(What::Rejected, why.clone())]
            }
        }
    }

    /// Drops what nothing is left to remember of, and budgets that have run out.
    pub fn tidy(&mut self, now: &Moment) {
        for belief in self.beliefs.values_mut() {
            if belief
                .new_key
                .as_ref()
                .is_some_and(|it| now.elapsed_since(it) >= KEY_BUDGET_PERIOD)
            {
                belief.new_key = None;
            }
        }
        self.beliefs.retain(|_, it| !it.is_idle());
    }

    /// Forgets every wait of ours that a person may lift: rejections.
    pub fn lift_holds(&mut self) {
        for belief in self.beliefs.values_mut() {
            belief.rejection = None;
        }
    }
}

impl Belief {
    /// The POST certainly stored nothing.
    fn withdraw(&mut self) {
        self.standing = Standing::Seen;
        self.posts = self.posts.saturating_sub(1);
        self.last_post = None;
        self.new_key = None;
    }
}

/// The period over which new keys are counted.
pub const KEY_BUDGET_PERIOD: Duration = Duration::from_secs(24 * 3600);

/// What a POST came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PostOutcome {
    /// A 2xx. The read-back decides.
    Answered {
        /// The id in the answer, if it could be read.
        id: Option<CertificateId>,
        /// How long it took.
        took: Duration,
    },
    /// It may have been stored: why nobody knows.
    Unknown(String),
    /// It was certainly not stored: why.
    NotStored(String),
    /// SendGrid refused this certificate: why.
    Rejected(String),
}
