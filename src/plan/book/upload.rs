//! An upload as the book sees it: the intent, and what came of it.

use std::time::Duration;

use crate::domain::{Certificate, CertificateId, Fingerprint, Moment};
use crate::plan::book::{Attempts, Belief, Book, Intent, PostAnswer, Rejection, Standing};
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
    Unknown {
        /// In a few words.
        why: String,
        /// Whether there was an answer, if none that tells.
        is_answered: bool,
    },
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
        belief.standing = Standing::Intent(Intent::new(now.clone()));
        belief.posts = belief.posts.saturating_add(1);
        let attempts = belief.attempts.get_or_insert_with(|| Attempts {
            first: now.clone(),
            posts: 0,
            accepted: 0,
            unanswered: 0,
        });
        attempts.posts = attempts.posts.saturating_add(1);
        attempts.unanswered = attempts.unanswered.saturating_add(1); // until it is answered
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
        belief.take_answer(outcome, now);
        match outcome {
            PostOutcome::Answered { took, .. } => {
                vec![entry(
                    What::Uploaded,
                    format!("answered in {} ms", took.as_millis()),
                )]
            }
            PostOutcome::Unknown { why, .. } => {
                vec![entry(What::Uploaded, format!("{why}, not sent again"))]
            }
            PostOutcome::NotStored(why) => {
                belief.withdraw();
                vec![entry(What::Unsent, why.clone())]
            }
            PostOutcome::Rejected(why) => {
                belief.posts = belief.posts.saturating_sub(1);
                belief.new_key = None;
                belief.rejection = Some(Rejection { at: now.clone() });
                vec![entry(What::Rejected, why.clone())]
            }
        }
    }
}

impl Belief {
    /// Notes how its POST was answered, on the intent and among the attempts.
    fn take_answer(&mut self, outcome: &PostOutcome, now: &Moment) {
        let Standing::Intent(intent) = &mut self.standing else {
            return;
        };
        intent.at = now.clone();
        intent.answer = match outcome {
            PostOutcome::Answered { id, .. } => {
                intent.id.clone_from(id);
                PostAnswer::Accepted
            }
            PostOutcome::Unknown {
                is_answered: false, ..
            } => PostAnswer::Missing,
            PostOutcome::Unknown { .. } | PostOutcome::NotStored(_) => PostAnswer::Error,
            PostOutcome::Rejected(_) => PostAnswer::Refused,
        };
        if let (Some(attempts), true) = (&mut self.attempts, intent.answer != PostAnswer::Missing) {
            attempts.unanswered = attempts.unanswered.saturating_sub(1);
            if intent.answer == PostAnswer::Accepted {
                attempts.accepted = attempts.accepted.saturating_add(1);
            }
        }
    }

    /// The POST certainly stored nothing.
    fn withdraw(&mut self) {
        self.standing = Standing::Seen;
        self.posts = self.posts.saturating_sub(1);
        self.last_post = None;
        self.new_key = None;
        if let Some(attempts) = &mut self.attempts {
            attempts.posts = attempts.posts.saturating_sub(1); // but when the first was made stays known
        }
    }
}
