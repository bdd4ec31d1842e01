//! What a service manager is told and hands over: notifications, a credential, and a log that nobody may read.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep, timeout};

use crate::certificates::valid;
use crate::harness::{Daemon, Home, LIMIT, OKTA, Stage, finish, integration, pid_of};
use crate::simulator::Listening;

const RELOADED: &str = "sso_certd_config_last_reload_successful";

/// A service manager that listens.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn listen(home: &Home) -> Self {
        let path = home.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { socket, path }
    }

    fn start(&self, stage: &Stage) -> Daemon {
        stage.spawn(|it| {
            it.env("NOTIFY_SOCKET", &self.path)
                .env("WATCHDOG_USEC", "2000000");
        })
    }

    /// The lines of the next datagram that has one of these; the others are not looked at.
    async fn told(&self, any: &[&str], daemon: &Daemon) -> Vec<String> {
        let mut buffer = [0; 4096];
        loop {
            let Ok(length) = timeout(LIMIT, self.socket.recv(&mut buffer)).await else {
                daemon.fail(&format!("the service manager is told one of {any:?}"));
            };
            let text = std::str::from_utf8(&buffer[..length.unwrap()]).unwrap();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines.iter().any(|it| any.contains(&it.as_str())) {
                return lines;
            }
        }
    }
}

/// What systemd compares `MONOTONIC_USEC` with.
fn monotonic_usec() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

#[tokio::test]
async fn each_reload_is_told_with_its_time_in_one_datagram_and_then_its_end() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let manager = Manager::listen(&stage.home);
    let mut daemon = manager.start(&stage);
    let changes = ["READY=1", "RELOADING=1", "STOPPING=1"];
    assert_eq!(manager.told(&changes, &daemon).await, ["READY=1"]);
    daemon.started().await;
    for (toml, is_good) in [
        ("[watch]\nquiet = \"60ms\"\n", 1.0),
        ("[watch]\nquite = \"60ms\"\n", 0.0),
        ("", 1.0),
    ] {
        stage.home.set("changed", toml);
        let before = monotonic_usec();
        daemon.signal(Signal::HUP);
        let told = manager.told(&changes, &daemon).await;
        let after = monotonic_usec();
        assert_eq!((told.len(), &*told[0]), (2, "RELOADING=1"), "{told:?}");
        let (name, usec) = told[1].split_once('=').unwrap();
        assert_eq!(name, "MONOTONIC_USEC");
        let usec = usec.parse().unwrap();
        assert!((before..=after).contains(&usec), "{before} {usec} {after}");
        assert_eq!(manager.told(&changes, &daemon).await, ["READY=1"]);
        daemon.measures(RELOADED, &[], is_good).await;
    }
    daemon
        .logged("Not reloaded, the old configuration stays")
        .await;
    manager.told(&["WATCHDOG=1"], &daemon).await;
    daemon.signal(Signal::TERM);
    assert_eq!(manager.told(&changes, &daemon).await, ["STOPPING=1"]);
    assert_eq!(daemon.exit().await, 0);
}

#[tokio::test]
async fn it_is_ready_when_it_has_looked_although_sendgrid_does_not_answer() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    for number in 0..100 {
        let name = format!("{number}.pem");
        stage.home.put("okta", &name, &valid(&name).pem);
    }
    stage.sendgrid.listen(Listening::Silent).await;
    let manager = Manager::listen(&stage.home);
    let mut daemon = manager.start(&stage);
    manager.told(&["READY=1"], &daemon).await;
    daemon.started().await;
    let status = daemon.status().await;
    let source = &integration(&status, "okta")["source"];
    let number = |it: &str| source[it].as_u64().unwrap();
    // The last ones may still be too young to be judged.
    assert_eq!(number("accepted") + number("waiting"), 100, "{status:#}");
    assert_eq!(stage.sendgrid.history().requests().count(), 0);
}

/// Has systemd pass the key on: a copy that is made at the start.
fn pass_on(home: &Home, key: &str) -> PathBuf {
    let path = home.path("sso-certd.toml");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().filter(|it| !it.starts_with("api_key_file"));
    let without: Vec<&str> = lines.collect();
    home.write("sso-certd.toml", &without.join("\n"), 0o644);
    home.make_directory("credentials");
    home.write("credentials/sendgrid-api-key", key, 0o400);
    let directory = home.path("credentials");
    fs::set_permissions(&directory, Permissions::from_mode(0o500)).unwrap();
    directory
}

#[tokio::test]
async fn a_key_that_is_a_copy_made_at_the_start_needs_a_restart_and_the_log_says_so() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    fs::remove_file(stage.home.path("key")).unwrap();
    let credentials = pass_on(&stage.home, crate::harness::KEY);
    let start = || {
        stage.spawn(|it| {
            it.env("CREDENTIALS_DIRECTORY", &credentials);
        })
    };
    let mut daemon = start();
    daemon.started().await;
    daemon.has_compared().await;

    stage.sendgrid.rotate_key("default", 1, "SG.another");
    daemon.signal(Signal::USR1);
    let line = daemon.logged("(401)").await;
    assert!(line.contains("systemctl restart sso-certd"), "{line}");
    assert!(!line.contains("until the key file changes"), "{line}");
    let certificate = valid("restarted");
    stage.home.put("okta", "restarted.pem", &certificate.pem);
    daemon
        .measures("sso_certd_api_key_valid", &[("account", "default")], 0.0)
        .await;
    // What the copy was made of changes, and a reload makes none anew.
    daemon.signal(Signal::HUP);
    daemon.logged("Reloaded: ").await;
    assert_eq!(stage.sendgrid.rows().len(), 0);
    assert_eq!(daemon.stop().await, 0);

    pass_on(&stage.home, "SG.another");
    let mut again = start();
    again.started().await;
    again.shows_state("okta", &certificate, "trusted").await;
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

/// A daemon whose log goes into a pipe that is full, and that nobody reads.
struct Unheard {
    child: Child,
    _reader: OwnedFd,
}

impl Unheard {
    fn start(stage: &Stage) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        let flags = fcntl_getfl(&writer).unwrap();
        fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
        let mut full = File::from(writer.try_clone().unwrap());
        while full.write(&[b'\n'; 512]).is_ok() {}
        fcntl_setfl(&writer, flags).unwrap();
        let mut command = stage.home.command(&["run"]);
        let child = command.stdout(Stdio::null()).stderr(writer).spawn();
        Self {
            child: child.unwrap(),
            _reader: reader,
        }
    }

    async fn exits_within(&mut self, limit: Duration) -> Option<i32> {
        let until = Instant::now() + limit;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            sleep(Duration::from_millis(10)).await;
        }
        None
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_neither_a_delivery_nor_the_end() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("loud", "[log]\nlevel = \"trace\"\n");
    let mut daemon = Unheard::start(&stage);
    for number in 1..=3 {
        let certificate = valid("unheard");
        let name = format!("{number}.pem");
        stage.home.put("okta", &name, &certificate.pem);
        let uploaded = stage.sendgrid.wait_for(LIMIT, |it| {
            it.history().posts_of(certificate.fingerprint).count() == 1
        });
        uploaded.await.unwrap();
    }
    kill_process(pid_of(&daemon.child), Signal::TERM).unwrap();
    assert_eq!(daemon.exits_within(LIMIT).await, Some(0));
    assert_eq!(stage.sendgrid.rows().len(), 3);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_start_that_fails_ends_although_nobody_reads_why() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    stage
        .home
        .set("listen", &format!("[http]\nlisten = \"{address}\"\n"));
    let mut daemon = Unheard::start(&stage);
    assert_eq!(daemon.exits_within(LIMIT).await, Some(1));
}

#[tokio::test]
async fn a_reload_that_the_units_guard_refuses_shows_in_the_metric() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let main = stage.home.path("sso-certd.toml");
    let good = fs::read_to_string(&main).unwrap();
    stage.home.set("settle", "[delivery]\nsettle = \"30s\"\n");
    let guard = async || {
        let mut command = stage.home.command(&["check-config", "--reload-guard"]);
        command.env("STATE_DIRECTORY", stage.home.state());
        finish(command).await
    };
    // A person's check is no guard, whatever it finds.
    stage.home.set("broken", "[watch]\nquite = \"60ms\"\n");
    assert_eq!(stage.home.ask(&["check-config"]).await.exit, 78);
    daemon.measures(RELOADED, &[], 1.0).await;
    let break_conf_d = || stage.home.set("broken", "[watch]\nquite = \"60ms\"\n");
    let break_main = || stage.home.write("sso-certd.toml", "no TOML\n", 0o644);
    let open_conf_d = || {
        fs::set_permissions(stage.home.path("conf.d"), Permissions::from_mode(0o757)).unwrap();
        stage.home.open_to_all();
    };
    let deeds: [(&str, &dyn Fn()); 3] = [
        ("an unknown key", &break_conf_d),
        ("a file that cannot be read", &break_main),
        ("somebody else may write it", &open_conf_d),
    ];
    for (number, (deed, breaks)) in deeds.into_iter().enumerate() {
        breaks();
        assert_eq!(guard().await.exit, 78, "{deed}");
        daemon.measures(RELOADED, &[], 0.0).await;
        stage.home.set("broken", "");
        stage.home.write("sso-certd.toml", &good, 0o644);
        stage.home.make_directory("conf.d");
        let ran = guard().await;
        assert_eq!((ran.exit, &*ran.err), (0, ""), "{deed}: {ran:?}");
        daemon.measures(RELOADED, &[], 0.0).await;
        daemon.signal(Signal::HUP);
        daemon.measures(RELOADED, &[], 1.0).await;
        daemon
            .has_compared_anew(u32::try_from(number).unwrap() + 2)
            .await;
    }
    let line = daemon.logged("Not reloaded, the old configuration").await;
    assert!(line.contains("check-config refused it"), "{line}");
    // Where no daemon runs there is nobody to tell.
    assert_eq!(daemon.stop().await, 0);
    break_conf_d();
    let ran = guard().await;
    assert_eq!(ran.exit, 78, "{ran:?}");
    assert!(!ran.err.contains("was not told"), "{ran:?}");
}
