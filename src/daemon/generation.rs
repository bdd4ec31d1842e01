//! The tasks that one configuration needs: a source task a directory, a worker an account, and the rounds. A reload ends
//! one generation and starts the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::adapter::certificate_directory::DirectorySettings;
use crate::adapter::ledger::{Ledger, LedgerError};
use crate::adapter::sendgrid::ApiKey;
use crate::adapter::watcher::WatchSettings;
use crate::config::Settings;
use crate::daemon::inbox::Trigger;
use crate::daemon::link::Link;
use crate::daemon::pass::Subject;
use crate::daemon::pulse::Pulses;
use crate::daemon::rounds::Rounds;
use crate::daemon::shared::Shared;
use crate::daemon::source::{LookRequest, SourceTask};
use crate::daemon::watch::Watch;
use crate::daemon::worker::{Mailbox, Request, Worker};
use crate::domain::text::printable_path;
use crate::domain::{AccountName, IntegrationName};
use crate::plan::book::Book;

/// How long a task may be silent at its start.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the first looks may take before the daemon says that it is ready without them.
const FIRST_LOOK: Duration = Duration::from_secs(30);

/// What the tasks are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// A daemon's: they wake by themselves.
    Daemon,
    /// A command's, where no daemon runs: they do what they are asked and nothing else.
    Command,
}

/// Tasks and the ways into them.
pub struct Generation {
    ways_in: WaysIn,
    tasks: JoinSet<String>,
    stop: watch::Sender<bool>,
    first_looks: Vec<oneshot::Receiver<()>>,
}

/// What a generation runs on, and the ways into its workers. Cloning is cheap.
#[derive(Clone)]
pub struct WaysIn {
    /// The configuration.
    pub settings: Arc<Settings>,
    /// One entrance an account.
    pub workers: Arc<BTreeMap<AccountName, Entrance>>,
}

impl WaysIn {
    /// Wakes every integration.
    pub fn wake_all(&self, trigger: Trigger) {
        for (name, integration) in &self.settings.integrations {
            if let Some(worker) = self.workers.get(&integration.account) {
                worker.mailbox.wake(name, trigger);
            }
        }
    }
}

/// The ways into one worker.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// Wakes its integrations.
    pub mailbox: Mailbox,
    /// Asks it something.
    pub requests: mpsc::Sender<Request>,
}

impl Generation {
    /// Starts every task. Nothing is asked of SendGrid before the first look of a directory. `keys` were read already, by
    /// somebody who could; the others are read where the settings say.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn start(
        settings: Arc<Settings>,
        shared: &Shared,
        pulses: &Pulses,
        life: Life,
        mut keys: BTreeMap<AccountName, ApiKey>,
    ) -> Result<Self, LedgerError> {
        let (stop, stopped) = watch::channel(false);
        let mailboxes: BTreeMap<AccountName, Mailbox> = settings
            .accounts
            .keys()
            .map(|it| (it.clone(), Mailbox::default()))
            .collect();
        let mut nursery = Nursery {
            shared,
            pulses,
            life,
            stopped,
            tasks: JoinSet::new(),
            first_looks: Vec::new(),
        };
        let sources = nursery.start_sources(&settings, &mailboxes);
        let mut workers = BTreeMap::new();
        for (account, mailbox) in mailboxes {
            let subjects = nursery.subjects(&settings, &account, &sources).await?;
            if let Some(entrance) = nursery
                .start_worker(
                    &settings,
                    account.clone(),
                    mailbox,
                    subjects,
                    keys.remove(&account),
                )
                .await
            {
                workers.insert(account, entrance);
            }
        }
        let ways_in = WaysIn {
            settings,
            workers: Arc::new(workers),
        };
        if life == Life::Daemon {
            nursery.start_rounds(&ways_in);
            ways_in.wake_all(Trigger::Startup);
        }
        let Nursery {
            tasks, first_looks, ..
        } = nursery;
        Ok(Self {
            ways_in,
            tasks,
            stop,
            first_looks,
        })
    }

    /// Waits until every directory was looked at once, or for as long as that may take.
    pub async fn looked(&mut self) {
        let looks = std::mem::take(&mut self.first_looks);
        let all = async {
            for look in looks {
                if look.await.is_err() {
                    tracing::debug!("A directory's task ended before its first look");
                }
            }
        };
        if timeout(FIRST_LOOK, all).await.is_err() {
            tracing::warn!(
                "Ready without a first look at every directory: one takes longer than 30 s"
            );
        }
    }

    /// The ways in.
    pub fn ways_in(&self) -> &WaysIn {
        &self.ways_in
    }

    /// Waits for a task to end, which none should; what ended.
    pub async fn first_end(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(Ok(task)) => task,
            Some(Err(_)) => "a task, by a panic".to_owned(),
            None => std::future::pending().await,
        }
    }

    /// Tells every task to end, and waits for that as long as `within`; what is left then is cut off. A request that is
    /// cut off is settled in the next life.
    pub async fn end(&mut self, within: Duration) {
        self.stop.send_replace(true);
        let ended = timeout(within, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::warn!("Stopped in a request: what became of it is settled at the next start");
            self.tasks.shutdown().await;
        }
    }
}

/// Every action there is, as the metric label.
const ACTIONS: [&str; 4] = ["upload", "enable", "disable", "delete"];

/// Where tasks are made.
struct Nursery<'a> {
    shared: &'a Shared,
    pulses: &'a Pulses,
    life: Life,
    stopped: watch::Receiver<bool>,
    tasks: JoinSet<String>,
    first_looks: Vec<oneshot::Receiver<()>>,
}

impl Nursery<'_> {
    async fn subjects(
        &self,
        settings: &Settings,
        account: &AccountName,
        sources: &BTreeMap<DirectorySettings, mpsc::Sender<LookRequest>>,
    ) -> Result<BTreeMap<IntegrationName, Subject>, LedgerError> {
        let mut subjects = BTreeMap::new();
        for (name, integration) in settings
            .integrations
            .iter()
            .filter(|(_, it)| it.account == *account)
        {
            let Some(source) = sources.get(&integration.directory).cloned() else {
                continue;
            };
            let id = integration.integration_id;
            if self.shared.ledger.is_for_writing().await {
                let (label, owner) = (name.clone(), account.clone());
                let label = move |it: &mut Ledger| it.label(id, &label, &owner);
                if self.shared.ledger.write(label).await.is_err() {
                    tracing::debug!(integration = %name, "Not labelled in the ledger yet");
                }
            }
            let book = match self.shared.ledger.read(move |it| it.load(id)).await {
                Err(LedgerError::Missing { .. }) => Book::default(),
                other => other?,
            };
            self.shared
                .metrics
                .expect_integration(name.as_str(), account.as_str());
            let subject = Subject {
                name: name.clone(),
                settings: integration.clone(),
                source,
                book,
            };
            subjects.insert(name.clone(), subject);
        }
        Ok(subjects)
    }

    async fn start_worker(
        &mut self,
        settings: &Settings,
        account: AccountName,
        mailbox: Mailbox,
        subjects: BTreeMap<IntegrationName, Subject>,
        key: Option<ApiKey>,
    ) -> Option<Entrance> {
        let account_settings = settings.accounts.get(&account)?.clone();
        self.shared.metrics.expect_account(
            account.as_str(),
            &Trigger::ALL.map(Trigger::word),
            &ACTIONS,
        );
        let pulse = self.pulses.add(format!("worker {account}"), SILENCE);
        let (shared, stopped) = (self.shared.clone(), self.stopped.clone());
        let link = Link::open(
            account.clone(),
            account_settings,
            shared.clone(),
            stopped,
            pulse,
            key,
        )
        .await;
        let (requests, inbox) = mpsc::channel(64);
        let entrance = Entrance {
            mailbox: mailbox.clone(),
            requests,
        };
        let worker = Worker {
            life: self.life,
            link,
            subjects,
            mailbox,
            requests: inbox,
            shared,
        };
        self.tasks.spawn(async move {
            worker.run().await;
            format!("the worker of account {account}")
        });
        Some(entrance)
    }

    fn start_sources(
        &mut self,
        settings: &Settings,
        mailboxes: &BTreeMap<AccountName, Mailbox>,
    ) -> BTreeMap<DirectorySettings, mpsc::Sender<LookRequest>> {
        let mut served: BTreeMap<DirectorySettings, BTreeSet<IntegrationName>> = BTreeMap::new();
        for (name, integration) in &settings.integrations {
            served
                .entry(integration.directory.clone())
                .or_default()
                .insert(name.clone());
        }
        self.shared.refusals.keep(&served.keys().collect());
        let watch = Watch::new(Arc::clone(&self.shared.metrics));
        let mut sources = BTreeMap::new();
        let watching = match self.life {
            Life::Daemon => settings.watch,
            Life::Command => WatchSettings {
                events: false,
                poll: None,
                ..settings.watch
            },
        };
        for (directory, integrations) in served {
            let (requests, inbox) = mpsc::channel(64);
            let (first_look, looked) = oneshot::channel();
            let accounts: BTreeMap<IntegrationName, Mailbox> = integrations
                .iter()
                .filter_map(|name| {
                    let account = &settings.integrations.get(name)?.account;
                    Some((name.clone(), mailboxes.get(account)?.clone()))
                })
                .collect();
            let wakes = self.life == Life::Daemon;
            let wake = move |name: &IntegrationName, trigger| {
                if let Some(mailbox) = accounts.get(name).filter(|_| wakes) {
                    mailbox.wake(name, trigger);
                }
            };
            let path = printable_path(&directory.directory);
            let task = SourceTask {
                settings: directory.clone(),
                watching,
                integrations,
                wake: Box::new(wake),
                watch: watch.clone(),
                requests: inbox,
                board: self.shared.board.clone(),
                refusals: self.shared.refusals.clone(),
                metrics: Arc::clone(&self.shared.metrics),
                clock: self.shared.clock.clone(),
                pulse: self
                    .pulses
                    .add(format!("source {path} {}", sources.len()), SILENCE),
                stop: self.stopped.clone(),
                first_look,
            };
            sources.insert(directory, requests);
            self.first_looks.push(looked);
            self.tasks.spawn(async move {
                task.run().await;
                format!("the watch of {path}")
            });
        }
        sources
    }

    fn start_rounds(&mut self, ways_in: &WaysIn) {
        let woken = ways_in.clone();
        let rounds = Rounds {
            settings: ways_in.settings.schedule.clone(),
            start: Box::new(move || woken.wake_all(Trigger::Schedule)),
            shared: self.shared.clone(),
            pulse: self.pulses.add("scheduler", SILENCE),
            stop: self.stopped.clone(),
        };
        self.tasks.spawn(async move {
            match rounds.run().await {
                Ok(()) => "the schedule".to_owned(),
                Err(error) => error.to_string(),
            }
        });
    }
}
