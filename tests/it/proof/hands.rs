//! The hands that a daemon's passes work with in the model world. Between any two things they do, anything may happen.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use chrono::Utc;
use sso_certd::adapter::sendgrid::{CallError, Doing, Failure, Lost, Unsent, Written};
use sso_certd::daemon::calls::WriteAnswer;
use sso_certd::daemon::course::Hands;
use sso_certd::daemon::halt::Halt;
use sso_certd::daemon::link::Closed;
use sso_certd::domain::{Certificate, CertificateId, FileVerdict, Moment, Row, RowContent, Skew};
use sso_certd::plan::book::Book;
use sso_certd::plan::entry::{Entry, What};
use sso_certd::plan::gate::{Admission, Operation, Outcome, RateHeaders, Report, Request};
use sso_certd::plan::policy::Mode;
use sso_certd::plan::rollover::Action;
use sso_certd::plan::settle::ReadBack;

use super::rules::Rule;
use super::site::{Site, Stage, integration};
use super::world::{LATEST, World};
use super::writes::Sent;

/// How long a request is waited for.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that a pass sleeps at the gate.
const PATIENCE: Duration = Duration::from_secs(5);

/// What becomes of a POST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Stored,
    StoredWithoutId,
    Refused(u16),
    /// A 400 that lies.
    RefusedYetStored,
    KeyRejected,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError {
        is_stored: bool,
    },
    TimedOut {
        is_stored: bool,
        late: bool,
    },
    Cut {
        is_stored: bool,
    },
    Nonsense,
    NoConnection,
}

impl Fate {
    fn draw(world: &mut World) -> Self {
        if !world.goes_wrong(550) {
            return if world.goes_wrong(80) {
                Self::StoredWithoutId
            } else {
                Self::Stored
            };
        }
        let is_stored = world.chance(50);
        match world.dice.u32(0..16) {
            0 => Self::Refused(400),
            1 => Self::RefusedYetStored,
            2 => Self::KeyRejected,
            3 => Self::Forbidden,
            4 => Self::NotFound,
            5 => Self::RateLimited,
            6..=7 => Self::ServerError { is_stored },
            8..=10 => Self::TimedOut {
                is_stored,
                late: false,
            },
            11..=12 => Self::TimedOut {
                is_stored: true,
                late: true,
            },
            13 => Self::Cut { is_stored },
            14 => Self::Nonsense,
            _ => Self::NoConnection,
        }
    }

    /// What becomes of the next request, how long its answer takes, and after how long it is carried out, if it is.
    pub(super) fn next(site: &mut Site, world: &mut World) -> (Self, Duration, Duration) {
        // What goes wrong often goes on going wrong.
        let before = site.last_fate.take();
        let fate = match before {
            _ if world.is_elsewhere => {
                site.misled.elsewhere = true;
                Self::NotFound
            }
            _ if site.is_lossy && world.goes_wrong(950) => Self::Cut { is_stored: false },
            Some(fate) if world.goes_wrong(500) => fate,
            _ => Self::draw(world),
        };
        site.last_fate = Some(fate);
        let took = match fate {
            Self::TimedOut { .. } => REQUEST_TIMEOUT,
            _ => world.up_to(Duration::from_secs(3)),
        };
        let latest = match fate {
            Self::TimedOut { late: true, .. } => REQUEST_TIMEOUT + LATEST,
            Self::ServerError { .. } | Self::Cut { .. } => took + LATEST,
            _ => took,
        };
        let after = world.up_to(latest);
        (fate, took, after)
    }

    pub(super) const fn is_stored(self) -> bool {
        match self {
            Self::Stored | Self::StoredWithoutId | Self::Nonsense | Self::RefusedYetStored => true,
            Self::ServerError { is_stored }
            | Self::TimedOut { is_stored, .. }
            | Self::Cut { is_stored } => is_stored,
            _ => false,
        }
    }

    /// Whether the answer says that nothing was stored.
    pub(super) const fn denies(self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::KeyRejected
                | Self::Forbidden
                | Self::NotFound
                | Self::RateLimited
                | Self::NoConnection
        )
    }

    pub(super) fn failure(self) -> Option<Failure> {
        let message = None;
        Some(match self {
            Self::Stored | Self::StoredWithoutId => return None,
            Self::Refused(status) => Failure::Refused { status, message },
            Self::RefusedYetStored => Failure::Refused {
                status: 400,
                message,
            },
            Self::KeyRejected => Failure::KeyRejected,
            Self::Forbidden => Failure::Forbidden { message },
            Self::NotFound => Failure::NotFound,
            Self::RateLimited => Failure::RateLimited,
            Self::ServerError { .. } => Failure::ServerError {
                status: 503,
                message,
            },
            Self::TimedOut { .. } => Failure::Lost(Lost::Timeout),
            Self::Cut { .. } => Failure::Lost(Lost::Reset),
            Self::Nonsense => Failure::Lost(Lost::Undecodable),
            Self::NoConnection => Failure::Unsent(Unsent::Connect(None)),
        })
    }
}

/// The hands of one daemon in the model world. Between any two things they do, anything may happen.
pub(super) struct ModelHands {
    pub(super) stage: Arc<Mutex<Stage>>,
    pub(super) number: usize,
}

/// The rest of the world has its turn.
pub(super) async fn breathe() {
    let mut is_first = true;
    poll_fn(|_| {
        if std::mem::take(&mut is_first) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

impl ModelHands {
    pub(super) fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap()
    }

    /// Works with this daemon, the world and the witness, if nobody else does.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Site, &mut World) -> T) -> T {
        let mut stage = self.stage();
        let Stage { world, sites, .. } = &mut *stage;
        work(&mut sites[self.number], world)
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        let number = self.number;
        self.stage().tell(|| format!("daemon {number}: {}", what()));
    }

    async fn pass_gate(&self, operation: Operation) -> Result<(), Halt> {
        loop {
            breathe().await;
            let request = Request {
                operation,
                integration: Some(integration()),
            };
            let admission = self.with(|site, world| site.gate.admit(&world.now, &request));
            let wait = match admission {
                Admission::Now => return Ok(()),
                Admission::Wait(wait) => wait,
            };
            if wait.left > PATIENCE {
                self.tell(|| format!("waits {:?}: {}", wait.left, wait.why));
                let (left, why) = (wait.left, wait.why);
                return Err(Halt::Closed(Closed::Wait { left, why }));
            }
            self.stage().pass_time(wait.left);
        }
    }

    /// A request is under way for a while; whether it may be at all.
    pub(super) async fn ask(&self, operation: Operation, took: Duration) {
        let is_forbidden = self.with(|site, world| world.truth < site.word_until);
        if is_forbidden {
            let how = format!("daemon {} asks to {}", self.number, operation.word());
            self.stage().broken(Rule::TheServersWord, how);
        }
        let end = self.with(|_, world| world.truth) + took;
        loop {
            breathe().await;
            let mut stage = self.stage();
            let left = end.saturating_sub(stage.world.truth);
            if left <= Duration::from_millis(10) {
                stage.pass_time(left);
                return;
            }
            let step = stage.world.up_to(left);
            stage.pass_time(step);
        }
    }

    /// The gate learns how a request ended.
    pub(super) fn learn(&self, operation: Operation, outcome: Outcome) {
        self.with(|site, world| {
            let date = world.server_time().calendar();
            let date = date.map(|it| {
                it.with_timezone(&Utc)
                    .format("%a, %d %b %Y %H:%M:%S GMT")
                    .to_string()
            });
            let mut headers = RateHeaders {
                date,
                ..RateHeaders::default()
            };
            if outcome == Outcome::RateLimited {
                let reset = world.dice.u64(1..200);
                headers.reset = Some(reset.to_string());
                let until = world.truth + Duration::from_secs(reset);
                site.word_until = site.word_until.max(until);
            }
            let report = Report {
                request: Request {
                    operation,
                    integration: Some(integration()),
                },
                outcome,
                headers,
            };
            let dice = world.dice.f64();
            site.gate.record(&world.now, &report, dice);
            site.kept_gate = site.gate.saved();
        });
    }

    /// A read that fails, now and then.
    fn read_failure(&self) -> Option<Failure> {
        self.with(|_, world| {
            if !world.goes_wrong(90) {
                return None;
            }
            let message = None;
            Some(match world.dice.u32(0..8) {
                0 => Failure::KeyRejected,
                1 => Failure::Forbidden { message },
                2 => Failure::RateLimited,
                3 => Failure::ServerError {
                    status: 500,
                    message,
                },
                4 => Failure::Lost(Lost::Timeout),
                5 => Failure::Lost(Lost::Undecodable),
                6 => Failure::Lost(Lost::Reset),
                _ => Failure::Unsent(Unsent::Timeout),
            })
        })
    }

    /// Whether what is about to be concluded is true.
    fn check_conclusions(&self, before: &Book, entries: &[Entry]) {
        let known = before.beliefs.values().filter(|it| it.is_listed()).count();
        for entry in entries {
            if !matches!(entry.what, What::Removed | What::Gone) {
                continue;
            }
            let belief = entry.fingerprint.and_then(|it| before.beliefs.get(&it));
            let Some(id) = belief.and_then(|it| it.id()) else {
                continue;
            };
            let mut stage = self.stage();
            let misled = stage.sites[self.number].misled;
            let is_there = stage.world.rows().iter().any(|it| it.id == *id);
            // Of a single certificate, nobody can tell a deletion from an account that never had it; nor of any, if a
            // list is short and the key reaches another account before the GET.
            let cannot_know = misled.elsewhere && (known <= 1 || misled.short);
            if cannot_know {
                stage.world.disown(id);
            } else if is_there {
                let how = format!("daemon {} says {} of row {id}", self.number, entry.what);
                stage.broken(Rule::NothingIsCalledGoneThatIsThere, how);
            }
        }
    }

    fn check_post(&self, certificate: &Certificate) {
        let mut stage = self.stage();
        let truth = stage.world.truth;
        let site = &mut stage.sites[self.number];
        let settle = site.policy.delivery.settle;
        let verdict = site.witness.post(certificate, truth, settle);
        let is_announced = site.announces(certificate.fingerprint(), What::Accepted);
        let is_observing = site.policy.mode == Mode::Observe;
        let is_wanted = site.look.iter().flat_map(|it| &it.files).any(|it| {
            matches!(&it.verdict, FileVerdict::Accepted { certificates, .. }
                if certificates.contains(certificate))
        });
        let stored = site.stored().clone();
        let look = site.look.clone();
        let allowed = site
            .witness
            .adds(certificate, truth, &site.policy, &stored, look.as_ref());
        let is_no_issuer = site.witness.check_issuer(certificate, &site.policy);
        let is_restored = site.witness.is_restored(certificate.fingerprint());
        let is_paused = stored.pause.is_some();
        stage.judge(verdict);
        stage.judge(allowed);
        stage.judge(is_no_issuer);
        let how = || format!("daemon {} sends {}", self.number, certificate.subject());
        if is_paused {
            stage.broken(Rule::PauseNeverWrites, how());
        }
        if !is_announced {
            stage.broken(Rule::IntentFirst, how());
        }
        if is_observing {
            stage.broken(Rule::ObserveNeverWrites, how());
        }
        if !is_wanted && !is_restored {
            stage.broken(Rule::OnlyWhatFilesAskFor, how());
        }
    }
}

impl Hands for ModelHands {
    type Leave = ();

    fn now(&self) -> Moment {
        self.with(|site, world| {
            site.witness.writes.clock = Some(world.now.wall);
            world.now.clone()
        })
    }

    fn skew(&self) -> Skew {
        self.with(|site, world| site.skew(world))
    }

    async fn save(&mut self, before: &Book, after: &Book, entries: &[Entry]) -> Result<(), Halt> {
        breathe().await;
        let fails = self.with(|_, world| world.goes_wrong(15));
        if fails {
            self.tell(|| "cannot write its ledger".to_owned());
            return Err(Halt::Failed("the disk is full".to_owned()));
        }
        self.check_conclusions(before, entries);
        let verdict = self.with(|site, _| {
            let ledger = site.ledger.as_mut().unwrap();
            ledger.save(integration(), before, after, entries).unwrap();
            site.note_stored(before, after);
            let has_list = std::mem::take(&mut site.has_list);
            site.witness.saved(before, after, entries, has_list)
        });
        {
            let mut stage = self.stage();
            stage.judge(verdict);
            stage.check_enabled();
        }
        for entry in entries {
            self.tell(|| {
                let which = entry.fingerprint.and_then(|it| after.beliefs.get(&it));
                let which = which.and_then(|it| it.certificate.as_ref());
                let which = which.map_or("?", Certificate::subject);
                format!("{} {which}: {}", entry.what, entry.detail)
            });
        }
        breathe().await;
        Ok(())
    }

    async fn list(&mut self) -> Result<Vec<Row>, Halt> {
        self.pass_gate(Operation::List).await?;
        self.with(|site, _| {
            site.has_list = false;
            site.witness.took_in(site.look.as_ref());
            let policy = &site.policy;
            site.witness.took_in_issuers(site.look.as_ref(), policy);
        });
        let failure = self.read_failure();
        let took = self.with(|_, world| world.up_to(Duration::from_secs(2)));
        // What is listed is what was there when the request came, not when the answer is read.
        let rows = {
            let mut stage = self.stage();
            let in_doubt = stage.is_in_doubt();
            let is_elsewhere = stage.world.is_elsewhere;
            stage.sites[self.number].misled.elsewhere |= is_elsewhere;
            let (rows, lies) = stage.world.listed(!in_doubt);
            stage.sites[self.number].misled.short |= lies;
            rows
        };
        let sleeps = self.with(|site, world| {
            // Mostly when it matters.
            let is_open = site.witness.is_in_doubt();
            world.goes_wrong(if is_open { 200 } else { 20 })
        });
        if sleeps {
            let minutes = self.with(|_, world| world.dice.u64(3..20));
            self.tell(|| format!("sleeps for {minutes} minutes before it reads the list"));
            self.stage().pass_time(Duration::from_secs(60 * minutes));
        }
        self.ask(Operation::List, took).await;
        let outcome = failure.as_ref().map_or(Outcome::Done, Failure::outcome);
        self.learn(Operation::List, outcome);
        if let Some(failure) = failure {
            self.tell(|| format!("cannot list: {failure}"));
            let doing = Doing::List(integration());
            return Err(Halt::from(CallError { doing, failure }));
        }
        self.with(|site, _| {
            site.has_list = true;
            site.witness.listed(&rows);
        });
        self.tell(|| format!("lists {} rows", rows.len()));
        breathe().await;
        Ok(rows)
    }

    async fn read(&mut self, id: &CertificateId) -> Result<ReadBack, Halt> {
        self.pass_gate(Operation::Read).await?;
        let failure = self.read_failure();
        let row = self.with(|site, world| {
            site.misled.elsewhere |= world.is_elsewhere;
            world.read(id)
        });
        let took = self.with(|_, world| world.up_to(Duration::from_secs(1)));
        self.ask(Operation::Read, took).await;
        let outcome = match (&failure, &row) {
            (Some(failure), _) => failure.outcome(),
            (None, Some(_)) => Outcome::Done,
            (None, None) => Outcome::NotFound,
        };
        self.learn(Operation::Read, outcome);
        self.tell(|| format!("reads row {id}: {outcome:?}"));
        breathe().await;
        let back = match (failure, row.map(|it| it.content)) {
            (Some(_), _) | (None, Some(RowContent::Undecodable)) => ReadBack::Unclear,
            (None, Some(RowContent::Certificate(it))) => ReadBack::Holds(it.fingerprint()),
            (None, None) => ReadBack::NotThere,
        };
        self.with(|site, _| site.witness.reads.push((id.clone(), back)));
        Ok(back)
    }

    async fn enter(&mut self, operation: Operation) -> Result<(), Halt> {
        self.pass_gate(operation).await
    }

    async fn set_enabled(&mut self, (): (), id: &CertificateId, enabled: bool) -> WriteAnswer {
        let write = if enabled { Sent::Enable } else { Sent::Disable };
        self.write(write, id).await
    }

    async fn delete(&mut self, (): (), id: &CertificateId) -> WriteAnswer {
        self.write(Sent::Delete, id).await
    }

    async fn create(&mut self, (): (), certificate: &Certificate) -> WriteAnswer {
        breathe().await;
        let sleeps = self.with(|_, world| world.goes_wrong(50));
        if sleeps {
            self.tell(|| "sleeps for an hour before its POST".to_owned());
            self.stage().pass_time(Duration::from_secs(3600));
        }
        self.check_post(certificate);
        self.with(|site, _| site.is_posting = true);
        let number = self.number;
        let (fate, took, id) = self.with(|site, world| {
            let (fate, took, after) = Fate::next(site, world);
            let id = fate
                .is_stored()
                .then(|| world.send(certificate, number, after));
            (fate, took, id)
        });
        self.tell(|| format!("sends {}: {fate:?}", certificate.subject()));
        self.ask(Operation::Create, took).await;
        let failure = fate.failure();
        let outcome = failure.as_ref().map_or(Outcome::Done, Failure::outcome);
        self.learn(Operation::Create, outcome);
        self.with(|site, _| site.is_posting = false);
        if fate.denies() {
            self.with(|site, _| site.witness.post_failed(certificate));
        }
        if matches!(fate, Fate::ServerError { .. }) {
            self.with(|site, _| site.witness.post_erred(certificate));
        }
        breathe().await;
        let id = id.filter(|_| fate == Fate::Stored);
        let row = id.map(|it| Row {
            id: Some(it),
            content: RowContent::Certificate(Box::new(certificate.clone())),
        });
        let doing = Doing::Create(integration());
        WriteAnswer {
            result: match failure {
                None => Ok(Written { row }),
                Some(failure) => Err(CallError { doing, failure }),
            },
            took,
        }
    }

    fn note(&mut self, action: &Action, result: &'static str, _: Option<&CallError>) {
        self.tell(|| format!("to {} is {result}", action.word()));
    }
}
