//! DER as a tree, so that it can be damaged inside and still have lengths that fit.

/// One element.
#[derive(Clone)]
pub(crate) struct Element {
    pub(crate) tag: u8,
    pub(crate) content: Content,
}

/// What is in an element.
#[derive(Clone)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    Elements(Vec<Element>),
}

impl Element {
    /// Reads one element and nothing behind it; none if it is not well-formed.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        match elements(der)?.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let content = match &self.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Elements(elements) => elements.iter().flat_map(Self::write).collect(),
        };
        let digits: Vec<u8> = content
            .len()
            .to_be_bytes()
            .into_iter()
            .skip_while(|it| *it == 0)
            .collect();
        let header = match content.len() {
            0..=0x7f => vec![self.tag, content.len() as u8],
            _ => [&[self.tag, 0x80 | digits.len() as u8], &digits[..]].concat(),
        };
        [header, content].concat()
    }

    /// How many elements it has inside of it, itself included.
    pub(crate) fn count(&self) -> usize {
        match &self.content {
            Content::Bytes(_) => 1,
            Content::Elements(elements) => 1 + elements.iter().map(Self::count).sum::<usize>(),
        }
    }

    /// The n-th of them, from the outside in.
    pub(crate) fn nth(&mut self, n: usize) -> &mut Self {
        if n == 0 {
            return self;
        }
        let Content::Elements(elements) = &mut self.content else {
            panic!("there are fewer");
        };
        let mut rest = n - 1;
        for element in elements {
            let count = element.count();
            if rest < count {
                return element.nth(rest);
            }
            rest -= count;
        }
        panic!("there are fewer")
    }
}

fn elements(mut der: &[u8]) -> Option<Vec<Element>> {
    let mut all = Vec::new();
    while let [tag, first, rest @ ..] = der {
        let (length, body) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x83 => {
                let (digits, body) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (
                    digits.iter().fold(0, |sum, it| sum << 8 | usize::from(*it)),
                    body,
                )
            }
            _ => return None,
        };
        let (content, after) = body.split_at_checked(length)?;
        let constructed = (tag & 0x20 != 0).then(|| elements(content)).flatten();
        all.push(Element {
            tag: *tag,
            content: constructed
                .map_or_else(|| Content::Bytes(content.to_vec()), Content::Elements),
        });
        der = after;
    }
    der.is_empty().then_some(all)
}
