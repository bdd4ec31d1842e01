//! What SendGrid would do: targets, scopes, strict bodies, and the change each request asks for.

use std::fmt;

use serde_json::{Map, Value};
use sso_certd::domain::Fingerprint;

use super::accounts::Account;
use super::answer::{
    Answer, Behaviour, DeleteAnswer, Duplicates, ListTrick, certificate_json, integration_json,
    list_json, slug,
};
use super::certificate;
use super::rows::{Author, Change, Row, Rows};

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    List,
    Create,
    Read,
    Update,
    Delete,
    Integrations,
    /// One integration by its id.
    Integration,
    Scopes,
    /// Something that is no part of this API.
    Unknown,
}

impl Operation {
    pub const ALL: [Self; 9] = [
        Self::List,
        Self::Create,
        Self::Read,
        Self::Update,
        Self::Delete,
        Self::Integrations,
        Self::Integration,
        Self::Scopes,
        Self::Unknown,
    ];

    pub fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }

    pub fn sends_body(self) -> bool {
        matches!(self, Self::Create | Self::Update)
    }

    /// The scope a key needs for it.
    pub fn scope(self) -> Option<&'static str> {
        match self {
            Self::List | Self::Read | Self::Integrations | Self::Integration => {
                Some("sso.settings.read")
            }
            Self::Create => Some("sso.settings.create"),
            Self::Update => Some("sso.settings.update"),
            Self::Delete => Some("sso.settings.delete"),
            Self::Scopes | Self::Unknown => None,
        }
    }
}

/// `list`, `create`, …
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Integrations => "integrations",
            Self::Integration => "integration",
            Self::Scopes => "scopes",
            Self::Unknown => "unknown",
        })
    }
}

/// A method and a path, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    pub operation: Operation,
    /// The integration or certificate in the path.
    pub id: Option<String>,
    /// `?si=true`
    pub with_completed: bool,
}

impl Target {
    pub fn parse(method: &str, path: &str, query: &str) -> Self {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let (operation, id) = match (method, segments.as_slice()) {
            ("GET", ["v3", "scopes"]) => (Operation::Scopes, None),
            ("GET", ["v3", "sso", "integrations"]) => (Operation::Integrations, None),
            ("GET", ["v3", "sso", "integrations", id]) => (Operation::Integration, Some(*id)),
            ("GET", ["v3", "sso", "integrations", id, "certificates"]) => {
                (Operation::List, Some(*id))
            }
            ("POST", ["v3", "sso", "certificates"]) => (Operation::Create, None),
            ("GET", ["v3", "sso", "certificates", id]) => (Operation::Read, Some(*id)),
            ("PATCH", ["v3", "sso", "certificates", id]) => (Operation::Update, Some(*id)),
            ("DELETE", ["v3", "sso", "certificates", id]) => (Operation::Delete, Some(*id)),
            _ => (Operation::Unknown, None),
        };
        Self {
            operation,
            id: id.map(str::to_owned),
            with_completed: query.split('&').any(|it| it == "si=true"),
        }
    }
}

/// The body of a POST or PATCH, read strictly.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Body {
    pub pem: Option<String>,
    pub der: Option<Vec<u8>>,
    pub integration: Option<String>,
    pub enabled: Option<bool>,
}

/// A 400: the field, if it is about one, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub field: Option<String>,
    pub message: String,
}

impl Body {
    /// Reads all that can be read, for the record, and says what is wrong with the first bad field.
    pub fn parse(raw: &[u8]) -> (Self, Vec<String>, Option<Refusal>) {
        let mut body = Self::default();
        let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(raw) else {
            let refusal = Refusal {
                field: None,
                message: "the JSON in the request is invalid".to_owned(),
            };
            return (body, Vec::new(), Some(refusal));
        };
        let names = fields.keys().cloned().collect();
        let problems: Vec<Refusal> = fields
            .into_iter()
            .filter_map(|(name, value)| {
                let message = body.take(&name, value).err()?;
                Some(Refusal {
                    field: Some(name),
                    message,
                })
            })
            .collect();
        (body, names, problems.into_iter().next())
    }

    fn take(&mut self, name: &str, value: Value) -> Result<(), String> {
        match (name, value) {
            ("public_certificate", Value::String(pem)) => {
                self.der = Some(certificate::read_pem(&pem)?);
                self.pem = Some(pem);
            }
            ("integration_id", Value::String(id)) => self.integration = Some(id),
            ("enabled", Value::Bool(enabled)) => self.enabled = Some(enabled),
            ("public_certificate" | "integration_id", _) => {
                return Err(format!("{name} must be a string"));
            }
            ("enabled", _) => return Err("enabled must be a boolean".to_owned()),
            _ => return Err(format!("unknown parameter {name}")),
        }
        Ok(())
    }

    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.der.as_deref().map(Fingerprint::of)
    }
}

/// What SendGrid knows when a request that may be asked is decided.
pub struct Scene<'a> {
    pub account: &'a Account,
    pub client: &'a str,
    pub scopes: &'a [String],
    pub rows: &'a mut Rows,
    pub behaviour: &'a Behaviour,
    pub trick: Option<&'a ListTrick>,
    pub unix_secs: i64,
}

/// The answer to a request, and the change it asks for.
pub type Decision = (Answer, Option<Change>);

/// Decides one request of a key that may make it.
pub fn decide(
    scene: &mut Scene<'_>,
    target: &Target,
    body: Body,
    refusal: Option<Refusal>,
) -> Decision {
    if let Some(refusal) = refusal {
        return refused(scene, 400, refusal.field.as_deref(), &refusal.message);
    }
    match target.operation {
        Operation::Scopes => {
            let mut fields = Map::new();
            fields.insert("scopes".to_owned(), scene.scopes.into());
            (Answer::json(200, &Value::Object(fields)), None)
        }
        Operation::Integrations => {
            let all = scene.account.integrations.iter();
            let all = all.map(|it| integration_json(it, target.with_completed));
            (Answer::json(200, &all.collect()), None)
        }
        Operation::Integration => integration(scene, target),
        Operation::List => list(scene, target),
        Operation::Create => create(scene, body),
        Operation::Read | Operation::Update | Operation::Delete => {
            let row = target.id.as_deref().and_then(|id| find(scene.rows, id));
            match row
                .filter(|row| scene.account.has(&row.integration))
                .cloned()
            {
                None => refused(scene, 404, None, "certificate not found"),
                Some(row) if target.operation == Operation::Update => update(scene, row, body),
                Some(row) if target.operation == Operation::Delete => delete(scene, &row),
                Some(row) => (
                    Answer::json(200, &certificate_json(&row, scene.behaviour)),
                    None,
                ),
            }
        }
        Operation::Unknown => refused(scene, 404, None, "not found"),
    }
}

/// The row that an id in a path means, in whatever style that id was given out.
pub fn find<'a>(rows: &'a Rows, id: &str) -> Option<&'a Row> {
    match id.parse() {
        Ok(number) => rows.get(number),
        Err(_) => rows.all().find(|row| slug(row.id) == id),
    }
}

fn integration(scene: &Scene<'_>, target: &Target) -> Decision {
    let id = target.id.as_deref().unwrap_or_default();
    let mut all = scene.account.integrations.iter();
    match all.find(|it| it.id == id) {
        Some(found) => {
            let json = integration_json(found, target.with_completed);
            (Answer::json(200, &json), None)
        }
        None => refused(scene, 404, None, "integration not found"),
    }
}

fn list(scene: &Scene<'_>, target: &Target) -> Decision {
    let id = target.id.as_deref().unwrap_or_default();
    if !scene.account.has(id) {
        return refused(scene, 404, None, "integration not found");
    }
    let list = list_json(scene.rows, id, scene.trick, scene.behaviour);
    (Answer::json(200, &list), None)
}

fn create(scene: &mut Scene<'_>, body: Body) -> Decision {
    let (Some(pem), Some(der)) = (body.pem, body.der) else {
        let field = "public_certificate";
        return refused(scene, 400, Some(field), "public_certificate is required");
    };
    let Some(integration) = body.integration else {
        let field = "integration_id";
        return refused(scene, 400, Some(field), "integration_id is required");
    };
    if !scene.account.has(&integration) {
        return refused(scene, 404, Some("integration_id"), "integration not found");
    }
    let author = Author::Client(scene.client.to_owned());
    let mut row = Row::new(0, &integration, der, pem, author);
    row.enabled = body.enabled.unwrap_or(false);
    if let Some(message) = objection(scene, &row) {
        return refused(scene, 400, Some("public_certificate"), message);
    }
    row.id = scene.rows.take_id();
    let status = scene.behaviour.create_status;
    let answer = Answer::json(status, &certificate_json(&row, scene.behaviour));
    (answer, Some(Change::Insert(Box::new(row))))
}

fn objection(scene: &Scene<'_>, row: &Row) -> Option<&'static str> {
    let ahead = row
        .validity
        .is_some_and(|(first, _)| first > scene.unix_secs);
    let known = scene
        .rows
        .all()
        .any(|it| it.integration == row.integration && it.fingerprint == row.fingerprint);
    if ahead && scene.behaviour.refuses_not_yet_valid {
        Some("public_certificate is not yet valid")
    } else if known && scene.behaviour.duplicates == Duplicates::Refused {
        Some("public_certificate already exists")
    } else {
        None
    }
}

fn update(scene: &Scene<'_>, mut row: Row, body: Body) -> Decision {
    if let Some(integration) = body.integration {
        if !scene.account.has(&integration) {
            return refused(scene, 404, Some("integration_id"), "integration not found");
        }
        row.integration = integration;
    }
    if let (Some(pem), Some(der)) = (body.pem, body.der) {
        row.carry(der, pem);
    }
    row.enabled = body.enabled.unwrap_or(row.enabled);
    let answer = Answer::json(200, &certificate_json(&row, scene.behaviour));
    (answer, Some(Change::Replace(Box::new(row))))
}

fn delete(scene: &Scene<'_>, row: &Row) -> Decision {
    let status = match scene.behaviour.delete {
        DeleteAnswer::Certificate => 200,
        DeleteAnswer::NoContent => 204,
    };
    let answer = Answer::json(status, &certificate_json(row, scene.behaviour));
    (answer, Some(Change::Remove(row.id)))
}

fn refused(scene: &Scene<'_>, status: u16, field: Option<&str>, message: &str) -> Decision {
    (Answer::error(status, field, message, scene.behaviour), None)
}
