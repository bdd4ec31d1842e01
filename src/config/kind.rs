//! Whether a value is what its key wants.

use std::time::Duration;

use config::{Value, ValueKind};
use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeValue};

use super::keys::{Key, Kind, Preset};
use super::value::{Fault, FromText as _, Principal, check};

/// The longest duration that is taken: longer ones are slips, and would run past the calendar.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What is wrong, and where in the file, in bytes.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) at: usize,
    pub(super) fault: Fault,
}

/// The value of `key`, if it is what `key` wants; else everything that is wrong with it.
pub(super) fn read(key: &Key, value: &Spanned<DeValue<'_>>) -> Result<ValueKind, Vec<Flaw>> {
    let one = |result: Result<ValueKind, Fault>| {
        result.map_err(|fault| {
            let at = value.span().start;
            vec![Flaw { at, fault }]
        })
    };
    let it = value.get_ref();
    match key.kind {
        Kind::Switch => one(match it {
            DeValue::Boolean(it) => Ok(ValueKind::Boolean(*it)),
            _ => Err(Fault::new("wants true or false")),
        }),
        Kind::Number(least, most) => one(number(it, least, most)),
        Kind::Duration(least) => one(duration(it, least, key.default)),
        Kind::Unsupported => one(Err(Fault {
            says: "is not supported yet".to_owned(),
            help: Some("leave it out: the directory is the source".to_owned()),
        })),
        Kind::Text(check) => one(text(it, check, "wants a text in quotes")),
        Kind::Texts(check) => texts(value, check),
        Kind::SomeTexts(check) => match it {
            DeValue::Array(it) if it.is_empty() => one(Err(Fault::new("wants at least one text"))),
            _ => texts(value, check),
        },
        Kind::Principals => principals(value),
    }
}

fn number(value: &DeValue<'_>, least: u32, most: u32) -> Result<ValueKind, Fault> {
    let number = match value {
        DeValue::Integer(it) => integer(it),
        _ => None,
    };
    number
        .filter(|it| (i64::from(least)..=i64::from(most)).contains(it))
        .map(ValueKind::I64)
        .ok_or_else(|| Fault::new(format!("wants a whole number from {least} to {most}")))
}

fn integer(value: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}

fn duration(value: &DeValue<'_>, least: Duration, default: Preset) -> Result<ValueKind, Fault> {
    let read = value
        .as_str()
        .and_then(|raw| Some((raw, Duration::from_text(raw).ok()?)));
    let Some((raw, duration)) = read else {
        let example = match default {
            Preset::Text(it) => it,
            _ => "90s",
        };
        return Err(Fault::new(format!(
            "wants a text with a unit, such as \"{example}\""
        )));
    };
    if duration < least {
        let least = humantime::format_duration(least);
        return Err(Fault::new(format!("is too short: at least \"{least}\"")));
    }
    if duration > LONGEST {
        return Err(Fault::new("is too long: at most 100 years"));
    }
    Ok(ValueKind::String(raw.to_owned()))
}

fn text(
    value: &DeValue<'_>,
    check: fn(&str) -> Result<(), Fault>,
    wants: &str,
) -> Result<ValueKind, Fault> {
    let raw = value.as_str().ok_or_else(|| Fault::new(wants))?;
    if raw.contains(char::is_control) {
        return Err(Fault::new("has a control character in it"));
    }
    check(raw)?;
    Ok(ValueKind::String(raw.to_owned()))
}

fn texts(
    value: &Spanned<DeValue<'_>>,
    check: fn(&str) -> Result<(), Fault>,
) -> Result<ValueKind, Vec<Flaw>> {
    let wants = "wants a list of texts: [\"…\", \"…\"]";
    list(value, wants, |it| text(it, check, wants))
}

fn principals(value: &Spanned<DeValue<'_>>) -> Result<ValueKind, Vec<Flaw>> {
    let wants = "wants a list of names or numbers, such as [\"idp-drop\", 1001]";
    list(value, wants, |it| match it {
        DeValue::Integer(it) => integer(it)
            .and_then(|it| u32::try_from(it).ok())
            .map(|it| ValueKind::String(it.to_string()))
            .ok_or_else(|| Fault::new(wants)),
        _ => text(it, check::<Principal>, wants),
    })
}

fn list(
    value: &Spanned<DeValue<'_>>,
    wants: &str,
    read: impl Fn(&DeValue<'_>) -> Result<ValueKind, Fault>,
) -> Result<ValueKind, Vec<Flaw>> {
    let at = |it: &Spanned<DeValue<'_>>| it.span().start;
    let elements: &DeArray<'_> = value.get_ref().as_array().ok_or_else(|| {
        let fault = Fault::new(wants);
        vec![Flaw {
            at: at(value),
            fault,
        }]
    })?;
    let mut values = Vec::new();
    let mut flaws = Vec::new();
    for element in elements {
        match read(element.get_ref()) {
            Ok(it) => values.push(Value::new(None, it)),
            Err(fault) => flaws.push(Flaw {
                at: at(element),
                fault,
            }),
        }
    }
    if flaws.is_empty() {
        Ok(ValueKind::Array(values))
    } else {
        Err(flaws)
    }
}
