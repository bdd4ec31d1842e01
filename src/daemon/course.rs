//! The order of a pass: what must be durable before what is asked, and what is believed after which answer.
//!
//! It is written once, for whatever [`Hands`] carry it out: the daemon's own, in [`pass`](crate::daemon::pass), and those
//! of the tests' model world, which fail, lie and die between any two steps.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::adapter::sendgrid::CallError;
use crate::daemon::calls::WriteAnswer;
use crate::daemon::halt::Halt;
use crate::daemon::inbox::Trigger;
use crate::domain::{Certificate, CertificateId, IntegrationName, Look, Moment, Row, Skew};
use crate::plan::book::{Book, Standing};
use crate::plan::entry::Entry;
use crate::plan::gate::Operation;
use crate::plan::policy::Policy;
use crate::plan::rollover::{Action, Inputs, Plan, note_holds, plan};
use crate::plan::settle::{ReadBack, Unreachable, resume, settle, suspects};
use crate::plan::source::note_source;
use crate::view::snapshot::LastChange;

/// What a pass does to the world.
pub trait Hands {
    /// Leave to make one POST; the gate has counted it.
    type Leave: Send;

    /// Both clocks.
    fn now(&self) -> Moment;

    /// How far SendGrid's clock and ours disagree.
    fn skew(&self) -> Skew;

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

    /// Waits for leave to make a write, if that is soon.
    fn enter(
        &mut self,
        operation: Operation,
    ) -> impl Future<Output = Result<Self::Leave, Halt>> + Send;

    /// Uploads one certificate, enabled.
    fn create(
        &mut self,
        leave: Self::Leave,
        certificate: &Certificate,
    ) -> impl Future<Output = WriteAnswer> + Send;

    /// Enables or disables the row of this id.
    fn set_enabled(
        &mut self,
        leave: Self::Leave,
        id: &CertificateId,
        enabled: bool,
    ) -> impl Future<Output = WriteAnswer> + Send;

    /// Deletes the row of this id.
    fn delete(
        &mut self,
        leave: Self::Leave,
        id: &CertificateId,
    ) -> impl Future<Output = WriteAnswer> + Send;

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

mod steps;

use steps::{Next, Step, in_words};

/// For how long a plan and its list are acted on. Between them and a request the machine may sleep or its clock be set, and
/// people may change at SendGrid what the list says.
const PLAN_SERVES: Duration = Duration::from_secs(600);

/// A list, and when it was asked for. Nothing younger than that is known from it, however late it is read.
struct Listed {
    rows: Vec<Row>,
    asked: Moment,
}

/// When a plan was made, and the list it was made from asked for.
struct Basis {
    asked: Moment,
    planned: Moment,
}

impl Basis {
    fn serves(&self, now: &Moment) -> bool {
        now.elapsed_since(&self.asked) < PLAN_SERVES
            && now.is_soon_after(&self.planned, PLAN_SERVES)
    }
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
    /// Makes the pass; `look`: the source as it was scanned, if it could be read.
    ///
    /// # Errors
    /// Why nothing could be compared. What is believed then is what is stored.
    pub async fn run(mut self, look: Option<&Look>) -> Result<Compared, Halt> {
        let mut book = self.book.clone();
        resume(&mut book, &self.policy.delivery, &self.hands.now());
        let entries = note_source(&mut book, look, self.policy, &self.hands.now());
        if self.trigger == Trigger::Command {
            book.lift_holds();
        }
        self.store(book, entries).await?;
        let listed = self.list().await?;
        self.settle(&listed).await?;
        let basis = Basis {
            asked: listed.asked,
            planned: self.hands.now(),
        };
        let plan = self.plan(look, &listed.rows, &basis.planned);
        self.note(&plan).await?;
        if plan.actions.is_empty() {
            return Ok(Compared {
                plan,
                change: None,
                halt: None,
            });
        }
        tracing::info!("Plan: {} for {}", in_words(&plan.actions), self.name);
        let started = self.hands.now();
        let (applied, halt) = self.apply(&plan.actions, &basis).await;
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
        let plan = self.plan(look, &listed.rows, &self.hands.now());
        self.note(&plan).await?;
        Ok(Compared { plan, change, halt })
    }

    /// What waits for an operator from now on goes into the books, and what became of the trust.
    async fn note(&mut self, plan: &Plan) -> Result<(), Halt> {
        let mut book = self.book.clone();
        book.trust = plan.outlook.trust;
        let entries = note_holds(&mut book, &plan.items, &self.hands.now());
        self.store(book, entries).await
    }

    /// The last of these actions that is certain.
    fn last_change(&self, actions: &[Action], started: &Moment) -> Option<LastChange> {
        let now = self.hands.now();
        let (what, fingerprint) = actions.iter().rev().find_map(|action| {
            let fingerprint = action.certificate().fingerprint();
            let standing = &self.book.beliefs.get(&fingerprint)?.standing;
            let what = match (action, standing) {
                (Action::Upload { .. }, Standing::Confirmed(_)) => "uploaded",
                (Action::Enable { .. }, Standing::Confirmed(_)) => "enabled",
                (Action::Retire { .. }, Standing::Disabled { unsure: false, .. }) => "disabled",
                (Action::Retire { .. }, Standing::Retired { .. }) => "deleted",
                _ => return None,
            };
            Some((what, fingerprint))
        })?;
        Some(LastChange {
            at: now.wall,
            what: what.to_owned(),
            fingerprint,
            took: now.elapsed_since(started),
        })
    }

    /// Carries the actions out, one by one. How many requests were made, and why it stopped short, if it did.
    async fn apply(&mut self, actions: &[Action], basis: &Basis) -> (usize, Option<Halt>) {
        let mut applied = 0;
        for action in actions {
            let step = match action {
                Action::Upload { .. } => self.upload(action, basis).await,
                Action::Enable { .. } => self.enable(action, basis).await,
                Action::Retire { .. } => self.retire(action, basis).await,
            };
            match step {
                Step::Made(Next::GoOn) => applied += 1,
                Step::Made(Next::Stop(halt)) => return (applied + 1, halt),
                Step::NotMade(halt) => return (applied, halt),
            }
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
        let (skew, now) = (self.hands.skew(), self.hands.now());
        // Where the clock was set meanwhile, or the machine slept, the time of the request says nothing of an end.
        let skew_then = if now.is_soon_after(asked, PLAN_SERVES) {
            skew
        } else {
            Skew::Unknown
        };
        let settled = settle(&mut book, rows, &reads, delivery, skew_then, asked);
        let entries = settled.map_err(|Unreachable| {
            let text = "everything we know of it is gone at once, and SendGrid answers 404 for each: is it the right \
                        account and integration_id? If it is, upload one of its certificates there by hand";
            Halt::Missing(text.to_owned())
        })?;
        book.tidy(&now, skew);
        self.store(book, entries).await
    }

    fn plan(&self, look: Option<&Look>, rows: &[Row], now: &Moment) -> Plan {
        plan(&Inputs {
            look,
            rows,
            book: self.book,
            policy: self.policy,
            skew: self.hands.skew(),
            now,
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
