//! What to do about each alarm, and what to type.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::domain::text::{count, file_name, left, printable, printable_path};
use crate::domain::{LookedFile, Reason, Refusal, SourceError};
use crate::plan::policy::Mode;
use crate::plan::rollover::Item;
use crate::plan::state::State;

use super::certificate;
use super::raise::{About, Raised, reason_of};
use super::sentence::{LONGEST, before, trouble};
use super::{Advice, AlarmReason, Scene};
use crate::view::named::which;
use crate::view::refusal_text::{help_lines, shell_word};
use crate::view::snapshot::{
    AccountSnapshot, FailureKind, IntegrationSnapshot, Snapshot, Unusable,
};
use crate::view::standing::{items, latest_end, others, pause, refusals};
use crate::view::when::clock;

impl Advice {
    pub(super) const fn new(what: String) -> Self {
        Self {
            what,
            notes: Vec::new(),
        }
    }

    pub(super) fn note(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((label, text.into()));
        self
    }

    fn lines(self, label: &'static str, lines: &[String]) -> Self {
        let lines = lines.iter().enumerate();
        lines.fold(self, |advice, (index, line)| {
            advice.note(if index == 0 { label } else { "" }, line.trim())
        })
    }
}

/// What advice is drawn from.
pub(super) struct Adviser<'a> {
    scene: &'a Scene<'a>,
    files: RefusedFiles<'a>,
}

impl<'a> Adviser<'a> {
    pub(super) fn new(scene: &'a Scene<'a>) -> Self {
        Self {
            scene,
            files: RefusedFiles::of(scene.snapshot),
        }
    }
}

impl Adviser<'_> {
    /// What to do about an alarm; nothing if another one says it.
    pub(super) fn advise(&self, raised: &Raised<'_>) -> Vec<Advice> {
        match raised.about {
            About::Daemon => vec![self.ledger()],
            About::Account(it) => self.of_account(raised, it).into_iter().collect(),
            About::Integration(it) => self.of_integration(raised.reason, it),
        }
    }

    fn ledger(&self) -> Advice {
        let why = self
            .scene
            .snapshot
            .ledger_failure
            .as_deref()
            .unwrap_or_default();
        Advice::new(format!(
            "the ledger cannot be written: {}",
            printable(why, LONGEST)
        ))
        .note(
            "what helps",
            "room and permissions in the state directory; it goes on by itself",
        )
        .note(
            "until then",
            "nothing is uploaded, because it could not be remembered",
        )
    }

    fn of_account(&self, raised: &Raised<'_>, account: &AccountSnapshot) -> Option<Advice> {
        match raised.reason {
            AlarmReason::ApiKey => Some(api_key(account)),
            AlarmReason::Tls => Some(tls(account)),
            AlarmReason::Clock => Some(clock_differs(account)),
            AlarmReason::NotCompared => self.not_compared(account),
            other => Some(Advice::new(format!("account {}: {other}", account.name))),
        }
    }

    /// Why all of an account is not compared, unless the key or the connection is known to lack something.
    fn not_compared(&self, account: &AccountSnapshot) -> Option<Advice> {
        if account.needs_key() || account.unusable.is_some() {
            return None;
        }
        let name = &account.name;
        let failure = account.failure.as_ref();
        let why = failure.map_or_else(
            || "SendGrid was not asked yet".to_owned(),
            |it| printable(&it.text, LONGEST),
        );
        let advice = Advice::new(format!("account {name}: nothing is compared: {why}"));
        let advice = match failure.map(|it| it.kind) {
            Some(FailureKind::Status(403)) => advice
                .note(
                    "look at",
                    "the key's scopes (sso.settings.read), the plan (with SSO?), IP access management",
                )
                .note("ask", "sso-certd check-config --probe"),
            Some(FailureKind::Status(_)) => advice.note("ask", "sso-certd check-config --probe"),
            Some(FailureKind::NoAnswer | FailureKind::Tls) => advice
                .note("look at", format!("DNS, firewall, accounts.{name}.proxy: the way to SendGrid"))
                .note("ask", "sso-certd check-config --probe"),
            None => advice,
        };
        let again = account
            .backoff
            .as_ref()
            .filter(|it| it.until > self.scene.now);
        let advice = match again {
            Some(backoff) => advice.note(
                "by itself",
                format!("asked again at {}", clock(backoff.until, self.scene.now)),
            ),
            None => advice,
        };
        Some(advice.note("until then", "what SendGrid trusts stays as it is"))
    }

    fn of_integration(&self, reason: AlarmReason, it: &IntegrationSnapshot) -> Vec<Advice> {
        let each = |advise: &dyn Fn(&Item) -> Advice| -> Vec<Advice> {
            self.scene
                .of_reason(it, reason)
                .into_iter()
                .map(advise)
                .collect()
        };
        let now = self.scene.now;
        match reason {
            AlarmReason::NoTrust => vec![self.no_trust(it)],
            AlarmReason::Unmanaged => each(&|item| certificate::unmanaged(item, it, now)),
            AlarmReason::Replaced => each(&|item| certificate::replaced(item, it)),
            AlarmReason::Undecodable => each(&|item| certificate::undecodable(item, it)),
            AlarmReason::Duplicate => each(&|item| certificate::duplicate(item, it)),
            AlarmReason::Removed => each(&|item| certificate::removed(item, it, now)),
            AlarmReason::Undelivered => each(&|item| self.undelivered(item, it)),
            AlarmReason::Approval | AlarmReason::KeyBudget => {
                each(&|item| certificate::held(item, it, now))
            }
            AlarmReason::Rejected => each(&|item| certificate::rejected(item, it, now)),
            AlarmReason::TrustEnds => self.ending(it, "logins stop then"),
            // While trust ends within days, that alarm says it.
            AlarmReason::NoSuccessor if self.scene.stands(AlarmReason::TrustEnds, it) => Vec::new(),
            AlarmReason::NoSuccessor => self.ending(it, "its successor should be known by now"),
            AlarmReason::PrivateKey => self.files.advice(it, true),
            AlarmReason::Refused => {
                let mut advice = self.files.advice(it, false);
                advice.extend(surplus(it));
                advice
            }
            AlarmReason::IdChanged => vec![
                Advice::new(format!(
                    "{}: its integration_id was {} and is {}",
                    it.name,
                    before(it),
                    it.integration_id
                ))
                .note("the new one", format!("sso-certd resume {}", it.name))
                .note(
                    "the old one",
                    format!(
                        "correct integrations.{}.integration_id, then: systemctl reload sso-certd",
                        it.name
                    ),
                ),
            ],
            AlarmReason::IntegrationMissing => vec![
                Advice::new(format!(
                    "{}: SendGrid knows no integration {}",
                    it.name, it.integration_id
                ))
                .note(
                    "compare",
                    format!("sso-certd integrations --account {}", it.account),
                ),
            ],
            AlarmReason::SourceDown => vec![source_down(it)],
            AlarmReason::Withheld => vec![withheld(it, &self.scene.of_reason(it, reason))],
            AlarmReason::NotInSource => {
                vec![others_alone(it, &others(items(it), it.clocks(now)))]
            }
            AlarmReason::NotSetUp => vec![self.help_in(
                Advice::new(format!(
                    "{}: SendGrid has listed no valid certificate for it yet",
                    it.name
                )),
                it,
            )],
            AlarmReason::NotCompared => uncompared(it),
            AlarmReason::Ledger | AlarmReason::Clock | AlarmReason::ApiKey | AlarmReason::Tls => {
                Vec::new()
            }
        }
    }

    fn undelivered(&self, item: &Item, it: &IntegrationSnapshot) -> Advice {
        let which = which(item);
        let advice = Advice::new(format!(
            "{}: {which} was sent and does not arrive: {}",
            it.name, item.why
        ))
        .note("now", format!("sso-certd sync {}", it.name));
        let account = self.scene.snapshot.accounts.get(&it.account);
        if account.is_some_and(|it| it.uploads_forbidden) {
            return advice.note(
                "look at",
                "the key's scopes (sso.settings.create): sso-certd check-config --probe",
            );
        }
        advice.note("or", "an upload in SendGrid's own pages")
    }

    fn no_trust(&self, it: &IntegrationSnapshot) -> Advice {
        let others = others(items(it), it.clocks(self.scene.now));
        if !others.is_empty() {
            return others_alone(it, &others);
        }
        let advice = Advice::new(format!(
            "{}: SendGrid trusts no valid certificate for it; nobody can sign in through it",
            it.name
        ));
        self.help_in(advice, it).note(
            "meanwhile",
            "who signs in to SendGrid with a password, and API keys, are not affected",
        )
    }

    /// What brings a certificate to SendGrid where none is valid.
    fn help_in(&self, advice: Advice, it: &IntegrationSnapshot) -> Advice {
        let is_told = |item: &Item| reason_of(item, it.mode, self.scene.now).is_some();
        if items(it).iter().any(is_told) {
            return advice; // what helps depends on what another alarm says
        }
        let goes = |item: &&Item| {
            matches!(
                item.state,
                State::Planned | State::Settling | State::Waiting | State::Ahead
            )
        };
        if let Some(item) = items(it).iter().find(goes) {
            let why = match item.state {
                State::Ahead => "it is there, and its validity begins later".to_owned(),
                _ => item.why.to_string(),
            };
            return advice.note("waits", format!("{}: {why}", which(item)));
        }
        if it.mode == Mode::Observe {
            return advice.note(
                "what helps",
                "mode = \"manage\", or an upload in SendGrid's own pages: here it is only observed",
            );
        }
        let advice = advice.note(
            "what helps",
            format!(
                "the identity provider's current certificate in {}",
                directory(it)
            ),
        );
        match ignored(it) {
            Some(file) => advice.note(
                "ignored",
                format!("{file}: integrations.{}.files does not name it", it.name),
            ),
            None => advice,
        }
    }

    /// The end comes near and no successor is trusted; if one is on its way or held, that is said elsewhere.
    fn ending(&self, it: &IntegrationSnapshot, effect: &str) -> Vec<Advice> {
        let Some(end) = latest_end(it) else {
            return Vec::new();
        };
        let is_wanted = |it: &&Item| !it.paths.is_empty() && it.state != State::Denied;
        let ends_later = |it: &Item| {
            let certificate = it.certificate.as_ref();
            certificate.is_some_and(|it| it.validity().not_after > end)
        };
        if items(it).iter().filter(is_wanted).any(ends_later) {
            return Vec::new();
        }
        vec![
            Advice::new(format!(
                "{}: trust ends on {}, in {}; {effect}",
                it.name,
                end.date(),
                left(it.clocks(self.scene.now).left_until(end))
            ))
            .note(
                "what helps",
                format!(
                    "the identity provider's next certificate in {}",
                    directory(it)
                ),
            ),
        ]
    }
}

fn uncompared(it: &IntegrationSnapshot) -> Vec<Advice> {
    let Some(failure) = it.failure.as_ref().filter(|it| !it.is_missing) else {
        return Vec::new(); // said by `integration_missing`, or by the account
    };
    let why = printable(&failure.text, LONGEST);
    vec![
        Advice::new(format!("{}: not compared with SendGrid: {why}", it.name))
            .note("now", format!("sso-certd sync {}", it.name))
            .note("until then", "what SendGrid trusts stays as it is"),
    ]
}

/// Nothing of the directory counts, and SendGrid lists what others uploaded.
fn others_alone(it: &IntegrationSnapshot, others: &[&Item]) -> Advice {
    let listed: Vec<String> = others.iter().map(|it| which(it)).collect();
    let advice = Advice::new(format!(
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
    match others.iter().find(|it| it.fingerprint.is_some()) {
        Some(item) => advice
            .note(
                "or",
                format!("sso-certd adopt {}: it is then ours", which(item)),
            )
            .note(
                "or",
                format!("sso-certd acknowledge {}: it is left alone", which(item)),
            ),
        None => advice,
    }
}

fn withheld(it: &IntegrationSnapshot, withheld: &[&Item]) -> Advice {
    let names: Vec<String> = withheld.iter().map(|it| which(it)).collect();
    let number = count(names.len(), "certificate is", "certificates are");
    let advice =
        Advice::new(format!("{}: {number} not uploaded", it.name)).note("waits", names.join(", "));
    if pause(it).is_some() {
        return advice.note("what helps", format!("sso-certd resume {}", it.name));
    }
    advice
        .note(
            "what helps",
            format!(
                "mode = \"manage\" in [integrations.{}], then: systemctl reload sso-certd",
                it.name
            ),
        )
        .note("or", "an upload in SendGrid's own pages")
}

fn surplus(it: &IntegrationSnapshot) -> Option<Advice> {
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
        Advice::new(format!(
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

/// The first file that is ignored where nothing is accepted.
fn ignored(it: &IntegrationSnapshot) -> Option<String> {
    let Some(Ok(look)) = &it.source.look else {
        return None;
    };
    if look.files.iter().any(|it| it.verdict.is_accepted()) {
        return None;
    }
    let judged = look.files.iter().filter(|it| it.verdict.is_ignored());
    let judged = judged.map(|it| &it.path);
    let first = look.ignored.first.iter().chain(judged).next();
    first.map(|it| file_name(it))
}

fn source_down(it: &IntegrationSnapshot) -> Advice {
    let (why, is_missing) = match &it.source.look {
        Some(Err(error)) => (
            printable(&error.to_string(), 300),
            matches!(error, SourceError::Missing(_)),
        ),
        _ => ("its directory cannot be read".to_owned(), false),
    };
    let advice = Advice::new(format!("{}: {why}; nothing new is seen", it.name));
    let advice = if is_missing {
        advice.note(
            "make it",
            format!("install -d -m 755 {}", shell_word(&it.directory)),
        )
    } else {
        advice.note(
            "look at it",
            format!("namei -l {}", shell_word(&it.directory)),
        )
    };
    advice.note("or", format!("correct integrations.{}.directory", it.name))
}

fn api_key(account: &AccountSnapshot) -> Advice {
    if let Some(unusable) = &account.unusable {
        return nothing_to_ask_with(account, unusable);
    }
    let then = if account.key_needs_restart {
        "replace it, then: systemctl restart sso-certd"
    } else {
        "replace it; a changed file is picked up by itself"
    };
    Advice::new(format!(
        "account {}: SendGrid does not accept its key ({})",
        account.name, account.key_from
    ))
    .note("what helps", then)
}

fn tls(account: &AccountSnapshot) -> Advice {
    if let Some(unusable) = &account.unusable {
        return nothing_to_ask_with(account, unusable);
    }
    let why = printable(trouble(account), LONGEST);
    Advice::new(format!("account {}: {why}", account.name)).note(
        "look at",
        format!(
            "accounts.{0}.ca_file and accounts.{0}.proxy: what stands between here and SendGrid",
            account.name
        ),
    )
}

fn clock_differs(account: &AccountSnapshot) -> Advice {
    Advice::new(format!(
        "account {}: this machine's clock and SendGrid's disagree",
        account.name
    ))
    .note("what helps", "set the clock, as timedatectl shows it")
    .note(
        "until then",
        "a certificate is over, or not yet valid, only if it is by both clocks; none is taken away",
    )
}

fn nothing_to_ask_with(account: &AccountSnapshot, unusable: &Unusable) -> Advice {
    let text = printable(&unusable.text, LONGEST);
    Advice::new(format!("account {}: {text}", account.name)).lines("what helps", &unusable.help)
}

pub(super) fn directory(it: &IntegrationSnapshot) -> String {
    printable_path(&it.directory)
}

/// Every refused file once, with the integrations that read it.
struct RefusedFiles<'a> {
    names: BTreeMap<(&'a PathBuf, String), BTreeSet<&'a str>>,
}

impl<'a> RefusedFiles<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut names: BTreeMap<(&PathBuf, String), BTreeSet<&str>> = BTreeMap::new();
        for it in snapshot.integrations.values() {
            for (file, refusal) in refusals(it) {
                let key = (&file.path, refusal.to_string());
                names.entry(key).or_default().insert(it.name.as_str());
            }
        }
        Self { names }
    }

    /// The advice about those of an integration: the same for each that reads the file.
    fn advice(&self, it: &IntegrationSnapshot, is_key: bool) -> Vec<Advice> {
        let files = refusals(it).into_iter();
        files
            .filter(|(_, refusal)| (refusal.reason == Reason::PrivateKey) == is_key)
            .map(|(file, refusal)| self.refused(file, refusal))
            .collect()
    }

    fn refused(&self, file: &LookedFile, refusal: &Refusal) -> Advice {
        let names = self.names.get(&(&file.path, refusal.to_string()));
        let names: Vec<&str> = names.into_iter().flatten().copied().collect();
        Advice::new(format!(
            "{}: {}: {refusal}",
            names.join(", "),
            printable_path(&file.path)
        ))
        .lines("help", &help_lines(refusal, &file.path))
    }
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
        let advice = surplus(&with_look("okta", Vec::new(), look)).unwrap();
        let names: Vec<String> = (0..20).map(|it| format!("{it:02}.pem")).collect();
        let ends = format!(": {}, and 20 more", names.join(", "));
        assert!(advice.what.ends_with(&ends), "{}", advice.what);
    }
}
