//! `inspect` of many files: a line for each, and below it what is remarkable.

use std::collections::BTreeSet;
use std::path::Path;

use crate::domain::text::{count, file_name, printable, printable_path};
use crate::domain::{Certificate, FileVerdict, Look, LookedFile, RefusedCertificate};

use super::inspect_text::{
    Inspected, LONGEST, PermissionNote, help, ignored, is_fit, noted, waiting,
};
use super::refusal_text::shell_word;
use super::terminal::{Mark, Page};
use super::when::{ago, left};

/// One line a file first; below it, indented, what is remarkable of it.
pub(super) fn many(page: &mut Page, inspected: &Inspected) {
    let Look {
        files,
        ignored,
        surplus,
        ..
    } = &inspected.look;
    let all = || {
        files
            .iter()
            .map(|it| &it.path)
            .chain(&ignored.first)
            .chain(&surplus.first)
    };
    let parents: BTreeSet<Option<&Path>> = all().map(|it| it.parent()).collect();
    let name = |path: &Path| {
        if parents.len() == 1 {
            file_name(path)
        } else {
            printable_path(path)
        }
    };
    let width = all().map(|it| name(it).chars().count()).max().unwrap_or(0);
    let mut told = Vec::new();
    for file in files {
        let shown = format!("{:<width$}", name(&file.path));
        lines(page, &shown, file, inspected);
        permissions(page, file, inspected, &mut told);
    }
    let passed_over = ignored
        .first
        .iter()
        .map(|it| (it, ignored_because(it, inspected)))
        .chain(surplus.first.iter().map(|it| {
            (
                it,
                "not looked at: too many files in one directory".to_owned(),
            )
        }));
    for (path, why) in passed_over {
        page.line(&format!("  {:<width$}  {why}", name(path)));
    }
    let more = ignored.more() + surplus.more();
    if more > 0 {
        page.line(&format!("  … and {more} more that were not looked at"));
    }
    page.blank();
    page.line(&totals(inspected));
}

/// One line a certificate, or one for what is refused.
fn lines(page: &mut Page, shown: &str, file: &LookedFile, inspected: &Inspected) {
    let now = inspected.now;
    match &file.verdict {
        FileVerdict::Refused { refusal, .. } => {
            page.item(0, Mark::Broken, &format!("{shown}  {refusal}"));
            help(page, refusal, &file.path);
        }
        FileVerdict::Waiting { otherwise, .. } => {
            waiting(page, shown.trim_end(), file, otherwise.as_ref());
        }
        FileVerdict::Accepted {
            certificates,
            refused,
            issuers,
            notes,
        } => {
            if certificates.is_empty() {
                let line = format!("{shown}  ignored: nothing in it but what issued others");
                page.item(0, Mark::Waits, &line);
            }
            for it in certificates {
                let validity = it.validity();
                let end = validity.not_after.date();
                if validity.is_over(now) {
                    let line = format!(
                        "{shown}  refused (expired): {} ended {end}, {}",
                        it.fingerprint().short(),
                        ago(validity.not_after, now)
                    );
                    page.item(0, Mark::Broken, &line);
                } else {
                    let line = format!(
                        "{shown}  {}  {end}  {:>6}  {}",
                        it.fingerprint().short(),
                        left(validity.not_after, now),
                        it.subject()
                    );
                    page.item(0, Mark::Fine, &line);
                }
                for remark in noted(it, file, inspected) {
                    page.item(2, Mark::NeedsYou, &remark);
                }
            }
            for RefusedCertificate { refusal, .. } in refused {
                page.item(0, Mark::Broken, &format!("{shown}  {refusal}"));
                help(page, refusal, &file.path);
            }
            for issuer in issuers {
                page.item(2, Mark::Waits, &ignored(issuer));
            }
            for note in notes {
                page.item(2, Mark::Waits, &printable(note, LONGEST));
            }
        }
    }
}

/// What a watched directory would say of an accepted file's permissions; of the way to the files it is `told` once.
fn permissions<'a>(
    page: &mut Page,
    file: &LookedFile,
    inspected: &'a Inspected,
    told: &mut Vec<&'a PermissionNote>,
) {
    let is_accepted = file.verdict.is_accepted();
    let note = inspected.permissions.get(&file.path);
    let Some(note) = note.filter(|it| is_accepted && !told.contains(it)) else {
        return;
    };
    told.push(note);
    let line = format!("permissions: {}", printable(&note.found, LONGEST));
    page.item(2, Mark::NeedsYou, &line);
    let word = shell_word(&file.path);
    for line in &note.help {
        page.line(&format!("    help: {}", line.replace("FILE", &word)));
    }
}

fn ignored_because(path: &Path, inspected: &Inspected) -> String {
    if inspected.leavings.contains(path) {
        return "not looked at: a hidden or unfinished file, by its name".to_owned();
    }
    let patterns = path.parent().and_then(|it| inspected.patterns.get(it));
    let patterns = patterns.map_or_else(String::new, |it| it.join(" "));
    format!("not looked at: the name matches none of {patterns}")
}

fn totals(inspected: &Inspected) -> String {
    let Look {
        files,
        ignored,
        surplus,
        ..
    } = &inspected.look;
    let fit: BTreeSet<_> = files
        .iter()
        .flat_map(|it| it.verdict.accepted())
        .filter(|it| !it.validity().is_over(inspected.now))
        .map(Certificate::fingerprint)
        .collect();
    let refused = files.iter().filter(|it| !is_fit(it, inspected.now)).count();
    let passed_over = ignored.count + surplus.count;
    let mut parts = vec![format!(
        "{} fit for upload",
        count(fit.len(), "certificate", "certificates")
    )];
    if refused > 0 {
        parts.push(format!("{} refused", count(refused, "file", "files")));
    }
    if passed_over > 0 {
        parts.push(format!("{passed_over} not looked at"));
    }
    format!("{}. Details: sso-certd inspect FILE", parts.join(", "))
}
