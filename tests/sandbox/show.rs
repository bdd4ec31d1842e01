//! Everything that runs during a show, and what was heard of it.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use sso_certd::adapter::clock::Clock;
use sso_certd::domain::text::count;
use sso_certd::domain::{Fingerprint, Timestamp};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::daemon::Daemon;
use crate::idp;
use crate::simulator::{Event, Operation, Options, Simulator};
use crate::stage::{API_KEY, INTEGRATION, Stage};
use crate::transcript::{Transcript, Who};

/// How long anything may take; much longer than it does, for machines that are busy.
const LIMIT: Duration = Duration::from_secs(60);

/// How often the transcript is looked through for lines that are due.
const TICK: Duration = Duration::from_millis(50);

/// News from outside this task.
pub(crate) enum Heard {
    /// A line of the daemon's log.
    DaemonSaid(String),
    /// The daemon's log is over.
    DaemonEnded,
    /// Ctrl-C, or another polite signal.
    Asked,
}

/// Why a show does not go on.
pub(crate) enum Halt {
    /// Somebody asked for its end.
    Asked,
    /// Nobody reads the transcript any more.
    NobodyReads,
    /// Something did not come true.
    Failed(String),
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(format!("{error:#}"))
    }
}

/// A line of the daemon's log.
pub(crate) struct Said {
    /// Since the start of the show, by the line's own time.
    pub(crate) at: Duration,
    /// What it says to a person.
    pub(crate) message: String,
    /// The certificate it is about.
    pub(crate) fingerprint: Option<String>,
    /// The line as it was written.
    raw: String,
}

/// A show that runs.
pub(crate) struct Show {
    pub(crate) stage: Stage,
    pub(crate) sendgrid: Simulator,
    pub(crate) transcript: Transcript,
    pub(crate) said: Vec<Said>,
    daemon: Daemon,
    has_daemon_ended: bool,
    /// How many lines of the log the story is past.
    cursor: usize,
    heard: UnboundedReceiver<Heard>,
    seen: usize,
    log: File,
    clock: Clock,
    started: (Instant, Timestamp),
    /// Waits for signals.
    _signals: JoinSet<()>,
}

impl Show {
    /// Starts SendGrid, then the daemon.
    ///
    /// # Errors
    /// One of them does not start.
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let clock = Clock::new();
        let started = (Instant::now(), clock.now().wall);
        let (tell, heard) = unbounded_channel();
        let signals = listen(&tell)?;
        let stage = Stage::take()?;
        let options = Options::one_account(API_KEY, &[("okta", INTEGRATION)]);
        let sendgrid = Simulator::try_start(options)
            .await
            .context("cannot listen on a loopback port")?;
        stage.furnish(&sendgrid.url())?;
        let log = File::create_new(stage.log()).context("cannot write the daemon's log")?;
        let daemon = Daemon::start(&stage.configuration(), tell)?;
        Ok(Self {
            stage,
            sendgrid,
            transcript: Transcript::new(),
            said: Vec::new(),
            daemon,
            has_daemon_ended: false,
            cursor: 0,
            heard,
            seen: 0,
            log,
            clock,
            started,
            _signals: signals,
        })
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.0.elapsed()
    }

    /// The wall clock.
    pub(crate) fn wall(&self) -> Timestamp {
        self.clock.now().wall
    }

    /// Puts a file into the directory of certificates; when.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn publish(
        &mut self,
        who: &'static str,
        name: &str,
        text: &str,
        about: &str,
    ) -> anyhow::Result<Duration> {
        idp::publish(&self.stage.certificates(), name, text)?;
        let at = self.now();
        let told = format!("writes {name} ({about})");
        self.transcript.tell(at, Who::File(who), &told);
        Ok(at)
    }

    /// Takes a file out of the directory of certificates.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn remove(&mut self, who: &'static str, name: &str) -> anyhow::Result<()> {
        std::fs::remove_file(self.stage.certificates().join(name))
            .with_context(|| format!("cannot remove {name}"))?;
        let at = self.now();
        self.transcript
            .tell(at, Who::File(who), &format!("removes {name}"));
        Ok(())
    }

    /// Tells what was looked up.
    pub(crate) fn check(&mut self, holds: bool, text: &str) -> Result<(), Halt> {
        if !holds {
            return Err(Halt::Failed(format!("this did not come true: {text}")));
        }
        self.transcript.tell(self.now(), Who::Checked, text);
        Ok(())
    }

    /// When the daemon said something that begins so, about this certificate if one is given, after what was heard last.
    pub(crate) async fn hear(
        &mut self,
        begin: &str,
        about: Option<Fingerprint>,
    ) -> Result<Duration, Halt> {
        let about = about.map(|it| it.to_string());
        let is_it = |said: &Said| {
            said.message.starts_with(begin) && (about.is_none() || said.fingerprint == about)
        };
        let until = Instant::now() + LIMIT;
        loop {
            let mut news = self.said.iter().enumerate().skip(self.cursor);
            if let Some((index, said)) = news.find(|(_, it)| is_it(it)) {
                self.cursor = index + 1;
                return Ok(said.at);
            }
            let begin = begin.trim_end_matches([':', ' ']);
            if Instant::now() >= until {
                let secs = LIMIT.as_secs();
                let why = format!("sso-certd did not say \"{begin} ...\" within {secs} s");
                return Err(Halt::Failed(why));
            }
            self.listen().await?;
            if self.has_daemon_ended {
                let why = format!("sso-certd ended before it said \"{begin} ...\"");
                return Err(Halt::Failed(why));
            }
        }
    }

    /// Goes on, and listens, until then.
    pub(crate) async fn rest_until(&mut self, then: Duration) -> Result<(), Halt> {
        while self.now() < then {
            self.listen().await?;
            if self.has_daemon_ended {
                return Err(Halt::Failed("sso-certd has ended".to_owned()));
            }
        }
        Ok(())
    }

    /// Stops the daemon and sums up. Whether all of it was in order.
    pub(crate) async fn close(mut self) -> bool {
        self.transcript.say("");
        self.daemon.terminate();
        let until = Instant::now() + LIMIT;
        while !self.has_daemon_ended && Instant::now() < until {
            // Being asked once more, or having no reader, changes nothing.
            self.listen().await.ok();
        }
        let is_clean = self.has_daemon_ended && self.daemon.status().is_ok_and(|it| it.success());
        if !is_clean {
            self.transcript.say("sso-certd did not end as it should.");
        }
        let is_in_order = self.sum_up();
        let root = self.stage.configuration();
        let root = root.parent().unwrap_or(&root).display();
        self.transcript.say(&format!(
            "{root} stays to be looked at; the next run clears it."
        ));
        is_clean && is_in_order
    }

    /// What SendGrid saw, and what its simulator has to say about it. Whether that is good.
    pub(crate) fn sum_up(&mut self) -> bool {
        let history = self.sendgrid.history();
        let rows = self.sendgrid.rows();
        let (all, uploads) = (history.requests().count(), history.count(Operation::Create));
        let other_writes = history.writes().count() - uploads;
        let reads = all - uploads - other_writes;
        let mut certificates: Vec<Fingerprint> = rows.iter().map(|it| it.fingerprint).collect();
        certificates.sort_unstable();
        certificates.dedup();
        let changes = match other_writes {
            0 => String::new(),
            _ => format!(", {}", count(other_writes, "other change", "other changes")),
        };
        let is_one_each = certificates.len() == rows.len();
        let stored = match (rows.len(), is_one_each) {
            (0, _) => "",
            (_, true) => ", one per certificate",
            (_, false) => ", NOT one per certificate",
        };
        let mut text = format!(
            "SendGrid saw {}: {}, {}{changes}. It has {}{stored}.",
            count(all, "request", "requests"),
            count(uploads, "upload", "uploads"),
            count(reads, "read", "reads"),
            count(rows.len(), "row", "rows"),
        );
        let broken = history.check();
        if broken.is_empty() {
            text.push_str("\nThe simulator held every request against its rules: none is broken.");
        }
        for sentence in &broken {
            text.push_str("\n  broken rule: ");
            text.push_str(sentence);
        }
        self.transcript.say(&text);
        is_one_each && broken.is_empty()
    }

    /// The daemon's log so far, as it was written.
    pub(crate) fn raw_log(&self) -> String {
        let lines: Vec<&str> = self.said.iter().map(|it| it.raw.as_str()).collect();
        lines.join("\n")
    }

    /// Takes the next news, and shows what is due.
    async fn listen(&mut self) -> Result<(), Halt> {
        self.transcript.advance(self.started.0.elapsed());
        let tick = Instant::now() + TICK;
        let news = async {
            tokio::select! {
                Some(heard) = self.heard.recv() => Ok(heard),
                events = self.sendgrid.events_after(self.seen) => Err(events),
            }
        };
        match timeout_at(tick, news).await {
            Err(_) => {}
            Ok(Ok(Heard::DaemonSaid(line))) => self.take_down(line),
            Ok(Ok(Heard::DaemonEnded)) => {
                self.has_daemon_ended = true;
                self.transcript.advance(Duration::MAX);
            }
            Ok(Ok(Heard::Asked)) => return Err(Halt::Asked),
            Ok(Err(events)) => {
                self.seen += events.len();
                for event in &events {
                    self.report(event);
                }
            }
        }
        if self.transcript.is_read() {
            Ok(())
        } else {
            Err(Halt::NobodyReads)
        }
    }

    fn take_down(&mut self, raw: String) {
        if writeln!(self.log, "{raw}").is_err() {
            // A full disk does not stop the show.
        }
        let line: Value = serde_json::from_str(&raw).unwrap_or_default();
        let text = |key: &str| line.get(key).and_then(Value::as_str);
        let time = text("timestamp").and_then(|it| chrono::DateTime::parse_from_rfc3339(it).ok());
        let at = time.map_or_else(
            || self.now(),
            |it| Timestamp::from_millis(it.timestamp_millis()).since(self.started.1),
        );
        let message = text("message").unwrap_or(&raw).to_owned();
        let fingerprint = text("fingerprint").map(str::to_owned);
        self.transcript.tell(at, Who::Daemon, &message);
        self.said.push(Said {
            at,
            message,
            fingerprint,
            raw,
        });
    }

    fn report(&mut self, event: &Event) {
        let (at, text) = match event {
            Event::Request(exchange) => (exchange.at, exchange.to_string()),
            Event::NoHandshake { at, why } => (*at, format!("no TLS: {why}")),
            Event::ByHand { at, what } => (*at, format!("by hand: {what}")),
        };
        let text = text.replace(INTEGRATION, "{okta}");
        let at = at.duration_since(self.started.0);
        self.transcript.tell(at, Who::SendGrid, &text);
    }
}

/// Sends [`Heard::Asked`] at each Ctrl-C, and at the signals of a closed terminal and of a service manager.
fn listen(tell: &UnboundedSender<Heard>) -> anyhow::Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut signal = signal(kind).context("cannot wait for Ctrl-C")?;
        let tell = tell.clone();
        tasks.spawn(async move {
            while signal.recv().await.is_some() && tell.send(Heard::Asked).is_ok() {}
        });
    }
    Ok(tasks)
}
