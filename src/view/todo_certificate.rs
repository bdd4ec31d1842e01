//! What a person can do about one certificate or row.

use std::path::PathBuf;

use crate::domain::Timestamp;
use crate::domain::text::{count, printable_path};
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::why::Why;

use super::named::which;
use super::snapshot::IntegrationSnapshot;
use super::todo::{Todo, directory};
use super::when::day_and_clock;

pub(crate) fn foreign(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Todo {
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

pub(crate) fn removed(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Todo {
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

pub(crate) fn held(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Todo {
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
    todo.identity(item, it, now)
        .note("the same", format!("[integrations.{name}.trust]"))
        .note("", format!("pins = [\"{pin}\"]"))
        .note("", "and then: systemctl reload sso-certd")
        .note(
            "not it",
            "take its file away: it is not uploaded before you say so",
        )
}

pub(crate) fn rejected(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Todo {
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

impl Todo {
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
