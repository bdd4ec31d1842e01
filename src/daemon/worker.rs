//! One worker an account: it takes the most urgent integration, makes a pass, and sets down when that is due again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::adapter::sendgrid::RemoteIntegration;
use crate::daemon::decisions::{Recorded, Wish};
use crate::daemon::generation::Life;
use crate::daemon::halt::{PassEnd, closed_words};
use crate::daemon::inbox::{Inbox, Trigger};
use crate::daemon::link::Link;
use crate::daemon::pass::{Subject, pass};
use crate::daemon::rehearsal::rehearse;
use crate::daemon::shared::{Shared, raised};
use crate::daemon::source::Sight;
use crate::domain::{Certificate, IntegrationName, Moment, Row, Timestamp, Validity};
use crate::plan::gate::Operation;
use crate::plan::rollover::Plan;

/// How soon a pass is tried again that failed for something on this machine, such as a full disk.
const LOCAL_RETRY: Duration = Duration::from_secs(10);

/// How often a worker looks around although nothing wakes it: for a key that changed on disk, and to show that it lives.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// A worker's inbox, from outside.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    inbox: Arc<Mutex<Inbox>>,
    woken: Arc<Notify>,
}

impl Mailbox {
    /// Wakes an integration.
    pub fn wake(&self, name: &IntegrationName, trigger: Trigger) {
        self.lock().wake(name.clone(), trigger);
        self.woken.notify_one();
    }

    /// How long until one of these integrations has a pass by itself, nothing if it is about to; none if none has.
    pub fn next_of(&self, names: &[IntegrationName], now: &Moment) -> Option<Duration> {
        let inbox = self.lock();
        names.iter().filter_map(|it| inbox.due_in(it, now)).min()
    }

    /// Whether the last pass of each of these ended well.
    pub fn all_ended_well(&self, names: &[IntegrationName]) -> bool {
        let inbox = self.lock();
        names.iter().all(|it| inbox.ended_well(it))
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a worker is asked beside its passes; each answer goes back by its own channel.
#[derive(Debug)]
pub enum Request {
    /// What `plan` would say.
    Rehearse {
        /// Of which integration.
        name: IntegrationName,
        /// Seen from when; none: now.
        at: Option<Timestamp>,
        /// The answer; none if it is none of this worker's.
        reply: oneshot::Sender<Option<Rehearsal>>,
    },
    /// A pass now.
    Sync {
        /// Of which integration.
        name: IntegrationName,
        /// Whether our own waits of the account are lifted before.
        lifts_waits: bool,
        /// Told at the end: whether it ended well.
        reply: oneshot::Sender<bool>,
    },
    /// A person's decision into the book and the ledger. What comes of it at SendGrid is the next pass's.
    Record {
        /// What is decided, about which integration, and by whom.
        wish: Box<Wish>,
        /// The answer.
        reply: oneshot::Sender<Option<Recorded>>,
    },
    /// Which integrations SendGrid has, and what it lists for them.
    Integrations {
        /// The answer, or why there is none.
        reply: oneshot::Sender<Result<Vec<Surveyed>, String>>,
    },
    /// What the key may do, and which integrations it sees.
    Probe {
        /// The answer.
        reply: oneshot::Sender<Probe>,
    },
}

/// One of SendGrid's integrations, and when its certificates are valid; none for a row that cannot be read.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The integration.
    pub remote: RemoteIntegration,
    /// Its certificates; none if they could not be had.
    pub certificates: Option<Vec<Option<Validity>>>,
}

/// What SendGrid says of a key.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What it may do, or why that is not known.
    pub scopes: Result<Vec<String>, String>,
    /// The account's integrations, or why they are not known.
    pub integrations: Result<Vec<RemoteIntegration>, String>,
}

/// One integration's plan, made and not applied.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// Which integration.
    pub name: IntegrationName,
    /// What the source showed.
    pub sight: Sight,
    /// The plan, or why there is none.
    pub plan: Result<Plan, String>,
    /// Rows that SendGrid lists.
    pub rows: usize,
    /// Requests that were made for it.
    pub requests: u32,
}

impl Rehearsal {
    /// Nobody answered: the worker is being replaced.
    pub fn not_made(name: &IntegrationName) -> Self {
        Self {
            name: name.clone(),
            sight: Ok(Arc::default()),
            plan: Err("the daemon takes up a new configuration; ask again".to_owned()),
            rows: 0,
            requests: 0,
        }
    }
}

/// An account's worker.
pub struct Worker {
    /// Whether it wakes its integrations itself.
    pub life: Life,
    /// The way to SendGrid.
    pub link: Link,
    /// The integrations of the account.
    pub subjects: BTreeMap<IntegrationName, Subject>,
    /// What wakes it.
    pub mailbox: Mailbox,
    /// What it is asked.
    pub requests: mpsc::Receiver<Request>,
    /// What it shares with the other tasks.
    pub shared: Shared,
}

impl Worker {
    /// Runs until it is told to stop.
    pub async fn run(mut self) {
        let stop = self.link.stop();
        loop {
            self.link.beat();
            if *stop.borrow() {
                return;
            }
            self.link.refresh_key();
            if self.link.take_new_key() && self.life == Life::Daemon {
                self.wake_all(Trigger::Due);
            }
            while let Ok(request) = self.requests.try_recv() {
                self.answer(request).await;
            }
            let now = self.shared.clock.now();
            let next = self.mailbox.lock().next(&now);
            if let Some((name, trigger)) = next {
                self.pass(&name, trigger).await;
                continue;
            }
            let until_due = self.mailbox.lock().next_due(&now).unwrap_or(LOOK_AROUND);
            let woken = Arc::clone(&self.mailbox.woken);
            tokio::select! {
                () = raised(&stop) => return,
                request = self.requests.recv() => match request {
                    Some(request) => self.answer(request).await,
                    None => return,
                },
                () = woken.notified() => {}
                () = sleep(until_due.min(LOOK_AROUND)) => {}
            }
        }
    }

    /// One pass of one integration, counted, and when it is due again.
    pub async fn pass(&mut self, name: &IntegrationName, trigger: Trigger) -> PassEnd {
        let Some(subject) = self.subjects.get_mut(name) else {
            self.mailbox.lock().end(name, false);
            return PassEnd::Failed;
        };
        let started = Instant::now();
        let (end, due) = pass(&mut self.link, &self.shared, subject, trigger).await;
        let account = self.link.name().as_str();
        self.shared.metrics.passed(
            account,
            name.as_str(),
            trigger.word(),
            end.word(),
            started.elapsed(),
        );
        let now = self.shared.clock.now();
        let is_local = end == PassEnd::Failed && self.shared.board.ledger_failure().is_some();
        let due = due
            .map(|it| it.since(now.wall))
            .into_iter()
            .chain(is_local.then_some(LOCAL_RETRY))
            .min();
        let mut inbox = self.mailbox.lock();
        inbox.end(name, end == PassEnd::Ok);
        match (end, due) {
            (PassEnd::Held { left }, _) => {
                // A person asked once; what is left of it is a wait like any other.
                let again = if trigger == Trigger::Command {
                    Trigger::Due
                } else {
                    trigger
                };
                inbox.wake_after(name.clone(), &now, left, again);
            }
            (_, Some(due)) => inbox.wake_after(name.clone(), &now, due, Trigger::Due),
            (_, None) => inbox.forget_wait(name),
        }
        drop(inbox);
        end
    }

    fn wake_all(&self, trigger: Trigger) {
        let mut inbox = self.mailbox.lock();
        for name in self.subjects.keys() {
            inbox.wake(name.clone(), trigger);
        }
    }

    async fn answer(&mut self, request: Request) {
        let is_heard = match request {
            Request::Rehearse { name, at, reply } => {
                let rehearsal = match self.subjects.get(&name) {
                    Some(subject) => {
                        let book = &subject.book;
                        Some(rehearse(&mut self.link, &self.shared, subject, book, at).await)
                    }
                    None => None,
                };
                reply.send(rehearsal).is_ok()
            }
            Request::Sync {
                name,
                lifts_waits,
                reply,
            } => {
                if lifts_waits {
                    self.link.lift_own_waits();
                }
                let end = self.pass(&name, Trigger::Command).await;
                reply.send(end == PassEnd::Ok).is_ok()
            }
            Request::Record { wish, reply } => {
                let recorded = self.record(*wish).await;
                reply.send(recorded).is_ok()
            }
            Request::Integrations { reply } => {
                let answer = self.survey().await;
                reply.send(answer).is_ok()
            }
            Request::Probe { reply } => {
                let scopes = match self.link.enter(Operation::Scopes, None).await {
                    Ok(ticket) => self.link.scopes(ticket).await.map_err(|it| it.to_string()),
                    Err(closed) => Err(closed_words(&closed)),
                };
                let integrations = self.remote_integrations().await;
                reply
                    .send(Probe {
                        scopes,
                        integrations,
                    })
                    .is_ok()
            }
        };
        if !is_heard {
            tracing::debug!("Who asked did not wait for the answer");
        }
    }

    async fn remote_integrations(&mut self) -> Result<Vec<RemoteIntegration>, String> {
        match self.link.enter(Operation::Integrations, None).await {
            Ok(ticket) => self
                .link
                .integrations(ticket)
                .await
                .map_err(|it| it.to_string()),
            Err(closed) => Err(closed_words(&closed)),
        }
    }

    async fn survey(&mut self) -> Result<Vec<Surveyed>, String> {
        let mut all = Vec::new();
        for remote in self.remote_integrations().await? {
            let rows = match self.link.enter(Operation::List, Some(remote.id)).await {
                Ok(ticket) => self.link.list(ticket, remote.id).await.ok(),
                Err(_) => None,
            };
            let validity = |row: &Row| row.certificate().map(Certificate::validity);
            let certificates = rows.map(|it| it.iter().map(validity).collect());
            all.push(Surveyed {
                remote,
                certificates,
            });
        }
        Ok(all)
    }
}
