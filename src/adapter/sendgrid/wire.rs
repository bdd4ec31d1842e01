//! SendGrid's JSON, with every quirk that its description, its documents and its clients show.
//!
//! Only what the daemon needs is read: fingerprint and validity come from the certificate itself, never from the
//! fields beside it. <https://www.twilio.com/docs/sendgrid/api-reference/single-sign-on-certificates>

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::text::printable;
use crate::domain::{Certificate, CertificateId, IntegrationId, Row, RowContent};

/// Reads the `public_certificate` of a row; none if it is no certificate.
pub type ReadListed = fn(&str) -> Option<Certificate>;

/// Longest name or entity id of an integration that is kept, in characters.
const NAME_LENGTH: usize = 300;
/// Longest error message that is kept, in characters.
const MESSAGE_LENGTH: usize = 200;
/// A run of this many characters of base64 may be a key or a line of a certificate; a UUID has 36.
const SECRET_LENGTH: usize = 40;

/// An integration as SendGrid lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteIntegration {
    /// Its id.
    pub id: IntegrationId,
    /// What people called it, safe to show.
    pub name: String,
    /// Whether it is enabled; none if the answer does not say.
    pub enabled: Option<bool>,
    /// The identity provider's entity id, safe to show.
    pub entity_id: String,
}

/// The body of an upload: always enabled, because the examples in SendGrid's own documents are not.
pub(super) fn create_body(integration: IntegrationId, pem: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Create<'a> {
        public_certificate: &'a str,
        integration_id: String,
        enabled: bool,
    }
    json(&Create {
        public_certificate: pem,
        integration_id: integration.to_string(),
        enabled: true,
    })
}

/// The body of an update: this one field, because any other would swap a key in place.
pub(super) fn update_body(enabled: bool) -> Vec<u8> {
    #[derive(Serialize)]
    struct Update {
        enabled: bool,
    }
    json(&Update { enabled })
}

/// The rows of a list; none if the body is no array of JSON. What cannot be read of a row makes it
/// [`RowContent::Undecodable`], never absent.
pub(super) fn rows(body: &[u8], asked: IntegrationId, read: ReadListed) -> Option<Vec<Row>> {
    let rows: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
    Some(rows.into_iter().map(|it| row(it, asked, read)).collect())
}

/// The certificate that an answer consists of; none if the body is no JSON object with an id or a certificate in it
/// (an error that came with a 2xx has neither).
pub(super) fn one_row(body: &[u8], asked: IntegrationId, read: ReadListed) -> Option<Row> {
    let raw: &RawValue = serde_json::from_slice(body).ok()?;
    let certificate: RawCertificate<'_> = serde_json::from_str(raw.get()).ok()?;
    if certificate.id.is_none() && certificate.public_certificate.is_none() {
        return None;
    }
    Some(row(raw, asked, read))
}

/// The integrations of an account; none if the body is no array. One without a UUID cannot be configured and is left out.
pub(super) fn integrations(body: &[u8]) -> Option<Vec<RemoteIntegration>> {
    #[derive(Deserialize)]
    struct RawIntegration<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        #[serde(borrow)]
        name: Option<&'a RawValue>,
        #[serde(borrow)]
        enabled: Option<&'a RawValue>,
        #[serde(borrow)]
        entity_id: Option<&'a RawValue>,
    }
    let rows: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
    let integrations = rows.into_iter().filter_map(|it| {
        let raw: RawIntegration<'_> = serde_json::from_str(it.get()).ok()?;
        let shown = |it| printable(&text(it).unwrap_or_default(), NAME_LENGTH);
        Some(RemoteIntegration {
            id: IntegrationId::parse(&text(raw.id)?).ok()?,
            name: shown(raw.name),
            enabled: raw
                .enabled
                .and_then(|it| serde_json::from_str(it.get()).ok()),
            entity_id: shown(raw.entity_id),
        })
    });
    Some(integrations.collect())
}

/// The id of the integration that an answer consists of; none if the body is no JSON object with one.
pub(super) fn integration(body: &[u8]) -> Option<IntegrationId> {
    #[derive(Deserialize)]
    struct RawIntegration<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
    }
    let raw: RawIntegration<'_> = serde_json::from_slice(body).ok()?;
    IntegrationId::parse(&text(raw.id)?).ok()
}

/// What a key may do; none if the body is not `{"scopes": ["…"]}`.
pub(super) fn scopes(body: &[u8]) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Scopes {
        scopes: Vec<String>,
    }
    let Scopes { scopes } = serde_json::from_slice(body).ok()?;
    Some(scopes.iter().map(|it| printable(it, NAME_LENGTH)).collect())
}

/// The first message of an error body, in any of the shapes SendGrid has; none if there is none, or if it might quote
/// the key or a certificate.
pub(super) fn message(body: &[u8], key: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Item {
        message: String,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Errors {
        Bare(Vec<Item>),
        Wrapped { errors: Vec<Item> },
        Single { error: String },
    }
    let message = match serde_json::from_slice(body).ok()? {
        Errors::Bare(errors) | Errors::Wrapped { errors } => errors.into_iter().next()?.message,
        Errors::Single { error } => error,
    };
    let message = message.trim();
    (!message.is_empty() && !may_quote_a_secret(message, key))
        .then(|| printable(message, MESSAGE_LENGTH))
}

#[derive(Deserialize)]
struct RawCertificate<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    public_certificate: Option<&'a RawValue>,
    /// As the description spells it.
    #[serde(borrow)]
    intergration_id: Option<&'a RawValue>,
    /// As clients in the field read it.
    #[serde(borrow)]
    integration_id: Option<&'a RawValue>,
}

fn row(raw: &RawValue, asked: IntegrationId, read: ReadListed) -> Row {
    let Ok(raw) = serde_json::from_str::<RawCertificate<'_>>(raw.get()) else {
        return Row {
            id: None,
            content: RowContent::Undecodable,
        };
    };
    let foreign = [raw.intergration_id, raw.integration_id]
        .into_iter()
        .filter_map(|it| IntegrationId::parse(&text(it)?).ok())
        .any(|it| it != asked);
    let certificate = if foreign {
        None
    } else {
        text(raw.public_certificate).and_then(|it| read(&it))
    };
    Row {
        id: raw.id.and_then(certificate_id),
        content: certificate.map_or(RowContent::Undecodable, |it| {
            RowContent::Certificate(Box::new(it))
        }),
    }
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// An id as SendGrid writes it: a string, an integer, or an integer written as a float (`66138975.0`, `6.6138975e7`).
///
/// The digits are taken from the text: a client that went through a float turned 66138975 into 66138976.
fn certificate_id(raw: &RawValue) -> Option<CertificateId> {
    let id = text(Some(raw)).or_else(|| integer_digits(raw.get()))?;
    CertificateId::parse(&id)
}

/// The decimal digits of a JSON number (RFC 8259, 6) that is a whole one and not negative.
fn integer_digits(number: &str) -> Option<String> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !whole
        .bytes()
        .chain(fraction.bytes())
        .all(|it| it.is_ascii_digit())
    {
        return None;
    }
    let exponent: i32 = exponent.parse().ok()?;
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let point = usize::try_from(point)
        .ok()
        .filter(|it| *it <= CertificateId::LONGEST)?;
    let mut digits = format!("{whole}{fraction}");
    if digits.len() < point {
        digits.push_str(&"0".repeat(point - digits.len()));
    }
    let (integer, rest) = digits.split_at_checked(point)?;
    if rest.bytes().any(|it| it != b'0') {
        return None;
    }
    let integer = integer.trim_start_matches('0');
    Some(if integer.is_empty() { "0" } else { integer }.to_owned())
}

fn may_quote_a_secret(message: &str, key: &str) -> bool {
    let mut run = 0;
    let long_run = message.bytes().any(|it| {
        let base64 = it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'=' | b'-' | b'_');
        run = if base64 { run + 1 } else { 0 };
        run >= SECRET_LENGTH
    });
    long_run
        || [key, "SG.", "-----BEGIN"]
            .into_iter()
            .any(|it| message.contains(it))
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    #[expect(
        clippy::expect_used,
        reason = "structs of texts and booleans always have a JSON form"
    )]
    serde_json::to_vec(value).expect("a plain struct")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::sendgrid::testing::{read_listed, sample};

    const ASKED: &str = "b0b98502-9408-4b24-9e3d-31ed7cb15312";
    const OTHER: &str = "4f0ce1a5-7a5d-4a8e-9d8e-0a2b5c9f1d33";

    fn asked() -> IntegrationId {
        IntegrationId::parse(ASKED).unwrap()
    }

    /// `id` and whether it holds a certificate, of a list with this one row.
    fn read_row(row: &str) -> (Option<String>, bool) {
        let rows = rows(format!("[{row}]").as_bytes(), asked(), read_listed).unwrap();
        let [row] = rows.as_slice() else {
            panic!("a row went missing")
        };
        let id = row.id.as_ref().map(|it| it.as_str().to_owned());
        (id, row.certificate().is_some())
    }

    fn with(field: &str) -> (Option<String>, bool) {
        let pem = serde_json::to_string(&sample().pem).unwrap();
        read_row(&format!(r#"{{"public_certificate": {pem}, {field}}}"#))
    }

    #[test]
    fn every_form_of_an_id_keeps_its_digits() {
        for (raw, expected) in [
            ("66138975", Some("66138975")),
            ("0", Some("0")),
            ("66138975.0", Some("66138975")),
            ("6.6138975e7", Some("66138975")),
            ("6.6138975E+7", Some("66138975")),
            ("66138975000e-3", Some("66138975")),
            ("9007199254740993", Some("9007199254740993")),
            ("9007199254740993.0", Some("9007199254740993")),
            (
                "123456789012345678901234567890",
                Some("123456789012345678901234567890"),
            ),
            (r#""66138975""#, Some("66138975")),
            (r#""ZGkrHSypTsudrGkmdpJJ""#, Some("ZGkrHSypTsudrGkmdpJJ")),
            ("66138975.5", None),
            ("6.6138975e3", None),
            ("-5", None),
            ("1e400", None),
            ("1e-99999999999", None),
            ("null", None),
            ("true", None),
            ("[1]", None),
            (r#""""#, None),
            (r#""../teammates""#, None),
        ] {
            let (id, readable) = with(&format!(r#""id": {raw}"#));
            assert_eq!(id.as_deref(), expected, "{raw}");
            assert!(readable, "{raw}: the certificate is one whatever its id");
        }
    }

    #[test]
    fn a_row_names_its_integration_in_either_spelling_or_not_at_all() {
        let upper = ASKED.to_uppercase();
        for (fields, readable) in [
            (r#""x": 1"#.to_owned(), true),
            (format!(r#""intergration_id": "{ASKED}""#), true),
            (format!(r#""integration_id": "{ASKED}""#), true),
            (format!(r#""integration_id": "{upper}""#), true),
            (
                format!(r#""intergration_id": "{ASKED}", "integration_id": "{ASKED}""#),
                true,
            ),
            (
                r#""intergration_id": null, "integration_id": """#.to_owned(),
                true,
            ),
            (r#""intergration_id": 12"#.to_owned(), true),
            (format!(r#""intergration_id": "{OTHER}""#), false),
            (format!(r#""integration_id": "{OTHER}""#), false),
            (
                format!(r#""intergration_id": "{ASKED}", "integration_id": "{OTHER}""#),
                false,
            ),
        ] {
            let (id, found) = with(&format!(r#""id": 7, {fields}"#));
            assert_eq!((id.as_deref(), found), (Some("7"), readable), "{fields}");
        }
    }

    #[test]
    fn a_row_without_a_readable_certificate_is_still_a_row() {
        for row in [
            r#"{"id": 7}"#,
            r#"{"id": 7, "public_certificate": null}"#,
            r#"{"id": 7, "public_certificate": 5}"#,
            r#"{"id": 7, "public_certificate": "<your x509 certificate>"}"#,
        ] {
            assert_eq!(read_row(row), (Some("7".to_owned()), false), "{row}");
        }
        for row in ["null", "7", "[]", "{}", r#"{"id": 7, "id": 8}"#] {
            assert_eq!(read_row(row), (None, false), "{row}");
        }
    }

    #[test]
    fn the_certificate_itself_is_what_counts() {
        let pem = serde_json::to_string(&sample().pem).unwrap();
        let body = format!(
            r#"[{{"public_certificate": {pem}, "id": 66138975, "not_before": "?", "not_after": 1}}]"#
        );
        let rows = rows(body.as_bytes(), asked(), read_listed).unwrap();
        let certificate = rows[0].certificate().unwrap();
        assert_eq!(
            certificate.fingerprint(),
            sample().certificate.fingerprint()
        );
    }

    #[test]
    fn what_is_no_array_is_no_list() {
        for body in [
            "",
            "null",
            "{}",
            "7",
            r#"{"errors": []}"#,
            r#"{"result": []}"#,
            "<html>",
            "[",
            r#"[{"id": 7}"#,
            "[]]",
            "[,]",
        ] {
            assert!(
                rows(body.as_bytes(), asked(), read_listed).is_none(),
                "{body}"
            );
            assert!(integrations(body.as_bytes()).is_none(), "{body}");
        }
        assert!(rows(b"[]", asked(), read_listed).unwrap().is_empty());
        assert!(rows(b"[\"\xff\"]", asked(), read_listed).is_none());
    }

    #[test]
    fn an_error_is_no_certificate_whatever_its_status_was() {
        for body in [
            "",
            "null",
            "[]",
            "{}",
            "<html>",
            r#"{"errors": [{"field": null, "message": "internal server error"}]}"#,
            r#"{"error": "no"}"#,
            r#"{"id": 7"#,
        ] {
            assert!(
                one_row(body.as_bytes(), asked(), read_listed).is_none(),
                "{body}"
            );
        }
        let row = one_row(br#"{"id": 7}"#, asked(), read_listed).unwrap();
        assert_eq!(row.content, RowContent::Undecodable);
    }

    #[test]
    fn what_is_sent_is_exactly_this() {
        assert_eq!(
            String::from_utf8(create_body(asked(), "-----BEGIN\nx\n")).unwrap(),
            format!(
                r#"{{"public_certificate":"-----BEGIN\nx\n","integration_id":"{ASKED}","enabled":true}}"#
            )
        );
        assert_eq!(update_body(true), br#"{"enabled":true}"#);
        assert_eq!(update_body(false), br#"{"enabled":false}"#);
    }

    #[test]
    fn integrations_are_read_as_far_as_they_go() {
        let body = format!(
            r#"[{{"id": "{ASKED}", "name": "Okta\u001b[31m", "enabled": true, "entity_id": "http://idp", "last_updated": 1}},
                {{"id": "{OTHER}", "name": null, "enabled": "yes"}},
                {{"id": 5, "name": "no UUID"}}, {{"name": "no id"}}, null]"#
        );
        let found = integrations(body.as_bytes()).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].id, asked());
        assert_eq!(found[0].name, "Okta\\u{1b}[31m");
        assert_eq!(found[0].enabled, Some(true));
        assert_eq!(found[0].entity_id, "http://idp");
        assert_eq!((found[1].name.as_str(), found[1].enabled), ("", None));
    }

    #[test]
    fn scopes_are_texts() {
        assert_eq!(
            scopes(br#"{"scopes": ["sso.settings.read", "mail.send"]}"#).unwrap(),
            ["sso.settings.read", "mail.send"]
        );
        for body in ["", "[]", "{}", r#"{"scopes": null}"#, r#"{"scopes": [1]}"#] {
            assert!(scopes(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn every_shape_of_an_error_is_read_or_passed_over() {
        for (body, expected) in [
            (
                r#"[{"message": "bad", "field": "x", "error_id": "1"}]"#,
                Some("bad"),
            ),
            (
                r#"{"errors": [{"field": null, "message": "too many requests"}], "id": "7"}"#,
                Some("too many requests"),
            ),
            (
                r#"{"errors": [{"message": "a", "help": "b"}, {"message": "c"}]}"#,
                Some("a"),
            ),
            (r#"{"error": "access forbidden"}"#, Some("access forbidden")),
            (
                r#"{"error": "two\nlines \u001b[31m"}"#,
                Some("two\\u{a}lines \\u{1b}[31m"),
            ),
            ("", None),
            ("[]", None),
            (r#"{"errors": []}"#, None),
            (r#"{"error": " "}"#, None),
            (r#"{"errors": [{"message": "trailing comma"},]}"#, None),
            ("<html><body>502</body></html>", None),
        ] {
            assert_eq!(
                message(body.as_bytes(), "SG.k").as_deref(),
                expected,
                "{body}"
            );
        }
        let long = format!(r#"{{"error": "{}"}}"#, "no ".repeat(500));
        assert_eq!(
            message(long.as_bytes(), "SG.k").unwrap().chars().count(),
            MESSAGE_LENGTH + 1
        );
    }

    #[test]
    fn a_message_that_quotes_a_key_or_a_certificate_is_dropped() {
        let line = "A".repeat(SECRET_LENGTH);
        for quoted in [
            "key custom-key is bad",
            "SG.abc",
            "got -----BEGIN CERTIFICATE-----",
            &line,
        ] {
            let body = format!(r#"{{"error": "{quoted} x"}}"#);
            assert_eq!(message(body.as_bytes(), "custom-key"), None, "{quoted}");
        }
        let pem = serde_json::to_string(&sample().pem).unwrap();
        let body = format!(r#"{{"error": {pem}}}"#);
        assert_eq!(message(body.as_bytes(), "custom-key"), None);
    }
}
