//! Many integrations of two accounts, a fifth of all answers bad, certificates that appear at any time of the first half and
//! are written again in the second: at the end everything is as it should be, and the daemon has stopped to grow.
//!
//! A few seconds in every run of the tests; ten minutes of the release binary are
//! `SSO_CERTD_SOAK=600 cargo test --release --test it soak -- --nocapture`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::certificates::{Made, valid};
use crate::harness::{Daemon, Home, KEY, Stage, integration, quoted};
use crate::simulator::{
    Account, Commit, Fault, Integration, ListTrick, Operation, Options, Reply, Rule, SCOPES,
    Simulator,
};

/// The second account's key.
const KEY_EU: &str = "SG.eu.8fK2mQ9xT4bV7nR1wZ5c";

/// How long, and how many integrations, where nobody asks for more.
const SHORT: (Duration, usize) = (Duration::from_secs(4), 10);

/// Integrations of a run that somebody asks for.
const MANY: usize = 200;

/// Certificates that one integration gets at most.
const MOST_OF_ONE: usize = 40;

/// A late commit, shorter than the settle window of `Home`.
const LATE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_fifth_of_bad_answers_leaves_everything_in_step_and_memory_flat() {
    let (length, count) = std::env::var("SSO_CERTD_SOAK").map_or(SHORT, |secs| {
        (Duration::from_secs(secs.parse().unwrap()), MANY)
    });
    let seed = std::env::var("SSO_CERTD_SEED")
        .map_or_else(|_| fastrand::u64(..1_000_000), |it| it.parse().unwrap());
    eprintln!("SSO_CERTD_SEED={seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let stage = stage(count, seed).await;
    let daemon = stage.start().await;
    hostility().for_each(|it| stage.sendgrid.script(it));

    let mut put: Vec<Vec<Made>> = (0..count).map(|_| Vec::new()).collect();
    let mut memory = Vec::new();
    let began = Instant::now();
    let pause = (length / 100).min(Duration::from_millis(500));
    while began.elapsed() < length {
        let number = dice.usize(..count);
        let own = &mut put[number];
        let is_growing = began.elapsed() < length / 2;
        if is_growing && own.len() < MOST_OF_ONE {
            let made = valid(&format!("{number} {}", own.len()));
            own.push(made);
        }
        // Later the last file is only written once more: what there is to know stays as large as it is.
        if let Some(made) = own.last() {
            let file = format!("{}.pem", own.len());
            stage.home.put(&name(number), &file, &made.pem);
        }
        memory.push(resident(&daemon));
        sleep(pause).await;
    }

    stage.sendgrid.be_well();
    let wanted: Vec<usize> = put.iter().map(Vec::len).collect();
    in_step(&daemon, &wanted).await;
    for made in put.iter().flatten() {
        stage.assert_one_row(made);
    }
    stage.assert_well_behaved();
    let history = stage.sendgrid.history();
    let asked = history.requests().count();
    let bad = history.requests().filter(|it| it.fault.is_some()).count();
    let flat = flatness(&memory);
    eprintln!(
        "{} s, {count} integrations, {} certificates, {asked} requests, {bad} answers bad; resident: {} KiB, {flat:.2} times",
        began.elapsed().as_secs(),
        wanted.iter().sum::<usize>(),
        memory.last().unwrap(),
    );
    assert!(bad * 8 > asked, "{bad} of {asked} is not much");
    // In seconds a process is still growing into its size.
    assert!(
        length < Duration::from_secs(60) || flat < 1.05,
        "{memory:?}"
    );
    assert_eq!(daemon.stop().await, 0);
}

async fn stage(count: usize, seed: u64) -> Stage {
    let mut accounts = [
        Account::new("default").key(KEY, &SCOPES),
        Account::new("eu").key(KEY_EU, &SCOPES),
    ];
    for number in 0..count {
        let account = &mut accounts[number % 2];
        let added = std::mem::replace(account, Account::new(""));
        *account = added.integration(Integration::new(&name(number), &id_of(number)));
    }
    let sendgrid = Simulator::start(Options {
        accounts: accounts.into(),
        seed,
        ..Options::default()
    })
    .await;
    let home = Home::new(&sendgrid.url());
    home.write("key-eu", KEY_EU, 0o600);
    let (url, key) = (sendgrid.url(), quoted(&home.path("key-eu")));
    let mut toml = format!(
        r#"
[accounts.default]
request_timeout = "300ms"

[accounts.eu]
api_key_file = {key}
base_url = "{url}"
request_timeout = "300ms"
requests_per_minute = 60000

[defaults.trust]
new_keys_per_day = 0

[schedule]
reconcile = "*/10 * * * * *"
"#
    );
    for number in 0..count {
        let (name, id) = (name(number), id_of(number));
        home.make_directory(&format!("certificates/{name}"));
        let directory = quoted(&home.directory(&name));
        let account = ["default", "eu"][number % 2];
        write!(
            toml,
            "[integrations.{name}]\nintegration_id = \"{id}\"\naccount = \"{account}\"\ndirectory = {directory}\n"
        )
        .unwrap();
    }
    home.set("soak", &toml);
    Stage {
        sendgrid: Arc::new(sendgrid),
        home,
    }
}

fn name(number: usize) -> String {
    format!("idp-{number}")
}

fn id_of(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// A fifth of all answers, one way or another. A POST without an honest answer is stored in the end: what never is waits
/// for a quarter of an hour once a second one is lost.
fn hostility() -> impl Iterator<Item = Rule> {
    let create = [
        Fault::commit_then_close(),
        Fault::commit_then_silence(),
        Fault::commit_then(500),
        Fault::reply(Reply::Reset),
        Fault::reply(Reply::CutBody),
        Fault::reply(Reply::HtmlBody),
        Fault::close_then_commit_after(LATE),
        Fault::new(Commit::After(LATE), Reply::Usual),
        Fault::refuse(429),
        Fault::new(Commit::After(LATE), Reply::Status(503)),
    ];
    let list = [
        Fault::refuse(500),
        Fault::reply(Reply::Close),
        Fault::reply(Reply::CutBody),
        Fault::reply(Reply::InvalidJson),
        Fault::list(ListTrick::Stale(LATE)),
    ];
    let create = create.map(|it| Rule::always(it).on(Operation::Create).chance(0.022));
    let list = list.map(|it| Rule::always(it).on(Operation::List).chance(0.045));
    create.into_iter().chain(list)
}

/// Waits until every integration has all that was put into its directory.
async fn in_step(daemon: &Daemon, wanted: &[usize]) {
    daemon
        .shows("all are in step", |status| {
            wanted.iter().enumerate().all(|(number, count)| {
                let it = integration(status, &name(number));
                it["passed"] == true && it["open_intents"] == 0 && it["trusted"] == *count
            })
        })
        .await;
}

/// Resident memory of the daemon, in KiB.
fn resident(daemon: &Daemon) -> u64 {
    let path = format!("/proc/{}/status", daemon.pid());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    line.unwrap().trim_end_matches("kB").trim().parse().unwrap()
}

/// The last quarter of a series over the one before, by their medians.
fn flatness(series: &[u64]) -> f64 {
    let quarter = series.len() / 4;
    let median = |part: &[u64]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part.get(part.len() / 2).copied().unwrap_or(1)
    };
    let (early, late) = (
        median(&series[2 * quarter..3 * quarter]),
        median(&series[3 * quarter..]),
    );
    #[expect(
        clippy::cast_precision_loss,
        clippy::as_conversions,
        reason = "KiB of a process fit"
    )]
    let ratio = late as f64 / early as f64;
    ratio
}
