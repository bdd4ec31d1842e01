//! `integrations`: what SendGrid has, and what to write into the configuration.

use std::collections::BTreeSet;

use crate::domain::text::{count, printable};
use crate::domain::{AccountName, IntegrationId, IntegrationName, Timestamp, Validity};

use super::table::{Cell, Column, Fit, Table};
use super::terminal::{Mark, Page, Rendered, Terminal, Tone};
use super::when::left;

/// One account's answer.
#[derive(Clone, Debug)]
pub struct AccountListing {
    /// The account.
    pub account: AccountName,
    /// Where it was asked.
    pub base_url: String,
    /// Its integrations; or why they could not be had, in one line.
    pub integrations: Result<Vec<ListedIntegration>, String>,
}

/// One integration as SendGrid lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedIntegration {
    /// Its id.
    pub id: IntegrationId,
    /// Its name there: foreign text.
    pub name: String,
    /// The identity provider's entity id: foreign text.
    pub entity_id: String,
    /// Whether it is switched on there.
    pub is_enabled: bool,
    /// The validities of its certificates; none for a row that cannot be read. None at all if they were not asked for.
    pub certificates: Option<Vec<Option<Validity>>>,
    /// What the configuration calls it, if it does.
    pub configured_as: Option<IntegrationName>,
}

/// `integrations` as text; the exit code is 1 if an account could not be asked. `taken` are all names in use.
pub fn integrations_text(
    listings: &[AccountListing],
    taken: &BTreeSet<IntegrationName>,
    configuration: &str,
    now: Timestamp,
    terminal: Terminal,
) -> Rendered {
    let mut page = Page::new(terminal);
    let mut exit = 0;
    for (index, listing) in listings.iter().enumerate() {
        if index > 0 {
            page.blank();
        }
        let head = format!("account {}, {}", listing.account, listing.base_url);
        match &listing.integrations {
            Err(why) => {
                exit = 1;
                page.marked(
                    Mark::Broken,
                    &format!("{head}: {}", printable(why, LONGEST_WHY)),
                );
            }
            Ok(integrations) => {
                let number = count(integrations.len(), "integration", "integrations");
                page.line(&format!("{head}: {number}"));
                if !integrations.is_empty() {
                    page.blank();
                    page.table(&table(integrations, now));
                }
            }
        }
    }
    paste(&mut page, listings, taken, configuration);
    page.finish(exit)
}

fn table(integrations: &[ListedIntegration], now: Timestamp) -> Table {
    let mut table = Table::marked(vec![
        Column::new("NAME AT SENDGRID", Fit::Always),
        Column::new("CERTIFICATES", Fit::Always),
        Column::new("CONFIGURED AS", Fit::Always),
        Column::new("ENTITY ID", Fit::Under),
    ]);
    for it in integrations {
        let configured = it
            .configured_as
            .as_ref()
            .map_or("–", IntegrationName::as_str);
        let mut name = printable(&it.name, LONGEST_NAME);
        if !it.is_enabled {
            name.push_str(" (disabled)");
        }
        table.row(
            None,
            vec![
                Cell::from(name),
                Cell::from(certificates(it, now)),
                Cell::from(configured),
                Cell::new(printable(&it.entity_id, LONGEST_ENTITY_ID), Tone::Dim),
            ],
        );
    }
    table
}

fn certificates(it: &ListedIntegration, now: Timestamp) -> String {
    let Some(rows) = &it.certificates else {
        return "–".to_owned();
    };
    let read = || rows.iter().flatten();
    let valid: Vec<&Validity> = read().filter(|it| it.is_valid(now)).collect();
    let over = read().filter(|it| it.is_over(now)).count();
    let ahead = read().filter(|it| it.is_ahead(now)).count();
    let unread = rows.iter().filter(|it| it.is_none()).count();
    let mut parts = match valid.iter().map(|it| it.not_after).max() {
        None => vec!["none valid".to_owned()],
        Some(end) => {
            let left = left(end, now);
            vec![format!("{} valid, ends in {left}", valid.len())]
        }
    };
    for (number, word) in [(ahead, "later"), (over, "over"), (unread, "unreadable")] {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    parts.join(", ")
}

/// The lines for what is not configured yet.
fn paste(
    page: &mut Page,
    listings: &[AccountListing],
    taken: &BTreeSet<IntegrationName>,
    configuration: &str,
) {
    let mut taken: BTreeSet<String> = taken.iter().map(ToString::to_string).collect();
    let mut is_first = true;
    for listing in listings {
        let listed = listing.integrations.as_deref().unwrap_or_default();
        for it in listed.iter().filter(|it| it.configured_as.is_none()) {
            if is_first {
                page.blank();
                page.line(&format!("Not configured yet; paste into {configuration}:"));
                is_first = false;
            }
            let name = free_name(&it.name, &taken);
            page.blank();
            let section = format!("[integrations.{name}]");
            let comment = printable(&it.name, LONGEST_NAME);
            page.line(&format!("{section:<40}  # \"{comment}\" at SendGrid"));
            if listing.account != AccountName::default() {
                page.line(&format!("account = \"{}\"", listing.account));
            }
            page.line(&format!("integration_id = \"{}\"", it.id));
            taken.insert(name);
        }
    }
    let listed = |it: &AccountListing| it.integrations.as_ref().is_ok_and(|it| !it.is_empty());
    if is_first && listings.iter().all(listed) {
        page.blank();
        page.line("Every one of them is configured.");
    }
}

/// A name for the configuration made of SendGrid's: `AD FS` becomes `ad-fs`, and `ad-fs-2` if that is taken.
fn free_name(name: &str, taken: &BTreeSet<String>) -> String {
    let mut slug = String::new();
    for character in name.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == LONGEST_SLUG {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() { "sso" } else { slug };
    let numbered = (2..).map(|it: u32| format!("{slug}-{it}"));
    std::iter::once(slug.to_owned())
        .chain(numbered)
        .find(|it| !taken.contains(it))
        .unwrap_or_default()
}

/// Names in the configuration have at most 63 characters; some are left for a number.
const LONGEST_SLUG: usize = 50;
/// A name of SendGrid's is cut here.
const LONGEST_NAME: usize = 40;
/// An entity id is cut here.
const LONGEST_ENTITY_ID: usize = 100;
/// A failure's text is cut here.
const LONGEST_WHY: usize = 300;

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::view::testing::{WIDE, adfs, now, okta};

    const ID: &str = "4f0ce1a5-7a5d-4a8e-9d8e-0a2b5c9f1d33";

    fn listed(name: &str, configured_as: Option<&str>) -> ListedIntegration {
        ListedIntegration {
            id: IntegrationId::parse(ID).unwrap(),
            name: name.to_owned(),
            entity_id: "http://sts.example.com/adfs/services/trust".to_owned(),
            is_enabled: true,
            certificates: Some(vec![Some(adfs().validity())]),
            configured_as: configured_as.map(|it| IntegrationName::parse(it).unwrap()),
        }
    }

    #[test]
    fn what_is_not_configured_can_be_pasted() {
        let mut okta_listed = listed("Okta", Some("okta"));
        okta_listed.certificates = Some(vec![Some(okta().validity()), None]);
        let mut off = listed("Okta\n[accounts.default]", None);
        off.is_enabled = false;
        off.certificates = Some(Vec::new());
        let listings = [
            AccountListing {
                account: AccountName::default(),
                base_url: "https://api.sendgrid.com".to_owned(),
                integrations: Ok(vec![okta_listed, listed("AD FS", None)]),
            },
            AccountListing {
                account: AccountName::parse("eu").unwrap(),
                base_url: "https://api.eu.sendgrid.com".to_owned(),
                integrations: Ok(vec![listed("ad fs", None), off]),
            },
        ];
        let taken = BTreeSet::from([IntegrationName::parse("okta").unwrap()]);
        let rendered = integrations_text(
            &listings,
            &taken,
            "/etc/sso-certd/sso-certd.toml",
            now(),
            WIDE,
        );
        assert_eq!(rendered.exit, 0);
        expect![[r#"
            account default, https://api.sendgrid.com: 2 integrations

              NAME AT SENDGRID  CERTIFICATES                          CONFIGURED AS
              Okta              1 valid, ends in 9.2 y, 1 unreadable  okta
                                http://sts.example.com/adfs/services/trust
              AD FS             1 valid, ends in 19 d                 –
                                http://sts.example.com/adfs/services/trust

            account eu, https://api.eu.sendgrid.com: 2 integrations

              NAME AT SENDGRID                        CERTIFICATES           CONFIGURED AS
              ad fs                                   1 valid, ends in 19 d  –
                                                      http://sts.example.com/adfs/services/trust
              Okta\u{a}[accounts.default] (disabled)  none valid             –
                                                      http://sts.example.com/adfs/services/trust

            Not configured yet; paste into /etc/sso-certd/sso-certd.toml:

            [integrations.ad-fs]                      # "AD FS" at SendGrid
            integration_id = "4f0ce1a5-7a5d-4a8e-9d8e-0a2b5c9f1d33"

            [integrations.ad-fs-2]                    # "ad fs" at SendGrid
            account = "eu"
            integration_id = "4f0ce1a5-7a5d-4a8e-9d8e-0a2b5c9f1d33"

            [integrations.okta-accounts-default]      # "Okta\u{a}[accounts.default]" at SendGrid
            account = "eu"
            integration_id = "4f0ce1a5-7a5d-4a8e-9d8e-0a2b5c9f1d33"
        "#]]
        .assert_eq(&rendered.text);
    }

    #[test]
    fn an_account_that_does_not_answer_is_an_error() {
        let listing = AccountListing {
            account: AccountName::default(),
            base_url: "https://api.sendgrid.com".to_owned(),
            integrations: Err("401: SendGrid does not know this key".to_owned()),
        };
        let rendered = integrations_text(&[listing], &BTreeSet::new(), "x", now(), WIDE);
        assert_eq!(rendered.exit, 1);
        expect![[r#"
            ✗ account default, https://api.sendgrid.com: 401: SendGrid does not know this key
        "#]]
        .assert_eq(&rendered.text);
    }

    #[test]
    fn every_name_becomes_one_that_the_configuration_takes() {
        let mut taken = BTreeSet::new();
        for (name, expected) in [
            ("AD FS", "ad-fs"),
            ("ad_fs", "ad-fs-2"),
            ("AD FS!", "ad-fs-3"),
            ("日本", "sso"),
            ("", "sso-2"),
            ("--x--", "x"),
        ] {
            let free = free_name(name, &taken);
            assert_eq!(free, expected);
            taken.insert(free);
        }
        let long = free_name(&"a".repeat(300), &taken);
        assert!(IntegrationName::parse(&long).is_ok());
    }
}
