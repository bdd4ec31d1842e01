//! What goes wrong, and for whom.

use std::fmt;
use std::time::Duration;

use sso_certd::domain::Fingerprint;

use super::answer::ListTrick;
use super::endpoints::Operation;
use super::history::Exchange;

/// One thing that goes wrong: what becomes of the change that was asked for, and what the client gets to see.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    pub commit: Commit,
    pub reply: Reply,
}

/// When a valid POST, PATCH or DELETE takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Commit {
    Now,
    Never,
    /// So much later, whether or not the client still waits. An answer that has to do with the change comes after it.
    After(Duration),
}

/// What the client gets to see.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// What it would get without a fault.
    Usual,
    /// This status, with an error body in the form that the behaviour asks for.
    Status(u16),
    /// 403 "Too many bad requests. Temporary block".
    TemporaryBlock,
    /// Exactly this.
    Custom {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// 307 to this URL.
    Redirect(String),
    /// The usual status without a body.
    EmptyBody,
    /// The usual status with a web page.
    HtmlBody,
    /// The usual status with text that stops being JSON at its end.
    InvalidJson,
    /// The usual head, half of the body, then the end of the connection.
    CutBody,
    /// An integration under the id of another one; other operations get the usual answer.
    OtherIntegration,
    /// A list that lies; other operations get the usual answer.
    List(ListTrick),
    /// The end of the connection, without a byte.
    Close,
    /// The same by a TCP reset.
    Reset,
    /// A TCP reset as soon as the head of the request has come. The body is not read, so nothing is ever changed.
    ResetAtHead,
    /// Nothing, for as long as the client waits.
    Silence,
    /// The usual answer, with this pause after each byte.
    Drip(Duration),
    /// A 200 whose body has so many bytes.
    Huge(u64),
    /// A head that never ends.
    EndlessHeaders,
}

impl Fault {
    pub fn new(commit: Commit, reply: Reply) -> Self {
        Self { commit, reply }
    }

    /// No fault at all.
    pub fn none() -> Self {
        Self::new(Commit::Now, Reply::Usual)
    }

    /// It is stored, and the answer is lost.
    pub fn commit_then_close() -> Self {
        Self::new(Commit::Now, Reply::Close)
    }

    /// It is stored, and the answer never comes.
    pub fn commit_then_silence() -> Self {
        Self::new(Commit::Now, Reply::Silence)
    }

    /// It is not stored, and no answer says so.
    pub fn close_before_commit() -> Self {
        Self::new(Commit::Never, Reply::Close)
    }

    /// The answer is lost, and it is stored after the client has given up.
    pub fn close_then_commit_after(wait: Duration) -> Self {
        Self::new(Commit::After(wait), Reply::Close)
    }

    /// It is stored, and the answer is this error.
    pub fn commit_then(status: u16) -> Self {
        Self::new(Commit::Now, Reply::Status(status))
    }

    /// It is not stored, and the answer is this error.
    pub fn refuse(status: u16) -> Self {
        Self::new(Commit::Never, Reply::Status(status))
    }

    /// What was asked for happens at once, and this is the answer.
    pub fn reply(reply: Reply) -> Self {
        Self::new(Commit::Now, reply)
    }

    /// One list lies.
    pub fn list(trick: ListTrick) -> Self {
        Self::reply(Reply::List(trick))
    }

    /// The faults that have a name, for the command line.
    pub fn named() -> Vec<(&'static str, Self)> {
        let second = Duration::from_secs(1);
        vec![
            ("commit-then-close", Self::commit_then_close()),
            ("commit-then-silence", Self::commit_then_silence()),
            ("commit-then-500", Self::commit_then(500)),
            ("commit-then-reset", Self::reply(Reply::Reset)),
            (
                "reset-at-head",
                Self::new(Commit::Never, Reply::ResetAtHead),
            ),
            ("commit-late", Self::close_then_commit_after(5 * second)),
            ("close-before-commit", Self::close_before_commit()),
            ("silence", Self::new(Commit::Never, Reply::Silence)),
            ("slow", Self::new(Commit::After(second), Reply::Usual)),
            ("400", Self::refuse(400)),
            ("401", Self::refuse(401)),
            ("403", Self::refuse(403)),
            ("404", Self::refuse(404)),
            ("409", Self::refuse(409)),
            ("429", Self::refuse(429)),
            ("451", Self::refuse(451)),
            ("500", Self::refuse(500)),
            ("502", Self::refuse(502)),
            ("503", Self::refuse(503)),
            (
                "temporary-block",
                Self::new(Commit::Never, Reply::TemporaryBlock),
            ),
            ("empty-body", Self::reply(Reply::EmptyBody)),
            ("html-body", Self::reply(Reply::HtmlBody)),
            ("invalid-json", Self::reply(Reply::InvalidJson)),
            ("cut-body", Self::reply(Reply::CutBody)),
            ("drip", Self::reply(Reply::Drip(Duration::from_millis(100)))),
            ("huge-body", Self::reply(Reply::Huge(2 << 30))),
            ("endless-headers", Self::reply(Reply::EndlessHeaders)),
            (
                "redirect",
                Self::new(
                    Commit::Never,
                    Reply::Redirect("http://127.0.0.2:9/v3".to_owned()),
                ),
            ),
            ("list-stale", Self::list(ListTrick::Stale(5 * second))),
            ("list-truncated", Self::list(ListTrick::Truncated(1))),
            ("list-empty", Self::list(ListTrick::Empty)),
            ("list-doubled", Self::list(ListTrick::Doubled)),
            ("list-undecodable", Self::list(ListTrick::UndecodableRow)),
            ("list-foreign", Self::list(ListTrick::ForeignRow)),
            ("other-integration", Self::reply(Reply::OtherIntegration)),
        ]
    }
}

impl Reply {
    /// Whether the client gets a whole head to see.
    pub fn has_head(&self) -> bool {
        !matches!(
            self,
            Self::Close | Self::Reset | Self::ResetAtHead | Self::Silence | Self::EndlessHeaders
        )
    }
}

/// `change made, connection closed`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.commit {
            Commit::Now => f.write_str("change made, ")?,
            Commit::Never => f.write_str("no change, ")?,
            Commit::After(wait) => write!(f, "change {} ms later, ", wait.as_millis())?,
        }
        match &self.reply {
            Reply::Usual => f.write_str("answered as usual"),
            Reply::Status(status) | Reply::Custom { status, .. } => write!(f, "{status}"),
            Reply::TemporaryBlock => f.write_str("temporary block"),
            Reply::Redirect(location) => write!(f, "sent to {location}"),
            Reply::EmptyBody => f.write_str("empty body"),
            Reply::HtmlBody => f.write_str("a web page"),
            Reply::InvalidJson => f.write_str("invalid JSON"),
            Reply::CutBody => f.write_str("cut in the body"),
            Reply::OtherIntegration => f.write_str("another integration"),
            Reply::List(trick) => write!(f, "list: {trick:?}"),
            Reply::Close => f.write_str("connection closed"),
            Reply::Reset => f.write_str("connection reset"),
            Reply::ResetAtHead => f.write_str("connection reset after the head"),
            Reply::Silence => f.write_str("silence"),
            Reply::Drip(pause) => write!(f, "a byte every {} ms", pause.as_millis()),
            Reply::Huge(length) => write!(f, "{length} bytes"),
            Reply::EndlessHeaders => f.write_str("a head without end"),
        }
    }
}

/// Which requests a fault is for. Without a narrowing it is for all of them, always.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    fault: Fault,
    operation: Option<Operation>,
    fingerprint: Option<Fingerprint>,
    integration: Option<String>,
    account: Option<String>,
    skip: usize,
    times: Option<usize>,
    chance: f64,
}

impl Rule {
    /// For every request.
    pub fn always(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            fingerprint: None,
            integration: None,
            account: None,
            skip: 0,
            times: None,
            chance: 1.0,
        }
    }

    /// For the next request of this operation alone.
    pub fn next(operation: Operation, fault: Fault) -> Self {
        Self::always(fault).on(operation).times(1)
    }

    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// For requests that send this certificate, or name the id of the row that carries it.
    #[must_use]
    pub fn of(mut self, fingerprint: Fingerprint) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    #[must_use]
    pub fn within(mut self, integration: &str) -> Self {
        self.integration = Some(integration.to_owned());
        self
    }

    #[must_use]
    pub fn by_account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    /// Lets the first `count` matching requests pass.
    #[must_use]
    pub fn skip(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// Ends after `count` requests.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.times = Some(count);
        self
    }

    /// Strikes a matching request with this probability, by the dice of the simulator's seed.
    #[must_use]
    pub fn chance(mut self, probability: f64) -> Self {
        self.chance = probability;
        self
    }

    fn matches(&self, request: &Exchange) -> bool {
        self.times != Some(0)
            && self.operation.is_none_or(|it| it == request.operation)
            && self
                .fingerprint
                .is_none_or(|it| request.fingerprint == Some(it))
            && (self.integration.is_none() || self.integration == request.integration)
            && (self.account.is_none() || self.account == request.account)
    }
}

/// The rules in force. The first that matches and whose dice fall strikes; the others do not see the request.
pub struct Script {
    rules: Vec<Rule>,
    dice: fastrand::Rng,
}

impl Script {
    pub fn new(rules: Vec<Rule>, seed: u64) -> Self {
        Self {
            rules,
            dice: fastrand::Rng::with_seed(seed),
        }
    }

    pub fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault of a request that has come whole.
    pub fn strike(&mut self, request: &Exchange) -> Option<Fault> {
        self.strike_by(request, |reply| *reply != Reply::ResetAtHead)
    }

    /// The fault of a request of which only the head has come; most faults wait for the body.
    pub fn strike_at_head(&mut self, head: &Exchange) -> Option<Fault> {
        self.strike_by(head, |reply| *reply == Reply::ResetAtHead)
    }

    fn strike_by(&mut self, request: &Exchange, is_due: impl Fn(&Reply) -> bool) -> Option<Fault> {
        let due = self.rules.iter_mut().filter(|it| is_due(&it.fault.reply));
        for rule in due.filter(|it| it.matches(request)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if self.dice.f64() < rule.chance {
                rule.times = rule.times.map(|left| left - 1);
                return Some(rule.fault.clone());
            }
        }
        None
    }
}
