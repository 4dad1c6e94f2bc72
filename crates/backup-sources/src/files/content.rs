//! The content of a regular file: where its data is, and the data.

use std::io::{self, Read};
use std::os::fd::BorrowedFd;

use backup_core::JobControl;
use rustix::fs::{SeekFrom, seek};
use rustix::io::{Errno, pread};

/// The most ranges of data that are told apart in one file.
const MAX_RANGES: usize = 10_000;

/// The ranges of data of a file of `size` bytes, or `None` where it has no hole or the file system does not tell. Of very
/// many, those with the smallest holes between them are taken as one.
pub(super) fn data_ranges(file: BorrowedFd<'_>, size: u64) -> Option<Vec<(u64, u64)>> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    let mut smallest_hole = 0;
    let mut offset = 0;
    while offset < size {
        let start = match seek(file, SeekFrom::Data(offset)) {
            Ok(start) => start.min(size),
            // No more data.
            Err(Errno::NXIO) => break,
            Err(_) => return None,
        };
        if start >= size {
            break;
        }
        let end = seek(file, SeekFrom::Hole(start)).ok()?.min(size);
        if end <= start {
            return None;
        }
        add(&mut ranges, (start, end - start), smallest_hole);
        while ranges.len() > MAX_RANGES {
            smallest_hole = (smallest_hole * 2).max(4096);
            for range in std::mem::take(&mut ranges) {
                add(&mut ranges, range, smallest_hole);
            }
        }
        offset = end;
    }
    if ranges == [(0, size)] { None } else { Some(ranges) }
}

fn add(ranges: &mut Vec<(u64, u64)>, (start, length): (u64, u64), smallest_hole: u64) {
    match ranges.last_mut() {
        Some(last) if start - (last.0 + last.1) <= smallest_hole => last.1 = start + length - last.0,
        _ => ranges.push((start, length)),
    }
}

/// Reads the ranges of a file one after the other. An error of the disk ends it early and is kept: the file is told to be
/// unreadable with all others at the end.
pub(super) struct Content<'a> {
    pub(super) file: BorrowedFd<'a>,
    pub(super) ranges: &'a [(u64, u64)],
    /// How much of the first range is through.
    pub(super) done: u64,
    pub(super) job: &'a JobControl,
    pub(super) error: Option<Errno>,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.job.check().map_err(io::Error::other)?;
        while let Some((start, length)) = self.ranges.first() {
            if self.done == *length {
                self.ranges = &self.ranges[1..];
                self.done = 0;
                continue;
            }
            let wanted = buffer
                .len()
                .min(usize::try_from(length - self.done).unwrap_or(usize::MAX));
            return match pread(self.file, &mut buffer[..wanted], start + self.done) {
                Ok(read) => {
                    self.done += read as u64;
                    self.job.advance(read as u64);
                    Ok(read)
                }
                Err(Errno::INTR) => continue,
                Err(error) => {
                    self.error = Some(error);
                    Ok(0)
                }
            };
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_many_ranges_are_merged_over_the_smallest_holes() {
        let mut ranges = Vec::new();
        for i in 0..10 {
            add(&mut ranges, (i * 8192, 4096), 0);
        }
        assert_eq!(ranges.len(), 10);
        add(&mut ranges, (1_000_000, 1), 4096);
        assert_eq!(ranges.len(), 11);
        add(&mut ranges, (1_000_001 + 4096, 5), 4096);
        assert_eq!(ranges.last(), Some(&(1_000_000, 4102)));
    }
}
