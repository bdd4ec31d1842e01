//! One DER element at a time: tag, length, content (X.690, 8.1 and 10.1).

/// A SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;
/// A SET.
pub(super) const SET: u8 = 0x31;
/// An INTEGER.
pub(super) const INTEGER: u8 = 0x02;
/// An OBJECT IDENTIFIER.
pub(super) const OID: u8 = 0x06;

/// The bit of the identifier octet that says: the content is elements (8.1.2.5).
const CONSTRUCTED: u8 = 0x20;

/// One element, and what follows it.
pub(super) struct Element<'a> {
    /// The identifier octet.
    pub(super) tag: u8,
    /// The content octets.
    pub(super) content: &'a [u8],
    /// Everything after the element.
    pub(super) rest: &'a [u8],
}

/// Why bytes do not begin with an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// They stop before the element does.
    Cut,
    /// A length that DER writes shorter.
    LongLength,
    /// A length that is only known at the end, which DER forbids.
    IndefiniteLength,
}

/// The element that `bytes` begin with.
pub(super) fn read(bytes: &[u8]) -> Result<Element<'_>, Fault> {
    let (&tag, after_tag) = bytes.split_first().ok_or(Fault::Cut)?;
    let (length, body) = length(after_tag)?;
    let (content, rest) = body.split_at_checked(length).ok_or(Fault::Cut)?;
    Ok(Element { tag, content, rest })
}

/// How many bytes the element has whose header `bytes` begin with, the header included; none if DER has no such header.
pub(super) fn whole_length(bytes: &[u8]) -> Option<usize> {
    let (_, after_tag) = bytes.split_first()?;
    let (length, body) = length(after_tag).ok()?;
    length.checked_add(bytes.len() - body.len())
}

/// The content of the element that `bytes` begin with, if it has this tag, and what follows.
pub(super) fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    read(bytes)
        .ok()
        .filter(|it| it.tag == tag)
        .map(|it| (it.content, it.rest))
}

/// The elements that `bytes` consist of, each with its header; up to the first that is none.
pub(super) fn elements(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let rest = read(bytes).ok()?.rest;
        let (element, _) = bytes.split_at_checked(bytes.len() - rest.len())?;
        bytes = rest;
        Some(element)
    })
}

/// Whether each constructed element in `bytes` consists of whole elements, all the way down: no length in there claims more
/// than is there.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut open = vec![bytes];
    while let Some(content) = open.pop() {
        if content.is_empty() {
            continue;
        }
        let Ok(element) = read(content) else {
            return false;
        };
        open.push(element.rest);
        if element.tag & CONSTRUCTED != 0 {
            open.push(element.content);
        }
    }
    true
}

/// The content of the first element that `is_it`, looking into every constructed one.
pub(super) fn find(bytes: &[u8], is_it: impl Fn(&Element<'_>) -> bool) -> Option<&[u8]> {
    let mut open = vec![bytes];
    while let Some(content) = open.pop() {
        let Ok(element) = read(content) else {
            continue;
        };
        if is_it(&element) {
            return Some(element.content);
        }
        open.push(element.rest);
        if element.tag & CONSTRUCTED != 0 {
            open.push(element.content);
        }
    }
    None
}

/// The length that `bytes` begin with, and what follows it.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), Fault> {
    let (&first, after_first) = bytes.split_first().ok_or(Fault::Cut)?;
    match first {
        0..=0x7f => Ok((usize::from(first), after_first)),
        0x80 => Err(Fault::IndefiniteLength),
        _ => {
            let (digits, body) = after_first
                .split_at_checked(usize::from(first & 0x7f))
                .ok_or(Fault::Cut)?;
            Ok((long_length(digits)?, body))
        }
    }
}

fn long_length(digits: &[u8]) -> Result<usize, Fault> {
    let length = digits
        .iter()
        .try_fold(0_usize, |sum, digit| {
            sum.checked_mul(256)?.checked_add(usize::from(*digit))
        })
        .ok_or(Fault::Cut)?;
    if length < 0x80 || digits.first() == Some(&0) {
        return Err(Fault::LongLength);
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_has_one_form() {
        assert_eq!(read(&[0x04, 0x01, 7]).map(|it| it.content), Ok(&[7][..]));
        assert_eq!(read(&[0x04, 0x81, 1, 7]).err(), Some(Fault::LongLength));
        assert_eq!(read(&[0x04, 0x82, 0, 0x80]).err(), Some(Fault::LongLength));
        assert_eq!(
            read(&[0x30, 0x80, 0, 0]).err(),
            Some(Fault::IndefiniteLength)
        );
        assert_eq!(read(&[0x04, 2, 7]).err(), Some(Fault::Cut));
        assert_eq!(read(&[0x04, 0xff]).err(), Some(Fault::Cut));
        let huge = [&[0x04, 0x89][..], &[0xff; 9]].concat();
        assert_eq!(read(&huge).err(), Some(Fault::Cut), "no overflow");
    }

    #[test]
    fn no_element_inside_claims_more_than_is_there() {
        assert!(is_whole(&[]));
        assert!(is_whole(&[0x30, 4, 0x31, 2, 0x02, 0]));
        assert!(
            is_whole(&[0x30, 3, 0x04, 1, 0xff]),
            "a primitive one is not looked into"
        );
        assert!(!is_whole(&[0x30, 4, 0x31, 2, 0x02, 1]));
        assert!(!is_whole(&[0x30, 4, 0x31, 3, 0x02, 0]));
        assert!(!is_whole(&[0x30, 2, 0x02, 0, 0x31]));
        let deep = [0x30, 0x84, 0x7f, 0xff, 0xff, 0xff].repeat(40_000);
        assert!(!is_whole(&deep));
    }

    impl PartialEq for Element<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.content == other.content
        }
    }

    impl std::fmt::Debug for Element<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{:02x} {:?}", self.tag, self.content)
        }
    }
}
