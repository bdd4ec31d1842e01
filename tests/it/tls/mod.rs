//! The way to SendGrid over TLS: whom the daemon believes, where its key goes, and what becomes of broken connections.

mod connections;
mod environment;
mod identities;
mod redirects;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{Home, KEY, OKTA, Stage, quoted};
use crate::simulator::{Identity, Options, Simulator};

/// A SendGrid over TLS with one integration, and a home that believes its authority.
async fn stage_with(identity: Identity) -> Stage {
    let mut options = Options::one_account(KEY, &[("okta", OKTA)]);
    options.tls = Some(identity);
    let sendgrid = Simulator::start(options).await;
    let home = Home::new(&sendgrid.url());
    home.integration("okta", OKTA);
    let authority = sendgrid.authority_pem().unwrap();
    home.write("authority.pem", &authority, 0o644);
    believe(&home, "authority.pem");
    // A busy machine may take its time for a handshake, and for an answer byte by byte.
    let patient = "[accounts.default]\nconnect_timeout = \"10s\"\nrequest_timeout = \"30s\"\n";
    home.set("patient", patient);
    Stage {
        sendgrid: Arc::new(sendgrid),
        home,
    }
}

/// Makes this file of the home the `ca_file`.
fn believe(home: &Home, name: &str) {
    let path = quoted(&home.path(name));
    home.set("tls", &format!("[accounts.default]\nca_file = {path}\n"));
}

/// Somewhere no connection may go, counting those that do.
struct Trap {
    address: SocketAddr,
    visits: Arc<AtomicUsize>,
}

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let visits = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&visits);
        // It ends with the process: nothing ever waits for it.
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, visits }
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}
