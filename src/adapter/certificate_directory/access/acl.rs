//! The POSIX ACL of a file or directory.

use std::path::Path;

/// The entries of a POSIX ACL that give write access, the owner's aside (`acl_access` in `linux/posix_acl_xattr.h`).
pub(super) struct Acl {
    pub(super) writers: Vec<Writer>,
}

pub(super) enum Writer {
    User(u32),
    Group(u32),
    OwningGroup,
    Everyone,
    Unknown,
}

impl Acl {
    /// The ACL of a path; none if it has only a mode.
    pub(super) fn of(path: &Path) -> Option<Self> {
        // A longer one is judged by the mode, whose group bits then are the mask: the most that any entry gives.
        let mut bytes = vec![0; 4096];
        let length = rustix::fs::lgetxattr(path, "system.posix_acl_access", &mut bytes).ok()?;
        bytes.get(..length).map(Self::parse)
    }

    fn parse(bytes: &[u8]) -> Self {
        const WRITE: u16 = 2;
        const MASK: u16 = 0x10;
        let entries: Vec<(u16, u16, u32)> = bytes
            .get(4..)
            .unwrap_or_default()
            .chunks(8)
            .map(entry)
            .collect();
        // The mask limits every entry but the owner's and everyone's.
        let masked = entries
            .iter()
            .any(|(tag, allowed, _)| *tag == MASK && allowed & WRITE == 0);
        let writers = entries
            .into_iter()
            .filter(|(_, allowed, _)| allowed & WRITE != 0)
            .filter_map(|(tag, _, id)| match tag {
                0x01 | MASK => None,
                0x02 => (!masked).then_some(Writer::User(id)),
                0x04 => (!masked).then_some(Writer::OwningGroup),
                0x08 => (!masked).then_some(Writer::Group(id)),
                0x20 => Some(Writer::Everyone),
                _ => Some(Writer::Unknown),
            })
            .collect();
        Self { writers }
    }
}

/// Tag, permissions and id; a cut entry is an unknown one that may write.
fn entry(bytes: &[u8]) -> (u16, u16, u32) {
    match bytes {
        [t0, t1, p0, p1, i0, i1, i2, i3] => (
            u16::from_le_bytes([*t0, *t1]),
            u16::from_le_bytes([*p0, *p1]),
            u32::from_le_bytes([*i0, *i1, *i2, *i3]),
        ),
        _ => (u16::MAX, u16::MAX, u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writers(entries: &[(u16, u16)]) -> usize {
        let mut bytes = vec![2, 0, 0, 0];
        for (tag, allowed) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(allowed.to_le_bytes());
            bytes.extend(1000_u32.to_le_bytes());
        }
        Acl::parse(&bytes).writers.len()
    }

    #[test]
    fn the_mask_limits_named_users_and_groups() {
        let (owner, user, owning_group, group, mask, everyone) = (1, 2, 4, 8, 0x10, 0x20);
        assert_eq!(writers(&[(owner, 7), (owning_group, 5), (everyone, 5)]), 0);
        assert_eq!(writers(&[(user, 6)]), 1);
        assert_eq!(
            writers(&[(user, 6), (group, 2), (owning_group, 2), (mask, 7)]),
            3
        );
        assert_eq!(
            writers(&[(user, 6), (group, 2), (owning_group, 2), (mask, 5)]),
            0
        );
        assert_eq!(writers(&[(everyone, 2), (mask, 0)]), 1);
        assert_eq!(
            Acl::parse(&[2, 0, 0, 0, 1]).writers.len(),
            1,
            "cut: nobody knows"
        );
    }
}
