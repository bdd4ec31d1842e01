//! Everything behind the sockets: accounts, rows, switches, record; and the order in which a request is judged.

use std::time::Duration;

use tokio::time::Instant;

use super::accounts::{Account, ApiKey, Integration, SCOPES, find_key};
use super::answer::{Answer, Behaviour, http_date};
use super::certificate;
use super::endpoints::{self, Operation, Scene};
use super::fault::{Commit, Fault, Reply, Rule, Script};
use super::history::{Event, Exchange, History};
use super::limiter::{self, Limiter, RateLimit};
use super::request::{Asked, Request};
use super::rows::{Author, Change, Row, Rows};
use super::tls::Identity;

/// What a simulator starts with.
#[derive(Default)]
pub struct Options {
    /// 0: one that is free.
    pub port: u16,
    pub accounts: Vec<Account>,
    pub behaviour: Behaviour,
    pub rate_limit: Option<RateLimit>,
    /// None: plain HTTP.
    pub tls: Option<Identity>,
    pub rules: Vec<Rule>,
    /// For the dice of [`Rule::chance`]; the same seed and the same order of requests give the same faults.
    pub seed: u64,
}

impl Options {
    /// One account `default` with one key of all scopes and these integrations, each a name and an id.
    pub fn one_account(secret: &str, integrations: &[(&str, &str)]) -> Self {
        let account = Account::new("default").key(secret, &SCOPES);
        Self {
            accounts: vec![integrations.iter().fold(account, |account, (name, id)| {
                account.integration(Integration::new(name, id))
            })],
            ..Self::default()
        }
    }
}

/// The state of a running simulator, as [`Simulator::wait_for`](super::Simulator::wait_for) shows it.
pub struct World {
    pub(super) accounts: Vec<Account>,
    pub(super) rows: Rows,
    pub(super) behaviour: Behaviour,
    pub(super) limiter: Limiter,
    pub(super) script: Script,
    pub(super) history: History,
    /// Every key there ever was, to be recognised where it must not be.
    secrets: Vec<String>,
}

/// What is to be sent, and what is still to happen.
pub struct Verdict {
    pub answer: Answer,
    pub reply: Reply,
    pub late: Option<Late>,
}

/// A change that takes effect later.
pub struct Late {
    pub wait: Duration,
    pub change: Change,
    /// Which event of the history asked for it.
    pub event: usize,
}

impl World {
    pub fn new(options: Options) -> Self {
        let keys = options.accounts.iter().flat_map(|it| &it.keys);
        let secrets = keys.map(|it| it.secret.clone()).collect();
        Self {
            accounts: options.accounts,
            rows: Rows::new(),
            behaviour: options.behaviour,
            limiter: Limiter::new(options.rate_limit),
            script: Script::new(options.rules, options.seed),
            history: History::new(),
            secrets,
        }
    }

    /// Every row, by id.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.all()
    }

    /// The rows of one integration, by id.
    pub fn rows_of<'a>(&'a self, integration: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows().filter(move |it| it.integration == integration)
    }

    pub fn history(&self) -> &History {
        &self.history
    }

    /// Judges one request: key, `Accept`, rate, fault, scope, body, and what SendGrid would do; in this order.
    pub fn judge(&mut self, request: &Request) -> Verdict {
        let unix = unix_now();
        let asked = Asked::parse(request);
        let slot = find_key(&self.accounts, &request.headers);
        let mut exchange = self.record(request, &asked, slot);

        let admitted = self.admit(&mut exchange, unix);
        let fault = match &admitted {
            Ok(_) => self.script.strike(&exchange),
            Err(_) => None,
        };
        exchange.fault = fault.as_ref().map(|it| format!("fault: {it}"));
        let Fault { commit, reply } = fault.unwrap_or_else(Fault::none);
        let (usual, change, rate_headers) = match admitted {
            Err(answer) => (answer, None, Vec::new()),
            Ok(rate_headers) => {
                let (answer, change) = self.decide(request, asked, slot, &reply, unix);
                (answer, change, rate_headers)
            }
        };
        let mut answer = self.dress(usual, &reply, unix);
        if !matches!(reply, Reply::Custom { .. }) {
            answer.headers.extend(rate_headers);
        }
        exchange.status = reply.has_head().then_some(answer.status);
        if let Some(Change::Insert(row)) = &change {
            exchange.row = Some(row.id);
        }

        let event = self.history.events.len();
        self.history.events.push(Event::Request(Box::new(exchange)));
        let late = match (commit, change) {
            (Commit::Now, Some(change)) => {
                self.commit(change, event);
                None
            }
            (Commit::After(wait), Some(change)) => Some(Late {
                wait,
                change,
                event,
            }),
            (Commit::Never, _) | (_, None) => None,
        };
        Verdict {
            answer,
            reply,
            late,
        }
    }

    /// How a connection ends although no more than a request's head has come; then this is all that is recorded of it.
    pub fn cut_at_head(&mut self, head: &Request, connection_is_over: bool) -> Option<Reply> {
        let slot = find_key(&self.accounts, &head.headers);
        let exchange = self.record(head, &Asked::parse(head), slot);
        let (why, reply) = if connection_is_over {
            (
                "the connection was idle for too long".to_owned(),
                Reply::Close,
            )
        } else {
            let fault = self.script.strike_at_head(&exchange)?;
            (format!("fault: {fault}"), fault.reply)
        };
        self.history.events.push(Event::Request(Box::new(Exchange {
            without_body: true,
            fault: Some(why),
            notes: Vec::new(),
            ..exchange
        })));
        Some(reply)
    }

    /// A connection ended before TLS stood.
    pub fn no_handshake(&mut self, why: String) {
        let at = Instant::now();
        self.history.events.push(Event::NoHandshake { at, why });
    }

    /// Makes a change that the given event of the history asked for, and records what it did.
    pub fn commit(&mut self, change: Change, event: usize) {
        let unix_secs = secs(unix_now());
        let duplicate_of = match &change {
            Change::Insert(row) => self.rows.all().find(|it| {
                it.integration == row.integration
                    && it.fingerprint == row.fingerprint
                    && it.made_by == row.made_by
            }),
            Change::Replace(_) | Change::Remove(_) => None,
        }
        .map(|it| it.id);
        let changed = match &change {
            Change::Insert(_) => None,
            Change::Replace(row) => self.rows.get(row.id),
            Change::Remove(id) => self.rows.get(*id),
        }
        .map(|it| it.integration.clone());
        let cover = |rows: &Rows| changed.as_deref().map(|it| rows.cover(it, unix_secs));

        let before = cover(&self.rows);
        self.rows.make(change);
        let after = cover(&self.rows);
        if let Some(Event::Request(exchange)) = self.history.events.get_mut(event) {
            exchange.committed = Some(Instant::now());
            exchange.duplicate_of = duplicate_of;
            exchange.cover = before.zip(after);
        }
    }

    /// Makes a change in the place of another administrator.
    pub fn by_hand(&mut self, what: String, change: Option<Change>) {
        if let Some(change) = change {
            self.rows.make(change);
        }
        let at = Instant::now();
        self.history.events.push(Event::ByHand { at, what });
    }

    /// A row as another administrator would make it; in no list yet.
    pub fn new_row(&mut self, integration: &str, der: &[u8], enabled: bool) -> Row {
        let id = self.rows.take_id();
        let pem = certificate::write_pem(der);
        let mut row = Row::new(id, integration, der.to_vec(), pem, Author::Hand);
        row.enabled = enabled;
        row
    }

    /// The account of this name.
    #[expect(
        clippy::panic,
        reason = "a name that is not there is the caller's mistake"
    )]
    pub fn account(&mut self, name: &str) -> &mut Account {
        let account = self.accounts.iter_mut().find(|it| it.name == name);
        account.unwrap_or_else(|| panic!("the simulator has no account {name}"))
    }

    /// Gives the key in this slot (from 1) another secret; the old one is refused from now on.
    pub fn rotate_key(&mut self, account: &str, slot: usize, secret: &str) {
        secret.clone_into(&mut self.key(account, slot).secret);
        self.secrets.push(secret.to_owned());
    }

    pub fn set_scopes(&mut self, account: &str, slot: usize, scopes: &[&str]) {
        self.key(account, slot).scopes = scopes.iter().map(|&it| it.to_owned()).collect();
    }

    #[expect(
        clippy::panic,
        reason = "a slot that is not there is the caller's mistake"
    )]
    fn key(&mut self, account: &str, slot: usize) -> &mut ApiKey {
        let keys = &mut self.account(account).keys;
        let key = slot.checked_sub(1).and_then(|index| keys.get_mut(index));
        key.unwrap_or_else(|| panic!("the account {account} has no key in slot {slot}"))
    }

    /// What the record knows of a request before it is judged.
    fn record(&self, request: &Request, asked: &Asked, slot: Option<(usize, usize)>) -> Exchange {
        let Asked { target, body, .. } = asked;
        let account = slot.and_then(|(account, _)| self.accounts.get(account));
        let (row, listed) = match (target.operation, target.id.as_deref()) {
            (Operation::List | Operation::Integration, integration) => (None, integration),
            (_, Some(id)) => (endpoints::find(&self.rows, id), None),
            (_, None) => (None, None),
        };
        let integration = listed
            .or(body.integration.as_deref())
            .or_else(|| row.map(|it| it.integration.as_str()));
        let mut notes = Vec::new();
        if target.operation == Operation::Create && body.enabled.is_none() {
            notes.push("without `enabled`, so disabled".to_owned());
        }
        Exchange {
            at: Instant::now(),
            operation: target.operation,
            method: request.method.clone(),
            target: request.target_without(&self.secrets),
            headers: request.headers.keys().map(ToString::to_string).collect(),
            authorization: request.headers.contains_key("authorization"),
            account: account.map(|it| it.name.clone()),
            client: account.zip(slot).map(|(it, (_, key))| it.client(key)),
            integration: integration.map(str::to_owned),
            without_body: false,
            fingerprint: body.fingerprint().or_else(|| row.map(|it| it.fingerprint)),
            enabled: body.enabled,
            fields: asked.fields.clone(),
            status: None,
            committed: None,
            row: row.map(|it| it.id),
            duplicate_of: None,
            cover: None,
            fault: None,
            wait_until: None,
            leaks: request.leaks(&self.secrets),
            notes,
        }
    }

    /// Whether a request is looked at: a known key, an `Accept`, and within the rate. Gives the headers of the rate.
    fn admit(
        &mut self,
        exchange: &mut Exchange,
        unix: Duration,
    ) -> Result<Vec<(String, String)>, Answer> {
        let Some(account) = exchange.account.as_deref() else {
            return Err(Answer::of_status(401, &self.behaviour));
        };
        if !exchange.headers.iter().any(|it| it == "accept") {
            return Err(Answer::of_status(406, &self.behaviour));
        }
        let skew = self.behaviour.clock_skew_secs;
        match self.limiter.count(account, unix, skew) {
            None => Ok(Vec::new()),
            Some(limiter::Verdict {
                headers,
                wait: None,
            }) => Ok(headers),
            Some(limiter::Verdict {
                headers,
                wait: Some(wait),
            }) => {
                exchange.wait_until = Some(exchange.at + wait);
                let mut answer = Answer::of_status(429, &self.behaviour);
                answer.headers.extend(headers);
                Err(answer)
            }
        }
    }

    /// What SendGrid would do with an admitted request.
    fn decide(
        &mut self,
        request: &Request,
        asked: Asked,
        slot: Option<(usize, usize)>,
        reply: &Reply,
        unix: Duration,
    ) -> endpoints::Decision {
        let behaviour = &self.behaviour;
        let known = slot.and_then(|(account, key)| {
            let account = self.accounts.get(account)?;
            Some((account, key, account.keys.get(key)?))
        });
        let Some((account, index, key)) = known else {
            return (Answer::of_status(401, behaviour), None);
        };
        let scope = asked.target.operation.scope();
        if scope.is_some_and(|scope| !key.scopes.iter().any(|it| it == scope)) {
            return (Answer::of_status(403, behaviour), None);
        }
        if asked.target.operation.sends_body() && !request.is_json() {
            let message = "Content-Type should be application/json";
            return (Answer::error(415, None, message, behaviour), None);
        }
        let mut scene = Scene {
            account,
            client: &account.client(index),
            scopes: &key.scopes,
            rows: &mut self.rows,
            behaviour,
            trick: match reply {
                Reply::List(trick) => Some(trick),
                _ => None,
            },
            unix_secs: secs(unix),
        };
        endpoints::decide(&mut scene, &asked.target, asked.body, asked.refusal)
    }

    /// The answer as the fault wants it seen, with the server's date.
    fn dress(&self, usual: Answer, reply: &Reply, unix: Duration) -> Answer {
        let behaviour = &self.behaviour;
        let status = usual.status;
        let mut answer = match reply {
            Reply::Status(status) => Answer::of_status(*status, behaviour),
            Reply::TemporaryBlock => {
                let message = "Too many bad requests. Temporary block";
                Answer::error(403, None, message, behaviour)
            }
            Reply::Custom {
                status,
                headers,
                body,
            } => Answer {
                status: *status,
                headers: headers.clone(),
                body: body.clone().into_bytes(),
            },
            Reply::Redirect(location) => Answer {
                status: 307,
                headers: vec![("Location".to_owned(), location.clone())],
                body: Vec::new(),
            },
            Reply::EmptyBody => Answer {
                body: Vec::new(),
                ..usual
            },
            Reply::HtmlBody => Answer::html(status),
            Reply::Huge(_) => Answer {
                status: 200,
                ..usual
            },
            Reply::OtherIntegration => usual.of_other_integration(),
            Reply::InvalidJson => {
                let mut it = usual;
                it.body.pop();
                it.body.extend_from_slice(b",}");
                it
            }
            _ => usual,
        };
        if !answer.headers.iter().any(|(name, _)| name == "Date") {
            let date = http_date(secs(unix) + behaviour.clock_skew_secs);
            answer = answer.with_header("Date", &date);
        }
        answer
    }
}

fn secs(unix: Duration) -> i64 {
    i64::try_from(unix.as_secs()).unwrap_or(i64::MAX)
}

/// The time since 1970.
#[expect(clippy::disallowed_methods, reason = "SendGrid has a clock of its own")]
pub fn unix_now() -> Duration {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
}
