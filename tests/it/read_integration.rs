//! Whether an integration is there: the program's own client against the simulator, which answers rightly and wrongly.

use std::time::Duration;

use sso_certd::adapter::sendgrid::{ApiKey, ClientSettings, Code, IntegrationAnswer, SendGrid};
use sso_certd::domain::IntegrationId;
use sso_certd::intake::read_listed;

use crate::harness::{ADFS, KEY, OKTA};
use crate::simulator::{Fault, Operation, Options, Reply, Rule, Simulator};

fn client(simulator: &Simulator) -> SendGrid {
    let settings = ClientSettings {
        base_url: simulator.url(),
        on_behalf_of: None,
        ca_file: None,
        proxy: None,
        proxy_credentials_file: None,
        connect_timeout: Duration::from_millis(500),
        request_timeout: Duration::from_millis(500),
    };
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        // Another test of this process has installed it.
    }
    SendGrid::new(&settings, ApiKey::parse(KEY).unwrap(), read_listed).unwrap()
}

#[tokio::test]
async fn only_a_200_with_its_id_says_that_an_integration_is_there() {
    let simulator = Simulator::start(Options::one_account(KEY, &[("okta", OKTA)])).await;
    let client = client(&simulator);
    let [okta, adfs] = [OKTA, ADFS].map(|it| IntegrationId::parse(it).unwrap());
    let answer = client.read_integration(okta).await;
    assert_eq!(answer.result, Ok(IntegrationAnswer::There));
    assert_eq!(answer.observed.report.request.operation.word(), "read");
    let answer = client.read_integration(adfs).await;
    assert_eq!(answer.result, Ok(IntegrationAnswer::NotThere));
    for (fault, code) in [
        (Fault::refuse(403), Code::Status(403)),
        (Fault::refuse(429), Code::Status(429)),
        (Fault::refuse(503), Code::Status(503)),
        (Fault::reply(Reply::Silence), Code::Timeout),
        (Fault::reply(Reply::OtherIntegration), Code::Decode),
        (Fault::reply(Reply::EmptyBody), Code::Decode),
        (Fault::reply(Reply::HtmlBody), Code::Decode),
        (Fault::reply(Reply::CutBody), Code::Reset),
    ] {
        simulator.script(Rule::next(Operation::Integration, fault.clone()));
        let answer = client.read_integration(okta).await;
        assert!(answer.result.is_err(), "{fault}: {answer:?}");
        assert_eq!(answer.observed.code, code, "{fault}");
    }
    let answer = client.read_integration(okta).await;
    assert_eq!(answer.result, Ok(IntegrationAnswer::There));
    assert_eq!(simulator.check(), Vec::<String>::new());
}
