//! The verdict: which rules a client broke, in words.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::endpoints::Operation;
use super::history::{Exchange, History};

/// How far two readings of one clock, in two tasks, may differ before a request counts as too early.
const TOLERANCE: Duration = Duration::from_millis(10);

impl History {
    /// Every broken rule, as a sentence. No rule has an exception for faults:
    ///
    /// 1. One client never makes a second row of a certificate while its first is there.
    /// 2. Every POST and PATCH says `enabled`.
    /// 3. No PATCH or DELETE takes away an integration's last certificate that allows a login.
    /// 4. After a 429 of the rate limit, no request of the account before the time it announced.
    /// 5. No PATCH touches `public_certificate` or `integration_id`.
    /// 6. The API key is in the `Authorization` header and nowhere else.
    pub fn check(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut wait_until: HashMap<&str, Instant> = HashMap::new();
        for (index, exchange) in self.requests().enumerate() {
            let name = format!(
                "request {} ({} {})",
                index + 1,
                exchange.method,
                exchange.target
            );
            broken.extend(
                faults_of(exchange)
                    .into_iter()
                    .map(|it| format!("{name} {it}")),
            );
            if let Some(account) = exchange.account.as_deref() {
                if let Some(until) = wait_until.get(account)
                    && exchange.at + TOLERANCE < *until
                {
                    let early = until.duration_since(exchange.at).as_millis();
                    broken.push(format!(
                        "{name} came {early} ms before the end of the wait that a 429 asked of account {account}"
                    ));
                }
                if let Some(until) = exchange.wait_until {
                    wait_until.insert(account, until);
                }
            }
        }
        broken
    }
}

/// What is wrong with one exchange by itself.
fn faults_of(exchange: &Exchange) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(first) = exchange.duplicate_of {
        broken.push(format!(
            "made a second row of a certificate beside the client's own row {first}"
        ));
    }
    if exchange.operation.sends_body() && !exchange.without_body && exchange.enabled.is_none() {
        broken.push("does not say `enabled`".to_owned());
    }
    if let Some((before, 0)) = exchange.cover
        && before > 0
    {
        broken.push(
            "took away the last certificate of its integration that allows a login".to_owned(),
        );
    }
    if exchange.operation == Operation::Update {
        for field in ["public_certificate", "integration_id", "intergration_id"] {
            if exchange.fields.iter().any(|it| it == field) {
                broken.push(format!("touches `{field}`"));
            }
        }
    }
    broken.extend(exchange.leaks.iter().cloned());
    broken
}
