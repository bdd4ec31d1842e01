use std::os::unix::fs::PermissionsExt as _;

use super::*;

const KEY: &str = "SG.abcDEF-_123.xyz";

struct KeyFile {
    directory: tempfile::TempDir,
}

impl KeyFile {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("key")
    }

    fn write(&self, content: impl AsRef<[u8]>, mode: u32) {
        std::fs::write(self.path(), content).unwrap();
        std::fs::set_permissions(self.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn reader(&self) -> KeyReader {
        KeyReader::new(AccountName::default(), KeySource::File(self.path()))
    }

    /// The error's text, with the path shortened.
    fn error(&self) -> String {
        let text = self.reader().read().unwrap_err().to_string();
        text.replace(&printable_path(&self.path()), "PATH")
    }
}

#[test]
fn white_space_around_a_key_is_dropped() {
    let file = KeyFile::new();
    for content in [
        KEY.to_owned(),
        format!("{KEY}\n"),
        format!(" \t{KEY}\r\n\n"),
    ] {
        file.write(content, 0o600);
        let found = file.reader().read().unwrap();
        assert_eq!(found.key.text(), KEY);
        assert_eq!(found.warning, None);
    }
}

#[test]
fn what_is_no_key_is_refused_in_words() {
    let file = KeyFile::new();
    assert_eq!(file.error(), "the key file PATH is missing");
    let long = "k".repeat(4097);
    let bytes: [(&[u8], &str); 9] = [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"SG.a\nSG.b\n", "holds more than one line"),
        (b"SENDGRID_API_KEY=SG.a\r\nX=1", "holds more than one line"),
        (b"Bearer SG.a", "holds characters that no API key has"),
        (b"SG.a\x00", "holds characters that no API key has"),
        (b"\xef\xbb\xbfSG.a", "holds characters that no API key has"),
        (
            b"\xff\xfeS\x00G\x00",
            "holds characters that no API key has",
        ),
        (
            long.as_bytes(),
            "is larger than 4 KiB, so it holds something else",
        ),
    ];
    for (content, expected) in bytes {
        file.write(content, 0o600);
        assert_eq!(file.error(), format!("the key file PATH {expected}"));
    }
    file.write("k".repeat(4096), 0o600);
    assert!(file.reader().read().is_ok());
}

#[test]
fn a_directory_or_a_pipe_is_no_key_file_and_blocks_nobody() {
    let file = KeyFile::new();
    std::fs::create_dir(file.path()).unwrap();
    assert_eq!(file.error(), "the key file PATH is no regular file");
    std::fs::remove_dir(file.path()).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        file.path(),
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert_eq!(file.error(), "the key file PATH is no regular file");
}

#[test]
fn a_credential_that_did_not_arrive_is_named_as_that() {
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    let path = Path::new("/etc/sso-certd/sendgrid-api-key-eu");
    let name = "sendgrid-api-key-eu".to_owned();
    for source in [
        KeySource::Default(path.to_owned()),
        KeySource::Credential {
            name,
            path: path.to_owned(),
        },
    ] {
        let error = KeyReader::new(AccountName::default(), source).cannot_open(path, &denied);
        assert_eq!(
            error.to_string(),
            "the credential sendgrid-api-key-eu did not arrive, and \
             /etc/sso-certd/sendgrid-api-key-eu is for another user to read"
        );
        let help = error.help().join(" ");
        assert!(
            help.contains("LoadCredential=sendgrid-api-key-eu:/etc"),
            "{help}"
        );
        assert!(help.contains("LXC"), "{help}");
    }
    let file = KeyFile::new();
    let error = file.reader().cannot_open(&file.path(), &denied).to_string();
    assert!(
        error.ends_with("cannot be read: permission denied"),
        "{error}"
    );
}

#[test]
fn a_key_that_everybody_can_read_is_used_with_a_warning() {
    let file = KeyFile::new();
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true)] {
        file.write(KEY, mode);
        let warning = file.reader().read().unwrap().warning;
        assert_eq!(warning.is_some(), warned, "{mode:o}");
        if let Some(warning) = warning {
            let path = printable_path(&file.path());
            assert_eq!(
                warning.to_string(),
                format!("{path} can be read by everybody (0{mode:o})")
            );
            assert_eq!(warning.help(), format!("chmod 600 {path}"));
        }
    }
}

#[test]
fn a_changed_key_file_is_noticed() {
    let file = KeyFile::new();
    let mut reader = file.reader();
    assert!(reader.read().is_err());
    assert!(!reader.has_changed(), "still missing");

    file.write(KEY, 0o600);
    assert!(reader.has_changed(), "it came");
    reader.read().unwrap();
    assert!(!reader.has_changed());

    let next = file.directory.path().join("next");
    std::fs::write(&next, "SG.another").unwrap();
    std::fs::rename(&next, file.path()).unwrap();
    assert!(reader.has_changed(), "replaced by a rename");
    assert_eq!(reader.read().unwrap().key.text(), "SG.another");
    assert!(!reader.has_changed());

    file.write("SG.a-longer-one", 0o600);
    assert!(reader.has_changed(), "rewritten in place");
    reader.read().unwrap();

    std::fs::remove_file(file.path()).unwrap();
    assert!(reader.has_changed(), "it went");
}

#[test]
fn a_file_that_is_no_key_is_not_new_until_it_changes() {
    let file = KeyFile::new();
    file.write("", 0o600);
    let mut reader = file.reader();
    assert!(reader.read().is_err());
    assert!(!reader.has_changed());
    file.write(KEY, 0o600);
    assert!(reader.has_changed());
}

#[test]
fn a_missing_key_says_where_it_would_be_looked_for() {
    let account = AccountName::parse("eu").unwrap();
    let path = PathBuf::from("/nowhere/sendgrid-api-key-eu");
    let mut reader = KeyReader::new(account, KeySource::Default(path));
    let error = reader.read().unwrap_err();
    assert_eq!(error.to_string(), "no API key for account eu");
    assert_eq!(
        error.help(),
        [
            "LoadCredential=sendgrid-api-key-eu:/nowhere/sendgrid-api-key-eu in the unit,",
            "or accounts.eu.api_key_file"
        ]
    );
}

#[test]
fn a_variable_is_held_to_the_same_rules() {
    let of = |value: &str| from_variable(Some(value.into())).map(|it| it.key.text().to_owned());
    assert_eq!(of(" SG.a\n"), Ok("SG.a".to_owned()));
    assert_eq!(of("SG.a SG.b"), Err(KeyProblem::Characters));
    assert_eq!(from_variable(None).unwrap_err(), KeyProblem::Empty);
    assert_eq!(
        KeyError::Variable(KeyProblem::Empty).to_string(),
        "the variable SENDGRID_API_KEY is empty"
    );
}

#[test]
fn a_key_never_shows_itself() {
    let key = ApiKey::parse(KEY).unwrap();
    let found = FoundKey {
        key: key.clone(),
        warning: None,
    };
    for text in [
        format!("{key:?}"),
        format!("{found:#?}"),
        format!("{:?}", key.authorization()),
    ] {
        assert!(!text.contains("abcDEF"), "{text}");
    }
    assert_eq!(key.authorization(), format!("Bearer {KEY}"));
    assert!(key.is_same_as(&ApiKey::parse(KEY).unwrap()));
    assert!(!key.is_same_as(&ApiKey::parse("SG.b").unwrap()));
}

#[test]
fn a_source_says_where_and_never_what() {
    let credential = KeySource::Credential {
        name: "sendgrid-api-key".to_owned(),
        path: PathBuf::from("/run/credentials/x/sendgrid-api-key"),
    };
    assert_eq!(credential.to_string(), "the credential sendgrid-api-key");
    assert!(!credential.is_live(), "a copy made at start");
    let file = KeySource::File(PathBuf::from("/etc/key"));
    assert_eq!(file.to_string(), "the file /etc/key");
    assert!(file.is_live());
    assert_eq!(
        KeySource::Variable.to_string(),
        "the variable SENDGRID_API_KEY"
    );
}
