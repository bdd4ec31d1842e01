//! The program, run to its end.

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::timeout;

use super::LIMIT;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_sso-certd");

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a program to its end, and not for ever.
pub async fn finish(mut command: Command) -> Ran {
    let shown = format!("{command:?}");
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = pid_of(&child);
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let Ok(ended) = timeout(LIMIT, ended).await else {
        kill_process(pid, Signal::KILL).unwrap();
        panic!("{shown} did not end");
    };
    let output = ended.unwrap();
    Ran {
        exit: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The process of a child that was not waited for.
pub fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}
