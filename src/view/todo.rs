//! What a person can do, in the order of urgency: the only place that tells anybody what to type.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::domain::text::{count, printable, printable_path};
use crate::domain::{Fingerprint, LookedFile, Refusal, SourceError, Timestamp};
use crate::plan::attention::Attention;
use crate::plan::policy::Mode;
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::why::Why;

use super::concern::{Concern, Standing, items, latest_expiry, others, refusals};
use super::refusal_text::{help_lines, shell_word};
use super::snapshot::{IntegrationSnapshot, Snapshot};
use super::when::day_and_clock;

/// One thing to do.
pub(crate) struct Todo {
    /// What it is about, and what is the matter, in one line.
    pub(crate) what: String,
    /// Lines below it, each behind its label.
    pub(crate) notes: Vec<(&'static str, String)>,
}

impl Todo {
    const fn new(what: String) -> Self {
        Self {
            what,
            notes: Vec::new(),
        }
    }

    fn note(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((label, text.into()));
        self
    }

    /// What a person compares by eye, and where the certificate came from.
    fn identity(self, item: &Item, integration: &IntegrationSnapshot, now: Timestamp) -> Self {
        let Some(certificate) = &item.certificate else {
            return self;
        };
        let todo = self
            .note("subject", certificate.subject())
            .note("SHA-256", certificate.fingerprint().grouped())
            .note(
                "thumbprint",
                format!("{}   (SHA-1, Entra and AD FS)", certificate.thumbprint()),
            );
        if item.paths.is_empty() {
            return todo;
        }
        let since = item.since.map_or(String::new(), |it| {
            format!(", first seen {}", day_and_clock(it, now))
        });
        todo.note("from", format!("{}{since}", sources(item, integration)))
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
    for todo in of_accounts(snapshot, standings) {
        add(Concern::ApiKey, todo);
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
        | Concern::ApiKey
        | Concern::Ledger
        | Concern::Stale
        | Concern::Starting
        | Concern::Waits => Vec::new(),
    }
}

fn no_trust(it: &IntegrationSnapshot) -> Todo {
    let todo = Todo::new(format!(
        "{}: SendGrid trusts no valid certificate for it; nobody can sign in through it",
        it.name
    ));
    let todo = if it.mode == Mode::Observe {
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

fn foreign(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Todo {
    let which = which(item);
    let row = item
        .id
        .as_ref()
        .map_or(String::new(), |it| format!(" (id {it})"));
    match item.state {
        State::Replaced => {
            let carries = match item.why {
                Why::Carries(Some(other)) => other.short(),
                _ => "something that cannot be read".to_owned(),
            };
            Todo::new(format!(
                "{}: the row of our {which}{row} now carries {carries}; it was not us",
                it.name
            ))
            .note("find out", "who changed it in SendGrid's own pages")
            .note(
                "then",
                "delete that row there if it was not on purpose; sso-certd never touches it",
            )
        }
        State::Undecodable => Todo::new(format!(
            "{}: SendGrid lists a row{row} that cannot be read",
            it.name
        ))
        .note(
            "look at it",
            "in SendGrid's own pages; sso-certd leaves it alone",
        ),
        _ => Todo::new(format!(
            "{}: SendGrid lists {which}{row}, which did not come from here",
            it.name
        ))
        .identity(item, it, now)
        .note("find out", "who added it in SendGrid's own pages")
        .note(
            "a mistake",
            "delete it there: whoever holds its key can sign in",
        )
        .note("on purpose", format!("put its file into {}", directory(it))),
    }
}

fn only_others(it: &IntegrationSnapshot, now: Timestamp) -> Todo {
    let others: Vec<String> = others(items(it), now).into_iter().map(which).collect();
    Todo::new(format!(
        "{}: no certificate in the directory is trusted at SendGrid",
        it.name
    ))
    .note("listed", others.join(", "))
    .note(
        "what helps",
        format!(
            "the file of the one in use in {}: it is then found, and watched",
            directory(it)
        ),
    )
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
    let left = crate::domain::text::left(end.since(now));
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

fn removed(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Todo {
    let new_key = format!(
        "a certificate with a new key from the identity provider, into {}",
        directory(it)
    );
    if let Why::RemovedKey(other) = item.why {
        return Todo::new(format!(
            "{}: {} is held: its key is that of {}, which somebody deleted at SendGrid",
            it.name,
            which(item),
            other.short()
        ))
        .identity(item, it, now)
        .note("stolen key", new_key)
        .note(
            "a mistake",
            "add it by hand in SendGrid's own pages; sso-certd then finds it",
        );
    }
    let todo = Todo::new(format!(
        "{}: somebody deleted {} at SendGrid; it was not us",
        it.name,
        which(item)
    ))
    .note(
        "a mistake",
        "add it again in SendGrid's own pages; sso-certd then finds it",
    )
    .note("stolen key", new_key);
    let files: Vec<String> = item.paths.iter().map(|it| printable_path(it)).collect();
    if files.is_empty() {
        todo
    } else {
        todo.note("on purpose", format!("take away {}", files.join(", ")))
    }
}

fn held(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Todo {
    let name = &it.name;
    let todo = match item.why {
        Why::TooMany { limit } => {
            return Todo::new(format!(
                "{name}: {} is held: more than {limit} certificates are wanted",
                which(item)
            ))
            .note(
                "what helps",
                format!(
                    "take away from {} what the identity provider signs with no more",
                    directory(it)
                ),
            );
        }
        Why::KeyBudget { limit } => Todo::new(format!(
            "{name}: {} is held: more than {} in 24 h; compare it with the identity provider's own page",
            which(item),
            count(
                usize::try_from(limit).unwrap_or(usize::MAX),
                "new key",
                "new keys"
            ),
        )),
        _ => Todo::new(format!(
            "{name}: compare this with the identity provider's own page, not with this machine"
        )),
    };
    let pin = item.fingerprint.map(|it| it.hex()).unwrap_or_default();
    let file = item.paths.first().map(|it| shell_word(it));
    todo.identity(item, it, now)
        .note("the same", format!("[integrations.{name}.trust]"))
        .note("", format!("pins = [\"{pin}\"]"))
        .note("", "and then: systemctl reload sso-certd")
        .note(
            "not it",
            file.map_or_else(
                || "take its file away".to_owned(),
                |it| format!("take the file away: rm {it}"),
            ),
        )
}

fn rejected(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Todo {
    let again = item.why.until().map_or(String::new(), |it| {
        format!("; sent again {}", day_and_clock(it, now))
    });
    Todo::new(format!(
        "{}: SendGrid refuses {} (400){again}",
        it.name,
        which(item)
    ))
    .identity(item, it, now)
    .note("look at it", "does SendGrid's own page take the same file?")
    .note("sooner", format!("sso-certd sync {}", it.name))
}

fn surplus(it: &IntegrationSnapshot) -> Option<Todo> {
    let Some(Ok(look)) = &it.source.look else {
        return None;
    };
    let last = look.surplus.last()?;
    let number = count(look.surplus.len(), "file was", "files were");
    Some(
        Todo::new(format!(
            "{}: {number} not looked at, up to {}: too many in one directory",
            it.name,
            printable_path(last)
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

fn of_accounts(snapshot: &Snapshot, standings: &[Standing<'_>]) -> Vec<Todo> {
    let concerned: BTreeSet<_> = standings
        .iter()
        .filter(|it| it.concerns.contains(&Concern::ApiKey))
        .map(|it| &it.it.account)
        .collect();
    let account = |name| snapshot.accounts.get(name);
    concerned
        .into_iter()
        .filter_map(account)
        .map(|it| {
            let then = if it.key_needs_restart {
                "replace it, then: systemctl restart sso-certd"
            } else {
                "replace it; a changed file is picked up by itself"
            };
            Todo::new(format!(
                "account {}: SendGrid does not accept its key ({})",
                it.name, it.key_from
            ))
            .note("what helps", then)
        })
        .collect()
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

/// The files that hold it, with who wrote them.
fn sources(item: &Item, integration: &IntegrationSnapshot) -> String {
    let owner = |path: &PathBuf| match &integration.source.look {
        Some(Ok(look)) => look
            .files
            .iter()
            .find(|it| it.path == *path)
            .map(|it| it.owner.clone()),
        _ => None,
    };
    let files: Vec<String> = item
        .paths
        .iter()
        .map(|path| match owner(path) {
            Some(owner) => format!("{} ({owner})", printable_path(path)),
            None => printable_path(path),
        })
        .collect();
    files.join(", ")
}

fn directory(it: &IntegrationSnapshot) -> String {
    printable_path(&it.directory)
}

fn which(item: &Item) -> String {
    item.fingerprint.as_ref().map_or_else(
        || {
            item.id
                .as_ref()
                .map_or_else(|| "a row".to_owned(), |it| format!("row {it}"))
        },
        Fingerprint::short,
    )
}
