//! What no local user can do: connections, questions and signals in any number stop nothing.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::certificates::{valid, without_authority};
use crate::harness::{Daemon, OKTA, Stage, exchange};
use crate::simulator::Operation;

/// A machine may be as slow as it likes: nothing takes a tenth of it.
const UNHURRIED: Duration = Duration::from_secs(30);

/// Integrations beside the one that is looked at: their names are what a misspelt one is compared with.
const OTHERS: usize = 1_000;

/// A question about these names, as JSON.
fn question(verb: &str, names: &[String]) -> String {
    let names = serde_json::to_string(names).unwrap();
    format!(
        r#"{{"verb":{verb},"names":{names},"json":false,"width":18446744073709551615,"color":false,"utf8":true}}"#
    )
}

const STATUS: &str = r#"{"status":{"all":true,"quiet":false}}"#;

const HISTORY: &str = r#"{"history":{"since_millis":null,"limit":4294967295}}"#;

/// As many misspelt names as a question takes, each nearly that of all [`OTHERS`].
fn misspelt() -> String {
    let names = vec!["idp-1234567890-1234567890-1234567890x".to_owned(); 1_500];
    question(STATUS, &names)
}

fn head(address: SocketAddr, length: usize) -> String {
    format!(
        "POST /ask HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

fn ask(address: SocketAddr, body: &str) -> String {
    head(address, body.len()) + body
}

#[tokio::test]
async fn a_question_is_bounded() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let certificate = valid("idp");
    stage.home.put("okta", "idp.pem", &certificate.pem);
    let daemon = stage.start().await;
    // Once all is well, its answer is the same whenever it comes.
    daemon.shows_state("okta", &certificate, "trusted").await;
    let address = daemon.address();
    // Refused by its announcement alone.
    let (code, _) = exchange(address, &head(address, 2_000_000)).await.unwrap();
    assert_eq!(code, 413);
    let body = question(STATUS, &["okta".to_owned()]);
    let (code, answer) = exchange(address, &ask(address, &body)).await.unwrap();
    assert_eq!(code, 200, "{answer}");
    assert!(answer.contains("\"exit\":0"), "{answer}");
    for (name, advice) in [("otka".to_owned(), true), ("o".repeat(60_000), false)] {
        let body = question(STATUS, &[name]);
        let (code, answer) = exchange(address, &ask(address, &body)).await.unwrap();
        assert_eq!(code, 200, "{answer}");
        assert!(answer.contains("\"exit\":64"), "{answer}");
        assert_eq!(answer.contains("did you mean"), advice, "{answer}");
        assert!(answer.len() < 1_000, "{answer}");
    }
    // In pieces of no announced length, too.
    let mut chunked = format!(
        "POST /ask HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for _ in 0..17 {
        write!(chunked, "1000\r\n{}\r\n", " ".repeat(0x1000)).unwrap();
    }
    let (code, _) = exchange(address, &chunked).await.unwrap();
    assert_eq!(code, 413);
    assert_eq!(daemon.stop().await, 0);
}

/// What somebody does over and over.
#[derive(Clone, Copy)]
enum Hostility {
    /// Half a head, and then nothing.
    HalfHead,
    /// A head that announces a body, and then nothing.
    NoBody,
    /// A body of which one byte comes now and then.
    Drip,
    /// A body of 2 MB.
    Flood,
    /// As many misspelt names as a question takes.
    Names,
    /// Everything, and the answer is not read.
    Deaf,
    /// As much of the audit trail as is told at once, which reads the ledger.
    Trail,
}

impl Hostility {
    const ALL: [Self; 7] = [
        Self::HalfHead,
        Self::NoBody,
        Self::Drip,
        Self::Flood,
        Self::Names,
        Self::Deaf,
        Self::Trail,
    ];

    async fn act(self, address: SocketAddr) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        match self {
            Self::HalfHead => stream.write_all(b"POST /ask HTTP/1.1\r\nHo").await?,
            Self::NoBody => stream.write_all(head(address, 100).as_bytes()).await?,
            Self::Drip => {
                stream.write_all(head(address, 60_000).as_bytes()).await?;
                loop {
                    stream.write_all(b" ").await?;
                    sleep(Duration::from_millis(200)).await;
                }
            }
            Self::Flood => {
                let body = " ".repeat(2_000_000);
                stream.write_all(ask(address, &body).as_bytes()).await?;
            }
            Self::Names => {
                let body = misspelt();
                stream.write_all(ask(address, &body).as_bytes()).await?;
            }
            Self::Deaf => {
                let body = question(STATUS, &[]);
                stream.write_all(ask(address, &body).as_bytes()).await?;
                std::future::pending::<()>().await;
            }
            Self::Trail => {
                let body = question(HISTORY, &[]);
                stream.write_all(ask(address, &body).as_bytes()).await?;
            }
        }
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(())
    }
}

/// A hundred connections that are made anew whenever they are hung up on, until this is dropped.
struct Storm {
    acts: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Storm {
    fn begin(address: SocketAddr) -> Self {
        let mut tasks = JoinSet::new();
        let acts = Arc::<AtomicU64>::default();
        for number in 0..100 {
            let counted = Arc::clone(&acts);
            tasks.spawn(async move {
                let hostility = Hostility::ALL[number % Hostility::ALL.len()];
                loop {
                    hostility.act(address).await.ok(); // hung up on, or reset
                    counted.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(10)).await;
                }
            });
        }
        Self {
            acts,
            _tasks: tasks,
        }
    }
}

/// Integrations beside the one that is looked at, all on one directory, and of an account without a key: they ask SendGrid
/// nothing.
fn add_others(stage: &Stage) {
    stage.home.make_directory("certificates/others");
    let directory = stage.home.directory("others");
    let mut toml = format!(
        "[accounts.others]\nbase_url = \"{}\"\napi_key_file = \"/nowhere/key\"\n",
        stage.sendgrid.url()
    );
    for number in 0..OTHERS {
        write!(
            toml,
            "[integrations.idp-1234567890-1234567890-1234567890-{number}]\naccount = \"others\"\n\
             integration_id = \"00000000-0000-4000-8000-{number:012}\"\ndirectory = \"{}\"\n",
            directory.display()
        )
        .unwrap();
    }
    stage.home.set("others", &toml);
}

/// The dearest question alone: how long its answer takes, and the seconds of CPU that it and two scrapes cost.
async fn ask_the_dearest(daemon: &Daemon) -> (Duration, f64) {
    let cost = || async {
        let metrics = daemon.metrics().await;
        metrics.value("process_cpu_seconds_total", &[]).unwrap()
    };
    let before = cost().await;
    let began = Instant::now();
    let address = daemon.address();
    let request = ask(address, &misspelt());
    let answer = timeout(UNHURRIED, exchange(address, &request)).await;
    let (code, answer) = answer.unwrap().unwrap();
    let took = began.elapsed();
    assert_eq!(code, 200);
    assert!(answer.contains("\"exit\":64"), "{answer}");
    (took, cost().await - before)
}

/// What a process has at one instant.
async fn holds(daemon: &Daemon) -> [f64; 3] {
    let metrics = daemon.metrics().await;
    let value = |name| metrics.value(name, &[]).unwrap();
    [
        value("process_open_fds"),
        value("process_threads"),
        value("process_resident_memory_bytes") / 1024.0 / 1024.0,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_hostile_connections_stop_neither_livez_nor_a_delivery() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    add_others(&stage);
    let daemon = stage.start().await;
    let (took, cost) = ask_the_dearest(&daemon).await;
    eprintln!(
        "1,500 misspelt names beside {OTHERS}: answered after {} ms, {cost:.3} s of CPU",
        took.as_millis(),
    );
    let mut held = Vec::new();
    for round in 0..2 {
        let storm = Storm::begin(daemon.address());
        while storm.acts.load(Ordering::Relaxed) < 50 {
            sleep(Duration::from_millis(10)).await;
        }
        let certificate = valid(&format!("through the storm {round}"));
        let began = Instant::now();
        stage
            .home
            .put("okta", &format!("{round}.pem"), &certificate.pem);
        let uploaded = stage.sendgrid.wait_for(UNHURRIED, |it| {
            it.history().posts_of(certificate.fingerprint).count() == 1
        });
        let live = async {
            let mut slowest = Duration::ZERO;
            for _ in 0..10 {
                let asked = Instant::now();
                let answer = timeout(UNHURRIED, daemon.get("/livez")).await.unwrap();
                assert_eq!(answer, (200, "ok\n".to_owned()));
                slowest = slowest.max(asked.elapsed());
            }
            slowest
        };
        let (uploaded, slowest) = tokio::join!(
            async {
                let uploaded = uploaded.await;
                uploaded.map(|()| began.elapsed())
            },
            live
        );
        let Ok(took) = uploaded else {
            daemon.fail("a file is uploaded while a hundred connections are held");
        };
        eprintln!(
            "round {round}: uploaded after {} ms, the slowest of ten /livez after {} ms, {} hostile acts",
            took.as_millis(),
            slowest.as_millis(),
            storm.acts.load(Ordering::Relaxed),
        );
        drop(storm);
        held.push(holds(&daemon).await);
    }
    eprintln!("descriptors, threads, MiB after each round: {held:?}");
    let [first, second] = held.as_slice() else {
        panic!("{held:?}");
    };
    assert!(second[0] <= first[0] + 64.0, "descriptors: {held:?}");
    assert!(second[1] <= 48.0, "threads: {held:?}");
    assert!(second[2] <= first[2] * 1.2 + 16.0, "memory: {held:?}");
    let quiet = async {
        // Those of connections that are hung up on go within moments.
        while holds(&daemon).await[0] > 40.0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(UNHURRIED, quiet).await.is_err() {
        daemon.fail("the descriptors of the storm are closed");
    }
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn two_thousand_signals_are_a_pass_or_two() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let lists = || {
        let history = stage.sendgrid.history();
        let requests = history.requests();
        requests
            .filter(|it| it.operation == Operation::List)
            .count()
    };
    let before = lists();
    for _ in 0..2_000 {
        daemon.signal(Signal::USR1);
        sleep(Duration::from_millis(1)).await;
    }
    let labels = [("trigger", "signal"), ("result", "ok")];
    daemon
        .measures("sso_certd_reconciles_total", &labels, 2.0)
        .await;
    let asked = lists() - before;
    assert!((1..=4).contains(&asked), "{asked}");
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_file_that_grows_does_not_delay_another() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let growing = stage.home.directory("okta").join("growing.pem");
    let mut grows = JoinSet::new();
    grows.spawn(async move {
        use std::io::Write as _;
        let mut file = std::fs::File::create(growing).unwrap();
        loop {
            file.write_all(b"# still coming\n").unwrap();
            sleep(Duration::from_millis(10)).await;
        }
    });
    sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    // One that may issue others waits for what is unfinished, as that may hold what it issued.
    let certificate = without_authority("finished");
    stage.home.put("okta", "finished.pem", &certificate.pem);
    stage
        .sendgrid_has(&daemon, "it is uploaded", |it| it.rows().count() == 1)
        .await;
    // A look that waits for a pause would not have happened before its own limit, five seconds.
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(daemon.stop().await, 0);
}
