//! What a person should know of a certificate that is accepted all the same.

use std::time::Duration;

use crate::domain::text::left;
use crate::domain::{Certificate, Clocks};
use crate::plan::rollover::Item;
use crate::plan::state::State;

/// One remark: the word in JSON, and the clause that people read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Noted {
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

/// How near its end is remarked upon: `expiry.warn`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Warn {
    /// From this long before the end.
    pub before: Duration,
    /// Whether no configuration was found for it.
    pub is_default: bool,
}

/// How near its end is, and what it says of itself.
pub(crate) fn remarks(certificate: &Certificate, warn: Warn, now: impl Into<Clocks>) -> Vec<Noted> {
    let (validity, now) = (certificate.validity(), now.into());
    let rest = validity.left(now);
    let mut remarks = Vec::new();
    if !validity.is_over(now) && rest < warn.before {
        let by_default = if warn.is_default { " by default" } else { "" };
        remarks.push(Noted {
            code: "ends_soon",
            text: format!(
                "ends in {}; expiry.warn is {}{by_default}",
                left(rest),
                left(warn.before)
            ),
        });
    }
    let own = certificate.remarks().iter();
    remarks.extend(own.map(|it| Noted {
        code: it.code(),
        text: it.to_string(),
    }));
    remarks
}

/// The remarks on what a file asks for or SendGrid trusts; none on what is over, denied, or counts for nothing.
pub(crate) fn remarks_on(item: &Item, before: Duration, now: impl Into<Clocks>) -> Vec<Noted> {
    let is_wanted = !item.paths.is_empty() || item.state.is_trust() || item.state == State::Ahead;
    let is_settled = matches!(
        item.state,
        State::Expired | State::Denied | State::Duplicate
    );
    let certificate = item.certificate.as_ref();
    match certificate.filter(|_| is_wanted && !is_settled) {
        Some(certificate) => {
            let warn = Warn {
                before,
                is_default: false,
            };
            remarks(certificate, warn, now)
        }
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Remark;
    use crate::view::testing::{adfs, certificate, item, now, okta, remarked};

    const MONTH: Duration = Duration::from_secs(30 * 86_400);

    fn codes(item: &Item) -> Vec<&'static str> {
        let remarks = remarks_on(item, MONTH, now());
        remarks.into_iter().map(|it| it.code).collect()
    }

    #[test]
    fn each_remark_has_a_code_of_its_own() {
        let all = [
            (Remark::Sha1Signature, "sha1_signature"),
            (Remark::SmallExponent, "small_exponent"),
            (Remark::LongValidity, "long_validity"),
            (Remark::EncryptionOnly, "encryption_only"),
            (Remark::WebServer, "web_server"),
            (
                Remark::UnknownCriticalExtension,
                "unknown_critical_extension",
            ),
            (Remark::OddSerial, "odd_serial"),
            (Remark::UnverifiedSignature, "unverified_signature"),
        ];
        for (remark, code) in all {
            let certificate = remarked("CN=x", "2026-01-01", "2027-12-01", &[remark]);
            assert_eq!(codes(&item(State::Trusted, &certificate)), [code]);
        }
    }

    #[test]
    fn an_end_is_near_within_expiry_warn() {
        for (end, expected) in [
            ("2026-12-24", &["ends_soon"][..]),
            ("2026-12-25", &[]),
            ("2026-11-24", &[]), // over
        ] {
            let certificate = certificate("CN=x", "2026-01-01", end);
            assert_eq!(
                codes(&item(State::Trusted, &certificate)),
                expected,
                "{end}"
            );
        }
        let text = &remarks_on(&item(State::Trusted, &adfs()), MONTH, now())[0].text;
        assert_eq!(text, "ends in 19 d; expiry.warn is 30 d");
    }

    #[test]
    fn what_nobody_asks_for_and_nobody_trusts_is_not_remarked_upon() {
        let odd = remarked("CN=x", "2026-01-01", "2027-12-01", &[Remark::OddSerial]);
        for state in [
            State::Trusted,
            State::Found,
            State::Ahead,
            State::Held,
            State::Waiting,
        ] {
            assert_eq!(codes(&item(state, &odd)), ["odd_serial"], "{state:?}");
        }
        for state in [
            State::Denied,
            State::Unmanaged,
            State::Inherited,
            State::Superseded,
        ] {
            assert!(codes(&item(state, &odd)).is_empty(), "{state:?}");
        }
        assert!(codes(&item(State::Trusted, &okta())).is_empty());
    }
}
