//! Looks for pieces of secrets in whatever a process leaves behind: as bytes, as base64, as hexadecimal digits.

#![allow(
    unreachable_pub,
    clippy::indexing_slicing,
    reason = "a program of the system tests includes this, too"
)]

use std::collections::HashSet;

use base64ct::{Base64, Encoding as _};

use crate::keys::hex;

/// Bytes of a secret in one piece: a dozen do not occur by chance.
pub const PIECE: usize = 12;

/// Pieces of secrets in every form they could be copied in.
pub struct Traces {
    raw: Pieces,
    base64: Pieces,
    hex: Pieces,
}

impl Traces {
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let secrets: HashSet<&[u8]> = secrets.into_iter().collect();
        let windows =
            |it: &[u8], length| it.windows(length).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let raw = secrets.iter().flat_map(|it| windows(it, PIECE));
        // Base64 of a part is a part of the base64 of the whole, if it begins at the same third.
        let base64 = secrets.iter().flat_map(|secret| {
            (0..3).flat_map(|third| {
                let digits = Base64::encode_string(&secret[third..]);
                windows(digits.trim_end_matches('=').as_bytes(), PIECE / 3 * 4)
            })
        });
        let hex = secrets
            .iter()
            .flat_map(|it| windows(hex(it).as_bytes(), PIECE * 2));
        Self {
            raw: Pieces::new(PIECE, raw),
            base64: Pieces::new(PIECE / 3 * 4, base64),
            hex: Pieces::new(PIECE * 2, hex),
        }
    }

    /// The form in which a piece is in these bytes, in UTF-16, spread over lines or behind separators, too.
    pub fn form_in(&self, bytes: &[u8]) -> Option<&'static str> {
        let narrow: Vec<u8> = bytes.iter().copied().filter(|it| *it != 0).collect();
        let base64: Vec<u8> = narrow
            .iter()
            .filter_map(|it| match it {
                b'-' => Some(b'+'),
                b'_' => Some(b'/'),
                b'+' | b'/' => Some(*it),
                _ => it.is_ascii_alphanumeric().then_some(*it),
            })
            .collect();
        let hex: Vec<u8> = (0..narrow.len())
            .filter(|at| narrow[*at].is_ascii_hexdigit() && !narrow[*at..].starts_with(b"0x"))
            .map(|at| narrow[at].to_ascii_lowercase())
            .collect();
        [
            ("bytes", self.raw.are_in(bytes)),
            ("UTF-16", self.raw.are_in(&narrow)),
            ("base64", self.base64.are_in(&base64)),
            ("hexadecimal digits", self.hex.are_in(&hex)),
        ]
        .into_iter()
        .find_map(|(form, is_there)| is_there.then_some(form))
    }
}

/// Pieces of one length.
struct Pieces {
    length: usize,
    all: HashSet<Vec<u8>>,
    /// Whether one begins with these two bytes: most places are no match at once.
    beginnings: Vec<bool>,
}

impl Pieces {
    fn new(length: usize, all: impl Iterator<Item = Vec<u8>>) -> Self {
        let all: HashSet<Vec<u8>> = all.collect();
        let mut beginnings = vec![false; 1 << 16];
        for piece in &all {
            beginnings[beginning(piece)] = true;
        }
        Self {
            length,
            all,
            beginnings,
        }
    }

    fn are_in(&self, bytes: &[u8]) -> bool {
        bytes
            .windows(self.length)
            .any(|it| self.beginnings[beginning(it)] && self.all.contains(it))
    }
}

fn beginning(piece: &[u8]) -> usize {
    usize::from(piece[0]) << 8 | usize::from(piece[1])
}

#[test]
fn a_piece_of_a_secret_is_seen_in_every_form() {
    let secret: Vec<u8> = (0..40_u8).map(|it| it.wrapping_mul(37) ^ 0x5a).collect();
    let traces = Traces::of([secret.as_slice()]);
    let nothing = "nothing but text 0123456789abcdef QUJDREVGR0hJSktM".repeat(20);
    assert_eq!(traces.form_in(nothing.as_bytes()), None);
    let part = &secret[9..29];
    let digits = hex(part);
    let colons: Vec<String> = part.iter().map(|it| hex(&[*it])).collect();
    let colons = colons.join(":").to_uppercase();
    let base64 = |skipped: usize| Base64::encode_string(&[&vec![1; skipped][..], part].concat());
    let in_lines: Vec<String> = base64(1).chars().map(String::from).collect();
    let in_lines = in_lines.join("\n");
    let utf16: Vec<u8> = part.iter().flat_map(|it| [*it, 0]).collect();
    let text = |it: &str| it.as_bytes().to_vec();
    for (form, planted) in [
        ("bytes", part[..PIECE].to_vec()),
        ("UTF-16", utf16),
        ("base64", text(&base64(0))),
        ("base64", text(&base64(1))),
        ("base64", text(&base64(2))),
        (
            "base64",
            text(&base64(0).replace('+', "-").replace('/', "_")),
        ),
        ("base64", text(&in_lines)),
        ("hexadecimal digits", text(&digits)),
        ("hexadecimal digits", text(&digits.to_uppercase())),
        ("hexadecimal digits", text(&colons)),
        ("hexadecimal digits", text(&colons.replace(':', ",0x"))),
    ] {
        let bytes = [nothing.as_bytes(), &planted, nothing.as_bytes()].concat();
        assert_eq!(traces.form_in(&bytes), Some(form), "{planted:?}");
    }
    assert_eq!(traces.form_in(&part[..PIECE - 1]), None);
}
