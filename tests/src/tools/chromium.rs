//! Chromium, the browser of the console's tests, and a font that has Chinese characters.

use std::io;
use std::path::PathBuf;

use super::{debian, find_on_path, is_root, locked};

const PACKAGES: &[&str] = &["chromium", "fonts-noto-cjk"];

/// The program: the one on the `PATH`, else Debian's package, by root installed, by anybody else unpacked.
pub fn install() -> io::Result<PathBuf> {
    if let Some(found) = find_on_path("chromium") {
        return Ok(found);
    }
    locked("chromium", |folder| {
        let script = folder.join("chromium");
        if script.is_file() {
            return Ok(script);
        }
        crate::note("installing Chromium");
        if is_root() {
            super::apt_install(PACKAGES)?;
            return find_on_path("chromium")
                .ok_or_else(|| io::Error::other("chromium is not there after its installation"));
        }
        let root = debian::unpack(PACKAGES, folder)?;
        debian::wrap(&root.join("usr/lib/chromium/chromium"), &root, &script)?;
        Ok(script)
    })
}
