//! A pass of one integration: read everything, decide with a pure function, act in order, tell once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::adapter::sendgrid::{CallError, Failure, ReadAnswer};
use crate::config::IntegrationSettings;
use crate::daemon::inbox::Trigger;
use crate::daemon::link::{Closed, CreateAnswer, Link};
use crate::daemon::quiet::ask_for_quiet_look;
use crate::daemon::shared::Shared;
use crate::daemon::source::{LookRequest, Sight, ask_for_look};
use crate::daemon::tell;
use crate::daemon::worker::Rehearsal;
use crate::domain::text::span;
use crate::domain::{Certificate, CertificateId, IntegrationName, Row, Timestamp};
use crate::intake::canonical_pem;
use crate::plan::book::{Book, PostOutcome};
use crate::plan::entry::{Entry, What};
use crate::plan::gate::Operation;
use crate::plan::rollover::{Action, Inputs, Plan, plan};
use crate::plan::settle::{ReadBack, Unreachable, settle, suspects};
use crate::plan::source::note_source;
use crate::plan::state::State;
use crate::plan::why::Why;
use crate::view::snapshot::{LastChange, PassFailure};

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

/// How a pass ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PassEnd {
    /// Everything was compared, and what could be done was done.
    Ok,
    /// Something failed; the text is on the board.
    Failed,
    /// The account has to wait: nothing failed in this pass.
    Held {
        /// For how long.
        left: Duration,
    },
    /// The daemon stops.
    Stopped,
}

impl PassEnd {
    /// The metric label `result`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Held { .. } | Self::Stopped => "held",
        }
    }
}

/// Why a pass stopped short.
enum Halt {
    Closed(Closed),
    Failed(String),
    Missing(String),
}

impl From<Closed> for Halt {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

impl From<CallError> for Halt {
    fn from(error: CallError) -> Self {
        let text = error.to_string();
        if error.failure == Failure::NotFound {
            Self::Missing(text)
        } else {
            Self::Failed(text)
        }
    }
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

impl Pass<'_> {
    async fn run(mut self) -> (PassEnd, Option<Timestamp>) {
        let path: PathBuf = self.subject.settings.directory.directory.clone();
        let (source, name) = (&self.subject.source, &self.subject.name);
        let sight = if self.trigger == Trigger::Command {
            ask_for_quiet_look(source, name, &path, &self.shared.clock).await
        } else {
            ask_for_look(source, name, &path).await
        };
        self.link.beat();
        let end = self.observe_and_apply(&sight).await;
        match end {
            Ok((plan, change)) => {
                // Whatever could go and did not, because an upload before it stopped short, goes at once.
                let now = self.shared.clock.now().wall;
                let due = if plan.actions.is_empty() {
                    plan.due
                } else {
                    Some(now)
                };
                self.publish(plan, change);
                (PassEnd::Ok, due)
            }
            Err(halt) => {
                let (end, failure, until) = self.judge(halt);
                let until =
                    until.or_else(|| self.link.wait_for(self.subject.settings.integration_id));
                let plan = self.plan_without_list(&sight, until);
                let due = until
                    .into_iter()
                    .chain(plan.as_ref().and_then(|it| it.due))
                    .min();
                self.publish_failure(plan, failure);
                (end, due)
            }
        }
    }

    async fn observe_and_apply(
        &mut self,
        sight: &Sight,
    ) -> Result<(Plan, Option<LastChange>), Halt> {
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
        let first = self.plan(sight, &rows);
        if first.actions.is_empty() {
            return Ok((first, None));
        }
        tracing::info!(
            actions = first.actions.len(),
            "Plan: {} to upload",
            first.actions.len()
        );
        let started = self.shared.clock.now();
        let (applied, halt) = self.apply(&first.actions).await;
        if applied > 0 {
            let rows = self.list().await?;
            self.settle(&rows).await?;
            let took = self.shared.clock.now().elapsed_since(&started);
            let change = first.actions.last().map(|it| LastChange {
                at: self.shared.clock.now().wall,
                what: "uploaded".to_owned(),
                fingerprint: it.certificate().fingerprint(),
                took,
            });
            if halt.is_none() {
                return Ok((self.plan(sight, &rows), change));
            }
        }
        Err(halt.unwrap_or_else(|| Halt::Failed("nothing could be applied".to_owned())))
    }

    /// Carries the actions out, one by one: intent made durable, request, outcome made durable. How many requests were
    /// made, and why it stopped short, if it did.
    async fn apply(&mut self, actions: &[Action]) -> (usize, Option<Halt>) {
        let mut applied = 0;
        let mut failed = None;
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
            if let Err(error) = answer.result {
                let goes_on = matches!(error.failure, Failure::Refused { .. });
                tell::upload_failed(&self.subject.name, certificate, &error);
                if !goes_on {
                    // The read-back settles what is unknown; a failure that nothing settles ends the pass.
                    let is_known = error.failure.certainly_not_done();
                    failed = is_known.then(|| Halt::from(error));
                    break;
                }
            }
        }
        (applied, failed)
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
            for item in plan
                .items
                .iter_mut()
                .filter(|it| it.state == State::Planned)
            {
                item.state = State::Waiting;
                item.why = Why::Backoff { until };
            }
        }
        Some(plan)
    }

    /// What a halt means for the worker and for people: how the pass ended, the failure to show, and when it is tried
    /// again if that is known.
    fn judge(&self, halt: Halt) -> (PassEnd, Option<PassFailure>, Option<Timestamp>) {
        let now = self.shared.clock.now().wall;
        let failure = |text: String, is_missing| {
            Some(PassFailure {
                since: now,
                text,
                is_missing,
            })
        };
        match halt {
            Halt::Closed(Closed::Stopping) => (PassEnd::Stopped, None, None),
            Halt::Closed(Closed::NoKey(why)) => (PassEnd::Failed, failure(why, false), None),
            Halt::Closed(Closed::Wait { left, .. }) => {
                (PassEnd::Held { left }, None, Some(now.plus(left)))
            }
            Halt::Missing(text) => (PassEnd::Failed, failure(text, true), None),
            Halt::Failed(text) => (PassEnd::Failed, failure(text, false), None),
        }
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
            .with(move |it| it.save(id, &before, &after, &entries))
            .await;
        saved.map_err(|it| Halt::Failed(it.to_string()))?;
        for entry in &told {
            tell::entry(&self.subject.name, &book, entry);
        }
        self.subject.book = book;
        Ok(())
    }

    fn publish(&self, plan: Plan, change: Option<LastChange>) {
        let compared_at = self.subject.book.last_list;
        let now = self.shared.clock.now().wall;
        self.shared.board.integration(&self.subject.name, |it| {
            it.untrusted_since =
                (plan.outlook.trusted == 0).then(|| it.untrusted_since.unwrap_or(now));
            it.plan = Some(Arc::new(plan));
            it.compared_at = compared_at;
            it.has_passed = true;
            it.failure = None;
            if change.is_some() {
                it.last_change = change;
            }
        });
    }

    fn publish_failure(&self, plan: Option<Plan>, failure: Option<PassFailure>) {
        let name = &self.subject.name;
        self.shared.board.integration(name, |it| {
            it.has_passed = true;
            it.compared_at = self.subject.book.last_list;
            if let Some(plan) = plan {
                it.plan = Some(Arc::new(plan));
            }
            if let Some(mut failure) = failure {
                let is_news = it.failure.as_ref().is_none_or(|before| before.text != failure.text);
                let (text, since) = (&failure.text, it.failure.as_ref().map(|it| it.since));
                if since.is_none() {
                    tracing::error!(integration = %name, "Not compared with SendGrid: {name}: {text}");
                } else if is_news {
                    tracing::debug!(integration = %name, "Still not compared with SendGrid: {name}: {text}");
                }
                failure.since = since.unwrap_or(failure.since);
                it.failure = Some(failure);
            }
        });
    }
}

/// What an answer to a POST says about the row, and the metric label `result`.
fn outcome_of(answer: &CreateAnswer) -> (PostOutcome, &'static str) {
    match &answer.result {
        Ok(written) => {
            let id = written.row.as_ref().and_then(|it| it.id.clone());
            (
                PostOutcome::Answered {
                    id,
                    took: answer.took,
                },
                "ok",
            )
        }
        Err(error) => match &error.failure {
            Failure::Refused { .. } => (PostOutcome::Rejected(error.failure.to_string()), "failed"),
            failure if failure.certainly_not_done() => {
                (PostOutcome::NotStored(failure.to_string()), "failed")
            }
            failure => (PostOutcome::Unknown(failure.to_string()), "unknown"),
        },
    }
}

/// What `plan` would say of one integration: the same functions, and nothing is stored or sent.
pub async fn rehearse(
    link: &mut Link,
    shared: &Shared,
    subject: &Subject,
    at: Option<Timestamp>,
) -> Rehearsal {
    let path = subject.settings.directory.directory.clone();
    let sight = ask_for_quiet_look(&subject.source, &subject.name, &path, &shared.clock).await;
    let integration = subject.settings.integration_id;
    let asked_before = link.requests();
    let rows = match link.enter(Operation::List, Some(integration)).await {
        Ok(ticket) => link
            .list(ticket, integration)
            .await
            .map_err(|it| it.to_string()),
        Err(closed) => Err(closed_words(&closed)),
    };
    let count = rows.as_ref().map_or(0, Vec::len);
    let plan = rows.and_then(|rows| imagine(link, shared, subject, &sight, &rows, at));
    let requests = u32::try_from(link.requests().saturating_sub(asked_before)).unwrap_or(u32::MAX);
    Rehearsal {
        name: subject.name.clone(),
        sight,
        plan,
        rows: count,
        requests,
    }
}

fn imagine(
    link: &Link,
    shared: &Shared,
    subject: &Subject,
    sight: &Sight,
    rows: &[Row],
    at: Option<Timestamp>,
) -> Result<Plan, String> {
    let mut now = shared.clock.now();
    let mut book = subject.book.clone();
    if let Ok(look) = sight {
        note_source(&mut book, look, &now);
    }
    let delivery = &subject.settings.policy.delivery;
    settle(&mut book, rows, &BTreeMap::new(), delivery, &now)
        .map_err(|Unreachable| "everything we know of it is gone at once".to_owned())?;
    if let Some(at) = at {
        now = now.plus(at.since(now.wall));
    }
    Ok(plan(&Inputs {
        look: sight.as_deref().ok(),
        rows,
        book: &book,
        policy: &subject.settings.policy,
        is_skewed: link.is_skewed(),
        now: &now,
    }))
}

/// Why nothing can be asked, in words.
pub fn closed_words(closed: &Closed) -> String {
    match closed {
        Closed::Wait { left, why, .. } => format!("{why}; asked again in {}", span(*left)),
        Closed::NoKey(why) => why.clone(),
        Closed::Stopping => "the daemon stops".to_owned(),
    }
}

/// The certificate that a plan's text is about; kept here so that `tell` and `pass` name it alike.
pub(super) fn name_of(certificate: &Certificate) -> String {
    format!(
        "{} until {}",
        certificate.fingerprint().short(),
        certificate.validity().not_after.date()
    )
}
