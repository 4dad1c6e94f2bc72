//! Where an error of writing that the system meets late shows at all.

use std::os::fd::BorrowedFd;

use rustix::fs::fstatfs;

/// File systems that write to a server or a program, by `statfs` type: FUSE, NFS, SMB before version 2 and since, 9p. What
/// these could not take, syncfs(2) does not tell.
const REMOTE: [u32; 5] = [0x6573_5546, 0x6969, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997];
/// The version of Linux since which syncfs(2) tells of what could not be written.
const TELLS_SINCE: (u32, u32) = (5, 8);

/// Whether each file in `folder` is to be written to the disk by itself, since an error would be lost otherwise.
pub(super) fn must_sync_each(folder: BorrowedFd<'_>) -> bool {
    let file_system = fstatfs(folder).ok().map(|found| found.f_type as u32);
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    !is_told_at_the_end(file_system, release.as_deref())
}

/// Whether syncfs(2) tells of errors on a file system of this type and a Linux of this release. What is not known does not.
fn is_told_at_the_end(file_system: Option<u32>, release: Option<&str>) -> bool {
    let is_local = file_system.is_some_and(|file_system| !REMOTE.contains(&file_system));
    is_local && release.and_then(version).is_some_and(|version| version >= TELLS_SINCE)
}

/// The first two numbers of a release such as `6.8.0-45-generic`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs::{File, read_to_string};
    use std::os::fd::AsFd as _;

    use super::*;

    const EXT4: u32 = 0xef53;

    #[test]
    fn only_a_local_file_system_of_a_newer_linux_tells_of_errors_at_the_end() {
        for (file_system, release, is_told) in [
            (Some(EXT4), Some("6.8.0-45-generic\n"), true),
            (Some(EXT4), Some("5.10.0-33-amd64"), true),
            (Some(EXT4), Some("5.8.0"), true),
            (Some(EXT4), Some("5.7.19"), false),
            (Some(EXT4), Some("4.19.0-27-amd64"), false),
            (Some(EXT4), Some("unknown"), false),
            (Some(EXT4), None, false),
            (None, Some("6.8.0"), false),
            (Some(0x6969), Some("6.8.0"), false),
            (Some(0x6573_5546), Some("6.8.0"), false),
            (Some(0xff53_4d42), Some("6.8.0"), false),
            (Some(0xfe53_4d42), Some("6.8.0"), false),
            (Some(0x0102_1997), Some("6.8.0"), false),
        ] {
            let told = is_told_at_the_end(file_system, release);
            assert_eq!(told, is_told, "{file_system:x?} {release:?}");
        }
    }

    #[test]
    fn the_system_says_what_it_is() {
        // No server's files, wherever this runs.
        let folder = File::open("/proc").unwrap();
        let release = read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let is_newer = version(&release).unwrap() >= TELLS_SINCE;
        assert_eq!(must_sync_each(folder.as_fd()), !is_newer);
    }
}
