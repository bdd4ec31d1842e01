//! An identity provider, as far as the daemon can see one: it makes certificates, and puts them into a directory.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, Datelike as _, Days, Utc};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use sso_certd::domain::{Fingerprint, Timestamp};

/// A signing certificate, with its key.
pub(crate) struct Signing {
    /// `okta-2027.pem`: by the year of its end.
    pub(crate) file: String,
    /// The certificate as PEM.
    pub(crate) pem: String,
    /// Its identity.
    pub(crate) fingerprint: Fingerprint,
    /// `CN=sandbox, P-256, ends 2027-12-14`.
    pub(crate) description: String,
    /// The private key.
    pub(crate) key: KeyPair,
}

impl Signing {
    /// Makes one that began yesterday and ends in so many days.
    ///
    /// # Errors
    /// No random numbers, or a clock at the end of the calendar.
    pub(crate) fn make(now: Timestamp, days: u64) -> anyhow::Result<Self> {
        let today = now.calendar().context("the clock is beyond the calendar")?;
        let begin = today.checked_sub_days(Days::new(1));
        let end = today.checked_add_days(Days::new(days));
        let (begin, end) = begin.zip(end).context("the clock is beyond the calendar")?;
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "sandbox");
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = name;
        let (year, month, day) = parts(begin)?;
        parameters.not_before = rcgen::date_time_ymd(year, month, day);
        let (year, month, day) = parts(end)?;
        parameters.not_after = rcgen::date_time_ymd(year, month, day);
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = parameters
            .self_signed(&key)
            .context("cannot make a certificate")?;
        Ok(Self {
            file: format!("okta-{}.pem", end.year()),
            pem: certificate.pem(),
            fingerprint: Fingerprint::of(certificate.der()),
            description: format!("CN=sandbox, P-256, ends {}", end.format("%Y-%m-%d")),
            key,
        })
    }
}

/// Year, month and day.
fn parts(date: DateTime<Utc>) -> anyhow::Result<(i32, u8, u8)> {
    let (month, day) = (u8::try_from(date.month())?, u8::try_from(date.day())?);
    Ok((date.year(), month, day))
}

/// Puts a file into a directory at once and whole: under a name that nobody looks at, then renamed.
///
/// # Errors
/// It cannot be written.
pub(crate) fn publish(directory: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let unfinished = directory.join(format!(".{name}.new"));
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&unfinished, directory.join(name))
    };
    write().with_context(|| format!("cannot write {}", directory.join(name).display()))
}
