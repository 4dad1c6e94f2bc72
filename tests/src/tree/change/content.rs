//! What becomes of the content of files.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{FallocateFlags, fallocate};

use super::super::build::noise;
use super::{Done, Tree};
use crate::dice::Dice;

impl Tree<'_> {
    pub(super) fn new_file(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.free_name(dice) else {
            return Ok(None);
        };
        let content = content(dice);
        fs::write(&path, &content)?;
        Ok(Some(format!("wrote {}, {} bytes", self.shown(&path), content.len())))
    }

    pub(super) fn rewrite(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let content = content(dice);
        fs::write(path, &content)?;
        Ok(Some(format!(
            "wrote {} anew, {} bytes",
            self.shown(path),
            content.len()
        )))
    }

    pub(super) fn write_within(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let length = fs::metadata(path)?.len();
        if length == 0 {
            return Ok(None);
        }
        let file = OpenOptions::new().write(true).open(path)?;
        let mut written = Vec::new();
        for _ in 0..=dice.below(4) {
            let offset = dice.below(length);
            let bytes = dice.of(&[1, 100, 5000, 100_000]).min(length - offset);
            file.write_all_at(&noise(dice.below(u64::MAX), bytes as usize), offset)?;
            written.push(format!("{bytes} at {offset}"));
        }
        Ok(Some(format!("wrote into {}: {}", self.shown(path), written.join(", "))))
    }

    pub(super) fn insert(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let mut content = fs::read(path)?;
        let at = dice.below(content.len() as u64 + 1) as usize;
        let gone = dice.of(&[0, 0, 1, 3000, 50_000]).min(content.len() - at);
        let new = noise(dice.below(u64::MAX), dice.of(&[1, 700, 9000, 60_000]));
        content.splice(at..at + gone, new.iter().copied());
        fs::write(path, content)?;
        Ok(Some(format!(
            "put {} bytes in place of {gone} into {} at {at}",
            new.len(),
            self.shown(path)
        )))
    }

    pub(super) fn append(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let content = content(dice);
        OpenOptions::new().append(true).open(path)?.write_all(&content)?;
        Ok(Some(format!(
            "appended {} bytes to {}",
            content.len(),
            self.shown(path)
        )))
    }

    pub(super) fn cut(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let length = dice.below(fs::metadata(path)?.len() + 1);
        OpenOptions::new().write(true).open(path)?.set_len(length)?;
        Ok(Some(format!("cut {} to {length} bytes", self.shown(path))))
    }

    /// Other bytes, the same length, the same modification time: only the change time tells.
    pub(super) fn change_secretly(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let meta = fs::metadata(path)?;
        if meta.len() == 0 {
            return Ok(None);
        }
        let offset = dice.below(meta.len());
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset)?;
        file.write_all_at(&[byte[0] ^ 0x55], offset)?;
        file.set_modified(meta.modified()?)?;
        Ok(Some(format!(
            "changed {} at {offset} and put its time back",
            self.shown(path)
        )))
    }

    pub(super) fn punch(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let length = fs::metadata(path)?.len();
        if length < 10_000 {
            return Ok(None);
        }
        let offset = dice.below(length);
        let hole = dice.of(&[4096, 50_000, 1 << 20]).min(length - offset);
        let file = OpenOptions::new().write(true).open(path)?;
        fallocate(
            &file,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            offset,
            hole,
        )?;
        Ok(Some(format!(
            "punched {hole} bytes out of {} at {offset}",
            self.shown(path)
        )))
    }

    pub(super) fn new_sparse(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.free_name(dice) else {
            return Ok(None);
        };
        let length = 1 + dice.below(8 << 20);
        let mut file = File::create(&path)?;
        file.set_len(length)?;
        let islands = dice.below(5);
        for _ in 0..islands {
            file.seek(SeekFrom::Start(dice.below(length)))?;
            let bytes = dice.of(&[1, 4096, 70_000]);
            file.write_all(&noise(dice.below(u64::MAX), bytes))?;
        }
        Ok(Some(format!(
            "made {} of {islands} pieces in {length} bytes",
            self.shown(&path)
        )))
    }
}

/// Of any length, more or less compressible. What compresses is much the same everywhere.
pub(super) fn content(dice: &mut Dice) -> Vec<u8> {
    let most = dice.of(&[1, 600, 20_000, 200_000, 1_500_000]);
    let length = dice.below(most) as usize;
    match dice.below(3) {
        0 => noise(dice.below(u64::MAX), length),
        1 => noise(dice.below(4), length),
        _ => {
            let lines = (dice.below(50)..).map(|number| format!("line {number} of some file or other\n"));
            lines.flat_map(String::into_bytes).take(length).collect()
        }
    }
}
