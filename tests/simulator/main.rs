//! A simulated SendGrid for a person who wants to try the daemon: `cargo run --example simulator -- --help`.

#![expect(
    clippy::print_stdout,
    reason = "it is a program for a person at a terminal"
)]

#[path = "mod.rs"]
mod simulator;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::{Parser, ValueEnum};
use tempfile::NamedTempFile;

use simulator::{
    Account, Behaviour, Fault, IdStyle, Identity, Integration, Operation, Options, RateLimit,
    ResetStyle, RetryAfter, Rule, SCOPES, Simulator,
};

const DEFAULT_KEY: &str = "SG.simulator";

/// A simulated SendGrid: the SSO certificates API on a loopback port, faithful by default, hostile on request.
///
/// It prints what to put into sso-certd.toml, then one line a request. Ctrl-C ends it with a verdict: which rules its
/// clients broke. Nothing leaves this machine, and nothing is kept.
#[derive(Parser)]
#[command(name = "simulator", after_help = fault_help())]
struct Arguments {
    /// The loopback port; 0 for any that is free
    #[arg(long, default_value_t = 8465)]
    port: u16,
    /// The API key it accepts
    #[arg(long, value_name = "KEY", default_value = DEFAULT_KEY, hide_default_value = true)]
    api_key: String,
    /// An integration that exists; may be repeated
    #[arg(long, value_name = "NAME=UUID", default_value = "okta=b0b98502-9408-4b24-9e3d-31ed7cb15312", value_parser = named)]
    integration: Vec<(String, String)>,
    /// So many requests in each window: 20/2s
    #[arg(long, value_name = "LIMIT/WINDOW", value_parser = rate)]
    rate: Option<RateLimit>,
    /// What X-Ratelimit-Reset is
    #[arg(long, value_enum, default_value_t = Reset::Epoch)]
    reset: Reset,
    /// Send Retry-After with a 429
    #[arg(long)]
    retry_after: bool,
    /// Speak TLS, as one of the identities below; the authority's certificate is written to a file for `ca_file`
    #[arg(long, value_name = "IDENTITY", value_parser = identity)]
    tls: Option<Identity>,
    /// End a connection that was idle for so long, just when the next request comes: 100ms
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    close_idle: Option<Duration>,
    /// Keep to the letter of SendGrid's published description, in errors too
    #[arg(long)]
    as_described: bool,
    /// The form of a certificate's id
    #[arg(long, value_enum, default_value_t = Ids::Number)]
    ids: Ids,
    /// What goes wrong, from the list below: one operation's requests or all, always or with a probability; may be repeated
    #[arg(long, value_name = "[OPERATION:]FAULT[=PROBABILITY]", value_parser = rule)]
    fault: Vec<Rule>,
    /// For the dice of the probabilities
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Reset {
    /// The unix second of the window's end
    Epoch,
    /// Seconds until then
    Delta,
}

#[derive(Clone, Copy, ValueEnum)]
enum Ids {
    /// 66138975, as described
    Number,
    /// "66138975"
    Digits,
    /// Twenty letters and digits
    Slug,
    /// 66138975.0
    Float,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let own_key = arguments.api_key != DEFAULT_KEY;
    let integrations = arguments.integration.clone();
    let port = arguments.port;
    let simulator = Simulator::try_start(options(arguments))
        .await
        .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
    let authority = simulator
        .authority_pem()
        .map(|it| written(&it))
        .transpose()?;
    let ca_file = authority.as_ref().map(NamedTempFile::path);
    println!(
        "{}",
        opening(&simulator.url(), ca_file, own_key, &integrations)
    );

    let mut seen = 0;
    loop {
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => {
                pressed.context("cannot wait for Ctrl-C")?;
                break;
            }
            events = simulator.events_after(seen) => {
                seen += events.len();
                for event in &events {
                    println!("{}", simulator.line(event));
                }
            }
        }
    }

    let history = simulator.history();
    let broken = history.check();
    println!(
        "\n{} requests, {} rows.",
        history.requests().count(),
        simulator.rows().len()
    );
    for sentence in &broken {
        println!("  broken: {sentence}");
    }
    if broken.is_empty() {
        println!("No rule was broken.");
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}

fn options(arguments: Arguments) -> Options {
    let account = Account::new("default").key(&arguments.api_key, &SCOPES);
    let account = arguments
        .integration
        .iter()
        .fold(account, |account, (name, id)| {
            account.integration(Integration::new(name, id))
        });
    let reset = match arguments.reset {
        Reset::Epoch => ResetStyle::Epoch,
        Reset::Delta => ResetStyle::Delta,
    };
    let retry_after = if arguments.retry_after {
        RetryAfter::Seconds
    } else {
        RetryAfter::None
    };
    let ids = match arguments.ids {
        Ids::Number => IdStyle::Number,
        Ids::Digits => IdStyle::Digits,
        Ids::Slug => IdStyle::Slug,
        Ids::Float => IdStyle::Float,
    };
    let behaviour = if arguments.as_described {
        Behaviour::as_described()
    } else {
        Behaviour::default()
    };
    Options {
        port: arguments.port,
        accounts: vec![account],
        behaviour: Behaviour {
            ids,
            close_idle_after: arguments.close_idle,
            ..behaviour
        },
        tls: arguments.tls,
        rate_limit: arguments
            .rate
            .map(|it| it.reset(reset).retry_after(retry_after)),
        rules: arguments.fault,
        seed: arguments.seed,
    }
}

/// A file with this text, until it is dropped.
fn written(authority: &str) -> anyhow::Result<NamedTempFile> {
    let file = tempfile::Builder::new()
        .prefix("simulator-authority-")
        .suffix(".pem")
        .tempfile()
        .context("cannot make a file for the authority's certificate")?;
    std::fs::write(file.path(), authority)
        .with_context(|| format!("cannot write {}", file.path().display()))?;
    Ok(file)
}

/// What a person needs to know to begin.
fn opening(
    url: &str,
    ca_file: Option<&Path>,
    own_key: bool,
    integrations: &[(String, String)],
) -> String {
    let key = if own_key {
        "KEY                 # the one you gave"
    } else {
        DEFAULT_KEY
    };
    let sections: Vec<String> = integrations
        .iter()
        .map(|(name, id)| format!("\n    [integrations.{name}]\n    integration_id = \"{id}\"\n"))
        .collect();
    let sections = sections.concat();
    let ca_file = ca_file.map_or_else(String::new, |path| {
        format!("    ca_file = \"{}\"\n", path.display())
    });
    format!(
        "A simulated SendGrid listens on {url}. Put this into sso-certd.toml:\n\n    \
         [accounts.default]\n    base_url = \"{url}\"\n{ca_file}{sections}\n\
         and start the daemon with the key in its environment:\n\n    \
         export SENDGRID_API_KEY={key}\n\n\
         Ctrl-C ends it. One line a request:\n"
    )
}

fn fault_help() -> String {
    let operations = Operation::ALL.map(|it| it.to_string()).join(", ");
    let identities = Identity::ALL.map(|it| it.to_string()).join(", ");
    let faults: Vec<&str> = Fault::named().into_iter().map(|(name, _)| name).collect();
    format!(
        "Faults:\n  {}\n\nOperations:\n  {operations}\n\nIdentities:\n  {identities}\n\n\
         Every fifth upload is stored and its answer lost:\n  simulator --fault create:commit-then-close=0.2\n\
         Nobody should believe this one:\n  simulator --tls expired",
        faults.join(", ")
    )
}

fn named(text: &str) -> anyhow::Result<(String, String)> {
    let (name, id) = text.split_once('=').context("write NAME=UUID")?;
    Ok((name.to_owned(), id.to_owned()))
}

fn identity(text: &str) -> anyhow::Result<Identity> {
    let mut all = Identity::ALL.into_iter();
    all.find(|it| it.to_string() == text)
        .ok_or_else(|| anyhow!("there is no such identity; --help lists them"))
}

fn rate(text: &str) -> anyhow::Result<RateLimit> {
    let (limit, window) = text
        .split_once('/')
        .context("write LIMIT/WINDOW, as in 20/2s")?;
    let limit = limit.parse().context("the limit is a number")?;
    let window = humantime::parse_duration(window).context("the window is a duration, as in 2s")?;
    if window < Duration::from_millis(1) {
        bail!("the window is at least 1ms");
    }
    Ok(RateLimit::new(limit, window))
}

fn rule(text: &str) -> anyhow::Result<Rule> {
    let (what, chance) = match text.split_once('=') {
        Some((what, chance)) => (what, chance.parse().context("the probability is a number")?),
        None => (text, 1.0),
    };
    if !(0.0..=1.0).contains(&chance) {
        bail!("the probability is between 0 and 1");
    }
    let (operation, name) = match what.split_once(':') {
        Some((operation, name)) => (Some(operation), name),
        None => (None, what),
    };
    let (_, fault) = Fault::named()
        .into_iter()
        .find(|(it, _)| *it == name)
        .ok_or_else(|| anyhow!("there is no such fault; --help lists them"))?;
    let rule = Rule::always(fault).chance(chance);
    match operation {
        None => Ok(rule),
        Some(operation) => Operation::ALL
            .into_iter()
            .find(|it| it.to_string() == operation)
            .map(|it| rule.on(it))
            .ok_or_else(|| anyhow!("there is no such operation; --help lists them")),
    }
}
