//! The archive's reader on hostile bytes that are rightly sealed: no panic, no hang, no unbounded memory.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _result = backup_archive::fuzzing::reader(data);
});
