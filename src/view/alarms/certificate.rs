//! What to do about one certificate or row.

use std::path::PathBuf;

use crate::domain::Timestamp;
use crate::domain::text::{count, printable_path};
use crate::plan::rollover::Item;
use crate::plan::why::Why;

use super::Advice;
use super::advice::directory;
use super::raise::decide_by;
use crate::view::named::which;
use crate::view::snapshot::IntegrationSnapshot;
use crate::view::when::day_and_clock;

pub(super) fn unmanaged(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Advice {
    let which = which(item);
    if item.why == Why::DeniedAndListed {
        return Advice::new(format!(
            "{}: SendGrid lists {which}{}, which was denied: whoever holds its key can sign in",
            it.name,
            row(item)
        ))
        .identity(item, it, now)
        .note("ours", format!("sso-certd retire {which} --delete"))
        .note(
            "else",
            "delete it in SendGrid's own pages, also if it is the last one",
        );
    }
    Advice::new(format!(
        "{}: SendGrid lists {which}{}, which did not come from here",
        it.name,
        row(item)
    ))
    .identity(item, it, now)
    .note("find out", "who added it in SendGrid's own pages")
    .note(
        "not known",
        format!("delete it there, whoever holds its key can sign in; then sso-certd deny {which}"),
    )
    .note(
        "known",
        format!("sso-certd adopt {which}         (ours from now on)"),
    )
    .note(
        "or",
        format!("sso-certd acknowledge {which}   (left alone, no alarm)"),
    )
}

pub(super) fn replaced(item: &Item, it: &IntegrationSnapshot) -> Advice {
    let which = which(item);
    let carries = match item.why {
        Why::Carries(Some(other)) => other.short(),
        _ => "something that cannot be read".to_owned(),
    };
    Advice::new(format!(
        "{}: the row of our {which}{} now carries {carries}; it was not us",
        it.name,
        row(item)
    ))
    .note("find out", "who changed it in SendGrid's own pages")
    .note(
        "then",
        "delete that row there if it was not on purpose; sso-certd never touches it",
    )
}

pub(super) fn undecodable(item: &Item, it: &IntegrationSnapshot) -> Advice {
    Advice::new(format!(
        "{}: SendGrid lists a row{} that cannot be read",
        it.name,
        row(item)
    ))
    .note(
        "look at it",
        "in SendGrid's own pages; sso-certd leaves it alone",
    )
}

pub(super) fn duplicate(item: &Item, it: &IntegrationSnapshot) -> Advice {
    Advice::new(format!(
        "{}: SendGrid lists {} twice{}; logins work",
        it.name,
        which(item),
        row(item)
    ))
    .note(
        "find out",
        "whether a second sso-certd manages this integration: stop one",
    )
}

/// The row's id in brackets, if it has one.
fn row(item: &Item) -> String {
    let id = item.id.as_ref();
    id.map_or_else(String::new, |it| format!(" (id {it})"))
}

pub(super) fn removed(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Advice {
    let which = which(item);
    if item.why == Why::RetiredByPerson {
        return Advice::new(format!(
            "{}: a person took {which} away, and its file still asks for it",
            it.name
        ))
        .note("stays away", take_away(item))
        .note("want back", format!("sso-certd restore {which}"));
    }
    if let Why::RemovedKey(other) = item.why {
        let other = other.short();
        return Advice::new(format!(
            "{}: {which} is held: its key is that of {other}, which somebody deleted at SendGrid",
            it.name
        ))
        .identity(item, it, now)
        .note(
            "a mistake",
            format!("sso-certd restore {other}, unless it has expired"),
        )
        .note(
            "good key",
            "sso-certd approve FINGERPRINT, with all 64 digits from above",
        )
        .note(
            "stolen key",
            format!("sso-certd deny {other}, and a certificate with a new key"),
        );
    }
    Advice::new(format!(
        "{}: somebody deleted {which} at SendGrid; it was not us",
        it.name
    ))
    .note(
        "a mistake",
        format!("sso-certd restore {which}      (logins work again after some seconds)"),
    )
    .note(
        "on purpose",
        format!("sso-certd deny {which}         (stolen key: first a new one from the provider)"),
    )
}

/// How a file stops asking for it.
fn take_away(item: &Item) -> String {
    let files: Vec<String> = item.paths.iter().map(|it| printable_path(it)).collect();
    if files.is_empty() {
        return "take its file away".to_owned();
    }
    format!("take away {}", files.join(", "))
}

pub(super) fn held(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Advice {
    let name = &it.name;
    let advice = match item.why {
        Why::TooMany { limit } => {
            return Advice::new(format!(
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
        Why::KeyBudget { limit } => Advice::new(format!(
            "{name}: {} is held: more than {} in 24 h; compare it with the identity provider's own page",
            which(item),
            count(
                usize::try_from(limit).unwrap_or(usize::MAX),
                "new key",
                "new keys"
            ),
        )),
        _ => Advice::new(format!(
            "{name}: compare this with the identity provider's own page, not with this machine"
        )),
    };
    let which = which(item);
    let advice = advice
        .identity(item, it, now)
        .note("the same", format!("sso-certd approve {which}"))
        .note("not it", format!("sso-certd deny {which}"));
    match deadline(item, it) {
        Some(deadline) => advice.note("by", deadline),
        None => advice,
    }
}

/// By when a person must have said something of what is held, and why by then.
fn deadline(item: &Item, it: &IntegrationSnapshot) -> Option<String> {
    let outlook = &it.plan.as_ref()?.outlook;
    if outlook.trusted == 0 {
        return Some("now: nothing of the directory is trusted until somebody decides".to_owned());
    }
    let (end, by) = (outlook.ends?, decide_by(item, outlook)?);
    Some(if by < end {
        format!(
            "{}, five days after it appeared: AD FS then signs with it; trust ends on {}",
            by.date(),
            end.date()
        )
    } else {
        format!("{}: what is trusted ends then", end.date())
    })
}

pub(super) fn rejected(item: &Item, it: &IntegrationSnapshot, now: Timestamp) -> Advice {
    let again = item.why.until().map_or(String::new(), |it| {
        format!("; sent again {}", day_and_clock(it, now))
    });
    Advice::new(format!(
        "{}: SendGrid refuses {} (400){again}",
        it.name,
        which(item)
    ))
    .identity(item, it, now)
    .note("look at it", "does SendGrid's own page take the same file?")
    .note("sooner", format!("sso-certd sync {}", it.name))
}

impl Advice {
    /// What a person compares by eye, and where the certificate came from.
    fn identity(self, item: &Item, integration: &IntegrationSnapshot, now: Timestamp) -> Self {
        let Some(certificate) = &item.certificate else {
            return self;
        };
        let advice = self
            .note("subject", certificate.subject())
            .note("SHA-256", certificate.fingerprint().grouped())
            .note(
                "thumbprint",
                format!("{}   (SHA-1, Entra and AD FS)", certificate.thumbprint()),
            );
        if item.paths.is_empty() {
            return advice;
        }
        let since = item.since.map_or(String::new(), |it| {
            format!(", first seen {}", day_and_clock(it, now))
        });
        advice.note("from", format!("{}{since}", sources(item, integration)))
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
