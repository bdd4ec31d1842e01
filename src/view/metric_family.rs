//! Metric families as plain values, and what each of them means.

use std::collections::BTreeMap;

use crate::domain::Timestamp;

/// One metric family with its series.
#[derive(Clone, PartialEq, Debug)]
pub struct Family {
    /// `sso_certd_…`.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its series, in the order of the snapshot.
    pub samples: Vec<Sample>,
}

/// The type of a family. What is a function of one instant is a gauge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
}

/// One series.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// Label names and values, in the family's order.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// The families in the making, by name.
#[derive(Default)]
pub(crate) struct Sheet {
    families: BTreeMap<&'static str, Vec<Sample>>,
}

pub(crate) type Labels = Vec<(&'static str, String)>;

impl Sheet {
    pub(crate) fn set(&mut self, name: &'static str, labels: Labels, value: f64) {
        self.families
            .entry(name)
            .or_default()
            .push(Sample { labels, value });
    }

    pub(crate) fn time(&mut self, name: &'static str, labels: Labels, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.set(name, labels, seconds(at));
        }
    }

    pub(crate) fn flag(&mut self, name: &'static str, labels: Labels, is_set: bool) {
        self.set(name, labels, if is_set { 1.0 } else { 0.0 });
    }

    pub(crate) fn count(&mut self, name: &'static str, labels: Labels, number: usize) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.set(name, labels, f64::from(number));
    }

    pub(crate) fn families(mut self) -> Vec<Family> {
        FAMILIES
            .iter()
            .filter_map(|(name, help)| {
                let samples = self.families.remove(name)?;
                Some(Family {
                    name,
                    help,
                    kind: Kind::Gauge,
                    samples,
                })
            })
            .collect()
    }
}

/// Seconds since 1970 as Prometheus wants them; exact for every time that a certificate can carry.
fn seconds(at: Timestamp) -> f64 {
    let millis = at.as_millis();
    let (secs, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let high = i32::try_from(secs >> 31).unwrap_or(i32::MAX);
    let low = u32::try_from(secs & 0x7fff_ffff).unwrap_or(0);
    let rest = u32::try_from(rest).unwrap_or(0);
    f64::from(high) * 2_147_483_648.0 + f64::from(low) + f64::from(rest) / 1000.0
}

/// Every family with its help, in the order shown.
const FAMILIES: &[(&str, &str)] = &[
    ("sso_certd_build_info", "The running version; always 1."),
    (
        "sso_certd_config_last_reload_successful",
        "Whether the last reload of the configuration was taken.",
    ),
    (
        "sso_certd_config_last_reload_success_timestamp_seconds",
        "When the configuration was last taken.",
    ),
    (
        "sso_certd_integration_info",
        "An integration with SendGrid's id and its mode; always 1.",
    ),
    (
        "sso_certd_integration_in_step",
        "Whether everything that policy and time allow is at SendGrid and nothing of ours is missing there.",
    ),
    (
        "sso_certd_integration_trusted_certificates",
        "Certificates that SendGrid trusts, that count, and that are valid.",
    ),
    (
        "sso_certd_integration_latest_expiry_timestamp_seconds",
        "When the last of the certificates trusted now or later ends.",
    ),
    (
        "sso_certd_integration_valid_certificates",
        "Certificates that SendGrid lists and that are valid, whoever uploaded them.",
    ),
    (
        "sso_certd_integration_valid_until_timestamp_seconds",
        "When the last of them ends; kept while none is valid.",
    ),
    (
        "sso_certd_integration_certificates_withheld",
        "Certificates that would be uploaded, but for `observe` or a pause.",
    ),
    (
        "sso_certd_integration_successor_known",
        "Whether the next certificate is known.",
    ),
    (
        "sso_certd_integration_successor_due_timestamp_seconds",
        "By when the next certificate should be known.",
    ),
    (
        "sso_certd_integration_deadline_timestamp_seconds",
        "By when a person must act; absent while nobody must.",
    ),
    (
        "sso_certd_integration_attention",
        "A reason that needs a person: an alarm that is more than a note; only the true ones, always 1.",
    ),
    (
        "sso_certd_integration_paused",
        "Whether a person has paused uploads.",
    ),
    (
        "sso_certd_integration_open_intents",
        "Uploads whose outcome is unknown.",
    ),
    (
        "sso_certd_integration_reconcile_last_success_timestamp_seconds",
        "When it was last compared with SendGrid.",
    ),
    (
        "sso_certd_approvals_pending",
        "Certificates that only a person's word lets in.",
    ),
    (
        "sso_certd_approval_oldest_pending_timestamp_seconds",
        "Since when the oldest of them waits.",
    ),
    (
        "sso_certd_certificates",
        "Certificates and rows by state; only states that occur.",
    ),
    (
        "sso_certd_certificate_not_after_timestamp_seconds",
        "The last second of a certificate.",
    ),
    (
        "sso_certd_certificate_not_before_timestamp_seconds",
        "The first second of a certificate.",
    ),
    (
        "sso_certd_certificate_info",
        "A certificate with its names; always 1.",
    ),
    (
        "sso_certd_source_up",
        "Whether the last look could read the directory.",
    ),
    (
        "sso_certd_source_last_scan_timestamp_seconds",
        "When the directory was last looked at.",
    ),
    (
        "sso_certd_source_files",
        "Files of the directory by what became of them.",
    ),
    (
        "sso_certd_source_refused_files",
        "Refused files by reason; only reasons that occur.",
    ),
    (
        "sso_certd_watch_active",
        "Whether the kernel tells of changes; 0: the directory is polled.",
    ),
    (
        "sso_certd_api_rate_limit_requests",
        "Requests that SendGrid allows in one window, as it last said.",
    ),
    (
        "sso_certd_api_rate_limit_remaining_requests",
        "Requests that were left in the window when SendGrid last said so.",
    ),
    (
        "sso_certd_api_rate_limit_reset_timestamp_seconds",
        "When that window ends.",
    ),
    (
        "sso_certd_api_backoff_until_timestamp_seconds",
        "Until when nothing is asked; absent while nothing keeps us.",
    ),
    (
        "sso_certd_api_clock_skew_seconds",
        "Our clock minus SendGrid's.",
    ),
    (
        "sso_certd_api_key_valid",
        "Whether SendGrid accepts the API key; absent until it has answered.",
    ),
    (
        "sso_certd_schedule_next_run_timestamp_seconds",
        "When the next round is due.",
    ),
    (
        "sso_certd_schedule_last_due_timestamp_seconds",
        "When a round was last due.",
    ),
    (
        "sso_certd_ledger_writable",
        "Whether the ledger can be written.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_keep_what_a_certificate_can_carry() {
        let cases = [
            (0, 0.0),
            (1_500, 1.5),
            (-1_000, -1.0),
            (1_795_511_642_250, 1_795_511_642.25),
            (253_402_300_799_000, 253_402_300_799.0),
        ];
        for (millis, expected) in cases {
            let found = seconds(Timestamp::from_millis(millis));
            assert!((found - expected).abs() < f64::EPSILON, "{found}");
        }
    }

    #[test]
    fn a_family_that_nobody_described_would_be_lost() {
        let mut sheet = Sheet::default();
        sheet.set("sso_certd_build_info", Vec::new(), 1.0);
        assert_eq!(sheet.families().len(), 1);
    }
}
