//! One trial: daemons, a world and chance, until a rule breaks or everything is as it should be.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sso_certd::daemon::course::{Compared, Course};
use sso_certd::daemon::halt::Halt;
use sso_certd::daemon::inbox::Trigger;
use sso_certd::daemon::link::Closed;
use sso_certd::domain::{Certificate, FileVerdict, Fingerprint, IntegrationName, Timestamp};
use sso_certd::plan::book::{Book, Standing, Word};
use sso_certd::plan::decision::{Author, Decision, Pausing, decide, set_pause};
use sso_certd::plan::gate::{Operation, Request};
use sso_certd::plan::policy::{
    DeliveryPolicy, ExpiryPolicy, Mode, Policy, Require, RetireAction, RetirePolicy, RetireWhen,
    TrustPolicy,
};
use sso_certd::plan::retire::How;
use sso_certd::plan::rollover::{Item, Plan};
use sso_certd::plan::state::State;
use sso_certd::plan::why::Why;

use super::hands::ModelHands;
use super::rules::{Rule, Violation, check_history};
use super::site::{Misled, Site, Stage, integration};
use super::world::{DAY, World, accepted, pool};

/// How often something happens in a trial before all is calm.
const TURNS: usize = 140;

/// How many passes it may take until everything is as it should be: past the longest window, a day's hold after a 400,
/// and a day's budget of new keys, hour by hour.
const MOST_PASSES: usize = 80;

/// The schedule's longest silence.
const HOUR: Duration = Duration::from_secs(3600);

/// A pass that came to its end.
struct Ended {
    book: Book,
    end: Result<Compared, Halt>,
}

type Running = Pin<Box<dyn Future<Output = Ended>>>;

/// What is lost when a daemon dies.
struct Process {
    running: Option<Running>,
    /// What it believes, while no pass has it.
    book: Option<Book>,
    due: Option<Timestamp>,
}

pub(super) struct Trial {
    stage: Arc<Mutex<Stage>>,
    processes: Vec<Process>,
    pub(super) passes: usize,
}

impl Trial {
    /// `is_told`: somebody wants to read what happened.
    pub(super) fn new(seed: u64, daemons: usize, is_told: bool) -> Self {
        let mut world = World::new(seed);
        let is_lossy = world.chance(8);
        let sites = (0..daemons)
            .map(|_| Site::new(policy(&mut world), is_lossy))
            .collect();
        let processes = (0..daemons).map(|_| Process {
            running: None,
            book: Some(Book::default()),
            due: None,
        });
        Self {
            processes: processes.collect(),
            stage: Arc::new(Mutex::new(Stage {
                world,
                sites,
                violation: None,
                story: is_told.then(Vec::new),
            })),
            passes: 0,
        }
    }

    pub(super) fn story(&self) -> Vec<String> {
        self.stage().story.clone().unwrap_or_default()
    }

    pub(super) fn posts(&self) -> usize {
        self.stage().sites.iter().map(|it| it.witness.posts).sum()
    }

    /// Requests that took something away.
    pub(super) fn taken(&self) -> usize {
        let stage = self.stage();
        stage.sites.iter().map(|it| it.witness.writes.taken).sum()
    }

    pub(super) fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap()
    }

    pub(super) fn run(&mut self) -> Result<(), Violation> {
        if self.stage().world.chance(85) {
            self.begin_well()?;
        }
        for _ in 0..TURNS {
            self.turn();
            self.verdict()?;
        }
        self.come_to_rest()?;
        for number in 0..self.processes.len() {
            let stage = self.stage();
            let site = &stage.sites[number];
            let entries = site.history();
            let whats: Vec<_> = entries
                .iter()
                .filter_map(|it| Some((it.fingerprint?, it.what)))
                .collect();
            let writes = site.witness.writes.count;
            check_history(site.witness.posts, writes, &whats)?;
        }
        Ok(())
    }

    /// Before anything goes wrong, most of what is wanted is at SendGrid, and ours.
    fn begin_well(&mut self) -> Result<(), Violation> {
        let policies: Vec<Policy> = {
            let mut stage = self.stage();
            let Stage { world, sites, .. } = &mut *stage;
            world.is_calm = true;
            for (number, certificate) in pool().into_iter().enumerate() {
                if world.chance(80) {
                    let name = format!("file-{number}.pem");
                    world.files.insert(name, accepted(vec![certificate]));
                }
            }
            let policies = sites.iter_mut();
            policies
                .map(|it| std::mem::replace(&mut it.policy, plain_policy()))
                .collect()
        };
        for number in 0..self.processes.len() {
            self.whole_pass(number)?.ok();
            self.whole_pass(number)?.ok();
        }
        let mut stage = self.stage();
        stage.world.is_calm = false;
        for (site, policy) in stage.sites.iter_mut().zip(policies) {
            site.policy = policy;
        }
        Ok(())
    }

    fn verdict(&self) -> Result<(), Violation> {
        self.stage().violation.clone().map_or(Ok(()), Err)
    }

    /// One thing happens.
    fn turn(&mut self) {
        let (what, number) = {
            let mut stage = self.stage();
            let dice = &mut stage.world.dice;
            (dice.u32(0..112), dice.usize(0..self.processes.len()))
        };
        self.mend(number);
        let is_posting = self.stage().sites[number].is_posting;
        match what {
            0..10 if is_posting => self.crash(number),
            0..62 => {
                let steps = self.stage().world.dice.u32(1..=5);
                for _ in 0..steps {
                    self.step(number);
                }
            }
            62..70 => {
                let mut stage = self.stage();
                let some = stage.world.up_to(Duration::from_secs(60));
                stage.pass_time(some);
            }
            70..77 => self.sleep_until_due(number),
            77..85 => {
                let mut stage = self.stage();
                let what = stage.world.edit_source();
                stage.tell(|| what);
            }
            85..91 => {
                let mut stage = self.stage();
                let what = stage.world.administer();
                stage.tell(|| what);
            }
            91..94 => self.crash(number),
            94..97 => {
                let mut stage = self.stage();
                let minutes = stage.world.dice.u64(1..200);
                stage.tell(|| format!("the machine sleeps for {minutes} minutes"));
                stage.pass_time(Duration::from_secs(60 * minutes));
            }
            97 => {
                let mut stage = self.stage();
                stage.world.jump();
                let wall = stage.world.now.wall;
                stage.tell(|| format!("the wall clock is set to {wall}"));
            }
            98 => {
                {
                    let mut stage = self.stage();
                    stage.tell(|| "the machine reboots".to_owned());
                    stage.reboot();
                }
                for number in 0..self.processes.len() {
                    self.crash(number);
                }
            }
            99 => self.move_elsewhere(),
            100..109 => self.decide(number),
            109..111 => self.set_pause(number, None),
            _ => self.reload(number),
        }
    }

    /// Some things nobody leaves as they are for long: the key of another account, a wrong clock, an unreadable
    /// directory, a pause.
    fn mend(&mut self, number: usize) {
        let is_elsewhere = {
            let mut stage = self.stage();
            for mended in stage.world.mend() {
                stage.tell(|| mended);
            }
            stage.world.is_elsewhere && stage.world.chance(8)
        };
        if is_elsewhere {
            self.move_elsewhere();
        }
        let is_paused = self.stage().sites[number].stored().pause.is_some();
        if is_paused && self.stage().world.chance(8) {
            self.set_pause(number, Some(false));
        }
    }

    /// A person decides something about some certificate, between two passes.
    fn decide(&mut self, number: usize) {
        let Some(before) = self.processes[number].book.clone() else {
            return;
        };
        let mut stage = self.stage();
        let Stage { world, sites, .. } = &mut *stage;
        let decisions = [
            Decision::Approve,
            Decision::ApproveKey,
            Decision::ApproveKey,
            Decision::Deny,
            Decision::DenyKey,
            Decision::Acknowledge,
            Decision::Adopt,
            Decision::Adopt,
            Decision::Restore,
            Decision::Restore,
            Decision::Forget,
            Decision::Forget,
            Decision::Retire(How::Disable),
            Decision::Retire(How::Disable),
            Decision::Retire(How::Disable),
            Decision::Retire(How::Delete),
            Decision::Retire(How::Delete),
            Decision::Retire(How::Delete),
        ];
        let mut decision = decisions[world.dice.usize(0..decisions.len())];
        let mut pool = pool();
        if world.chance(60) {
            let ours = |it: &Certificate| {
                let belief = before.beliefs.get(&it.fingerprint());
                belief.is_some_and(|it| it.is_listed() || it.order.is_some())
            };
            let is_any = pool.iter().any(ours);
            pool.retain(|it| !is_any || ours(it));
        }
        let is_confirmed = |it: &Certificate| {
            let belief = before.beliefs.get(&it.fingerprint());
            belief.is_some_and(|it| matches!(it.standing, Standing::Confirmed(_)))
        };
        if world.chance(50) && pool.iter().filter(|it| is_confirmed(it)).count() > 1 {
            let how = if world.chance(50) {
                How::Disable
            } else {
                How::Delete
            };
            decision = Decision::Retire(how);
            pool.retain(is_confirmed);
        }
        let certificate = &pool[world.dice.usize(0..pool.len())];
        let fingerprint = certificate.fingerprint();
        let mut after = before.clone();
        let site = &mut sites[number];
        let skew = site.skew(world);
        let by = somebody();
        let taken = decide(&mut after, fingerprint, decision, &by, skew, &world.now);
        if let Ok(entries) = &taken {
            site.decide(&before, &after, entries);
            let word = after.beliefs.get(&fingerprint).and_then(|it| it.word);
            let is_alone = word == Some(Word::DeniedAlone);
            site.witness.decided(decision, fingerprint, is_alone);
        }
        stage.tell(|| {
            format!(
                "daemon {number}: {decision:?} {}: {taken:?}",
                certificate.subject()
            )
        });
        drop(stage);
        self.processes[number].book = Some(after);
    }

    /// A person stops every write, or lets them go on.
    fn set_pause(&mut self, number: usize, is_paused: Option<bool>) {
        let Some(before) = self.processes[number].book.clone() else {
            return;
        };
        let mut stage = self.stage();
        let is_paused = is_paused.unwrap_or_else(|| before.pause.is_none());
        let mut after = before.clone();
        let pausing = if is_paused {
            Pausing::Pause
        } else {
            Pausing::Resume
        };
        let entries = set_pause(&mut after, pausing, &somebody(), &stage.world.now);
        stage.sites[number].decide(&before, &after, &entries);
        stage.tell(|| format!("daemon {number}: paused: {is_paused}"));
        drop(stage);
        self.processes[number].book = Some(after);
    }

    /// The configuration is another one from now on.
    fn reload(&mut self, number: usize) {
        if self.processes[number].running.is_some() {
            return;
        }
        let mut stage = self.stage();
        let policy = policy(&mut stage.world);
        stage.tell(|| format!("daemon {number}: {policy:?}"));
        stage.sites[number].policy = policy;
    }

    /// The key reaches another account for a while, or the right one again.
    fn move_elsewhere(&self) {
        let mut stage = self.stage();
        let Stage { world, sites, .. } = &mut *stage;
        let in_doubt = sites.iter().any(|it| it.witness.is_in_doubt());
        if world.is_elsewhere || in_doubt {
            world.is_elsewhere = false;
        } else {
            world.go_elsewhere();
        }
        let is_elsewhere = world.is_elsewhere;
        stage.tell(|| format!("the key is another account's: {is_elsewhere}"));
    }

    /// A daemon does one thing more: it begins a pass, or goes on with one.
    fn step(&mut self, number: usize) {
        if self.processes[number].running.is_none() {
            self.begin(number);
        }
        let process = &mut self.processes[number];
        let Some(running) = &mut process.running else {
            return;
        };
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ended { book, end }) = running.as_mut().poll(&mut context) else {
            return;
        };
        process.running = None;
        process.book = Some(book);
        self.passes += 1;
        self.finish(number, &end);
    }

    fn begin(&mut self, number: usize) {
        let Some(mut book) = self.processes[number].book.take() else {
            return;
        };
        let (look, policy, trigger) = {
            let mut stage = self.stage();
            let Stage { world, sites, .. } = &mut *stage;
            let site = &mut sites[number];
            site.look = world.look();
            site.misled = Misled::default();
            site.witness.begin(site.look.as_ref(), world.truth);
            let trigger = if !world.is_calm && world.chance(8) {
                site.gate.lift_own_waits();
                site.witness.hurry();
                Trigger::Command
            } else {
                Trigger::Due
            };
            let begun = (site.look.clone(), site.policy.clone(), trigger);
            stage.tell(|| format!("daemon {number}: begins a pass, after {trigger}"));
            begun
        };
        let stage = Arc::clone(&self.stage);
        self.processes[number].running = Some(Box::pin(async move {
            let mut hands = ModelHands { stage, number };
            let name = IntegrationName::parse("okta").unwrap();
            let course = Course {
                name: &name,
                hands: &mut hands,
                book: &mut book,
                policy: &policy,
                trigger,
            };
            let end = course.run(look.as_ref()).await;
            Ended { book, end }
        }));
    }

    /// When the next pass is due, as the worker of the daemon has it.
    fn finish(&mut self, number: usize, end: &Result<Compared, Halt>) {
        let mut stage = self.stage();
        let now = stage.world.now.clone();
        let wait = |site: &Site, operation| {
            let request = Request {
                operation,
                integration: Some(integration()),
            };
            let wait = site.gate.closed(&now, &request);
            wait.map(|it| now.wall.plus(it.left))
        };
        let site = &stage.sites[number];
        let due = match end {
            Ok(Compared { plan, .. }) if plan.actions.is_empty() => plan.due,
            Ok(_) => wait(site, Operation::Create).or(Some(now.wall)),
            Err(Halt::Closed(Closed::Wait { left, .. })) => Some(now.wall.plus(*left)),
            Err(_) => wait(site, Operation::List),
        };
        match end {
            Ok(Compared { plan, halt, .. }) => {
                let words: Vec<String> = plan.items.iter().map(told).collect();
                stage.tell(|| format!("daemon {number}: {}", words.join(", ")));
                let mut seen = BTreeSet::new();
                let twice = plan
                    .items
                    .iter()
                    .filter(|it| it.state != State::Duplicate)
                    .filter_map(|it| it.fingerprint)
                    .find(|it| !seen.insert(*it));
                if let Some(twice) = twice {
                    stage.broken(Rule::OneState, format!("{} has two", twice.brief()));
                }
                if let Some(halt) = halt {
                    stage.tell(|| format!("daemon {number}: uploads stop short: {halt:?}"));
                }
            }
            Err(halt) => stage.tell(|| format!("daemon {number}: stops short: {halt:?}")),
        }
        drop(stage);
        self.processes[number].due = due;
    }

    fn sleep_until_due(&mut self, number: usize) {
        let process = &self.processes[number];
        let Some(due) = process.due.filter(|_| process.running.is_none()) else {
            return;
        };
        let mut stage = self.stage();
        let left = due.since(stage.world.now.wall).min(DAY);
        stage.pass_time(left);
    }

    /// Whatever is not in the ledger is lost. A POST that is under way may arrive all the same.
    fn crash(&mut self, number: usize) {
        self.processes[number].running = None;
        let mut stage = self.stage();
        let Stage { world, sites, .. } = &mut *stage;
        let is_killed = world.chance(40);
        let restarted = sites[number].restart(is_killed);
        stage.tell(|| format!("daemon {number}: dies and starts again"));
        match restarted {
            Ok(book) => {
                drop(stage);
                self.processes[number].book = Some(book);
                self.processes[number].due = None;
            }
            Err(violation) => stage.judge(Err(violation)),
        }
    }

    /// Nothing goes wrong any more. Now everything has to come to rest, and stay there.
    fn come_to_rest(&mut self) -> Result<(), Violation> {
        {
            let mut stage = self.stage();
            stage.tell(|| "from here on nothing goes wrong".to_owned());
            stage.world.calm_down();
        }
        for number in 0..self.processes.len() {
            while self.processes[number].running.is_some() {
                self.step(number);
                self.verdict()?;
            }
            self.set_pause(number, Some(false));
            // What replicas lag behind is over.
            self.stage().pass_time(Duration::from_secs(150));
        }
        let mut why = String::new();
        for _ in 0..MOST_PASSES {
            let mut rests = Vec::new();
            for number in 0..self.processes.len() {
                rests.push(self.whole_pass(number)?);
            }
            if rests.iter().all(Result::is_ok) {
                return Ok(());
            }
            why = rests.into_iter().filter_map(Result::err).collect();
            let dues = self.processes.iter().filter_map(|it| it.due);
            let mut stage = self.stage();
            let now = stage.world.now.wall;
            let left = dues.map(|it| it.since(now)).min().unwrap_or(HOUR);
            stage.pass_time(left.clamp(Duration::from_secs(1), DAY));
        }
        Err(Violation {
            rule: Rule::Converges,
            how: format!("after {MOST_PASSES} passes: {why}"),
        })
    }

    /// One whole pass, and whether everything is as it should be; else what is not.
    pub(super) fn whole_pass(&mut self, number: usize) -> Result<Result<(), String>, Violation> {
        let posts = self.stage().sites[number].witness.posts;
        self.begin(number);
        let end = loop {
            let process = &mut self.processes[number];
            let running = process.running.as_mut().unwrap();
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(Ended { book, end }) = running.as_mut().poll(&mut context) {
                process.running = None;
                process.book = Some(book);
                break end;
            }
            self.verdict()?;
        };
        self.passes += 1;
        self.finish(number, &end);
        self.verdict()?;
        let stage = self.stage();
        let site = &stage.sites[number];
        Ok(match end {
            Ok(it) => is_at_rest(&stage.world, site, &it.plan, site.witness.posts - posts),
            // Nobody can tell the deletion of everything from a wrong account; a person is told.
            Err(Halt::Missing(_)) if stage.world.is_all_strange(&site.stored().beliefs) => Ok(()),
            Err(halt) => Err(format!("{halt:?}")),
        })
    }
}

/// Whether there is nothing left to do for a daemon, and rightly so.
fn is_at_rest(world: &World, site: &Site, plan: &Plan, posts: usize) -> Result<(), String> {
    let now = world.now.wall;
    if posts > 0 || !plan.actions.is_empty() {
        return Err(format!("{posts} POSTs, {} planned", plan.actions.len()));
    }
    let mut wanted: BTreeSet<Fingerprint> = BTreeSet::new();
    for verdict in world.files.values() {
        if let FileVerdict::Accepted { certificates, .. } = verdict {
            let valid = certificates.iter().filter(|it| !it.validity().is_over(now));
            wanted.extend(valid.map(Certificate::fingerprint));
        }
    }
    for fingerprint in wanted {
        let item = plan
            .items
            .iter()
            .find(|it| it.fingerprint == Some(fingerprint));
        let Some(item) = item else {
            if site.witness.ignored.contains(&fingerprint) {
                continue;
            }
            return Err(format!("{} has no state", fingerprint.brief()));
        };
        let rows = world.rows().iter().filter(|it| {
            it.certificate
                .as_ref()
                .is_some_and(|it| it.fingerprint() == fingerprint)
        });
        let rows = rows.count();
        let is_denied = site.witness.writes.is_denied(fingerprint);
        let is_right = match item.state {
            State::Trusted | State::Ahead | State::Found if is_denied => false,
            State::Trusted | State::Ahead | State::Found | State::Disabled => rows > 0,
            State::Removed | State::Denied => rows == 0,
            State::Unmanaged => rows > 0 && item.why == Why::DeniedAndListed,
            State::Held => rows == 0 && !matches!(item.why, Why::Paused),
            State::Replaced => true,
            State::Planned => site.policy.mode == Mode::Observe,
            _ => false,
        };
        if !is_right {
            return Err(format!("{}, {rows} rows", told(item)));
        }
    }
    let needs_person = |it: &Item| matches!(it.state, State::Removed | State::Replaced);
    let waits = |it: &Item| it.state == State::Settling;
    if plan.items.iter().any(waits) {
        return Err("something is unsettled".to_owned());
    }
    let is_free = site.policy.mode == Mode::Manage && !plan.items.iter().any(needs_person);
    if is_free && !plan.outlook.in_step {
        return Err("not in step".to_owned());
    }
    Ok(())
}

fn told(item: &Item) -> String {
    let name = item.certificate.as_ref().map_or("?", |it| it.subject());
    let retirement = item.retirement.as_ref().map_or_else(String::new, |it| {
        let blocks: Vec<String> = it.blocks.iter().map(ToString::to_string).collect();
        format!(", to go unless [{}]", blocks.join("; "))
    });
    format!("{name} {} ({}){retirement}", item.state, item.why)
}

fn somebody() -> Author {
    Author {
        name: "alice".to_owned(),
        note: String::new(),
        reason: None,
    }
}

fn policy(world: &mut World) -> Policy {
    let minutes = |world: &mut World, most: u64| Duration::from_secs(60 * world.dice.u64(0..=most));
    let mut policy = plain_policy();
    if world.chance(6) {
        policy.mode = Mode::Observe;
    }
    let trust = &mut policy.trust;
    trust.require = match world.dice.u32(0..20) {
        0..2 => Require::Pin,
        2..5 => Require::Approval,
        5..9 => Require::HoldDown,
        _ => Require::Source,
    };
    trust.hold_down = minutes(world, 300);
    trust.new_keys_per_day = if world.chance(30) { 5 } else { 0 };
    for certificate in pool() {
        if world.chance(15) {
            trust.pins.insert(certificate.fingerprint());
        }
    }
    let retire = &mut policy.retire;
    retire.action = match world.dice.u32(0..3) {
        0 => RetireAction::Keep,
        1 => RetireAction::Disable,
        _ => RetireAction::Delete,
    };
    if world.chance(70) {
        retire.when = RetireWhen::Absent;
    }
    retire.min_overlap = minutes(world, 30);
    retire.min_absence = minutes(world, 30);
    retire.expired_after = minutes(world, 600);
    policy
}

/// What the configuration says if it says nothing.
pub(super) fn plain_policy() -> Policy {
    Policy {
        mode: Mode::Manage,
        trust: TrustPolicy {
            pins: BTreeSet::new(),
            require: Require::Source,
            hold_down: DAY,
            new_keys_per_day: 5,
        },
        retire: RetirePolicy {
            action: RetireAction::Keep,
            when: RetireWhen::Expired,
            min_overlap: 30 * DAY,
            min_absence: 14 * DAY,
            expired_after: 7 * DAY,
        },
        expiry: ExpiryPolicy {
            successor: 45 * DAY,
            warn: 30 * DAY,
            critical: 7 * DAY,
        },
        delivery: DeliveryPolicy {
            settle: Duration::from_secs(180),
            refused_hold: DAY,
        },
    }
}
