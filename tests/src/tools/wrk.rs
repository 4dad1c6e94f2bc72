//! wrk, which asks a server over HTTP as fast as it answers.

use std::io;
use std::path::PathBuf;

use super::{debian, find_on_path, is_root, locked};

/// The program: the one on the `PATH`, else Debian's package, by root installed, by anybody else unpacked.
pub fn install() -> io::Result<PathBuf> {
    if let Some(found) = find_on_path("wrk") {
        return Ok(found);
    }
    locked("wrk", |folder| {
        let script = folder.join("wrk");
        if script.is_file() {
            return Ok(script);
        }
        crate::note("installing wrk");
        if is_root() {
            super::apt_install(&["wrk"])?;
            return find_on_path("wrk").ok_or_else(|| io::Error::other("wrk is not there after its installation"));
        }
        let root = debian::unpack(&["wrk"], folder)?;
        debian::wrap(&root.join("usr/bin/wrk"), &root, &script)?;
        Ok(script)
    })
}
