//! What each alarm says in one sentence.

use std::collections::BTreeSet;

use crate::domain::text::{count, file_name, left, printable, span};
use crate::domain::{Reason, Timestamp};
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::why::Why;

use super::raise::{About, Raised, cause, is_silent, reason_of};
use super::{AlarmReason, Scene, Words};
use crate::view::named::brief;
use crate::view::snapshot::{AccountSnapshot, FailureKind, IntegrationSnapshot};
use crate::view::standing::{is_trusting, items, latest_end, others, pause, refusals};
use crate::view::when::{ago, clock};

/// Words of others in a sentence are cut here.
pub(crate) const LONGEST: usize = 200;

impl Scene<'_> {
    /// What an alarm says.
    pub(super) fn sentence(&self, raised: &Raised<'_>) -> Words {
        match raised.about {
            About::Daemon => self.of_daemon(),
            About::Account(it) => self.of_account(raised, it),
            About::Integration(it) => self.of_integration(raised, it),
        }
    }

    fn of_daemon(&self) -> Words {
        let why = self.snapshot.ledger_failure.as_deref().unwrap_or_default();
        let why = printable(why, LONGEST);
        Words::from(format!(
            "The ledger cannot be written: {why}; nothing is uploaded until it can"
        ))
    }

    fn of_account(&self, raised: &Raised<'_>, account: &AccountSnapshot) -> Words {
        let name = &account.name;
        match raised.reason {
            AlarmReason::NotCompared => self.silent(raised, account),
            AlarmReason::Clock => self.clock(account),
            AlarmReason::Tls => Words::from(format!(
                "Nothing of account {name} is compared or uploaded: {}",
                printable(trouble(account), LONGEST)
            )),
            AlarmReason::ApiKey if account.unusable.is_some() => Words::from(format!(
                "There is no usable API key for account {name}: nothing of it is compared or uploaded"
            )),
            AlarmReason::ApiKey => Words::from(format!(
                "SendGrid does not accept the API key of account {name}: nothing of it is compared or uploaded"
            )),
            other => Words::from(format!("Account {name} needs you: {other}")),
        }
    }

    fn clock(&self, account: &AccountSnapshot) -> Words {
        let theirs = account.clock.and_then(|it| it.skew.at(self.now).theirs());
        let why = theirs.map_or_else(
            || "the certificate of SendGrid's server is not valid by it".to_owned(),
            |it| {
                let ours = self.now.minute();
                format!("it is {ours} UTC, SendGrid's {}", it.minute())
            },
        );
        Words::from(format!("Set the clock of this machine: {why}"))
    }

    fn of_integration(&self, raised: &Raised<'_>, it: &IntegrationSnapshot) -> Words {
        let name = &it.name;
        let as_of = self.as_of(it);
        Words::from(match raised.reason {
            AlarmReason::NoTrust => self.no_trust(raised, it),
            AlarmReason::Unmanaged => self.unmanaged(it),
            AlarmReason::Replaced => replaced(it) + &as_of,
            AlarmReason::IdChanged => format!(
                "{name}: its integration_id was {} and is {}; nothing is written until somebody accepts that",
                before(it),
                it.integration_id
            ),
            AlarmReason::TrustEnds => self.trust_ends(it),
            AlarmReason::IntegrationMissing => format!(
                "{name}: SendGrid says that this integration is not there (a wrong account or id?)"
            ),
            AlarmReason::Removed => removed(it) + &as_of,
            AlarmReason::NotCompared => return self.uncompared(it),
            AlarmReason::PrivateKey | AlarmReason::Refused => {
                format!("{name} needs you: {}", refused(it, raised.reason))
            }
            AlarmReason::Undelivered => self.undelivered(it),
            AlarmReason::Approval => format!("{name} needs you: {}", self.approval(it)),
            AlarmReason::KeyBudget => format!("{name} needs you: {}", self.key_budget(it)),
            AlarmReason::Rejected => {
                let which = self.first(it, AlarmReason::Rejected);
                format!("{name} needs you: SendGrid refuses {which} (400)")
            }
            AlarmReason::NoSuccessor => {
                let end = latest_end(it).unwrap_or(self.now);
                let left = left(it.clocks(self.now).left_until(end));
                format!("{name}: {left} left and no successor in the directory yet")
            }
            AlarmReason::SourceDown => {
                let why = match &it.source.look {
                    Some(Err(error)) => printable(&error.to_string(), LONGEST),
                    _ => "its directory cannot be read".to_owned(),
                };
                format!("{name}: {why}; nothing new is seen")
            }
            AlarmReason::Withheld => self.withheld(it),
            AlarmReason::Undecodable => {
                format!("{name}: SendGrid lists something that cannot be read{as_of}")
            }
            AlarmReason::NotInSource => self.not_in_source(it),
            AlarmReason::NotSetUp => {
                format!("{name}: SendGrid has listed no valid certificate for it yet{as_of}")
            }
            AlarmReason::Duplicate => {
                let which = self.first(it, AlarmReason::Duplicate);
                format!("{name}: SendGrid lists {which} twice{as_of}")
            }
            AlarmReason::Ledger | AlarmReason::ApiKey | AlarmReason::Tls | AlarmReason::Clock => {
                format!("{name}: {}", raised.reason)
            }
        })
    }

    fn no_trust(&self, raised: &Raised<'_>, it: &IntegrationSnapshot) -> String {
        let since = raised
            .since
            .map_or_else(String::new, |it| format!(" since {}", clock(it, self.now)));
        let as_of = self.as_of(it);
        let others = others(items(it), it.clocks(self.now));
        if others.is_empty() {
            return format!(
                "Logins through {} fail: SendGrid trusts no valid certificate for it{since}{as_of}",
                it.name
            );
        }
        format!(
            "{}: no certificate in the directory is trusted at SendGrid{since}; it lists {}{as_of}",
            it.name,
            strangers(&others)
        )
    }

    fn unmanaged(&self, it: &IntegrationSnapshot) -> String {
        let alone = if is_trusting(items(it), it.clocks(self.now)) {
            ""
        } else {
            ", and nothing of ours"
        };
        let denied = self.of_reason(it, AlarmReason::Unmanaged);
        if let Some(item) = denied.iter().find(|it| it.why == Why::DeniedAndListed) {
            return format!(
                "A denied certificate: SendGrid lists {} for {}, and its key can sign in{alone}{}",
                brief(item),
                it.name,
                self.as_of(it)
            );
        }
        format!(
            "Somebody else's certificate: SendGrid lists {} for {}, which did not come from here{alone}{}",
            self.first(it, AlarmReason::Unmanaged),
            it.name,
            self.as_of(it)
        )
    }

    fn trust_ends(&self, it: &IntegrationSnapshot) -> String {
        let end = latest_end(it).unwrap_or(self.now);
        format!(
            "Logins through {} stop in {}, on {}: no successor is trusted{}",
            it.name,
            span(it.clocks(self.now).left_until(end)),
            end.date(),
            self.as_of(it)
        )
    }

    fn undelivered(&self, it: &IntegrationSnapshot) -> String {
        let which = self.first(it, AlarmReason::Undelivered);
        let account = self.snapshot.accounts.get(&it.account);
        let why = if account.is_some_and(|it| it.uploads_forbidden) {
            "SendGrid forbids uploads with this key; scope sso.settings.create?"
        } else {
            "SendGrid does not list it"
        };
        format!("{}: {which} was sent and does not arrive: {why}", it.name)
    }

    fn approval(&self, it: &IntegrationSnapshot) -> String {
        let pending = self.of_reason(it, AlarmReason::Approval);
        let since = pending.iter().filter_map(|item| item.since).min();
        let since = since.map_or_else(String::new, |it| format!(" since {}", clock(it, self.now)));
        let what = match pending.len() {
            0 | 1 => "a new key waits".to_owned(),
            number => format!("{number} new keys wait"),
        };
        let word = if pending.iter().all(|item| item.why == Why::NeedsPin) {
            "a pin or approval"
        } else {
            "approval"
        };
        format!("{what} for {word}{since}")
    }

    fn withheld(&self, it: &IntegrationSnapshot) -> String {
        let withheld = self.of_reason(it, AlarmReason::Withheld);
        let what = match withheld.as_slice() {
            [one] => format!("{} is not uploaded", brief(one)),
            many => format!("{} certificates are not uploaded", many.len()),
        };
        let why = pause(it).map_or_else(
            || "the integration is only observed".to_owned(),
            |pause| {
                let by = printable(&pause.by, LONGEST);
                format!("paused by {by} since {}", clock(pause.at, self.now))
            },
        );
        format!("{}: {what}: {why}", it.name)
    }

    fn not_in_source(&self, it: &IntegrationSnapshot) -> String {
        let others = others(items(it), it.clocks(self.now));
        let end = latest_end(it).map_or_else(String::new, |end| format!(", until {}", end.date()));
        format!(
            "{}: no certificate in the directory is trusted at SendGrid; it lists {}{end}{}",
            it.name,
            strangers(&others),
            self.as_of(it)
        )
    }

    /// All of an account fails alike.
    fn silent(&self, raised: &Raised<'_>, account: &AccountSnapshot) -> Words {
        let all = self.snapshot.integrations.values();
        let all: Vec<&IntegrationSnapshot> = all.filter(|it| it.account == account.name).collect();
        let compared = all.iter().map(|it| it.compared_at).min().flatten();
        let since = compared.map_or_else(
            || self.since_the_start(raised),
            |it| format!("for {}", span(self.now.since(it))),
        );
        let whose = if self.snapshot.accounts.len() > 1 {
            format!(" to account {}", account.name)
        } else {
            String::new()
        };
        let kind = account.failure.as_ref().map(|it| it.kind);
        let main = match kind.filter(|_| is_silent(account, &all)) {
            Some(FailureKind::Status(status)) => {
                format!("Not sure: SendGrid has answered {status}{whose} {since}")
            }
            Some(FailureKind::NoAnswer | FailureKind::Tls) => {
                format!("Not sure: SendGrid has not answered{whose} {since}")
            }
            None => {
                let why = all.iter().find_map(|it| cause(it));
                let why =
                    why.map_or_else(String::new, |it| format!(": {}", printable(it, LONGEST)));
                let name = &account.name;
                format!("Not sure: nothing of account {name} could be compared {since}{why}")
            }
        };
        Words {
            main,
            rest: self.true_at(compared),
        }
    }

    fn uncompared(&self, it: &IntegrationSnapshot) -> Words {
        let why = it.failure.as_ref().map_or_else(String::new, |it| {
            format!(": {}", printable(&it.text, LONGEST))
        });
        let since = it.compared_at.map_or_else(
            || "yet".to_owned(),
            |at| format!("for {}", span(self.now.since(at))),
        );
        Words {
            main: format!("Not sure: {} could not be compared {since}{why}", it.name),
            rest: self.true_at(it.compared_at),
        }
    }

    fn since_the_start(&self, raised: &Raised<'_>) -> String {
        let started = raised.since.unwrap_or(self.snapshot.started);
        format!("since sso-certd started {}", ago(started, self.now))
    }

    fn true_at(&self, compared: Option<Timestamp>) -> String {
        compared.map_or_else(
            || " What SendGrid trusts is not known.".to_owned(),
            |it| format!(" This was true at {}.", clock(it, self.now)),
        )
    }

    /// The certificates and rows for which a reason stands.
    pub(super) fn of_reason<'b>(
        &self,
        it: &'b IntegrationSnapshot,
        reason: AlarmReason,
    ) -> Vec<&'b Item> {
        items(it)
            .iter()
            .filter(|item| reason_of(item, it.mode, self.now) == Some(reason))
            .collect()
    }

    fn first(&self, it: &IntegrationSnapshot, reason: AlarmReason) -> String {
        let found = self.of_reason(it, reason);
        found
            .first()
            .map_or_else(|| "a certificate".to_owned(), |item| brief(item))
    }

    fn key_budget(&self, it: &IntegrationSnapshot) -> String {
        let which = self.first(it, AlarmReason::KeyBudget);
        let held = self.of_reason(it, AlarmReason::KeyBudget);
        match held.first().map(|item| item.why) {
            Some(Why::TooMany { limit }) => {
                format!("its directory holds more than {limit} certificates; {which} is held")
            }
            Some(Why::KeyBudget { limit }) => format!(
                "more than {} in 24 h; {which} is held",
                count(
                    limit.try_into().unwrap_or(usize::MAX),
                    "new key",
                    "new keys"
                )
            ),
            _ => "too many new keys in 24 h".to_owned(),
        }
    }

    /// A sentence about SendGrid's list is as old as the list.
    fn as_of(&self, it: &IntegrationSnapshot) -> String {
        match it.compared_at {
            Some(at) if self.stands(AlarmReason::NotCompared, it) => {
                format!("; last compared {}", clock(at, self.now))
            }
            _ => String::new(),
        }
    }
}

/// The integration id before it was changed.
pub(super) fn before(it: &IntegrationSnapshot) -> String {
    let before = it
        .plan
        .as_ref()
        .and_then(|it| it.outlook.moved_from.as_ref());
    before.map_or_else(|| "another one".to_owned(), ToString::to_string)
}

/// Why an account has no secure connection.
pub(super) fn trouble(account: &AccountSnapshot) -> &str {
    let unusable = account.unusable.as_ref().map(|it| it.text.as_str());
    let failure = account.failure.as_ref().map(|it| it.text.as_str());
    unusable.or(failure).unwrap_or_default()
}

/// What SendGrid lists that did not come from here, by number and name.
fn strangers(others: &[&Item]) -> String {
    let unreadable = others.iter().all(|it| it.state == State::Undecodable);
    let number = others.len();
    if unreadable {
        return format!("{number} that cannot be read");
    }
    let names: Vec<String> = others.iter().take(3).map(|it| brief(it)).collect();
    let more = if number > names.len() { ", …" } else { "" };
    format!(
        "{number} that did not come from here ({}{more})",
        names.join(", ")
    )
}

fn replaced(it: &IntegrationSnapshot) -> String {
    let name = &it.name;
    let row = items(it).iter().find_map(|item| match item.why {
        Why::Carries(other) => Some((brief(item), other)),
        _ => None,
    });
    match row {
        Some((ours, Some(other))) => format!(
            "Somebody else's certificate: SendGrid's row of our {ours} for {name} now carries {}",
            other.brief()
        ),
        Some((ours, None)) => format!(
            "{name}: SendGrid's row of our {ours} now carries something that cannot be read"
        ),
        None => format!("{name}: a row of ours now carries something else"),
    }
}

fn removed(it: &IntegrationSnapshot) -> String {
    let gone = items(it).iter().find(|it| it.state == State::Removed);
    if let Some(item) = gone.filter(|it| it.why == Why::RetiredByPerson) {
        return format!(
            "{}: {} was taken away by a person, and its file still asks for it",
            it.name,
            brief(item)
        );
    }
    let held = items(it).iter().find_map(|item| match item.why {
        Why::RemovedKey(other) => Some((brief(item), other)),
        _ => None,
    });
    match (gone, held) {
        (None, Some((held, other))) => format!(
            "{}: {held} is held, because its key is that of {}, which somebody deleted at SendGrid",
            it.name,
            other.brief()
        ),
        (gone, _) => format!(
            "{}: {} was deleted at SendGrid, not by us; restore or deny it",
            it.name,
            gone.map_or_else(|| "a certificate".to_owned(), brief)
        ),
    }
}

fn refused(it: &IntegrationSnapshot, reason: AlarmReason) -> String {
    let refused: BTreeSet<_> = refusals(it)
        .into_iter()
        .filter(|(_, it)| (it.reason == Reason::PrivateKey) == (reason == AlarmReason::PrivateKey))
        .map(|(file, refusal)| (file_name(&file.path), refusal.reason))
        .collect();
    match (refused.first(), refused.len()) {
        (Some((file, Reason::PrivateKey)), _) => {
            format!("a private key lies in {file}; nothing of it was kept or sent")
        }
        (Some((file, reason)), 1) => format!("{file} is refused ({reason})"),
        (Some((file, reason)), number) => {
            format!("{number} files are refused, first of all {file} ({reason})")
        }
        (None, _) => "its directory holds more files than are looked at".to_owned(),
    }
}
