//! How answers look on the wire: the documented form, and every other form seen or feared.

use std::time::Duration;

use chrono::DateTime;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::accounts::Integration;
use super::certificate;
use super::rows::{Row, Rows};

/// The form of a certificate's id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdStyle {
    /// `66138975`
    Number,
    /// `"66138975"`
    Digits,
    /// `"ZGkrHSypTsudrGkmdpJJ"`, as in the docs' sample
    Slug,
    /// `66138975.0`
    Float,
}

/// The form of a certificate's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PemStyle {
    AsSent,
    Crlf,
    NoFinalNewline,
    OneLine,
    /// Base64 without the BEGIN and END lines.
    Unarmoured,
}

/// How an answer names the integration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntegrationKey {
    /// `intergration_id`, as the description has it
    Misspelt,
    /// `integration_id`
    Spelt,
    Absent,
}

/// The form of error bodies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorBody {
    /// `{"errors":[{"field","message"}]}`, as seen in the field
    Errors,
    /// `[{"message","field","error_id"}]`, as the description has it
    BareArray,
    /// `{"error":"…"}`
    Single,
    Empty,
    Html,
    /// With a trailing comma, as in the docs' own sample
    InvalidJson,
}

/// What a DELETE that worked answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteAnswer {
    /// 200 with the deleted certificate, as the description has it
    Certificate,
    /// 204 without a body, as clients expect
    NoContent,
}

/// What a POST of a certificate that the integration already has does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duplicates {
    /// A second row.
    Accepted,
    /// 400.
    Refused,
}

/// What is unknown about SendGrid, or differs in the field. The default follows the official description.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Behaviour {
    pub ids: IdStyle,
    pub pem: PemStyle,
    pub integration_key: IntegrationKey,
    pub errors: ErrorBody,
    /// The status of a POST that worked; a 204 has no body.
    pub create_status: u16,
    pub delete: DeleteAnswer,
    pub duplicates: Duplicates,
    /// Whether a POST of a certificate that has not begun is a 400.
    pub refuses_not_yet_valid: bool,
    /// How far its clock is ahead: moves `Date` and everything announced by it.
    pub clock_skew_secs: i64,
    /// Ends a connection that was not used for so long after an answer, in the worst moment: when the head of the next
    /// request has come. For new connections.
    pub close_idle_after: Option<Duration>,
}

impl Behaviour {
    /// To the letter of the official description: the default, but for the form of errors.
    pub fn as_described() -> Self {
        Self {
            errors: ErrorBody::BareArray,
            ..Self::default()
        }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            ids: IdStyle::Number,
            pem: PemStyle::AsSent,
            integration_key: IntegrationKey::Misspelt,
            errors: ErrorBody::Errors,
            create_status: 200,
            delete: DeleteAnswer::Certificate,
            duplicates: Duplicates::Accepted,
            refuses_not_yet_valid: false,
            clock_skew_secs: 0,
            close_idle_after: None,
        }
    }
}

/// What is wrong with one list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListTrick {
    /// As it was so long ago.
    Stale(Duration),
    /// Only the first rows.
    Truncated(usize),
    Empty,
    /// The first row a second time, under another id.
    Doubled,
    /// One row more, which holds no certificate.
    UndecodableRow,
    /// One row more, of another integration: the first stored in one, else the first of this one under another's name.
    ForeignRow,
}

/// A complete HTTP answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A JSON body, or none for 204.
    pub fn json(status: u16, body: &Value) -> Self {
        let body = if status == 204 {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body,
        }
    }

    pub fn html(status: u16) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
            body: b"<html><head><title>Twilio SendGrid</title></head><body><h1>We'll be right back</h1></body></html>"
                .to_vec(),
        }
    }

    /// An error in the form that `behaviour` asks for.
    pub fn error(status: u16, field: Option<&str>, message: &str, behaviour: &Behaviour) -> Self {
        let entry = json!({"field": field, "message": message});
        match behaviour.errors {
            ErrorBody::Errors => Self::json(status, &json!({"errors": [entry]})),
            ErrorBody::BareArray => Self::json(
                status,
                &json!([{"message": message, "field": field, "error_id": format!("simulator-{status}")}]),
            ),
            ErrorBody::Single => Self::json(status, &json!({"error": message})),
            ErrorBody::Empty => Self {
                status,
                headers: Vec::new(),
                body: Vec::new(),
            },
            ErrorBody::Html => Self::html(status),
            ErrorBody::InvalidJson => {
                let mut it = Self::json(status, &Value::Null);
                it.body = format!("{{\"errors\":[{entry},]}}").into_bytes();
                it
            }
        }
    }

    /// What `status` says when it comes for no reason of the request's own.
    pub fn of_status(status: u16, behaviour: &Behaviour) -> Self {
        let message = match status {
            400 => "bad request",
            401 => "authorization required",
            403 => "access forbidden",
            404 => "not found",
            406 => "accept header required",
            409 => "conflict",
            429 => "too many requests",
            451 => "unavailable for legal reasons",
            500 => "internal server error",
            502 => "bad gateway",
            503 => "service unavailable",
            504 => "gateway timeout",
            _ => "error",
        };
        Self::error(status, None, message, behaviour)
    }

    /// An integration under the id of another one; anything else as it is.
    #[must_use]
    pub fn of_other_integration(mut self) -> Self {
        if let Ok(Value::Object(mut fields)) = serde_json::from_slice(&self.body)
            && fields.contains_key("entity_id")
        {
            let other = "00000000-0000-4000-8000-000000000000";
            fields.insert("id".to_owned(), other.into());
            self.body = Value::Object(fields).to_string().into_bytes();
        }
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// One certificate as JSON.
pub fn certificate_json(row: &Row, behaviour: &Behaviour) -> Value {
    let pem = match behaviour.pem {
        PemStyle::AsSent => row.pem.clone(),
        PemStyle::Crlf => certificate::write_pem(&row.der).replace('\n', "\r\n"),
        PemStyle::NoFinalNewline => certificate::write_pem(&row.der).trim_end().to_owned(),
        PemStyle::OneLine => certificate::write_one_line(&row.der),
        PemStyle::Unarmoured => certificate::write_bare(&row.der),
    };
    let (not_before, not_after) = row.validity.unwrap_or_default();
    let mut it = Map::new();
    it.insert("public_certificate".to_owned(), pem.into());
    it.insert("id".to_owned(), id_json(row.id, behaviour.ids));
    it.insert("not_before".to_owned(), not_before.into());
    it.insert("not_after".to_owned(), not_after.into());
    let key = match behaviour.integration_key {
        IntegrationKey::Misspelt => Some("intergration_id"),
        IntegrationKey::Spelt => Some("integration_id"),
        IntegrationKey::Absent => None,
    };
    if let Some(key) = key {
        it.insert(key.to_owned(), row.integration.clone().into());
    }
    Value::Object(it)
}

/// One integration as JSON; `completed_integration` only if it was asked for.
pub fn integration_json(integration: &Integration, with_completed: bool) -> Value {
    let acs = format!(
        "https://api.sendgrid.com/v3/public/sso/saml/response/id/{}",
        integration.id
    );
    let mut it = json!({
        "id": integration.id,
        "name": integration.name,
        "enabled": integration.enabled,
        "entity_id": integration.entity_id,
        "signin_url": format!("https://idp.example/{}/signin", integration.id),
        "signout_url": format!("https://idp.example/{}/signout", integration.id),
        "last_updated": 1_621_288_520,
        "single_signon_url": acs,
        "audience_url": acs,
    });
    if with_completed && let Some(fields) = it.as_object_mut() {
        fields.insert("completed_integration".to_owned(), true.into());
    }
    it
}

/// The list of one integration, through a trick if there is one.
pub fn list_json(
    rows: &Rows,
    integration: &str,
    trick: Option<&ListTrick>,
    behaviour: &Behaviour,
) -> Value {
    let now = Instant::now();
    let then = match trick {
        Some(ListTrick::Stale(lag)) => now.checked_sub(*lag).unwrap_or(now),
        _ => now,
    };
    let mut listed = rows.as_of(integration, then);
    match trick {
        Some(ListTrick::Truncated(keep)) => listed.truncate(*keep),
        Some(ListTrick::Empty) => listed.clear(),
        Some(ListTrick::Doubled) => {
            if let Some(mut again) = listed.first().cloned() {
                again.id += 1_000_000;
                listed.push(again);
            }
        }
        Some(ListTrick::ForeignRow) => {
            let elsewhere = rows.all().find(|row| row.integration != integration);
            let foreign = elsewhere.cloned().or_else(|| {
                let mut row = listed.first().cloned()?;
                row.id += 1_000_000;
                "00000000-0000-4000-8000-000000000000".clone_into(&mut row.integration);
                Some(row)
            });
            listed.extend(foreign);
        }
        Some(ListTrick::Stale(_) | ListTrick::UndecodableRow) | None => {}
    }
    let mut items: Vec<Value> = listed
        .iter()
        .map(|row| certificate_json(row, behaviour))
        .collect();
    if trick == Some(&ListTrick::UndecodableRow) {
        items.push(json!({
            "public_certificate": "-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n",
            "id": id_json(65_000_000, behaviour.ids),
            "not_before": 0,
            "not_after": 0,
            "intergration_id": integration,
        }));
    }
    Value::Array(items)
}

fn id_json(id: u64, style: IdStyle) -> Value {
    match style {
        IdStyle::Number => id.into(),
        IdStyle::Digits => id.to_string().into(),
        IdStyle::Slug => slug(id).into(),
        IdStyle::Float => u32::try_from(id).map_or(Value::Null, |it| json!(f64::from(it))),
    }
}

/// The id as twenty letters and digits, always the same for the same id.
pub fn slug(id: u64) -> String {
    let mut dice = fastrand::Rng::with_seed(id);
    std::iter::repeat_with(|| dice.alphanumeric())
        .take(20)
        .collect()
}

/// `Tue, 24 Nov 2026 09:14:02 GMT` (RFC 9110, 5.6.7).
pub fn http_date(unix_secs: i64) -> String {
    DateTime::from_timestamp_secs(unix_secs)
        .unwrap_or_default()
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}
