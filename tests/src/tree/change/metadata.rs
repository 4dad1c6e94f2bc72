//! What becomes of metadata alone.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::time::{Duration, SystemTime};

use rustix::fs::{XattrFlags, lremovexattr, lsetxattr};

use super::super::build::noise;
use super::{Done, Tree};
use crate::dice::Dice;
use crate::tools;

impl Tree<'_> {
    pub(super) fn set_mode(&self, dice: &mut Dice) -> Done {
        let (path, mode) = match self.file(dice) {
            Some(file) if !dice.one_in(4) => (file, dice.of(&[0o400, 0o444, 0o600, 0o644, 0o755, 0o4755, 0o1644])),
            _ => (self.folder(dice), dice.of(&[0o700, 0o755, 0o1777, 0o2775])),
        };
        let mut what = format!("mode {mode:04o}");
        if tools::is_root() && dice.one_in(3) {
            let (user, group) = (dice.below(3) as u32 * 1234, dice.below(3) as u32 * 4321);
            lchown(path, Some(user), Some(group))?;
            what = format!("{what}, owner {user}:{group}");
        }
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        Ok(Some(format!("gave {} {what}", self.shown(path))))
    }

    pub(super) fn set_time(&self, dice: &mut Dice) -> Done {
        let path = self.file(dice).filter(|_| !dice.one_in(4)).unwrap_or(self.root);
        let seconds = dice.below(4_000_000_000);
        let time = SystemTime::UNIX_EPOCH + Duration::new(seconds, dice.below(1_000_000_000) as u32);
        File::open(path)?.set_modified(time)?;
        Ok(Some(format!("dated {} {seconds}", self.shown(path))))
    }

    pub(super) fn set_attribute(&self, dice: &mut Dice) -> Done {
        let path = self.file(dice).filter(|_| !dice.one_in(4)).unwrap_or(self.folder(dice));
        let name = dice.of(&["user.one", "user.two"]);
        let what = match lremovexattr(path, name) {
            Ok(()) if dice.one_in(2) => "removed".to_owned(),
            _ => {
                let value = noise(dice.below(u64::MAX), dice.of(&[0, 10, 2000]));
                lsetxattr(path, name, &value, XattrFlags::empty())?;
                format!("set to {} bytes", value.len())
            }
        };
        Ok(Some(format!("attribute {name} of {} {what}", self.shown(path))))
    }
}
