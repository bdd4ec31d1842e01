//! An upload as the book sees it: the intent, and what came of it.

use std::time::Duration;

use crate::domain::{Certificate, CertificateId, Fingerprint, Moment};
use crate::plan::book::{Belief, Book, Intent, Rejection, Standing};
use crate::plan::entry::{Entry, What};

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

impl Book {
    /// Notes that a POST is about to be made. This must be durable before the POST is.
    pub fn intend(&mut self, certificate: &Certificate, is_new_key: bool, now: &Moment) {
        let counts = is_new_key && self.has_ever_trusted();
        self.is_sending = true;
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
        now: &Moment,
    ) -> Vec<Entry> {
        self.is_sending = false;
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
                belief.rejection = Some(Rejection { at: now.clone() });
                vec![entry(What::Rejected, why.clone())]
            }
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
