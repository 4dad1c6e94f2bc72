//! Hostile archives, most of them rightly sealed: none makes the reader panic, hang or take unbounded memory. The files in
//! `tests/corpus` are also the seeds of the fuzz target.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use backup_archive::fuzzing;
use backup_core::ArchiveSink;
use backup_core::receipt::Codec;
use minicbor::Encoder;
use proptest::prelude::*;

/// An entry's record: path, kind and mode, and whatever else is given.
fn record(path: &[u8], more: &dyn Fn(&mut Encoder<&mut Vec<u8>>), keys: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    encoder.map(4 + keys).unwrap();
    encoder.u8(0).unwrap().bytes(path).unwrap();
    encoder.u8(1).unwrap().u8(0).unwrap();
    encoder.u8(3).unwrap().u32(0o600).unwrap();
    encoder.u8(8).unwrap().i64(0).unwrap();
    more(&mut encoder);
    bytes
}

fn with_extent(path: &[u8], archive: u32, offset: u64, length: u64) -> Vec<u8> {
    let more = |encoder: &mut Encoder<&mut Vec<u8>>| {
        encoder.u8(2).unwrap().u64(length).unwrap();
        encoder.u8(14).unwrap().array(1).unwrap().array(3).unwrap();
        encoder.u32(archive).unwrap().u64(offset).unwrap().u64(length).unwrap();
    };
    record(path, &more, 2)
}

/// Seeds with what must come of them: `None` where any end is right.
fn seeds() -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
    let chosen = |choice: u8, bytes: &[u8]| [&[choice], bytes].concat();
    let nothing: &dyn Fn(&mut Encoder<&mut Vec<u8>>) = &|_| ();
    let whole = |codec| {
        kit::write(&kit::options(codec, false), kit::SMALL, |writer| {
            let mut part = writer.part("p")?;
            for number in 0..40 {
                part.append(
                    &kit::file(format!("file-{number:02}").as_bytes(), 300),
                    &mut &[b'x'; 300][..],
                )?;
            }
            part.append_stream(&kit::path("stream"), &mut &kit::noise(1, 5000)[..])
                .map(drop)
        })
    };
    let ((gzip, _), (zstd, _)) = (whole(Codec::Gzip), whole(Codec::Zstd));
    let deep = [vec![0xa1, 0x00], vec![0x81; 100_000]].concat();
    let device = |encoder: &mut Encoder<&mut Vec<u8>>| {
        encoder.u8(1).unwrap().u8(99).unwrap();
    };
    // One member of 16 MiB, as a segment names it.
    let member = [&[0, 1, 0, 0], &(16_u32 << 20).to_be_bytes()[..], &[0; 32]].concat();
    let members = |start: (u64, u64), count: usize| {
        let mut bytes = [&start.0.to_be_bytes()[..], &start.1.to_be_bytes(), &[count as u8]].concat();
        let mut encoder = Encoder::new(&mut bytes);
        encoder.map(3).unwrap().u8(0).unwrap().u8(0).unwrap();
        encoder.u8(1).unwrap().bytes(&member.repeat(count)).unwrap();
        encoder.u8(2).unwrap().array(0).unwrap();
        chosen(6, &bytes)
    };
    // A page of one run, and what stands behind it.
    let run = |offset: u64, count: u32, length: u32| {
        [
            &offset.to_be_bytes()[..],
            &count.to_be_bytes(),
            &length.to_be_bytes(),
            &[7; 16],
        ]
        .concat()
    };
    let signed = |page: &[u8], to: u16, anchors: &[u8]| {
        let head = [(page.len() as u16).to_be_bytes(), to.to_be_bytes()].concat();
        chosen(9, &[&head, page, anchors].concat())
    };
    vec![
        ("whole-gzip", chosen(0, &gzip), Some("")),
        ("whole-zstd", chosen(0, &zstd), Some("")),
        ("whole-encrypted-gzip", chosen(7, &gzip), Some("")),
        ("whole-encrypted-zstd", chosen(7, &zstd), Some("")),
        ("encrypted-cut", chosen(7, &gzip[..gzip.len() - 33]), None),
        (
            "raw-gzip",
            chosen(8, &[&[2], &gzip[..]].concat()),
            Some("another archive"),
        ),
        (
            "raw-zstd",
            chosen(8, &[&[3], &zstd[..]].concat()),
            Some("another archive"),
        ),
        (
            "raw-encrypted",
            chosen(8, &[&[0], &kit::noise(7, 4096)[..]].concat()),
            Some("no trailer"),
        ),
        (
            "raw-unsealed",
            chosen(8, &[&[2], &fuzzing::build(b"content", &[], None).unwrap()[..]].concat()),
            Some("not what its receipt vouches for"),
        ),
        ("raw-short", chosen(8, &[0, 1, 2, 3]), Some("no trailer")),
        (
            "members-tar-overflow",
            members((0, u64::MAX - 5), 1),
            Some("outside of the file"),
        ),
        (
            "members-file-overflow",
            members((u64::MAX - 65_535, 0), 1),
            Some("outside of the file"),
        ),
        ("members-elsewhere", members((0, 0), 3), Some("do not fill the place")),
        ("record-plain", chosen(1, &record(b"a", nothing, 0)), None),
        (
            "record-leads-out",
            chosen(1, &record(b"../etc/passwd", nothing, 0)),
            Some("cannot be a path"),
        ),
        (
            "record-absolute",
            chosen(1, &record(b"/etc/passwd", nothing, 0)),
            Some("cannot be a path"),
        ),
        (
            "record-unknown-kind",
            chosen(1, &record(b"a", &device, 1)),
            Some("unknown kind"),
        ),
        (
            "record-out-of-order",
            chosen(1, &[record(b"b", nothing, 0), record(b"a", nothing, 0)].concat()),
            Some("out of order"),
        ),
        (
            "extent-outside",
            chosen(1, &with_extent(b"a", 0, 1 << 60, 1 << 60)),
            Some(""),
        ),
        (
            "extent-overflow",
            chosen(1, &with_extent(b"a", 0, u64::MAX, u64::MAX)),
            Some(""),
        ),
        (
            "extent-unknown-archive",
            chosen(1, &with_extent(b"a", 7, 0, 10)),
            Some("not in the table"),
        ),
        ("extent-huge", chosen(1, &with_extent(b"a", 0, 0, u64::MAX)), Some("")),
        (
            "record-length-lie",
            chosen(1, &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            None,
        ),
        ("record-deep", chosen(1, &deep), None),
        (
            "root-array-lie",
            chosen(2, &[0xa1, 0x04, 0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Some("not valid CBOR"),
        ),
        ("root-empty", chosen(2, &[]), Some("not valid CBOR")),
        ("tar-garbage", chosen(3, &kit::noise(1, 5000)), Some("")),
        ("tar-zeros", chosen(3, &[0; 2048]), Some("")),
        (
            "gzip-length-lie",
            chosen(
                4,
                &[
                    0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 12, 0, b'B', b'K', 8, 0, 255, 255, 255, 255, 255, 255, 255,
                    255,
                ],
            ),
            None,
        ),
        (
            "zstd-length-lie",
            chosen(
                4,
                &[
                    0x28, 0xb5, 0x2f, 0xfd, 0xe0, 255, 255, 255, 255, 255, 255, 255, 127, 1, 0, 0,
                ],
            ),
            None,
        ),
        (
            "segment-bytes-lie",
            chosen(
                5,
                &[0xa3, 0, 0, 1, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            ),
            Some("not valid CBOR"),
        ),
        ("page-plain", signed(&run(0, 1, 20), 20, &[0; 12]), None),
        (
            "page-cut",
            signed(&run(0, 1, 20)[..30], 20, &[]),
            Some("page of its signatures"),
        ),
        (
            "page-count-lie",
            signed(&run(0, u32::MAX, 20), 20, &[]),
            Some("page of its signatures"),
        ),
        (
            "page-leads-out",
            signed(&run(5, 1, 20), 20, &[]),
            Some("page of its signatures"),
        ),
        (
            "page-overflow",
            signed(&run(u64::MAX - 5, 1, 20), 20, &[]),
            Some("page of its signatures"),
        ),
        (
            "page-empty-block",
            signed(&run(0, 1, 0), 20, &[]),
            Some("page of its signatures"),
        ),
        (
            "page-describes-nowhere",
            signed(&run(0, 1, 20), u16::MAX, &[]),
            Some("impossible pages"),
        ),
        (
            "page-elsewhere",
            chosen(9, &[255, 255, 0, 20, 1, 2, 3]),
            Some("impossible place"),
        ),
        (
            "anchors-cut",
            signed(&run(0, 1, 20), 20, &[0; 11]),
            Some("table of anchors is not valid"),
        ),
        (
            "anchors-no-page",
            signed(&run(0, 1, 20), 20, &[1; 12]),
            Some("a page that is not there"),
        ),
        ("segment-endless-map", chosen(5, &[0xbf, 0, 0]), Some("not valid CBOR")),
    ]
}

#[test]
fn hostile_archives_are_refused_for_the_right_reason() {
    for (name, bytes, expected) in seeds() {
        let result = fuzzing::reader(&bytes);
        match expected {
            None => {}
            Some("") if name.starts_with("whole") => result.unwrap_or_else(|error| panic!("{name}: {error}")),
            Some(text) => {
                let error = result.err().unwrap_or_else(|| panic!("{name} was taken")).to_string();
                assert!(error.contains(text), "{name}: {error}");
            }
        }
    }
}

#[test]
fn the_stored_corpus_is_read_without_a_panic() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        // Refused or taken, both are right; a panic or a hang is not.
        let _result = fuzzing::reader(&std::fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 40, "the corpus is missing");
}

/// Writes the corpus anew: `cargo test -p backup-archive --test corpus -- --ignored`.
#[test]
#[ignore = "writes files into the source tree"]
fn write_the_corpus() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for (name, bytes, _) in seeds() {
        if bytes.len() < 64 << 10 {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_seeds_never_panic(which: prop::sample::Index, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let seeds: Vec<Vec<u8>> = seeds().into_iter().map(|(_, bytes, _)| bytes).filter(|bytes| bytes.len() > 1 && bytes.len() < 50_000).collect();
        let mut bytes = which.get(&seeds).clone();
        for (at, value) in changes {
            let at = 1 + at.index(bytes.len() - 1);
            bytes[at] = value;
        }
        let _result = fuzzing::reader(&bytes);
    }

    #[test]
    fn any_bytes_never_panic(choice in 0u8..10, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _result = fuzzing::reader(&[&[choice], bytes.as_slice()].concat());
    }
}
