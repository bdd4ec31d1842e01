//! The handle of a running simulator: where it is, its switches, and what another administrator does by hand.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sso_certd::domain::Fingerprint;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::accounts::Integration;
use super::answer::Behaviour;
use super::fault::Rule;
use super::history::{Event, History};
use super::limiter::RateLimit;
use super::moments::Moment;
use super::rows::{Change, Row};
use super::server::{self, Listening, Port, Shared};
use super::tls::{Identity, Tls};
use super::world::{Options, World};

/// A running simulator. It ends when this is dropped.
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    wanted: watch::Sender<Listening>,
    current: watch::Receiver<Listening>,
    /// The server; dropping the set ends it.
    _server: JoinSet<()>,
}

/// What was waited for did not happen. Its text is the whole history.
pub struct TimedOut {
    history: History,
    rows: usize,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "it did not happen in time; {} rows, and this:",
            self.rows
        )?;
        self.history.fmt(f)
    }
}

impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TimedOut {}

impl Simulator {
    /// Starts one on this runtime; it answers when this returns.
    ///
    /// # Panics
    /// If the port is taken.
    #[expect(clippy::panic, reason = "without it no test can go on")]
    pub async fn start(options: Options) -> Self {
        let port = options.port;
        Self::try_start(options).await.unwrap_or_else(|error| {
            panic!("cannot listen on port {port} of the loopback address: {error}")
        })
    }

    /// Starts one on this runtime; it answers when this returns.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn try_start(options: Options) -> std::io::Result<Self> {
        let port = Port::take(options.port)?;
        let address = port.address();
        let tls = options.tls.map(Tls::new);
        let shared = Arc::new(Shared::new(World::new(options), tls));
        let (wanted, wants) = watch::channel(Listening::Open);
        let (publish, current) = watch::channel(Listening::Closed);
        let serving = server::serve(port, Arc::clone(&shared), wants, publish);
        let mut server = JoinSet::new();
        server.spawn(async move {
            // The end of the task is what a waiting caller sees.
            serving.await.ok();
        });
        let it = Self {
            address,
            shared,
            wanted,
            current,
            _server: server,
        };
        it.settled(Listening::Open)
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::AddrInUse))?;
        Ok(it)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, or the same with `https`.
    pub fn url(&self) -> String {
        let scheme = self.shared.tls().map_or("http", |_| "https");
        format!("{scheme}://{}", self.address)
    }

    /// The certificate of the authority that vouches for it, for a client's `ca_file`; none without TLS.
    pub fn authority_pem(&self) -> Option<String> {
        self.shared.tls().map(Tls::authority_pem)
    }

    /// Refuses, ignores or serves connections from now on, and ends the open ones.
    ///
    /// # Panics
    /// If the listener cannot be opened again.
    #[expect(
        clippy::expect_used,
        reason = "the port is reserved, so this is a fault of the simulator"
    )]
    pub async fn listen(&self, listening: Listening) {
        self.wanted.send_replace(listening);
        self.settled(listening)
            .await
            .expect("the reserved port can be listened on again");
    }

    async fn settled(&self, listening: Listening) -> Result<(), watch::error::RecvError> {
        let mut current = self.current.clone();
        current.wait_for(|it| *it == listening).await.map(drop)
    }

    // Its switches.

    /// Adds a rule behind those that are there.
    pub fn script(&self, rule: Rule) {
        self.shared.change(|world| world.script.add(rule));
    }

    /// Forgets all rules: no more faults.
    pub fn be_well(&self) {
        self.shared.change(|world| world.script.clear());
    }

    /// Changes how it behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        self.shared.change(|world| change(&mut world.behaviour));
    }

    /// Presents this to new connections.
    ///
    /// # Panics
    /// If it was started without TLS.
    #[expect(clippy::expect_used, reason = "that is the caller's mistake")]
    pub fn present(&self, identity: Identity) {
        let tls = self.shared.tls().expect("it was started with TLS");
        tls.present(identity);
    }

    /// Calls this at each [`Moment`] of each POST of a certificate from now on, in the course of the request.
    pub fn on_post(&self, call: impl Fn(Moment, Fingerprint) + Send + Sync + 'static) {
        self.shared.set_on_post(Arc::new(call));
    }

    /// Sets the rate limit; none sends no headers, either.
    pub fn limit_rate(&self, rate: Option<RateLimit>) {
        self.shared.change(|world| world.limiter.rate = rate);
    }

    // What another administrator does by hand.

    /// Stores a certificate (or bytes that are none) and gives its id.
    pub fn add_row(&self, integration: &str, der: &[u8], enabled: bool) -> u64 {
        self.shared.change(|world| {
            let row = world.new_row(integration, der, enabled);
            let id = row.id;
            let what = format!(
                "row {id} added to {integration}: {}",
                row.fingerprint.short()
            );
            world.by_hand(what, Some(Change::Insert(Box::new(row))));
            id
        })
    }

    pub fn remove_row(&self, id: u64) {
        self.shared.change(|world| {
            world.by_hand(format!("row {id} removed"), Some(Change::Remove(id)));
        });
    }

    /// Puts another certificate into a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn replace_row(&self, id: u64, der: &[u8]) {
        self.edit_row(id, |row| {
            row.carry(der.to_vec(), super::certificate::write_pem(der));
            format!("row {id} now carries {}", row.fingerprint.short())
        });
    }

    /// Enables or disables a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn enable_row(&self, id: u64, enabled: bool) {
        self.edit_row(id, |row| {
            row.enabled = enabled;
            format!("row {id} enabled: {enabled}")
        });
    }

    #[expect(
        clippy::expect_used,
        reason = "a row that is not there is the caller's mistake"
    )]
    fn edit_row(&self, id: u64, edit: impl FnOnce(&mut Row) -> String) {
        self.shared.change(|world| {
            let row = world.rows().find(|it| it.id == id).cloned();
            let mut row = row.expect("the row to edit is there");
            let what = edit(&mut row);
            world.by_hand(what, Some(Change::Replace(Box::new(row))));
        });
    }

    /// Gives the key in a slot (from 1) another secret; the old one gets a 401 from now on.
    ///
    /// # Panics
    /// If there is no such account or slot.
    pub fn rotate_key(&self, account: &str, slot: usize, secret: &str) {
        self.shared.change(|world| {
            world.rotate_key(account, slot, secret);
            world.by_hand(format!("key {account}/{slot} rotated"), None);
        });
    }

    /// Gives the key in a slot (from 1) exactly these scopes.
    ///
    /// # Panics
    /// If there is no such account or slot.
    pub fn set_scopes(&self, account: &str, slot: usize, scopes: &[&str]) {
        self.shared.change(|world| {
            world.set_scopes(account, slot, scopes);
            world.by_hand(format!("key {account}/{slot} may now {scopes:?}"), None);
        });
    }

    /// Adds an integration to an account.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn add_integration(&self, account: &str, integration: Integration) {
        self.shared.change(|world| {
            let what = format!("integration {} added", integration.name);
            world.account(account).integrations.push(integration);
            world.by_hand(what, None);
        });
    }

    /// Takes an integration away from an account; its rows stay, out of reach.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn remove_integration(&self, account: &str, id: &str) {
        self.shared.change(|world| {
            world.account(account).integrations.retain(|it| it.id != id);
            world.by_hand(format!("integration {id} removed"), None);
        });
    }

    // What can be seen.

    /// Every row, by id.
    pub fn rows(&self) -> Vec<Row> {
        self.shared.look(|world| world.rows().cloned().collect())
    }

    /// The rows of one integration, by id.
    pub fn rows_of(&self, integration: &str) -> Vec<Row> {
        self.shared
            .look(|world| world.rows_of(integration).cloned().collect())
    }

    /// The rows that carry one certificate, by id.
    pub fn rows_with(&self, fingerprint: Fingerprint) -> Vec<Row> {
        let mut rows = self.rows();
        rows.retain(|row| row.fingerprint == fingerprint);
        rows
    }

    /// Everything so far.
    pub fn history(&self) -> History {
        self.shared.look(|world| world.history().clone())
    }

    /// One event as a line, with the time since the start.
    pub fn line(&self, event: &Event) -> String {
        self.shared.look(|world| world.history().line(event))
    }

    /// Which rules were broken so far, in words; see [`History::check`].
    pub fn check(&self) -> Vec<String> {
        self.shared.look(|world| world.history().check())
    }

    /// Waits until `happened` is true of the world. It is asked at each change, and does not sleep between.
    ///
    /// # Errors
    /// It was not within `limit`.
    pub async fn wait_for(
        &self,
        limit: Duration,
        mut happened: impl FnMut(&World) -> bool,
    ) -> Result<(), TimedOut> {
        let mut changes = self.shared.changes();
        let waiting = async {
            while !self.shared.look(&mut happened) {
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(limit, waiting)
            .await
            .map_err(|_| TimedOut {
                history: self.history(),
                rows: self.rows().len(),
            })
    }

    /// The events after the first `seen`, as soon as there is one.
    pub async fn events_after(&self, seen: usize) -> Vec<Event> {
        let mut changes = self.shared.changes();
        loop {
            let news = self.shared.look(|world| {
                let events = world.history().events.iter();
                events.skip(seen).cloned().collect::<Vec<_>>()
            });
            if !news.is_empty() {
                return news;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
