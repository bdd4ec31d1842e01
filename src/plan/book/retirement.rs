//! Enabling, disabling and deleting as the book sees them: what is believed before such a request, and after it.
//!
//! `enabled` cannot be read back, so belief is on the careful side. From before the request that takes a certificate
//! away it counts for nothing, until it is certain that the request came to nothing; from the request that enables one
//! it counts only once that was answered.

use std::time::Duration;

use crate::domain::{Fingerprint, Moment};
use crate::plan::book::{Belief, Book, Deleting, Standing, Write, WriteRefusal};
use crate::plan::entry::{Entry, What};
use crate::plan::retire::How;

/// What a PATCH or a DELETE came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WriteOutcome {
    /// It was carried out.
    Done {
        /// How long that took.
        took: Duration,
    },
    /// It may have been carried out: why nobody knows.
    Unknown(String),
    /// It was certainly not carried out.
    NotDone {
        /// Why not.
        why: String,
        /// With a 403.
        is_forbidden: bool,
    },
}

impl Book {
    /// Notes that a certificate of ours is about to be taken away. This must be durable before the request is made.
    pub fn begin_retirement(
        &mut self,
        fingerprint: Fingerprint,
        how: How,
        ordered: bool,
        now: &Moment,
    ) {
        let Some(belief) = self.beliefs.get_mut(&fingerprint) else {
            return;
        };
        let Some(id) = belief.id().cloned() else {
            return;
        };
        belief.standing = match how {
            How::Disable => Standing::Disabled {
                id,
                ordered,
                unsure: true,
            },
            How::Delete => Standing::Deleting(Deleting {
                id,
                ordered,
                was_disabled: matches!(belief.standing, Standing::Disabled { .. }),
                was_unsure: belief.is_unsure(),
                at: now.clone(),
            }),
        };
        belief.missing = None;
        belief.trusted_for = None;
        self.is_sending = true;
        self.retired_at = Some(now.clone());
        if how == How::Disable {
            self.patched_at = Some(now.clone());
        }
    }

    /// Notes that a certificate is about to be enabled. This must be durable before the request is made.
    pub fn begin_enabling(&mut self, fingerprint: Fingerprint, now: &Moment) {
        if let Some(belief) = self.beliefs.get_mut(&fingerprint)
            && let Standing::Disabled { unsure, .. } = &mut belief.standing
        {
            *unsure = true;
        }
        self.is_sending = true;
        self.patched_at = Some(now.clone());
    }

    /// Takes in what such a request came to. A DELETE that was carried out is believed once the list and a GET say so.
    /// `again`: an earlier one had an unknown outcome, which a later failure does not tell.
    pub fn end_retirement(
        &mut self,
        fingerprint: Fingerprint,
        how: How,
        again: bool,
        outcome: &WriteOutcome,
        now: &Moment,
    ) -> Vec<Entry> {
        self.is_sending = false;
        // A machine may have slept for hours between what was noted and the request.
        self.retired_at = Some(now.clone());
        if how == How::Disable {
            self.end_patch(outcome, now);
        }
        let Some(belief) = self.beliefs.get_mut(&fingerprint) else {
            return Vec::new();
        };
        if let Standing::Deleting(deleting) = &mut belief.standing {
            deleting.at = now.clone();
        }
        let entry = |what, detail: String| Entry::new(now.wall, what, Some(fingerprint), detail);
        match outcome {
            WriteOutcome::Done { took } => {
                let what = match how {
                    How::Disable => What::Disabled,
                    How::Delete => What::Deleted,
                };
                if let Standing::Disabled { unsure, .. } = &mut belief.standing {
                    *unsure = false;
                    belief.trusted_since = None;
                }
                vec![entry(what, format!("answered in {} ms", took.as_millis()))]
            }
            WriteOutcome::Unknown(why) => {
                vec![entry(What::Unsure, format!("{}: {why}", how.word()))]
            }
            WriteOutcome::NotDone { why, is_forbidden } => {
                if !again {
                    belief.take_back();
                    self.retired_at = None; // the one before is more than a day ago
                }
                self.refuse_write(how.write(), *is_forbidden, now);
                vec![entry(What::Kept, format!("{}: {why}", how.word()))]
            }
        }
    }

    /// Takes in what a request to enable a certificate came to. `was_unsure`: whether it was disabled was not known
    /// before either, and a failure does not tell.
    pub fn end_enabling(
        &mut self,
        fingerprint: Fingerprint,
        was_unsure: bool,
        outcome: &WriteOutcome,
        now: &Moment,
    ) -> Vec<Entry> {
        self.is_sending = false;
        self.end_patch(outcome, now);
        let Some(belief) = self.beliefs.get_mut(&fingerprint) else {
            return Vec::new();
        };
        let entry = |what, detail: String| Entry::new(now.wall, what, Some(fingerprint), detail);
        match outcome {
            WriteOutcome::Done { took } => {
                let Some(id) = belief.id().cloned() else {
                    return Vec::new();
                };
                belief.confirm(id, now);
                belief.order = None;
                vec![entry(
                    What::Enabled,
                    format!("answered in {} ms", took.as_millis()),
                )]
            }
            WriteOutcome::Unknown(why) => vec![entry(What::Unsure, format!("enable: {why}"))],
            WriteOutcome::NotDone { why, is_forbidden } => {
                if let Standing::Disabled { unsure, .. } = &mut belief.standing {
                    *unsure = was_unsure;
                }
                self.refuse_write(Write::Update, *is_forbidden, now);
                vec![entry(What::Kept, format!("enable: {why}"))]
            }
        }
    }

    fn end_patch(&mut self, outcome: &WriteOutcome, now: &Moment) {
        let is_open = matches!(outcome, WriteOutcome::Unknown(_));
        self.patched_at = is_open.then(|| now.clone());
    }

    /// Notes that a write is not tried again for a while.
    pub fn refuse_write(&mut self, write: Write, is_forbidden: bool, now: &Moment) {
        let refusal = WriteRefusal {
            at: now.clone(),
            is_forbidden,
        };
        self.refused_writes.insert(write, refusal);
    }
}

impl Belief {
    /// The request that would have taken it away came to nothing.
    pub(in crate::plan) fn take_back(&mut self) {
        self.standing = match &self.standing {
            Standing::Disabled {
                id, unsure: true, ..
            } => Standing::Confirmed(id.clone()),
            Standing::Deleting(it) if it.was_disabled => Standing::Disabled {
                id: it.id.clone(),
                ordered: it.ordered,
                unsure: it.was_unsure,
            },
            Standing::Deleting(it) => Standing::Confirmed(it.id.clone()),
            other => other.clone(),
        };
    }
}
