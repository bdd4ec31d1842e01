//! `integrations`: what SendGrid has, beside what is configured.

use crate::adapter::control_socket::Answer;
use crate::daemon::desk::{USAGE, ask, finish};
use crate::daemon::generation::WaysIn;
use crate::daemon::shared::Shared;
use crate::daemon::worker::Request;
use crate::domain::AccountName;
use crate::domain::text::printable_path;
use crate::view::check_text::errors_text;
use crate::view::integrations_text::{AccountListing, ListedIntegration, integrations_text};
use crate::view::terminal::Terminal;

/// Lists the integrations of every account, or of one.
pub(super) async fn integrations(
    ways_in: &WaysIn,
    shared: &Shared,
    account: Option<&str>,
    terminal: Terminal,
) -> Answer {
    let configured = &ways_in.settings.integrations;
    let mut listings = Vec::new();
    for (name, worker) in &*ways_in.workers {
        if account.is_some_and(|it| it != name.as_str()) {
            continue;
        }
        let base_url = ways_in
            .settings
            .accounts
            .get(name)
            .map(|it| it.client.base_url.clone())
            .unwrap_or_default();
        let answer = ask(worker, |reply| Request::Integrations { reply }).await;
        let listed = answer
            .unwrap_or_else(|| Err("the daemon stops".to_owned()))
            .map(|all| {
                let with_names = |it: crate::daemon::worker::Surveyed| {
                    let mut own = configured.iter().filter(|(_, own)| own.account == *name);
                    let configured_as = own.find(|(_, own)| own.integration_id == it.remote.id);
                    ListedIntegration {
                        id: it.remote.id,
                        name: it.remote.name,
                        entity_id: it.remote.entity_id,
                        is_enabled: it.remote.enabled.unwrap_or(true),
                        certificates: it.certificates,
                        configured_as: configured_as.map(|(name, _)| name.clone()),
                    }
                };
                all.into_iter().map(with_names).collect()
            });
        listings.push(AccountListing {
            account: name.clone(),
            base_url,
            integrations: listed,
        });
    }
    if listings.is_empty() {
        let known: Vec<&str> = ways_in.workers.keys().map(AccountName::as_str).collect();
        let problem = (
            "there is no such account".to_owned(),
            Some(format!("known accounts: {}", known.join(", "))),
        );
        return finish(errors_text(&[problem], USAGE, terminal));
    }
    let taken = configured.keys().cloned().collect();
    let file = ways_in
        .settings
        .files_read
        .first()
        .map(|it| printable_path(it));
    let now = shared.clock.now().wall;
    finish(integrations_text(
        &listings,
        &taken,
        &file.unwrap_or_default(),
        now,
        terminal,
    ))
}
