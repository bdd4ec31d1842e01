//! The user database.

use nix::unistd::{Uid, User};

/// A user as the system calls it; its number if it has no name.
pub fn user_name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |it| it.name)
}
