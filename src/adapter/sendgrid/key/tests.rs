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
    let bytes: [(&[u8], &str); 7] = [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"SG.a\nSG.b\n", "holds more than one line"),
        (b"SG.a SG.b", "holds characters that no API key has"),
        (b"SG.a\x00", "holds characters that no API key has"),
        (b"\xef\xbb\xbf\n", "is empty"),
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
fn a_byte_order_mark_is_no_part_of_a_key() {
    let file = KeyFile::new();
    file.write(format!("\u{feff}{KEY}\r\n"), 0o600);
    assert_eq!(file.reader().read().unwrap().key.text(), KEY);
    let variable = from_variable(Some(format!("\u{feff}{KEY}").into())).unwrap();
    assert_eq!(variable.key.text(), KEY);
}

/// What stands around a key, and what is said of it.
fn wrapped() -> Vec<(Vec<u8>, KeyProblem)> {
    let utf16 = |text: &str| -> Vec<u8> {
        let units = text.encode_utf16();
        units.flat_map(u16::to_le_bytes).collect()
    };
    let texts = [
        (format!("\"{KEY}\"\n"), KeyProblem::Quoted),
        (format!("'{KEY}'"), KeyProblem::Quoted),
        (format!("{KEY}\""), KeyProblem::Quoted),
        (format!("\u{201c}{KEY}\u{201d}"), KeyProblem::Quoted),
        (format!("SENDGRID_API_KEY={KEY}\n"), KeyProblem::Named),
        (
            format!("export SENDGRID_API_KEY=\"{KEY}\"\n"),
            KeyProblem::Named,
        ),
        (format!("SENDGRID_API_KEY = {KEY}\r\n"), KeyProblem::Named),
        (format!("api_key: {KEY}\n"), KeyProblem::Named),
        (format!("Authorization: Bearer {KEY}\n"), KeyProblem::Named),
        (format!("Bearer {KEY}\n"), KeyProblem::Named),
        (format!("{{\"api_key\": \"{KEY}\"}}"), KeyProblem::Json),
        (
            format!("\u{feff}{{\n  \"api_key\": \"{KEY}\"\n}}\n"),
            KeyProblem::Json,
        ),
        (format!("[\"{KEY}\"]"), KeyProblem::Json),
    ];
    let texts = texts.map(|(text, problem)| (text.into_bytes(), problem));
    let marked = utf16(&format!("\u{feff}{KEY}\r\n"));
    let wide = [marked, utf16(KEY)].map(|it| (it, KeyProblem::Utf16));
    texts.into_iter().chain(wide).collect()
}

#[test]
fn what_stands_around_a_key_is_named_and_never_quoted() {
    let file = KeyFile::new();
    for (content, problem) in wrapped() {
        file.write(&content, 0o600);
        let error = file.reader().read().unwrap_err();
        let path = printable_path(&file.path());
        assert_eq!(error, KeyError::File { path, problem });
        let text = format!("{error} {error:?} {:?}", error.help());
        assert!(!text.contains("abcDEF"), "{text}");
        let of_variable = from_variable(Some(OsString::from_vec(content)));
        assert_eq!(of_variable.unwrap_err(), problem);
    }
    for key in ["c2VjcmV0Cg==", "SG.a-_", "=", "a:"] {
        assert!(ApiKey::parse(key).is_ok(), "{key}");
    }
}

#[test]
fn the_commands_that_mend_a_key_file_do() {
    let file = KeyFile::new();
    // Not every machine has jq, and typographic quotes are for an editor.
    let is_tried = |(content, problem): &(Vec<u8>, KeyProblem)| {
        *problem != KeyProblem::Json && !content.starts_with("\u{201c}".as_bytes())
    };
    for (content, _) in wrapped().into_iter().filter(is_tried) {
        file.write(&content, 0o600);
        // A name and quotes are two problems.
        for _ in 0..2 {
            if let Err(error) = file.reader().read() {
                let help = error.help();
                let mut shell = std::process::Command::new("sh");
                assert!(shell.args(["-c", &help[0]]).status().unwrap().success());
            }
        }
        let found = file.reader().read().unwrap();
        assert_eq!(
            (found.key.text(), found.warning),
            (KEY, None),
            "{content:?}"
        );
    }
}

#[test]
fn a_credential_is_mended_where_it_comes_from() {
    let file = KeyFile::new();
    file.write(format!("'{KEY}'"), 0o400);
    let name = "sendgrid-api-key".to_owned();
    let path = file.path();
    let source = KeySource::Credential { name, path };
    let mut reader = KeyReader::new(AccountName::default(), source);
    let error = reader.read().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the credential sendgrid-api-key holds quotes around the key"
    );
    assert!(error.help()[0].contains("LoadCredential=sendgrid-api-key:"));
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
