//! The record: every request, and everything done by hand, in the order it was decided.

use std::fmt;
use std::time::Duration;

use sso_certd::domain::Fingerprint;
use tokio::time::Instant;

use super::endpoints::Operation;

/// One request, and what became of it. It never holds an API key.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub at: Instant,
    pub operation: Operation,
    pub method: String,
    /// Path and query, with any API key in them struck out.
    pub target: String,
    /// Names of all headers, in lower case.
    pub headers: Vec<String>,
    /// Whether there was an `Authorization` header.
    pub authorization: bool,
    /// The account whose key it was.
    pub account: Option<String>,
    /// The slot of that key: `default/1`. Two daemons with a key each are two clients.
    pub client: Option<String>,
    /// The integration in the path or the body, or that of the row in the path.
    pub integration: Option<String>,
    /// The certificate in the body, else that of the row in the path.
    pub fingerprint: Option<Fingerprint>,
    /// Whether the connection was ended before the body came, so that nothing of it is known.
    pub without_body: bool,
    /// `enabled` as it was sent.
    pub enabled: Option<bool>,
    /// Names of the fields that were sent.
    pub fields: Vec<String>,
    /// None if no complete head was sent.
    pub status: Option<u16>,
    /// When what was asked for took effect.
    pub committed: Option<Instant>,
    /// The row that a POST made, or the one in the path.
    pub row: Option<u64>,
    /// A row of the same client with the same certificate that a committed POST found.
    pub duplicate_of: Option<u64>,
    /// Rows that allow a login, before and after a committed PATCH or DELETE.
    pub cover: Option<(usize, usize)>,
    /// The fault that struck, in words.
    pub fault: Option<String>,
    /// After an honest 429: until when its answer asks the account to wait.
    pub wait_until: Option<Instant>,
    /// Where an API key was that has no business there.
    pub leaks: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// One entry of the record.
#[derive(Clone, Debug)]
pub enum Event {
    Request(Box<Exchange>),
    /// A connection that ended before TLS stood, and so before any request.
    NoHandshake {
        at: Instant,
        why: String,
    },
    ByHand {
        at: Instant,
        what: String,
    },
}

/// Everything that happened, in order. A request happens once it has come whole, body and all, or was cut at its head.
#[derive(Clone, Debug)]
pub struct History {
    pub started: Instant,
    pub events: Vec<Event>,
}

impl History {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            events: Vec::new(),
        }
    }

    /// Every request.
    pub fn requests(&self) -> impl Iterator<Item = &Exchange> {
        self.events.iter().filter_map(|it| match it {
            Event::Request(exchange) => Some(&**exchange),
            Event::NoHandshake { .. } | Event::ByHand { .. } => None,
        })
    }

    /// The requests of one operation.
    pub fn of(&self, operation: Operation) -> impl Iterator<Item = &Exchange> {
        self.requests().filter(move |it| it.operation == operation)
    }

    /// How many requests of one operation there were.
    pub fn count(&self, operation: Operation) -> usize {
        self.of(operation).count()
    }

    /// The POSTs of one certificate, stored or not.
    pub fn posts_of(&self, fingerprint: Fingerprint) -> impl Iterator<Item = &Exchange> {
        self.of(Operation::Create)
            .filter(move |it| it.fingerprint == Some(fingerprint))
    }

    /// Every POST, PATCH and DELETE.
    pub fn writes(&self) -> impl Iterator<Item = &Exchange> {
        self.requests().filter(|it| it.operation.is_write())
    }

    /// The requests about one integration.
    pub fn about<'a>(&'a self, integration: &'a str) -> impl Iterator<Item = &'a Exchange> {
        self.requests()
            .filter(move |it| it.integration.as_deref() == Some(integration))
    }

    /// How many connections ended before TLS stood.
    pub fn failed_handshakes(&self) -> usize {
        let failed = |it: &&Event| matches!(it, Event::NoHandshake { .. });
        self.events.iter().filter(failed).count()
    }

    /// The requests answered with this status.
    pub fn answered(&self, status: u16) -> impl Iterator<Item = &Exchange> {
        self.requests().filter(move |it| it.status == Some(status))
    }

    /// One event as a line, with the time since the start.
    pub fn line(&self, event: &Event) -> String {
        let (at, what) = match event {
            Event::Request(exchange) => (exchange.at, exchange.to_string()),
            Event::NoHandshake { at, why } => (*at, format!("no TLS: {why}")),
            Event::ByHand { at, what } => (*at, format!("by hand: {what}")),
        };
        format!("{}  {what}", clock(at.duration_since(self.started)))
    }
}

/// One line an event.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            writeln!(f, "{}", self.line(event))?;
        }
        Ok(())
    }
}

/// `POST   /v3/sso/certificates 3f9a1c0e77d4b2a8 enabled: 200, row 66138975`
impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:6} {}", self.method, self.target)?;
        if let Some(fingerprint) = self.fingerprint {
            write!(f, " {}", fingerprint.short())?;
        }
        match self.enabled {
            Some(true) => f.write_str(" enabled")?,
            Some(false) => f.write_str(" disabled")?,
            None => {}
        }
        match self.status {
            Some(status) => write!(f, ": {status}")?,
            None => f.write_str(": no answer")?,
        }
        if self.operation.is_write() {
            match (self.committed, self.row) {
                (Some(_), Some(row)) => write!(f, ", row {row}")?,
                (Some(_), None) => f.write_str(", done")?,
                (None, _) => f.write_str(", nothing changed")?,
            }
        }
        for note in self.fault.iter().chain(&self.notes).chain(&self.leaks) {
            write!(f, " ({note})")?;
        }
        Ok(())
    }
}

/// `01:07.3`
fn clock(since: Duration) -> String {
    let secs = since.as_secs();
    format!(
        "{:02}:{:02}.{}",
        secs / 60,
        secs % 60,
        since.subsec_millis() / 100
    )
}
