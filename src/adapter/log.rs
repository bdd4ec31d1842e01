//! Where the log goes and how a line looks. It goes to standard error, and nothing waits for it.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use thiserror::Error;
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
    #[error("`log.level` is not a level and no list of directives")]
    Level,
    /// Another log runs in this process.
    #[error("another log runs already")]
    Twice,
}

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
        let layer = match (settings.format, is_journal(), is_terminal) {
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

/// Our own directives; other crates stay at `warn`, and HTTP clients and servers never tell what they carry.
fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let ours = if level.parse::<tracing::level_filters::LevelFilter>().is_ok() {
        format!("warn,sso_certd={level}")
    } else {
        format!("warn,{level}")
    };
    EnvFilter::try_new(ours).map_err(|_| LogError::Level)
}

/// Whether tracing takes a text for directives.
pub fn are_directives(raw: &str) -> bool {
    EnvFilter::builder().parse(raw).is_ok()
}

/// Whether standard error is the journal's stream (systemd.exec(5), `JOURNAL_STREAM`).
fn is_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stat) = rustix::fs::fstat(io::stderr()) else {
        return false;
    };
    stream.to_str() == Some(format!("{}:{}", stat.st_dev, stat.st_ino).as_str())
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
}

enum Parcel {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Queue {
    fn start() -> Self {
        let (parcels, queue) = sync_channel(LONGEST_QUEUE);
        let write = move || {
            for parcel in queue {
                match parcel {
                    Parcel::Line(line) => if io::stderr().write_all(&line).is_err() {}, // nobody is left to be told
                    Parcel::Flush(done) => if done.send(()).is_err() {}, // nobody waits any more
                }
            }
        };
        match std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(write)
        {
            Ok(_) => Self { parcels },
            Err(_) => Self {
                parcels: sync_channel(0).0,
            },
        }
    }
}

/// One line on its way into the queue.
struct Line {
    text: Vec<u8>,
    parcels: SyncSender<Parcel>,
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
        match self
            .parcels
            .try_send(Parcel::Line(std::mem::take(&mut self.text)))
        {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            text: Vec::new(),
            parcels: self.parcels.clone(),
        }
    }
}
