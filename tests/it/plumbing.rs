//! What a daemon stands on is taken away, or was never there: it mends itself, or ends so that it is started anew.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tokio::time::timeout;

use crate::certificates::valid;
use crate::harness::{Daemon, LIMIT, OKTA, Stage};

/// How long a daemon may take to see that its ledger is not where it was.
const A_MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_control_socket_that_was_removed_is_made_anew_and_no_command_works_beside_the_daemon() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let socket = stage.home.state().join("control.sock");
    fs::remove_file(&socket).unwrap();
    let ran = stage.home.ask(&["sync"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(socket.exists());
    daemon.logged("The control socket was removed").await;
    let labels = [("trigger", "command"), ("result", "ok")];
    daemon
        .measures("sso_certd_reconciles_total", &labels, 1.0)
        .await;
    assert_eq!(daemon.stop().await, 0);
    assert!(!socket.exists());
}

/// Takes the ledger from under a daemon, and waits for its end; nothing is uploaded or written meanwhile.
async fn ends_without(take_away: impl Fn(&Stage)) {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let mut daemon = stage.start().await;
    daemon.has_compared().await;
    take_away(&stage);
    let late = valid("too late");
    stage.home.put("okta", "late.pem", &late.pem);
    assert_eq!(daemon.exit_within(A_MINUTE).await, 70);
    assert!(
        daemon.log().contains("moved, deleted or replaced"),
        "{}",
        daemon.log()
    );
    assert_eq!(stage.sendgrid.rows().len(), 0, "nothing is durable");
    // The next one finds what is there now.
    let again = stage.start().await;
    again.shows_state("okta", &late, "trusted").await;
    stage.assert_one_row(&late);
    stage.assert_well_behaved();
    assert_eq!(again.stop().await, 0);
}

#[tokio::test]
async fn a_ledger_that_was_deleted_ends_the_daemon() {
    ends_without(|stage| {
        for file in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
            fs::remove_file(stage.home.state().join(file)).unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_ledger_that_was_replaced_by_a_copy_ends_the_daemon() {
    ends_without(|stage| {
        let (file, copy) = (
            stage.home.state().join("ledger.sqlite"),
            stage.home.path("copy"),
        );
        fs::copy(&file, &copy).unwrap();
        fs::rename(copy, file).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_state_directory_that_was_made_anew_ends_the_daemon() {
    ends_without(|stage| {
        fs::rename(stage.home.state(), stage.home.path("old")).unwrap();
        fs::create_dir(stage.home.state()).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_was_deleted_ends_the_daemon() {
    ends_without(|stage| fs::remove_file(stage.home.state().join("lock")).unwrap()).await;
}

#[tokio::test]
async fn sync_never_works_beside_a_daemon_whose_files_were_all_deleted() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let mut daemon = stage.start().await;
    daemon.has_compared().await;
    daemon.signal(Signal::STOP);
    for entry in fs::read_dir(stage.home.state()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let certificate = valid("from two sides");
    stage.home.put("okta", "two.pem", &certificate.pem);
    let ran = stage.home.ask(&["sync"]).await;
    assert_eq!(ran.exit, 75, "{ran:?}");
    assert_eq!(stage.sendgrid.rows().len(), 0);
    daemon.signal(Signal::CONT);
    assert_eq!(daemon.exit_within(A_MINUTE).await, 70);
}

#[tokio::test]
async fn a_damaged_ledger_at_the_start_is_said_once_with_the_way_back() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    assert_eq!(stage.start().await.stop().await, 0);
    let ledger = stage.home.state().join("ledger.sqlite");
    fs::write(&ledger, vec![b'x'; 8192]).unwrap();
    let mut daemon = stage.spawn(|_| {});
    assert_eq!(daemon.exit().await, 78);
    let log = daemon.log();
    for part in [
        ledger.to_str().unwrap(),
        "move it away with its -wal and -shm",
        "nothing at SendGrid is known to be ours",
        "denied or paused is forgotten",
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert_eq!(fs::read(&ledger).unwrap(), vec![b'x'; 8192], "untouched");
    fs::rename(&ledger, stage.home.path("away")).unwrap();
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(stage.home.state().join(format!("ledger.sqlite{suffix}"))).ok();
    }
    assert_eq!(stage.start().await.stop().await, 0);
}

/// An address that no machine has: RFC 5737 keeps it for documentation.
const NOWHERE: &str = "192.0.2.1:9465";

#[tokio::test]
async fn an_address_that_is_not_there_yet_is_said_and_delivery_goes_on() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let nowhere = format!("[http]\nlisten = \"{NOWHERE}\"\n");
    stage.home.set("listen", &nowhere);
    let certificate = valid("unseen");
    stage.home.put("okta", "unseen.pem", &certificate.pem);
    let mut daemon = stage.spawn(|_| {});
    let line = daemon.logged("No metrics").await;
    assert!(line.contains(NOWHERE), "{line}");
    stage
        .sendgrid_has(&daemon, "it is uploaded", |it| it.rows().count() == 1)
        .await;
    // A reload leads elsewhere, and back.
    stage.home.set("listen", "");
    daemon.signal(Signal::HUP);
    daemon.logged("Reloaded: ").await;
    assert!(!daemon.log().contains("Not reloaded"), "{}", daemon.log());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit().await, 0);
}

#[tokio::test]
async fn a_reload_does_not_wait_for_an_address_either() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    let nowhere = format!("[http]\nlisten = \"{NOWHERE}\"\n");
    stage.home.set("listen", &nowhere);
    daemon.signal(Signal::HUP);
    daemon.logged("No metrics").await;
    daemon.logged("Reloaded: ").await;
    assert_eq!(daemon.stop().await, 0);
}

/// Lets a process open so many files and no more.
fn let_open(daemon: &Daemon, most: u64) {
    let pid = Pid::from_raw(daemon.pid().try_into().unwrap());
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(1024),
    };
    prlimit(pid, Resource::Nofile, limit).unwrap();
}

#[tokio::test]
async fn a_process_without_descriptors_says_so_and_goes_on_when_it_has_some() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let_open(&daemon, 3);
    let certificate = valid("opened late");
    stage.home.put("okta", "late.pem", &certificate.pem);
    let line = daemon.logged("too many open files").await;
    assert!(
        !line.contains("dmesg") && !line.contains("inotify"),
        "{line}"
    );
    let_open(&daemon, 1024);
    daemon.shows_state("okta", &certificate, "trusted").await;
    stage.assert_one_row(&certificate);
    assert_eq!(daemon.stop().await, 0);
}

/// The numbers of the descriptors that a process has.
fn descriptors(daemon: &Daemon) -> BTreeSet<u64> {
    let opened = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    let number = |it: fs::DirEntry| it.file_name().to_str().unwrap().parse().unwrap();
    opened.map(|it| number(it.unwrap())).collect()
}

/// Lets a process that does nothing at the moment open so many files more, and no further one.
fn let_open_more(daemon: &Daemon, more: usize) {
    let mut opened = descriptors(daemon);
    loop {
        // The limit is on the numbers of descriptors, and the lowest free one is taken first.
        let last = (0..).filter(|it| !opened.contains(it)).nth(more).unwrap();
        let_open(daemon, last);
        let before = std::mem::replace(&mut opened, descriptors(daemon));
        if opened == before {
            return;
        }
    }
}

#[tokio::test]
async fn a_watcher_without_descriptors_says_so_and_the_directory_is_polled() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("watch", "[watch]\npoll = \"100ms\"\n");
    // There is no watcher before there is something to watch.
    let directory = stage.home.directory("okta");
    fs::remove_dir(&directory).unwrap();
    let daemon = stage.start().await;
    daemon
        .shows("its first pass is over", |it| {
            it["integrations"][0]["passed"] == true
        })
        .await;
    // A look opens one file at a time; a watcher takes three descriptors.
    let_open_more(&daemon, 2);
    stage.home.make_directory("certificates/okta");
    let line = daemon.logged("Polled only").await;
    assert!(line.contains("too many open files"), "{line}");
    assert!(line.contains("LimitNOFILE"), "{line}");
    assert!(!line.contains("inotify"), "{line}");
    let certificate = valid("polled");
    stage.home.put("okta", "polled.pem", &certificate.pem);
    stage
        .sendgrid_has(&daemon, "it is uploaded", |it| it.rows().count() == 1)
        .await;
    assert!(
        !daemon.log().contains("by events again"),
        "{}",
        daemon.log()
    );
    let_open(&daemon, 1024);
    daemon.logged("Watched by events again").await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    stage.assert_one_row(&certificate);
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn no_roots_are_not_called_a_missing_key() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    // Plain http to this machine needs none.
    let roots = "[accounts.default]\nbase_url = \"https://127.0.0.1:9\"\nca_file = \"/nowhere/roots.pem\"\n";
    stage.home.set("roots", roots);
    let daemon = stage.start().await;
    let status = daemon
        .shows("it needs somebody", |it| {
            it["integrations"][0]["attention"]
                .to_string()
                .contains("tls")
        })
        .await;
    let attention = status["integrations"][0]["attention"].to_string();
    assert!(!attention.contains("api_key"), "{attention}");
    let ran = stage.home.ask(&["status"]).await;
    assert_eq!(ran.exit, 2, "{ran:?}");
    assert!(
        ran.out.contains("the CA file /nowhere/roots.pem"),
        "{ran:?}"
    );
    assert!(ran.out.contains("accounts.default.ca_file"), "{ran:?}");
    assert!(!ran.out.contains("no usable"), "{ran:?}");
    assert_eq!(daemon.stop().await, 0);
}

/// Answers one question on the socket of a daemon, whoever asks.
fn answer_once(listener: &UnixListener, answer: &str) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut asked = Vec::new();
    let mut chunk = [0; 4096];
    while !asked.ends_with(b"}") {
        let count = stream.read(&mut chunk).unwrap();
        asked.extend_from_slice(&chunk[..count]);
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all((head + answer).as_bytes()).unwrap();
}

#[tokio::test]
async fn nothing_that_answers_steers_the_terminal_of_who_asks() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    fs::create_dir(stage.home.state()).unwrap();
    let listener = UnixListener::bind(stage.home.state().join("control.sock")).unwrap();
    let hostile = "\\u001b]0;title\\u0007\\u001b[2J\\u001b[8mhidden\\u009b1A\\rAll well\\n";
    let answer = format!(
        r#"{{"text":"{hostile}","notes":"{hostile}","exit":0,"pid":1,"confirmation":null}}"#
    );
    let commands: [&[&str]; 5] = [
        &["status"],
        &["status", "--json"],
        &["history"],
        &["sync"],
        &["approve", "--yes", "00"],
    ];
    let count = commands.len();
    let answers = tokio::task::spawn_blocking(move || {
        for _ in 0..count {
            answer_once(&listener, &answer);
        }
    });
    for arguments in commands {
        let mut command = stage.home.command(&["--color", "always"]);
        command.args(arguments);
        let ran = crate::harness::finish(command).await;
        for shown in [&ran.out, &ran.err] {
            let steers = |it: char| it.is_control() && it != '\n';
            assert!(!shown.contains(steers), "{arguments:?}: {ran:?}");
            assert!(shown.contains("All well"), "{arguments:?}: {ran:?}");
        }
    }
    timeout(LIMIT, answers).await.unwrap().unwrap();
}
