//! Private keys as hexadecimal digits: bare, in groups, as a C array, or as a dump with offsets before and text behind.

use std::sync::LazyLock;

use zeroize::Zeroizing;

use super::key_material::{Kind, lookup, plain, table_of};

/// Fewer digits do not hold the beginning of any key.
const SHORTEST_RUN: usize = 16;

/// The first key in what hexadecimal digits decode to, and where it begins.
pub(super) fn in_hex(bytes: &[u8]) -> Option<(Kind, usize)> {
    dumped(bytes).or_else(|| bare(bytes))
}

/// Every digit counts; between two of them may stand white space, punctuation, `0x` or `\x`.
fn bare(bytes: &[u8]) -> Option<(Kind, usize)> {
    if !has_bare_digits(bytes) {
        return None;
    }
    let mut run = Run::new(bytes.len());
    let mut before = 0;
    for (at, byte) in bytes.iter().copied().enumerate() {
        match byte {
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => run.push(at, byte),
            b'x' | b'X' if before == b'0' => run.take_back(),
            b'x' if before == b'\\' => {}
            b':' | b',' | b';' | b'-' | b'\\' | b'"' | b'\'' => {}
            _ if byte.is_ascii_whitespace() => {}
            _ => {
                if let Some(found) = run.end() {
                    return Some(found);
                }
            }
        }
        before = byte;
    }
    run.end()
}

/// Whether enough digits stand together anywhere, with nothing between them that ends a run. In a certificate they do
/// not, and this tells it in a fraction of the time.
fn has_bare_digits(bytes: &[u8]) -> bool {
    const DIGIT: u8 = 1;
    const BETWEEN: u8 = 2;
    static TABLE: LazyLock<[u8; 256]> = LazyLock::new(|| {
        table_of(|byte| match byte {
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => DIGIT,
            b'x' | b'X' | b':' | b',' | b';' | b'-' | b'\\' | b'"' | b'\'' => BETWEEN,
            _ if byte.is_ascii_whitespace() => BETWEEN,
            _ => 0,
        })
    });
    let table = &*TABLE;
    let mut digits = 0;
    bytes.iter().any(|it| {
        // No branch: whether a byte of base64 is a hexadecimal digit cannot be guessed.
        let kind = lookup(table, *it);
        digits = usize::from(kind != 0) * (digits + usize::from(kind == DIGIT));
        digits == SHORTEST_RUN
    })
}

/// Each line is an offset, up to sixteen bytes, and what they look like as text.
fn dumped(bytes: &[u8]) -> Option<(Kind, usize)> {
    const OFFSET_DIGITS: usize = 4;
    const BYTES_OF_A_LINE: usize = 16;
    let mut run = Run::new(bytes.len());
    let mut start = 0;
    let ends = memchr::memchr2_iter(b'\n', b'\r', bytes).chain([bytes.len()]);
    for end in ends {
        let line = bytes.get(start..end).unwrap_or_default();
        let mut words = line
            .split(|it| !it.is_ascii_alphanumeric())
            .filter(|it| !it.is_empty());
        let offset = words.next().unwrap_or_default();
        if offset.len() >= OFFSET_DIGITS && is_hex(offset) {
            let words = words.take_while(|it| it.len() % 2 == 0 && is_hex(it));
            for digit in words.flatten().take(2 * BYTES_OF_A_LINE) {
                run.push(start, *digit);
            }
        } else if !line.is_empty()
            && let Some(found) = run.end()
        {
            return Some(found);
        }
        start = end + 1;
    }
    run.end()
}

/// Digits that follow each other, and where each stands.
struct Run {
    digits: Zeroizing<Vec<u8>>,
    places: Vec<usize>,
    decoded: Zeroizing<Vec<u8>>,
}

impl Run {
    /// Room for so many digits, reserved at once: a buffer that grows leaves what it held behind, not wiped.
    fn new(room: usize) -> Self {
        Self {
            digits: Zeroizing::new(Vec::with_capacity(room)),
            places: Vec::new(),
            decoded: Zeroizing::new(Vec::with_capacity(room / 2)),
        }
    }

    fn push(&mut self, place: usize, digit: u8) {
        self.digits.push(match digit {
            b'0'..=b'9' => digit - b'0',
            _ => (digit | 0x20) - b'a' + 10,
        });
        self.places.push(place);
    }

    /// The last digit was none.
    fn take_back(&mut self) {
        self.digits.pop();
        self.places.pop();
    }

    /// The first key in the run, which is over. A digit before the key may have moved it by half a byte.
    fn end(&mut self) -> Option<(Kind, usize)> {
        let found = if self.digits.len() < SHORTEST_RUN {
            None
        } else {
            (0..2).find_map(|shift| self.key_behind(shift))
        };
        self.digits.clear();
        self.places.clear();
        found
    }

    fn key_behind(&mut self, shift: usize) -> Option<(Kind, usize)> {
        let digits = self.digits.get(shift..)?;
        let bytes = digits.chunks_exact(2).map(|it| match it {
            [high, low] => (high << 4) | low,
            _ => 0,
        });
        self.decoded.clear();
        self.decoded.extend(bytes);
        let (kind, at) = plain(&self.decoded)?;
        Some((kind, *self.places.get(shift + 2 * at)?))
    }
}

fn is_hex(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_hexdigit)
}
