//! One account's calls: each is one request, and none is repeated here.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Method, Response};
use tokio::time::Instant;

use super::ClientSettings;
use super::error::{CallError, Code, Doing, Failure, Lost};
use super::key::ApiKey;
use super::transport::{ClientError, http_client};
use super::wire::{self, ReadListed, RemoteIntegration};
use crate::domain::{CertificateId, IntegrationId, Row};
use crate::plan::gate::{Outcome, RateHeaders, Report};

/// Longest answer that is read, in bytes: 200 certificates of 4 KiB fit.
const LONGEST_BODY: usize = 1024 * 1024;
/// Longest body of an error that is read, in bytes.
const LONGEST_ERROR: usize = 64 * 1024;
/// Longest header value that is kept, in bytes.
const LONGEST_HEADER: usize = 128;
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// SendGrid, as one account sees it.
///
/// The key goes to `base_url` and nowhere else: no redirect is followed, and proxies and roots come from the settings
/// alone. A TLS provider must be installed in the process before one is made.
#[derive(Debug)]
pub struct SendGrid {
    http: reqwest::Client,
    base_url: String,
    key: RwLock<ApiKey>,
    read_listed: ReadListed,
}

/// What a call gave, and what there is to know about it whatever it gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer<T> {
    /// What was asked for, or why it is not there.
    pub result: Result<T, CallError>,
    /// For the gate and the metrics.
    pub observed: Observed,
}

/// One request as metrics and gate see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observed {
    /// For [`crate::plan::gate::Gate::record`]; the label `operation` is in it.
    pub report: Report,
    /// The label `code`.
    pub code: Code,
    /// From the first byte to the last.
    pub duration: Duration,
}

/// A write that was answered with a 2xx. Only a list tells what is there now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The certificate in the answer; none if the answer had no body.
    pub row: Option<Row>,
}

/// What a certificate's id leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadAnswer {
    /// This row.
    There(Row),
    /// Nothing: a 404.
    NotThere,
}

/// Whether an integration is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntegrationAnswer {
    /// A 2xx that names it.
    There,
    /// A 404.
    NotThere,
}

impl SendGrid {
    /// A client for one account. Reads the CA file and the proxy's credentials; connects to nothing.
    ///
    /// # Errors
    /// Settings that cannot work, each by the name of its configuration key.
    pub fn new(
        settings: &ClientSettings,
        key: ApiKey,
        read_listed: ReadListed,
    ) -> Result<Self, ClientError> {
        let (http, base_url) = http_client(settings)?;
        Ok(Self {
            http,
            base_url,
            key: RwLock::new(key),
            read_listed,
        })
    }

    /// Uses another key from the next request on.
    pub fn set_key(&self, key: ApiKey) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    /// The certificates of an integration.
    /// <https://www.twilio.com/docs/sendgrid/api-reference/single-sign-on-certificates/get-all-sso-certificates-by-integration>
    pub async fn list(&self, integration: IntegrationId) -> Answer<Vec<Row>> {
        let path = format!("/v3/sso/integrations/{integration}/certificates");
        self.call(Doing::List(integration), Method::GET, &path, None, |body| {
            wire::rows(body, integration, self.read_listed)
        })
        .await
    }

    /// Uploads a certificate, enabled. `pem` is one certificate: LF, 64 columns, one newline at the end.
    /// <https://www.twilio.com/docs/sendgrid/api-reference/single-sign-on-certificates/create-an-sso-certificate>
    pub async fn create(&self, integration: IntegrationId, pem: &str) -> Answer<Written> {
        let body = wire::create_body(integration, pem);
        self.call(
            Doing::Create(integration),
            Method::POST,
            "/v3/sso/certificates",
            Some(body),
            |body| self.written(body, integration),
        )
        .await
    }

    /// One certificate of an integration by its id.
    pub async fn read(&self, integration: IntegrationId, id: &CertificateId) -> Answer<ReadAnswer> {
        let path = format!("/v3/sso/certificates/{id}");
        let doing = Doing::Read(integration, id.clone());
        let mut answer = self
            .call(doing, Method::GET, &path, None, |body| {
                wire::one_row(body, integration, self.read_listed).map(ReadAnswer::There)
            })
            .await;
        if let Err(CallError {
            failure: Failure::NotFound,
            ..
        }) = answer.result
        {
            answer.result = Ok(ReadAnswer::NotThere);
        }
        answer
    }

    /// Whether an integration is there. An answer that names another one is no answer.
    /// <https://www.twilio.com/docs/sendgrid/api-reference/single-sign-on-settings/get-an-sso-integration>
    pub async fn read_integration(&self, integration: IntegrationId) -> Answer<IntegrationAnswer> {
        let path = format!("/v3/sso/integrations/{integration}");
        let doing = Doing::ReadIntegration(integration);
        let mut answer = self
            .call(doing, Method::GET, &path, None, |body| {
                let found = wire::integration(body)?;
                (found == integration).then_some(IntegrationAnswer::There)
            })
            .await;
        if let Err(CallError {
            failure: Failure::NotFound,
            ..
        }) = answer.result
        {
            answer.result = Ok(IntegrationAnswer::NotThere);
        }
        answer
    }

    /// Enables or disables a certificate, and changes nothing else of it.
    pub async fn update_enabled(
        &self,
        integration: IntegrationId,
        id: &CertificateId,
        enabled: bool,
    ) -> Answer<Written> {
        let path = format!("/v3/sso/certificates/{id}");
        let doing = Doing::Update(integration, id.clone());
        let body = wire::update_body(enabled);
        self.call(doing, Method::PATCH, &path, Some(body), |body| {
            self.written(body, integration)
        })
        .await
    }

    /// Deletes a certificate.
    pub async fn delete(&self, integration: IntegrationId, id: &CertificateId) -> Answer<Written> {
        let path = format!("/v3/sso/certificates/{id}");
        let doing = Doing::Delete(integration, id.clone());
        self.call(doing, Method::DELETE, &path, None, |body| {
            self.written(body, integration)
        })
        .await
    }

    /// The account's integrations.
    /// <https://www.twilio.com/docs/sendgrid/api-reference/single-sign-on-settings/get-all-sso-integrations>
    pub async fn integrations(&self) -> Answer<Vec<RemoteIntegration>> {
        let path = "/v3/sso/integrations?si=true";
        self.call(
            Doing::Integrations,
            Method::GET,
            path,
            None,
            wire::integrations,
        )
        .await
    }

    /// What the key may do.
    /// <https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions/retrieve-a-list-of-scopes-for-which-this-user-has-access>
    pub async fn scopes(&self) -> Answer<Vec<String>> {
        self.call(Doing::Scopes, Method::GET, "/v3/scopes", None, wire::scopes)
            .await
    }

    fn written(&self, body: &[u8], integration: IntegrationId) -> Option<Written> {
        if body.is_empty() {
            return Some(Written { row: None });
        }
        let row = wire::one_row(body, integration, self.read_listed)?;
        Some(Written { row: Some(row) })
    }

    async fn call<T>(
        &self,
        doing: Doing,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        decode: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Answer<T> {
        let started = Instant::now();
        let exchange = self.exchange(method, path, body).await;
        let duration = started.elapsed();
        let (result, headers) = match exchange {
            Exchange::Failed(failure, headers) => (Err(failure), headers),
            Exchange::Answered {
                status,
                body,
                headers,
            } => (
                decode(&body)
                    .map(|it| (it, status))
                    .ok_or(Failure::Lost(Lost::Undecodable)),
                headers,
            ),
        };
        let (outcome, code) = match &result {
            Ok((_, status)) => (Outcome::Done, Code::Status(*status)),
            Err(failure) => (failure.outcome(), failure.code()),
        };
        let request = doing.request();
        Answer {
            result: result
                .map(|(value, _)| value)
                .map_err(|failure| CallError { doing, failure }),
            observed: Observed {
                report: Report {
                    request,
                    outcome,
                    headers,
                },
                code,
                duration,
            },
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Exchange {
        let key = self
            .key
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base_url))
            .header(AUTHORIZATION, key.authorization());
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                return Exchange::Failed(Failure::of_transport(&error), RateHeaders::default());
            }
        };
        let headers = rate_headers(response.headers());
        let status = response.status();
        if status.is_success() {
            match read_body(&mut response, LONGEST_BODY).await {
                Ok(body) => Exchange::Answered {
                    status: status.as_u16(),
                    body,
                    headers,
                },
                Err(failure) => Exchange::Failed(failure, headers),
            }
        } else {
            // The status says it; a body that cannot be read only takes the message away.
            let body = read_body(&mut response, LONGEST_ERROR).await;
            let message = body.ok().and_then(|it| wire::message(&it, key.text()));
            Exchange::Failed(Failure::of_status(status.as_u16(), message), headers)
        }
    }
}

/// What came over the wire.
enum Exchange {
    /// A whole 2xx.
    Answered {
        status: u16,
        body: Vec<u8>,
        headers: RateHeaders,
    },
    /// Anything else; the headers are empty if none came.
    Failed(Failure, RateHeaders),
}

async fn read_body(response: &mut Response, longest: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|it| Failure::of_transport(&it))?
    {
        if body.len() + chunk.len() > longest {
            return Err(Failure::Lost(Lost::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn rate_headers(headers: &HeaderMap) -> RateHeaders {
    let text = |name: HeaderName| {
        let value = headers.get(name)?.to_str().ok()?;
        (value.len() <= LONGEST_HEADER).then(|| value.to_owned())
    };
    RateHeaders {
        limit: text(LIMIT),
        remaining: text(REMAINING),
        reset: text(RESET),
        retry_after: text(RETRY_AFTER),
        date: text(DATE),
    }
}

#[cfg(test)]
mod tests;
