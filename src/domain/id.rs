//! Names and ids, each parsed once at the edge.

use std::fmt;

use thiserror::Error;
use uuid::Uuid;

/// SendGrid's id of an SSO integration, a UUID. With a fingerprint it is the ledger's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IntegrationId(Uuid);

/// A text that is no UUID. It does not carry the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("is not a UUID")]
pub struct NotAUuid;

impl IntegrationId {
    /// Reads the hyphenated form, either case.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(raw: &str) -> Result<Self, NotAUuid> {
        if raw.len() != 36 {
            return Err(NotAUuid);
        }
        Uuid::try_parse(raw).map(Self).map_err(|_| NotAUuid)
    }
}

impl fmt::Display for IntegrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// SendGrid's opaque id of a stored certificate: an integer by its description, digits or letters in the field.
///
/// Only the text is kept; it is never a number to us.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CertificateId(String);

impl CertificateId {
    /// Longest id accepted from an answer, in bytes; the longest seen has 20.
    pub const LONGEST: usize = 64;

    /// Takes an id that is safe in a path segment: 1 to [`Self::LONGEST`] of `[A-Za-z0-9_-]`.
    pub fn parse(raw: &str) -> Option<Self> {
        let fits = (1..=Self::LONGEST).contains(&raw.len());
        let safe = raw
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_');
        (fits && safe).then(|| Self(raw.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a name has 1 to 63 of a-z, 0-9 and -")]
pub struct NameError;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(String);

        impl $name {
            /// Takes 1 to 63 of `[a-z0-9-]`.
            ///
            /// # Errors
            /// Any other text.
            pub fn parse(raw: &str) -> Result<Self, NameError> {
                let fits = (1..=63).contains(&raw.len());
                let safe = raw.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-');
                if fits && safe { Ok(Self(raw.to_owned())) } else { Err(NameError) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// What the configuration calls an integration; used in logs, labels and commands. A label, not a key.
    IntegrationName
}

name! {
    /// What the configuration calls a SendGrid account.
    AccountName
}

impl Default for AccountName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integration_id_is_a_hyphenated_uuid() {
        let text = "b0b98502-9408-4b24-9e3d-31ed7cb15312";
        assert_eq!(IntegrationId::parse(text).unwrap().to_string(), text);
        assert_eq!(
            IntegrationId::parse(&text.to_uppercase())
                .unwrap()
                .to_string(),
            text
        );
        for wrong in [
            "",
            "okta",
            "b0b9850294084b249e3d31ed7cb15312",
            "{b0b98502-9408-4b24-9e3d-31ed7cb15312}",
        ] {
            assert_eq!(IntegrationId::parse(wrong), Err(NotAUuid), "{wrong}");
        }
    }

    #[test]
    fn a_certificate_id_never_escapes_its_path_segment() {
        assert!(CertificateId::parse("66138975").is_some());
        assert!(CertificateId::parse("ZGkrHSypTsudrGkmdpJJ").is_some());
        for wrong in ["", "..", "1/2", "1?x", "1 2", &"1".repeat(65)] {
            assert!(CertificateId::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn names_are_lower_case() {
        assert!(IntegrationName::parse("adfs-eu-2").is_ok());
        for wrong in ["", "Okta", "a_b", "a.b", &"a".repeat(64)] {
            assert!(IntegrationName::parse(wrong).is_err(), "{wrong}");
        }
    }
}
