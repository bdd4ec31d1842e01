//! The daemon as a child process, and everything that can be seen of it from outside.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::program::pid_of;
use super::status::state_of;
use super::{KEY, LIMIT};
use crate::certificates::Made;
use crate::exposition::{self, Scrape};
use crate::simulator::Simulator;

/// How often a state is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What came out of standard error.
#[derive(Default)]
struct Log {
    text: String,
    is_over: bool,
}

/// A running daemon. It is killed when this is dropped.
pub struct Daemon {
    child: Child,
    log: Arc<Mutex<Log>>,
    address: Option<SocketAddr>,
    sendgrid: Arc<Simulator>,
}

impl Daemon {
    pub fn spawn(mut command: Command, sendgrid: Arc<Simulator>) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::<Mutex<Log>>::default();
        let lines = child.stderr.take().unwrap();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || keep(lines, &kept));
        Self {
            child,
            log,
            address: None,
            sendgrid,
        }
    }

    /// Waits until it says that it has started, and where it listens.
    pub async fn started(&mut self) {
        let line = self.logged("Started: ").await;
        self.address = line
            .split_once("metrics on ")
            .and_then(|(_, it)| it.split([' ', '\u{1b}']).next()?.parse().ok());
    }

    /// Where it listens.
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        match self.address {
            Some(address) => address,
            None => self.fail("it says where it listens"),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().text.clone()
    }

    /// Waits for a line in the log, and gives it.
    pub async fn logged(&self, text: &str) -> String {
        let until = Instant::now() + LIMIT;
        loop {
            let is_over = self.log.lock().unwrap().is_over;
            let log = self.log();
            if let Some(line) = log.lines().find(|it| it.contains(text)) {
                return line.to_owned();
            }
            if is_over || Instant::now() > until {
                self.fail(&format!("the log says {text:?}"));
            }
            sleep(LOOK).await;
        }
    }

    /// GET, as any HTTP client would.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let address = self.address();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        match timeout(LIMIT, exchange(address, &request)).await {
            Ok(Ok(answer)) => answer,
            other => self.fail(&format!("{path} is answered, not {other:?}")),
        }
    }

    /// `/status.json`
    pub async fn status(&self) -> Value {
        let (code, text) = self.get("/status.json").await;
        assert_eq!(code, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// `/metrics`, which must be well-formed.
    pub async fn metrics(&self) -> Scrape {
        let (code, text) = self.get("/metrics").await;
        assert_eq!(code, 200, "{text}");
        exposition::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }

    /// Waits for a status, and gives it.
    pub async fn shows(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + LIMIT;
        loop {
            let status = self.status().await;
            if is_so(&status) {
                return status;
            }
            if Instant::now() > until {
                self.fail(&format!("{what}; instead: {status:#}"));
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until a certificate of an integration is in this state.
    pub async fn shows_state(&self, integration: &str, certificate: &Made, state: &str) -> Value {
        let what = format!("{} of {integration} is {state}", certificate.short());
        self.shows(&what, |it| {
            state_of(it, integration, certificate.fingerprint).as_deref() == Some(state)
        })
        .await
    }

    /// Waits until every integration has had a pass that did not fail.
    pub async fn has_compared(&self) {
        self.shows("every integration is compared with SendGrid", |it| {
            let mut all = it["integrations"].as_array().unwrap().iter();
            all.all(|it| it["passed"] == true && it.get("failure").is_none())
        })
        .await;
    }

    /// Waits until so many first passes of the one integration went well: one after the start, one after each reload,
    /// which carries over what was shown before.
    pub async fn has_compared_anew(&self, passes: u32) {
        let labels = [("trigger", "startup"), ("result", "ok")];
        self.measures("sso_certd_reconciles_total", &labels, f64::from(passes))
            .await;
    }

    /// Waits for a value of the one series with these labels.
    pub async fn measures(&self, name: &str, labels: &[(&str, &str)], wanted: f64) {
        let until = Instant::now() + LIMIT;
        loop {
            let value = self.metrics().await.value(name, labels);
            if value == Some(wanted) {
                return;
            }
            if Instant::now() > until {
                self.fail(&format!("{name} {labels:?} is {wanted}, not {value:?}"));
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until the series with these labels have counted something.
    pub async fn has_counted(&self, name: &str, labels: &[(&str, &str)]) {
        let until = Instant::now() + LIMIT;
        while self.metrics().await.sum(name, labels) < 1.0 {
            if Instant::now() > until {
                self.fail(&format!("{name} {labels:?} has counted something"));
            }
            sleep(LOOK).await;
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(pid_of(&self.child), signal).unwrap();
    }

    /// SIGTERM, and the exit code.
    pub async fn stop(mut self) -> i32 {
        self.signal(Signal::TERM);
        self.exit().await
    }

    /// Waits for its end and the end of its log; the exit code.
    pub async fn exit(&mut self) -> i32 {
        self.exit_within(LIMIT).await
    }

    /// The same, not waiting longer than this.
    pub async fn exit_within(&mut self, limit: Duration) -> i32 {
        let until = Instant::now() + limit;
        loop {
            let is_over = self.log.lock().unwrap().is_over;
            if let Some(status) = self.child.try_wait().unwrap().filter(|_| is_over) {
                return status.code().unwrap_or(-1);
            }
            if Instant::now() > until {
                self.fail("it ends");
            }
            sleep(LOOK).await;
        }
    }

    /// SIGKILL, and it is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Fails with everything that is known.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        let mut text = format!("not so: {what}\n\nlog:\n{}\nSendGrid:\n", self.log());
        write!(text, "{}", self.sendgrid.history()).unwrap();
        for row in self.sendgrid.rows() {
            let (id, short) = (row.id, row.fingerprint.short());
            write!(text, "\nrow {id}: {short} of {}", row.integration).unwrap();
        }
        panic!("{text}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
        if !std::thread::panicking() {
            assert!(!self.log().contains(KEY), "the key is in the log");
        }
    }
}

fn keep(lines: ChildStderr, log: &Mutex<Log>) {
    for line in BufReader::new(lines).lines().map_while(Result::ok) {
        let mut log = log.lock().unwrap();
        log.text.push_str(&line);
        log.text.push('\n');
    }
    log.lock().unwrap().is_over = true;
}

/// Sends these bytes as a request; the status and the body of the answer.
pub async fn exchange(address: SocketAddr, request: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let code = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    Ok((code.unwrap_or(0), body.to_owned()))
}
