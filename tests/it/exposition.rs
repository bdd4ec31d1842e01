//! Prometheus' text format, read strictly: what is not exactly as the format asks is an error in words.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::{BTreeMap, BTreeSet};

/// One sample.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// A whole scrape.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Scrape {
    /// Name and type of every family, in order.
    pub families: Vec<(String, String)>,
    pub samples: Vec<Sample>,
}

impl Scrape {
    /// The value of the one series of this name that has these labels; none if there is none.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.all(name, labels);
        let first = found.next().map(|it| it.value);
        assert!(
            found.next().is_none(),
            "{name} {labels:?} is not one series"
        );
        first
    }

    /// The sum over the series of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name, labels).map(|it| it.value).sum()
    }

    /// The series of this name that have these labels.
    pub fn all<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |it| {
            let has =
                |(name, value): &(&str, &str)| it.labels.get(*name).is_some_and(|it| it == value);
            it.name == name && labels.iter().all(has)
        })
    }
}

/// Reads a scrape: HELP, then TYPE, then the samples of each family, each family once, each series once.
pub fn parse(text: &str) -> Result<Scrape, String> {
    if !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    let mut scrape = Scrape::default();
    let mut helped: Option<String> = None;
    let mut seen = BTreeSet::new();
    let mut series = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest
                .split_once(' ')
                .ok_or_else(|| format!("no help: {line}"))?;
            if help.is_empty() || !seen.insert(name.to_owned()) {
                return Err(format!("HELP of {name} is empty or comes twice"));
            }
            helped = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest
                .split_once(' ')
                .ok_or_else(|| format!("no type: {line}"))?;
            if helped.take().as_deref() != Some(name) {
                return Err(format!("TYPE of {name} does not follow its HELP"));
            }
            if !["counter", "gauge", "histogram"].contains(&kind) {
                return Err(format!("{name} is a {kind}"));
            }
            scrape.families.push((name.to_owned(), kind.to_owned()));
        } else {
            let sample = sample(line).ok_or_else(|| format!("no sample: {line}"))?;
            let (family, kind) = scrape.families.last().ok_or("a sample before any TYPE")?;
            if !belongs(&sample.name, family, kind) {
                return Err(format!("{} under {family}", sample.name));
            }
            if kind == "counter" && !family.ends_with("_total") {
                return Err(format!("{family} is a counter without _total"));
            }
            if !series.insert((sample.name.clone(), sample.labels.clone())) {
                return Err(format!("twice: {line}"));
            }
            scrape.samples.push(sample);
        }
    }
    Ok(scrape)
}

fn belongs(name: &str, family: &str, kind: &str) -> bool {
    name == family && kind != "histogram"
        || kind == "histogram"
            && ["_bucket", "_sum", "_count"]
                .iter()
                .any(|it| name.strip_suffix(it) == Some(family))
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, labels(rest.strip_suffix('}')?)?),
        None => (series, BTreeMap::new()),
    };
    let is_name = |it: &str| {
        !it.is_empty()
            && !it.starts_with(|it: char| it.is_ascii_digit())
            && it.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    if !is_name(name) || !labels.keys().all(|it| is_name(it)) {
        return None;
    }
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: value.replace("+Inf", "inf").parse().ok()?,
    })
}

/// `a="b",c="d"`, with `\\`, `\"` and `\n` in values.
fn labels(text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    it @ ('\\' | '"') => it,
                    _ => return None,
                }),
                (_, it) => value.push(it),
            }
        };
        if labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        rest = &after[end + 1..];
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?;
        }
    }
    Some(labels)
}

#[test]
fn the_strict_reader_takes_what_is_right_and_nothing_else() {
    let good = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\\\"\\n\"} 1\na_total{x=\"2\"} 2e3\n";
    let scrape = parse(good).unwrap();
    assert_eq!(scrape.value("a_total", &[("x", "1\"\n")]), Some(1.0));
    assert!((scrape.sum("a_total", &[]) - 2001.0).abs() < 0.1);
    for (bad, why) in [
        ("a_total 1\n", "before any TYPE"),
        ("# HELP a A.\n# TYPE b gauge\n", "does not follow"),
        ("# HELP a A.\n# TYPE a gauge\na 1\na 1\n", "twice"),
        ("# HELP a A.\n# TYPE a gauge\nb 1\n", "b under a"),
        ("# HELP a A.\n# TYPE a counter\na 1\n", "without _total"),
        ("# HELP a A.\n# TYPE a gauge\na{x=\"1} 1\n", "no sample"),
        ("# HELP a A.\n# TYPE a gauge\na 1", "no end"),
        ("# HELP a A.\n# HELP a A.\n", "comes twice"),
    ] {
        let error = parse(bad).unwrap_err();
        assert!(error.contains(why), "{bad:?}: {error}");
    }
}
