//! The ledger on real files: what is saved is what is loaded, whatever happens in between.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::{
    BootId, CertificateId, CertificateParts, Credit, KeyAlgorithm, Moment, PublicKeyId,
    SignatureHash, Timestamp, Validity,
};
use crate::plan::book::{
    Attempts, Belief, Deleting, GoneCertificate, Hold, HoldKind, InSource, Intent, Order, Pause,
    PostAnswer, Rejection, Standing, TrustRecord, Word, Write, WriteRefusal,
};
use crate::plan::entry::What;

/// DER of four certificates.
static DERS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let made = (0..4).map(|_| rcgen::generate_simple_self_signed(vec!["idp.example".to_owned()]));
    made.map(|it| it.unwrap().cert.der().to_vec()).collect()
});

fn read(der: &[u8]) -> Option<Certificate> {
    DERS.iter().any(|it| it == der).then(|| {
        Certificate::new(CertificateParts {
            der,
            subject_public_key_info: der,
            validity: Validity {
                not_before: Timestamp::from_secs(1_700_000_000),
                not_after: Timestamp::from_secs(1_800_000_000),
            },
            subject: "CN=idp.example".to_owned(),
            issuer: "CN=idp.example".to_owned(),
            self_signed: true,
            may_issue: false,
            serial: &[1],
            key: KeyAlgorithm::P256,
            signature: SignatureHash::Sha256,
            remarks: Vec::new(),
        })
    })
}

fn certificate(number: usize) -> Certificate {
    read(&DERS[number]).unwrap()
}

fn okta() -> IntegrationId {
    IntegrationId::parse("b0b98502-9408-4b24-9e3d-31ed7cb15312").unwrap()
}

fn adfs() -> IntegrationId {
    IntegrationId::parse("c1b98502-9408-4b24-9e3d-31ed7cb15312").unwrap()
}

fn moment(secs: u64) -> Moment {
    Moment {
        wall: Timestamp::from_secs(1_790_000_000).plus(Duration::from_secs(secs)),
        boot: BootId::new("4f7c1e2a"),
        since_boot: Duration::from_secs(secs),
    }
}

/// A book in which a POST is about to be made.
fn intent(number: usize) -> Book {
    let mut book = Book::default();
    book.intend(&certificate(number), true, &moment(7));
    book
}

fn entry(number: i64, what: What) -> Entry {
    let at = Timestamp::from_secs(1_790_000_000 + number);
    let fingerprint = certificate(0).fingerprint();
    Entry::new(at, what, Some(fingerprint), format!("number {number}"))
}

fn everything() -> Query {
    Query {
        integrations: None,
        since: None,
        fingerprint: None,
        limit: u32::MAX,
    }
}

fn open(directory: &Path) -> Ledger {
    Ledger::open(directory, read).unwrap()
}

fn ledger_with(book: &Book) -> (TempDir, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = open(directory.path());
    ledger
        .save(okta(), &Book::default(), book, &[entry(1, What::Accepted)])
        .unwrap();
    (directory, ledger)
}

/// What a power cut or a kill leaves: the files as they are while the ledger is open.
fn image_of(directory: &Path, files: &[&str]) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    for name in files {
        fs::copy(directory.join(name), image.path().join(name)).unwrap();
    }
    image
}

const KILLED: [&str; 3] = ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"];
const POWER_CUT: [&str; 2] = ["ledger.sqlite", "ledger.sqlite-wal"];

/// Every file of a directory: a digest of what it holds, and when it was written. Of the index that a running instance
/// shares with its readers only the presence.
fn traces(directory: &Path, running: bool) -> BTreeMap<PathBuf, Option<(Fingerprint, i64, i64)>> {
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|it| it.unwrap().path());
    files
        .map(|path| {
            let metadata = fs::metadata(&path).unwrap();
            let digest = Fingerprint::of(&fs::read(&path).unwrap());
            let shared = running && path.ends_with("ledger.sqlite-shm");
            let trace = (digest, metadata.mtime(), metadata.mtime_nsec());
            (path, (!shared).then_some(trace))
        })
        .collect()
}

fn moments() -> impl Strategy<Value = Moment> {
    let wall = prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>()];
    (wall, "[0-9a-f-]{0,36}", 0..=u64::MAX / 2).prop_map(|(wall, boot, nanos)| Moment {
        wall: Timestamp::from_millis(wall),
        boot: BootId::new(&boot),
        since_boot: Duration::from_nanos(nanos),
    })
}

fn ids() -> impl Strategy<Value = CertificateId> {
    "[A-Za-z0-9_-]{1,64}".prop_map(|it| CertificateId::parse(&it).unwrap())
}

fn standings() -> impl Strategy<Value = Standing> {
    let id = || proptest::option::of(ids());
    prop_oneof![
        Just(Standing::Seen),
        (moments(), id(), any::<u32>(), answers(), any::<bool>()).prop_map(
            |(at, id, lists, answer, is_hurried)| Standing::Intent(Intent {
                at,
                id,
                lists,
                answer,
                is_hurried,
            })
        ),
        ids().prop_map(Standing::Confirmed),
        (ids(), any::<bool>(), any::<bool>()).prop_map(|(id, ordered, unsure)| {
            Standing::Disabled {
                id,
                ordered,
                unsure,
            }
        }),
        (ids(), any::<[bool; 3]>(), moments()).prop_map(
            |(id, [ordered, was_disabled, was_unsure], at)| {
                Standing::Deleting(Deleting {
                    id,
                    ordered,
                    was_disabled,
                    was_unsure,
                    at,
                })
            }
        ),
        any::<bool>().prop_map(|ordered| Standing::Retired { ordered }),
        (id(), any::<bool>()).prop_map(|(id, inherited)| Standing::Foreign { id, inherited }),
        id().prop_map(|id| Standing::Removed { id }),
    ]
}

fn paths() -> impl Strategy<Value = Vec<PathBuf>> {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = proptest::collection::vec(1..=u8::MAX, 0..20);
    let path = bytes.prop_map(|it| PathBuf::from(std::ffi::OsString::from_vec(it)));
    proptest::collection::vec(path, 0..3)
}

fn sources() -> impl Strategy<Value = InSource> {
    prop_oneof![
        Just(InSource::Never),
        (moments(), credits(), paths()).prop_map(|(since, credit, paths)| InSource::Present {
            since,
            credit,
            paths
        }),
        (moments(), credits()).prop_map(|(since, credit)| InSource::Gone { since, credit }),
    ]
}

fn credits() -> impl Strategy<Value = Credit> {
    let last = proptest::option::of(moments());
    (any::<u32>(), 0..=u64::MAX / 2, last).prop_map(|(looks, nanos, last)| Credit {
        looks,
        total: Duration::from_nanos(nanos),
        last,
    })
}

fn holds() -> impl Strategy<Value = Hold> {
    const KINDS: [HoldKind; 3] = [HoldKind::Approval, HoldKind::Pin, HoldKind::KeyBudget];
    (moments(), proptest::sample::select(&KINDS[..])).prop_map(|(since, kind)| Hold { since, kind })
}

fn orders() -> impl Strategy<Value = Order> {
    const ALL: [Order; 4] = [Order::Adopt, Order::Restore, Order::Disable, Order::Delete];
    proptest::sample::select(&ALL[..])
}

fn beliefs() -> impl Strategy<Value = Belief> {
    let moment = || proptest::option::of(moments());
    let rejection = moments().prop_map(|at| Rejection { at });
    let word = prop_oneof![
        Just(Word::Approved),
        Just(Word::ApprovedKey),
        Just(Word::Denied),
        Just(Word::DeniedAlone),
        Just(Word::Acknowledged)
    ];
    let certain = (
        standings(),
        sources(),
        any::<u32>(),
        proptest::option::of(word),
    );
    let moments = (
        moment(),
        moment(),
        moment(),
        moment(),
        proptest::option::of(rejection),
    );
    let told = (
        proptest::option::of(credits()),
        proptest::option::of(holds()),
        proptest::option::of(orders()),
        proptest::option::of(any::<[u8; 32]>().prop_map(Fingerprint::from_bytes)),
        proptest::option::of(attempts()),
    );
    (certain, moments, told).prop_map(|((standing, source, posts, word), moments, told)| Belief {
        certificate: None,
        standing,
        source,
        missing: moments.0,
        posts,
        last_post: moments.1,
        attempts: told.4,
        rejection: moments.4,
        new_key: moments.2,
        trusted_since: moments.3,
        trusted_for: told.0,
        hold: told.1,
        issued: told.3,
        word,
        order: told.2,
    })
}

fn trust_records() -> impl Strategy<Value = TrustRecord> {
    let times = || proptest::option::of(any::<i64>().prop_map(Timestamp::from_millis));
    (any::<bool>(), times(), times()).prop_map(|(has_counted, valid_until, lost_at)| TrustRecord {
        has_counted,
        valid_until,
        lost_at,
    })
}

fn answers() -> impl Strategy<Value = PostAnswer> {
    prop_oneof![
        Just(PostAnswer::Missing),
        Just(PostAnswer::Error),
        Just(PostAnswer::Accepted),
        Just(PostAnswer::Refused),
    ]
}

fn attempts() -> impl Strategy<Value = Attempts> {
    let counts = (any::<u32>(), any::<u32>(), any::<u32>());
    (moments(), counts).prop_map(|(first, (posts, accepted, unanswered))| Attempts {
        first,
        posts,
        accepted,
        unanswered,
    })
}

fn books() -> impl Strategy<Value = Book> {
    let seen = proptest::collection::btree_map(0..4_usize, beliefs(), 0..4);
    let named = proptest::collection::btree_map(any::<[u8; 32]>(), beliefs(), 0..2);
    let lists = proptest::option::of(any::<i64>().prop_map(Timestamp::from_millis));
    let unreadable = proptest::collection::btree_set(ids(), 0..3);
    let pause = (any::<i64>(), ".*").prop_map(|(at, by)| Pause {
        at: Timestamp::from_millis(at),
        by,
    });
    let refusal =
        (moments(), any::<bool>()).prop_map(|(at, is_forbidden)| WriteRefusal { at, is_forbidden });
    let gone = (any::<[u8; 32]>(), any::<i64>()).prop_map(|(key, at)| GoneCertificate {
        key: PublicKeyId::from_bytes(key),
        at: Timestamp::from_millis(at),
    });
    let writes = proptest::sample::select(&[Write::Update, Write::Delete][..]);
    let refused_writes = proptest::collection::btree_map(writes, refusal, 0..3);
    let general = (
        proptest::option::of(pause),
        proptest::option::of(moments()),
        proptest::option::of(moments()),
        any::<bool>(),
        refused_writes,
        trust_records(),
        proptest::collection::btree_map(any::<[u8; 32]>(), gone, 0..3),
        proptest::option::of(Just(okta())),
    );
    (seen, named, (lists.clone(), lists), unreadable, general).prop_map(
        |(
            seen,
            named,
            lists,
            unreadable,
            (pause, retired_at, patched_at, is_sending, refused_writes, trust, gone, moved_from),
        )| {
            let seen = seen.into_iter().map(|(number, belief)| {
                let certificate = certificate(number);
                let fingerprint = certificate.fingerprint();
                let certificate = Some(certificate);
                (
                    fingerprint,
                    Belief {
                        certificate,
                        ..belief
                    },
                )
            });
            let named = named
                .into_iter()
                .map(|(bytes, belief)| (Fingerprint::from_bytes(bytes), belief));
            Book {
                beliefs: seen.chain(named).collect(),
                first_list: lists.0,
                last_list: lists.1,
                unreadable,
                pause,
                retired_at,
                patched_at,
                is_sending,
                refused_writes,
                trust,
                moved_from,
                gone: gone
                    .into_iter()
                    .map(|(it, gone)| (Fingerprint::from_bytes(it), gone))
                    .collect(),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_saves_the_last_book_is_loaded_also_by_the_next_instance(
        books in proptest::collection::vec(books(), 1..4),
        other in books(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = open(directory.path());
        ledger.save(adfs(), &Book::default(), &other, &[]).unwrap();
        let mut before = Book::default();
        for after in books {
            ledger.save(okta(), &before, &after, &[]).unwrap();
            prop_assert_eq!(&ledger.load(okta()).unwrap(), &after);
            before = after;
        }
        drop(ledger);
        let ledger = open(directory.path());
        prop_assert_eq!(ledger.load(okta()).unwrap(), before);
        prop_assert_eq!(ledger.load(adfs()).unwrap(), other);
    }
}

#[test]
fn a_missing_ledger_starts_empty_for_this_user_alone() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("state");
    let ledger = open(&directory);
    assert_eq!(ledger.load(okta()).unwrap(), Book::default());
    assert_eq!(ledger.known_integrations().unwrap(), []);
    assert_eq!(ledger.history(&everything()).unwrap().total, 0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for name in KILLED.iter().chain(&["lock"]) {
        assert_eq!(mode(&directory.join(name)), 0o600, "{name}");
    }
}

#[test]
fn the_certificate_comes_back_with_its_bytes() {
    let (_directory, ledger) = ledger_with(&intent(2));
    let book = ledger.load(okta()).unwrap();
    let belief = &book.beliefs[&certificate(2).fingerprint()];
    assert_eq!(belief.certificate.as_ref().unwrap().der(), DERS[2]);
}

#[test]
fn a_saved_intent_survives_a_kill_and_a_power_cut() {
    let (directory, _open) = ledger_with(&intent(0));
    for files in [&KILLED[..], &POWER_CUT[..]] {
        let image = image_of(directory.path(), files);
        let ledger = open(image.path());
        assert_eq!(ledger.load(okta()).unwrap(), intent(0));
        assert_eq!(ledger.history(&everything()).unwrap().total, 1);
    }
}

#[test]
fn a_torn_write_loses_that_save_alone_and_whole() {
    let (directory, mut ledger) = ledger_with(&intent(0));
    let mut both = intent(0);
    both.intend(&certificate(1), true, &moment(9));
    ledger
        .save(okta(), &intent(0), &both, &[entry(2, What::Accepted)])
        .unwrap();
    let image = image_of(directory.path(), &POWER_CUT);
    let log = image.path().join("ledger.sqlite-wal");
    let torn = fs::metadata(&log).unwrap().len() - 100;
    fs::OpenOptions::new()
        .write(true)
        .open(&log)
        .unwrap()
        .set_len(torn)
        .unwrap();
    let ledger = open(image.path());
    assert_eq!(ledger.load(okta()).unwrap(), intent(0));
    assert_eq!(ledger.history(&everything()).unwrap().total, 1);
}

#[test]
fn a_save_without_a_difference_writes_nothing() {
    let (directory, mut ledger) = ledger_with(&intent(0));
    let before = traces(directory.path(), true);
    ledger.save(okta(), &intent(0), &intent(0), &[]).unwrap();
    assert_eq!(traces(directory.path(), true), before);
}

#[test]
fn a_failed_save_stores_nothing_and_the_next_one_works_when_there_is_space() {
    let (_directory, mut ledger) = ledger_with(&intent(0));
    let limit = |ledger: &Ledger, pages: u32| {
        ledger
            .connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
    };
    limit(&ledger, 1).unwrap();
    let entries: Vec<Entry> = (0..1_000).map(|it| entry(it, What::Uploaded)).collect();
    let error = ledger
        .save(okta(), &intent(0), &intent(1), &entries)
        .unwrap_err();
    let path = ledger.path.display();
    assert_eq!(
        error.to_string(),
        format!("cannot write {path}: no space left; make room there")
    );
    assert_eq!(ledger.load(okta()).unwrap(), intent(0));
    assert_eq!(ledger.history(&everything()).unwrap().total, 1);

    limit(&ledger, u32::MAX / 2).unwrap();
    ledger
        .save(okta(), &intent(0), &intent(1), &entries)
        .unwrap();
    assert_eq!(ledger.load(okta()).unwrap(), intent(1));
    assert_eq!(ledger.history(&everything()).unwrap().total, 1_001);
}

#[test]
fn a_ledger_that_somebody_keeps_locked_says_so_and_recovers() {
    let (_directory, mut ledger) = ledger_with(&intent(0));
    ledger
        .connection
        .busy_timeout(Duration::from_millis(1))
        .unwrap();
    let somebody = Connection::open(&ledger.path).unwrap();
    somebody.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = ledger
        .save(okta(), &intent(0), &intent(1), &[])
        .unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::NotWritable {
                obstacle: Obstacle::Locked,
                ..
            }
        ),
        "{error}"
    );
    somebody.execute_batch("COMMIT").unwrap();
    ledger.save(okta(), &intent(0), &intent(1), &[]).unwrap();
}

#[test]
fn nothing_is_saved_into_a_file_that_was_moved_away() {
    for name in POWER_CUT {
        let (directory, mut ledger) = ledger_with(&intent(0));
        let file = directory.path().join(name);
        fs::rename(&file, directory.path().join("elsewhere")).unwrap();
        let error = ledger
            .save(okta(), &intent(0), &intent(1), &[])
            .unwrap_err();
        assert!(
            matches!(
                error,
                LedgerError::NotWritable {
                    obstacle: Obstacle::Moved,
                    ..
                }
            ),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_second_instance_is_kept_out_until_the_first_is_gone() {
    let (directory, ledger) = ledger_with(&intent(0));
    let pid = std::process::id();
    let error = Ledger::open(directory.path(), read).unwrap_err();
    let state = directory.path().display();
    assert_eq!(
        error.to_string(),
        format!("another sso-certd (pid {pid}) holds {state}")
    );
    assert_eq!(
        Ledger::holder(directory.path()).unwrap(),
        Some(Holder { pid: Some(pid) })
    );
    drop(ledger);
    assert_eq!(Ledger::holder(directory.path()).unwrap(), None);
    open(directory.path());
}

#[test]
fn a_lock_of_another_process_keeps_us_out_until_it_dies() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock");
    let file = fs::File::create(&lock).unwrap();
    file.lock().unwrap();
    // The child has the only descriptor left that holds the lock.
    let mut child = std::process::Command::new("cat")
        .stdin(std::process::Stdio::piped())
        .stdout(file)
        .spawn()
        .unwrap();
    assert!(matches!(
        Ledger::open(directory.path(), read),
        Err(LedgerError::Held { .. })
    ));
    child.kill().unwrap();
    child.wait().unwrap();
    open(directory.path());
}

/// The same ledger as an older version would have written it, in a directory of its own.
fn as_version(version: u32, directory: &Path) -> TempDir {
    let older = tempfile::tempdir().unwrap();
    let connection = Connection::open(older.path().join("ledger.sqlite")).unwrap();
    for step in &schema::STEPS[..usize::try_from(version).unwrap()] {
        connection.execute_batch(step).unwrap();
    }
    let now = directory.join("ledger.sqlite");
    let attach = format!(
        "PRAGMA application_id = {}; PRAGMA user_version = {version}; ATTACH '{}' AS now;",
        schema::APPLICATION_ID,
        now.display()
    );
    connection.execute_batch(&attach).unwrap();
    for table in ["meta", "integrations", "beliefs", "history"] {
        let columns: String = connection
            .query_row(
                "SELECT group_concat('\"' || name || '\"') FROM pragma_table_info(?1, 'main')",
                [table],
                |row| row.get(0),
            )
            .unwrap();
        let copy =
            format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}");
        connection.execute(&copy, []).unwrap();
    }
    fs::set_permissions(
        older.path().join("ledger.sqlite"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    older
}

#[test]
fn a_ledger_of_each_older_version_is_read_as_it_is_and_brought_up_to_date_once() {
    let (now, ledger) = ledger_with(&intent(0));
    drop(ledger);
    for version in 1..schema::VERSION {
        let directory = as_version(version, now.path());
        let directory = directory.path();
        let mut expected = intent(0);
        expected.is_sending = true; // also of the first version, which does not know it
        for belief in expected.beliefs.values_mut() {
            belief.attempts = None; // nobody counted before the fourth
        }
        let reading = Ledger::open_reading(directory, read).unwrap();
        assert_eq!(reading.load(okta()).unwrap(), expected, "{version}");
        drop(reading);
        for _ in 0..2 {
            let ledger = open(directory);
            assert_eq!(ledger.load(okta()).unwrap(), expected, "{version}");
            let pragma =
                |it: &Connection| it.pragma_query_value(None, "user_version", |it| it.get(0));
            assert_eq!(pragma(&ledger.connection), Ok(schema::VERSION));
        }
    }
}

#[test]
fn a_newer_ledger_is_refused_with_the_name_of_its_writer_and_left_alone() {
    let (directory, ledger) = ledger_with(&intent(0));
    let newer = format!(
        "PRAGMA user_version = {}; UPDATE meta SET value = 'sso-certd 9.1.0'; DROP TABLE waits;",
        schema::VERSION + 1
    );
    ledger.connection.execute_batch(&newer).unwrap();
    let killed = image_of(directory.path(), &POWER_CUT);
    drop(ledger);
    for directory in [killed, directory] {
        let directory = directory.path();
        let content = || {
            POWER_CUT.map(|it| {
                fs::read(directory.join(it))
                    .ok()
                    .filter(|it| !it.is_empty())
            })
        };
        let before = content();
        for error in [
            Ledger::open(directory, read).unwrap_err(),
            Ledger::open_reading(directory, read).unwrap_err(),
        ] {
            let ours = env!("CARGO_PKG_VERSION");
            let path = directory.join("ledger.sqlite");
            assert_eq!(
                error.to_string(),
                format!(
                    "the ledger {} was written by sso-certd 9.1.0, which is newer than this sso-certd {ours}",
                    path.display()
                )
            );
        }
        assert_eq!(content(), before);
    }
}

#[test]
fn a_damaged_ledger_is_refused_and_left_alone() {
    let (directory, ledger) = ledger_with(&intent(0));
    drop(ledger);
    let file = directory.path().join("ledger.sqlite");
    let whole = fs::read(&file).unwrap();
    let mut overwritten = whole.clone();
    overwritten[4_096..].fill(0xa5);
    let cut = &whole[..whole.len() / 2];
    for damaged in [
        cut,
        &overwritten,
        b"not a database, but long enough to be looked at as one",
    ] {
        fs::write(&file, damaged).unwrap();
        let error = Ledger::open(directory.path(), read).unwrap_err();
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
        assert_eq!(fs::read(&file).unwrap(), damaged);
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(open(directory.path()).load(okta()).unwrap(), intent(0));
}

#[test]
fn another_program_s_sqlite_file_is_no_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let stranger = Connection::open(directory.path().join("ledger.sqlite")).unwrap();
    stranger
        .execute_batch("CREATE TABLE songs (title)")
        .unwrap();
    drop(stranger);
    for error in [
        Ledger::open(directory.path(), read).unwrap_err(),
        Ledger::open_reading(directory.path(), read).unwrap_err(),
    ] {
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
    }
}

#[test]
fn values_that_cannot_be_are_damage_not_guesses() {
    for change in [
        "UPDATE beliefs SET der = x'30'",
        "UPDATE beliefs SET fingerprint = 'abc'",
        "UPDATE beliefs SET intent_boot_id = NULL",
        "UPDATE beliefs SET standing = 'confirmed', certificate_id = NULL",
        "UPDATE beliefs SET certificate_id = '../1'",
        "UPDATE beliefs SET source = 'present'",
        "UPDATE beliefs SET posts = -1",
        "UPDATE beliefs SET rejected_boot_id = 'x'",
    ] {
        let (_directory, ledger) = ledger_with(&intent(0));
        ledger.connection.execute_batch(change).unwrap();
        let loaded = ledger.load(okta());
        assert!(
            matches!(loaded, Err(LedgerError::Damaged { .. })),
            "{change}: {loaded:?}"
        );
    }
}

#[test]
fn reading_leaves_no_trace_whatever_the_writer_left() {
    let (directory, ledger) = ledger_with(&intent(0));
    let killed = image_of(directory.path(), &KILLED);
    let power_cut = image_of(directory.path(), &POWER_CUT);
    let running = traces(directory.path(), true);
    let look = |directory: &Path| {
        let ledger = Ledger::open_reading(directory, read).unwrap();
        assert_eq!(ledger.load(okta()).unwrap(), intent(0));
        assert_eq!(ledger.history(&everything()).unwrap().total, 1);
    };
    look(directory.path());
    assert_eq!(
        traces(directory.path(), true),
        running,
        "beside a running instance"
    );

    drop(ledger);
    for image in [killed, power_cut, directory] {
        let before = traces(image.path(), false);
        fs::set_permissions(image.path(), fs::Permissions::from_mode(0o500)).unwrap();
        look(image.path());
        look(image.path());
        assert_eq!(traces(image.path(), false), before);
        fs::set_permissions(image.path(), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_reader_sees_what_a_running_instance_saves() {
    let (directory, mut ledger) = ledger_with(&intent(0));
    let reader = Ledger::open_reading(directory.path(), read).unwrap();
    assert_eq!(reader.load(okta()).unwrap(), intent(0));
    ledger.save(okta(), &intent(0), &intent(1), &[]).unwrap();
    assert_eq!(reader.load(okta()).unwrap(), intent(1));
}

#[test]
fn a_reader_cannot_write() {
    let (directory, ledger) = ledger_with(&intent(0));
    drop(ledger);
    let mut reader = Ledger::open_reading(directory.path(), read).unwrap();
    let error = reader
        .save(okta(), &intent(0), &intent(1), &[])
        .unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::NotWritable {
                obstacle: Obstacle::ReadOnly,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn reading_where_no_ledger_is_makes_none() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("wïth #%?spaces and");
    let missing = LedgerError::Missing {
        directory: state.clone(),
    };
    assert_eq!(Ledger::open_reading(&state, read).unwrap_err(), missing);
    fs::create_dir(&state).unwrap();
    assert_eq!(Ledger::open_reading(&state, read).unwrap_err(), missing);
    assert_eq!(Ledger::holder(&state).unwrap(), None);
    assert!(traces(&state, false).is_empty());

    drop(open(&state));
    Ledger::open_reading(&state, read).unwrap();
}

#[test]
fn the_history_is_told_newest_first_by_integration_certificate_and_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = open(directory.path());
    let empty = Book::default();
    let name = IntegrationName::parse("okta").unwrap();
    ledger
        .label(okta(), &name, &AccountName::default())
        .unwrap();
    let about_all = Entry::new(
        Timestamp::from_secs(0),
        What::Unmanaged,
        None,
        "the clock was wrong",
    )
    .by("alice");
    ledger
        .save(
            okta(),
            &empty,
            &empty,
            &[entry(1, What::Seen), entry(2, What::Accepted)],
        )
        .unwrap();
    ledger
        .save(adfs(), &empty, &empty, std::slice::from_ref(&about_all))
        .unwrap();
    ledger
        .save(okta(), &empty, &empty, &[entry(3, What::Trusted)])
        .unwrap();

    let told = |query: &Query| {
        let history = ledger.history(query).unwrap();
        let entries: Vec<Entry> = history.records.into_iter().map(|it| it.entry).collect();
        (entries, history.total)
    };
    let newest = [
        entry(3, What::Trusted),
        about_all.clone(),
        entry(2, What::Accepted),
        entry(1, What::Seen),
    ];
    assert_eq!(told(&everything()), (newest.to_vec(), 4));
    let two = Query {
        limit: 2,
        ..everything()
    };
    assert_eq!(told(&two), (newest[..2].to_vec(), 4));
    let of_adfs = Query {
        integrations: Some(BTreeSet::from([adfs()])),
        ..everything()
    };
    assert_eq!(told(&of_adfs), (vec![about_all], 1));
    let of_nobody = Query {
        integrations: Some(BTreeSet::new()),
        ..everything()
    };
    assert_eq!(told(&of_nobody), (vec![], 0));
    let since = Query {
        since: Some(entry(2, What::Seen).at),
        ..everything()
    };
    assert_eq!(told(&since).1, 2);
    let prefix = certificate(0).fingerprint().short().to_uppercase();
    let certificate = Query {
        fingerprint: Some(prefix),
        ..everything()
    };
    assert_eq!(told(&certificate).1, 3);
    let stranger = Query {
        fingerprint: Some("%".to_owned()),
        ..everything()
    };
    assert_eq!(told(&stranger).1, 0);

    let records = ledger.history(&everything()).unwrap().records;
    assert_eq!(
        (records[0].integration, records[0].name.clone()),
        (okta(), Some(name))
    );
    assert_eq!(records[0].account, Some(AccountName::default()));
    assert_eq!(
        (records[1].integration, records[1].name.clone()),
        (adfs(), None)
    );
}

#[test]
fn the_history_is_append_only_and_keeps_the_newest() {
    let (_directory, mut ledger) = ledger_with(&intent(0));
    for change in [
        "UPDATE history SET detail = 'nothing happened'",
        "DELETE FROM history",
        "DELETE FROM history WHERE id = 1",
    ] {
        assert!(ledger.connection.execute_batch(change).is_err(), "{change}");
    }
    let many: Vec<Entry> = (0..i64::from(schema::HISTORY_KEPT) + 5)
        .map(|it| entry(it, What::Found))
        .collect();
    let book = intent(0);
    ledger.save(okta(), &book, &book, &many).unwrap();
    let newest = ledger
        .history(&Query {
            limit: 1,
            ..everything()
        })
        .unwrap();
    assert_eq!(newest.total, u64::from(schema::HISTORY_KEPT));
    assert_eq!(newest.records[0].entry, many[many.len() - 1]);
    assert!(
        ledger
            .connection
            .execute_batch("DELETE FROM history WHERE id = (SELECT min(id) FROM history)")
            .is_err()
    );
}

#[test]
fn every_word_of_the_history_is_read_back() {
    let (_directory, mut ledger) = ledger_with(&intent(0));
    let book = intent(0);
    let all: Vec<Entry> = What::ALL.iter().map(|it| entry(5, *it)).collect();
    ledger.save(okta(), &book, &book, &all).unwrap();
    let records = ledger.history(&everything()).unwrap().records;
    let read: Vec<What> = records
        .iter()
        .rev()
        .skip(1)
        .map(|it| it.entry.what)
        .collect();
    assert_eq!(read, What::ALL);
}

#[test]
fn the_label_follows_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = open(directory.path());
    let account = AccountName::default();
    for text in ["okta", "okta-eu"] {
        let name = IntegrationName::parse(text).unwrap();
        ledger.label(okta(), &name, &account).unwrap();
        let known = KnownIntegration {
            id: okta(),
            name: Some(name),
            account: Some(account.clone()),
        };
        assert_eq!(ledger.known_integrations().unwrap(), [known]);
    }
    let book = intent(0);
    ledger.save(okta(), &Book::default(), &book, &[]).unwrap();
    let before = traces(directory.path(), true);
    ledger
        .label(
            okta(),
            &IntegrationName::parse("okta-eu").unwrap(),
            &account,
        )
        .unwrap();
    assert_eq!(
        traces(directory.path(), true),
        before,
        "the same label is not written again"
    );
    assert_eq!(ledger.load(okta()).unwrap(), book);
}

#[test]
fn the_waits_of_an_account_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let wait = |barrier: &str, integration, failures| SavedWait {
        barrier: barrier.to_owned(),
        integration,
        since: moment(3),
        wait: Duration::from_micros(1_500),
        failures,
        reason: "rate limited".to_owned(),
    };
    let waits = [
        wait("server_word", None, 1),
        wait("integration", Some(okta()), 2),
        wait("integration", None, 3),
    ];
    let sorted = [waits[2].clone(), waits[1].clone(), waits[0].clone()];
    let account = AccountName::default();
    let mut ledger = open(directory.path());
    ledger.save_waits(&account, &waits).unwrap();
    let before = traces(directory.path(), true);
    ledger.save_waits(&account, &waits).unwrap();
    assert_eq!(
        traces(directory.path(), true),
        before,
        "the same waits are not written again"
    );
    drop(ledger);

    let mut ledger = open(directory.path());
    assert_eq!(ledger.waits(&account).unwrap(), sorted);
    let other = AccountName::parse("eu").unwrap();
    assert_eq!(ledger.waits(&other).unwrap(), []);
    ledger.save_waits(&other, &waits[..1]).unwrap();
    ledger.save_waits(&account, &[]).unwrap();
    assert_eq!(ledger.waits(&account).unwrap(), []);
    assert_eq!(ledger.waits(&other).unwrap(), waits[..1]);
}

#[test]
fn the_log_beside_the_ledger_stays_small_and_is_folded_in_at_the_end() {
    let (directory, mut ledger) = ledger_with(&intent(0));
    let (mut before, log) = (intent(0), directory.path().join("ledger.sqlite-wal"));
    for round in 0..300 {
        let mut after = intent(0);
        after.last_list = Some(Timestamp::from_secs(round));
        let entries: Vec<Entry> = (0..100).map(|it| entry(it, What::Found)).collect();
        ledger.save(okta(), &before, &after, &entries).unwrap();
        before = after;
    }
    let size = fs::metadata(&log).unwrap().len();
    assert!(size < 6 << 20, "{size}");
    drop(ledger);
    assert!(!log.exists());
    assert_eq!(open(directory.path()).load(okta()).unwrap(), before);
}

#[test]
fn nothing_is_stored_but_what_was_passed() {
    let (_directory, mut ledger) = ledger_with(&intent(0));
    let mut after = intent(0);
    after
        .unreadable
        .insert(CertificateId::parse("unreadable-1").unwrap());
    ledger
        .save(okta(), &intent(0), &after, &[entry(2, What::Found)])
        .unwrap();
    ledger
        .label(
            okta(),
            &IntegrationName::parse("okta").unwrap(),
            &AccountName::default(),
        )
        .unwrap();
    let mut texts = BTreeSet::new();
    for table in [
        "meta",
        "integrations",
        "unreadable_rows",
        "beliefs",
        "source_paths",
        "waits",
        "history",
    ] {
        let mut statement = ledger
            .connection
            .prepare(&format!("SELECT * FROM {table}"))
            .unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                if let rusqlite::types::ValueRef::Text(text) = row.get_ref(column).unwrap() {
                    texts.insert(String::from_utf8(text.to_vec()).unwrap());
                }
            }
        }
    }
    let version = concat!("sso-certd ", env!("CARGO_PKG_VERSION"));
    let (id, fingerprint) = (okta().to_string(), certificate(0).fingerprint().hex());
    let passed = [
        "4f7c1e2a",
        "CN=idp.example",
        "accepted",
        "default",
        "found",
        "intent",
        "missing",
        "never",
        "number 1",
        "number 2",
        "okta",
        "sso-certd",
        "unreadable-1",
        "written_by",
        version,
        &id,
        &fingerprint,
    ];
    assert_eq!(texts, passed.map(str::to_owned).into());
}

#[test]
fn people_read_times_in_the_views() {
    let (_directory, ledger) = ledger_with(&intent(0));
    let at: String = ledger
        .connection
        .query_row("SELECT at FROM readable_history", [], |row| row.get(0))
        .unwrap();
    assert_eq!(at, "2026-09-21T14:13:21Z");
    let belief: (String, String) = ledger
        .connection
        .query_row(
            "SELECT standing, not_after FROM readable_beliefs",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(
        belief,
        ("intent".to_owned(), "2027-01-15T08:00:00Z".to_owned())
    );
}
