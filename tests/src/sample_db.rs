//! A database with everything PostgreSQL has.

use crate::postgres::Database;
use crate::unique;

/// The SQL (for `psql`, PostgreSQL 15 or newer, as superuser) that fills an empty database with one of everything:
/// schemas, every type, large objects, partitions, inheritance, constraints in cycles, functions, triggers, views, rules,
/// rights, policies, extensions, foreign data, odd names, and a table of `rows` rows. The roles it makes are called
/// `sample_…_{tag}`; `tag` is of lower-case letters and digits.
pub fn sql(rows: u64, tag: &str) -> String {
    include_str!("sample_db/sample.sql")
        .replace("{{rows}}", &rows.to_string())
        .replace("{{tag}}", tag)
}

/// Fills an empty database with [`sql`], under roles of its own.
pub fn fill(database: &Database, rows: u64) {
    database.psql(&sql(rows, &unique()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Postgres;
    use crate::tools;
    use std::process::Command;

    #[test]
    fn a_copy_by_the_original_tools_is_identical() {
        let server = Postgres::shared();
        let original = server.create_database("sample");
        fill(&original, 1000);
        let copy = server.create_database("sample_copy");
        let file = tempfile::NamedTempFile::new().unwrap();
        let client = |program: &str, database: &Database| {
            let mut command = Command::new(server.bin_dir().join(program));
            command
                .env("PGPASSWORD", &database.password)
                .arg(format!("--dbname={}", database.url()));
            command
        };
        tools::run(client("pg_dump", &original).args(["-Fc", "-Z0", "-f"]).arg(file.path())).unwrap();
        tools::run(client("pg_restore", &copy).arg("--exit-on-error").arg(file.path())).unwrap();
        assert_eq!(original.dump(), copy.dump());
        let counts = original.row_counts();
        assert_eq!(counts, copy.row_counts());
        assert!(counts.contains(&("public.large_table".to_owned(), 1000)), "{counts:?}");
        assert!(counts.contains(&("public.empty_table".to_owned(), 0)), "{counts:?}");
    }
}
