//! What is asked before a person's decision is taken: what it is about, and what will happen.

use crate::domain::{AccountName, Fingerprint, IntegrationName};
use crate::plan::book::{Belief, Order, Standing, Word};
use crate::plan::decision::Decision;
use crate::plan::retire::{How, Retirement};

use super::terminal::{Page, Terminal};

/// A decision that waits for a person's yes.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The integration.
    pub name: &'a IntegrationName,
    /// Its account.
    pub account: &'a AccountName,
    /// The certificate.
    pub fingerprint: Fingerprint,
    /// What is to be decided.
    pub decision: Decision,
    /// What is believed of the certificate; none if it was never seen.
    pub belief: Option<&'a Belief>,
    /// What would become of it, if it is to be taken away.
    pub retirement: Option<&'a Retirement>,
}

/// A question about one certificate. The last line has no end: the answer goes behind it.
pub fn ask_text(asked: &Asked<'_>, terminal: Terminal) -> String {
    let mut page = Page::new(terminal);
    let Asked { name, account, .. } = asked;
    let key = format!("trust this key to sign in as any user of SendGrid account {account}?");
    page.line(&match asked.decision {
        Decision::Approve | Decision::ApproveKey => format!("{name}: {key}"),
        Decision::Adopt => format!("{name}: make this certificate ours, and {key}"),
        Decision::Restore => format!("{name}: bring this certificate back, and {key}"),
        Decision::Deny | Decision::DenyKey => {
            format!("{name}: never let this certificate in, nor another one with its key?")
        }
        Decision::Acknowledge => {
            format!("{name}: leave this certificate at SendGrid, and hear no more of it?")
        }
        Decision::Forget => format!("{name}: take back what was decided about this certificate?"),
        Decision::Retire(How::Disable) => format!("{name}: disable this certificate at SendGrid?"),
        Decision::Retire(How::Delete) => format!("{name}: delete this certificate at SendGrid?"),
    });
    identity(&mut page, asked);
    for note in notes(asked) {
        page.line(&format!("  {note}"));
    }
    prompt(page, asked.decision.lets_in())
}

/// A question about a certificate whose integration is not configured.
pub fn ask_orphan_text(
    name: &IntegrationName,
    fingerprint: Fingerprint,
    terminal: Terminal,
) -> String {
    let mut page = Page::new(terminal);
    page.line(&format!(
        "{name}: drop this certificate from the books? The integration is not configured any more."
    ));
    page.line(&format!("  SHA-256     {}", fingerprint.grouped()));
    page.line("  Nothing changes at SendGrid. If it was ours, that is forgotten.");
    prompt(page, false)
}

/// A question about whole integrations.
pub fn ask_pause_text(names: &[IntegrationName], is_paused: bool, terminal: Terminal) -> String {
    let mut page = Page::new(terminal);
    let them = if names.len() == 1 { "it" } else { "them" };
    let names = in_words(names);
    page.line(&if is_paused {
        format!(
            "Pause {names}? Nothing is written to SendGrid for {them} until `sso-certd resume`."
        )
    } else {
        format!("Resume {names}? What waits goes to SendGrid at once.")
    });
    prompt(page, false)
}

/// What people compare by eye.
fn identity(page: &mut Page, asked: &Asked<'_>) {
    let certificate = asked.belief.and_then(|it| it.certificate.as_ref());
    if let Some(certificate) = certificate {
        let validity = certificate.validity();
        page.line(&format!(
            "  {}, {} to {}",
            certificate.subject(),
            validity.not_before.date(),
            validity.not_after.date()
        ));
    }
    page.line(&format!("  SHA-256     {}", asked.fingerprint.grouped()));
    match certificate {
        Some(it) => page.line(&format!("  thumbprint  {}", it.thumbprint())),
        None => page.line("  It was never seen, in no file and not at SendGrid."),
    }
}

/// What will happen, where the question does not say it.
fn notes(asked: &Asked<'_>) -> Vec<String> {
    let standing = asked.belief.map(|it| &it.standing);
    match asked.decision {
        Decision::Adopt => vec![
            "It is enabled at SendGrid, and may be retired from then on like any other of ours."
                .to_owned(),
        ],
        Decision::Restore if matches!(standing, Some(Standing::Disabled { .. })) => {
            vec!["It is enabled at SendGrid again.".to_owned()]
        }
        Decision::Restore => vec!["It is uploaded again, as the ledger has it.".to_owned()],
        Decision::Deny | Decision::DenyKey if asked.belief.is_some_and(Belief::is_listed) => {
            vec!["It is at SendGrid, and stays there until it is retired or deleted.".to_owned()]
        }
        Decision::Approve | Decision::ApproveKey | Decision::Deny | Decision::DenyKey => Vec::new(),
        Decision::Acknowledge => {
            vec!["It did not come from here: whoever has its key can sign in.".to_owned()]
        }
        Decision::Forget => decided(asked.belief),
        Decision::Retire(how) => {
            let back = match how {
                How::Disable => "enables it again",
                How::Delete => "uploads it again",
            };
            let mut notes = vec![format!(
                "It lets nobody in from then on; `sso-certd restore` {back}."
            )];
            let blocks = asked.retirement.iter().flat_map(|it| &it.blocks);
            notes.extend(blocks.map(|it| format!("Not at once: {it}.")));
            notes
        }
    }
}

/// What was decided before.
fn decided(belief: Option<&Belief>) -> Vec<String> {
    let word = belief.and_then(|it| it.word).map(|it| match it {
        Word::Approved | Word::ApprovedKey => "approved",
        Word::Denied | Word::DeniedAlone => "denied",
        Word::Acknowledged => "acknowledged",
    });
    let order = belief.and_then(|it| it.order).map(|it| match it {
        Order::Adopt => "to be adopted",
        Order::Restore => "to be restored",
        Order::Disable => "to be disabled",
        Order::Delete => "to be deleted",
    });
    let all: Vec<&str> = word.into_iter().chain(order).collect();
    vec![format!(
        "It is {}. From then on the configuration decides about it.",
        all.join(", and ")
    )]
}

fn prompt(page: Page, compares: bool) -> String {
    let question = if compares {
        "Type \"yes\" if the identity provider shows the same: "
    } else {
        "Type \"yes\" to go on: "
    };
    page.finish(0).text + question
}

/// More names than this are counted.
const MOST_NAMES: usize = 6;

pub(super) fn in_words(names: &[IntegrationName]) -> String {
    if names.len() > MOST_NAMES {
        return format!("{} integrations", names.len());
    }
    let names: Vec<&str> = names.iter().map(IntegrationName::as_str).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::domain::CertificateId;
    use crate::view::testing::{WIDE, adfs};

    fn name() -> IntegrationName {
        IntegrationName::parse("adfs").unwrap()
    }

    fn row() -> CertificateId {
        CertificateId::parse("66138975").unwrap()
    }

    fn ours() -> Standing {
        Standing::Confirmed(row())
    }

    fn asked(decision: Decision, change: impl FnOnce(&mut Belief)) -> String {
        let certificate = adfs();
        let mut belief = Belief::new(certificate.clone());
        change(&mut belief);
        ask_text(
            &Asked {
                name: &name(),
                account: &AccountName::default(),
                fingerprint: certificate.fingerprint(),
                decision,
                belief: Some(&belief),
                retirement: None,
            },
            WIDE,
        )
    }

    #[test]
    fn the_question_shows_what_the_identity_provider_shows() {
        expect![[r#"
            adfs: trust this key to sign in as any user of SendGrid account default?
              CN=ADFS Signing - sts.example.com, 2025-11-24 to 2026-12-14
              SHA-256     faee618c2cd6e62b c410badc7d2c0701 b07a86c40c323c37 0ca2e77d0a73dcba
              thumbprint  92FE B483 3EB1 3477 2787 2FD1 A4D0 F304 BAE4 892A
            Type "yes" if the identity provider shows the same: "#]]
        .assert_eq(&asked(Decision::Approve, |_| {}));
        let unseen = ask_text(
            &Asked {
                name: &name(),
                account: &AccountName::default(),
                fingerprint: adfs().fingerprint(),
                decision: Decision::Deny,
                belief: None,
                retirement: None,
            },
            WIDE,
        );
        expect![[r#"
            adfs: never let this certificate in, nor another one with its key?
              SHA-256     faee618c2cd6e62b c410badc7d2c0701 b07a86c40c323c37 0ca2e77d0a73dcba
              It was never seen, in no file and not at SendGrid.
            Type "yes" to go on: "#]]
        .assert_eq(&unseen);
    }

    #[test]
    fn every_question_says_what_will_happen() {
        let first_and_notes = |decision, standing: Standing| {
            let text = asked(decision, |it| {
                it.standing = standing;
                it.word = Some(Word::Denied);
            });
            let lines: Vec<&str> = text.lines().collect();
            [&lines[..1], &lines[4..]].concat().join("\n")
        };
        let foreign = Standing::Foreign {
            id: Some(row()),
            inherited: false,
        };
        let disabled = Standing::Disabled {
            id: row(),
            ordered: true,
            unsure: false,
        };
        let all = [
            first_and_notes(Decision::Deny, ours()),
            first_and_notes(Decision::Acknowledge, foreign.clone()),
            first_and_notes(Decision::Adopt, foreign),
            first_and_notes(Decision::Restore, disabled),
            first_and_notes(Decision::Restore, Standing::Removed { id: None }),
            first_and_notes(Decision::Forget, Standing::Seen),
            first_and_notes(Decision::Retire(How::Disable), ours()),
            first_and_notes(Decision::Retire(How::Delete), ours()),
        ];
        expect![[r#"
            adfs: never let this certificate in, nor another one with its key?
              It is at SendGrid, and stays there until it is retired or deleted.
            Type "yes" to go on: 

            adfs: leave this certificate at SendGrid, and hear no more of it?
              It did not come from here: whoever has its key can sign in.
            Type "yes" to go on: 

            adfs: make this certificate ours, and trust this key to sign in as any user of SendGrid account default?
              It is enabled at SendGrid, and may be retired from then on like any other of ours.
            Type "yes" if the identity provider shows the same: 

            adfs: bring this certificate back, and trust this key to sign in as any user of SendGrid account default?
              It is enabled at SendGrid again.
            Type "yes" if the identity provider shows the same: 

            adfs: bring this certificate back, and trust this key to sign in as any user of SendGrid account default?
              It is uploaded again, as the ledger has it.
            Type "yes" if the identity provider shows the same: 

            adfs: take back what was decided about this certificate?
              It is denied. From then on the configuration decides about it.
            Type "yes" to go on: 

            adfs: disable this certificate at SendGrid?
              It lets nobody in from then on; `sso-certd restore` enables it again.
            Type "yes" to go on: 

            adfs: delete this certificate at SendGrid?
              It lets nobody in from then on; `sso-certd restore` uploads it again.
            Type "yes" to go on: "#]].assert_eq(&all.join("\n\n"));
    }

    #[test]
    fn many_integrations_are_counted_and_few_are_named() {
        let names: Vec<IntegrationName> = (0..7)
            .map(|it| IntegrationName::parse(&format!("i{it}")).unwrap())
            .collect();
        let all = [
            ask_pause_text(&names, true, WIDE),
            ask_pause_text(&names[..2], false, WIDE),
        ];
        expect![[r#"
            Pause 7 integrations? Nothing is written to SendGrid for them until `sso-certd resume`.
            Type "yes" to go on: 
            Resume i0, i1? What waits goes to SendGrid at once.
            Type "yes" to go on: "#]]
        .assert_eq(&all.join("\n"));
    }
}
