//! Who may ask: accounts, their keys and their integrations.

use hyper::HeaderMap;

/// All scopes of the certificates API.
pub const SCOPES: [&str; 4] = [
    "sso.settings.read",
    "sso.settings.create",
    "sso.settings.update",
    "sso.settings.delete",
];

/// One SSO integration, as an administrator set it up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Integration {
    /// A UUID.
    pub id: String,
    pub name: String,
    pub entity_id: String,
    pub enabled: bool,
}

impl Integration {
    pub fn new(name: &str, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            entity_id: format!("https://idp.example/{name}"),
            enabled: true,
        }
    }
}

/// An API key and what it may do. There is no `Debug`: it may be somebody's real one.
pub struct ApiKey {
    pub(super) secret: String,
    pub(super) scopes: Vec<String>,
}

/// One SendGrid account: its keys, its integrations, its rate budget.
pub struct Account {
    pub(super) name: String,
    pub(super) keys: Vec<ApiKey>,
    pub(super) integrations: Vec<Integration>,
}

impl Account {
    /// An account without keys or integrations; its name is only known here.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            keys: Vec::new(),
            integrations: Vec::new(),
        }
    }

    /// With one more key, in the next slot: `NAME/1`, `NAME/2`.
    #[must_use]
    pub fn key(mut self, secret: &str, scopes: &[&str]) -> Self {
        self.keys.push(ApiKey {
            secret: secret.to_owned(),
            scopes: scopes.iter().map(|&it| it.to_owned()).collect(),
        });
        self
    }

    #[must_use]
    pub fn integration(mut self, integration: Integration) -> Self {
        self.integrations.push(integration);
        self
    }

    /// Whether the integration with this id is the account's.
    pub fn has(&self, integration: &str) -> bool {
        self.integrations.iter().any(|it| it.id == integration)
    }

    /// The name of the key at this index, as clients are called: `NAME/1`.
    pub fn client(&self, key: usize) -> String {
        format!("{}/{}", self.name, key + 1)
    }
}

/// Which account and which of its keys the bearer token of a request is, as indexes.
pub fn find_key(accounts: &[Account], headers: &HeaderMap) -> Option<(usize, usize)> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let token = header.strip_prefix("Bearer ")?;
    accounts.iter().enumerate().find_map(|(index, account)| {
        let key = account.keys.iter().position(|key| key.secret == token)?;
        Some((index, key))
    })
}
