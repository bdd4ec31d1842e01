//! Where the log goes and how a line looks. It goes to standard error, and nothing waits for it.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt as layers};

/// How much is logged, and in which form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSettings {
    /// tracing's directives for this crate: `info`, or `sso_certd::daemon=debug,info`.
    pub level: String,
    /// The form.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// Text on a terminal; text with syslog priorities under journald; JSON otherwise.
    #[default]
    Auto,
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}

/// The log does not start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LogError {
    /// Directives that are none.
    #[error(
        "`log.level` wants a level, or directives for sso_certd such as `sso_certd::daemon=debug`"
    )]
    Level,
    /// Another log runs in this process.
    #[error("another log runs already")]
    Twice,
}

/// The target of everything this crate logs.
const OWN_TARGET: &str = "sso_certd";

/// Lines that may wait for a slow reader; further ones are dropped and counted.
const LONGEST_QUEUE: usize = 4096;

/// How long a stopping process waits for its last lines to be read.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A running log. Dropping it waits a little for the last lines to be written.
pub struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    queue: Queue,
}

impl Drop for Log {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        if self.queue.parcels.try_send(Parcel::Flush(done)).is_ok() {
            match written.recv_timeout(LAST_LINES) {
                Ok(()) | Err(_) => {}
            }
        }
    }
}

impl Log {
    /// Starts logging for the whole process.
    ///
    /// # Errors
    /// Unusable directives, or a second start.
    pub fn start(settings: &LogSettings) -> Result<Self, LogError> {
        let (filter, handle) = reload::Layer::new(filter(&settings.level)?);
        let queue = Queue::start();
        let writer = queue.clone();
        let registry = tracing_subscriber::registry();
        let is_terminal = io::stderr().is_terminal();
        let layer = match (settings.format, goes_to_journal(), is_terminal) {
            (LogFormat::Auto, true, _) => layers::layer()
                .event_format(Journal)
                .with_writer(writer)
                .with_ansi(false)
                .boxed(),
            (LogFormat::Text, _, _) | (LogFormat::Auto, false, true) => layers::layer()
                .with_target(false)
                .with_writer(writer)
                .with_ansi(is_terminal)
                .boxed(),
            (LogFormat::Json, _, _) | (LogFormat::Auto, false, false) => layers::layer()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_writer(writer)
                .boxed(),
        };
        let subscriber = registry.with(layer.with_filter(filter));
        tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)?;
        Ok(Self {
            filter: handle,
            queue,
        })
    }

    /// Changes how much is logged. The form stays.
    ///
    /// # Errors
    /// Unusable directives.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        self.filter
            .reload(filter(level)?)
            .map_err(|_| LogError::Twice)
    }
}

/// Whether a text can be `log.level`.
///
/// # Errors
/// It is no level, and no list of directives for this crate.
pub fn check_level(level: &str) -> Result<(), LogError> {
    filter(level).map(drop)
}

/// Our own directives. Other crates stay at `warn`, whatever is written: HTTP clients tell what they carry.
fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let ours = |part: &str| {
        let part = part.trim();
        if !part.is_empty() && part.parse::<LevelFilter>().is_ok() {
            Ok(format!("{OWN_TARGET}={part}"))
        } else if part.starts_with(OWN_TARGET) && part.contains('=') {
            Ok(part.to_owned())
        } else {
            Err(LogError::Level)
        }
    };
    let directives = level.split(',').map(ours).collect::<Result<Vec<_>, _>>()?;
    EnvFilter::try_new(format!("warn,{}", directives.join(","))).map_err(|_| LogError::Level)
}

/// Whether standard error is the journal's stream (systemd.exec(5), `JOURNAL_STREAM`).
pub fn goes_to_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stat) = rustix::fs::fstat(io::stderr()) else {
        return false;
    };
    stream.to_str() == Some(format!("{}:{}", stat.st_dev, stat.st_ino).as_str())
}

/// Writes to standard error what a process ends with, and waits no longer for that than for the last lines of its log: a
/// pipe that nobody reads keeps no failed start alive.
pub fn last_words(text: String) {
    if text.is_empty() {
        return;
    }
    let (done, written) = sync_channel(1);
    let write = move || {
        if io::stderr().write_all(text.as_bytes()).is_ok() && done.send(()).is_err() {}
    };
    let writer = std::thread::Builder::new().name("last words".to_owned());
    if writer.spawn(write).is_ok() {
        match written.recv_timeout(LAST_LINES) {
            Ok(()) | Err(_) => {}
        }
    }
}

/// A line as journald reads it: `<4>` for a warning, then the text, without a time of its own (sd-daemon(3)).
struct Journal;

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        let plain = Format::default()
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_ansi(false);
        plain.format_event(context, writer, event)
    }
}

/// A bounded queue before standard error: a blocked reader costs lines, never a delivery.
#[derive(Clone)]
struct Queue {
    parcels: SyncSender<Parcel>,
    dropped: Arc<AtomicU64>,
}

enum Parcel {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Queue {
    fn start() -> Self {
        let (parcels, queue) = sync_channel(LONGEST_QUEUE);
        let dropped = Arc::<AtomicU64>::default();
        let lost = Arc::clone(&dropped);
        let write = move || {
            for parcel in queue {
                let lines = lost.swap(0, Ordering::AcqRel);
                if lines > 0
                    && writeln!(
                        io::stderr(),
                        "<4>{lines} log lines were dropped: nobody read them in time"
                    )
                    .is_err()
                {
                    continue; // nobody is left to be told
                }
                match parcel {
                    Parcel::Line(line) => if io::stderr().write_all(&line).is_err() {}, // likewise
                    Parcel::Flush(done) => if done.send(()).is_err() {}, // nobody waits any more
                }
            }
        };
        match std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(write)
        {
            Ok(_) => Self { parcels, dropped },
            Err(_) => Self {
                parcels: sync_channel(0).0,
                dropped,
            },
        }
    }
}

/// One line on its way into the queue.
struct Line {
    text: Vec<u8>,
    queue: Queue,
}

impl Write for Line {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let line = Parcel::Line(std::mem::take(&mut self.text));
        if self.queue.parcels.try_send(line).is_err() {
            self.queue.dropped.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            text: Vec::new(),
            queue: self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_costs_lines_and_no_time() {
        let (parcels, unread) = sync_channel(2);
        let queue = Queue {
            parcels,
            dropped: Arc::default(),
        };
        for _ in 0..5 {
            queue.make_writer().write_all(b"a line\n").unwrap();
        }
        assert_eq!(queue.dropped.load(Ordering::Acquire), 3);
        drop(unread);
        queue.make_writer().write_all(b"a line\n").unwrap();
        assert_eq!(queue.dropped.load(Ordering::Acquire), 4);
    }

    #[test]
    fn only_our_own_targets_can_be_turned_up() {
        for good in [
            "info",
            "TRACE",
            "off",
            "debug,sso_certd::daemon=trace",
            "sso_certd=info",
        ] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["hyper=trace", "info,reqwest=debug", "loud", ""] {
            assert!(filter(bad).is_err(), "{bad}");
        }
        let directives = filter("trace").unwrap().to_string();
        assert!(
            directives.contains("sso_certd=trace") && directives.contains("warn"),
            "{directives}"
        );
    }
}
