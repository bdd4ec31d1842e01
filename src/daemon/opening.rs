//! The snapshot before anything was asked of SendGrid: what the ledger knew last, and where no daemon runs the files of
//! now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::adapter::ledger::{Ledger, LedgerError};
use crate::adapter::sendgrid::KeySource;
use crate::config::{AccountSettings, IntegrationSettings, Settings};
use crate::daemon::quiet::all_quiet;
use crate::daemon::shared::Shared;
use crate::domain::{AccountName, IntegrationId, IntegrationName, Look, Moment, Skew};
use crate::plan::admission::Admission;
use crate::plan::book::Book;
use crate::plan::retire::Block;
use crate::plan::rollover::{Inputs, Item, Plan, plan};
use crate::plan::source::note_source;
use crate::view::snapshot::{
    AccountSnapshot, IntegrationSnapshot, Orphan, OrphanCertificate, ReloadSnapshot,
    ScheduleSnapshot, Snapshot, SourceSnapshot,
};

/// What can be told from the ledger alone. `is_live`: a daemon is about to stand behind it.
///
/// # Errors
/// The ledger cannot be read.
pub fn opening(
    settings: &Settings,
    ledger: Option<&Ledger>,
    now: &Moment,
    is_live: bool,
) -> Result<Snapshot, LedgerError> {
    let mut integrations = BTreeMap::new();
    for (name, integration) in &settings.integrations {
        let book = ledger.map_or_else(
            || Ok(Book::default()),
            |it| it.load(integration.integration_id),
        )?;
        integrations.insert(name.clone(), from_book(name, integration, &book, now));
    }
    let orphans = ledger.map_or_else(|| Ok(Vec::new()), |it| orphans(settings, it))?;
    let compared = integrations.values().filter_map(|it| it.compared_at).max();
    let accounts = settings
        .accounts
        .iter()
        .map(|(name, it)| (name.clone(), account(name, it, settings)))
        .collect();
    Ok(Snapshot {
        at: if is_live {
            now.wall
        } else {
            compared.unwrap_or(now.wall)
        },
        started: now.wall,
        host: host(),
        is_live,
        integrations,
        orphans,
        accounts,
        ledger_failure: None,
        schedule: ScheduleSnapshot::default(),
        reload: ReloadSnapshot {
            is_ok: true,
            succeeded_at: now.wall,
        },
    })
}

/// The same once the directories were looked at, for a command where no daemon runs: what the daemon would make of what
/// the ledger knew last and of what lies there now.
///
/// # Errors
/// The ledger cannot be read.
pub async fn with_files(settings: &Settings, shared: &Shared) -> Result<(), LedgerError> {
    all_quiet(&shared.board).await;
    let now = shared.clock.now();
    let whole = shared.board.read();
    for (name, integration) in &settings.integrations {
        let source = whole.integrations.get(name).map(|it| &it.source);
        let Some(Ok(scan)) = source.and_then(|it| it.scan.as_ref()) else {
            continue;
        };
        let id = integration.integration_id;
        let mut book = shared.ledger.read(move |it| it.load(id)).await?;
        note_source(&mut book, Some(scan), &integration.policy, &now);
        let plan = imagined(integration, &book, Some(scan), &now).map(Arc::new);
        let admission = Admission::of(&book, &integration.policy);
        shared.board.write(|snapshot| {
            if let Some(it) = snapshot.integrations.get_mut(name) {
                it.source.admit(admission);
                it.plan = plan;
            }
        });
    }
    Ok(())
}

/// What the ledger still has of integrations that are no longer configured.
///
/// # Errors
/// The ledger cannot be read.
pub fn orphans(settings: &Settings, ledger: &Ledger) -> Result<Vec<Orphan>, LedgerError> {
    let configured: BTreeSet<IntegrationId> = settings
        .integrations
        .values()
        .map(|it| it.integration_id)
        .collect();
    let mut orphans = Vec::new();
    for known in ledger.known_integrations()? {
        if configured.contains(&known.id) {
            continue;
        }
        let book = ledger.load(known.id)?;
        let certificates: Vec<OrphanCertificate> = book
            .beliefs
            .iter()
            .map(|(fingerprint, belief)| OrphanCertificate {
                fingerprint: *fingerprint,
                certificate: belief.certificate.clone(),
                id: belief.id().cloned(),
            })
            .collect();
        if !certificates.is_empty() {
            orphans.push(Orphan {
                integration_id: known.id,
                name: known.name,
                account: known.account,
                certificates,
            });
        }
    }
    Ok(orphans)
}

/// The same daemon under a new configuration: what is known of an integration stays known.
pub fn carry_over(old: &Snapshot, mut new: Snapshot) -> Snapshot {
    for (name, integration) in &mut new.integrations {
        let Some(before) = old.integrations.get(name) else {
            continue;
        };
        if before.integration_id == integration.integration_id
            && before.directory == integration.directory
        {
            let (mode, expiry, account) = (
                integration.mode,
                integration.expiry,
                integration.account.clone(),
            );
            let admission = integration.source.admission.clone();
            *integration = IntegrationSnapshot {
                account,
                mode,
                expiry,
                ..before.clone()
            };
            integration.source.admit(admission);
        }
    }
    Snapshot {
        started: old.started,
        host: old.host.clone(),
        ledger_failure: old.ledger_failure.clone(),
        ..new
    }
}

fn from_book(
    name: &IntegrationName,
    settings: &IntegrationSettings,
    book: &Book,
    now: &Moment,
) -> IntegrationSnapshot {
    let plan = imagined(settings, book, None, now).map(|mut plan| {
        plan.items.iter_mut().for_each(unjudge);
        Arc::new(plan)
    });
    IntegrationSnapshot {
        name: name.clone(),
        account: settings.account.clone(),
        integration_id: settings.integration_id,
        mode: settings.policy.mode,
        directory: settings.directory.directory.clone(),
        expiry: settings.policy.expiry,
        plan,
        source: SourceSnapshot {
            scan: None,
            admission: Admission::of(book, &settings.policy),
            look: None,
            looked_at: None,
            down_since: None,
            is_watched: false,
        },
        configured_at: now.wall,
        compared_at: book.last_list,
        has_passed: false,
        failure: None,
        last_change: None,
    }
}

/// The plan, if SendGrid listed what it did when it was last compared; none if it never was.
fn imagined(
    settings: &IntegrationSettings,
    book: &Book,
    look: Option<&Look>,
    now: &Moment,
) -> Option<Plan> {
    book.first_list?;
    Some(plan(&Inputs {
        look,
        rows: &book.as_listed(),
        book,
        policy: &settings.policy,
        skew: Skew::None,
        now,
    }))
}

/// Nobody has looked at the source yet: it is not down, and what the configuration makes of an old certificate is not
/// known before a look.
fn unjudge(item: &mut Item) {
    let retirement = item.retirement.take();
    item.retirement = retirement
        .filter(|it| it.ordered || it.again)
        .map(|mut it| {
            it.blocks.retain(|block| *block != Block::SourceDown);
            it
        });
}

fn account(name: &AccountName, settings: &AccountSettings, all: &Settings) -> AccountSnapshot {
    let integrations = all.integrations.values();
    AccountSnapshot {
        name: name.clone(),
        requests_per_minute: settings.gate.requests_per_minute,
        key_from: settings.key.to_string(),
        key_needs_restart: matches!(
            settings.key,
            KeySource::Credential { .. } | KeySource::Variable
        ),
        unusable: None,
        uploads_forbidden: false,
        key_valid: None,
        backoff: None,
        answered_at: None,
        failures: 0,
        failure: None,
        rate_limit: None,
        rate_remaining: None,
        rate_reset: None,
        clock_skew: None,
        clock: None,
        integrations: integrations.filter(|it| it.account == *name).count(),
    }
}

fn host() -> String {
    let name = rustix::system::uname();
    crate::domain::text::printable(&name.nodename().to_string_lossy(), 64)
}
