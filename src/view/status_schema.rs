//! The shape of `status --json`: field names are stable, and new ones may be added under the same `schema`.
//!
//! Times are RFC 3339 in UTC, durations seconds. What is unknown is absent. There is no PEM and no secret in it.

use serde::Serialize;

/// The whole answer.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StatusJson {
    /// 1.
    pub schema: u32,
    /// The one sentence.
    pub summary: String,
    /// How bad it is: `fine`, `waits`, `needs_you`, `broken`.
    pub mark: &'static str,
    /// Whether a person is needed.
    pub needs_person: bool,
    /// Whether a daemon answers; else this is what its ledger knew, and the files that are there now.
    pub live: bool,
    /// When this was true.
    pub at: String,
    /// When the daemon started; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// The machine.
    pub host: String,
    /// The program's version.
    pub version: &'static str,
    /// Everything that needs somebody, and notes; worst first.
    pub alarms: Vec<AlarmJson>,
    /// One object an integration, in the order of the text.
    pub integrations: Vec<IntegrationJson>,
    /// What the ledger still has of integrations that are no longer configured.
    pub orphans: Vec<OrphanJson>,
    /// One object an account, by name.
    pub accounts: Vec<AccountJson>,
    /// The ledger.
    pub ledger: LedgerJson,
    /// The schedule.
    pub schedule: ScheduleJson,
    /// The last reload of the configuration.
    pub reload: ReloadJson,
}

/// Something that needs somebody, or a note.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AlarmJson {
    /// Why, as a word of the closed list.
    pub reason: &'static str,
    /// `critical`, `warning` or `note`.
    pub severity: &'static str,
    /// The integration it is about; absent if it is about more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// The account it is about, and so all of its integrations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// By when somebody must act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// What is the matter.
    pub sentence: String,
    /// What to do.
    pub advice: Vec<AdviceJson>,
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AdviceJson {
    /// What it is about.
    pub what: String,
    /// What helps.
    pub notes: Vec<AdviceNoteJson>,
}

/// A line of advice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AdviceNoteJson {
    /// What the line is for.
    pub label: String,
    /// The line.
    pub text: String,
}

/// One integration. What is unknown is absent.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct IntegrationJson {
    /// Its name.
    pub name: String,
    /// Its account.
    pub account: String,
    /// SendGrid's id.
    pub integration_id: String,
    /// `manage` or `observe`.
    pub mode: &'static str,
    /// How bad it is.
    pub mark: &'static str,
    /// Why a person is needed, as words of the closed list: the alarms that are more than notes.
    pub attention: Vec<&'static str>,
    /// Whether everything that policy and time allow is at SendGrid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_step: Option<bool>,
    /// Certificates trusted now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted: Option<usize>,
    /// When the last of what is trusted ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_expiry: Option<String>,
    /// Seconds until then; 0 once it has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_seconds: Option<u64>,
    /// Whether the next certificate is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor_known: Option<bool>,
    /// By when it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor_due: Option<String>,
    /// By when a person must act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Certificates that are listed and valid now, whoever uploaded them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<usize>,
    /// When the last of them ends; kept while none is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// Certificates that would be uploaded, but for `observe` or a pause.
    pub withheld: usize,
    /// Certificates that wait for a person's word.
    pub approvals_pending: usize,
    /// Since when a person has paused it; absent while nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseJson>,
    /// Uploads whose outcome is unknown.
    pub open_intents: usize,
    /// When it was last compared with SendGrid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared_at: Option<String>,
    /// Whether a pass has ended since the daemon started.
    pub passed: bool,
    /// Why passes fail; absent while they succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureJson>,
    /// The last change at SendGrid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_change: Option<ChangeJson>,
    /// The source.
    pub source: SourceJson,
    /// Its certificates and rows, what counts most first.
    pub certificates: Vec<CertificateJson>,
}

/// An integration that is no longer configured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OrphanJson {
    /// SendGrid's id.
    pub integration_id: String,
    /// What the configuration called it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account it was in then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What is still in its books.
    pub certificates: Vec<OrphanCertificateJson>,
}

/// A certificate of an integration that is no longer configured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OrphanCertificateJson {
    /// SHA-256 of the DER, 64 digits.
    pub fingerprint: String,
    /// `orphaned`.
    pub state: &'static str,
    /// SendGrid's id, if it was listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// The subject, RFC 4514.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Last second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

/// A person's pause.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PauseJson {
    /// Since when.
    pub since: String,
    /// Whose.
    pub by: String,
}

/// What is to become of an old certificate of ours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RetirementJson {
    /// `disable` or `delete`; absent while nobody wants it taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// Whether a person ordered it.
    pub ordered: bool,
    /// When it goes, if only time stands in the way; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What stands in the way, in sentences.
    pub blocks: Vec<String>,
}

/// Why passes fail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FailureJson {
    /// Since when.
    pub since: String,
    /// One line.
    pub text: String,
}

/// A change at SendGrid.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ChangeJson {
    /// When.
    pub at: String,
    /// `uploaded`.
    pub what: String,
    /// Which certificate.
    pub fingerprint: String,
    /// From the first request to the read-back.
    pub took_seconds: f64,
}

/// A source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SourceJson {
    /// The directory.
    pub directory: String,
    /// Whether the last look could read it; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up: Option<bool>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Since when not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_since: Option<String>,
    /// When it was last looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<String>,
    /// Whether the kernel tells of changes.
    pub watched: bool,
    /// Accepted files.
    pub accepted: usize,
    /// Files that may still be being written.
    pub waiting: usize,
    /// Refused files and certificates, with their reasons.
    pub refused: Vec<RefusedJson>,
    /// Names that match no pattern, and files with nothing in them but what issued others.
    pub ignored: usize,
    /// Certificates that are not uploaded because they issued another one of the source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<IssuerJson>,
    /// Names beyond the limit of files.
    pub surplus: usize,
}

/// A refusal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RefusedJson {
    /// The file.
    pub path: String,
    /// The code of the closed list.
    pub reason: &'static str,
    /// What was found.
    pub found: String,
    /// What helps.
    pub help: Vec<String>,
}

/// A certificate that is not uploaded because it issued another one of the source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct IssuerJson {
    /// The file.
    pub path: String,
    /// Its SHA-256.
    pub fingerprint: String,
    /// Its subject.
    pub subject: String,
    /// The SHA-256 of one that it issued.
    pub issued: String,
}

/// One certificate, or a row that cannot be read. What is unknown is absent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CertificateJson {
    /// SHA-256 of the DER, 64 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// SHA-1 of the DER in groups, as Entra and AD FS show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbprint: Option<String>,
    /// SendGrid's id, if it is or was listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// The state.
    pub state: &'static str,
    /// Why, as a word.
    pub reason: &'static str,
    /// Why, as a sentence.
    pub why: String,
    /// What happens next, as in the text; absent if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// When something happens by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What is to become of it, if it is an old one of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retirement: Option<RetirementJson>,
    /// The subject, RFC 4514.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The issuer, RFC 4514.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The serial, `01:95:56`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The key: `RSA 2048`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// First second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Last second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// Seconds until its end; 0 once it has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_seconds: Option<u64>,
    /// Whether SendGrid listed it in the last list.
    pub listed: bool,
    /// What a person should know of it although it is accepted, as in the text.
    pub remarks: Vec<RemarkJson>,
    /// The accepted files that hold it.
    pub paths: Vec<String>,
    /// Since when the source has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// A remark on an accepted certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RemarkJson {
    /// The word: `ends_soon`, `sha1_signature`.
    pub code: &'static str,
    /// The same as a clause.
    pub text: String,
}

/// One account. What is unknown is absent.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AccountJson {
    /// Its name.
    pub name: String,
    /// Where the key comes from; never the key.
    pub key_from: String,
    /// Whether SendGrid accepts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_valid: Option<bool>,
    /// Our own ceiling.
    pub requests_per_minute: u32,
    /// When SendGrid last answered anything at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    /// The last failure, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Until when nothing is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_until: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_reason: Option<String>,
    /// Requests in one window of SendGrid's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<u64>,
    /// What is left of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_remaining: Option<u64>,
    /// When the window ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_reset: Option<String>,
    /// Our clock minus SendGrid's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_seconds: Option<f64>,
}

/// The ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LedgerJson {
    /// Whether it can be written.
    pub writable: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The schedule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ScheduleJson {
    /// The next round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run: Option<String>,
    /// The last one that was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_due: Option<String>,
}

/// Reloads of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReloadJson {
    /// Whether the last one was taken.
    pub successful: bool,
    /// When one last was.
    pub succeeded_at: String,
}
