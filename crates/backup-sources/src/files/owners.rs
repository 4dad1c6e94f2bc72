//! Names of users and groups, as `/etc/passwd` and `/etc/group` have them.

use std::cell::OnceCell;
use std::collections::HashMap;

/// Users and groups, read when first asked for.
#[derive(Default)]
pub(super) struct Owners {
    users: OnceCell<Names>,
    groups: OnceCell<Names>,
}

#[derive(Default)]
struct Names {
    by_id: HashMap<u32, String>,
    by_name: HashMap<String, u32>,
}

impl Owners {
    pub(super) fn user(&self, uid: u32) -> Option<String> {
        self.users().by_id.get(&uid).cloned()
    }

    pub(super) fn group(&self, gid: u32) -> Option<String> {
        self.groups().by_id.get(&gid).cloned()
    }

    /// The number of this user here, else the number that it had.
    pub(super) fn uid(&self, name: Option<&str>, recorded: u32) -> u32 {
        name.and_then(|name| self.users().by_name.get(name).copied())
            .unwrap_or(recorded)
    }

    /// The number of this group here, else the number that it had.
    pub(super) fn gid(&self, name: Option<&str>, recorded: u32) -> u32 {
        name.and_then(|name| self.groups().by_name.get(name).copied())
            .unwrap_or(recorded)
    }

    fn users(&self) -> &Names {
        self.users.get_or_init(|| Names::read("/etc/passwd"))
    }

    fn groups(&self) -> &Names {
        self.groups.get_or_init(|| Names::read("/etc/group"))
    }
}

impl Names {
    /// `name:password:number:…` on each line. Where there is no such file, there are only numbers.
    fn read(path: &str) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        let mut names = Self::default();
        for line in String::from_utf8_lossy(&text).lines() {
            let mut fields = line.split(':');
            if let (Some(name), Some(Ok(id))) = (fields.next(), fields.nth(1).map(str::parse)) {
                names.by_id.entry(id).or_insert_with(|| name.to_owned());
                names.by_name.entry(name.to_owned()).or_insert(id);
            }
        }
        names
    }
}
