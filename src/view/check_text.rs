//! `check-config`, and the two lines of every error: what is wrong, and what helps.

use crate::domain::text::count;

use super::table::{Cell, Column, Fit, Table};
use super::terminal::{Mark, Page, Rendered, Terminal, Tone};

/// One thing found out about the configuration or, with `--probe`, about SendGrid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// In one line: `default: key from the credential sendgrid-api-key`.
    pub text: String,
    /// What helps; several lines are indented.
    pub help: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grade {
    /// As it should be.
    Fine,
    /// Worth knowing; nothing fails because of it.
    Remark,
    /// It does not work like this.
    Problem,
}

/// Findings without a sum: more of them come from elsewhere.
pub fn findings_lines(findings: &[Finding], terminal: Terminal) -> Rendered {
    let mut page = Page::new(terminal);
    put(&mut page, findings);
    page.finish(0)
}

/// The findings of `check-config`. `asked` says who looked, in a few words; the exit code is `code` if there is a
/// problem, else 0.
pub fn findings_text(
    findings: &[Finding],
    asked: Option<&str>,
    code: u8,
    terminal: Terminal,
) -> Rendered {
    let mut page = Page::new(terminal);
    put(&mut page, findings);
    let number = |grade| findings.iter().filter(|it| it.grade == grade).count();
    let (problems, remarks) = (number(Grade::Problem), number(Grade::Remark));
    let mut line = match (problems, remarks) {
        (0, 0) => "No problem".to_owned(),
        (0, _) => format!("No problem, {}", count(remarks, "remark", "remarks")),
        (_, 0) => count(problems, "problem", "problems"),
        _ => format!(
            "{}, {}",
            count(problems, "problem", "problems"),
            count(remarks, "remark", "remarks")
        ),
    };
    line.push('.');
    if let Some(asked) = asked {
        line = format!("{line:<42}  {asked}");
    }
    page.blank();
    page.line(&line);
    page.finish(if problems > 0 { code } else { 0 })
}

/// Errors with their help: all of them, each with the exit code behind it.
pub fn errors_text(errors: &[(String, Option<String>)], code: u8, terminal: Terminal) -> Rendered {
    let mut page = Page::new(terminal);
    for (text, helps) in errors {
        let word = terminal.paint("error", Tone::Broken);
        page.line_with(&word, &format!(": {text}  [{code}]"));
        help(&mut page, helps.as_deref());
    }
    page.finish(code)
}

/// Warnings with their help.
pub fn warnings_text(warnings: &[(String, Option<String>)], terminal: Terminal) -> Rendered {
    let mut page = Page::new(terminal);
    for (text, helps) in warnings {
        let word = terminal.paint("warning", Tone::NeedsYou);
        page.line_with(&word, &format!(": {text}"));
        help(&mut page, helps.as_deref());
    }
    page.finish(0)
}

fn put(page: &mut Page, findings: &[Finding]) {
    for finding in findings {
        let mark = match finding.grade {
            Grade::Fine => Mark::Fine,
            Grade::Remark => Mark::NeedsYou,
            Grade::Problem => Mark::Broken,
        };
        page.item(0, mark, &finding.text);
        help(page, finding.help.as_deref());
    }
}

fn help(page: &mut Page, help: Option<&str>) {
    for (index, line) in help.into_iter().flat_map(str::lines).enumerate() {
        let label = if index == 0 { "help: " } else { "" };
        page.line(&format!("  {label:<6}{line}"));
    }
}

/// One value in force, for `--print`. A secret is not among them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// `integrations.okta.mode`.
    pub key: String,
    /// As TOML.
    pub value: String,
    /// `default`, a file, or a variable.
    pub from: String,
}

/// Every value in force and where it came from.
pub fn settings_text(settings: &[Setting], terminal: Terminal) -> Rendered {
    let mut table = Table::new(vec![
        Column::new("KEY", Fit::Always),
        Column::new("VALUE", Fit::Always),
        Column::new("FROM", Fit::Under),
    ]);
    for it in settings {
        table.row(
            None,
            vec![
                Cell::from(it.key.as_str()),
                Cell::from(it.value.as_str()),
                Cell::new(it.from.as_str(), Tone::Dim),
            ],
        );
    }
    let mut page = Page::new(terminal);
    page.table(&table);
    page.finish(0)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::view::testing::WIDE;

    fn finding(grade: Grade, text: &str) -> Finding {
        Finding {
            grade,
            text: text.to_owned(),
            help: None,
        }
    }

    #[test]
    fn findings_end_in_a_count() {
        let mut remark = finding(Grade::Remark, "default: the key may do more than it needs");
        remark.help = Some("scopes sso.settings.read, .create\nare enough".to_owned());
        let findings = [
            finding(Grade::Fine, "/etc/sso-certd/sso-certd.toml: 3 integrations"),
            remark,
            finding(Grade::Problem, "eu: 401, SendGrid does not know this key"),
        ];
        let rendered = findings_text(
            &findings,
            Some("asked the running daemon (pid 812)"),
            1,
            WIDE,
        );
        assert_eq!(rendered.exit, 1);
        expect![[r#"
            ✓ /etc/sso-certd/sso-certd.toml: 3 integrations
            ! default: the key may do more than it needs
              help: scopes sso.settings.read, .create
                    are enough
            ✗ eu: 401, SendGrid does not know this key

            1 problem, 1 remark.                        asked the running daemon (pid 812)
        "#]]
        .assert_eq(&rendered.text);
        let fine = findings_text(&findings[..2], None, 1, WIDE);
        assert_eq!(fine.exit, 0);
    }

    #[test]
    fn errors_are_two_lines_each() {
        let errors = [
            (
                "a.toml, line 4: unknown key `direcotry`".to_owned(),
                Some("did you mean `directory`?".to_owned()),
            ),
            (
                "no API key for account eu".to_owned(),
                Some("LoadCredential=…\nor accounts.eu.api_key_file".to_owned()),
            ),
        ];
        let rendered = errors_text(&errors, 78, WIDE);
        assert_eq!(rendered.exit, 78);
        expect![[r#"
            error: a.toml, line 4: unknown key `direcotry`  [78]
              help: did you mean `directory`?
            error: no API key for account eu  [78]
              help: LoadCredential=…
                    or accounts.eu.api_key_file
        "#]]
        .assert_eq(&rendered.text);
        expect![[r#"
            warning: a.toml, line 4: unknown key `direcotry`
              help: did you mean `directory`?
        "#]]
        .assert_eq(&warnings_text(&errors[..1], WIDE).text);
    }

    #[test]
    fn settings_say_where_they_come_from() {
        let setting = |key: &str, value: &str, from: &str| Setting {
            key: key.to_owned(),
            value: value.to_owned(),
            from: from.to_owned(),
        };
        let settings = [
            setting("watch.poll", "\"60s\"", "default"),
            setting(
                "integrations.okta.mode",
                "\"observe\"",
                "/etc/sso-certd/conf.d/20-okta.toml",
            ),
        ];
        expect![[r#"
            KEY                     VALUE      FROM
            watch.poll              "60s"      default
            integrations.okta.mode  "observe"  /etc/sso-certd/conf.d/20-okta.toml
        "#]]
        .assert_eq(&settings_text(&settings, WIDE).text);
    }
}
