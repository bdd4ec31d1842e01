//! What the documentation says of the configuration.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use super::super::key_table;
use super::Etc;

const BEGIN: &str = "<!-- keys: begin";
const END: &str = "<!-- keys: end -->";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_readme_has_the_table_of_keys() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (mark, rest) = rest.split_once('\n').unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let table = key_table();
    expect_file!["../../../README.md"]
        .assert_eq(&format!("{before}{BEGIN}{mark}\n\n{table}\n{END}{after}"));
}

/// Each fenced block of a language in a Markdown text.
fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let inside = markdown.split(fence.as_str()).skip(1);
    inside.filter_map(|it| it.split("```").next()).collect()
}

#[test]
fn every_configuration_in_the_documentation_loads() {
    let idp = fs::read_dir(repository("docs/idp")).unwrap();
    let docs = fs::read_dir(repository("docs")).unwrap();
    let pages = idp.chain(docs).map(|it| it.unwrap().path());
    let pages = pages.filter(|it| it.extension().is_some_and(|it| it == "md"));
    let mut found = 0;
    for page in pages.chain([repository("README.md")]) {
        for block in blocks(&fs::read_to_string(&page).unwrap(), "toml") {
            found += 1;
            let etc = Etc::new(block);
            if let Err(problems) = etc.load() {
                panic!("{}: {}\n{block}", page.display(), etc.shown(&problems.0));
            }
        }
    }
    assert!(found >= 5, "only {found} were found");
}
