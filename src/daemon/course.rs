//! The order of a pass: what must be durable before what is asked, and what is believed after which answer.
//!
//! It is written once, for whatever [`Hands`] carry it out: the daemon's own, in [`pass`](crate::daemon::pass), and those
//! of the tests' model world, which fail, lie and die between any two steps.

use std::collections::BTreeMap;

use crate::adapter::sendgrid::{CallError, Failure};
use crate::daemon::calls::CreateAnswer;
use crate::daemon::halt::Halt;
use crate::daemon::inbox::Trigger;
use crate::daemon::outcome::outcome_of;
use crate::domain::{Certificate, CertificateId, Fingerprint, IntegrationName, Look, Moment, Row};
use crate::plan::book::{Book, Standing};
use crate::plan::entry::{Entry, What};
use crate::plan::policy::Policy;
use crate::plan::rollover::{Action, Inputs, Plan, plan};
use crate::plan::settle::{ReadBack, Unreachable, settle, suspects};
use crate::plan::source::note_source;
use crate::view::snapshot::LastChange;

/// What a pass does to the world.
pub trait Hands {
    /// Leave to make one POST; the gate has counted it.
    type Leave: Send;

    /// Both clocks.
    fn now(&self) -> Moment;

    /// Whether SendGrid's clock and ours disagree too much for an end to be believed.
    fn is_skewed(&self) -> bool;

    /// Makes `after` and the entries durable, all or nothing. `before` is what is stored.
    fn save(
        &mut self,
        before: &Book,
        after: &Book,
        entries: &[Entry],
    ) -> impl Future<Output = Result<(), Halt>> + Send;

    /// Lists the integration's certificates, whole and fresh.
    fn list(&mut self) -> impl Future<Output = Result<Vec<Row>, Halt>> + Send;

    /// Reads one certificate by its id. No answer is [`ReadBack::Unclear`].
    fn read(&mut self, id: &CertificateId) -> impl Future<Output = Result<ReadBack, Halt>> + Send;

    /// Waits for leave to make a POST, if that is soon.
    fn enter_create(&mut self) -> impl Future<Output = Result<Self::Leave, Halt>> + Send;

    /// Uploads one certificate, enabled.
    fn create(
        &mut self,
        leave: Self::Leave,
        certificate: &Certificate,
    ) -> impl Future<Output = CreateAnswer> + Send;

    /// Takes note of what an action came to: `ok`, `failed`, `unknown` or `blocked`.
    fn note(&mut self, action: &Action, result: &'static str, error: Option<&CallError>);
}

/// A comparison with SendGrid, and what was done about it.
#[derive(Debug)]
pub struct Compared {
    /// How everything stands now.
    pub plan: Plan,
    /// The last upload that was read back.
    pub change: Option<LastChange>,
    /// Why uploads stopped short, although everything was compared.
    pub halt: Option<Halt>,
}

/// A list, and when it was asked for. Nothing younger than that is known from it, however late it is read.
struct Listed {
    rows: Vec<Row>,
    asked: Moment,
}

/// One pass of one integration.
pub struct Course<'a, H> {
    /// Which integration.
    pub name: &'a IntegrationName,
    /// Who does it.
    pub hands: &'a mut H,
    /// What is believed. Another belief takes its place only once it is durable.
    pub book: &'a mut Book,
    /// What the configuration demands.
    pub policy: &'a Policy,
    /// Why the pass is made.
    pub trigger: Trigger,
}

impl<H: Hands> Course<'_, H> {
    /// Makes the pass; `look`: the source, if it could be read.
    ///
    /// # Errors
    /// Why nothing could be compared. What is believed then is what is stored.
    pub async fn run(mut self, look: Option<&Look>) -> Result<Compared, Halt> {
        if let Some(look) = look {
            let mut book = self.book.clone();
            let entries = note_source(&mut book, look, &self.hands.now());
            if self.trigger == Trigger::Command {
                book.lift_holds();
            }
            self.store(book, entries).await?;
        }
        let listed = self.list().await?;
        self.settle(&listed).await?;
        let plan = self.plan(look, &listed.rows);
        if plan.actions.is_empty() {
            return Ok(Compared {
                plan,
                change: None,
                halt: None,
            });
        }
        tracing::info!("Plan: {} to upload for {}", plan.actions.len(), self.name);
        let started = self.hands.now();
        let (applied, halt) = self.apply(&plan.actions).await;
        if applied == 0 {
            return Ok(Compared {
                plan,
                change: None,
                halt,
            });
        }
        let listed = self.list().await?;
        self.settle(&listed).await?;
        let change = self.last_change(&plan.actions, &started);
        Ok(Compared {
            plan: self.plan(look, &listed.rows),
            change,
            halt,
        })
    }

    /// The last of these uploads that was read back.
    fn last_change(&self, actions: &[Action], started: &Moment) -> Option<LastChange> {
        let is_there = |it: &Fingerprint| {
            let belief = self.book.beliefs.get(it);
            belief.is_some_and(|it| matches!(it.standing, Standing::Confirmed(_)))
        };
        let now = self.hands.now();
        let fingerprint = actions
            .iter()
            .rev()
            .map(|it| it.certificate().fingerprint())
            .find(is_there)?;
        let took = now.elapsed_since(started);
        Some(LastChange {
            at: now.wall,
            what: "uploaded".to_owned(),
            fingerprint,
            took,
        })
    }

    /// Carries the actions out, one by one: intent made durable, request, outcome made durable. How many requests were
    /// made, and why it stopped short, if it did.
    async fn apply(&mut self, actions: &[Action]) -> (usize, Option<Halt>) {
        let mut applied = 0;
        for action in actions {
            let Action::Upload {
                certificate,
                evidence,
                is_new_key,
                stamp,
            } = action;
            let leave = match self.hands.enter_create().await {
                Ok(leave) => leave,
                Err(halt) => return (applied, Some(halt)),
            };
            let now = self.hands.now();
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
                return (applied, Some(halt));
            }
            let answer = self.hands.create(leave, certificate).await;
            applied += 1;
            let (outcome, word) = outcome_of(&answer);
            self.hands.note(action, word, answer.result.as_ref().err());
            let mut book = self.book.clone();
            let entries = book.record(
                certificate.fingerprint(),
                &outcome,
                stamp,
                &self.hands.now(),
            );
            if let Err(halt) = self.store(book, entries).await {
                return (applied, Some(halt));
            }
            let Err(error) = answer.result else { continue };
            if matches!(error.failure, Failure::Refused { .. }) {
                continue; // this certificate alone; the others go on
            }
            // The read-back settles what is unknown; a failure that nothing settles is the pass's.
            let is_known = error.failure.certainly_not_done();
            return (applied, is_known.then(|| Halt::from(error)));
        }
        (applied, None)
    }

    async fn list(&mut self) -> Result<Listed, Halt> {
        let asked = self.hands.now();
        let rows = self.hands.list().await?;
        Ok(Listed { rows, asked })
    }

    /// Settles the book by a list; what seems gone is asked about by id first.
    async fn settle(&mut self, Listed { rows, asked }: &Listed) -> Result<(), Halt> {
        let delivery = &self.policy.delivery;
        let mut reads = BTreeMap::new();
        for id in suspects(self.book, rows, delivery, asked) {
            let read = self.hands.read(&id).await?;
            reads.insert(id, read);
        }
        let mut book = self.book.clone();
        let entries = settle(&mut book, rows, &reads, delivery, asked).map_err(|Unreachable| {
            let text = "everything we know of it is gone at once, and SendGrid answers 404 for each: is it the right \
                        account and integration_id?";
            Halt::Missing(text.to_owned())
        })?;
        book.tidy(asked);
        self.store(book, entries).await
    }

    fn plan(&self, look: Option<&Look>, rows: &[Row]) -> Plan {
        plan(&Inputs {
            look,
            rows,
            book: self.book,
            policy: self.policy,
            is_skewed: self.hands.is_skewed(),
            now: &self.hands.now(),
        })
    }

    /// Makes a new book durable, and believes it only then.
    async fn store(&mut self, book: Book, entries: Vec<Entry>) -> Result<(), Halt> {
        if book == *self.book && entries.is_empty() {
            return Ok(());
        }
        self.hands.save(self.book, &book, &entries).await?;
        *self.book = book;
        Ok(())
    }
}
