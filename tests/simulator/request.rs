//! A request: as it came, and as it is understood.

use hyper::HeaderMap;

use super::endpoints::{Body, Refusal, Target};

/// A request as it came.
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// A request as it is understood.
pub struct Asked {
    pub target: Target,
    pub body: Body,
    /// Names of the fields in the body.
    pub fields: Vec<String>,
    /// What is wrong with the body.
    pub refusal: Option<Refusal>,
}

impl Asked {
    pub fn parse(request: &Request) -> Self {
        let target = request.target.as_str();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let target = Target::parse(&request.method, path, query);
        let (body, fields, refusal) = if target.operation.sends_body() {
            Body::parse(&request.body)
        } else {
            (Body::default(), Vec::new(), None)
        };
        Self {
            target,
            body,
            fields,
            refusal,
        }
    }
}

impl Request {
    /// Whether the body is called JSON.
    pub fn is_json(&self) -> bool {
        let value = self
            .headers
            .get("content-type")
            .and_then(|it| it.to_str().ok());
        value.is_some_and(|it| it.split(';').next().map(str::trim) == Some("application/json"))
    }

    /// The target with every secret in it struck out.
    pub fn target_without(&self, secrets: &[String]) -> String {
        secrets.iter().fold(self.target.clone(), |text, secret| {
            text.replace(secret.as_str(), "[API key]")
        })
    }

    /// Where a secret is that belongs into `Authorization` alone, as ends of sentences.
    pub fn leaks(&self, secrets: &[String]) -> Vec<String> {
        let has_secret = |bytes: &[u8]| {
            secrets
                .iter()
                .any(|it| bytes.windows(it.len().max(1)).any(|at| at == it.as_bytes()))
        };
        let mut leaks: Vec<String> = self
            .headers
            .iter()
            .filter(|(name, value)| *name != "authorization" && has_secret(value.as_bytes()))
            .map(|(name, _)| format!("has an API key in the header {name}"))
            .collect();
        if has_secret(self.target.as_bytes()) {
            leaks.push("has an API key in the URL".to_owned());
        }
        if has_secret(&self.body) {
            leaks.push("has an API key in the body".to_owned());
        }
        leaks
    }
}
