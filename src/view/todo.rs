//! What a person can do, in the order of urgency: the only place that tells anybody what to type.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::domain::text::{count, file_name, printable, printable_path};
use crate::domain::{LookedFile, Refusal, SourceError, Timestamp};
use crate::plan::attention::Attention;
use crate::plan::policy::Mode;
use crate::plan::rollover::Item;
use crate::plan::state::State;

use super::concern::{Concern, Standing, items, latest_expiry, others, refusals};
use super::named::which;
use super::refusal_text::{help_lines, shell_word};
use super::snapshot::{AccountSnapshot, IntegrationSnapshot, Snapshot, Unusable};
use super::todo_certificate::{foreign, held, rejected, removed};

/// One thing to do.
pub(crate) struct Todo {
    /// What it is about, and what is the matter, in one line.
    pub(crate) what: String,
    /// Lines below it, each behind its label.
    pub(crate) notes: Vec<(&'static str, String)>,
}

impl Todo {
    pub(crate) const fn new(what: String) -> Self {
        Self {
            what,
            notes: Vec::new(),
        }
    }

    pub(crate) fn note(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((label, text.into()));
        self
    }
}

/// Everything that needs a person, the worst first.
pub(crate) fn todos(snapshot: &Snapshot, standings: &[Standing<'_>], now: Timestamp) -> Vec<Todo> {
    let mut by_concern: BTreeMap<Concern, Vec<Todo>> = BTreeMap::new();
    let mut add = |concern, todo| by_concern.entry(concern).or_default().push(todo);
    for standing in standings {
        for concern in &standing.concerns {
            for todo in of_integration(*concern, standing.it, now) {
                add(*concern, todo);
            }
        }
    }
    for (file, refusal, names) in refused_files(standings) {
        let concern = if refusal.reason == crate::domain::Reason::PrivateKey {
            Concern::PrivateKey
        } else {
            Concern::Refused
        };
        add(concern, refused(file, refusal, &names));
    }
    for (concern, todo) in of_accounts(snapshot, standings) {
        add(concern, todo);
    }
    if let Some(why) = &snapshot.ledger_failure {
        let what = format!("the ledger cannot be written: {}", printable(why, 200));
        let todo = Todo::new(what)
            .note(
                "what helps",
                "room and permissions in the state directory; it goes on by itself",
            )
            .note(
                "until then",
                "nothing is uploaded, because it could not be remembered",
            );
        add(Concern::Ledger, todo);
    }
    by_concern.into_values().flatten().collect()
}

fn of_integration(concern: Concern, it: &IntegrationSnapshot, now: Timestamp) -> Vec<Todo> {
    let with = |attention| {
        items(it)
            .iter()
            .filter(move |it| it.attention() == Some(attention))
    };
    match concern {
        Concern::NoTrust => vec![no_trust(it)],
        Concern::Foreign => with(Attention::Unmanaged)
            .chain(with(Attention::Replaced))
            .map(|item| foreign(item, it, now))
            .collect(),
        Concern::OnlyOthers => vec![only_others(it, now)],
        Concern::TrustEnds | Concern::NoSuccessor => ending(concern, it, now).into_iter().collect(),
        Concern::Removed => with(Attention::Removed)
            .map(|item| removed(item, it, now))
            .collect(),
        Concern::Approval => with(Attention::Approval)
            .map(|item| held(item, it, now))
            .collect(),
        Concern::KeyBudget => with(Attention::KeyBudget)
            .map(|item| held(item, it, now))
            .collect(),
        Concern::Rejected => with(Attention::Rejected)
            .map(|item| rejected(item, it, now))
            .collect(),
        Concern::Refused => surplus(it).into_iter().collect(),
        Concern::Missing => vec![
            Todo::new(format!(
                "{}: SendGrid knows no integration {}",
                it.name, it.integration_id
            ))
            .note(
                "compare",
                format!("sso-certd integrations --account {}", it.account),
            ),
        ],
        Concern::SourceDown => vec![source_down(it)],
        Concern::PrivateKey
        | Concern::Clock
        | Concern::ApiKey
        | Concern::Tls
        | Concern::Ledger
        | Concern::Stale
        | Concern::Starting
        | Concern::Waits
        | Concern::Paused => Vec::new(),
    }
}

fn no_trust(it: &IntegrationSnapshot) -> Todo {
    let todo = Todo::new(format!(
        "{}: SendGrid trusts no valid certificate for it; nobody can sign in through it",
        it.name
    ));
    let explained = items(it).iter().any(|it| it.attention().is_some());
    let todo = if explained {
        todo // what helps depends on what is told below
    } else if it.mode == Mode::Observe {
        todo.note(
            "what helps",
            "mode = \"manage\", or an upload in SendGrid's own pages: here it is only observed",
        )
    } else {
        todo.note(
            "what helps",
            format!(
                "the identity provider's current certificate in {}",
                directory(it)
            ),
        )
    };
    todo.note(
        "meanwhile",
        "who signs in to SendGrid with a password, and API keys, are not affected",
    )
}

fn only_others(it: &IntegrationSnapshot, now: Timestamp) -> Todo {
    let others = others(items(it), it.clocks(now));
    let listed: Vec<String> = others.iter().map(|it| which(it)).collect();
    let todo = Todo::new(format!(
        "{}: no certificate in the directory is trusted at SendGrid",
        it.name
    ))
    .note("listed", listed.join(", "))
    .note(
        "what helps",
        format!(
            "the file of the one in use in {}: it is then found, and watched",
            directory(it)
        ),
    );
    let readable = others.iter().find(|it| it.fingerprint.is_some());
    match readable {
        Some(item) => todo.note(
            "or",
            format!("sso-certd adopt {}: it is then ours", which(item)),
        ),
        None => todo,
    }
}

/// The end comes near and no successor is trusted; if one is on its way or held, that is said elsewhere.
fn ending(concern: Concern, it: &IntegrationSnapshot, now: Timestamp) -> Option<Todo> {
    let end = latest_expiry(it)?;
    let plan = it.plan.as_ref()?;
    let is_wanted = |it: &&Item| !it.paths.is_empty() && it.state != State::Denied;
    let known = plan.items.iter().filter(is_wanted).any(|it| {
        it.certificate
            .as_ref()
            .is_some_and(|it| it.validity().not_after > end)
    });
    if known {
        return None;
    }
    let left = crate::domain::text::left(it.clocks(now).left_until(end));
    let effect = if concern == Concern::TrustEnds {
        "logins stop then"
    } else {
        "its successor should be known by now"
    };
    Some(
        Todo::new(format!(
            "{}: trust ends on {}, in {left}; {effect}",
            it.name,
            end.date()
        ))
        .note(
            "what helps",
            format!(
                "the identity provider's next certificate in {}",
                directory(it)
            ),
        ),
    )
}

fn surplus(it: &IntegrationSnapshot) -> Option<Todo> {
    let Some(Ok(look)) = &it.source.look else {
        return None;
    };
    let surplus = Some(&look.surplus).filter(|it| !it.is_empty())?;
    let number = count(surplus.count, "file was", "files were");
    let mut named: Vec<String> = surplus.first.iter().map(|it| file_name(it)).collect();
    let more = surplus.more();
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    Some(
        Todo::new(format!(
            "{}: {number} not looked at, too many are in one directory: {}",
            it.name,
            named.join(", ")
        ))
        .note(
            "what helps",
            format!("only this integration's certificates in {}", directory(it)),
        ),
    )
}

fn source_down(it: &IntegrationSnapshot) -> Todo {
    let (why, is_missing) = match &it.source.look {
        Some(Err(error)) => (
            printable(&error.to_string(), 300),
            matches!(error, SourceError::Missing(_)),
        ),
        _ => ("its directory cannot be read".to_owned(), false),
    };
    let todo = Todo::new(format!("{}: {why}; nothing new is seen", it.name));
    let todo = if is_missing {
        todo.note(
            "make it",
            format!("install -d -m 755 {}", shell_word(&it.directory)),
        )
    } else {
        todo.note(
            "look at it",
            format!("namei -l {}", shell_word(&it.directory)),
        )
    };
    todo.note("or", format!("correct integrations.{}.directory", it.name))
}

fn of_accounts(snapshot: &Snapshot, standings: &[Standing<'_>]) -> Vec<(Concern, Todo)> {
    let concerned: BTreeSet<_> = standings
        .iter()
        .flat_map(|standing| {
            let of_account = [Concern::Clock, Concern::ApiKey, Concern::Tls].into_iter();
            let stands = of_account.filter(|it| standing.concerns.contains(it));
            stands.map(|it| (&standing.it.account, it))
        })
        .collect();
    concerned
        .into_iter()
        .filter_map(|(name, concern)| Some((snapshot.accounts.get(name)?, concern)))
        .map(|(it, concern)| {
            if concern == Concern::Clock {
                return (concern, wrong_clock(it));
            }
            if let Some(unusable) = &it.unusable {
                return (concern, nothing_to_ask_with(it, unusable));
            }
            let then = if it.key_needs_restart {
                "replace it, then: systemctl restart sso-certd"
            } else {
                "replace it; a changed file is picked up by itself"
            };
            let what = if it.uploads_forbidden && it.key_valid != Some(false) {
                format!(
                    "SendGrid forbids uploads with its key ({}); scope sso.settings.create?",
                    it.key_from
                )
            } else {
                format!("SendGrid does not accept its key ({})", it.key_from)
            };
            let todo = Todo::new(format!("account {}: {what}", it.name));
            (concern, todo.note("what helps", then))
        })
        .collect()
}

fn wrong_clock(account: &AccountSnapshot) -> Todo {
    Todo::new(format!(
        "account {}: this machine's clock and SendGrid's disagree",
        account.name
    ))
    .note("what helps", "set the clock, as timedatectl shows it")
    .note(
        "until then",
        "a certificate is over, or not yet valid, only if it is by both clocks; none is taken away",
    )
}

fn nothing_to_ask_with(account: &AccountSnapshot, unusable: &Unusable) -> Todo {
    let todo = Todo::new(format!(
        "account {}: {}",
        account.name,
        printable(&unusable.text, 200)
    ));
    let lines = unusable.help.iter().enumerate();
    lines.fold(todo, |todo, (index, line)| {
        todo.note(if index == 0 { "what helps" } else { "" }, line.trim())
    })
}

/// Every refused file once, with the integrations whose directory it lies in.
fn refused_files<'a>(
    standings: &[Standing<'a>],
) -> Vec<(&'a LookedFile, &'a Refusal, BTreeSet<String>)> {
    let mut found: BTreeMap<(&PathBuf, String), (&LookedFile, &Refusal, BTreeSet<String>)> =
        BTreeMap::new();
    for standing in standings {
        for (file, refusal) in refusals(standing.it) {
            let (_, _, names) = found
                .entry((&file.path, refusal.to_string()))
                .or_insert_with(|| (file, refusal, BTreeSet::new()));
            names.insert(standing.it.name.to_string());
        }
    }
    found.into_values().collect()
}

fn refused(file: &LookedFile, refusal: &Refusal, names: &BTreeSet<String>) -> Todo {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut todo = Todo::new(format!(
        "{}: {}: {refusal}",
        names.join(", "),
        printable_path(&file.path)
    ));
    for (index, line) in help_lines(refusal, &file.path).into_iter().enumerate() {
        todo = todo.note(if index == 0 { "help" } else { "" }, line);
    }
    todo
}

pub(crate) fn directory(it: &IntegrationSnapshot) -> String {
    printable_path(&it.directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Look, PassedOver};
    use crate::view::testing::with_look;

    #[test]
    fn the_first_twenty_surplus_files_are_named_and_the_rest_counted() {
        let first = (0..PassedOver::SHOWN).map(|it| format!("/x/{it:02}.pem").into());
        let look = Look {
            surplus: PassedOver {
                count: 40,
                first: first.collect(),
            },
            ..Look::default()
        };
        let todo = surplus(&with_look("okta", Vec::new(), look)).unwrap();
        let names: Vec<String> = (0..20).map(|it| format!("{it:02}.pem")).collect();
        let ends = format!(": {}, and 20 more", names.join(", "));
        assert!(todo.what.ends_with(&ends), "{}", todo.what);
    }
}
