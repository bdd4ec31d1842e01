//! Whoever can write the configuration is sent the API key: it is refused where somebody else could, and nowhere else.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::{Signal, geteuid};

use crate::certificates::valid;
use crate::harness::{Daemon, Home, OKTA, PROGRAM, Ran, Stage, finish, quoted};

const RELOADED: &str = "sso_certd_config_last_reload_successful";

/// A user and groups that own nothing here.
const DAEMON: u32 = 65_534;
const DEPLOY: u32 = 4242;
const DEPLOY_GROUP: u32 = 4343;
const FS_GROUP: u32 = 2000;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Everything that is judged, below a directory that everybody may enter, as below `/etc` and `/var/lib`.
async fn installed() -> Stage {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.open_to_all();
    stage.home.make_directory("tls");
    stage.home.write("tls/roots.pem", &valid("root").pem, 0o644);
    let roots = quoted(&stage.home.path("tls/roots.pem"));
    stage
        .home
        .set("roots", &format!("[accounts.default]\nca_file = {roots}\n"));
    stage.home.make_directory("state");
    for file in ["ledger.sqlite", "lock"] {
        stage.home.write(&format!("state/{file}"), "", 0o600);
    }
    stage
}

/// The `chmod` of an error's help, typed.
fn type_chmod(told: &str) {
    let line = told.lines().find_map(|it| it.split_once("chmod "));
    let (_, words) = line.unwrap_or_else(|| panic!("no chmod: {told}"));
    let words: Vec<&str> = words.split([' ', ',']).take(2).collect();
    let ended = Command::new("chmod").args(&words).status().unwrap();
    assert!(ended.success(), "{words:?}");
}

#[tokio::test]
async fn what_everybody_may_write_is_refused_and_the_chmod_ends_it() {
    let stage = installed().await;
    let home = &stage.home;
    let fine = home.ask(&["check-config", "--strict"]).await;
    assert_eq!(fine.exit, 0, "{fine:?}");
    for (name, mode) in [
        ("sso-certd.toml", 0o646),
        ("conf.d", 0o757),
        ("conf.d/integration-okta.toml", 0o646),
        ("tls/roots.pem", 0o646),
        ("tls", 0o757),
        ("state", 0o757),
        ("state/ledger.sqlite", 0o606),
        ("state/lock", 0o606),
        ("", 0o757),
    ] {
        let path = home.path(name);
        let path = path.components().collect::<PathBuf>();
        chmod(&path, mode);
        for arguments in [
            &["run"][..],
            &["check-config", "--strict"],
            &["sync"],
            &["plan"],
            &["integrations"],
            &["pause", "--yes"],
        ] {
            let ran = home.ask(arguments).await;
            assert_eq!(ran.exit, 78, "{name} {arguments:?}: {ran:?}");
            let found = format!("{} is writable by everyone ({mode:04o})", path.display());
            assert!(ran.err.contains(&found), "{arguments:?}: {ran:?}");
        }
        type_chmod(&home.ask(&["check-config", "--strict"]).await.err);
        let fine = home.ask(&["check-config", "--strict"]).await;
        assert_eq!(fine.exit, 0, "{name}: {fine:?}");
    }
    assert_eq!(stage.sendgrid.history().requests().count(), 0);
}

#[tokio::test]
async fn a_file_is_checked_before_it_is_installed_with_a_remark_alone() {
    let stage = installed().await;
    let path = stage.home.path("sso-certd.toml");
    chmod(&path, 0o666);
    let ran = stage.home.ask(&["check-config"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(
        ran.out.contains("is writable by everyone (0666)"),
        "{ran:?}"
    );
    assert!(
        ran.out.contains(&format!("chmod o-w {}", path.display())),
        "{ran:?}"
    );
    assert!(ran.out.contains("No problem, "), "{ran:?}");
    let ran = stage.home.ask(&["check-config", "--strict"]).await;
    assert_eq!(ran.exit, 78, "{ran:?}");
    // What neither uses the key nor writes the ledger does not look.
    let file = stage.home.path("a.pem");
    stage.home.write("a.pem", &valid("a").pem, 0o644);
    for arguments in [
        &["status"][..],
        &["history"],
        &["inspect", file.to_str().unwrap()],
        &["completions", "bash"],
    ] {
        let ran = stage.home.ask(arguments).await;
        assert_ne!(ran.exit, 78, "{arguments:?}: {ran:?}");
    }
}

#[tokio::test]
async fn below_a_directory_that_nobody_else_may_enter_everything_is_fine() {
    let stage = installed().await;
    let home = &stage.home;
    for name in ["conf.d", "state", "tls"] {
        chmod(&home.path(name), 0o777);
    }
    for name in [
        "sso-certd.toml",
        "conf.d/integration-okta.toml",
        "tls/roots.pem",
    ] {
        chmod(&home.path(name), 0o666);
    }
    assert_eq!(home.ask(&["check-config", "--strict"]).await.exit, 78);
    chmod(&home.path(""), 0o700);
    home.set("settle", "[delivery]\nsettle = \"30s\"\n");
    let fine = home.ask(&["check-config", "--strict"]).await;
    assert_eq!((fine.exit, &*fine.err), (0, ""), "{fine:?}");
    // A link leads out of it, to where others may write.
    let elsewhere = tempfile::tempdir().unwrap();
    chmod(elsewhere.path(), 0o755);
    let target = elsewhere.path().join("more.toml");
    fs::write(&target, "[watch]\nquiet = \"70ms\"\n").unwrap();
    chmod(&target, 0o646);
    symlink(&target, home.path("conf.d/more.toml")).unwrap();
    let ran = home.ask(&["check-config", "--strict"]).await;
    assert_eq!(ran.exit, 78, "{ran:?}");
    assert!(
        ran.err
            .contains(&format!("{} is writable", target.display())),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_checkout_of_ones_own_with_a_umask_of_002_is_fine_with_a_remark() {
    let stage = installed().await;
    let home = &stage.home;
    for name in ["", "conf.d", "state"] {
        chmod(&home.path(name), 0o775);
    }
    for name in ["sso-certd.toml", "conf.d/integration-okta.toml"] {
        chmod(&home.path(name), 0o664);
    }
    for name in ["ledger.sqlite", "lock"] {
        fs::remove_file(home.path("state").join(name)).unwrap();
    }
    // The certificates have rules of their own.
    home.set("loose", "[defaults]\nstrict_permissions = false\n");
    let ran = home.ask(&["check-config", "--strict"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    let told = ran
        .out
        .lines()
        .filter(|it| it.contains("is writable by group"));
    assert_eq!(told.count(), 1, "one a group: {ran:?}");
    let daemon = stage.start().await;
    let line = daemon.logged("is writable by group").await;
    assert!(
        line.contains("WARN") && line.contains("chmod g-w"),
        "{line}"
    );
    daemon.has_compared().await;
}

#[tokio::test]
async fn a_reload_that_others_could_have_written_is_refused() {
    let stage = installed().await;
    for name in ["ledger.sqlite", "lock"] {
        fs::remove_file(stage.home.state().join(name)).unwrap();
    }
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let conf_d = stage.home.path("conf.d");
    chmod(&conf_d, 0o757);
    stage.home.set("quiet", "[watch]\nquiet = \"60ms\"\n");
    daemon.signal(Signal::HUP);
    daemon.measures(RELOADED, &[], 0.0).await;
    let line = daemon.logged("Not reloaded").await;
    for said in ["is writable by everyone (0757)", "chmod o-w"] {
        assert!(line.contains(said), "{said}: {line}");
    }
    // The running daemon is asked as before: a command that asks it does not look.
    let ran = stage.home.ask(&["plan"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    chmod(&conf_d, 0o755);
    daemon.signal(Signal::HUP);
    daemon.measures(RELOADED, &[], 1.0).await;
}

/// The program as a user who owns nothing but the state directory and the key, in one more group.
fn as_daemon(home: &Home, arguments: &[&str], group: u32) -> Command {
    let program = home.path("program"); // the build may lie where nobody can go
    if !program.exists() {
        fs::copy(PROGRAM, &program).unwrap();
    }
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null()).arg("--config");
    command.arg(home.path("sso-certd.toml")).args(arguments);
    // With the user's own, its groups go: what is given here is all that it has.
    command.uid(DAEMON).gid(group);
    command
}

fn give(home: &Home, names: &[&str], uid: u32, gid: u32) {
    for name in names {
        chown(home.path(name), Some(uid), Some(gid)).unwrap();
    }
}

async fn check(home: &Home, group: u32, variables: &[(&str, &str)]) -> Ran {
    let mut command = as_daemon(home, &["check-config", "--strict"], group);
    command.envs(variables.iter().copied());
    finish(command).await
}

#[tokio::test]
async fn on_kubernetes_a_volume_of_the_pods_group_and_a_projected_mount_are_fine() {
    if !geteuid().is_root() {
        return; // only root can become somebody else
    }
    let stage = installed().await;
    let home = &stage.home;
    // The kubelet's way: root's directories and files, and a link that is swapped.
    home.make_directory("mount");
    home.make_directory("mount/..2026_11_30");
    home.write("mount/..2026_11_30/okta.toml", &okta(home), 0o644);
    fs::remove_file(home.path("conf.d/integration-okta.toml")).unwrap();
    fs::remove_file(home.path("conf.d/roots.toml")).unwrap();
    symlink("..2026_11_30", home.path("mount/..data")).unwrap();
    symlink("..data/okta.toml", home.path("mount/okta.toml")).unwrap();
    fs::remove_dir(home.path("conf.d")).unwrap();
    symlink("mount", home.path("conf.d")).unwrap();
    give(home, &["key"], DAEMON, FS_GROUP);
    // A persistent volume, as `fsGroup` leaves it.
    give(
        home,
        &["state", "state/ledger.sqlite", "state/lock"],
        0,
        FS_GROUP,
    );
    chmod(&home.state(), 0o2775);
    for name in ["ledger.sqlite", "lock"] {
        fs::remove_file(home.state().join(name)).unwrap();
    }
    chmod(&home.path("mount"), 0o1777);
    let ran = check(home, FS_GROUP, &[]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.out.contains("is writable by group"), "{ran:?}");
    let run = as_daemon(home, &["run"], FS_GROUP);
    let mut daemon = Daemon::spawn(run, Arc::clone(&stage.sendgrid));
    daemon.started().await;
    daemon.has_compared().await;
    assert_eq!(daemon.stop().await, 0);
    // `kubectl exec`, while no daemon runs.
    let ran = finish(as_daemon(home, &["sync"], FS_GROUP)).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    // A ConfigMap's own mount, whose mode nobody can set.
    chmod(&home.path("mount"), 0o777);
    let ran = check(home, FS_GROUP, &[]).await;
    assert_eq!(ran.exit, 78, "{ran:?}");
    assert!(ran.err.contains("projected volume"), "{ran:?}");
}

/// The integration as `Home` writes it.
fn okta(home: &Home) -> String {
    fs::read_to_string(home.path("conf.d/integration-okta.toml")).unwrap()
}

#[tokio::test]
async fn a_deploy_user_and_its_group_count_where_the_unit_names_them() {
    if !geteuid().is_root() {
        return; // only root can give files away
    }
    let stage = installed().await;
    let home = &stage.home;
    give(
        home,
        &["state", "state/ledger.sqlite", "state/lock", "key"],
        DAEMON,
        DAEMON,
    );
    give(
        home,
        &["conf.d", "conf.d/integration-okta.toml"],
        DEPLOY,
        DEPLOY_GROUP,
    );
    chmod(&home.path("conf.d"), 0o775);
    chmod(&home.path("conf.d/integration-okta.toml"), 0o664);
    let (owners, groups) = ("SSO_CERTD_CONFIG_OWNERS", "SSO_CERTD_CONFIG_GROUPS");
    for (variables, told) in [
        (&[][..], "(uid 4242) may change"),
        (&[(owners, "4242")], "is writable by group 4343 (0775)"),
        (
            &[(owners, "nobody-knows"), (groups, "4343")],
            "(uid 4242) may change",
        ),
    ] {
        let ran = check(home, DAEMON, variables).await;
        assert_eq!(ran.exit, 78, "{ran:?}");
        assert!(ran.err.contains(told), "{told}: {ran:?}");
        assert!(ran.err.contains("SSO_CERTD_CONFIG_"), "{ran:?}");
    }
    let named = [(owners, "root, 4242"), (groups, "4343")];
    let ran = check(home, DAEMON, &named).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(
        !ran.out.contains("is writable"),
        "named is no remark: {ran:?}"
    );
    // A file of the deploy user's does not vouch for itself, and nobody else's counts as its.
    give(home, &["conf.d/roots.toml"], 4244, DEPLOY_GROUP);
    let ran = check(home, DAEMON, &named).await;
    assert_eq!(ran.exit, 78, "{ran:?}");
    assert!(ran.err.contains("(uid 4244) may change"), "{ran:?}");
}

#[tokio::test]
async fn a_command_that_root_types_judges_for_the_owner_of_the_state_directory() {
    if !geteuid().is_root() {
        return; // only root can become somebody else
    }
    let stage = installed().await;
    let home = &stage.home;
    for name in ["ledger.sqlite", "lock"] {
        fs::remove_file(home.state().join(name)).unwrap();
    }
    give(home, &["state", "key", "conf.d/roots.toml"], DAEMON, DAEMON);
    let ran = home.ask(&["integrations"]).await;
    assert_eq!(ran.exit, 0, "the daemon's own file: {ran:?}");
    give(home, &["conf.d/roots.toml"], DEPLOY, DAEMON);
    let ran = home.ask(&["integrations"]).await;
    assert_eq!(ran.exit, 78, "{ran:?}");
    assert!(ran.err.contains("(uid 4242) may change"), "{ran:?}");
}
