//! The story of sso-certd in four acts, played for real: `cargo run --example sandbox`.
//!
//! Two processes: this one is the stage (a simulated SendGrid, an identity provider, the transcript), and the other is
//! the daemon itself, which this program becomes when it starts itself again with [`daemon::ROLE`] before the daemon's
//! own arguments. What stands behind `sso-certd` in the transcript is the daemon's log, what stands behind `SendGrid` is
//! the simulator's record, and what stands behind `checked` was looked up in both; every number was measured.
//!
//! `stage` has the directory, `idp` the certificates, `daemon` the other process, `transcript` the lines in their order,
//! `show` everything that runs, `acts` the story and `secret` the search for a private key.

#![expect(
    clippy::print_stderr,
    reason = "it is a program for a person at a terminal"
)]

mod acts;
mod daemon;
mod idp;
mod secret;
mod show;
#[path = "../simulator/mod.rs"]
mod simulator;
mod stage;
mod transcript;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use show::{Halt, Show};

/// sso-certd at work: the real daemon, a simulated SendGrid and an identity provider, all on this machine.
///
/// Four acts of what happens to SSO certificates, each in a few seconds and without anybody's help. Then it goes on
/// until Ctrl-C: drop certificates of your own into its directory and watch. It needs no account, no key and no
/// privileges, asks nobody but itself, and writes to one directory under the temporary directory (TMPDIR).
#[derive(Parser)]
#[command(name = "sandbox", max_term_width = 100)]
struct Arguments {
    /// End by itself after the last act, without pauses; the exit status says whether everything came true
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    if arguments.nth(1).is_some_and(|it| it == daemon::ROLE) {
        return daemon::play(arguments);
    }
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays on this thread: the daemon's process ends with the thread that started it.
fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(async {
        let mut show = Show::open().await?;
        let played = acts::play(&mut show, arguments.once).await;
        let is_kept = show.close().await;
        Ok(match played {
            Ok(()) if is_kept => ExitCode::SUCCESS,
            Err(Halt::Asked) if is_kept && !arguments.once => ExitCode::SUCCESS,
            Err(Halt::Failed(why)) => {
                eprintln!("sandbox: {why}");
                ExitCode::FAILURE
            }
            Ok(()) | Err(Halt::Asked | Halt::NobodyReads) => ExitCode::FAILURE,
        })
    })
}
