//! `inspect`: what the intake says of files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::domain::text::{count, printable, printable_path};
use crate::domain::{
    Certificate, FileVerdict, IgnoredIssuer, Look, LookedFile, Refusal, RefusedCertificate,
    SourceError, Timestamp,
};

use super::inspect_many::many;
use super::refusal_text::{help_lines, shell_word};
use super::remarks::{Noted, Warn, remarks};
use super::terminal::{Mark, Page, Rendered, Terminal};
use super::when::{ago, left};

/// What was found where somebody pointed.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// Every file judged, of all paths named, and what was passed over.
    pub look: Look,
    /// Paths that could not be read at all.
    pub failures: Vec<SourceError>,
    /// What a watched directory would say of a file's permissions; nothing for what is fine there, too.
    pub permissions: BTreeMap<PathBuf, PermissionNote>,
    /// Of each directory the patterns of the names that count.
    pub patterns: BTreeMap<PathBuf, Vec<String>>,
    /// What was passed over although it may match: hidden, or an editor's or copier's leaving.
    pub leavings: BTreeSet<PathBuf>,
    /// How near its end a certificate gets a remark, where the configuration says nothing of the file.
    pub warn: Warn,
    /// The same for files of which it does.
    pub warns: BTreeMap<PathBuf, Warn>,
    /// Now.
    pub now: Timestamp,
}

/// What a watched directory would say of a file's permissions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PermissionNote {
    /// In one clause: `fine to look at; in a watched directory the owner would have to be root`.
    pub found: String,
    /// Lines that help; `FILE` in them stands for the file.
    pub help: Vec<String>,
}

/// `inspect` as text; the exit code is 1 if anything is refused, over, or unreadable.
pub fn inspect_text(inspected: &Inspected, terminal: Terminal) -> Rendered {
    let mut page = Page::new(terminal);
    let Look {
        files,
        ignored,
        surplus,
        ..
    } = &inspected.look;
    for failure in &inspected.failures {
        page.marked(Mark::Broken, &printable(&failure.to_string(), LONGEST));
    }
    match files.as_slice() {
        [] if ignored.is_empty() && !inspected.failures.is_empty() => {}
        [only] if ignored.is_empty() && surplus.is_empty() => one(&mut page, only, inspected),
        _ => many(&mut page, inspected),
    }
    let fit = files.iter().all(|it| is_fit(it, inspected.now));
    let whole = inspected.failures.is_empty() && surplus.is_empty();
    page.finish(u8::from(!(fit && whole)))
}

/// Whether everything in the file may be uploaded today.
pub(super) fn is_fit(file: &LookedFile, now: Timestamp) -> bool {
    match &file.verdict {
        FileVerdict::Accepted {
            certificates,
            refused,
            ..
        } => refused.is_empty() && certificates.iter().all(|it| !it.validity().is_over(now)),
        FileVerdict::Refused { .. } => false,
        FileVerdict::Waiting { otherwise, .. } => otherwise.is_none(),
    }
}

fn one(page: &mut Page, file: &LookedFile, inspected: &Inspected) {
    let path = printable_path(&file.path);
    match &file.verdict {
        FileVerdict::Refused { refusal, .. } => {
            page.marked(Mark::Broken, &format!("{path}: {refusal}"));
            help(page, refusal, &file.path);
        }
        FileVerdict::Waiting { otherwise, .. } => {
            waiting(page, &path, file, otherwise.as_ref());
        }
        FileVerdict::Accepted {
            certificates,
            refused,
            issuers,
            notes,
        } => {
            accepted(page, &path, file, certificates, inspected);
            for certificate in certificates {
                page.blank();
                details(page, certificate, file, inspected);
            }
            for RefusedCertificate { refusal, .. } in refused {
                page.blank();
                page.item(2, Mark::Broken, &refusal.to_string());
                help(page, refusal, &file.path);
            }
            for issuer in issuers {
                page.item(2, Mark::Waits, &ignored(issuer));
            }
            for note in notes {
                page.item(2, Mark::Waits, &printable(note, LONGEST));
            }
            permissions(page, file, inspected);
        }
    }
}

/// What is said of a certificate that is there only because it issued another one.
pub(super) fn ignored(issuer: &IgnoredIssuer) -> String {
    format!(
        "issuer ignored: {} issued {}",
        printable(issuer.certificate.subject(), LONGEST),
        issuer.issued.short()
    )
}

/// The first line of a file that holds certificates.
fn accepted(
    page: &mut Page,
    path: &str,
    file: &LookedFile,
    certificates: &[Certificate],
    inspected: &Inspected,
) {
    let now = inspected.now;
    let remarks: usize = certificates
        .iter()
        .map(|it| noted(it, file, inspected).len())
        .sum();
    let over: Vec<&Certificate> = certificates
        .iter()
        .filter(|it| it.validity().is_over(now))
        .collect();
    if let [first, ..] = over.as_slice() {
        let end = first.validity().not_after;
        let which = if certificates.len() == 1 {
            String::new()
        } else {
            format!("{} of {}, ", over.len(), certificates.len())
        };
        page.marked(
            Mark::Broken,
            &format!(
                "{path}: refused (expired): {which}ended {} UTC, {}",
                end.second(),
                ago(end, now)
            ),
        );
        return;
    }
    if certificates.is_empty() {
        page.marked(
            Mark::Waits,
            &format!("{path}: ignored: nothing in it but what issued others"),
        );
        return;
    }
    let number = count(certificates.len(), "certificate", "certificates");
    let remarked = match remarks {
        0 => String::new(),
        number => format!(", {}", count(number, "remark", "remarks")),
    };
    page.marked(
        Mark::Fine,
        &format!("{path}: {number}, fit for upload{remarked}"),
    );
}

fn details(page: &mut Page, certificate: &Certificate, file: &LookedFile, inspected: &Inspected) {
    let validity = certificate.validity();
    let issuer = if certificate.self_signed() {
        "the same (self-signed, normal for SAML)".to_owned()
    } else if certificate.issuer() == certificate.subject() {
        "the same name with another key".to_owned()
    } else {
        certificate.issuer().to_owned()
    };
    let left = left(validity.not_after, inspected.now);
    let left = if left == "over" {
        left
    } else {
        format!("{left} left")
    };
    let facts = [
        ("subject", certificate.subject().to_owned()),
        ("issuer", issuer),
        (
            "key",
            format!(
                "{}, signature {}",
                certificate.key(),
                certificate.signature()
            ),
        ),
        (
            "valid",
            format!(
                "{} UTC  to  {} UTC     ({left})",
                validity.not_before.second(),
                validity.not_after.second()
            ),
        ),
        ("serial", certificate.serial().to_owned()),
        ("SHA-256", certificate.fingerprint().grouped()),
        (
            "thumbprint",
            format!("{}   (SHA-1, Entra and AD FS)", certificate.thumbprint()),
        ),
    ];
    for (label, text) in facts {
        page.line(&format!("  {label:<LABEL$}{text}"));
    }
    for remark in noted(certificate, file, inspected) {
        page.item(2, Mark::NeedsYou, &remark);
    }
}

/// What a person should know about a certificate of this file.
pub(super) fn noted(
    certificate: &Certificate,
    file: &LookedFile,
    inspected: &Inspected,
) -> Vec<String> {
    let now = inspected.now;
    let validity = certificate.validity();
    let begins = validity
        .is_ahead(now)
        .then(|| format!("valid from {} UTC on", validity.not_before.second()));
    let warn = inspected.warns.get(&file.path).unwrap_or(&inspected.warn);
    let remarks = remarks(certificate, *warn, now);
    begins
        .into_iter()
        .chain(remarks.into_iter().map(|Noted { text, .. }| text))
        .collect()
}

fn permissions(page: &mut Page, file: &LookedFile, inspected: &Inspected) {
    let note = inspected.permissions.get(&file.path);
    let owner = printable(&file.owner, LONGEST);
    let found = note.map_or_else(|| owner.clone(), |it| format!("{owner}: {}", it.found));
    page.line(&format!("  {:<LABEL$}{found}", "permissions"));
    let word = shell_word(&file.path);
    for line in note.map(|it| it.help.as_slice()).unwrap_or_default() {
        page.line(&format!(
            "  {:<LABEL$}help: {}",
            "",
            line.replace("FILE", &word)
        ));
    }
}

pub(super) fn help(page: &mut Page, refusal: &Refusal, path: &Path) {
    for (index, line) in help_lines(refusal, path).into_iter().enumerate() {
        let label = if index == 0 { "help: " } else { "" };
        page.line(&format!("  {label:<6}{line}"));
    }
}

pub(super) fn waiting(
    page: &mut Page,
    shown: &str,
    file: &LookedFile,
    otherwise: Option<&Refusal>,
) {
    let Some(refusal) = otherwise else {
        let text = format!("{shown}: changed a moment ago; look again");
        return page.marked(Mark::Waits, &text);
    };
    let text = format!("{shown}: may still be being written; if not: {refusal}");
    page.marked(Mark::Waits, &text);
    help(page, refusal, &file.path);
}

/// The width of a label with the space behind it.
const LABEL: usize = 13;
/// Words of others in a line are cut here.
pub(super) const LONGEST: usize = 300;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::domain::{PassedOver, Reason, Remark};
    use crate::view::testing::{
        NARROW_ASCII, WIDE, adfs, adfs_next, certificate, now, okta, refused_file, remarked,
    };

    fn accepted_file(name: &str, certificates: Vec<Certificate>) -> LookedFile {
        let mut file = refused_file(name, Refusal::new(Reason::Empty, ""));
        file.verdict = FileVerdict::Accepted {
            certificates,
            refused: Vec::new(),
            issuers: Vec::new(),
            notes: Vec::new(),
        };
        file
    }

    fn patterns_of(directory: &str, patterns: &[&str]) -> (PathBuf, Vec<String>) {
        let patterns = patterns.iter().map(|it| (*it).to_owned());
        (directory.into(), patterns.collect())
    }

    fn inspected(files: Vec<LookedFile>) -> Inspected {
        Inspected {
            look: Look {
                files,
                ..Look::default()
            },
            failures: Vec::new(),
            permissions: BTreeMap::new(),
            patterns: BTreeMap::from([
                patterns_of("/etc/sso-certd/certificates", &["*.pem", "*.crt"]),
                patterns_of("/srv/okta", &["okta-*"]),
            ]),
            leavings: BTreeSet::new(),
            warn: Warn {
                before: Duration::from_secs(30 * 86_400),
                is_default: true,
            },
            warns: BTreeMap::new(),
            now: now(),
        }
    }

    #[track_caller]
    fn check(inspected: &Inspected, terminal: Terminal, code: u8, expected: &Expect) {
        let rendered = inspect_text(inspected, terminal);
        expected.assert_eq(&rendered.text);
        assert_eq!(rendered.exit, code);
    }

    #[test]
    fn one_good_file_is_shown_whole() {
        let file = accepted_file("okta.cert", vec![okta()]);
        let mut inspected = inspected(vec![file.clone()]);
        inspected.permissions.insert(
            file.path,
            PermissionNote {
                found: "fine to look at; in a watched directory the owner would have to be root"
                    .to_owned(),
                help: vec!["install -o root -m 644 FILE /etc/x/".to_owned()],
            },
        );
        check(
            &inspected,
            WIDE,
            0,
            &expect![[r#"
            ✓ /etc/sso-certd/certificates/okta.cert: 1 certificate, fit for upload

              subject      CN=example, O=Okta
              issuer       the same (self-signed, normal for SAML)
              key          RSA 2048, signature SHA-256
              valid        2026-03-02 00:00:00 UTC  to  2036-02-28 00:00:00 UTC     (9.2 y left)
              serial       01:95:56
              SHA-256      38d03ade2be3704f 56546e590af1034e 827e1362defbf9cb e064ff4600640f24
              thumbprint   F4C8 AD4E 9250 FA32 0391 073D 9639 47FF FCA8 BD4D   (SHA-1, Entra and AD FS)
              permissions  root 0644: fine to look at; in a watched directory the owner would have to be root
                           help: install -o root -m 644 /etc/sso-certd/certificates/okta.cert /etc/x/
        "#]],
        );
    }

    #[test]
    fn a_near_end_is_a_remark() {
        let file = accepted_file("adfs.cer", vec![adfs()]);
        check(
            &inspected(vec![file]),
            WIDE,
            0,
            &expect![[r#"
                ✓ /etc/sso-certd/certificates/adfs.cer: 1 certificate, fit for upload, 1 remark

                  subject      CN=ADFS Signing - sts.example.com
                  issuer       the same (self-signed, normal for SAML)
                  key          RSA 2048, signature SHA-256
                  valid        2025-11-24 00:00:00 UTC  to  2026-12-14 00:00:00 UTC     (19 d left)
                  serial       01:95:56
                  SHA-256      faee618c2cd6e62b c410badc7d2c0701 b07a86c40c323c37 0ca2e77d0a73dcba
                  thumbprint   92FE B483 3EB1 3477 2787 2FD1 A4D0 F304 BAE4 892A   (SHA-1, Entra and AD FS)
                  ! ends in 19 d; expiry.warn is 30 d by default
                  permissions  root 0644
            "#]],
        );
    }

    #[test]
    fn what_is_over_is_refused_here() {
        let over = certificate("CN=x", "2024-12-14", "2025-12-14");
        let file = accepted_file("adfs-2025.cer", vec![over]);
        check(
            &inspected(vec![file]),
            WIDE,
            1,
            &expect![[r#"
            ✗ /etc/sso-certd/certificates/adfs-2025.cer: refused (expired): ended 2025-12-14 00:00:00 UTC, 345 days ago

              subject      CN=x
              issuer       the same (self-signed, normal for SAML)
              key          RSA 2048, signature SHA-256
              valid        2024-12-14 00:00:00 UTC  to  2025-12-14 00:00:00 UTC     (over)
              serial       01:95:56
              SHA-256      8efe69b92a942499 8ab1995101443483 7660871835340697 3cfb6c43889817a8
              thumbprint   54B9 CD92 D725 78BB 66B9 1FD8 D959 E242 BBCB 1E47   (SHA-1, Entra and AD FS)
              permissions  root 0644
        "#]],
        );
    }

    #[test]
    fn a_refused_file_says_what_helps() {
        let refusal = Refusal::new(Reason::PrivateKey, "line 1 begins a key")
            .help("keep only the certificate   openssl x509 -in FILE -out okta.pem")
            .help("remove the bundle           shred -u FILE");
        check(
            &inspected(vec![refused_file("okta bundle.pem", refusal)]),
            NARROW_ASCII,
            1,
            &expect![[r#"
                x /etc/sso-certd/certificates/okta bundle.pem: refused (private_key): line 1 begins a key
                  help: keep only the certificate   openssl x509 -in '/etc/sso-certd/certificates/okta bundle.pem' -out okta.pem
                        remove the bundle           shred -u '/etc/sso-certd/certificates/okta bundle.pem'
            "#]],
        );
    }

    #[test]
    fn many_files_are_one_line_each() {
        let over = certificate("CN=x", "2024-12-14", "2025-12-14");
        let mut inspected = inspected(vec![
            accepted_file("adfs-2025.cer", vec![over]),
            accepted_file("adfs-2026.cer", vec![adfs(), adfs_next()]),
            refused_file(
                "adfs-enc.cer",
                Refusal::new(Reason::KeyUsage, "for encryption only"),
            ),
        ]);
        inspected.look.ignored = PassedOver {
            count: 1_000_000,
            first: vec!["/etc/sso-certd/certificates/README".into()],
        };
        inspected.look.surplus = PassedOver {
            count: 1,
            first: vec!["/etc/sso-certd/certificates/z.pem".into()],
        };
        check(
            &inspected,
            WIDE,
            1,
            &expect![[r#"
                ✗ adfs-2025.cer  refused (expired): 8efe69b92a942499 ended 2025-12-14, 345 days ago
                ✓ adfs-2026.cer  faee618c2cd6e62b  2026-12-14    19 d  CN=ADFS Signing - sts.example.com
                  ! ends in 19 d; expiry.warn is 30 d by default
                ✓ adfs-2026.cer  d49e9ef2931aaea1  2027-11-24   364 d  CN=ADFS Signing - sts.example.com
                ✗ adfs-enc.cer   refused (key_usage): for encryption only
                  README         not looked at: the name matches none of *.pem *.crt
                  z.pem          not looked at: too many files in one directory
                  … and 999999 more that were not looked at

                2 certificates fit for upload, 2 files refused, 1000001 not looked at. Details: sso-certd inspect FILE
            "#]],
        );
    }

    #[test]
    fn of_many_files_what_is_remarkable_is_below_the_line_of_each() {
        let odd = remarked("CN=odd", "2026-01-01", "2027-12-01", &[Remark::OddSerial]);
        let mut mixed = accepted_file("b.pem", vec![okta()]);
        if let FileVerdict::Accepted { refused, notes, .. } = &mut mixed.verdict {
            refused.push(RefusedCertificate::unreadable(
                Refusal::new(Reason::WeakKey, "RSA 1024").help("make a new key"),
            ));
            notes.push("1 issuer ignored: CN=root".to_owned());
        }
        let mut inspected = inspected(vec![
            accepted_file("a.pem", vec![adfs(), odd]),
            mixed,
            accepted_file("c.pem", vec![okta()]),
            refused_file(
                "d e.pem",
                Refusal::new(Reason::Encoding, "UTF-16").help("iconv FILE"),
            ),
        ]);
        let note = |found: &str| PermissionNote {
            found: found.to_owned(),
            help: vec!["chmod o-w FILE".to_owned()],
        };
        for (index, found) in [(0, "the way is open"), (1, "open"), (2, "the way is open")] {
            let path = inspected.look.files[index].path.clone();
            inspected.permissions.insert(path, note(found));
        }
        check(
            &inspected,
            WIDE,
            1,
            &expect![[r#"
            ✓ a.pem    faee618c2cd6e62b  2026-12-14    19 d  CN=ADFS Signing - sts.example.com
              ! ends in 19 d; expiry.warn is 30 d by default
            ✓ a.pem    fb370ac14d794f30  2027-12-01   371 d  CN=odd
              ! its serial number is zero or negative
              ! permissions: the way is open
                help: chmod o-w /etc/sso-certd/certificates/a.pem
            ✓ b.pem    38d03ade2be3704f  2036-02-28   9.2 y  CN=example, O=Okta
            ✗ b.pem    refused (weak_key): RSA 1024
              help: make a new key
              · 1 issuer ignored: CN=root
              ! permissions: open
                help: chmod o-w /etc/sso-certd/certificates/b.pem
            ✓ c.pem    38d03ade2be3704f  2036-02-28   9.2 y  CN=example, O=Okta
            ✗ d e.pem  refused (encoding): UTF-16
              help: iconv '/etc/sso-certd/certificates/d e.pem'

            3 certificates fit for upload, 2 files refused. Details: sso-certd inspect FILE
        "#]],
        );
    }

    #[test]
    fn why_a_name_was_passed_over_is_said_by_its_own_directory() {
        let mut inspected = inspected(Vec::new());
        let names = [
            "/etc/sso-certd/certificates/okta-1",
            "/srv/okta/.okta-1",
            "/srv/okta/okta.pem",
        ];
        inspected.look.ignored = PassedOver {
            count: names.len(),
            first: names.map(PathBuf::from).to_vec(),
        };
        inspected.leavings.insert(names[1].into());
        check(
            &inspected,
            WIDE,
            0,
            &expect![[r#"
              /etc/sso-certd/certificates/okta-1  not looked at: the name matches none of *.pem *.crt
              /srv/okta/.okta-1                   not looked at: a hidden or unfinished file, by its name
              /srv/okta/okta.pem                  not looked at: the name matches none of okta-*

            0 certificates fit for upload, 3 not looked at. Details: sso-certd inspect FILE
        "#]],
        );
    }

    #[test]
    fn a_path_that_is_not_there_is_told() {
        let mut inspected = inspected(Vec::new());
        inspected.failures = vec![SourceError::Missing("/nowhere".to_owned())];
        check(
            &inspected,
            WIDE,
            1,
            &expect![[r#"
                ✗ the directory /nowhere is missing
            "#]],
        );
    }
}
