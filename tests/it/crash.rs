//! The daemon is killed at any moment: after the next start there is one row of each certificate.
//!
//! It is killed from outside, by SIGKILL: by SendGrid itself in the middle of a POST, or at a moment that chance picks while
//! everything else goes wrong, too. `SSO_CERTD_KILL_ROUNDS=300` kills more often, `SSO_CERTD_SEED=N` throws the dice of a run
//! that failed. The same at each durable step: `tests/system/crash.test`.

#![expect(
    clippy::print_stderr,
    reason = "what the dice were is part of a failure"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sso_certd::adapter::ledger::Ledger;
use sso_certd::domain::{Fingerprint, IntegrationId};
use sso_certd::intake::read_known;
use sso_certd::plan::book::Standing;
use tokio::time::sleep;

use crate::certificates::{Made, valid};
use crate::harness::{Daemon, Home, KEY, OKTA, Stage, integration};
use crate::simulator::{
    Commit, Fault, ListTrick, Moment, Operation, Options, Reply, Rule, Simulator,
};

/// Kills of both tests together where nobody asks for another number.
const ROUNDS: usize = 12;

/// After so many rounds a new stage begins: an integration may only have 200 certificates.
const ROUNDS_OF_A_STAGE: usize = 25;

/// As `Home` has it.
const SETTLE: Duration = Duration::from_millis(300);

/// Where a POST is struck, and whether it is stored nevertheless.
const BLOWS: [(Moment, bool); 4] = [
    (Moment::Received, true),
    (Moment::Received, false),
    (Moment::Decided, true),
    (Moment::Answered, true),
];

#[tokio::test]
async fn killed_by_sendgrid_in_a_post_it_makes_one_row_each() {
    let mut dice = Dice::throw();
    let mut kills = BTreeMap::<String, usize>::new();
    let rounds: Vec<usize> = (0..rounds() / 2).collect();
    for rounds in rounds.chunks(ROUNDS_OF_A_STAGE) {
        let mut trial = Trial::begin(&mut dice).await;
        let next = Arc::new(Mutex::new(None));
        strike_at(&trial.stage.sendgrid, &next);
        for round in rounds {
            let (moment, is_stored) = BLOWS[round % BLOWS.len()];
            let mut daemon = trial.stage.start().await;
            trial.is_in_step(&daemon).await;
            let made: Vec<Made> = (0..2).map(|it| valid(&format!("{round}-{it}"))).collect();
            let victim = made[dice.0.usize(..made.len())].fingerprint;
            if !is_stored {
                let lost = Rule::next(Operation::Create, Fault::close_before_commit());
                trial.stage.sendgrid.script(lost.of(victim));
            }
            let pid = i32::try_from(daemon.pid()).ok().and_then(Pid::from_raw);
            *next.lock().unwrap() = Some((moment, victim, pid.unwrap()));
            trial.put(made);
            daemon.exit().await;
            *kills
                .entry(format!("{moment:?}, stored: {is_stored}"))
                .or_default() += 1;
            trial.every_post_had_an_intent();

            let daemon = trial.stage.start().await;
            trial.is_in_step(&daemon).await;
            trial.is_one_row_each();
            trial.was_sent(victim, if is_stored { 1 } else { 2 });
            assert_eq!(daemon.stop().await, 0);
        }
    }
    eprintln!("seed {}, killed: {kills:?}", dice.1);
}

#[tokio::test]
async fn killed_at_random_while_all_goes_wrong_it_makes_one_row_each() {
    let mut dice = Dice::throw();
    let (mut kills, mut halfway, mut open) = (0, 0, 0);
    let rounds: Vec<usize> = (0..rounds().div_ceil(2)).collect();
    for rounds in rounds.chunks(ROUNDS_OF_A_STAGE) {
        let mut trial = Trial::begin(&mut dice).await;
        for round in rounds {
            let mut daemon = trial.stage.start().await;
            trial.is_in_step(&daemon).await;
            let seen = trial.stage.sendgrid.history().events.len();
            hostility().for_each(|it| trial.stage.sendgrid.script(it));
            trial.put((0..3).map(|it| valid(&format!("{round}-{it}"))).collect());
            trial
                .stage
                .sendgrid_has(&daemon, "the pass begins", |it| {
                    it.history().events.len() > seen
                })
                .await;
            sleep(Duration::from_millis(dice.0.u64(..100))).await;
            daemon.kill();
            kills += 1;
            let unknown = trial.every_post_had_an_intent();
            open += unknown;
            let is_halfway = unknown > 0 || trial.stage.sendgrid.rows().len() < trial.all.len();
            halfway += usize::from(is_halfway);

            trial.stage.sendgrid.be_well();
            let daemon = trial.stage.start().await;
            trial.is_in_step(&daemon).await;
            trial.is_one_row_each();
            assert_eq!(daemon.stop().await, 0);
        }
    }
    eprintln!(
        "seed {}, {kills} kills, {halfway} of them halfway, {open} outcomes unknown then",
        dice.1
    );
}

fn rounds() -> usize {
    let asked = std::env::var("SSO_CERTD_KILL_ROUNDS").ok();
    asked.map_or(ROUNDS, |it| it.parse().unwrap())
}

/// Dice, and the seed they were thrown with.
struct Dice(fastrand::Rng, u64);

impl Dice {
    fn throw() -> Self {
        let asked = std::env::var("SSO_CERTD_SEED").ok();
        let seed = asked.map_or_else(|| fastrand::u64(..1_000_000), |it| it.parse().unwrap());
        eprintln!("SSO_CERTD_SEED={seed}");
        Self(fastrand::Rng::with_seed(seed), seed)
    }
}

/// What goes wrong meanwhile. Each POST that gets no honest answer is stored, by the end of the settle window at the latest:
/// what is never stored is sent anew after 15 minutes if a second one is lost, and no test waits for that.
fn hostility() -> impl Iterator<Item = Rule> {
    let late = SETTLE / 3;
    let create = [
        Fault::commit_then_close(),
        Fault::commit_then_silence(),
        Fault::commit_then(500),
        Fault::reply(Reply::Reset),
        Fault::reply(Reply::CutBody),
        Fault::reply(Reply::HtmlBody),
        Fault::close_then_commit_after(late),
        Fault::new(Commit::After(late), Reply::Usual),
        Fault::refuse(429),
    ];
    let list = [
        Fault::refuse(500),
        Fault::reply(Reply::Close),
        Fault::reply(Reply::CutBody),
        Fault::reply(Reply::InvalidJson),
        Fault::list(ListTrick::Stale(late)),
    ];
    let of = |operation| move |it| Rule::always(it).on(operation).chance(0.08);
    let create = create.into_iter().map(of(Operation::Create));
    create.chain(list.into_iter().map(of(Operation::List)))
}

/// Who is struck next, and where.
type Next = Arc<Mutex<Option<(Moment, Fingerprint, Pid)>>>;

fn strike_at(sendgrid: &Simulator, next: &Next) {
    let next = Arc::clone(next);
    sendgrid.on_post(move |moment, fingerprint| {
        let mut next = next.lock().unwrap();
        if let Some((_, _, pid)) = next.take_if(|it| (it.0, it.1) == (moment, fingerprint)) {
            kill_process(pid, Signal::KILL).unwrap();
        }
    });
}

/// A stage, and everything that was put on it.
struct Trial {
    stage: Stage,
    all: Vec<Made>,
}

impl Trial {
    async fn begin(dice: &mut Dice) -> Self {
        let sendgrid = Simulator::start(Options {
            seed: dice.0.u64(..),
            ..Options::one_account(KEY, &[("okta", OKTA)])
        })
        .await;
        let home = Home::new(&sendgrid.url());
        home.integration("okta", OKTA);
        home.set(
            "short",
            "[accounts.default]\nrequest_timeout = \"300ms\"\n[defaults.trust]\nnew_keys_per_day = 0\n",
        );
        let sendgrid = Arc::new(sendgrid);
        Self {
            stage: Stage { sendgrid, home },
            all: Vec::new(),
        }
    }

    fn put(&mut self, certificates: Vec<Made>) {
        for certificate in certificates {
            let name = format!("{}.pem", self.all.len());
            self.stage.home.put("okta", &name, &certificate.pem);
            self.all.push(certificate);
        }
    }

    /// Everything is trusted, and nothing is open.
    async fn is_in_step(&self, daemon: &Daemon) {
        let count = self.all.len();
        let is_so = |it: &serde_json::Value| {
            let okta = integration(it, "okta");
            okta["passed"] == true && okta["open_intents"] == 0 && okta["trusted"] == count
        };
        daemon
            .shows(&format!("all {count} are trusted"), is_so)
            .await;
    }

    /// The dead daemon's ledger knows of every POST that SendGrid saw; how many outcomes it does not know.
    #[track_caller]
    fn every_post_had_an_intent(&self) -> usize {
        let standings = standings(&self.stage.home.state());
        let history = self.stage.sendgrid.history();
        for post in history.of(Operation::Create) {
            let standing = post.fingerprint.and_then(|it| standings.get(&it));
            let is_known = matches!(standing, Some(Standing::Intent(_) | Standing::Confirmed(_)));
            // Only what was certainly refused is forgotten.
            let is_refused = post.committed.is_none() && post.status == Some(429);
            assert!(is_known || is_refused, "{standing:?}: {post}\n{history}");
        }
        let is_open = |it: &&Standing| matches!(it, Standing::Intent(_));
        standings.values().filter(is_open).count()
    }

    #[track_caller]
    fn is_one_row_each(&self) {
        for certificate in &self.all {
            self.stage.assert_one_row(certificate);
        }
        self.stage.assert_well_behaved();
    }

    /// It was sent so often, and never again within the settle window.
    #[track_caller]
    fn was_sent(&self, fingerprint: Fingerprint, times: usize) {
        let history = self.stage.sendgrid.history();
        let at: Vec<_> = history.posts_of(fingerprint).map(|it| it.at).collect();
        assert_eq!(at.len(), times, "{history}");
        let is_patient = |it: &[tokio::time::Instant]| it[1].duration_since(it[0]) >= SETTLE;
        assert!(at.windows(2).all(is_patient), "{history}");
    }
}

fn standings(state: &Path) -> BTreeMap<Fingerprint, Standing> {
    let ledger = Ledger::open_reading(state, read_known).unwrap();
    let book = ledger.load(IntegrationId::parse(OKTA).unwrap()).unwrap();
    let all = book.beliefs.into_iter();
    all.map(|(fingerprint, it)| (fingerprint, it.standing))
        .collect()
}
