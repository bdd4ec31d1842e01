//! Private keys that fall into the directory of certificates: refused, each of them, and never seen again. The daemon's
//! memory is searched by `tests/system/memory.test`, as root alone can read it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::certificates::valid;
use crate::harness::{Home, KEY, OKTA, Stage, files_below};
use crate::keys::{Key, every_hiding_place};
use crate::simulator::{Options, Simulator};
use crate::traces::Traces;

#[tokio::test]
async fn a_key_in_any_container_is_refused_and_leaves_no_trace() {
    let sendgrid = Simulator::start(Options::one_account(KEY, &[("okta", OKTA)])).await;
    let wire = Wire::before(&sendgrid.url()).await;
    let home = Home::new(&wire.url);
    home.integration("okta", OKTA);
    home.set("trace", "[log]\nlevel = \"trace\"\n");
    let stage = Stage {
        sendgrid: Arc::new(sendgrid),
        home,
    };
    let good = valid("good");
    let keys = every_hiding_place(good.pem.as_bytes());
    assert!(keys.len() > 400, "{}", keys.len());
    let traces = Traces::of(keys.iter().flat_map(|it| &it.secrets).map(Vec::as_slice));
    for key in keys.iter().filter(|it| !it.name.ends_with(", cut")) {
        let form = traces.form_in(&key.bytes);
        assert!(form.is_some(), "{} holds nothing", key.name);
    }
    stage.home.put("okta", "good.pem", &good.pem);
    let (late, early) = keys.split_at(20);
    put(&stage.home, "early", early);

    let mut daemon = stage.spawn(|it| {
        it.env("RUST_LOG", "trace");
    });
    daemon.started().await;
    daemon.shows_state("okta", &good, "trusted").await;
    put(&stage.home, "late", late);
    let labels = [
        ("integration", "okta"),
        ("account", "default"),
        ("reason", "private_key"),
    ];
    let all = f64::from(u16::try_from(keys.len()).unwrap());
    daemon
        .measures("sso_certd_source_refused_files", &labels, all)
        .await;
    daemon.has_compared().await;

    let mut left = vec![("the requests".to_owned(), wire.bytes())];
    for page in ["/", "/status.json", "/metrics"] {
        left.push((page.to_owned(), daemon.get(page).await.1.into_bytes()));
    }
    let directory = stage.home.directory("okta");
    let inspect = ["inspect", directory.to_str().unwrap()];
    let commands: [&[&str]; 7] = [
        &["status", "--all"],
        &["status", "--json"],
        &["plan"],
        &["plan", "--json"],
        &["history", "--json"],
        &["sync"],
        &inspect,
    ];
    for arguments in commands {
        let ran = stage.home.ask(arguments).await;
        left.push((arguments.join(" "), (ran.out + &ran.err).into_bytes()));
    }
    for (path, content) in files_below(&stage.home.state()) {
        left.push((path.display().to_string(), content));
    }
    let inspected = String::from_utf8_lossy(
        &left
            .iter()
            .find(|it| it.0.starts_with("inspect"))
            .unwrap()
            .1,
    );
    assert_eq!(
        inspected.matches("refused (private_key)").count(),
        keys.len(),
        "{inspected}"
    );
    let log = daemon.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "{log}");
    left.push(("the log".to_owned(), log.into_bytes()));
    for (place, bytes) in &left {
        let form = traces.form_in(bytes);
        assert_eq!(form, None, "in {place}: {}", String::from_utf8_lossy(bytes));
    }

    // The certificate is where no key is: the search reaches those places.
    let certificate = Traces::of([good.der.as_slice()]);
    assert_eq!(certificate.form_in(&wire.bytes()), Some("base64"));
    let ledger = files_below(&stage.home.state());
    assert!(
        ledger
            .iter()
            .any(|it| certificate.form_in(&it.1) == Some("bytes"))
    );
    stage.assert_well_behaved();
}

fn put(home: &Home, name: &str, keys: &[Key]) {
    for (number, key) in keys.iter().enumerate() {
        let path = home.directory("okta").join(format!(".{name}"));
        std::fs::write(&path, &key.bytes).unwrap();
        std::fs::rename(
            path,
            home.directory("okta")
                .join(format!("{name}-{number:03}.pem")),
        )
        .unwrap();
    }
}

/// A listener before another one, that keeps what is sent to it.
struct Wire {
    url: String,
    sent: Arc<Mutex<Vec<u8>>>,
    _tasks: JoinSet<()>,
}

impl Wire {
    async fn before(url: &str) -> Self {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&sent);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                connections.spawn(carry(client, server, Arc::clone(&kept)));
            }
        });
        Self {
            url,
            sent,
            _tasks: tasks,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.sent.lock().unwrap().clone()
    }
}

/// Carries bytes both ways until one side closes.
async fn carry(client: TcpStream, server: TcpStream, sent: Arc<Mutex<Vec<u8>>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            sent.lock().unwrap().extend_from_slice(&buffer[..count]);
            if to_server.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
}
