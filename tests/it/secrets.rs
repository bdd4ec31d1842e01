//! The API key and private keys are nowhere but where they must be.

use std::fs;

use base64ct::{Base64, Encoding as _};

use crate::certificates::valid;
use crate::harness::{KEY, OKTA, Stage, files_below};
use crate::simulator::{Fault, Operation, Reply, Rule};

#[tokio::test]
async fn no_secret_is_in_any_output_or_file_even_at_trace() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("trace", "[log]\nlevel = \"trace\"\n");
    let echo = Fault::reply(Reply::Custom {
        status: 500,
        headers: Vec::new(),
        body: format!("{{\"errors\":[{{\"field\":null,\"message\":\"your key is {KEY}\"}}]}}"),
    });
    stage.sendgrid.script(Rule::next(Operation::List, echo));
    let (good, private) = (valid("good"), valid("private"));
    let key_pem = private.private_key();
    let in_file = format!("{}{key_pem}", private.pem);
    stage.home.put("okta", "good.pem", &good.pem);
    stage.home.put("okta", "with-key.pem", &in_file);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &good, "trusted").await;
    daemon
        .shows("the private key needs a person", |it| {
            it["integrations"][0]["attention"]
                .to_string()
                .contains("private_key")
        })
        .await;
    let line = daemon.logged("with-key.pem: ").await;
    assert!(line.contains("ERROR"), "{line}");
    // Some more life: a rejected key, a reload, commands.
    stage.home.write_key("SG.wrong.but.secret.too");
    daemon
        .measures("sso_certd_api_key_valid", &[("account", "default")], 0.0)
        .await;
    daemon.signal(rustix::process::Signal::USR1);
    daemon.logged("(401)").await;
    stage.home.write_key(KEY);
    daemon
        .measures("sso_certd_api_key_valid", &[("account", "default")], 1.0)
        .await;

    let mut told = vec![
        ("the status page".to_owned(), daemon.get("/").await.1),
        (
            "/status.json".to_owned(),
            daemon.get("/status.json").await.1,
        ),
        ("/metrics".to_owned(), daemon.get("/metrics").await.1),
    ];
    let commands: [&[&str]; 8] = [
        &["status", "--all"],
        &["plan"],
        &["plan", "--json"],
        &["history", "--json"],
        &["integrations"],
        &["check-config", "--print"],
        &["check-config", "--probe"],
        &["sync"],
    ];
    for arguments in commands {
        let ran = stage.home.ask(arguments).await;
        told.push((arguments.join(" "), ran.out + &ran.err));
    }
    let inspected = stage.home.directory("okta");
    let ran = stage
        .home
        .ask(&["inspect", inspected.to_str().unwrap()])
        .await;
    told.push(("inspect".to_owned(), ran.out + &ran.err));
    let cmdline = fs::read(format!("/proc/{}/cmdline", daemon.pid())).unwrap();
    told.push((
        "cmdline".to_owned(),
        String::from_utf8_lossy(&cmdline).into_owned(),
    ));
    let log = daemon.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "{log}");
    told.push(("the log".to_owned(), log));
    told.push((
        "the history".to_owned(),
        stage.sendgrid.history().to_string(),
    ));
    for (path, content) in files_below(&stage.home.state()) {
        let text = content.iter().copied().map(char::from).collect();
        told.push((path.display().to_string(), text));
    }

    let mut secrets = vec![KEY.to_owned(), "SG.wrong.but.secret.too".to_owned()];
    secrets.push(Base64::encode_string(KEY.as_bytes()));
    secrets.extend(lines_of(&key_pem));
    for (place, text) in &told {
        for secret in &secrets {
            assert!(
                !text.contains(secret.as_str()),
                "{secret} is in {place}:\n{text}"
            );
        }
    }
    assert!(told.iter().all(|(place, text)| place.ends_with("environ")
        || place.ends_with("lock")
        || !text.is_empty()));
    let posts = stage
        .sendgrid
        .history()
        .posts_of(private.fingerprint)
        .count();
    assert_eq!(posts, 0, "a file with a private key is refused whole");
    stage.assert_well_behaved();
}

/// The lines of base64 of a PEM text.
fn lines_of(pem: &str) -> impl Iterator<Item = String> {
    let lines = pem.lines().filter(|it| !it.starts_with("-----"));
    lines.filter(|it| it.len() >= 16).map(str::to_owned)
}

#[tokio::test]
async fn a_key_by_variable_works_and_is_not_told_either() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let main = fs::read_to_string(stage.home.path("sso-certd.toml")).unwrap();
    let lines = main.lines().filter(|it| !it.starts_with("api_key_file"));
    let without = lines.collect::<Vec<_>>().join("\n");
    fs::write(stage.home.path("sso-certd.toml"), without).unwrap();
    let mut daemon = stage.spawn(|it| {
        it.env("SENDGRID_API_KEY", KEY);
    });
    daemon.started().await;
    let certificate = valid("variable");
    stage.home.put("okta", "variable.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    for text in [
        daemon.log(),
        daemon.get("/status.json").await.1,
        daemon.get("/metrics").await.1,
    ] {
        assert!(!text.contains(KEY), "{text}");
    }
}
