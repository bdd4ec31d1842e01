//! The story.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::idp::Signing;
use crate::secret::Traces;
use crate::show::{Halt, Show};
use crate::simulator::{Fault, Operation, Rule};
use crate::stage::INTEGRATION;

/// From one act to the next, so that a person can read.
const PACE: Duration = Duration::from_secs(5);

/// From a mishap to its repair, likewise.
const BREATH: Duration = Duration::from_secs(2);

/// For lines that are still on their way.
const GATHER: Duration = Duration::from_millis(250);

const ACT_1: &str = "
Act 1  The identity provider signs with its first certificate
       By hand: somebody pastes it into SendGrid; until then nobody logs in through okta.
";

const ACT_2: &str = "
Act 2  It announces the next one; nobody touches anything
       By hand: read the announcement in time, paste again, and leave the old one in place.
";

const ACT_3: &str = "
Act 3  SendGrid stores a certificate, and its answer is lost
       By hand, or by a script that tries again: the certificate is there twice.
";

const ACT_4: &str = "
Act 4  Somebody drops a private key
       By hand: nobody notices, and it goes wherever the file goes.
";

const ACT_5: &str = "
Act 5  The first one goes when it is safe (here in seconds: by default that takes weeks, and is off)
       By hand: forgotten for years, or taken away on the day when the IdP still signs with it.
";

/// Plays all acts; then, but for `once`, goes on until somebody asks for the end.
///
/// # Errors
/// Why it ended early. Without `once` it always ends by being asked.
pub(crate) async fn play(show: &mut Show, once: bool) -> Result<(), Halt> {
    open(show, once).await?;
    let first = first_certificate(show).await?;
    pause(show, once, PACE).await?;
    successor(show).await?;
    pause(show, once, PACE * 2).await?;
    lost_answer(show).await?;
    pause(show, once, PACE * 3).await?;
    private_key(show, once).await?;
    pause(show, once, PACE * 5).await?;
    retirement(show, &first).await?;
    if once {
        return Ok(());
    }
    show.transcript.say("");
    show.sum_up();
    invite(show);
    show.rest_until(Duration::MAX).await
}

async fn open(show: &mut Show, once: bool) -> Result<(), Halt> {
    let (certificates, configuration) = (show.stage.certificates(), show.stage.configuration());
    show.transcript.say(&format!(
        "sso-certd sandbox: the real daemon, a simulated SendGrid, an identity provider.\n\
         \x20 certificates   {}\n\
         \x20 configuration  {}\n\
         \x20 SendGrid       {}\n\
         \x20 integration    okta, {INTEGRATION}; below: {{okta}}\n",
        certificates.display(),
        configuration.display(),
        show.sendgrid.url(),
    ));
    show.hear("All well", None).await?;
    gather(show).await?;
    let breath = show.now() + BREATH / 2;
    pause(show, once, breath).await
}

async fn first_certificate(show: &mut Show) -> Result<Signing, Halt> {
    show.transcript.say(ACT_1.trim_end());
    let first = Signing::make(show.wall(), 20)?;
    let written = show.publish("IdP", &first.file, &first.pem, &first.description)?;
    let trusted = show.hear("Trusted: ", Some(first.fingerprint)).await?;
    show.hear("okta: ", None).await?;
    gather(show).await?;
    let rows = show.sendgrid.rows_with(first.fingerprint);
    let took = seconds(written, trusted);
    show.check(
        matches!(rows.as_slice(), [row] if row.enabled),
        &format!("SendGrid has it once, enabled; trusted {took} after the file appeared"),
    )?;
    Ok(first)
}

async fn successor(show: &mut Show) -> Result<(), Halt> {
    show.transcript.say(ACT_2.trim_end());
    let next = Signing::make(show.wall(), 386)?;
    let written = show.publish("IdP", &next.file, &next.pem, &next.description)?;
    let trusted = show.hear("Trusted: ", Some(next.fingerprint)).await?;
    show.hear("All well", None).await?;
    gather(show).await?;
    let rows = show.sendgrid.rows();
    let took = seconds(written, trusted);
    show.check(
        rows.len() == 2 && rows.iter().all(|it| it.enabled),
        &format!("SendGrid has both, enabled: the IdP may switch at will; trusted after {took}"),
    )
}

async fn lost_answer(show: &mut Show) -> Result<(), Halt> {
    show.transcript.say(ACT_3.trim_end());
    let lost = Rule::next(Operation::Create, Fault::commit_then_close());
    show.sendgrid.script(lost);
    let next = Signing::make(show.wall(), 752)?;
    let written = show.publish("IdP", &next.file, &next.pem, &next.description)?;
    let settled = show.hear("Settled: ", Some(next.fingerprint)).await?;
    gather(show).await?;
    let posts = show.sendgrid.history().posts_of(next.fingerprint).count();
    let rows = show.sendgrid.rows_with(next.fingerprint).len();
    let took = seconds(written, settled);
    show.check(
        (posts, rows) == (1, 1),
        &format!("{posts} upload, {rows} row: asked for, not repeated; settled after {took}"),
    )
}

async fn private_key(show: &mut Show, once: bool) -> Result<(), Halt> {
    show.transcript.say(ACT_4.trim_end());
    let mishap = Signing::make(show.wall(), 365)?;
    let traces = Traces::of(&mishap.key);
    let both = format!("{}{}", mishap.pem, mishap.key.serialize_pem());
    if !traces.are_in(both.as_bytes()) {
        return Err(Halt::Failed("the search does not find the key".to_owned()));
    }
    let writes = show.sendgrid.history().writes().count();
    show.publish(
        "somebody",
        "oops.pem",
        &both,
        "a certificate and its private key",
    )?;
    show.hear("Refused: ", None).await?;
    show.hear("okta needs you", None).await?;
    gather(show).await?;
    let breath = show.now() + BREATH;
    pause(show, once, breath).await?;
    show.remove("somebody", "oops.pem")?;
    show.hear("All well", None).await?;
    gather(show).await?;
    let history = show.sendgrid.history();
    let log = show.raw_log();
    let is_kept = traces
        .are_in_files(&show.stage.state())
        .context("cannot search the daemon's state")?;
    let is_sent =
        history.writes().count() > writes || traces.are_in(history.to_string().as_bytes());
    let lines = log.lines().count();
    show.check(
        !is_kept && !is_sent && !traces.are_in(log.as_bytes()),
        &format!(
            "searched for the key: it is not in the daemon's log ({lines} lines), not in its ledger, and SendGrid \
             was sent no upload"
        ),
    )
}

async fn retirement(show: &mut Show, first: &Signing) -> Result<(), Halt> {
    show.transcript.say(ACT_5.trim_end());
    show.remove("IdP", &first.file)?;
    let removed = show.now();
    let disabled = show.hear("Disabled: ", Some(first.fingerprint)).await?;
    gather(show).await?;
    let rows = show.sendgrid.rows();
    let (old, others): (Vec<_>, Vec<_>) = rows
        .iter()
        .partition(|it| it.fingerprint == first.fingerprint);
    let took = seconds(removed, disabled);
    show.check(
        matches!(old.as_slice(), [row] if !row.enabled) && others.iter().all(|it| it.enabled),
        &format!(
            "it is disabled {took} after its file went, and kept; {} still allow logins",
            others.len()
        ),
    )
}

fn invite(show: &mut Show) {
    let configuration = shell(&show.stage.configuration());
    let mine = shell(&show.stage.certificates().join("mine.pem"));
    let log = shell(&show.stage.log());
    let metrics = show
        .said
        .iter()
        .find_map(|it| {
            it.message
                .strip_prefix("Started: ")?
                .split_once("metrics on ")
        })
        .map(|(_, address)| format!("  curl http://{address}/metrics\n"))
        .unwrap_or_default();
    show.transcript.say(&format!(
        "\nIt goes on until Ctrl-C. In another terminal, try\n\
         \x20 openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -days 365 -subj /CN=mine \\\n\
         \x20     -out {mine}\n\
         \x20 cargo run --quiet -- -c {configuration} status\n\
         {metrics}\
         \x20 less {log}\n"
    ));
}

/// Goes on until then, but for `once`.
async fn pause(show: &mut Show, once: bool, until: Duration) -> Result<(), Halt> {
    if once {
        return Ok(());
    }
    show.rest_until(until).await
}

async fn gather(show: &mut Show) -> Result<(), Halt> {
    show.rest_until(show.now() + GATHER).await
}

/// `0.31 s`.
fn seconds(from: Duration, to: Duration) -> String {
    format!("{:.2} s", to.saturating_sub(from).as_secs_f64())
}

/// A path as a shell reads it.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-+".contains(it);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
