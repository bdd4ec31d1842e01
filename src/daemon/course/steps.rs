//! One action: what is made durable, then the request, then what is believed of its outcome.

use crate::adapter::sendgrid::{CallError, Failure};
use crate::daemon::course::{Basis, Course, Hands};
use crate::daemon::halt::Halt;
use crate::daemon::outcome::{outcome_of, write_outcome};
use crate::domain::Moment;
use crate::plan::book::{Belief, Book, Write, WriteOutcome};
use crate::plan::entry::{Entry, What};
use crate::plan::gate::Operation;
use crate::plan::retire::How;
use crate::plan::rollover::Action;
use crate::plan::settle::ReadBack;

/// What became of one action.
pub(super) enum Step {
    /// A request was made.
    Made(Next),
    /// None was: why, if that ends the pass.
    NotMade(Option<Halt>),
}

/// Whether the pass goes on to its next action.
pub(super) enum Next {
    /// It does.
    GoOn,
    /// It does not; why, if the read-back does not tell.
    Stop(Option<Halt>),
}

/// `2 to upload, 1 to disable`.
pub(super) fn in_words(actions: &[Action]) -> String {
    let words = ["upload", "enable", "disable", "delete"].map(|word| {
        let number = actions.iter().filter(|it| it.word() == word).count();
        (number > 0).then(|| format!("{number} to {word}"))
    });
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

impl<H: Hands> Course<'_, H> {
    /// Intent made durable, POST, outcome made durable.
    pub(super) async fn upload(&mut self, action: &Action, basis: &Basis) -> Step {
        let Action::Upload {
            certificate,
            evidence,
            is_new_key,
        } = action
        else {
            return Step::NotMade(None);
        };
        let (leave, now) = match self.leave(Operation::Create, basis).await {
            Ok(it) => it,
            Err(halt) => return Step::NotMade(halt),
        };
        let mut book = self.book.clone();
        book.intend(certificate, *is_new_key, &now);
        let key = if *is_new_key { "new key" } else { "known key" };
        let detail = format!("{key}, evidence: {evidence}, after {}", self.trigger);
        let entry = Entry::new(
            now.wall,
            What::Accepted,
            Some(certificate.fingerprint()),
            detail,
        );
        if let Err(halt) = self.store(book, vec![entry]).await {
            self.hands.note(action, "blocked", None);
            return Step::NotMade(Some(halt));
        }
        let answer = self.hands.create(leave, certificate).await;
        let (outcome, word) = outcome_of(&answer);
        self.hands.note(action, word, answer.result.as_ref().err());
        let mut book = self.book.clone();
        let entries = book.record(certificate.fingerprint(), &outcome, &self.hands.now());
        if let Err(halt) = self.store(book, entries).await {
            return Step::Made(Next::Stop(Some(halt)));
        }
        Step::Made(match answer.result {
            Ok(_) => Next::GoOn,
            // This certificate alone; the others go on.
            Err(error) if matches!(error.failure, Failure::Refused { .. }) => Next::GoOn,
            Err(error) => stop(error),
        })
    }

    /// Evidence made durable, PATCH, outcome made durable. It counts as enabled once that is answered, and as disabled for
    /// certain no longer from before the request.
    pub(super) async fn enable(&mut self, action: &Action, basis: &Basis) -> Step {
        let Action::Enable {
            certificate,
            id,
            evidence,
        } = action
        else {
            return Step::NotMade(None);
        };
        let (leave, now) = match self.leave(Operation::Update, basis).await {
            Ok(it) => it,
            Err(halt) => return Step::NotMade(halt),
        };
        let fingerprint = certificate.fingerprint();
        let detail = format!("id {id}, evidence: {evidence}, after {}", self.trigger);
        let entry = Entry::new(now.wall, What::Enabling, Some(fingerprint), detail);
        let before = self.book.beliefs.get(&fingerprint);
        let was_unsure = before.is_some_and(Belief::is_unsure);
        let mut book = self.book.clone();
        book.begin_enabling(fingerprint, &now);
        if let Err(halt) = self.store(book, vec![entry]).await {
            self.hands.note(action, "blocked", None);
            return Step::NotMade(Some(halt));
        }
        let answer = self.hands.set_enabled(leave, id, true).await;
        let (outcome, word) = write_outcome(&answer);
        self.hands.note(action, word, answer.result.as_ref().err());
        let mut book = self.book.clone();
        let entries = book.end_enabling(fingerprint, was_unsure, &outcome, &self.hands.now());
        self.end_write(book, entries, answer.result.err()).await
    }

    /// It and what is to stay read back by their ids; what is about to happen made durable; PATCH or DELETE; outcome made durable. It counts for
    /// nothing from before the request.
    pub(super) async fn retire(&mut self, action: &Action, basis: &Basis) -> Step {
        let Action::Retire {
            certificate,
            id,
            how,
            ordered,
            again,
            grounds,
            stays,
        } = action
        else {
            return Step::NotMade(None);
        };
        let fingerprint = certificate.fingerprint();
        match self.hands.read(id).await {
            Ok(ReadBack::Holds(it)) if it == fingerprint => {}
            Ok(other) => return self.balk(action, *how, "it", other).await,
            Err(halt) => return Step::NotMade(Some(halt)),
        }
        // Last, as it must be there when the other one goes.
        match self.hands.read(&stays.1).await {
            Ok(ReadBack::Holds(it)) if it == stays.0 => {}
            Ok(other) => return self.balk(action, *how, "what is to stay", other).await,
            Err(halt) => return Step::NotMade(Some(halt)),
        }
        let operation = match how.write() {
            Write::Update => Operation::Update,
            Write::Delete => Operation::Delete,
        };
        let (leave, now) = match self.leave(operation, basis).await {
            Ok(it) => it,
            Err(halt) => return Step::NotMade(halt),
        };
        let mut book = self.book.clone();
        book.begin_retirement(fingerprint, *how, *ordered, &now);
        let detail = format!(
            "{}, id {id} read back, evidence: {grounds}, after {}",
            how.word(),
            self.trigger
        );
        let entry = Entry::new(now.wall, What::Retiring, Some(fingerprint), detail);
        if let Err(halt) = self.store(book, vec![entry]).await {
            self.hands.note(action, "blocked", None);
            return Step::NotMade(Some(halt));
        }
        let now = self.hands.now();
        if !basis.serves(&now) {
            self.hands.note(action, "blocked", None);
            let why = "not sent, as too much time passed since the list".to_owned();
            let is_forbidden = false;
            let outcome = WriteOutcome::NotDone { why, is_forbidden };
            let mut book = self.book.clone();
            let entries = book.end_retirement(fingerprint, *how, *again, &outcome, &now);
            return Step::NotMade(self.store(book, entries).await.err());
        }
        let answer = match how {
            How::Disable => self.hands.set_enabled(leave, id, false).await,
            How::Delete => self.hands.delete(leave, id).await,
        };
        let (outcome, word) = match (write_outcome(&answer), how, &answer.result) {
            // What is to be deleted and is not there is deleted.
            (_, How::Delete, Err(error)) if error.failure == Failure::NotFound => {
                (WriteOutcome::Done { took: answer.took }, "ok")
            }
            (outcome, _, _) => outcome,
        };
        self.hands.note(action, word, answer.result.as_ref().err());
        let mut book = self.book.clone();
        let entries = book.end_retirement(fingerprint, *how, *again, &outcome, &self.hands.now());
        self.end_write(book, entries, answer.result.err()).await
    }

    /// Leave to make a request now, if the plan still serves by then; otherwise why not, if that ends the pass.
    async fn leave(
        &mut self,
        operation: Operation,
        basis: &Basis,
    ) -> Result<(H::Leave, Moment), Option<Halt>> {
        let leave = self.hands.enter(operation).await.map_err(Some)?;
        let now = self.hands.now();
        if basis.serves(&now) {
            Ok((leave, now))
        } else {
            Err(None)
        }
    }

    /// The row is not what the list said: nothing is taken away, and not tried again for a while.
    async fn balk(&mut self, action: &Action, how: How, which: &str, found: ReadBack) -> Step {
        let detail = match found {
            ReadBack::NotThere => "was not there (404) when it was read back",
            ReadBack::Holds(_) => "carried another certificate when it was read back",
            ReadBack::Unclear => "could not be read back",
        };
        self.hands.note(action, "blocked", None);
        let now = self.hands.now();
        let mut book = self.book.clone();
        book.refuse_write(how.write(), false, &now);
        let entry = Entry::new(
            now.wall,
            What::Kept,
            Some(action.certificate().fingerprint()),
            format!("{}: {which} {detail}", how.word()),
        );
        Step::NotMade(self.store(book, vec![entry]).await.err())
    }

    async fn end_write(
        &mut self,
        book: Book,
        entries: Vec<Entry>,
        error: Option<CallError>,
    ) -> Step {
        if let Err(halt) = self.store(book, entries).await {
            return Step::Made(Next::Stop(Some(halt)));
        }
        Step::Made(error.map_or(Next::GoOn, stop))
    }
}

/// The read-back settles what is unknown; a failure that nothing settles is the pass's.
fn stop(error: CallError) -> Next {
    let is_known = error.failure.certainly_not_done();
    Next::Stop(is_known.then(|| Halt::from(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::certificate;
    use crate::plan::trust::Evidence;

    #[test]
    fn a_plan_in_words() {
        let upload = Action::Upload {
            certificate: certificate("a", "k", 1),
            evidence: Evidence::Source,
            is_new_key: true,
        };
        assert_eq!(in_words(&[upload.clone(), upload]), "2 to upload");
        assert_eq!(in_words(&[]), "");
    }
}
