//! A person's decisions, at the desk: who decides, which certificate is meant, and what came of it.
//!
//! A decision is durable before anything else happens. Then a pass is made as for `sync`, and the answer tells from what
//! is believed after it. Nobody decides anything but over the control socket, or as a command of their own where no
//! daemon runs.

mod books;
mod record;
mod resolve;

use std::collections::BTreeSet;

use books::forget_orphan;
pub(super) use books::places;
pub use record::{Matter, Recorded, Wish};
pub use resolve::{Meant, Place, Reach, Unclear, resolve};

use crate::adapter::control_socket::{AboutCertificate, Answer, Confirmation, PersonsWord};
use crate::adapter::http::Peer;
use crate::adapter::users::user_name;
use crate::daemon::desk::{USAGE, ask, failed, finish, of_account};
use crate::daemon::generation::WaysIn;
use crate::daemon::shared::Shared;
use crate::daemon::syncing::pass_each;
use crate::daemon::worker::Request;
use crate::domain::text::printable;
use crate::domain::{AccountName, Fingerprint, FingerprintPrefix, IntegrationName};
use crate::plan::book::Book;
use crate::plan::decision::{Author, Decision, Pausing, check_reason};
use crate::view::decision_question::{Asked, ask_pause_text, ask_text};
use crate::view::decision_text::{
    Paused, Taken, not_retired_text, paused_text, refusal_text, taken_text,
};
use crate::view::snapshot::IntegrationSnapshot;
use crate::view::terminal::Terminal;

/// Characters kept of the name that somebody claims to have: with the mark behind it, it fits where names are shown.
const LONGEST_CLAIM: usize = 21;

/// Takes a decision about one certificate, or asks for its confirmation.
pub(super) async fn decide(
    ways_in: &WaysIn,
    shared: &Shared,
    about: &AboutCertificate,
    peer: Option<Peer>,
    terminal: Terminal,
) -> Answer {
    let author = match author(peer, &about.word, terminal) {
        Ok(author) => author,
        Err(answer) => return answer,
    };
    let typed = match FingerprintPrefix::parse(&about.fingerprint) {
        Ok(typed) => typed,
        Err(error) => return failed(error.to_string(), None, USAGE, terminal),
    };
    let is_confirmed = about.word.is_confirmed;
    let decision = match about.decision {
        Decision::Approve if typed.whole().is_some() => Decision::ApproveKey,
        decision => decision,
    };
    if is_confirmed && decision.lets_in() && typed.whole().is_none() {
        let text = format!(
            "{} with --yes wants all 64 digits of the fingerprint",
            decision.word()
        );
        let help = "sso-certd status --json has them; on a terminal a few are enough".to_owned();
        return failed(text, Some(help), USAGE, terminal);
    }
    let places = match places(ways_in, shared).await {
        Ok(places) => places,
        Err(error) => return failed(error.to_string(), None, 1, terminal),
    };
    let reach = Reach {
        unseen: decision.is_for_unseen(),
        orphans: decision == Decision::Forget,
    };
    let name = about.integration.as_deref();
    let meant = match resolve(&typed, name, reach, &places) {
        Ok(meant) => meant,
        Err(unclear) => {
            let exit = if unclear.is_usage() { USAGE } else { 1 };
            return failed(unclear.to_string(), unclear.help(), exit, terminal);
        }
    };
    if meant.place.is_orphan {
        return forget_orphan(shared, meant, author, is_confirmed, terminal).await;
    }
    let visit = Visit {
        ways_in,
        shared,
        name: &meant.place.name,
        terminal,
    };
    visit
        .decide(meant.fingerprint, decision, author, is_confirmed)
        .await
}

/// Stops every write for these integrations, or lets writes go on; all of them if none is named.
pub(super) async fn pause(
    ways_in: &WaysIn,
    shared: &Shared,
    names: &BTreeSet<IntegrationName>,
    is_paused: bool,
    word: &PersonsWord,
    peer: Option<Peer>,
    terminal: Terminal,
) -> Answer {
    let author = match author(peer, word, terminal) {
        Ok(author) => author,
        Err(answer) => return answer,
    };
    let configured = ways_in.settings.integrations.keys();
    let all: Vec<IntegrationName> = configured
        .filter(|it| names.is_empty() || names.contains(it))
        .cloned()
        .collect();
    if !word.is_confirmed {
        return question(ask_pause_text(&all, is_paused, terminal), None, &all);
    }
    let pausing = match (is_paused, names.is_empty()) {
        (true, _) => Pausing::Pause,
        (false, true) => Pausing::Resume,
        (false, false) => Pausing::ResumeNamed,
    };
    let started = shared.clock.now().wall;
    let (mut news, mut before) = (Vec::new(), Vec::new());
    for name in &all {
        let visit = Visit {
            ways_in,
            shared,
            name,
            terminal,
        };
        let recorded = visit.record(Matter::Pause(pausing), author.clone(), true);
        match recorded.await {
            Some(Recorded::Stored { is_news: true }) => news.push(name.clone()),
            Some(Recorded::Stored { is_news: false }) => before.push(name.clone()),
            Some(Recorded::NotStored(error)) => {
                return failed(format!("{name}: {error}"), None, 1, terminal);
            }
            _ => return visit.nobody(),
        }
    }
    let mut told = Vec::new();
    for (account, worker) in &*ways_in.workers {
        let names = of_account(ways_in, account, &news.iter().cloned().collect());
        if news.is_empty() || names.is_empty() {
            continue;
        }
        let is_well = pass_each(worker, &names).await;
        tracing::debug!(%account, is_well, "The passes after that have ended");
        let snapshot = shared.board.read();
        told.extend(
            names
                .iter()
                .filter_map(|it| snapshot.integrations.get(it).cloned()),
        );
    }
    finish(paused_text(
        &Paused {
            is_paused,
            by: &author.name,
            news: &news,
            before: &before,
            after: &told,
            started,
        },
        terminal,
    ))
}

/// One integration, at the desk.
struct Visit<'a> {
    ways_in: &'a WaysIn,
    shared: &'a Shared,
    name: &'a IntegrationName,
    terminal: Terminal,
}

impl Visit<'_> {
    async fn decide(
        &self,
        fingerprint: Fingerprint,
        decision: Decision,
        author: Author,
        is_confirmed: bool,
    ) -> Answer {
        let (name, terminal) = (self.name, self.terminal);
        let by = author.name.clone();
        let started = self.shared.clock.now().wall;
        let matter = Matter::Certificate(fingerprint, decision);
        match self.record(matter, author, is_confirmed).await {
            None => self.nobody(),
            Some(Recorded::Refused(refusal)) => {
                finish(refusal_text(name, fingerprint, decision, refusal, terminal))
            }
            Some(Recorded::Forbidden { block, plan }) => {
                finish(not_retired_text(name, fingerprint, block, &plan, terminal))
            }
            Some(Recorded::NotStored(error)) => failed(error.to_string(), None, 1, terminal),
            Some(Recorded::Judged { belief, retirement }) => {
                let asked = Asked {
                    name,
                    account: &self.account(),
                    fingerprint,
                    decision,
                    belief: belief.as_deref(),
                    retirement: retirement.as_ref(),
                };
                let names = std::slice::from_ref(name);
                question(ask_text(&asked, terminal), Some(fingerprint), names)
            }
            Some(Recorded::Stored { is_news }) => {
                let (book, after) = self.pass().await;
                let Some(after) = after else {
                    return self.nobody();
                };
                let change = after.last_change.as_ref();
                let taken = Taken {
                    fingerprint,
                    decision,
                    by: &by,
                    is_news,
                    book: &book,
                    obstacle: self.obstacle(&after),
                    change: change.filter(|it| it.at >= started && it.fingerprint == fingerprint),
                    after: &after,
                };
                finish(taken_text(&taken, terminal))
            }
        }
    }

    /// Has the worker judge it and, if it is confirmed, store it; none if there is no worker.
    async fn record(&self, matter: Matter, author: Author, is_confirmed: bool) -> Option<Recorded> {
        let wish = Box::new(Wish {
            name: self.name.clone(),
            matter,
            author,
            is_confirmed,
        });
        let worker = self.ways_in.workers.get(&self.account())?;
        ask(worker, |reply| Request::Record { wish, reply }).await?
    }

    /// A pass, and what is believed and shown after it.
    async fn pass(&self) -> (Book, Option<IntegrationSnapshot>) {
        if let Some(worker) = self.ways_in.workers.get(&self.account()) {
            let is_well = pass_each(worker, std::slice::from_ref(self.name)).await;
            tracing::debug!(is_well, "The decision's pass has ended");
        }
        let settings = self.ways_in.settings.integrations.get(self.name);
        let book = match settings.map(|it| it.integration_id) {
            Some(id) => self.shared.ledger.read(move |it| it.load(id)).await.ok(),
            None => None,
        };
        let mut snapshot = self.shared.board.read();
        (
            book.unwrap_or_default(),
            snapshot.integrations.remove(self.name),
        )
    }

    /// Why the last pass could not ask SendGrid, if it could not.
    fn obstacle(&self, after: &IntegrationSnapshot) -> Option<String> {
        if let Some(failure) = &after.failure {
            return Some(failure.text.clone());
        }
        let snapshot = self.shared.board.read();
        let backoff = snapshot.accounts.get(&after.account)?.backoff.as_ref()?;
        let until = backoff.until.hour_minute();
        Some(format!(
            "{}; SendGrid is asked again at {until} UTC",
            backoff.why
        ))
    }

    fn account(&self) -> AccountName {
        let settings = self.ways_in.settings.integrations.get(self.name);
        settings.map(|it| it.account.clone()).unwrap_or_default()
    }

    fn nobody(&self) -> Answer {
        let text = "the daemon takes up a new configuration; ask again".to_owned();
        failed(text, None, 1, self.terminal)
    }
}

/// Who decides. The name is the system's; only root's may be another's claim.
fn author(peer: Option<Peer>, word: &PersonsWord, terminal: Terminal) -> Result<Author, Answer> {
    let Some(Peer { uid }) = peer else {
        let text = "only the control socket takes decisions".to_owned();
        return Err(failed(text, None, 77, terminal));
    };
    let reason = word.reason.as_deref().map(check_reason).transpose();
    let reason = reason.map_err(|it| failed(it.to_string(), None, USAGE, terminal))?;
    let claim = word.sudo_user.as_deref().filter(|_| uid == 0);
    Ok(Author {
        name: match claim.filter(|it| !it.is_empty() && *it != "root") {
            Some(claim) => format!("{} (claimed)", printable(claim, LONGEST_CLAIM)),
            None => user_name(uid),
        },
        note: format!("uid {uid}"),
        reason: reason.map(str::to_owned),
    })
}

/// A question to confirm, and exactly what it is about.
fn question(text: String, fingerprint: Option<Fingerprint>, names: &[IntegrationName]) -> Answer {
    Answer {
        text,
        pid: std::process::id(),
        confirmation: Some(Confirmation {
            fingerprint: fingerprint.map(|it| it.hex()),
            names: names.iter().map(ToString::to_string).collect(),
        }),
        ..Answer::default()
    }
}
