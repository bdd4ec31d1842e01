//! A pass of one integration: read everything, decide with a pure function, act in order, tell once.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::adapter::ledger::Ledger;
use crate::adapter::sendgrid::{CallError, ReadAnswer};
use crate::config::IntegrationSettings;
use crate::daemon::calls::WriteAnswer;
use crate::daemon::course::{Compared, Course, Hands};
use crate::daemon::halt::{Halt, PassEnd, judge};
use crate::daemon::inbox::Trigger;
use crate::daemon::link::{Link, Ticket};
use crate::daemon::publish::{publish, publish_failure};
use crate::daemon::quiet::ask_for_quiet_look;
use crate::daemon::shared::Shared;
use crate::daemon::source::{LookRequest, Sight, ask_for_look};
use crate::daemon::tell;
use crate::domain::{
    Certificate, CertificateId, IntegrationId, IntegrationName, Moment, Row, Skew, Timestamp,
};
use crate::intake::canonical_pem;
use crate::plan::book::Book;
use crate::plan::entry::Entry;
use crate::plan::gate::Operation;
use crate::plan::policy::Mode;
use crate::plan::rollover::{Action, Inputs, Plan, plan};
use crate::plan::settle::ReadBack;
use crate::plan::state::State;
use crate::plan::why::Why;

/// When what SendGrid says is not there is asked for again.
const AFTER_MISSING: Duration = Duration::from_secs(300);

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

impl Pass<'_> {
    async fn run(mut self) -> (PassEnd, Option<Timestamp>) {
        self.link.begin_pass();
        let path: PathBuf = self.subject.settings.directory.directory.clone();
        let (source, name) = (&self.subject.source, Some(&self.subject.name));
        let sight = if self.trigger == Trigger::Command {
            ask_for_quiet_look(source, name, &path, &self.shared.clock).await
        } else {
            ask_for_look(source, name, &path).await
        };
        self.link.beat();
        let mut hands = Daemon {
            link: self.link,
            shared: self.shared,
            name: &self.subject.name,
            integration: self.subject.settings.integration_id,
        };
        let course = Course {
            name: &self.subject.name,
            hands: &mut hands,
            book: &mut self.subject.book,
            policy: &self.subject.settings.policy,
            trigger: self.trigger,
        };
        match course.run(sight.as_deref().ok()).await {
            Ok(compared) => self.end_compared(compared),
            Err(halt) => self.end_uncompared(halt, &sight),
        }
    }

    fn end_compared(&mut self, compared: Compared) -> (PassEnd, Option<Timestamp>) {
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
            .chain(self.link.take_confirmation())
            .min();
        publish(self.shared, self.subject, plan, change);
        match halt {
            // It lists, and knows nothing of an upload: asked again by and by, and said as long.
            Some(halt @ Halt::Missing(_)) if rest => {
                let (end, failure, _) = judge(halt, now);
                publish_failure(self.shared, self.subject, None, failure);
                (end, due.map(|it| it.max(now.plus(AFTER_MISSING))))
            }
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

    /// What can be said without a fresh list: what would go up waits until `until`.
    fn plan_without_list(&self, sight: &Sight, until: Option<Timestamp>) -> Option<Plan> {
        self.subject.book.first_list?;
        let rows = self.subject.book.as_listed();
        let mut plan = plan(&Inputs {
            look: sight.as_deref().ok(),
            rows: &rows,
            book: &self.subject.book,
            policy: &self.subject.settings.policy,
            skew: self.link.skew(),
            now: &self.shared.clock.now(),
        });
        plan.actions.clear();
        // In `observe` nothing goes up when the wait is over either.
        let is_managed = self.subject.settings.policy.mode == Mode::Manage;
        if let Some(until) = until.filter(|_| is_managed) {
            hold_back(&mut plan, until);
        }
        Some(plan)
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

/// The daemon's own hands: SendGrid behind the account's gate, the ledger, the log and the counters.
struct Daemon<'a> {
    link: &'a mut Link,
    shared: &'a Shared,
    name: &'a IntegrationName,
    integration: IntegrationId,
}

impl Hands for Daemon<'_> {
    type Leave = Ticket;

    fn now(&self) -> Moment {
        self.shared.clock.now()
    }

    fn skew(&self) -> Skew {
        self.link.skew()
    }

    async fn save(&mut self, before: &Book, after: &Book, entries: &[Entry]) -> Result<(), Halt> {
        let id = self.integration;
        let (old, new, added) = (before.clone(), after.clone(), entries.to_vec());
        let save = move |it: &mut Ledger| it.save(id, &old, &new, &added);
        let saved = self.shared.ledger.write(save).await;
        saved.map_err(|it| Halt::Failed(it.to_string()))?;
        for entry in entries {
            tell::entry(self.name, after, entry);
        }
        Ok(())
    }

    async fn list(&mut self) -> Result<Vec<Row>, Halt> {
        let integration = self.integration;
        let ticket = self.link.enter(Operation::List, Some(integration)).await?;
        Ok(self.link.list(ticket, integration).await?)
    }

    async fn read(&mut self, id: &CertificateId) -> Result<ReadBack, Halt> {
        let integration = self.integration;
        let ticket = self.link.enter(Operation::Read, Some(integration)).await?;
        Ok(match self.link.read(ticket, integration, id).await {
            Ok(ReadAnswer::NotThere) => ReadBack::NotThere,
            Ok(ReadAnswer::There(row)) => row
                .certificate()
                .map_or(ReadBack::Unclear, |it| ReadBack::Holds(it.fingerprint())),
            Err(_) => ReadBack::Unclear,
        })
    }

    async fn enter(&mut self, operation: Operation) -> Result<Ticket, Halt> {
        let integration = Some(self.integration);
        Ok(self.link.enter(operation, integration).await?)
    }

    async fn create(&mut self, ticket: Ticket, certificate: &Certificate) -> WriteAnswer {
        let pem = canonical_pem(certificate.der());
        self.link.create(ticket, self.integration, &pem).await
    }

    async fn set_enabled(
        &mut self,
        ticket: Ticket,
        id: &CertificateId,
        enabled: bool,
    ) -> WriteAnswer {
        let integration = self.integration;
        self.link
            .set_enabled(ticket, integration, id, enabled)
            .await
    }

    async fn delete(&mut self, ticket: Ticket, id: &CertificateId) -> WriteAnswer {
        self.link.delete(ticket, self.integration, id).await
    }

    fn note(&mut self, action: &Action, result: &'static str, error: Option<&CallError>) {
        let account = self.link.name().as_str();
        self.shared.metrics.acted(account, action.word(), result);
        if let Some(error) = error {
            tell::failed(self.name, action, error);
        }
    }
}
