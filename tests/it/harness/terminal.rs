//! A command at a terminal, with somebody who answers.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;

use nix::pty::{OpenptyResult, openpty};
use rustix::process::{Signal, kill_process};
use tokio::time::timeout;

use super::LIMIT;
use super::program::{Ran, pid_of};

/// Runs a command at a terminal of its own and, once it asks for a "yes", types this. What it showed is in `out`, with
/// what was typed.
pub async fn at_terminal(mut command: Command, answer: &str) -> Ran {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    command
        .env("LANG", "C.UTF-8")
        .env("NO_COLOR", "1")
        .stdin(slave.try_clone().unwrap())
        .stdout(slave.try_clone().unwrap())
        .stderr(slave);
    let shown = format!("{command:?}");
    let mut child = command.spawn().unwrap();
    drop(command); // its copies of the other end
    let (pid, answer) = (pid_of(&child), format!("{answer}\n"));
    let talk = tokio::task::spawn_blocking(move || {
        let out = converse(File::from(master), &answer);
        (child.wait().unwrap(), out)
    });
    let Ok(ended) = timeout(LIMIT, talk).await else {
        kill_process(pid, Signal::KILL).unwrap();
        panic!("{shown} did not end");
    };
    let (status, out) = ended.unwrap();
    Ran {
        exit: status.code().unwrap_or(-1),
        out: out.replace("\r\n", "\n"),
        err: String::new(),
    }
}

/// Reads until the other end is closed, which a terminal tells as an error.
fn converse(mut terminal: File, answer: &str) -> String {
    let (mut out, mut chunk, mut is_answered) = (Vec::new(), [0; 4096], false);
    while let Ok(read @ 1..) = terminal.read(&mut chunk) {
        out.extend_from_slice(&chunk[..read]);
        let asks = out.windows(10).any(|it| it == b"Type \"yes\"") && out.ends_with(b": ");
        if asks && !is_answered {
            terminal.write_all(answer.as_bytes()).unwrap();
            is_answered = true;
        }
    }
    String::from_utf8(out).unwrap()
}
