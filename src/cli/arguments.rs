//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::domain::Timestamp;

/// Where the configuration of an installed daemon lies.
pub(super) const INSTALLED: &str = "/etc/sso-certd/sso-certd.toml";

/// Keeps Twilio SendGrid's SSO certificates in step with the identity provider.
#[derive(Debug, Parser)]
#[command(
    name = "sso-certd",
    version,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(super) struct Arguments {
    /// The configuration; every conf.d/*.toml beside it is read as well.
    #[arg(
        short,
        long,
        global = true,
        value_name = "PATH",
        default_value = INSTALLED
    )]
    pub(super) config: PathBuf,

    /// When to use colours. `NO_COLOR` is obeyed.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The daemon.
    Run,
    /// Read everything `run` would, and list every error.
    CheckConfig {
        /// Also ask SendGrid what each key may do, and for each integration.
        #[arg(long)]
        probe: bool,
        /// Show each value and where it came from.
        #[arg(long)]
        print: bool,
        /// Call it an error if others could change the file of `--config`, as it always is where `run` looks by itself.
        #[arg(long)]
        strict: bool,
        /// For `ExecReload=` of the unit: strict, and tells the daemon if it is not reloaded.
        #[arg(long, hide = true, conflicts_with_all = ["probe", "print"])]
        reload_guard: bool,
    },
    /// List SendGrid's integrations, and print the TOML to paste.
    Integrations {
        /// Of this account only.
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
    },
    /// Say what would become of certificate files; needs no configuration and no network.
    Inspect {
        /// Files or directories.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Refuse unsafe permissions, as in a watched directory.
        #[arg(long)]
        strict: bool,
    },
    /// Say what `run` would do, and why; writes nothing, anywhere.
    Plan {
        /// Integrations; all of them if none is named.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        /// Exit with 2 if there is something to do.
        #[arg(long)]
        detailed_exitcode: bool,
        /// Seen from another time: a date, or an RFC 3339 time.
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        at: Option<Timestamp>,
    },
    /// One pass now; lifts our own waits, never the server's.
    Sync {
        /// Integrations; all of them if none is named.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Wait for what settles, up to five minutes.
        #[arg(long)]
        wait: bool,
    },
    /// One sentence, then what matters.
    Status {
        /// Integrations; all of them if none is named.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Everything, and not only what matters.
        #[arg(long)]
        all: bool,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        /// Print nothing while all is well, else the one sentence.
        #[arg(long)]
        quiet: bool,
    },
    /// The audit trail, newest first.
    History {
        /// Integrations; all of them if none is named.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Not older than this, such as 7d.
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        since: Option<Duration>,
        /// Entries at most.
        #[arg(short, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        number: u32,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// One certificate's life, what comes next, and what stands in the way.
    Explain {
        /// Its SHA-256 fingerprint, or the beginning of it.
        fingerprint: String,
        /// In this integration only.
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Let a new key in that waits, or one that is still to come.
    Approve(OnCertificate),
    /// Never let a certificate in, nor its key.
    Deny {
        #[command(flatten)]
        on: OnCertificate,
        /// Its key as well, although another certificate in use has it.
        #[arg(long)]
        key: bool,
    },
    /// Leave a certificate that did not come from here, and hear no more of it.
    Acknowledge(OnCertificate),
    /// Make a certificate ours that was uploaded by hand.
    Adopt(OnCertificate),
    /// Bring a certificate back that was deleted or disabled.
    Restore(OnCertificate),
    /// Take a decision back, or drop an orphan from the books.
    Forget(OnCertificate),
    /// Take a certificate of ours away now.
    Retire {
        #[command(flatten)]
        on: OnCertificate,
        /// It stays listed and lets nobody in (the default).
        #[arg(long, conflicts_with = "delete")]
        disable: bool,
        /// It goes.
        #[arg(long)]
        delete: bool,
    },
    /// Write nothing to SendGrid until `resume`.
    Pause(OnIntegration),
    /// Go on after `pause`.
    Resume(OnIntegration),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// A decision about one certificate.
#[derive(Debug, Args)]
pub(super) struct OnCertificate {
    /// Its SHA-256 fingerprint, or enough of its first digits.
    #[arg(value_name = "FINGERPRINT")]
    pub(super) fingerprint: String,
    /// The integration, if the certificate is known in several.
    #[arg(value_name = "NAME")]
    pub(super) integration: Option<String>,
    #[command(flatten)]
    pub(super) word: Word,
}

/// A decision about integrations.
#[derive(Debug, Args)]
pub(super) struct OnIntegration {
    /// The integration; all of them if none is named.
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) word: Word,
}

/// What goes with every decision.
#[derive(Debug, Args)]
pub(super) struct Word {
    /// Why; it is kept in the history.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Do not ask; approve, adopt and restore then want the whole fingerprint.
    #[arg(long)]
    pub(super) yes: bool,
}

fn parse_duration(raw: &str) -> Result<Duration, String> {
    humantime::parse_duration(raw)
        .map_err(|_| "wants a number with a unit, such as 7d or 12h".to_owned())
}

fn parse_time(raw: &str) -> Result<Timestamp, String> {
    let date = || {
        chrono::NaiveDate::parse_from_str(raw, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
            .map(|it| it.and_utc())
    };
    let time = || {
        chrono::DateTime::parse_from_rfc3339(raw)
            .ok()
            .map(|it| it.to_utc())
    };
    let parsed = date()
        .or_else(time)
        .ok_or("wants a date such as 2027-03-01, or a time such as 2027-03-01T09:00:00Z")?;
    Ok(Timestamp::from_millis(parsed.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_time_is_a_date_or_rfc_3339() {
        let midnight = parse_time("2027-03-01").unwrap();
        assert_eq!(parse_time("2027-03-01T01:00:00+01:00").unwrap(), midnight);
        assert!(parse_time("1.3.2027").is_err());
        assert!(parse_time("2027-02-30").is_err());
    }
}
