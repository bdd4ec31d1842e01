//! An account's way to SendGrid: its client behind its gate. Here, and nowhere else, a task sleeps until it may ask.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::adapter::sendgrid::{
    Answer, ApiKey, CallError, ClientError, Code, Failure, KeyReader, KeyWarning, SendGrid,
    TlsProblem, Unsent,
};
use crate::config::AccountSettings;
use crate::daemon::pulse::Pulse;
use crate::daemon::saved_waits::{from_ledger, to_ledger};
use crate::daemon::shared::{Shared, raised};
use crate::domain::{AccountName, IntegrationId, Moment, Skew, Timestamp};
use crate::intake;
use crate::plan::gate::{Admission, Gate, GateState, Operation, Request, Scope, Why};
use crate::view::snapshot::{AccountFailure, Backoff, ClockFault, FailureKind, Unusable};

/// The longest the gate is slept at. A longer wait ends the pass, and its end is a due wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a task may be silent beyond the time-out of a request.
const GRACE: Duration = Duration::from_secs(60);

/// Why nothing can be asked now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Closed {
    /// The gate is closed for longer than anybody sleeps at it.
    Wait {
        /// For how long.
        left: Duration,
        /// Why.
        why: Why,
    },
    /// There is no usable API key: why, in words.
    NoKey(String),
    /// The daemon stops.
    Stopping,
}

/// Leave to make one request: the gate has counted it.
#[derive(Debug)]
pub struct Ticket {
    request: Request,
}

/// One account's client, key and gate.
pub struct Link {
    name: AccountName,
    settings: AccountSettings,
    client: Result<SendGrid, Unusable>,
    key: KeyReader,
    current: Option<ApiKey>,
    warned: Option<KeyWarning>,
    gate: Gate,
    saved: GateState,
    shared: Shared,
    stop: watch::Receiver<bool>,
    pulse: Pulse,
    asked: u64,
    has_new_key: bool,
    retry_at: Option<Timestamp>,
    /// Since when the certificate of SendGrid's server is not valid by our clock.
    out_of_date_since: Option<Timestamp>,
    /// Whether a pass will ask again to make certain that the clocks disagree.
    is_confirming: bool,
}

impl Link {
    /// Sets the account up, with the waits that a former life left. A missing key is no error: it is looked for again.
    pub async fn open(
        name: AccountName,
        settings: AccountSettings,
        shared: Shared,
        stop: watch::Receiver<bool>,
        pulse: Pulse,
        key: Option<ApiKey>,
    ) -> Self {
        let account = name.clone();
        let waits = shared
            .ledger
            .read(move |it| it.waits(&account))
            .await
            .unwrap_or_default();
        let saved = GateState {
            barriers: waits.into_iter().filter_map(from_ledger).collect(),
        };
        let mut link = Self {
            key: KeyReader::new(name.clone(), settings.key.clone()),
            client: Err(Unusable::key("no key was read yet".to_owned(), Vec::new())),
            current: None,
            warned: None,
            gate: Gate::restore(settings.gate, saved.clone()),
            name,
            settings,
            saved,
            shared,
            stop,
            pulse,
            asked: 0,
            has_new_key: false,
            retry_at: None,
            out_of_date_since: None,
            is_confirming: false,
        };
        match key {
            Some(key) => drop(link.use_key(key)),
            None => drop(link.read_key()),
        }
        // The start itself wakes everybody; only a key that comes later does it anew.
        link.has_new_key = false;
        link.show(None);
        link
    }

    /// The account's name.
    pub fn name(&self) -> &AccountName {
        &self.name
    }

    /// Becomes true when the task is to end.
    pub fn stop(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }

    /// The task lives.
    pub fn beat(&self) {
        self.pulse.beat(GRACE);
    }

    /// Requests made so far.
    pub fn requests(&self) -> u64 {
        self.asked
    }

    /// How far SendGrid's clock and ours disagree.
    pub fn skew(&self) -> Skew {
        if self.out_of_date_since.is_some() {
            return Skew::Unknown;
        }
        self.gate.skew(&self.shared.clock.now())
    }

    /// When to ask again because one answer told of another time, and only a second one makes that certain. Said once.
    pub fn take_confirmation(&mut self) -> Option<Timestamp> {
        let at = self.gate.confirms_skew_at(&self.shared.clock.now());
        let is_news = at.is_some() && !self.is_confirming;
        self.is_confirming = at.is_some();
        at.filter(|_| is_news)
    }

    /// Why a clock must be wrong, if one must.
    fn clock_fault(&self, now: &Moment) -> Option<ClockFault> {
        let since = self
            .out_of_date_since
            .or_else(|| self.gate.disagrees_since(now))?;
        let skew = self.skew();
        Some(ClockFault { since, skew })
    }

    /// Takes up a key that changed on disk; whether it did.
    pub fn refresh_key(&mut self) -> bool {
        let is_missing = self.client.is_err();
        (is_missing || self.key.has_changed()) && self.read_key()
    }

    /// A person wants it now: lifts every wait of our own.
    pub fn lift_own_waits(&mut self) {
        self.gate.lift_own_waits();
        self.show(None);
    }

    /// The client, if there is a usable key.
    pub(super) fn client(&self) -> Option<&SendGrid> {
        self.client.as_ref().ok()
    }

    /// A pass begins: what stood in the way of an earlier one is its own affair.
    pub const fn begin_pass(&mut self) {
        self.retry_at = None;
    }

    /// When the wait ends that an answer in this pass has begun; none if there was none. It may be over by now.
    pub const fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at
    }

    /// When an upload to an integration may be tried again; none if it may be now.
    pub fn wait_for_upload(&self, integration: IntegrationId) -> Option<Timestamp> {
        let request = Request {
            operation: Operation::Create,
            integration: Some(integration),
        };
        let now = self.shared.clock.now();
        self.gate
            .closed(&now, &request)
            .map(|it| now.wall.plus(it.left))
    }

    /// Whether another key came into use since this was asked last.
    pub fn take_new_key(&mut self) -> bool {
        std::mem::take(&mut self.has_new_key)
    }

    /// Waits until a request may go, if that is soon.
    ///
    /// # Errors
    /// It is not soon, there is no key, or the daemon stops.
    pub async fn enter(
        &mut self,
        operation: Operation,
        integration: Option<IntegrationId>,
    ) -> Result<Ticket, Closed> {
        let request = Request {
            operation,
            integration,
        };
        loop {
            self.refresh_key();
            if let Err(why) = &self.client {
                return Err(Closed::NoKey(why.to_string()));
            }
            if *self.stop.borrow() {
                return Err(Closed::Stopping);
            }
            let wait = match self.gate.admit(&self.shared.clock.now(), &request) {
                Admission::Now => return Ok(Ticket { request }),
                Admission::Wait(wait) => wait,
            };
            // Our own ceiling is a pace, not a wait: going away would only lose the place in the queue.
            if wait.left > PATIENCE && wait.why != Why::OwnCeiling {
                return Err(Closed::Wait {
                    left: wait.left,
                    why: wait.why,
                });
            }
            self.beat();
            tokio::select! {
                () = raised(&self.stop) => return Err(Closed::Stopping),
                () = sleep(wait.left.min(PATIENCE)) => {}
            }
        }
    }

    /// Notes that a request is about to go.
    pub(super) fn expect(&mut self, ticket: &Ticket) {
        self.asked = self.asked.saturating_add(1);
        let client = &self.settings.client;
        self.pulse
            .beat(client.connect_timeout + client.request_timeout + GRACE);
        tracing::debug!(account = %self.name, operation = ticket.request.operation.word(), "Asking SendGrid");
    }

    /// Tells gate, metrics and board what an answer says.
    pub(super) async fn learn<T>(&mut self, answer: Answer<T>) -> Result<T, CallError> {
        let Answer { result, observed } = answer;
        let now = self.shared.clock.now();
        let operation = observed.report.request.operation.word();
        self.shared.metrics.asked(
            self.name.as_str(),
            operation,
            &observed.code.to_string(),
            observed.duration,
        );
        self.gate.record(&now, &observed.report, fastrand::f64());
        self.out_of_date_since = match result.as_ref().err().map(|it| &it.failure) {
            Some(Failure::Unsent(Unsent::Tls(TlsProblem::Dates))) => {
                self.out_of_date_since.or(Some(now.wall))
            }
            Some(Failure::Unsent(_)) => self.out_of_date_since, // it was not asked for its certificate
            _ => None,
        };
        let closed = self.gate.closed(&now, &observed.report.request);
        self.retry_at = closed.map(|it| now.wall.plus(it.left)).or(self.retry_at);
        if let Err(CallError {
            failure: Failure::KeyRejected,
            ..
        }) = &result
        {
            self.key_was_rejected();
        }
        self.keep_waits().await;
        self.show(Some((now, result.as_ref().err().map(failure))));
        self.beat();
        result
    }

    fn key_was_rejected(&mut self) {
        if self.read_key() {
            return;
        }
        let account = &self.name;
        if self.settings.key.is_live() {
            tracing::error!(%account, "Key of account {account} rejected (401): uploads stop until the key file changes");
        } else {
            tracing::error!(
                %account,
                "Key of account {account} rejected (401): uploads stop; replace it, then systemctl restart sso-certd"
            );
        }
    }

    /// Reads the key, and makes the client anew if it is another one; whether it is.
    fn read_key(&mut self) -> bool {
        let account = &self.name;
        let found = match self.key.read() {
            Ok(found) => found,
            Err(error) => {
                let unusable = Unusable::key(error.to_string(), error.help());
                if self.client.as_ref().err().is_some_and(|it| *it != unusable) {
                    tracing::error!(%account, "Nothing can be asked of SendGrid: {unusable}");
                    self.client = Err(unusable);
                }
                return false;
            }
        };
        if let Some(warning) = found
            .warning
            .as_ref()
            .filter(|it| self.warned.as_ref() != Some(*it))
        {
            tracing::warn!(%account, "{warning}; {}", warning.help());
        }
        self.warned = found.warning;
        let current = self.current.as_ref();
        if current.is_some_and(|it| it.is_same_as(&found.key)) && self.client.is_ok() {
            return false;
        }
        self.use_key(found.key)
    }

    /// Makes the client anew with this key; whether it can be used.
    fn use_key(&mut self, key: ApiKey) -> bool {
        let account = &self.name;
        let is_first = self.current.is_none();
        let made: Result<SendGrid, ClientError> =
            SendGrid::new(&self.settings.client, key.clone(), intake::read_listed);
        match made {
            Ok(client) => self.client = Ok(client),
            Err(error) => {
                let unusable = Unusable::client(error.to_string(), error.help(account));
                if self.client.as_ref().err() != Some(&unusable) {
                    tracing::error!(%account, "Nothing can be asked of SendGrid: accounts.{account}: {unusable}");
                }
                self.client = Err(unusable);
                return false;
            }
        }
        self.current = Some(key);
        self.gate.key_changed();
        self.has_new_key = true;
        if !is_first {
            tracing::info!(%account, "A new key of account {account} is in use");
        }
        true
    }

    /// Keeps the gate's waits over a restart, if they changed.
    async fn keep_waits(&mut self) {
        let state = self.gate.saved();
        if state == self.saved {
            return;
        }
        let (account, waits) = (
            self.name.clone(),
            state.barriers.iter().map(to_ledger).collect::<Vec<_>>(),
        );
        if self
            .shared
            .ledger
            .write(move |it| it.save_waits(&account, &waits))
            .await
            .is_ok()
        {
            self.saved = state;
        }
    }

    /// Writes on the board how the account stands; `answered`: when SendGrid was asked just now, and why it failed.
    fn show(&self, answered: Option<(Moment, Option<AccountFailure>)>) {
        let now = self.shared.clock.now();
        let view = self.gate.view(&now);
        let clock = self.clock_fault(&now);
        let unusable = self.client.as_ref().err().cloned();
        let no_client = unusable.as_ref().map(|it| AccountFailure {
            text: it.to_string(),
            kind: FailureKind::NoAnswer,
        });
        let create = Request {
            operation: Operation::Create,
            integration: None,
        };
        let uploads_forbidden = self
            .gate
            .closed(&now, &create)
            .is_some_and(|it| it.scope == Scope::Creates);
        self.shared.board.account(&self.name, |it| {
            it.unusable.clone_from(&unusable);
            it.key_valid = view.key_valid;
            it.uploads_forbidden = uploads_forbidden;
            it.backoff = view.closed.map(|(until, why)| Backoff {
                until,
                why: why.words().to_owned(),
            });
            it.rate_limit = view.limit;
            it.rate_remaining = view.remaining;
            it.rate_reset = view.reset;
            #[expect(
                clippy::cast_precision_loss,
                clippy::as_conversions,
                reason = "a skew fits a float many times over"
            )]
            let skew = view.skew_secs.map(|it| it as f64);
            it.clock_skew = skew;
            it.clock = clock;
            match answered {
                Some((now, None)) => {
                    it.answered_at = Some(now.wall);
                    it.failures = 0;
                    it.failure = None;
                }
                Some((_, Some(failure))) => {
                    it.failures = it.failures.saturating_add(1);
                    it.failure = Some(failure);
                }
                None => it.failure = no_client.or_else(|| it.failure.take()),
            }
        });
    }
}

/// A failed call as the board shows it.
fn failure(error: &CallError) -> AccountFailure {
    // That the dates of the server's certificate do not fit is the clock's fault, and said of it.
    let is_dates = error.failure == Failure::Unsent(Unsent::Tls(TlsProblem::Dates));
    let kind = match error.failure.code() {
        Code::Status(status) => FailureKind::Status(status),
        Code::Tls if !is_dates => FailureKind::Tls,
        Code::Tls | Code::Connect | Code::Timeout | Code::Reset | Code::Decode => {
            FailureKind::NoAnswer
        }
    };
    AccountFailure {
        text: error.to_string(),
        kind,
    }
}
