//! One daemon in the model world: its ledger on a real file, its gate, and the hands that its passes work with.

use std::fs;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use chrono::Utc;
use sso_certd::adapter::ledger::{Ledger, LedgerError, Query};
use sso_certd::adapter::sendgrid::{CallError, Doing, Failure, Lost, Unsent, Written};
use sso_certd::daemon::calls::CreateAnswer;
use sso_certd::daemon::course::Hands;
use sso_certd::daemon::halt::Halt;
use sso_certd::daemon::link::Closed;
use sso_certd::domain::{Certificate, CertificateId, IntegrationId, Look, Moment, Row, RowContent};
use sso_certd::plan::book::{Book, Standing};
use sso_certd::plan::entry::{Entry, What};
use sso_certd::plan::gate::{
    Admission, Gate, GateSettings, GateState, Operation, Outcome, RateHeaders, Report, Request,
};
use sso_certd::plan::policy::{Mode, Policy};
use sso_certd::plan::rollover::Action;
use sso_certd::plan::settle::{ReadBack, resume};
use tempfile::TempDir;

use super::rules::{Rule, Violation, Witness};
use super::world::{LATEST, World, read_certificate};

/// How long a request is waited for.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that a pass sleeps at the gate.
const PATIENCE: Duration = Duration::from_secs(5);

const GATE: GateSettings = GateSettings {
    requests_per_minute: 120,
    retry_first: Duration::from_secs(1),
    retry_cap: Duration::from_secs(15 * 60),
    probe: Duration::from_secs(5 * 60),
};

pub(super) fn integration() -> IntegrationId {
    IntegrationId::parse("b0b98502-9408-4b24-9e3d-31ed7cb15312").unwrap()
}

/// What all tasks of a trial share.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) sites: Vec<Site>,
    pub(super) violation: Option<Violation>,
    /// What happened, if somebody wants to know.
    pub(super) story: Option<Vec<String>>,
}

impl Stage {
    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!(
                "{:>10.3} s  {}",
                self.world.truth.as_secs_f64(),
                what()
            ));
        }
    }

    pub(super) fn judge(&mut self, verdict: Result<(), Violation>) {
        if let Err(violation) = verdict {
            self.violation.get_or_insert(violation);
        }
    }

    pub(super) fn broken(&mut self, rule: Rule, how: String) {
        self.judge(Err(Violation { rule, how }));
    }

    /// Time passes, and what was on the way to the store arrives there.
    pub(super) fn pass_time(&mut self, duration: Duration) {
        let arrived = self.world.pass_time(duration);
        self.welcome(arrived);
    }

    pub(super) fn reboot(&mut self) {
        let arrived = self.world.reboot();
        self.welcome(arrived);
    }

    fn welcome(&mut self, arrived: Vec<(usize, Certificate)>) {
        for (by, certificate) in arrived {
            self.tell(|| format!("{} of daemon {by} is stored", certificate.subject()));
            let is_it = |row: &&super::world::Stored| {
                row.by == Some(by) && row.certificate.as_ref() == Some(&certificate)
            };
            let count = self.world.rows().iter().filter(is_it).count();
            if count > 1 {
                let how = format!("{count} rows of {} by daemon {by}", certificate.subject());
                self.broken(Rule::OneRow, how);
            }
        }
    }
}

pub(super) struct Site {
    pub(super) policy: Policy,
    pub(super) witness: Witness,
    ledger: Option<Ledger>,
    directory: TempDir,
    state: PathBuf,
    images: u32,
    /// What the ledger was told last.
    stored: Book,
    pub(super) gate: Gate,
    kept_gate: GateState,
    /// Until when SendGrid does not want to be asked, in true time.
    word_until: Duration,
    /// The look that the running pass was given.
    pub(super) look: Option<Look>,
    has_list: bool,
    /// The running pass was answered by another account.
    pub(super) was_elsewhere: bool,
    last_fate: Option<Fate>,
}

impl Site {
    pub(super) fn new(policy: Policy) -> Self {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        let state = directory.path().join("0");
        Self {
            policy,
            witness: Witness::default(),
            ledger: Some(open(&state)),
            directory,
            state,
            images: 0,
            stored: Book::default(),
            gate: Gate::new(GATE),
            kept_gate: GateState::default(),
            word_until: Duration::ZERO,
            look: None,
            has_list: false,
            was_elsewhere: false,
            last_fate: None,
        }
    }

    /// The process is gone and another one starts. What it believes then is what the ledger says.
    pub(super) fn restart(&mut self, is_killed: bool, now: &Moment) -> Result<Book, Violation> {
        if is_killed {
            self.images += 1;
            let image = self.directory.path().join(self.images.to_string());
            fs::create_dir(&image).unwrap();
            for file in ["ledger.sqlite", "ledger.sqlite-wal"] {
                fs::copy(self.state.join(file), image.join(file)).unwrap();
            }
            self.ledger = None;
            fs::remove_dir_all(&self.state).unwrap();
            self.state = image;
        } else {
            self.ledger = None;
        }
        let ledger = open(&self.state);
        let mut book = ledger.load(integration()).unwrap();
        self.ledger = Some(ledger);
        self.gate = Gate::restore(GATE, self.kept_gate.clone());
        self.has_list = false;
        if book != self.stored {
            let how = format!("stored {:?}, loaded {book:?}", self.stored);
            return Err(Violation {
                rule: Rule::NothingIsForgotten,
                how,
            });
        }
        resume(&mut book, &self.policy.delivery, now);
        Ok(book)
    }

    /// How many certificates the ledger remembers.
    pub(super) fn beliefs(&self) -> usize {
        self.stored.beliefs.len()
    }

    /// The ledger and what stands beside it, in bytes.
    pub(super) fn ledger_size(&self) -> u64 {
        let files = fs::read_dir(&self.state).unwrap();
        files.map(|it| it.unwrap().metadata().unwrap().len()).sum()
    }

    /// What differs was written; what does not, was not.
    fn note_stored(&mut self, before: &Book, after: &Book) {
        let mut stored = after.clone();
        for (fingerprint, belief) in &mut stored.beliefs {
            if before.beliefs.get(fingerprint) == Some(belief) {
                belief.clone_from(&self.stored.beliefs[fingerprint]);
            }
        }
        self.stored = stored;
    }

    /// What the history says of each certificate, oldest first.
    pub(super) fn history(&self) -> Vec<Entry> {
        let everything = Query {
            integrations: None,
            since: None,
            fingerprint: None,
            limit: u32::MAX,
        };
        let history = self.ledger.as_ref().unwrap().history(&everything).unwrap();
        history
            .records
            .into_iter()
            .rev()
            .map(|it| it.entry)
            .collect()
    }

    /// What another process reads in the ledger's file: does it know of this POST?
    fn announces(&self, certificate: &Certificate) -> bool {
        let ledger = Ledger::open_reading(&self.state, read_certificate).unwrap();
        let book = ledger.load(integration()).unwrap();
        let fingerprint = certificate.fingerprint();
        let belief = book.beliefs.get(&fingerprint);
        let is_intent = belief.is_some_and(|it| matches!(it.standing, Standing::Intent(_)));
        let last = Query {
            integrations: None,
            since: None,
            fingerprint: Some(fingerprint.hex()),
            limit: 1,
        };
        let last = ledger.history(&last).unwrap();
        let is_told = last.records.first().map(|it| it.entry.what) == Some(What::Accepted);
        is_intent && is_told
    }
}

/// What becomes of a POST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Stored,
    StoredWithoutId,
    Refused(u16),
    KeyRejected,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError { is_stored: bool },
    TimedOut { is_stored: bool, late: bool },
    Cut { is_stored: bool },
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
            1 => Self::Refused(409),
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

    const fn is_stored(self) -> bool {
        match self {
            Self::Stored | Self::StoredWithoutId | Self::Nonsense => true,
            Self::ServerError { is_stored }
            | Self::TimedOut { is_stored, .. }
            | Self::Cut { is_stored } => is_stored,
            _ => false,
        }
    }

    /// Whether the answer says that nothing was stored.
    const fn denies(self) -> bool {
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

    fn failure(self) -> Option<Failure> {
        let message = None;
        Some(match self {
            Self::Stored | Self::StoredWithoutId => return None,
            Self::Refused(status) => Failure::Refused { status, message },
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
async fn breathe() {
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
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap()
    }

    /// Works with this daemon, the world and the witness, if nobody else does.
    fn with<T>(&self, work: impl FnOnce(&mut Site, &mut World) -> T) -> T {
        let mut stage = self.stage();
        let Stage { world, sites, .. } = &mut *stage;
        work(&mut sites[self.number], world)
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        let number = self.number;
        self.stage().tell(|| format!("daemon {number}: {}", what()));
    }

    async fn enter(&self, operation: Operation) -> Result<(), Halt> {
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
    async fn ask(&self, operation: Operation, took: Duration) {
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
    fn learn(&self, operation: Operation, outcome: Outcome) {
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
            let was_elsewhere = stage.sites[self.number].was_elsewhere;
            let is_there = stage.world.rows().iter().any(|it| it.id == *id);
            // Of a single certificate, nobody can tell a deletion from an account that never had it.
            if is_there && (known > 1 || !was_elsewhere) {
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
        let is_announced = site.announces(certificate);
        let is_observing = site.policy.mode == Mode::Observe;
        let is_wanted = site.look.iter().flat_map(|it| &it.files).any(|it| {
            matches!(&it.verdict, sso_certd::domain::FileVerdict::Accepted { certificates, .. }
                if certificates.contains(certificate))
        });
        stage.judge(verdict);
        let how = || format!("daemon {} sends {}", self.number, certificate.subject());
        if !is_announced {
            stage.broken(Rule::IntentFirst, how());
        }
        if is_observing {
            stage.broken(Rule::ObserveNeverWrites, how());
        }
        if !is_wanted {
            stage.broken(Rule::OnlyWhatFilesAskFor, how());
        }
    }
}

impl Hands for ModelHands {
    type Leave = ();

    fn now(&self) -> Moment {
        self.stage().world.now.clone()
    }

    fn is_skewed(&self) -> bool {
        let skew = self.with(|site, world| site.gate.view(&world.now).skew_secs);
        skew.is_some_and(|it| it.unsigned_abs() > 300)
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
        self.stage().judge(verdict);
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
        self.enter(Operation::List).await?;
        self.with(|site, _| site.has_list = false);
        let failure = self.read_failure();
        let took = self.with(|_, world| world.up_to(Duration::from_secs(2)));
        // What is listed is what was there when the request came, not when the answer is read.
        let rows = {
            let mut stage = self.stage();
            let in_doubt = stage.sites.iter().any(|it| it.witness.is_in_doubt());
            let is_elsewhere = stage.world.is_elsewhere;
            stage.sites[self.number].was_elsewhere |= is_elsewhere;
            stage.world.listed(!in_doubt)
        };
        self.ask(Operation::List, took).await;
        let outcome = failure.as_ref().map_or(Outcome::Done, Failure::outcome);
        self.learn(Operation::List, outcome);
        if let Some(failure) = failure {
            self.tell(|| format!("cannot list: {failure}"));
            let doing = Doing::List(integration());
            return Err(Halt::from(CallError { doing, failure }));
        }
        self.with(|site, _| site.has_list = true);
        self.tell(|| format!("lists {} rows", rows.len()));
        breathe().await;
        Ok(rows)
    }

    async fn read(&mut self, id: &CertificateId) -> Result<ReadBack, Halt> {
        self.enter(Operation::Read).await?;
        let failure = self.read_failure();
        let row = self.with(|site, world| {
            site.was_elsewhere |= world.is_elsewhere;
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
        Ok(match (failure, row.map(|it| it.content)) {
            (Some(_), _) | (None, Some(RowContent::Undecodable)) => ReadBack::Unclear,
            (None, Some(RowContent::Certificate(it))) => ReadBack::Holds(it.fingerprint()),
            (None, None) => ReadBack::NotThere,
        })
    }

    async fn enter_create(&mut self) -> Result<(), Halt> {
        self.enter(Operation::Create).await
    }

    async fn create(&mut self, (): (), certificate: &Certificate) -> CreateAnswer {
        breathe().await;
        self.check_post(certificate);
        let number = self.number;
        let (fate, took, id) = self.with(|site, world| {
            // What goes wrong often goes on going wrong.
            let before = site.last_fate.take();
            let fate = match before {
                _ if world.is_elsewhere => Fate::NotFound,
                Some(fate) if world.goes_wrong(500) => fate,
                _ => Fate::draw(world),
            };
            site.last_fate = Some(fate);
            let took = match fate {
                Fate::TimedOut { .. } => REQUEST_TIMEOUT,
                _ => world.up_to(Duration::from_secs(3)),
            };
            let latest = match fate {
                Fate::TimedOut { late: true, .. } => REQUEST_TIMEOUT + LATEST,
                Fate::ServerError { .. } | Fate::Cut { .. } => took + LATEST,
                _ => took,
            };
            let after = world.up_to(latest);
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
        if fate.denies() {
            self.with(|site, _| site.witness.post_failed(certificate));
        }
        breathe().await;
        let id = id.filter(|_| fate == Fate::Stored);
        let row = id.map(|it| Row {
            id: Some(it),
            content: RowContent::Certificate(Box::new(certificate.clone())),
        });
        let doing = Doing::Create(integration());
        CreateAnswer {
            result: match failure {
                None => Ok(Written { row }),
                Some(failure) => Err(CallError { doing, failure }),
            },
            took,
        }
    }

    fn note(&mut self, _: &Action, result: &'static str, _: Option<&CallError>) {
        self.tell(|| format!("the upload is {result}"));
    }
}

/// Opens a ledger that nobody has. A process that another test starts shares every lock of this one (flock(2)) until it
/// runs its own program, and so one that was just given back can seem taken for a moment.
fn open(state: &Path) -> Ledger {
    for _ in 0..5000 {
        match Ledger::open(state, read_certificate) {
            Err(LedgerError::Held { .. }) => std::thread::park_timeout(Duration::from_millis(1)),
            other => return other.unwrap(),
        }
    }
    panic!("the ledger stays taken");
}
