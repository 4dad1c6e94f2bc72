//! Real dumps, dumps of every version of the format made by hand, and dumps that are damaged.

use std::process::Command;
use std::sync::OnceLock;

use backup_tests::postgres::{Database, Postgres};
use backup_tests::{sample_db, tools};
use proptest::prelude::*;

use super::*;

fn dump(database: &Database) -> Vec<u8> {
    let mut command = Command::new(Postgres::shared().bin_dir().join("pg_dump"));
    let command = command.args(["--format=custom", "--compress=0", "--dbname", &database.url()]);
    tools::run(command).unwrap().stdout
}

fn digest(bytes: &[u8], piece: usize) -> Result<DumpSummary, Error> {
    let mut digest = DumpDigest::new();
    for bytes in bytes.chunks(piece) {
        digest.push(bytes)?;
    }
    digest.finish()
}

/// A dump of a little of everything.
fn sample() -> &'static [u8] {
    static SAMPLE: OnceLock<Vec<u8>> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let database = Postgres::shared().create_database("digest");
        sample_db::fill(&database, 50);
        dump(&database)
    })
}

#[test]
fn a_dump_is_the_same_in_any_pieces_and_has_the_rows_of_its_tables() {
    let whole = digest(sample(), usize::MAX).unwrap();
    let rows = |name: &str| whole.tables[&("public".to_owned(), name.to_owned())].count;
    assert_eq!(
        (rows("large_table"), rows("empty_table"), rows("unlogged_table")),
        (50, 0, 30)
    );
    assert!(whole.large_objects.count > 0);
    assert_eq!(whole.encoding.as_deref(), Some("UTF8"));
    assert!(whole.objects.len() > 200, "{}", whole.objects.len());
    for piece in [1, 7, 4096] {
        assert_eq!(digest(sample(), piece).unwrap().differences(&whole, false), [""; 0]);
    }
}

#[test]
fn what_differs_between_two_dumps_is_named_and_the_order_of_rows_is_none() {
    let database = Postgres::shared().create_database("digest");
    database.psql(
        "CREATE TABLE t (id int, v text); INSERT INTO t SELECT i, i::text FROM generate_series(1, 100) i;
         CREATE TABLE u (); CREATE SEQUENCE s; CREATE INDEX t_id ON t (id); SELECT lo_from_bytea(7777, 'abc')",
    );
    let before = digest(&dump(&database), 1000).unwrap();
    database.psql(
        "CREATE TABLE w AS SELECT * FROM t; TRUNCATE t; INSERT INTO t SELECT * FROM w ORDER BY id DESC; DROP TABLE w",
    );
    assert_eq!(
        before.differences(&digest(&dump(&database), 1000).unwrap(), false),
        [""; 0]
    );
    let change = |sql: &str| {
        database.psql(sql);
        before.differences(&digest(&dump(&database), 1000).unwrap(), false)
    };
    assert_eq!(change("UPDATE t SET v = 'x' WHERE id = 50"), ["public.t (other rows)"]);
    assert_eq!(
        change("UPDATE t SET v = '50' WHERE id = 50; INSERT INTO u DEFAULT VALUES; SELECT nextval('s')"),
        [
            "public.u (1 row restored, 0 in the backup)",
            "sequence set public.s (another value)"
        ]
    );
    assert_eq!(
        change("DELETE FROM u; ALTER SEQUENCE s RESTART; DROP INDEX t_id; SELECT lo_put(7777, 1, 'x')"),
        ["index public.t_id (not restored)", "large objects (other content)"]
    );
}

/// Writes a dump by hand.
struct Writer(Vec<u8>);

impl Writer {
    fn ints(&mut self, values: &[i32]) {
        for value in values {
            self.0.push(u8::from(*value < 0));
            self.0.extend(value.unsigned_abs().to_le_bytes());
        }
    }

    fn texts(&mut self, values: &[Option<&str>]) {
        for value in values {
            self.ints(&[value.map_or(-1, |value| value.len() as i32)]);
            self.0.extend(value.unwrap_or_default().as_bytes());
        }
    }
}

/// The least that a dump of this version can be: one table with two rows, and a large object.
fn by_hand(minor: u8) -> Vec<u8> {
    with_large_objects(minor, 0)
}

/// The same with as many entries of large objects.
fn with_large_objects(minor: u8, count: i32) -> Vec<u8> {
    let mut out = Writer(b"PGDMP".to_vec());
    out.0.extend([1, minor, 0, 4, 8, 1]);
    if minor >= 15 {
        out.0.push(0);
    } else {
        out.ints(&[0]);
    }
    out.ints(&[0, 1, 2, 3, 4, 5, 6]);
    out.texts(&[Some("name"), Some("15.1"), Some("15.1")]);
    out.ints(&[2 + count]);
    let of_objects = (0..count).map(|number| (7 + number, "BLOB"));
    for (number, kind) in [(5, "TABLE DATA"), (6, "BLOBS")].into_iter().chain(of_objects) {
        out.ints(&[number, i32::from(kind != "BLOB")]);
        out.texts(&[Some("0"), Some("0"), Some("t"), Some(kind)]);
        out.ints(&[3]);
        out.texts(&[None, None, Some("COPY public.t (a) FROM stdin;\n")]);
        out.texts(&[Some("public"), None, None]);
        if minor >= 16 {
            out.ints(&[0]);
        }
        out.texts(&[Some("owner"), Some("false"), Some("4"), None]);
        out.0.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    out.0.push(LARGE_OBJECTS);
    // The largest number that an object can have is written as -1.
    out.ints(&[6, -1]);
    out.texts(&[Some("content")]);
    out.ints(&[0, 0]);
    out.0.push(ROWS);
    out.ints(&[5]);
    out.texts(&[Some("1\n"), Some("2\n"), Some("\\.\n\n\n")]);
    out.ints(&[0]);
    out.0
}

#[test]
fn every_version_of_the_format_says_the_same_and_where_its_data_is() {
    for minor in 14..=16 {
        let bytes = by_hand(minor);
        let summary = digest(&bytes, 3).unwrap();
        assert_eq!(summary.tables[&("public".to_owned(), "t".to_owned())].count, 2);
        assert_eq!(summary.large_objects.count, 1);
        assert_eq!(
            summary.differences(&digest(&by_hand(14), 1000).unwrap(), false),
            [""; 0]
        );
        for offset in &summary.offsets {
            assert_eq!(
                bytes[offset.at as usize..][..offset.bytes.len()],
                [1, 0, 0, 0, 0, 0, 0, 0, 0]
            );
            let data = u64::from_le_bytes(offset.bytes[1..].try_into().unwrap()) as usize;
            assert!(matches!(bytes[data..][..3], [LARGE_OBJECTS, 0, 6] | [ROWS, 0, 5]));
        }
    }
    for (minor, what) in [(13, "version 1.13"), (17, "version 1.17")] {
        assert!(digest(&by_hand(minor), 100).unwrap_err().to_string().contains(what));
    }
}

/// What is handed on of a dump that arrives in such pieces, with the positions in it.
fn relayed(bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let failed = |error| Error::io("write", std::path::Path::new("out"), error);
    let mut relay = Relay::new(&mut out, &failed);
    for bytes in bytes.chunks(piece) {
        relay.push(bytes).unwrap();
    }
    for offset in relay.finish().unwrap() {
        out[offset.at as usize..][..offset.bytes.len()].copy_from_slice(&offset.bytes);
    }
    out
}

#[test]
fn a_dump_is_handed_on_in_larger_pieces_with_the_positions_of_its_data() {
    for minor in 14..=16 {
        let out = relayed(&by_hand(minor), 3);
        let whole = digest(&by_hand(minor), 1000).unwrap();
        let handed_on = digest(&out, 1000).unwrap();
        assert_eq!(handed_on.differences(&whole, false), [""; 0]);
        let rows = [&[9, 0, 0, 0][..], b"1\n2\n\\.\n\n\n"].concat();
        assert!(out.windows(rows.len()).any(|part| part == rows), "{minor}: {out:?}");
    }
    for piece in [1, 7, 4096, usize::MAX] {
        let out = relayed(sample(), piece);
        assert!(out.len() < sample().len());
        let (handed_on, whole) = (digest(&out, 1000).unwrap(), digest(sample(), 1000).unwrap());
        assert_eq!(handed_on.differences(&whole, false), [""; 0], "{piece}");
        let stands = |offset: &Offset| out[offset.at as usize..].starts_with(&offset.bytes);
        assert!(handed_on.offsets.iter().all(stands), "{piece}");
    }
    // Another version is left as it is.
    let mut newer = by_hand(16);
    newer[6] = 17;
    for piece in [1, 3, 1000] {
        assert!(relayed(&newer, piece) == newer, "{piece}");
    }
}

#[test]
fn more_names_than_may_be_kept_are_no_damage_and_large_objects_have_none() {
    let objects = with_large_objects(15, 1000);
    let mut kept = DumpDigest::new();
    kept.push(&objects).unwrap();
    assert!(kept.kept < 1000 * 40, "{}", kept.kept);
    assert_eq!(kept.finish().unwrap().large_objects.count, 1);

    let mut full = DumpDigest::new();
    full.kept = MAX_KEPT - 100 * NUMBER;
    let error = full.push(&objects).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");

    let failed = |error| Error::io("write", std::path::Path::new("out"), error);
    for piece in [1, 7, usize::MAX] {
        let mut out = Vec::new();
        let mut relay = Relay::new(&mut out, &failed);
        relay.digest.as_mut().unwrap().kept = MAX_KEPT - 100 * NUMBER;
        for bytes in objects.chunks(piece) {
            relay.push(bytes).unwrap();
        }
        assert!(relay.finish().unwrap().is_empty());
        assert!(out == objects, "{piece}");
    }
}

#[test]
fn a_dump_that_ends_early_is_an_error_wherever_it_ends() {
    let bytes = by_hand(16);
    for length in 0..bytes.len() {
        assert!(
            digest(&bytes[..length], 100).is_err(),
            "{length} of {} bytes",
            bytes.len()
        );
    }
    let bytes = sample();
    let between = (2000..bytes.len() - 100).step_by(bytes.len() / 20);
    for length in (0..2000).chain(between).chain(bytes.len() - 100..bytes.len()) {
        let mut digest = DumpDigest::new();
        let pushed = digest.push(&bytes[..length]);
        assert!(
            pushed.is_err() || digest.finish().is_err(),
            "{length} of {} bytes",
            bytes.len()
        );
    }
}

#[test]
fn a_length_that_lies_allocates_nothing() {
    let mut bytes = by_hand(14);
    let at = bytes.windows(4).position(|part| part == b"name").unwrap();
    bytes[at - 4..at].copy_from_slice(&i32::MAX.to_le_bytes());
    assert!(
        digest(&bytes, 100)
            .unwrap_err()
            .to_string()
            .contains("impossible length")
    );
    bytes[at - 4..at].copy_from_slice(&(60 * 1024 * 1024_i32).to_le_bytes());
    let mut digest = DumpDigest::new();
    digest.push(&bytes).unwrap();
    assert!(digest.scanner.allocated() < 8 * bytes.len());
    assert!(digest.finish().is_err());
}

proptest! {
    #[test]
    fn damage_never_panics(at in 0..4000_usize, from_end in any::<bool>(), bit in 0..8_u8, piece in 1..3000_usize) {
        let mut bytes = sample().to_vec();
        let at = if from_end { bytes.len() - 1 - at } else { at };
        bytes[at] ^= 1 << bit;
        let _any = digest(&bytes, piece);
    }

    #[test]
    fn bytes_at_random_never_panic(mut tail in prop::collection::vec(any::<u8>(), 0..400), keep in 0..1000_usize) {
        let mut bytes = by_hand(15);
        bytes.truncate(keep);
        bytes.append(&mut tail);
        let _any = digest(&bytes, 17);
    }
}
