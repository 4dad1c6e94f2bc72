//! The entries of a dump's table of contents.

use openssl::sha::sha256;

use super::scan::Scanner;
use super::summary::Object;
use crate::Error;

/// How the definition of a partition's data begins where `pg_dump` sends them through the topmost table.
const BY_ROOT: &[u8] = b"-- load via partition root ";

/// Version of the archive format, as its second number: 14 for 1.14.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Version(u8);

/// What stands in an entry, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Number,
    HasData,
    Tag,
    Kind,
    Definition,
    CopyStatement,
    Schema,
    Dependencies,
    Offset,
    /// A number that nothing here needs.
    Int,
    /// A text that nothing here needs.
    Text,
}

impl Version {
    pub(super) fn new(major: u8, minor: u8) -> Result<Self, Error> {
        if (major, minor) < (1, 14) || (major, minor) > (1, 16) {
            return Err(Error::refused(
                format!("the dump is in version {major}.{minor} of pg_dump's format, which cannot be looked into"),
                "Make the backup with the PostgreSQL client programs of a version from 12 to 18.",
            ));
        }
        Ok(Self(minor))
    }

    /// Whether the header names the method of compression, not the level of the only one.
    pub(super) fn names_compression(self) -> bool {
        self.0 >= 15
    }

    pub(super) fn fields(self) -> Vec<Field> {
        use Field as F;
        let mut fields = vec![F::Number, F::HasData];
        // Numbers of catalogue and object; section after the kind; statement that drops it; tablespace, access method.
        fields.extend([
            F::Text,
            F::Text,
            F::Tag,
            F::Kind,
            F::Int,
            F::Definition,
            F::Text,
            F::CopyStatement,
        ]);
        fields.extend([F::Schema, F::Text, F::Text]);
        if self.0 >= 16 {
            // The relation's kind.
            fields.push(F::Int);
        }
        // Its owner; whether it has OIDs, which nothing has any more.
        fields.extend([F::Text, F::Text, F::Dependencies, F::Offset]);
        fields
    }
}

/// An entry as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) number: i64,
    pub(super) has_data: bool,
    /// What it is, such as `TABLE`.
    pub(super) kind: String,
    /// Where the position of its data stands, in bytes from the dump's beginning.
    pub(super) offset_at: u64,
    tag: String,
    schema: String,
    definition: Vec<u8>,
    copy_statement: Vec<u8>,
}

impl Entry {
    /// Takes a value of `field`. `None` where it has not arrived, else whether it was the field's last.
    pub(super) fn take(
        &mut self,
        field: Field,
        scanner: &mut Scanner,
        input: &mut &[u8],
    ) -> Result<Option<bool>, Error> {
        if matches!(field, Field::Number | Field::HasData | Field::Int) {
            let Some(value) = scanner.int(input)? else {
                return Ok(None);
            };
            match field {
                Field::Number => self.number = value,
                Field::HasData => self.has_data = value != 0,
                _ => {}
            }
            return Ok(Some(true));
        }
        if field == Field::Offset {
            // A byte says whether it is known.
            if !scanner.is_within() {
                self.offset_at = scanner.position();
            }
            return Ok(scanner.bytes(input, 1 + scanner.offset_size()).map(|_| true));
        }
        let Some(text) = scanner.text(input)? else {
            return Ok(None);
        };
        if field == Field::Dependencies {
            return Ok(Some(text.is_none()));
        }
        let bytes = text.unwrap_or_default();
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match field {
            Field::Tag => self.tag = name(&bytes),
            Field::Kind => self.kind = name(&bytes),
            Field::Schema => self.schema = name(&bytes),
            Field::Definition => self.definition = bytes,
            Field::CopyStatement => self.copy_statement = bytes,
            _ => {}
        }
        Ok(Some(true))
    }

    /// Schema and name.
    pub(super) fn name(&self) -> (String, String) {
        (self.schema.clone(), self.tag.clone())
    }

    /// Schema and name of the table through which a partition's rows are loaded, where they may come to be in another
    /// partition: by hash an enum's values go by numbers that every database gives anew.
    pub(super) fn root(&self) -> Option<(String, String)> {
        let text = String::from_utf8_lossy(self.definition.strip_prefix(BY_ROOT)?);
        let mut is_quoted = false;
        let (schema, name) = text.split_once(|character: char| {
            is_quoted ^= character == '"';
            character == '.' && !is_quoted
        })?;
        let bare = |name: &str| {
            let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
            quoted.map_or_else(|| name.to_owned(), |name| name.replace("\"\"", "\""))
        };
        Some((bare(schema), bare(name)))
    }

    /// The encoding of all texts, where this is the entry that tells it: `SET client_encoding = 'UTF8';`.
    pub(super) fn encoding(&self) -> Option<String> {
        if self.kind != "ENCODING" {
            return None;
        }
        let name = self.definition.split(|byte| *byte == b'\'').nth(1)?;
        let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        (is_name && !name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
    }

    /// About how many bytes of it stay in memory.
    pub(super) fn kept_bytes(&self) -> usize {
        // Names of tables are kept several times, beside the numbers.
        128 + 2 * (self.kind.len() + self.tag.len() + self.schema.len())
    }

    /// Whether it is a table that inherits from others.
    pub(super) fn inherits(&self) -> bool {
        let words = b"\nINHERITS (";
        self.kind == "TABLE" && self.definition.windows(words.len()).any(|part| part == words)
    }

    /// What a restore has to bring back of it; `None` where the data tells that, or where it is not the database's own.
    pub(super) fn object(self) -> Option<Object> {
        Object::new(self.kind, self.schema, self.tag, &self.definition)
    }

    /// The hash of the name of each column in the order in which `COPY` gives them.
    pub(super) fn columns(&self) -> Vec<[u8; 32]> {
        // COPY schema.table (a, "b c") FROM stdin;
        let (mut names, mut name) = (Vec::new(), Vec::new());
        let (mut is_quoted, mut is_within) = (false, false);
        for byte in &self.copy_statement {
            match byte {
                // A doubled quote ends and begins again: it stands for none in the hash, in both dumps.
                b'"' => is_quoted = !is_quoted,
                b'(' if !is_quoted && !is_within => is_within = true,
                b' ' if !is_quoted => {}
                b',' | b')' if !is_quoted && is_within => {
                    names.push(sha256(&name));
                    name.clear();
                    if *byte == b')' {
                        break;
                    }
                }
                byte if is_within => name.push(*byte),
                _ => {}
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_that_rows_are_loaded_through_is_found_whatever_it_is_called() {
        let root = |definition: &str| {
            let entry = Entry {
                definition: definition.as_bytes().to_vec(),
                ..Entry::default()
            };
            entry.root()
        };
        let name = |schema: &str, name: &str| Some((schema.to_owned(), name.to_owned()));
        assert_eq!(root("-- load via partition root public.t"), name("public", "t"));
        assert_eq!(
            root("-- load via partition root \"a.b\".\"c. \"\"d\"\"\""),
            name("a.b", "c. \"d\"")
        );
        assert_eq!(root("CREATE TABLE public.t ();"), None);
        assert_eq!(root(""), None);
    }

    #[test]
    fn a_dump_tells_its_encoding_by_a_name_and_nothing_else() {
        let encoding = |kind: &str, definition: &str| {
            let entry = Entry {
                kind: kind.to_owned(),
                definition: definition.as_bytes().to_vec(),
                ..Entry::default()
            };
            entry.encoding()
        };
        let of = |definition: &str| encoding("ENCODING", definition);
        assert_eq!(
            of("SET client_encoding = 'EUC_JIS_2004';\n").as_deref(),
            Some("EUC_JIS_2004")
        );
        for none in [
            "SET client_encoding = '';\n",
            "SET client_encoding = 'a\0b';\n",
            "SET client_encoding",
            "",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
        assert_eq!(encoding("STDSTRINGS", "SET client_encoding = 'UTF8';\n"), None);
    }

    #[test]
    fn columns_are_found_whatever_they_are_called() {
        let columns = |statement: &str| {
            let entry = Entry {
                copy_statement: statement.as_bytes().to_vec(),
                ..Entry::default()
            };
            entry.columns()
        };
        let names = |names: &[&str]| names.iter().map(|name| sha256(name.as_bytes())).collect::<Vec<_>>();
        assert_eq!(columns("COPY public.t (a, b) FROM stdin;\n"), names(&["a", "b"]));
        assert_eq!(columns("COPY public.t  FROM stdin;\n"), names(&[]));
        assert_eq!(
            columns("COPY \"a (b\".\"c, d)\" (\"e, (f)\", g, \"order\") FROM stdin;\n"),
            names(&["e, (f)", "g", "order"])
        );
    }
}
