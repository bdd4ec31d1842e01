//! Where the log goes and how a line looks.

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
