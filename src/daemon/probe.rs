//! `check-config --probe`: what SendGrid says of each key and of each integration.

use std::collections::BTreeSet;

use crate::daemon::desk::ask;
use crate::daemon::generation::WaysIn;
use crate::daemon::shared::Shared;
use crate::daemon::worker::{Probe, Request};
use crate::domain::AccountName;
use crate::domain::text::printable;
use crate::plan::policy::{Mode, Policy, RetireAction};
use crate::view::check_text::{Finding, Grade, findings_text};
use crate::view::terminal::{Rendered, Terminal};

/// The scope without which nothing works.
const READ: &str = "sso.settings.read";

/// The scope of uploads.
const CREATE: &str = "sso.settings.create";

/// The scopes that a key needs for what its integrations may do by themselves.
fn needed<'a>(integrations: impl Iterator<Item = &'a Policy>) -> Vec<&'static str> {
    let mut scopes = BTreeSet::new();
    for policy in integrations.filter(|it| it.mode != Mode::Observe) {
        scopes.insert(CREATE);
        match policy.retire.action {
            RetireAction::Keep => {}
            RetireAction::Disable => drop(scopes.insert("sso.settings.update")),
            RetireAction::Delete => drop(scopes.insert("sso.settings.delete")),
        }
    }
    std::iter::once(READ).chain(scopes).collect()
}

/// Asks every account, and says what was found.
pub(super) async fn probe(ways_in: &WaysIn, shared: &Shared, terminal: Terminal) -> Rendered {
    let mut findings = Vec::new();
    for (account, worker) in &*ways_in.workers {
        let Some(answer) = ask(worker, |reply| Request::Probe { reply }).await else {
            continue;
        };
        let from = ways_in
            .settings
            .accounts
            .get(account)
            .map(|it| it.key.to_string())
            .unwrap_or_default();
        findings.extend(probe_findings(ways_in, account, &from, answer));
    }
    let asked = if shared.board.read().is_live {
        format!("asked the running daemon (pid {})", std::process::id())
    } else {
        "asked without a daemon".to_owned()
    };
    findings_text(&findings, Some(&asked), 1, terminal)
}

fn probe_findings(
    ways_in: &WaysIn,
    account: &AccountName,
    from: &str,
    answer: Probe,
) -> Vec<Finding> {
    let finding = |grade, text: String| Finding {
        grade,
        text,
        help: None,
    };
    let own = || {
        ways_in
            .settings
            .integrations
            .iter()
            .filter(|(_, it)| it.account == *account)
    };
    let mut findings = Vec::new();
    let scopes = match answer.scopes {
        Ok(scopes) => scopes,
        Err(why) => {
            findings.push(finding(
                Grade::Problem,
                format!("{account}: {why} ({from})"),
            ));
            findings.extend(own().map(|(name, _)| {
                finding(
                    Grade::Remark,
                    format!("{name}: not asked, its account has no working key"),
                )
            }));
            return findings;
        }
    };
    let has = |it: &str| scopes.iter().any(|scope| scope == it);
    let needed = needed(own().map(|(_, it)| &it.policy));
    let missing: Vec<&str> = needed.iter().copied().filter(|it| !has(it)).collect();
    if missing.is_empty() {
        let needed = needed.join(", ");
        let text = format!("{account}: key from {from}; scopes {needed}");
        findings.push(finding(Grade::Fine, text));
        if !has(CREATE) {
            let text = format!(
                "{account}: the key lacks {CREATE}, which mode = \"observe\" does not need"
            );
            findings.push(finding(Grade::Remark, text));
        }
    } else {
        let missing = missing.join(", ");
        let text = format!("{account}: the key from {from} lacks {missing}");
        findings.push(finding(Grade::Problem, text));
    }
    let surplus: Vec<&String> = scopes
        .iter()
        .filter(|it| !it.starts_with("sso.settings."))
        .collect();
    if let Some(first) = surplus.first() {
        let more = surplus.len() - 1;
        let others = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        let first = printable(first, 60);
        findings.push(finding(
            Grade::Remark,
            format!("{account}: the key may do more than it needs ({first}{others})"),
        ));
    }
    match answer.integrations {
        Err(why) => findings.push(finding(Grade::Problem, format!("{account}: {why}"))),
        Ok(remote) => findings.extend(own().map(|(name, settings)| {
            match remote.iter().find(|it| it.id == settings.integration_id) {
                Some(it) => {
                    let is_off = it.enabled == Some(false);
                    let state = if is_off {
                        "switched off at SendGrid"
                    } else {
                        "enabled"
                    };
                    let grade = if is_off { Grade::Remark } else { Grade::Fine };
                    finding(
                        grade,
                        format!("{name}: \"{}\", {state}", printable(&it.name, 80)),
                    )
                }
                None => Finding {
                    grade: Grade::Problem,
                    text: format!(
                        "{name}: account {account} has no integration with this integration_id"
                    ),
                    help: Some("sso-certd integrations lists yours".to_owned()),
                },
            }
        })),
    }
    findings
}
