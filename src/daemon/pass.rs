//! A pass of one integration: read everything, decide with a pure function, act in order, tell once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::adapter::sendgrid::{Failure, ReadAnswer};
use crate::config::IntegrationSettings;
use crate::daemon::halt::{Halt, PassEnd, judge};
use crate::daemon::inbox::Trigger;
use crate::daemon::link::Link;
use crate::daemon::outcome::outcome_of;
use crate::daemon::publish::{publish, publish_failure};
use crate::daemon::quiet::ask_for_quiet_look;
use crate::daemon::shared::Shared;
use crate::daemon::source::{LookRequest, Sight, ask_for_look};
use crate::daemon::tell;
use crate::domain::{CertificateId, Fingerprint, IntegrationName, Moment, Row, Timestamp};
use crate::intake::canonical_pem;
use crate::plan::book::{Book, Standing};
use crate::plan::entry::{Entry, What};
use crate::plan::gate::Operation;
use crate::plan::rollover::{Action, Inputs, Plan, plan};
use crate::plan::settle::{ReadBack, Unreachable, settle, suspects};
use crate::plan::source::note_source;
use crate::plan::state::State;
use crate::plan::why::Why;
use crate::view::snapshot::LastChange;

/// One integration, as its passes need it.
pub struct Subject {
    /// Its name.
    pub name: IntegrationName,
    /// Its settings.
    pub settings: IntegrationSettings,
    /// Who looks at its directory.
    pub source: mpsc::Sender<LookRequest>,
    /// What the ledger believes, as it was last stored.
    pub book: Book,
}

/// One pass, and when the next thing is due; none: not before another trigger.
pub async fn pass(
    link: &mut Link,
    shared: &Shared,
    subject: &mut Subject,
    trigger: Trigger,
) -> (PassEnd, Option<Timestamp>) {
    let span = tracing::info_span!("pass", integration = %subject.name, trigger = %trigger);
    Pass {
        link,
        shared,
        subject,
        trigger,
    }
    .run()
    .instrument(span)
    .await
}

struct Pass<'a> {
    link: &'a mut Link,
    shared: &'a Shared,
    subject: &'a mut Subject,
    trigger: Trigger,
}

/// A comparison with SendGrid, and what was done about it.
struct Compared {
    plan: Plan,
    change: Option<LastChange>,
    /// Why uploads stopped short, although everything was compared.
    halt: Option<Halt>,
}

impl Pass<'_> {
    async fn run(mut self) -> (PassEnd, Option<Timestamp>) {
        self.link.begin_pass();
        let path: PathBuf = self.subject.settings.directory.directory.clone();
        let (source, name) = (&self.subject.source, &self.subject.name);
        let sight = if self.trigger == Trigger::Command {
            ask_for_quiet_look(source, name, &path, &self.shared.clock).await
        } else {
            ask_for_look(source, name, &path).await
        };
        self.link.beat();
        match self.compare(&sight).await {
            Ok(compared) => self.end_compared(compared),
            Err(halt) => self.end_uncompared(halt, &sight),
        }
    }

    fn end_compared(&self, compared: Compared) -> (PassEnd, Option<Timestamp>) {
        let Compared {
            mut plan,
            change,
            halt,
        } = compared;
        let now = self.shared.clock.now().wall;
        // What could go and did not, goes when uploads may go on; at once, if nothing stands in their way.
        let rest = !plan.actions.is_empty();
        let until = self
            .link
            .wait_for_upload(self.subject.settings.integration_id);
        if let (true, Some(until)) = (rest, until) {
            hold_back(&mut plan, until);
        }
        let due = rest
            .then(|| until.unwrap_or(now))
            .into_iter()
            .chain(plan.due)
            .min();
        publish(self.shared, self.subject, plan, change);
        match halt {
            None => (PassEnd::Ok, due),
            Some(halt) => (judge(halt, self.shared.clock.now().wall).0, due),
        }
    }

    fn end_uncompared(&self, halt: Halt, sight: &Sight) -> (PassEnd, Option<Timestamp>) {
        let (end, failure, until) = judge(halt, self.shared.clock.now().wall);
        let until = until.or_else(|| self.link.retry_at());
        let plan = self.plan_without_list(sight, until);
        let due = until
            .into_iter()
            .chain(plan.as_ref().and_then(|it| it.due))
            .min();
        publish_failure(self.shared, self.subject, plan, failure);
        (end, due)
    }

    async fn compare(&mut self, sight: &Sight) -> Result<Compared, Halt> {
        if let Ok(look) = sight {
            let mut book = self.subject.book.clone();
            let entries = note_source(&mut book, look, &self.shared.clock.now());
            if self.trigger == Trigger::Command {
                book.lift_holds();
            }
            self.store(book, entries).await?;
        }
        let rows = self.list().await?;
        self.settle(&rows).await?;
        let plan = self.plan(sight, &rows);
        if plan.actions.is_empty() {
            return Ok(Compared {
                plan,
                change: None,
                halt: None,
            });
        }
        tracing::info!(
            "Plan: {} to upload for {}",
            plan.actions.len(),
            self.subject.name
        );
        let started = self.shared.clock.now();
        let (applied, halt) = self.apply(&plan.actions).await;
        if applied == 0 {
            return Ok(Compared {
                plan,
                change: None,
                halt,
            });
        }
        let rows = self.list().await?;
        self.settle(&rows).await?;
        let change = self.last_change(&plan.actions, &started);
        Ok(Compared {
            plan: self.plan(sight, &rows),
            change,
            halt,
        })
    }

    /// The last of these uploads that was read back.
    fn last_change(&self, actions: &[Action], started: &Moment) -> Option<LastChange> {
        let is_there = |it: &Fingerprint| {
            let belief = self.subject.book.beliefs.get(it);
            belief.is_some_and(|it| matches!(it.standing, Standing::Confirmed(_)))
        };
        let now = self.shared.clock.now();
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
            let integration = self.subject.settings.integration_id;
            let ticket = match self.link.enter(Operation::Create, Some(integration)).await {
                Ok(ticket) => ticket,
                Err(closed) => return (applied, Some(closed.into())),
            };
            let now = self.shared.clock.now();
            let mut book = self.subject.book.clone();
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
                self.count(action, "blocked");
                return (applied, Some(halt));
            }
            let answer = self
                .link
                .create(ticket, integration, &canonical_pem(certificate.der()))
                .await;
            applied += 1;
            let (outcome, word) = outcome_of(&answer);
            self.count(action, word);
            let mut book = self.subject.book.clone();
            let entries = book.record(
                certificate.fingerprint(),
                &outcome,
                stamp,
                &self.shared.clock.now(),
            );
            if let Err(halt) = self.store(book, entries).await {
                return (applied, Some(halt));
            }
            let Err(error) = answer.result else { continue };
            tell::upload_failed(&self.subject.name, certificate, &error);
            if matches!(error.failure, Failure::Refused { .. }) {
                continue; // this certificate alone; the others go on
            }
            // The read-back settles what is unknown; a failure that nothing settles is the pass's.
            let is_known = error.failure.certainly_not_done();
            return (applied, is_known.then(|| Halt::from(error)));
        }
        (applied, None)
    }

    fn count(&self, action: &Action, result: &str) {
        self.shared
            .metrics
            .acted(self.link.name().as_str(), action.word(), result);
    }

    async fn list(&mut self) -> Result<Vec<Row>, Halt> {
        let integration = self.subject.settings.integration_id;
        let ticket = self.link.enter(Operation::List, Some(integration)).await?;
        Ok(self.link.list(ticket, integration).await?)
    }

    /// Settles the book by a list; what seems gone is asked about by id first.
    async fn settle(&mut self, rows: &[Row]) -> Result<(), Halt> {
        let delivery = self.subject.settings.policy.delivery;
        let mut reads = BTreeMap::new();
        for id in suspects(
            &self.subject.book,
            rows,
            &delivery,
            &self.shared.clock.now(),
        ) {
            let read = self.read_back(&id).await?;
            reads.insert(id, read);
        }
        let mut book = self.subject.book.clone();
        let now = self.shared.clock.now();
        let entries = settle(&mut book, rows, &reads, &delivery, &now).map_err(|Unreachable| {
            let text = "everything we know of it is gone at once, and SendGrid answers 404 for each: is it the right \
                        account and integration_id?";
            Halt::Missing(text.to_owned())
        })?;
        book.tidy(&now);
        self.store(book, entries).await
    }

    async fn read_back(&mut self, id: &CertificateId) -> Result<ReadBack, Halt> {
        let integration = self.subject.settings.integration_id;
        let ticket = self.link.enter(Operation::Read, Some(integration)).await?;
        Ok(match self.link.read(ticket, integration, id).await {
            Ok(ReadAnswer::NotThere) => ReadBack::NotThere,
            Ok(ReadAnswer::There(row)) => row
                .certificate()
                .map_or(ReadBack::Unclear, |it| ReadBack::Holds(it.fingerprint())),
            Err(_) => ReadBack::Unclear,
        })
    }

    fn plan(&self, sight: &Sight, rows: &[Row]) -> Plan {
        plan(&Inputs {
            look: sight.as_deref().ok(),
            rows,
            book: &self.subject.book,
            policy: &self.subject.settings.policy,
            is_skewed: self.link.is_skewed(),
            now: &self.shared.clock.now(),
        })
    }

    /// What can be said without a fresh list: what would go up waits until `until`.
    fn plan_without_list(&self, sight: &Sight, until: Option<Timestamp>) -> Option<Plan> {
        self.subject.book.first_list?;
        let rows = self.subject.book.as_listed();
        let mut plan = self.plan(sight, &rows);
        plan.actions.clear();
        if let Some(until) = until {
            hold_back(&mut plan, until);
        }
        Some(plan)
    }

    /// Makes a new book durable, and believes it only then.
    async fn store(&mut self, book: Book, entries: Vec<Entry>) -> Result<(), Halt> {
        if book == self.subject.book && entries.is_empty() {
            return Ok(());
        }
        let id = self.subject.settings.integration_id;
        let (before, after, told) = (self.subject.book.clone(), book.clone(), entries.clone());
        let saved = self
            .shared
            .ledger
            .write(move |it| it.save(id, &before, &after, &entries))
            .await;
        saved.map_err(|it| Halt::Failed(it.to_string()))?;
        for entry in &told {
            tell::entry(&self.subject.name, &book, entry);
        }
        self.subject.book = book;
        Ok(())
    }
}

/// What would go up waits until then.
fn hold_back(plan: &mut Plan, until: Timestamp) {
    for item in plan
        .items
        .iter_mut()
        .filter(|it| it.state == State::Planned)
    {
        item.state = State::Waiting;
        item.why = Why::Backoff { until };
    }
}
