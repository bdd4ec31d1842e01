//! The calls that an account's link makes, each with its ticket.

use std::time::Duration;

use crate::adapter::sendgrid::{
    Answer, CallError, Doing, Failure, ReadAnswer, RemoteIntegration, Unsent, Written,
};
use crate::daemon::link::{Link, Ticket};
use crate::domain::{CertificateId, IntegrationId, Row};

impl Link {
    /// Asks for the list of an integration's certificates.
    ///
    /// # Errors
    /// As the client says.
    pub async fn list(
        &mut self,
        ticket: Ticket,
        integration: IntegrationId,
    ) -> Result<Vec<Row>, CallError> {
        self.expect(&ticket);
        let answer = match self.client() {
            Some(client) => client.list(integration).await,
            None => return Err(no_client(Doing::List(integration))),
        };
        self.learn(answer).await
    }

    /// Uploads one certificate, enabled.
    ///
    /// # Errors
    /// As the client says; an unknown outcome is one of them.
    pub async fn create(
        &mut self,
        ticket: Ticket,
        integration: IntegrationId,
        pem: &str,
    ) -> WriteAnswer {
        self.expect(&ticket);
        let Some(client) = self.client() else {
            let error = no_client(Doing::Create(integration));
            return WriteAnswer {
                result: Err(error),
                took: Duration::ZERO,
            };
        };
        let answer = client.create(integration, pem).await;
        self.learn_write(answer).await
    }

    /// Enables or disables one certificate.
    pub async fn set_enabled(
        &mut self,
        ticket: Ticket,
        integration: IntegrationId,
        id: &CertificateId,
        enabled: bool,
    ) -> WriteAnswer {
        self.expect(&ticket);
        let Some(client) = self.client() else {
            let error = no_client(Doing::Update(integration, id.clone()));
            return WriteAnswer {
                result: Err(error),
                took: Duration::ZERO,
            };
        };
        let answer = client.update_enabled(integration, id, enabled).await;
        self.learn_write(answer).await
    }

    /// Deletes one certificate.
    pub async fn delete(
        &mut self,
        ticket: Ticket,
        integration: IntegrationId,
        id: &CertificateId,
    ) -> WriteAnswer {
        self.expect(&ticket);
        let Some(client) = self.client() else {
            let error = no_client(Doing::Delete(integration, id.clone()));
            return WriteAnswer {
                result: Err(error),
                took: Duration::ZERO,
            };
        };
        let answer = client.delete(integration, id).await;
        self.learn_write(answer).await
    }

    async fn learn_write(&mut self, answer: Answer<Written>) -> WriteAnswer {
        let took = answer.observed.duration;
        WriteAnswer {
            result: self.learn(answer).await,
            took,
        }
    }

    /// Reads one certificate by its id.
    ///
    /// # Errors
    /// As the client says.
    pub async fn read(
        &mut self,
        ticket: Ticket,
        integration: IntegrationId,
        id: &CertificateId,
    ) -> Result<ReadAnswer, CallError> {
        self.expect(&ticket);
        let answer = match self.client() {
            Some(client) => client.read(integration, id).await,
            None => return Err(no_client(Doing::Read(integration, id.clone()))),
        };
        self.learn(answer).await
    }

    /// Asks which integrations the account has.
    ///
    /// # Errors
    /// As the client says.
    pub async fn integrations(
        &mut self,
        ticket: Ticket,
    ) -> Result<Vec<RemoteIntegration>, CallError> {
        self.expect(&ticket);
        let answer = match self.client() {
            Some(client) => client.integrations().await,
            None => return Err(no_client(Doing::Integrations)),
        };
        self.learn(answer).await
    }

    /// Asks what the key may do.
    ///
    /// # Errors
    /// As the client says.
    pub async fn scopes(&mut self, ticket: Ticket) -> Result<Vec<String>, CallError> {
        self.expect(&ticket);
        let answer = match self.client() {
            Some(client) => client.scopes().await,
            None => return Err(no_client(Doing::Scopes)),
        };
        self.learn(answer).await
    }
}

/// What a write came to, and how long the answer took.
pub struct WriteAnswer {
    /// The answer.
    pub result: Result<Written, CallError>,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

/// A ticket is only given where there is a client; this is what its loss in between would be.
fn no_client(doing: Doing) -> CallError {
    CallError {
        doing,
        failure: Failure::Unsent(Unsent::Connect(None)),
    }
}
