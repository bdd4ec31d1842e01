//! How a ledger is opened: for keeps, or only to look.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};

use super::error::{Fault, LedgerError, Obstacle};
use super::lock::{self, InstanceLock};
use super::place::FileIdentity;
use super::{Ledger, ReadCertificate, schema};

/// The file's name in the state directory.
const FILE: &str = "ledger.sqlite";

/// What SQLite adds to it for the files that it keeps beside.
const BESIDE: [&str; 3] = ["-journal", "-shm", "-wal"];

/// How long to wait for another program that writes, such as a person's `sqlite3`.
const BUSY: Duration = Duration::from_secs(2);

/// The size the write-ahead log is cut back to once its content is in the ledger, in bytes.
const LOG_SIZE: i64 = 4 << 20;

impl Ledger {
    /// Every file that a ledger in this directory can have, whether or not it is there.
    pub fn files(directory: &Path) -> Vec<PathBuf> {
        let beside = BESIDE.iter().map(|suffix| format!("{FILE}{suffix}"));
        let names = [FILE.to_owned(), lock::FILE.to_owned()]
            .into_iter()
            .chain(beside);
        names.map(|name| directory.join(name)).collect()
    }

    /// Opens the ledger of this directory and keeps everybody else out. Directory and ledger are made if there are
    /// none; an older ledger is brought up to date.
    ///
    /// If the disk is full, a ledger that is there is opened all the same: what it holds can be read, and a save works
    /// as soon as there is room.
    ///
    /// `read` reads a certificate from its DER.
    ///
    /// # Errors
    /// `Held`, `Newer`, `Damaged`, `NotWritable`; nothing is changed then.
    pub fn open(directory: &Path, read: ReadCertificate) -> Result<Self, LedgerError> {
        let path = directory.join(FILE);
        make(directory, None)?;
        let lock = InstanceLock::take(directory)?;
        make(directory, Some(&path))?;
        let (connection, files) = match connect_writing(&path) {
            Err(error) if error.is_for_want_of_room() => {
                (connect_meanwhile(&path).map_err(|_| error)?, Vec::new())
            }
            other => other?,
        };
        Ok(Self {
            connection,
            path,
            read,
            files,
            lock: Some(lock),
        })
    }

    /// Opens for writing what was opened on a full disk. Nobody else wrote to it meanwhile: the lock was held.
    ///
    /// # Errors
    /// `NotWritable` while the disk is full; the ledger can still be read.
    pub(super) fn catch_up(&mut self) -> Result<(), LedgerError> {
        let in_memory = Connection::open_in_memory();
        let nothing = in_memory.map_err(|it| Fault::from(it).while_writing(&self.path))?;
        // The old connection goes before the new one comes: to close a file gives back all locks of the process on it.
        drop(std::mem::replace(&mut self.connection, nothing));
        match connect_writing(&self.path) {
            Ok((connection, files)) => {
                self.connection = connection;
                self.files = files;
                Ok(())
            }
            Err(error) => {
                self.connection = connect_meanwhile(&self.path)?;
                Err(error)
            }
        }
    }

    /// Opens the ledger of this directory for reading, whether or not an instance holds it. Nothing is made or written,
    /// not even beside it, and nobody is kept out.
    ///
    /// # Errors
    /// `Missing`, `Newer`, `Damaged`, `NotReadable`.
    pub fn open_reading(directory: &Path, read: ReadCertificate) -> Result<Self, LedgerError> {
        let path = directory.join(FILE);
        let missing = || LedgerError::Missing {
            directory: directory.to_owned(),
        };
        if let Err(error) = File::open(&path) {
            return Err(match error.kind() {
                io::ErrorKind::NotFound => missing(),
                _ => LedgerError::NotReadable {
                    path,
                    obstacle: Obstacle::from(&error),
                },
            });
        }
        let prepare = || -> Result<(Connection, Version), Fault> {
            let connection = connect_reading(&path)?;
            let version = ready(&connection)?;
            Ok((connection, version))
        };
        let (connection, version) = prepare().map_err(|it| it.while_reading(&path))?;
        match version {
            Version::Known(0) => Err(missing()),
            Version::Known(_) => Ok(Self {
                connection,
                path,
                read,
                files: Vec::new(),
                lock: None,
            }),
            Version::Newer { written_by } => Err(LedgerError::Newer { path, written_by }),
        }
    }
}

/// A connection for keeps, and the files it writes to.
fn connect_writing(path: &Path) -> Result<(Connection, Vec<FileIdentity>), LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let prepare = || -> Result<(Connection, Version), Fault> {
        let mut connection = Connection::open_with_flags(path, flags)?;
        // What turns out not to be ours is closed as it was found.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let version = ready(&connection)?;
        if matches!(version, Version::Known(_)) {
            check_pages(&connection)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
            write_ahead(&connection)?;
            migrate(&mut connection)?;
        }
        Ok((connection, version))
    };
    let (connection, version) = prepare().map_err(|it| it.while_writing(path))?;
    if let Version::Newer { written_by } = version {
        let path = path.to_owned();
        return Err(LedgerError::Newer { path, written_by });
    }
    let files = [path.to_owned(), beside(path, "-wal")].map(FileIdentity::of);
    Ok((connection, files.into()))
}

/// A connection for as long as the disk is full: it reads what this program wrote.
fn connect_meanwhile(path: &Path) -> Result<Connection, LedgerError> {
    let prepare = || {
        let connection = connect_reading(path)?;
        match ready(&connection)? {
            Version::Known(schema::VERSION) => Ok(connection),
            _ => Err(Fault::Content("it was not finished".to_owned())),
        }
    };
    prepare().map_err(|it| it.while_reading(path))
}

/// Makes the directory, or the empty file that SQLite then fills: for this user alone, which the files that SQLite puts
/// beside it inherit.
fn make(directory: &Path, file: Option<&Path>) -> Result<(), LedgerError> {
    let made = match file {
        None => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory),
        Some(path) => {
            let open = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path);
            open.and_then(|_| File::open(directory)?.sync_all())
        }
    };
    made.map_err(|it| LedgerError::NotWritable {
        path: file.unwrap_or(directory).to_owned(),
        obstacle: Obstacle::from(&it),
    })
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A connection that leaves no trace. SQLite reads a write-ahead log only with an index of it, which it would make in a
/// file beside the log; so each case has its own way.
fn connect_reading(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let open = |options: &str| Connection::open_with_flags(uri(path, options), flags);
    let (log, index) = (beside(path, "-wal").exists(), beside(path, "-shm").exists());
    match (log, index) {
        // Whoever wrote it closed it.
        (false, _) => open("immutable=1"),
        // An instance has it open, or was killed.
        (true, true) => open("readonly_shm=1"),
        // A copy, or a power cut: the index is built in our own memory, as nobody else can have the ledger open.
        (true, false) => {
            let connection = open("vfs=unix-none")?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            Ok(connection)
        }
    }
}

/// `path` as SQLite's kind of URI.
fn uri(path: &Path, options: &str) -> String {
    let escape = |byte: &u8| {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    let path: String = path.as_os_str().as_bytes().iter().map(escape).collect();
    format!("file:{path}?mode=ro&{options}")
}

enum Version {
    /// Ours to read; 0 is an empty file.
    Known(u32),
    Newer {
        written_by: String,
    },
}

/// Sets what every connection needs and says what it is connected to. Nothing is written.
fn ready(connection: &Connection) -> Result<Version, Fault> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let version = number("user_version")?;
    if tables == 0 && version == 0 {
        return Ok(Version::Known(0));
    }
    if number("application_id")? != schema::APPLICATION_ID || version == 0 {
        return Err(Fault::Content("it is no ledger of sso-certd".to_owned()));
    }
    if version <= schema::VERSION {
        return Ok(Version::Known(version));
    }
    let written_by = connection.query_row(
        "SELECT value FROM meta WHERE key = 'written_by'",
        [],
        |row| row.get(0),
    );
    Ok(Version::Newer {
        written_by: written_by.unwrap_or_else(|_| "an unknown version".to_owned()),
    })
}

fn check_pages(connection: &Connection) -> Result<(), Fault> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match verdict.as_str() {
        "ok" => Ok(()),
        _ => Err(Fault::Content("its pages do not fit together".to_owned())),
    }
}

/// A commit is on the disk when it returns, and readers are never in the way.
fn write_ahead(connection: &Connection) -> Result<(), Fault> {
    let mode = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    if mode != "wal" {
        return Err(Fault::NoSharedMemory);
    }
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_SIZE, |_| Ok(()))?;
    Ok(connection.pragma_update(None, "synchronous", "FULL")?)
}

fn migrate(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let this_program = concat!("sso-certd ", env!("CARGO_PKG_VERSION"));
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (from, step) in (0..).zip(schema::STEPS) {
        if from >= version {
            transaction.execute_batch(step)?;
        }
    }
    let known = "SELECT value FROM meta WHERE key = 'written_by'";
    let known: Option<String> = transaction
        .query_row(known, [], |row| row.get(0))
        .optional()?;
    if known.as_deref() != Some(this_program) || version != schema::VERSION {
        transaction.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", schema::VERSION)?;
        let note = "INSERT OR REPLACE INTO meta VALUES ('written_by', ?1)";
        transaction.execute(note, [this_program])?;
    }
    transaction.commit()
}
