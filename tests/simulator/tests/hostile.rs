//! Each fault does what it says, to whom it should.

use super::super::rows::{Change, Rows};
use super::*;

/// Sends one POST under a fault. Gives what came back, and how many rows there are then.
async fn post_under(fault: Fault) -> (io::Result<String>, usize) {
    let (sendgrid, client) = start().await;
    sendgrid.script(Rule::next(Operation::Create, fault));
    let body = create_body(&certificate());
    let answer = timeout(LIMIT, client.raw("POST", "/v3/sso/certificates", &body))
        .await
        .expect("an end of the connection");
    let rows = sendgrid.rows().len();
    assert_eq!(
        client.create(&certificate()).await.status,
        200,
        "the next one is served"
    );
    (answer, rows)
}

#[tokio::test]
async fn an_answer_is_lost_with_and_without_the_change() {
    let (answer, rows) = post_under(Fault::commit_then_close()).await;
    assert_eq!((answer.unwrap().as_str(), rows), ("", 1));
    let (answer, rows) = post_under(Fault::close_before_commit()).await;
    assert_eq!((answer.unwrap().as_str(), rows), ("", 0));
    let (answer, rows) = post_under(Fault::reply(Reply::Reset)).await;
    assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn an_error_is_answered_with_and_without_the_change() {
    for status in [500, 502, 503] {
        let (answer, rows) = post_under(Fault::commit_then(status)).await;
        assert!(answer.unwrap().starts_with(&format!("HTTP/1.1 {status} ")));
        assert_eq!(rows, 1);
    }
    for status in [400, 401, 403, 404, 409, 429, 451, 500] {
        let (answer, rows) = post_under(Fault::refuse(status)).await;
        assert!(answer.unwrap().starts_with(&format!("HTTP/1.1 {status} ")));
        assert_eq!(rows, 0);
    }
    let (answer, rows) = post_under(Fault::new(Commit::Never, Reply::TemporaryBlock)).await;
    let answer = answer.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "));
    assert!(answer.contains("Too many bad requests. Temporary block"));
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn bodies_come_cut_empty_as_a_web_page_and_as_broken_json() {
    let body_of = async |reply| {
        let (answer, rows) = post_under(Fault::reply(reply)).await;
        let answer = answer.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(rows, 1);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    };
    let (head, cut) = body_of(Reply::CutBody).await;
    let announced = head
        .lines()
        .find_map(|it| it.strip_prefix("Content-Length: "))
        .unwrap();
    let announced: usize = announced.parse().unwrap();
    assert!(cut.len() < announced && !cut.is_empty());
    assert_eq!(body_of(Reply::EmptyBody).await.1, "");
    assert!(body_of(Reply::HtmlBody).await.1.starts_with("<html>"));
    let broken = body_of(Reply::InvalidJson).await.1;
    assert!(broken.starts_with("{\"") && serde_json::from_str::<Value>(&broken).is_err());
    let dripped = body_of(Reply::Drip(Duration::from_micros(1))).await.1;
    assert_eq!(
        serde_json::from_str::<Value>(&dripped).unwrap()["id"],
        66_138_975
    );
    assert_eq!(body_of(Reply::Huge(3_000_000)).await.1.len(), 3_000_001);
}

#[tokio::test]
async fn a_redirect_and_any_other_answer_can_be_written_out() {
    let elsewhere = "http://127.0.0.2:9/".to_owned();
    let (answer, _) = post_under(Fault::reply(Reply::Redirect(elsewhere))).await;
    let answer = answer.unwrap();
    assert!(answer.starts_with("HTTP/1.1 307 "));
    assert!(answer.contains("Location: http://127.0.0.2:9/\r\n"));
    let custom = Reply::Custom {
        status: 429,
        headers: vec![("X-Ratelimit-Reset".to_owned(), "soon".to_owned())],
        body: "slow down".to_owned(),
    };
    let answer = post_under(Fault::reply(custom)).await.0.unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 "));
    assert!(
        answer.contains("X-Ratelimit-Reset: soon\r\n") && answer.ends_with("\r\n\r\nslow down")
    );
}

#[tokio::test]
async fn silence_lasts_as_long_as_the_client_waits() {
    let (sendgrid, client) = start().await;
    sendgrid.script(Rule::next(Operation::Create, Fault::commit_then_silence()));
    let body = create_body(&certificate());
    let mut stream = client
        .send("POST", "/v3/sso/certificates", &body)
        .await
        .unwrap();
    sendgrid
        .wait_for(LIMIT, |it| it.rows().count() == 1)
        .await
        .unwrap();
    let read = timeout(Duration::from_millis(30), stream.read_u8()).await;
    assert!(read.is_err(), "nothing comes, and the connection stays");
}

#[tokio::test]
async fn a_head_can_be_without_end() {
    let (sendgrid, client) = start().await;
    sendgrid.script(Rule::next(
        Operation::List,
        Fault::reply(Reply::EndlessHeaders),
    ));
    let path = format!("/v3/sso/integrations/{OKTA}/certificates");
    let mut stream = client.send("GET", &path, "").await.unwrap();
    let mut head = vec![0; 2_000_000];
    timeout(LIMIT, stream.read_exact(&mut head))
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8(head).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && !text.contains("\r\n\r\n"));
    assert_eq!(sendgrid.history().requests().last().unwrap().status, None);
}

#[tokio::test]
async fn a_late_change_comes_although_the_client_is_gone() {
    let (sendgrid, client) = start().await;
    let late = Fault::close_then_commit_after(Duration::from_millis(30));
    sendgrid.script(Rule::next(Operation::Create, late));
    let body = create_body(&certificate());
    let answer = client
        .raw("POST", "/v3/sso/certificates", &body)
        .await
        .unwrap();
    assert_eq!(answer, "");
    sendgrid
        .wait_for(LIMIT, |it| it.rows().count() == 1)
        .await
        .unwrap();
    let history = sendgrid.history();
    let post = history.writes().last().unwrap();
    assert!(post.committed.unwrap() - post.at >= Duration::from_millis(30));
}

#[tokio::test]
async fn a_slow_answer_comes_after_its_change() {
    let wait = Duration::from_millis(30);
    let begun = Instant::now();
    let (answer, rows) = post_under(Fault::new(Commit::After(wait), Reply::Usual)).await;
    assert!(answer.unwrap().starts_with("HTTP/1.1 200 "));
    assert_eq!(rows, 1);
    assert!(begun.elapsed() >= wait);
}

#[tokio::test]
async fn lists_lie_in_every_way() {
    let (sendgrid, client) = start().await;
    let (first, second) = (certificate(), certificate());
    sendgrid.add_row(OKTA, &first, true);
    sendgrid.add_row(OKTA, &second, true);
    let foreign = sendgrid.add_row(ENTRA, &certificate(), true);
    let list = async |trick| {
        sendgrid.script(Rule::next(Operation::List, Fault::list(trick)));
        client.list(OKTA).await.json().as_array().unwrap().clone()
    };
    let truth = client.list(OKTA).await.json().as_array().unwrap().clone();
    assert_eq!(truth.len(), 2);
    assert_eq!(list(ListTrick::Empty).await, Vec::<Value>::new());
    assert_eq!(list(ListTrick::Truncated(1)).await, truth[..1]);
    let doubled = list(ListTrick::Doubled).await;
    assert_eq!(doubled.len(), 3);
    assert_eq!(
        doubled[2]["public_certificate"],
        doubled[0]["public_certificate"]
    );
    assert_ne!(doubled[2]["id"], doubled[0]["id"]);
    let undecodable = list(ListTrick::UndecodableRow).await;
    let text = undecodable[2]["public_certificate"].as_str().unwrap();
    assert!(certificate::read_pem(text).is_err());
    let with_foreign = list(ListTrick::ForeignRow).await;
    assert_eq!(with_foreign[2]["id"], foreign);
    assert_eq!(with_foreign[2]["intergration_id"], ENTRA);
    assert_eq!(client.list(OKTA).await.json().as_array().unwrap(), &truth);
}

#[tokio::test]
async fn a_stale_list_shows_what_was() {
    let (sendgrid, client) = start().await;
    sendgrid.add_row(OKTA, &certificate(), true);
    let hour = ListTrick::Stale(Duration::from_hours(1));
    sendgrid.script(Rule::next(Operation::List, Fault::list(hour)));
    assert_eq!(client.list(OKTA).await.json(), json!([]));
    assert_eq!(client.list(OKTA).await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_is_known_of_every_moment() {
    let row = |id| {
        let der = certificate();
        let pem = certificate::write_pem(&der);
        Box::new(Row::new(id, OKTA, der, pem, Author::Hand))
    };
    let (first, replaced, second) = (row(1), row(1), row(2));
    let (old, new) = (first.fingerprint, replaced.fingerprint);
    let mut rows = Rows::new();
    let mut moments = Vec::new();
    for change in [
        Change::Insert(first),
        Change::Replace(replaced),
        Change::Insert(second.clone()),
        Change::Remove(1),
    ] {
        rows.make(change);
        moments.push(Instant::now());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let then = moments.into_iter().map(|moment| {
        let rows = rows.as_of(OKTA, moment);
        rows.iter().map(|it| it.fingerprint).collect::<Vec<_>>()
    });
    let second = second.fingerprint;
    assert_eq!(
        then.collect::<Vec<_>>(),
        [vec![old], vec![new], vec![new, second], vec![second]]
    );
    assert!(rows.as_of(ENTRA, Instant::now()).is_empty());
}

#[tokio::test]
async fn rules_strike_whom_they_are_for() {
    let (sendgrid, client) = start().await;
    let (one, other) = (certificate(), certificate());
    sendgrid.script(
        Rule::always(Fault::refuse(500))
            .of(Fingerprint::of(&one))
            .skip(1)
            .times(2),
    );
    sendgrid.script(Rule::always(Fault::refuse(503)).within(ENTRA));
    sendgrid.script(Rule::always(Fault::refuse(502)).by_account("nobody"));

    assert_eq!(client.create(&one).await.status, 200, "skipped");
    assert_eq!(
        client.create(&other).await.status,
        200,
        "another certificate"
    );
    assert_eq!(client.create(&one).await.status, 500);
    assert_eq!(
        client.by_id("GET", 66_138_975, &Value::Null).await.status,
        500,
        "by its row"
    );
    assert_eq!(client.create(&one).await.status, 200, "only twice");
    assert_eq!(client.list(OKTA).await.status, 200);
    assert_eq!(client.list(ENTRA).await.status, 503);
    sendgrid.be_well();
    assert_eq!(client.list(ENTRA).await.status, 200);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults() {
    let faults = async |seed| {
        let mut options = Options::one_account(KEY, &[("okta", OKTA)]);
        options.seed = seed;
        options.rules = vec![
            Rule::always(Fault::refuse(500)).chance(0.3),
            Rule::always(Fault::refuse(429)).chance(0.3),
        ];
        let (_sendgrid, client) = start_with(options).await;
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(client.list(OKTA).await.status);
        }
        statuses
    };
    let first = faults(7).await;
    assert_eq!(first, faults(7).await);
    assert_ne!(first, faults(8).await);
    for status in [200, 429, 500] {
        assert!(first.contains(&status), "{first:?}");
    }
}

#[test]
fn every_named_fault_has_a_name_of_its_own() {
    let mut names: Vec<_> = Fault::named().into_iter().map(|(name, _)| name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

// The sockets.

#[tokio::test]
async fn connections_are_refused_for_a_while_and_served_again_on_the_same_port() {
    let (sendgrid, client) = start().await;
    let address = sendgrid.address();
    for _ in 0..3 {
        sendgrid.listen(Listening::Closed).await;
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        sendgrid.listen(Listening::Open).await;
        assert_eq!(client.list(OKTA).await.status, 200);
    }
}

#[tokio::test]
async fn a_connection_can_be_accepted_and_never_served() {
    let (sendgrid, client) = start().await;
    sendgrid.listen(Listening::Silent).await;
    let mut stream = client.send("GET", "/v3/scopes", "").await.unwrap();
    let read = timeout(Duration::from_millis(30), stream.read_u8()).await;
    assert!(read.is_err());
    sendgrid.listen(Listening::Open).await;
    let ended = timeout(LIMIT, stream.read_u8()).await.unwrap();
    assert!(ended.is_err(), "a change ends the open ones");
    assert_eq!(sendgrid.history().requests().count(), 0);
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let (sendgrid, _client) = start().await;
    let mut stream = TcpStream::connect(sendgrid.address()).await.unwrap();
    let request = format!(
        "GET /v3/scopes HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nAuthorization: Bearer {KEY}\r\n\r\n"
    );
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        timeout(LIMIT, stream.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer, b"HTTP/1.1 200");
        while !answer.ends_with(b"]}") {
            answer.push(timeout(LIMIT, stream.read_u8()).await.unwrap().unwrap());
        }
    }
    assert_eq!(sendgrid.history().count(Operation::Scopes), 3);
}

#[tokio::test]
async fn it_ends_when_it_is_dropped() {
    let (sendgrid, client) = start().await;
    drop(sendgrid);
    let gone = async {
        while TcpStream::connect(client.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, gone).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let (sendgrid, _client) = start().await;
    let mut options = Options::one_account(KEY, &[]);
    options.port = sendgrid.address().port();
    assert!(Simulator::try_start(options).await.is_err());
}
