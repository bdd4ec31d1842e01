//! Answers what commands ask: the same answers by the daemon over its socket and by a command that found none.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::oneshot;

use crate::adapter::control_socket::{Answer, Question, Verb};
use crate::adapter::http::Peer;
use crate::adapter::ledger::{History, LedgerError, Query};
use crate::config::{Settings, nearest};
use crate::daemon::decisions::{decide, pause};
use crate::daemon::explain::explain;
use crate::daemon::generation::{Entrance, WaysIn};
use crate::daemon::probe::probe;
use crate::daemon::shared::Shared;
use crate::daemon::survey::integrations;
use crate::daemon::syncing::sync;
use crate::daemon::worker::{Rehearsal, Request};
use crate::domain::text::printable;
use crate::domain::{AccountName, IntegrationId, IntegrationName, Timestamp};
use crate::view::check_text::errors_text;
use crate::view::history_text::{Record, history_text, record_json};
use crate::view::plan_json::plan_json;
use crate::view::plan_report::{PlanReport, PlannedIntegration};
use crate::view::plan_text::plan_text;
use crate::view::status_json::status_json;
use crate::view::status_text::{StatusOptions, exit, status_text};
use crate::view::terminal::{Rendered, Terminal};

/// The exit code for a name that does not exist.
pub(super) const USAGE: u8 = 64;

/// Answers one question. `peer`: who asks, where the connection tells; nobody else decides anything.
pub async fn answer(
    ways_in: &WaysIn,
    shared: &Shared,
    question: &Question,
    peer: Option<Peer>,
) -> Answer {
    let terminal = terminal(question);
    let (settings, asked) = (Arc::clone(&ways_in.settings), question.names.clone());
    let found = shared.renderer.render(move || names(&settings, &asked));
    let names = match found.await {
        Ok(names) => names,
        Err(problem) => return finish(errors_text(&[problem], USAGE, terminal)),
    };
    match &question.verb {
        Verb::Status { all, quiet } => {
            let options = StatusOptions {
                all: *all,
                quiet: *quiet,
            };
            status(shared, names, question.json, options, terminal).await
        }
        Verb::Plan {
            at_millis,
            detailed,
        } => {
            let report = plan(
                ways_in,
                shared,
                &names,
                at_millis.map(Timestamp::from_millis),
            )
            .await;
            if question.json {
                json(&plan_json(&report), report.exit(*detailed))
            } else {
                finish(plan_text(&report, terminal, *detailed))
            }
        }
        Verb::Sync { wait } => sync(ways_in, shared, &names, *wait, terminal).await,
        Verb::History {
            since_millis,
            limit,
        } => {
            let since = since_millis.map(Timestamp::from_millis);
            history(
                ways_in,
                shared,
                &names,
                since,
                *limit,
                question.json,
                terminal,
            )
            .await
        }
        Verb::Integrations { account } => {
            integrations(ways_in, shared, account.as_deref(), terminal).await
        }
        Verb::Probe => finish(probe(ways_in, shared, terminal).await),
        Verb::Explain { prefix } => explain(ways_in, shared, &names, prefix, terminal).await,
        Verb::Decide(about) => decide(ways_in, shared, about, peer, terminal).await,
        Verb::Pause { is_paused, word } => {
            pause(ways_in, shared, &names, *is_paused, word, peer, terminal).await
        }
        Verb::ReloadRefused => {
            tracing::error!("Not reloaded, the old configuration stays: check-config refused it");
            shared.board.write(|it| it.reload.is_ok = false);
            Answer::default()
        }
    }
}

/// The widths that an answer is laid out for.
const WIDTHS: RangeInclusive<usize> = 20..=1_000;

fn terminal(question: &Question) -> Terminal {
    Terminal {
        width: question.width.clamp(*WIDTHS.start(), *WIDTHS.end()),
        color: question.color,
        utf8: question.utf8,
    }
}

pub(super) fn finish(rendered: Rendered) -> Answer {
    Answer {
        text: rendered.text,
        exit: rendered.exit,
        pid: std::process::id(),
        ..Answer::default()
    }
}

fn json(value: &impl Serialize, exit: u8) -> Answer {
    match serde_json::to_string(value) {
        Ok(text) => finish(Rendered {
            text: text + "\n",
            exit,
        }),
        Err(_) => finish(Rendered {
            text: String::new(),
            exit: 70,
        }),
    }
}

/// An error, and what helps.
pub(super) fn failed(text: String, help: Option<String>, exit: u8, terminal: Terminal) -> Answer {
    Answer {
        notes: errors_text(&[(text, help)], exit, terminal).text,
        exit,
        pid: std::process::id(),
        ..Answer::default()
    }
}

/// The integrations asked about; all of them if none is named.
fn names(
    settings: &Settings,
    raw: &[String],
) -> Result<BTreeSet<IntegrationName>, (String, Option<String>)> {
    let known = &settings.integrations;
    let mut names = BTreeSet::new();
    for raw in raw {
        let name = IntegrationName::parse(raw)
            .ok()
            .filter(|it| known.contains_key(it));
        let Some(name) = name else {
            let shown = printable(raw, 63);
            let near = nearest(raw, known.keys().map(IntegrationName::as_str));
            return Err((
                format!("unknown integration `{shown}`"),
                near.map(|it| format!("did you mean `{it}`?")),
            ));
        };
        names.insert(name);
    }
    Ok(names)
}

async fn status(
    shared: &Shared,
    names: BTreeSet<IntegrationName>,
    is_json: bool,
    options: StatusOptions,
    terminal: Terminal,
) -> Answer {
    let (board, now) = (shared.board.clone(), shared.clock.now().wall);
    let write = move || {
        let whole = board.read();
        let snapshot = whole.only(&names).unwrap_or(whole);
        if is_json {
            json(&status_json(&snapshot, now), exit(&snapshot, now))
        } else {
            finish(status_text(&snapshot, now, terminal, options))
        }
    };
    shared.renderer.render(write).await
}

async fn plan(
    ways_in: &WaysIn,
    shared: &Shared,
    names: &BTreeSet<IntegrationName>,
    at: Option<Timestamp>,
) -> PlanReport {
    let mut integrations = Vec::new();
    let mut requests = 0;
    for (account, worker) in &*ways_in.workers {
        let names = of_account(ways_in, account, names);
        for name in names {
            let asked = name.clone();
            let answer = ask(worker, |reply| Request::Rehearse { name, at, reply }).await;
            let rehearsal = answer.flatten();
            let Rehearsal {
                name,
                sight,
                plan,
                requests: asked,
                rows,
            } = rehearsal.unwrap_or_else(|| Rehearsal::not_made(&asked));
            let Some(settings) = ways_in.settings.integrations.get(&name) else {
                continue;
            };
            requests += asked;
            integrations.push(PlannedIntegration {
                name,
                account: account.clone(),
                mode: settings.policy.mode,
                expiry: settings.policy.expiry,
                plan,
                source_failure: sight.err().map(|it| it.to_string()),
                rows,
            });
        }
    }
    integrations.sort_by(|a, b| a.name.cmp(&b.name));
    PlanReport {
        now: shared.clock.now().wall,
        at,
        requests,
        integrations,
    }
}

async fn history(
    ways_in: &WaysIn,
    shared: &Shared,
    names: &BTreeSet<IntegrationName>,
    since: Option<Timestamp>,
    limit: u32,
    is_json: bool,
    terminal: Terminal,
) -> Answer {
    let ids: BTreeSet<IntegrationId> = names
        .iter()
        .filter_map(|it| ways_in.settings.integrations.get(it))
        .map(|it| it.integration_id)
        .collect();
    let query = Query {
        integrations: (!names.is_empty()).then_some(ids),
        since,
        fingerprint: None,
        limit,
    };
    let found = match shared.ledger.read(move |it| it.history(&query)).await {
        Ok(found) => found,
        Err(LedgerError::Missing { .. }) => History {
            records: Vec::new(),
            total: 0,
        },
        Err(error) => return failed(error.to_string(), None, 1, terminal),
    };
    let write = move || written_history(found, is_json, terminal);
    shared.renderer.render(write).await
}

fn written_history(found: History, is_json: bool, terminal: Terminal) -> Answer {
    let records: Vec<Record> = found
        .records
        .into_iter()
        .filter_map(|it| {
            let name = it
                .name
                .or_else(|| IntegrationName::parse(&it.integration.to_string()).ok())?;
            Some(Record {
                name,
                account: it.account.unwrap_or_default(),
                entry: it.entry,
            })
        })
        .collect();
    if !is_json {
        return finish(history_text(
            &records,
            usize::try_from(found.total).unwrap_or(usize::MAX),
            terminal,
        ));
    }
    let lines = records
        .iter()
        .filter_map(|it| serde_json::to_string(&record_json(it)).ok());
    finish(Rendered {
        text: lines.map(|it| it + "\n").collect(),
        exit: 0,
    })
}

/// The integrations of an account among those asked about.
pub(super) fn of_account(
    ways_in: &WaysIn,
    account: &AccountName,
    names: &BTreeSet<IntegrationName>,
) -> Vec<IntegrationName> {
    let own = ways_in
        .settings
        .integrations
        .iter()
        .filter(|(_, it)| it.account == *account);
    own.map(|(name, _)| name)
        .filter(|it| names.is_empty() || names.contains(it))
        .cloned()
        .collect()
}

/// Asks a worker; none if it is gone.
pub(super) async fn ask<T>(
    worker: &Entrance,
    request: impl FnOnce(oneshot::Sender<T>) -> Request,
) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    worker.requests.send(request(reply)).await.ok()?;
    answer.await.ok()
}
