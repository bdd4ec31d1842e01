//! `check-config`: everything that `run` would read, and with `--probe` what SendGrid says.

use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use super::offline::become_owner;
use super::{
    CONFIGURATION, Outcome, PERMISSION, Screen, ask, configuration, error_line, warning_lines,
};
use crate::adapter::certificate_directory::CertificateDirectory;
use crate::adapter::control_socket::{Question, Verb};
use crate::adapter::sendgrid::KeyReader;
use crate::adapter::users::{RunsAs, user_name};
use crate::config::{Loaded, Printed, Problem, Settings, access};
use crate::domain::text::{count, printable_path};
use crate::intake::judge_file;
use crate::view::check_text::{
    Finding, Grade, Setting, errors_text, findings_lines, findings_text, settings_text,
};

/// How to check.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// Ask SendGrid, too.
    pub(super) probe: bool,
    /// Show each value instead.
    pub(super) print: bool,
    /// Whether it is an error that others could change the configuration: people check files before they install them.
    pub(super) strict: bool,
}

/// The check before a reload: as strict as `run`, and a running daemon is told that it is not reloaded.
pub(super) fn guard_reload(path: &Path, screen: Screen) -> Outcome {
    let how = How {
        probe: false,
        print: false,
        strict: true,
    };
    let mut outcome = check_config(path, how, screen);
    if outcome.exit == 0 {
        return outcome;
    }
    if let Err(error) = ask::tell_reload_refused(path, screen) {
        let text = format!("the daemon was not told that it is not reloaded: {error}");
        outcome
            .err
            .push_str(&warning_lines(&[(text, None)], screen));
    }
    outcome
}

/// Checks, and says what was found.
pub(super) fn check_config(path: &Path, how: How, screen: Screen) -> Outcome {
    let How {
        probe,
        print,
        strict,
    } = how;
    let loaded = match configuration(path, screen) {
        Ok(loaded) => loaded,
        Err(outcome) => return outcome,
    };
    let Loaded {
        settings,
        warnings,
        printed,
    } = loaded;
    let mut err = warning_lines(&pairs(warnings), screen);
    let keys = key_findings(&settings);
    err.push_str(&warning_lines(&keys.warnings, screen));
    let mut access = access(&settings, &RunsAs::owner_of(&settings.state_directory));
    if !strict {
        access.remarks.splice(0..0, access.problems.drain(..));
    }
    let problems: Vec<_> = keys
        .problems
        .into_iter()
        .chain(pairs(access.problems))
        .collect();
    if !problems.is_empty() {
        let rendered = errors_text(&problems, CONFIGURATION, screen.err);
        return Outcome {
            out: String::new(),
            err: err + &rendered.text,
            exit: rendered.exit,
        };
    }
    if print {
        let settings: Vec<_> = printed
            .into_iter()
            .map(|Printed { key, value, from }| Setting { key, value, from })
            .collect();
        return Outcome {
            out: settings_text(&settings, screen.out).text,
            err,
            exit: 0,
        };
    }
    let probed = probe.then(|| ask_sendgrid(&settings, screen));
    let mut findings = vec![files_finding(path, &settings)];
    if !probe {
        findings.extend(keys.fine);
    }
    // The last step, as there is no way back: what root can read says nothing of what the daemon can.
    if let Err(why) = become_owner(&settings) {
        return error_line(&why, None, PERMISSION, screen);
    }
    findings.extend(file_findings(&settings));
    findings.extend(access.remarks.into_iter().map(remark));
    findings.extend(directory_findings(&settings));
    let Some(probed) = probed else {
        let rendered = findings_text(&findings, None, CONFIGURATION, screen.out);
        return Outcome {
            out: rendered.text,
            err,
            exit: rendered.exit,
        };
    };
    let is_broken = findings.iter().any(|it| it.grade == Grade::Problem);
    Outcome {
        out: findings_lines(&findings, screen.out).text + &probed.out,
        err: err + &probed.err,
        exit: if is_broken {
            CONFIGURATION
        } else {
            probed.exit
        },
    }
}

fn ask_sendgrid(settings: &Settings, screen: Screen) -> Outcome {
    let question = Question {
        verb: Verb::Probe,
        names: Vec::new(),
        json: false,
        width: screen.out.width,
        color: screen.out.color,
        utf8: screen.out.utf8,
    };
    ask::put(settings.clone(), &question, screen)
}

fn pairs(warnings: Vec<Problem>) -> Vec<(String, Option<String>)> {
    warnings
        .into_iter()
        .map(|it| (it.to_string(), it.help))
        .collect()
}

fn files_finding(path: &Path, settings: &Settings) -> Finding {
    let more = settings.files_read.len().saturating_sub(1);
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {} of conf.d", count(more, "file", "files"))
    };
    let integrations = count(settings.integrations.len(), "integration", "integrations");
    let accounts = count(settings.accounts.len(), "account", "accounts");
    let text = format!("{}{more}: {integrations}, {accounts}", printable_path(path));
    Finding {
        grade: Grade::Fine,
        text,
        help: None,
    }
}

fn remark(problem: Problem) -> Finding {
    Finding {
        grade: Grade::Remark,
        text: problem.to_string(),
        help: problem.help,
    }
}

struct Keys {
    fine: Vec<Finding>,
    warnings: Vec<(String, Option<String>)>,
    problems: Vec<(String, Option<String>)>,
}

fn key_findings(settings: &Settings) -> Keys {
    let mut keys = Keys {
        fine: Vec::new(),
        warnings: Vec::new(),
        problems: Vec::new(),
    };
    for (name, account) in &settings.accounts {
        let is_used = settings.integrations.values().any(|it| it.account == *name);
        match KeyReader::new(name.clone(), account.key.clone()).read() {
            Ok(found) => {
                if let Some(warning) = found.warning {
                    keys.warnings
                        .push((warning.to_string(), Some(warning.help())));
                }
                let text = format!("{name}: key from {}", account.key);
                keys.fine.push(Finding {
                    grade: Grade::Fine,
                    text,
                    help: None,
                });
            }
            // `default` exists without being written, and may well not be meant.
            Err(_) if !is_used && !settings.integrations.is_empty() => {}
            Err(error) => keys.problems.push((
                error.to_string(),
                Some(error.help().join("\n")).filter(|it| !it.is_empty()),
            )),
        }
    }
    keys
}

/// Files of the configuration that this user cannot read, though who read them first could.
fn file_findings(settings: &Settings) -> Vec<Finding> {
    let unreadable = |path: &&PathBuf| std::fs::File::open(path).is_err();
    let finding = |path: &PathBuf| {
        let path = printable_path(path);
        Finding {
            grade: Grade::Problem,
            text: format!(
                "{path} cannot be read by {}",
                user_name(Uid::effective().as_raw())
            ),
            help: Some(format!("chmod 644 {path}")),
        }
    };
    let files = settings.files_read.iter();
    files.filter(unreadable).map(finding).collect()
}

/// Directories that cannot be looked at: the daemon starts all the same, and sees nothing new there.
fn directory_findings(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, integration) in &settings.integrations {
        let directory = &integration.directory.directory;
        let problem = match CertificateDirectory::new(integration.directory.clone(), judge_file) {
            Err(error) => Some((error.to_string(), None)),
            Ok(_) if !directory.is_dir() => {
                let path = printable_path(directory);
                Some((
                    format!("the directory {path} is missing"),
                    Some(format!("install -d -m 755 {path}")),
                ))
            }
            Ok(_) if std::fs::read_dir(directory).is_err() => {
                let path = printable_path(directory);
                Some((
                    format!(
                        "the directory {path} cannot be read by {}",
                        user_name(Uid::effective().as_raw())
                    ),
                    Some(format!("chmod 755 {path}")),
                ))
            }
            Ok(it) => match it.judge_path() {
                Ok(()) => None,
                Err(refusal) => Some((refusal.to_string(), Some(refusal.help.join("\n")))),
            },
        };
        if let Some((text, help)) = problem {
            findings.push(Finding {
                grade: Grade::Remark,
                text: format!("{name}: {text}"),
                help,
            });
        }
    }
    findings
}
