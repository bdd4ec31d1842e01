//! Why a decision is not taken, and what to type instead.

use thiserror::Error;

use crate::domain::Fingerprint;

/// Why a decision is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Refusal {
    /// Nobody knows the certificate.
    #[error("no file, list or ledger knows it")]
    Unknown,
    /// It is listed already.
    #[error("it is at SendGrid already")]
    Listed,
    /// It is ours already.
    #[error("it is ours already")]
    Ours,
    /// It is not listed.
    #[error("it is not at SendGrid")]
    NotListed,
    /// Its row has no id, so nothing can be written to it.
    #[error("its row at SendGrid has no id that could be written to")]
    NoId,
    /// It is not ours.
    #[error("it is not ours")]
    NotOurs,
    /// It lies in the source, or is ours: it is no stranger.
    #[error("it is no stranger: only an inherited or unmanaged certificate is acknowledged")]
    NoStranger,
    /// A person said never.
    #[error("a person said never to it")]
    Denied,
    /// A person said never to its key, in another certificate.
    #[error("a person said never to its key, which is that of {}", .0.short())]
    DeniedKey(Fingerprint),
    /// Its last second has passed.
    #[error("its last second has passed")]
    Over,
    /// Its key is that of a certificate which somebody removed.
    #[error("its key is that of {}, which somebody removed at SendGrid", .0.short())]
    RemovedKey(Fingerprint),
    /// It was removed or taken away; there is something better to say than this.
    #[error("it was taken away from SendGrid")]
    Away,
    /// There is nothing to take back.
    #[error("nobody has decided anything about it")]
    NothingToForget,
    /// Whether it is there is being settled.
    #[error("what became of an earlier request for it is not known yet")]
    Unsettled,
}

impl Refusal {
    /// What to type instead, with the certificate's fingerprint.
    pub fn help(self, fingerprint: Fingerprint) -> Option<String> {
        let short = fingerprint.short();
        Some(match self {
            Self::Unknown => "sso-certd status --all lists what is known".to_owned(),
            Self::NotOurs => format!("sso-certd adopt {short} makes it ours first"),
            Self::Denied => format!("sso-certd forget {short} takes that word back"),
            Self::DeniedKey(denied) => {
                format!("sso-certd forget {} takes that word back", denied.short())
            }
            Self::RemovedKey(removed) => {
                let removed = removed.short();
                format!(
                    "sso-certd restore {removed}, or sso-certd approve {} lets its key in again; \
                     sso-certd deny {removed} if the key is stolen",
                    fingerprint.hex()
                )
            }

            Self::Away => format!("sso-certd restore {short}, or sso-certd deny {short}"),
            Self::Unsettled => "sso-certd sync --wait asks SendGrid".to_owned(),
            _ => return None,
        })
    }
}
