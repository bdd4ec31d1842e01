//! The browsers' roots: a certificate of every authority there is.

use std::collections::BTreeMap;

use crate::trial::judge;
use crate::witness::{Owed, judged};

#[test]
fn every_root_of_the_browsers_gets_its_verdict() {
    let mut totals = BTreeMap::<String, usize>::new();
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        if let Err(fault) = judge(root, &Owed::Verdict) {
            panic!("{fault}");
        }
        let verdict = match judged(root) {
            Ok(accepted) => format!("accepted {:?}", accepted.certificates[0].remarks()),
            Err(rejection) => rejection.refusal.to_string(),
        };
        *totals.entry(verdict).or_default() += 1;
    }
    let lines = totals
        .iter()
        .map(|(verdict, count)| format!("{count} {verdict}"));
    let totals = lines.collect::<Vec<_>>().join("\n");
    expect_test::expect![[r#"
        31 accepted [LongValidity]
        7 accepted []
        80 refused (ca_certificate): a root's (CA:TRUE, its key may sign certificates alone), not the signing certificate"#]]
    .assert_eq(&totals);
}
