//! The archive's reader on hostile bytes, rightly sealed and not, encrypted and not: no panic, no hang, no unbounded memory.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _result = backup_archive::fuzzing::reader(data);
});
