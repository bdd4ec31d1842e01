//! Documents that certificates stand in: named, never read without their context.

use base64ct::{Base64, Encoding as _};

use super::*;

fn indented(pem: &str, by: &str) -> String {
    let lines = pem.lines().flat_map(|it| [by, it, "\n"]);
    lines.collect()
}

#[test]
fn a_document_is_judged_as_what_it_is() {
    let pem = canonical_pem(&der("idp"));
    let escaped = pem.replace('\n', "\\n");
    let inside = indented(&pem, "  ");
    let value = "a certificate as a value";
    for (text, words) in [
        (
            format!(
                "<?xml version=\"1.0\"?>\n<!-- of today -->\n<md:EntityDescriptor><X509Certificate>\n{pem}</X509Certificate></md:EntityDescriptor>"
            ),
            "SAML metadata",
        ),
        (
            format!("<!-- {pem} -->\n<EntityDescriptor/>"),
            "SAML metadata",
        ),
        (
            format!("HTTP/1.1 200 OK\r\n\r\n<EntityDescriptor>\n{pem}</EntityDescriptor>"),
            "SAML metadata",
        ),
        (
            format!("<X509Data><X509Certificate>\n{pem}</X509Certificate></X509Data>"),
            "XML without SAML metadata",
        ),
        (
            format!("<!doctype html>\n<pre>\n{pem}</pre>"),
            "an HTML page",
        ),
        (format!("<div>\n<pre>\n{pem}</pre></div>"), "an HTML page"),
        (format!("\u{feff}\n <p>\n{pem}"), "an HTML page"),
        (
            format!("client\n<ca>\n{pem}</ca>\n"),
            "a block between tags",
        ),
        (
            format!("{{\"signing\": \"{escaped}\"}}"),
            "JSON, with line breaks",
        ),
        (format!("{{\"signing\":\n{pem}}}"), "JSON"),
        (
            format!("[\n  {{\"certificate\": \"{escaped}\"}}\n]"),
            "JSON",
        ),
        (format!("[\"{escaped}\"]"), "JSON"),
        (format!("{{\"a\": 1}}\n{{\"b\": \"{escaped}\"}}\n"), "JSON"),
        (format!("\"{escaped}\""), "JSON, with line breaks"),
        (escaped.clone(), "line breaks written as \\n"),
        (
            format!("CERT=\"{escaped}\"\n"),
            "line breaks written as \\n",
        ),
        (
            pem.replace('\n', "\\n\" \\\n\"")
                .replacen("-----", "const char *it = \"-----", 1),
            "line breaks written as \\n",
        ),
        (
            format!("{{\\rtf1\\ansi\n{}}}", pem.replace('\n', "\\\n")),
            "RTF",
        ),
        (format!("signing: |\n{inside}"), "YAML"),
        (
            format!("saml:\n  encryption: >-\n{}", indented(&pem, "    ")),
            "YAML",
        ),
        (format!("- |+\n{inside}"), "YAML"),
        (format!("cert: !!binary |2 # of today\n{inside}"), "YAML"),
        (format!("---\nsigning: |\n  # of today\n\n{inside}"), "YAML"),
        (format!("signing:\n{inside}encryption:\n{inside}"), "YAML"),
        (format!("cert: |\n{pem}"), "YAML"),
        (
            format!("\u{feff}a: |\r\n{}", inside.replace('\n', "\r\n")),
            "YAML",
        ),
        (format!("CERT=\"{pem}\"\n"), value),
        (format!("export CERT='{pem}'\n"), value),
        (format!("cert = {pem}"), value),
        (format!("[idp]\ncert =\n{inside}"), value),
        (format!("cert = \"\"\"\n{pem}\"\"\"\n"), value),
        (format!("cert = '''\n# of today\n{pem}'''\n"), value),
        (format!("okta,\"{}\",x\n", pem.trim_end()), value),
        (format!("okta\t{pem}"), value),
        (format!("certificate = <<-EOT\n{inside}EOT\n"), value),
        (
            format!("cat > okta.pem <<'EOF'\n# of today\n{pem}EOF\n"),
            value,
        ),
        (format!("const it = `\n{pem}`;\n"), value),
        (format!("certificate(\n{pem})\n"), value),
        (format!("{},\n", pem.trim_end()), value),
        (indented(&pem, "> "), "a quoted letter"),
        (format!("# {}\n", pem.replace('\n', "")), "commented out"),
        (indented(&pem, "# "), "commented out"),
        (
            pem.replace("\n-----END", "=3D=3D\n-----END"),
            "quoted-printable",
        ),
        (
            format!(
                "kind: Secret\ndata:\n  tls.crt: {}\n",
                Base64::encode_string(pem.as_bytes())
            ),
            "a PEM file in base64 as a value",
        ),
    ] {
        let refusal = refuses(&text, Reason::NoCertificate, words);
        assert!(!refusal.help.is_empty(), "{refusal}");
        // One in free text before it saves nothing.
        let is_of_a_whole =
            text.starts_with(['{', '[', '"', '\u{feff}']) || !text.contains("--BEGIN");
        assert!(
            is_of_a_whole || judged(format!("{pem}\n{text}")).is_err(),
            "{text}"
        );
    }
}

#[test]
fn free_text_around_a_certificate_is_no_document() {
    let der = der("idp");
    let pem = canonical_pem(&der);
    let described = "Certificate:\n    Data:\n        Version: 3 (0x2)\n        Signature Algorithm: sha256WithRSAEncryption\n        \
        Subject Public Key Info:\n            Modulus:\n                00:b1:\n        X509v3 extensions:\n            \
        X509v3 Subject Alternative Name: \n                <EMPTY>\n    Signature Value:\n        3a:4b:\n        5c\n";
    let bag = "Bag Attributes\n    friendlyName: signing\n    localKeyID: 01 02\nsubject=C = US, O = \"Example, Inc.\"\nissuer=CN = \"idp\"\n";
    let chain = "CONNECTED(00000003)\n---\nCertificate chain\n 0 s:CN = idp\n   i:CN = idp\n";
    for text in [
        format!("{described}{pem}"),
        format!("{bag}{pem}"),
        format!("Key Attributes: <No Attributes>\n{pem}"),
        format!("{chain}{pem}---\nServer certificate\n"),
        format!(
            "[CAUTION: external]\nDear all,\n\nhere is our certificate:\n\n{pem}\n-- \nBob <bob@example.com>\n"
        ),
        format!("Our new certificate:\n\n{}", indented(&pem, "    ")),
        format!("# Okta\n\n```pem\n{pem}```\n"),
        format!("#\n# signing\n{pem}"),
        format!("signing:\n{pem}"),
        format!("{}\u{feff}{}", pem.trim_end(), ""),
        format!("\u{feff}{pem}\u{1a}"),
        format!("{}\0", pem.trim_end()),
        pem.replace('\n', ""),
    ] {
        let accepted = judged(&text).unwrap_or_else(|it| panic!("{text}: {}", it.refusal));
        assert_eq!(accepted.certificates[0].der(), der, "{text}");
    }
    // A file without a final newline, and the next one behind it.
    accepts(format!("{}{pem}", pem.trim_end()), &[&der]);
}

#[test]
fn a_document_is_known_by_its_head_before_it_is_too_large() {
    let pem = canonical_pem(&der("idp"));
    let rest = "<!-- -->".repeat(12_000);
    let head = |text: String| text.into_bytes()[..=FILE_LIMIT].to_vec();
    for (text, words) in [
        (
            format!("<?xml version=\"1.0\"?><EntityDescriptor>{rest}"),
            "SAML metadata",
        ),
        (format!("<html>{rest}"), "an HTML page"),
        (format!("{{\"a\": [{}]}}", "1, ".repeat(40_000)), "JSON"),
        (format!("{pem}a: |\n {pem}{rest}"), "YAML"),
    ] {
        let size = u64::try_from(text.len()).unwrap();
        let refusal = judge_file(&head(text), size).unwrap_err().refusal;
        assert_eq!(refusal.reason, Reason::NoCertificate, "{refusal}");
        assert!(refusal.found.contains(words), "{refusal}");
    }
    let wide = utf16(&format!("<EntityDescriptor>{rest}"), true);
    refuses(&wide[..=FILE_LIMIT], Reason::Encoding, "UTF-16");
}

#[test]
fn a_key_in_a_document_is_still_a_key() {
    let (certificate, key) = made("idp");
    let (pem, key) = (canonical_pem(certificate.der()), key.serialize_pem());
    for text in [
        format!("<a>{pem}{key}</a>"),
        format!("{{\"key\": \"{}\"}}", key.replace('\n', "\\n")),
        format!("tls.crt: |\n{pem}tls.key: |\n{}", indented(&key, "  ")),
        format!("tls.key: {}\n", Base64::encode_string(key.as_bytes())),
    ] {
        refuses(text, Reason::PrivateKey, "");
    }
}
