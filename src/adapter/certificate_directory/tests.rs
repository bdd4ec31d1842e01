//! Real files in real directories; only the clocks are values.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use rustix::fs::{CWD, FileType, Mode};
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use super::*;
use crate::domain::{BootId, PassedOver, Timestamp};
use crate::intake::judge_file;

const QUIET: Duration = Duration::from_millis(250);

fn pem(common_name: &str) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, common_name);
    crate::intake::canonical_pem(params.self_signed(&key).unwrap().der())
}

/// Both clocks, read now.
fn now() -> Moment {
    let wall = clock_gettime(ClockId::Realtime);
    let boot = clock_gettime(ClockId::Boottime);
    Moment {
        wall: Timestamp::from_millis(wall.tv_sec * 1000 + wall.tv_nsec / 1_000_000),
        boot: BootId::new("test"),
        since_boot: Duration::try_from(boot).unwrap(),
    }
}

fn in_secs(secs: u64) -> Moment {
    now().plus(Duration::from_secs(secs))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn settings(directory: &Path) -> DirectorySettings {
    DirectorySettings {
        directory: directory.to_owned(),
        files: ["*.pem", "*.crt"].map(str::to_owned).to_vec(),
        strict_permissions: true,
        allowed_owners: Vec::new(),
        allowed_groups: Vec::new(),
        quiet: QUIET,
    }
}

/// A directory of one's own, and its adapter.
fn fresh() -> (TempDir, CertificateDirectory) {
    let temporary = TempDir::new().unwrap();
    let directory = CertificateDirectory::new(settings(temporary.path()), judge_file).unwrap();
    (temporary, directory)
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn only(look: Look) -> LookedFile {
    let [file] = <[LookedFile; 1]>::try_from(look.files).expect("one file");
    file
}

/// The common names accepted in the only file.
#[track_caller]
fn subjects(file: &LookedFile) -> Vec<String> {
    match &file.verdict {
        FileVerdict::Accepted { certificates, .. } => certificates
            .iter()
            .map(|it| it.subject().to_owned())
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refusal(file: &LookedFile) -> &Refusal {
    match &file.verdict {
        FileVerdict::Refused { refusal, .. } => refusal,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(directory: &mut CertificateDirectory, reason: Reason, words: &str) -> Refusal {
    let file = only(directory.look(&in_secs(100)).unwrap());
    let refusal = refusal(&file);
    assert_eq!(refusal.reason, reason, "{refusal}");
    assert!(refusal.found.contains(words), "{refusal}");
    refusal.clone()
}

// When a file counts.

#[test]
fn a_file_counts_once_it_was_quiet_for_long_enough() {
    let (temporary, mut directory) = fresh();
    directory.quiet = Duration::from_secs(3600);
    write(&temporary.path().join("okta.pem"), &pem("okta"));
    let file = only(directory.look(&now()).unwrap());
    let FileVerdict::Waiting {
        until,
        otherwise: None,
    } = file.verdict
    else {
        panic!("{:?}", file.verdict);
    };
    let expected = file.changed.plus(Duration::from_secs(3600));
    assert!(until.since(expected).max(expected.since(until)) <= Duration::from_millis(1));
    assert_eq!(directory.reads(), 0, "it is not even opened");
    let file = only(directory.look(&in_secs(3601)).unwrap());
    assert!(subjects(&file)[0].contains("okta"));
    assert!(file.owner.ends_with(" 0644"), "{}", file.owner);
}

#[test]
fn a_change_in_the_future_counts_by_the_boot_clock() {
    let (temporary, mut directory) = fresh();
    write(&temporary.path().join("okta.pem"), &pem("okta"));
    let mut in_1970 = now();
    in_1970.wall = Timestamp::from_secs(0);
    let file = only(directory.look(&in_1970).unwrap());
    let until = in_1970.wall.plus(QUIET);
    assert_eq!(
        file.verdict,
        FileVerdict::Waiting {
            until,
            otherwise: None
        }
    );
    let file = only(directory.look(&in_1970.plus(QUIET / 2)).unwrap());
    assert_eq!(
        file.verdict,
        FileVerdict::Waiting {
            until,
            otherwise: None
        }
    );
    let file = only(directory.look(&in_1970.plus(QUIET)).unwrap());
    assert_eq!(subjects(&file).len(), 1);
}

#[test]
fn what_may_be_an_unfinished_copy_waits_for_a_minute() {
    let (temporary, mut directory) = fresh();
    let path = temporary.path().join("okta.pem");
    let text = pem("okta");
    let half = text.split_at(200).0;
    for (content, reason, words) in [
        ("", Reason::Empty, "0 bytes for more than 60 s"),
        (
            half,
            Reason::PemMalformed,
            "stops inside the first certificate, unchanged for 60 s",
        ),
    ] {
        write(&path, content);
        let start = in_secs(1);
        let file = only(directory.look(&start).unwrap());
        let FileVerdict::Waiting {
            until,
            otherwise: Some(otherwise),
        } = &file.verdict
        else {
            panic!("{:?}", file.verdict);
        };
        assert_eq!(otherwise.reason, reason);
        let expected = file.changed.plus(COPY_PATIENCE);
        assert!(until.since(expected).max(expected.since(*until)) <= Duration::from_millis(1));
        let file = only(
            directory
                .look(&start.plus(Duration::from_secs(50)))
                .unwrap(),
        );
        assert!(matches!(file.verdict, FileVerdict::Waiting { .. }));
        let file = only(
            directory
                .look(&start.plus(Duration::from_secs(60)))
                .unwrap(),
        );
        assert_eq!(refusal(&file).reason, reason);
        assert!(refusal(&file).found.ends_with(words), "{}", refusal(&file));
    }
    write(&path, &text);
    assert_eq!(
        subjects(&only(directory.look(&in_secs(1)).unwrap())).len(),
        1
    );
}

#[test]
fn an_unfinished_copy_with_a_change_in_the_future_waits_by_the_boot_clock() {
    let (temporary, mut directory) = fresh();
    write(&temporary.path().join("okta.pem"), "");
    let mut start = now();
    start.wall = Timestamp::from_secs(0);
    let mut verdict_after = |secs| {
        only(
            directory
                .look(&start.plus(Duration::from_secs(secs)))
                .unwrap(),
        )
        .verdict
    };
    verdict_after(0);
    let waiting = verdict_after(59);
    assert!(
        matches!(
            waiting,
            FileVerdict::Waiting {
                otherwise: Some(_),
                ..
            }
        ),
        "{waiting:?}"
    );
    assert!(matches!(verdict_after(60), FileVerdict::Refused { .. }));
}

#[test]
fn a_version_that_changes_while_it_is_read_is_not_judged() {
    let (temporary, _) = fresh();
    let path = temporary.path().join("okta.pem");
    write(&path, &pem("okta"));
    let Ok(stamp) = file::stamp(&path) else {
        panic!("no stamp")
    };
    let mut append = OpenOptions::new().append(true).open(&path).unwrap();
    append.write_all(b"more").unwrap();
    assert!(matches!(
        file::read(&path, &stamp, &Reader::new(judge_file)),
        Opened::Changing
    ));
}

// What is read, and how often.

#[test]
fn ten_thousand_looks_at_what_did_not_change_read_nothing() {
    let (temporary, mut directory) = fresh();
    for name in ["a.pem", "b.pem", "c.crt"] {
        write(&temporary.path().join(name), &pem(name));
    }
    let later = in_secs(10);
    let first = directory.look(&later).unwrap();
    assert_eq!(directory.reads(), 3);
    for _ in 0..10_000 {
        assert_eq!(directory.look(&later).unwrap(), first);
    }
    assert_eq!(directory.reads(), 3);
}

#[test]
fn a_file_that_had_just_changed_is_read_again() {
    let (temporary, mut directory) = fresh();
    directory.quiet = Duration::ZERO;
    write(&temporary.path().join("okta.pem"), &pem("okta"));
    let start = now();
    for (secs, reads) in [(0, 1), (1, 2), (3, 3), (4, 3), (100, 3)] {
        directory
            .look(&start.plus(Duration::from_secs(secs)))
            .unwrap();
        assert_eq!(directory.reads(), reads, "after {secs} s");
    }
}

#[test]
fn every_change_is_seen() {
    let (temporary, mut directory) = fresh();
    let path = temporary.path().join("okta.pem");
    let seen = |directory: &mut CertificateDirectory| {
        let look = directory.look(&in_secs(10)).unwrap();
        look.files.iter().flat_map(subjects).collect::<Vec<_>>()
    };
    write(&path, &pem("first"));
    assert!(seen(&mut directory)[0].contains("first"));
    write(&path, &pem("second"));
    assert!(
        seen(&mut directory)[0].contains("second"),
        "rewritten in place"
    );
    let aside = temporary.path().join("okta.pem.tmp");
    write(&aside, &pem("third"));
    fs::rename(&aside, &path).unwrap();
    assert!(seen(&mut directory)[0].contains("third"), "renamed over it");
    fs::hard_link(&path, temporary.path().join("z.pem")).unwrap();
    assert_eq!(seen(&mut directory).len(), 2);
    fs::remove_file(&path).unwrap();
    assert_eq!(seen(&mut directory).len(), 1);
}

#[test]
fn the_directory_is_not_written_to() {
    let (temporary, mut directory) = fresh();
    write(&temporary.path().join("okta.pem"), &pem("okta"));
    let before = fs::metadata(temporary.path()).unwrap();
    directory.look(&in_secs(10)).unwrap();
    let after = fs::metadata(temporary.path()).unwrap();
    assert_eq!(
        (before.ctime(), before.ctime_nsec()),
        (after.ctime(), after.ctime_nsec())
    );
}

#[test]
fn other_names_are_ignored_and_counted() {
    let (temporary, mut directory) = fresh();
    let names = [
        ".hidden.pem",
        "README",
        "okta.pem~",
        "tls.key",
        "x.pem.part",
    ];
    for name in names {
        write(&temporary.path().join(name), &pem(name));
    }
    fs::create_dir(temporary.path().join("sub")).unwrap();
    let look = directory.look(&in_secs(10)).unwrap();
    assert_eq!(look.files, []);
    assert_eq!(look.ignored.count, names.len() + 1);
    assert_eq!(directory.reads(), 0);
}

#[test]
fn files_beyond_the_limit_are_named() {
    let (temporary, mut directory) = fresh();
    for number in 0..1031 {
        write(&temporary.path().join(format!("{number:04}.pem")), "x");
    }
    let look = directory.look(&in_secs(10)).unwrap();
    assert_eq!(look.files.len(), FILES_LIMIT);
    assert_eq!(look.surplus.count, 7);
    assert_eq!(look.surplus.first[0], temporary.path().join("1024.pem"));
    assert_eq!(directory.reads(), 1024);
}

#[test]
fn of_many_names_few_are_kept_and_all_are_counted() {
    let (temporary, mut directory) = fresh();
    for number in 0..5_000 {
        write(&temporary.path().join(format!("{number:04}.txt")), "");
    }
    for number in 0..2_000 {
        write(&temporary.path().join(format!("{number:04}.pem")), "x");
    }
    let look = directory.look(&in_secs(10)).unwrap();
    let first = |it: &PassedOver| it.first[0].file_name().unwrap().to_owned();
    assert_eq!((look.ignored.count, look.surplus.count), (5_000, 976));
    assert_eq!(look.ignored.first.len(), PassedOver::SHOWN);
    assert_eq!(look.surplus.first.len(), PassedOver::SHOWN);
    assert_eq!(first(&look.ignored), "0000.txt");
    assert_eq!(first(&look.surplus), "1024.pem");
    assert_eq!(look.files.len(), FILES_LIMIT);
    assert!(
        look.files[1023].path.ends_with("1023.pem"),
        "the first by name"
    );
}

#[test]
fn a_panic_over_one_file_refuses_that_one_and_no_other() {
    let temporary = TempDir::new().unwrap();
    let judge: Judge = |bytes, size| {
        assert!(bytes != b"trap", "a fault of ours");
        judge_file(bytes, size)
    };
    let mut directory = CertificateDirectory::new(settings(temporary.path()), judge).unwrap();
    write(&temporary.path().join("a.pem"), &pem("a"));
    write(&temporary.path().join("b.pem"), "trap");
    write(&temporary.path().join("c.pem"), &pem("c"));
    for _ in 0..2 {
        let look = directory.look(&in_secs(10)).unwrap();
        let [a, b, c] = look.files.as_slice() else {
            panic!("{look:?}")
        };
        assert_eq!(
            (subjects(a), subjects(c)),
            (vec!["CN=a".to_owned()], vec!["CN=c".to_owned()])
        );
        assert_eq!(refusal(b).reason, Reason::Internal);
        assert!(!look.is_healthy(), "nothing is concluded from absence");
    }
    assert_eq!(directory.reads(), 3, "it is not judged again at every look");
    write(&temporary.path().join("b.pem"), &pem("b"));
    let look = directory.look(&in_secs(20)).unwrap();
    assert!(look.is_healthy(), "{look:?}");
}

#[test]
fn a_content_is_known_again_whatever_was_done_to_its_file() {
    let (temporary, mut directory) = fresh();
    let path = temporary.path().join("a.pem");
    let mut content = |text: &str, secs| {
        write(&path, text);
        only(directory.look(&in_secs(secs)).unwrap()).content
    };
    let first = content("one", 10);
    assert!(first.is_some());
    assert_eq!(content("one", 10), first);
    assert_ne!(content("two", 10), first);
    assert_eq!(format!("{:?}", first.unwrap()), "ContentId", "never shown");
}

#[test]
fn a_huge_file_is_read_to_the_limit_only() {
    let (temporary, mut directory) = fresh();
    let path = temporary.path().join("okta.pem");
    write(&path, "");
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1 << 32)
        .unwrap();
    refused(
        &mut directory,
        Reason::TooLarge,
        "4.0 GiB; the limit is 64 KiB",
    );
}

#[test]
fn a_file_is_read_whatever_size_the_system_names() {
    let (temporary, mut directory) = fresh();
    directory.strict = false;
    symlink("/proc/version", temporary.path().join("okta.pem")).unwrap();
    assert_eq!(fs::metadata("/proc/version").unwrap().len(), 0);
    refused(&mut directory, Reason::NoCertificate, "neither PEM nor DER");
    assert_eq!(directory.reads(), 1);
}

#[test]
fn a_directory_that_is_missing_or_none_is_an_error() {
    let (temporary, _) = fresh();
    let look = |path: &Path| {
        CertificateDirectory::new(settings(path), judge_file)
            .unwrap()
            .look(&now())
    };
    let missing = temporary.path().join("okta");
    let text = missing.display().to_string();
    assert_eq!(look(&missing), Err(SourceError::Missing(text.clone())));
    write(&missing, "");
    let unreadable = SourceError::Unreadable {
        path: text,
        why: "not a directory".to_owned(),
    };
    assert_eq!(look(&missing), Err(unreadable));
}

// What is not a file.

#[test]
fn pipes_sockets_devices_and_directories_are_not_opened() {
    for kind in ["a named pipe", "a socket", "a device", "a directory"] {
        let (temporary, mut directory) = fresh();
        let path = temporary.path().join("x.pem");
        match kind {
            "a named pipe" => make_pipe(&path),
            "a socket" => drop(std::os::unix::net::UnixListener::bind(&path).unwrap()),
            "a device" => symlink("/dev/null", &path).unwrap(),
            _ => fs::create_dir(&path).unwrap(),
        }
        refused(&mut directory, Reason::NotRegularFile, kind);
        assert_eq!(directory.reads(), 0);
    }
}

fn make_pipe(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from(0o644), 0).unwrap();
}

#[test]
fn opening_a_pipe_that_took_a_files_place_does_not_block() {
    let (temporary, _) = fresh();
    let path = temporary.path().join("x.pem");
    write(&path, "");
    let Ok(stamp) = file::stamp(&path) else {
        panic!("no stamp")
    };
    fs::remove_file(&path).unwrap();
    make_pipe(&path);
    let reader = Reader::new(judge_file);
    assert!(matches!(
        file::read(&path, &stamp, &reader),
        Opened::Changing
    ));
    assert_eq!(reader.reads(), 0);
}

#[test]
fn links_that_lead_nowhere_are_unreadable() {
    let (temporary, mut directory) = fresh();
    let path = temporary.path().join("x.pem");
    symlink("gone", &path).unwrap();
    refused(&mut directory, Reason::Unreadable, "leads nowhere");
    fs::remove_file(&path).unwrap();
    symlink("x.pem", &path).unwrap();
    refused(&mut directory, Reason::Unreadable, "cannot be followed");
}

#[test]
fn a_file_that_nobody_may_read_says_how_to_change_that() {
    let (temporary, mut directory) = fresh();
    let path = temporary.path().join("okta.pem");
    write(&path, &pem("okta"));
    chmod(&path, 0);
    if is_root() {
        let file = only(directory.look(&in_secs(10)).unwrap());
        assert_eq!(subjects(&file).len(), 1, "root reads everything");
    } else {
        let refusal = refused(
            &mut directory,
            Reason::Unreadable,
            "permission denied for user",
        );
        assert!(refusal.help[0].starts_with("chmod 644 FILE"));
        chmod(&path, 0o644);
        assert_eq!(
            subjects(&only(directory.look(&in_secs(10)).unwrap())).len(),
            1
        );
    }
}

#[test]
fn a_kubernetes_mount_is_followed_through_every_swap() {
    let (temporary, mut directory) = fresh();
    let mount = temporary.path();
    symlink("..data/okta.pem", mount.join("okta.pem")).unwrap();
    for version in ["..2026_1", "..2026_2", "..2026_3"] {
        fs::create_dir(mount.join(version)).unwrap();
        write(&mount.join(version).join("okta.pem"), &pem(version));
        symlink(version, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
        let file = only(directory.look(&in_secs(10)).unwrap());
        assert!(subjects(&file)[0].contains(version));
        assert_eq!(file.path, mount.join("okta.pem"));
    }
}

// Who could write it.

#[test]
fn a_file_that_others_could_write_is_refused() {
    let (temporary, mut directory) = fresh();
    let path = temporary.path().join("okta.pem");
    write(&path, &pem("okta"));
    chmod(&path, 0o666);
    let refusal = refused(
        &mut directory,
        Reason::UnsafePermissions,
        "is writable by everyone (0666)",
    );
    assert_eq!(refusal.help, [format!("chmod go-w {}", path.display())]);
    chmod(&path, 0o664);
    let refusal = refused(
        &mut directory,
        Reason::UnsafePermissions,
        "is writable by group ",
    );
    assert!(refusal.help[0].starts_with(&format!(
        "chmod g-w {}, or allowed_groups = [",
        path.display()
    )));
    chmod(&path, 0o644);
    assert_eq!(
        subjects(&only(directory.look(&in_secs(10)).unwrap())).len(),
        1
    );
    chmod(&path, 0o666);
    directory.strict = false;
    assert_eq!(
        subjects(&only(directory.look(&in_secs(10)).unwrap())).len(),
        1
    );
}

#[test]
fn a_group_may_be_allowed_by_number_or_name() {
    let (temporary, _) = fresh();
    let path = temporary.path().join("okta.pem");
    write(&path, &pem("okta"));
    chmod(&path, 0o664);
    let group = fs::metadata(&path).unwrap().gid();
    for name in [group.to_string(), group_name(group)] {
        let mut settings = settings(temporary.path());
        settings.allowed_groups = vec![name];
        let mut directory = CertificateDirectory::new(settings, judge_file).unwrap();
        assert_eq!(
            subjects(&only(directory.look(&in_secs(10)).unwrap())).len(),
            1
        );
    }
}

#[test]
fn every_directory_above_is_judged_at_every_look() {
    let temporary = TempDir::new().unwrap();
    let above = temporary.path().join("idp");
    let watched = above.join("okta");
    fs::create_dir_all(&watched).unwrap();
    write(&watched.join("okta.pem"), &pem("okta"));
    for it in [&above, &watched] {
        chmod(it, 0o755);
    }
    let mut directory = CertificateDirectory::new(settings(&watched), judge_file).unwrap();
    assert_eq!(directory.judge_path(), Ok(()));
    assert_eq!(
        subjects(&only(directory.look(&in_secs(10)).unwrap())).len(),
        1
    );
    chmod(&above, 0o775);
    let refusal = refused(
        &mut directory,
        Reason::UnsafePermissions,
        "/idp is writable by group",
    );
    assert!(
        refusal.found.starts_with(&above.display().to_string()),
        "{refusal}"
    );
    assert_eq!(directory.judge_path(), Err(refusal));
    chmod(&above, 0o1777);
    let look = only(directory.look(&in_secs(10)).unwrap());
    if is_root() {
        assert_eq!(subjects(&look).len(), 1, "root's and sticky: like /tmp");
    } else {
        assert_eq!(self::refusal(&look).reason, Reason::UnsafePermissions);
    }
}

#[test]
fn a_shared_directory_is_watched_if_it_is_roots_and_sticky_and_its_files_are_still_judged() {
    let (temporary, mut directory) = fresh();
    let (watched, path) = (temporary.path(), temporary.path().join("okta.pem"));
    write(&path, &pem("okta"));
    chmod(&path, 0o644);
    chmod(watched, 0o1777);
    let look = only(directory.look(&in_secs(10)).unwrap());
    if is_root() {
        assert_eq!(subjects(&look).len(), 1, "a Kubernetes mount is like that");
        assert_eq!(directory.judge_path(), Ok(()));
        chmod(&path, 0o666);
        let words = "okta.pem is writable by everyone (0666)";
        refused(&mut directory, Reason::UnsafePermissions, words);
        chmod(&path, 0o644);
        let look = only(directory.look(&in_secs(10)).unwrap());
        assert_eq!(subjects(&look).len(), 1);
    } else {
        let reason = refusal(&look).reason;
        assert_eq!(reason, Reason::UnsafePermissions, "whoever owns it could");
    }
    chmod(watched, 0o777);
    let words = "is writable by everyone (0777)";
    let refusal = refused(&mut directory, Reason::UnsafePermissions, words);
    assert_eq!(refusal.help, [format!("chmod go-w {}", watched.display())]);
    assert_eq!(directory.judge_path(), Err(refusal));
}

#[test]
fn a_link_is_judged_where_it_leads() {
    let elsewhere = TempDir::new().unwrap();
    let target = elsewhere.path().join("live.pem");
    write(&target, &pem("okta"));
    let (temporary, mut directory) = fresh();
    symlink(&target, temporary.path().join("okta.pem")).unwrap();
    assert_eq!(
        subjects(&only(directory.look(&in_secs(10)).unwrap())).len(),
        1
    );
    chmod(elsewhere.path(), 0o777);
    let text = elsewhere.path().display().to_string();
    refused(
        &mut directory,
        Reason::UnsafePermissions,
        &format!("{text} is writable by everyone"),
    );
}

#[test]
fn a_foreign_owner_is_refused_unless_allowed() {
    let (temporary, mut directory) = fresh();
    let path = temporary.path().join("okta.pem");
    write(&path, &pem("okta"));
    if !is_root() {
        // Only root can give a file away; the rule itself shows on a trust that is empty but for root.
        directory.trusted = Trusted::only_root();
        refused(&mut directory, Reason::UnsafePermissions, " may change ");
        return;
    }
    std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
    let refusal = refused(
        &mut directory,
        Reason::UnsafePermissions,
        "(uid 65534) may change",
    );
    assert!(refusal.help[0].starts_with("chown root "), "{refusal:?}");
    for name in ["65534".to_owned(), crate::adapter::users::user_name(65_534)] {
        let mut settings = settings(temporary.path());
        settings.allowed_owners = vec![name];
        let mut directory = CertificateDirectory::new(settings, judge_file).unwrap();
        assert_eq!(
            subjects(&only(directory.look(&in_secs(10)).unwrap())).len(),
            1
        );
    }
}

#[test]
fn an_acl_that_gives_write_access_is_refused() {
    let (temporary, mut directory) = fresh();
    let path = temporary.path().join("okta.pem");
    write(&path, &pem("okta"));
    let set = |entries: &[(u16, u16, u32)]| {
        let mut bytes = vec![2, 0, 0, 0];
        for (tag, allowed, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(allowed.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        rustix::fs::setxattr(
            &path,
            "system.posix_acl_access",
            &bytes,
            rustix::fs::XattrFlags::empty(),
        )
    };
    let no_id = u32::MAX;
    let with = |user: u16, mask: u16| {
        [
            (0x01, 6, no_id),
            (0x02, user, 12_345),
            (0x04, 4, no_id),
            (0x10, mask, no_id),
            (0x20, 4, no_id),
        ]
    };
    if set(&with(6, 6)) == Err(rustix::io::Errno::OPNOTSUPP) {
        // A file system without ACLs: what would stand in one is tested with the parser.
        return;
    }
    let refusal = refused(
        &mut directory,
        Reason::UnsafePermissions,
        "an ACL gives write access to ",
    );
    assert!(refusal.help[0].starts_with("setfacl -b "));
    for harmless in [with(4, 6), with(6, 4)] {
        set(&harmless).unwrap();
        assert_eq!(
            subjects(&only(directory.look(&in_secs(10)).unwrap())).len(),
            1,
            "{harmless:?}"
        );
    }
}

#[test]
fn key_material_is_louder_than_unsafe_permissions() {
    let (temporary, mut directory) = fresh();
    let path = temporary.path().join("okta.pem");
    write(&path, &rcgen::KeyPair::generate().unwrap().serialize_pem());
    chmod(&path, 0o666);
    refused(
        &mut directory,
        Reason::PrivateKey,
        "line 1 begins an unencrypted PKCS#8 private key",
    );
}

#[test]
fn a_name_that_nobody_has_is_an_error_that_names_it() {
    let error = |owner: &str, group: &str| {
        let mut settings = settings(Path::new("/"));
        settings.allowed_owners = vec![owner.to_owned()];
        settings.allowed_groups = vec![group.to_owned()];
        CertificateDirectory::new(settings, judge_file)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("nobody-has-this-name", "0"),
        "`allowed_owners` names the user `nobody-has-this-name`, which is not known here"
    );
    assert_eq!(
        error("root", "nobody-has-this-name"),
        "`allowed_groups` names the group `nobody-has-this-name`, which is not known here"
    );
}

// Looking by hand.

#[test]
fn permissions_refuse_nothing_when_looking_by_hand() {
    let (temporary, _) = fresh();
    let path = temporary.path().join("okta.txt");
    write(&path, &pem("okta"));
    chmod(&path, 0o666);
    let trusted = Trusted::resolve(&[], &[]).unwrap();
    let file = inspect_file(&path, &trusted, false, judge_file);
    assert_eq!(subjects(&file), ["CN=okta"]);
    let said = PathJudge::new(&trusted).judge(&path).unwrap_err();
    assert!(said.found.contains("writable by everyone"), "{said}");
    let file = inspect_file(&path, &trusted, true, judge_file);
    assert_eq!(refusal(&file).reason, Reason::UnsafePermissions);
    let file = inspect_file(&temporary.path().join("gone"), &trusted, false, judge_file);
    assert_eq!(
        refusal(&file).to_string(),
        "refused (unreadable): no such file"
    );
    write(&path, "");
    let file = inspect_file(&path, &trusted, false, judge_file);
    assert_eq!(
        refusal(&file).to_string(),
        "refused (empty): 0 bytes",
        "nothing waits"
    );
}

#[test]
fn the_help_for_a_private_key_takes_nothing_from_another_name() {
    let (temporary, _) = fresh();
    let (elsewhere, _) = fresh();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let target = elsewhere.path().join("live.key");
    write(&target, &key);
    let path = temporary.path().join("okta.pem");
    let help = || {
        let trusted = Trusted::resolve(&[], &[]).unwrap();
        let file = inspect_file(&path, &trusted, false, judge_file);
        assert_eq!(refusal(&file).reason, Reason::PrivateKey);
        refusal(&file).help.join("\n")
    };
    let takes_only_the_name = |link: &str| {
        let help = help();
        assert!(help.contains(link), "{help}");
        assert!(!help.contains("shred"), "{help}");
        let commands: Vec<&str> = help.matches("rm FILE").collect();
        assert_eq!(commands.len(), 1, "{help}");
        fs::remove_file(&path).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), key);
    };
    symlink(&target, &path).unwrap();
    takes_only_the_name("take the link away");
    fs::hard_link(&target, &path).unwrap();
    takes_only_the_name("under its other names: 1");

    // A copy of its own.
    write(&path, &key);
    let alone = help();
    assert!(alone.contains("shred -u FILE"), "{alone}");
    assert!(
        !alone.contains("openssl"),
        "there is no certificate: {alone}"
    );
    write(&path, &format!("{key}{}", pem("okta")));
    assert!(help().contains("openssl x509 -in FILE -out signing.pem"));
}

#[test]
fn a_directory_is_inspected_by_its_patterns() {
    let (temporary, _) = fresh();
    write(&temporary.path().join("okta.pem"), &pem("okta"));
    write(&temporary.path().join("README"), "hello");
    let look = inspect_directory(&settings(temporary.path()), judge_file).unwrap();
    assert_eq!((look.files.len(), look.ignored.count), (1, 1));
    let error =
        inspect_directory(&settings(&temporary.path().join("gone")), judge_file).unwrap_err();
    assert!(error.to_string().ends_with("/gone is missing"), "{error}");
}
