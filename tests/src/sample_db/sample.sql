-- A database with one of everything PostgreSQL has. {{rows}}: rows of the large table; {{tag}}: makes role names unique.

CREATE ROLE sample_owner_{{tag}} NOLOGIN;
CREATE ROLE sample_reader_{{tag}} NOLOGIN CONNECTION LIMIT 3;
CREATE ROLE "Sample Größe ""{{tag}}""" LOGIN PASSWORD 'never used' VALID UNTIL '2099-01-01 00:00:00+00';
GRANT sample_reader_{{tag}} TO sample_owner_{{tag}} WITH ADMIN OPTION;
ALTER ROLE sample_reader_{{tag}} SET work_mem = '8MB';

-- Extensions -----------------------------------------------------------------------------------------------------------
CREATE SCHEMA extensions;
CREATE EXTENSION pg_trgm WITH SCHEMA extensions;
CREATE EXTENSION hstore WITH SCHEMA extensions;
CREATE EXTENSION citext WITH SCHEMA extensions;
CREATE EXTENSION "uuid-ossp" WITH SCHEMA extensions;
CREATE EXTENSION btree_gist WITH SCHEMA extensions;
CREATE EXTENSION postgres_fdw WITH SCHEMA extensions;
COMMENT ON EXTENSION hstore IS 'a comment on an extension';
SET search_path = public, extensions;

-- Schemas, names -------------------------------------------------------------------------------------------------------
CREATE SCHEMA app AUTHORIZATION sample_owner_{{tag}};
CREATE SCHEMA "備份 Schema";
CREATE SCHEMA "weird.schema""with'quotes";
COMMENT ON SCHEMA "備份 Schema" IS E'a comment with ''quotes'', a\nnewline and \U0001F4BE';

CREATE TABLE "備份 Schema"."表格 Ünïcode 😀" ("欄 位" text, "select" int, "a""b" int, "per%cent" int, " " int, "$1" int);
INSERT INTO "備份 Schema"."表格 Ünïcode 😀" VALUES ('繁體中文', 1, 2, 3, 4, 5), (E'tab\t newline\n backslash\\ \\. \\N', 1, 2, 3, 4, 5), (NULL, NULL, NULL, NULL, NULL, NULL), ('', 0, 0, 0, 0, 0);
CREATE TABLE "weird.schema""with'quotes"."table.with.dots; DROP TABLE x; --" (id int PRIMARY KEY, "user" text);
INSERT INTO "weird.schema""with'quotes"."table.with.dots; DROP TABLE x; --" VALUES (1, 'x');
CREATE TABLE a_name_of_sixty_three_bytes_which_is_the_longest_that_there_is1 (another_name_of_sixty_three_bytes_as_long_as_a_name_can_be_12345 int);
INSERT INTO a_name_of_sixty_three_bytes_which_is_the_longest_that_there_is1 VALUES (63);
CREATE TABLE "UPPER" (id int); CREATE TABLE "upper" (id int); INSERT INTO "UPPER" VALUES (1); INSERT INTO "upper" VALUES (2), (3);
CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE dropped_column (a int, gone text, b int); INSERT INTO dropped_column VALUES (1, 'x', 2);
ALTER TABLE dropped_column DROP COLUMN gone; ALTER TABLE dropped_column ADD COLUMN added int DEFAULT 42; INSERT INTO dropped_column VALUES (3, 4, 5);
CREATE TABLE empty_table (id bigint PRIMARY KEY, note text);

-- Types ----------------------------------------------------------------------------------------------------------------
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', '很好', 'with''quote');
ALTER TYPE mood ADD VALUE 'between' BEFORE 'ok';
CREATE DOMAIN positive AS int DEFAULT 1 NOT NULL CONSTRAINT is_positive CHECK (VALUE > 0);
CREATE DOMAIN email AS citext CHECK (VALUE ~ '@');
COMMENT ON DOMAIN positive IS 'more than nothing';
CREATE TYPE address AS (street text, city text, zip varchar(10), floors int[]);
CREATE TYPE person AS (name text, home address);
CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE inch;
CREATE FUNCTION inch_in(cstring) RETURNS inch LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION inch_out(inch) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE inch (INPUT = inch_in, OUTPUT = inch_out, LIKE = int4);
CREATE CAST (inch AS int) WITHOUT FUNCTION AS ASSIGNMENT;

CREATE TABLE every_type (
    id serial PRIMARY KEY, small smallint, big bigint, exact numeric(30, 10), loose numeric, r real, d double precision, cash money,
    flag boolean, ch char(5), vc varchar(20), txt text, raw bytea, bits bit(5), varbits bit varying(20),
    dat date, tim time(3), timz timetz, ts timestamp, tsz timestamptz, span interval,
    j json, jb jsonb, jp jsonpath, x xml, u uuid, ip inet, net cidr, mac macaddr, mac8 macaddr8,
    pt point, ln line, seg lseg, bx box, pa path, poly polygon, circ circle,
    ints int[], matrix int[][], texts text[], moods mood[], addr address, persons person[],
    ir int4range, nr numrange, tr tstzrange, fr float_range, mr int8multirange,
    vec tsvector, q tsquery, m mood, pos positive, mail email, hs hstore, inches inch, lsn pg_lsn, cls regclass, oidcol oid
);
INSERT INTO every_type (small, big, exact, loose, r, d, cash, flag, ch, vc, txt, raw, bits, varbits, dat, tim, timz, ts, tsz, span, j, jb, jp, u, ip, net, mac, mac8,
    pt, ln, seg, bx, pa, poly, circ, ints, matrix, texts, moods, addr, persons, ir, nr, tr, fr, mr, vec, q, m, pos, mail, hs, inches, lsn, cls, oidcol)
VALUES (-32768, 9223372036854775807, 12345678901234567890.0123456789, 1e500, 'NaN', 'Infinity', 12.34, true, 'ab', 'varchar', 'text', '\x00ff5c27', B'10101', B'1', '4713-01-01 BC', '24:00', '23:59:59.999+14', '294276-12-31 23:59:59.999999', '4713-01-01 00:00:00 BC', '178000000 years -3 mons 5 days -04:05:06.789',
    '{"b": 1,  "a": [1,2 ]}', '{"b": 1, "a": {"\u5099": null}}', '$.a[*] ? (@ > 1)', '00000000-0000-0000-0000-000000000000', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
    '(1.5,-2)', '{1,2,3}', '[(0,0),(1,1)]', '((0,0),(1,1))', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),3>', '{1,NULL,3}', '[0:1][2:3]={{1,2},{3,4}}', ARRAY['', 'NULL', NULL, 'a"b', 'c,d', E'e\\f'], '{happy,很好}', ROW('a "street"', NULL, '', '{}'), ARRAY[ROW('x', ROW('s', 'c', 'z', '{1,2}'))::person],
    '[1,10)', '(,5]', '[2020-01-01 00:00:00+00,infinity)', 'empty', '{[1,3),[5,7)}', 'a:1A fat:2B cat:3', 'fat & (rat | !cat)', '很好', 5, 'User@Example.org', 'k=>v, "a b"=>NULL', '12', '16/B374D848', 'every_type', 4294967295),
    (0, -9223372036854775808, -0.0000000001, 'NaN', '-Infinity', '-0', '-92233720368547758.08', false, '', '', '', '', B'00000', B'', 'infinity', '00:00:00.001', '00:00:00-14', '-infinity', 'infinity', '0', 'null', '[]', '$', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '192.168.1.1', '2001:db8::/32', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00',
    '(NaN,Infinity)', '{0,1,0}', '[(0,0),(0,0)]', '((0,0),(0,0))', '((0,0))', '((0,0))', '<(1e308,1),0>', '{}', '{}', '{}', '{}', NULL, '{}', 'empty', '(,)', '(,)', '[1.5,2.5]', '{}', '', '''a b''', 'sad', 1, 'a@b', '', '-1', '0/0', NULL, 0);
INSERT INTO every_type DEFAULT VALUES;
-- XML is only there where the server was built with it.
DO $$ BEGIN UPDATE every_type SET x = '<a b="c">&amp;</a>' WHERE id = 1; EXCEPTION WHEN feature_not_supported THEN NULL; END $$;

CREATE TABLE binaries (id int PRIMARY KEY, small bytea, large bytea);
ALTER TABLE binaries ALTER large SET STORAGE EXTERNAL, ALTER small SET STORAGE MAIN;
INSERT INTO binaries SELECT i, decode(md5(i::text), 'hex'), decode(repeat(md5(i::text), 10000 * i), 'hex') FROM generate_series(0, 8) i;
SELECT lo_from_bytea(987001 , decode(repeat('00ff', 300000), 'hex')) \g /dev/null
SELECT lo_from_bytea(987002, '') \g /dev/null
SELECT lo_from_bytea(987003, 'one more') \g /dev/null
COMMENT ON LARGE OBJECT 987001 IS 'a large object';
GRANT SELECT ON LARGE OBJECT 987002 TO sample_reader_{{tag}};
ALTER LARGE OBJECT 987003 OWNER TO sample_owner_{{tag}};

-- Columns that make their own values; sequences -------------------------------------------------------------------------
CREATE TABLE generated (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 7 CACHE 3),
    by_default int GENERATED BY DEFAULT AS IDENTITY,
    price numeric, amount int, total numeric GENERATED ALWAYS AS (price * amount) STORED,
    made timestamptz DEFAULT '2020-02-02 02:02:02+00', uid uuid DEFAULT uuid_nil(),
    CONSTRAINT generated_pkey PRIMARY KEY (id) INCLUDE (price)
);
INSERT INTO generated (price, amount) SELECT i * 1.5, i FROM generate_series(1, 50) i;
CREATE SEQUENCE odd_sequence AS smallint INCREMENT BY -3 MINVALUE -300 MAXVALUE 300 START WITH 299 CACHE 5 CYCLE;
SELECT nextval('odd_sequence'), nextval('odd_sequence') \g /dev/null
CREATE SEQUENCE never_used; CREATE UNLOGGED SEQUENCE unlogged_sequence;
CREATE SEQUENCE at_the_end MAXVALUE 9223372036854775807; SELECT setval('at_the_end', 9223372036854775807, true) \g /dev/null
CREATE TABLE serials (id bigserial, small smallserial, other int DEFAULT nextval('odd_sequence'));
INSERT INTO serials DEFAULT VALUES;
ALTER SEQUENCE never_used OWNED BY serials.other;

-- Partitions, inheritance ----------------------------------------------------------------------------------------------
CREATE TABLE measured (at date NOT NULL, region text NOT NULL, value int, PRIMARY KEY (at, region)) PARTITION BY RANGE (at);
CREATE TABLE measured_2023 PARTITION OF measured FOR VALUES FROM ('2023-01-01') TO ('2024-01-01') PARTITION BY LIST (region);
CREATE TABLE measured_2023_asia PARTITION OF measured_2023 FOR VALUES IN ('TW', 'JP');
CREATE TABLE measured_2023_rest PARTITION OF measured_2023 DEFAULT;
CREATE TABLE measured_2024 (value int, region text NOT NULL, extra_order int, at date NOT NULL);
ALTER TABLE measured_2024 DROP COLUMN extra_order;
ALTER TABLE measured_2024 ADD PRIMARY KEY (at, region);
ALTER TABLE measured ATTACH PARTITION measured_2024 FOR VALUES FROM ('2024-01-01') TO (MAXVALUE);
CREATE TABLE measured_default PARTITION OF measured DEFAULT WITH (fillfactor = 70);
INSERT INTO measured SELECT '2022-06-01'::date + i, (ARRAY['TW', 'JP', 'DE', 'US'])[1 + i % 4], i FROM generate_series(0, 999) i;
CREATE INDEX measured_value ON measured (value DESC NULLS LAST) WHERE value > 10;
CREATE TABLE hashed (id int, t text) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE hashed_2 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO hashed SELECT i, md5(i::text) FROM generate_series(1, 300) i;
CREATE TABLE by_enum (m mood, n int) PARTITION BY LIST (m);
CREATE TABLE by_enum_good PARTITION OF by_enum FOR VALUES IN ('happy', '很好');
CREATE TABLE by_enum_null PARTITION OF by_enum FOR VALUES IN (NULL);
INSERT INTO by_enum VALUES ('happy', 1), (NULL, 2);
CREATE TABLE animal (name text NOT NULL CHECK (name <> ''), born date DEFAULT '2000-01-01');
CREATE TABLE dog (tricks text[]) INHERITS (animal);
CREATE TABLE robot_dog (volts int, born date DEFAULT '2100-01-01', CONSTRAINT strong CHECK (volts > 0) NO INHERIT) INHERITS (dog);
INSERT INTO animal VALUES ('cat'); INSERT INTO dog VALUES ('rex', NULL, '{sit}'); INSERT INTO robot_dog (name, volts) VALUES ('K9', 12);

-- Constraints, indexes, statistics --------------------------------------------------------------------------------------
CREATE TABLE left_side (id int PRIMARY KEY, right_id int NOT NULL, code text);
CREATE TABLE right_side (id int PRIMARY KEY, left_id int);
ALTER TABLE left_side ADD FOREIGN KEY (right_id) REFERENCES right_side DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE right_side ADD FOREIGN KEY (left_id) REFERENCES left_side ON DELETE SET NULL (left_id) ON UPDATE CASCADE DEFERRABLE;
BEGIN; INSERT INTO left_side SELECT i, i, 'code ' || i FROM generate_series(1, 20) i; INSERT INTO right_side SELECT i, 21 - i FROM generate_series(1, 20) i; COMMIT;
CREATE TABLE self_reference (id int PRIMARY KEY, parent int REFERENCES self_reference ON DELETE CASCADE);
INSERT INTO self_reference VALUES (1, 2), (2, 1), (3, 3);
ALTER TABLE left_side ADD CONSTRAINT not_checked CHECK (id < 10) NOT VALID;
ALTER TABLE left_side ADD CONSTRAINT unique_code UNIQUE NULLS NOT DISTINCT (code);
CREATE TABLE booking (room int, during tstzrange, who text, EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (who IS NOT NULL));
INSERT INTO booking VALUES (1, '[2024-01-01 10:00+00,2024-01-01 11:00+00)', 'a'), (1, '[2024-01-01 11:00+00,2024-01-01 12:00+00)', 'b');
CREATE INDEX every_type_expression ON every_type (lower(txt) text_pattern_ops, (jb -> 'a'));
CREATE INDEX every_type_trigrams ON every_type USING gin (txt gin_trgm_ops);
CREATE INDEX every_type_hash ON every_type USING hash (u);
CREATE INDEX every_type_spgist ON every_type USING spgist (pt);
CREATE INDEX every_type_brin ON every_type USING brin (ts) WITH (pages_per_range = 4);
CREATE UNIQUE INDEX every_type_mail ON every_type (mail) INCLUDE (vc) WHERE mail IS NOT NULL;
ALTER TABLE every_type CLUSTER ON every_type_pkey;
ALTER TABLE left_side REPLICA IDENTITY FULL;
CREATE STATISTICS every_type_statistics (ndistinct, dependencies, mcv) ON small, big, (lower(txt)) FROM every_type;
ALTER STATISTICS every_type_statistics SET STATISTICS 77;
ALTER TABLE every_type ALTER txt SET STATISTICS 500, ALTER txt SET (n_distinct = -0.5), ALTER txt SET COMPRESSION pglz;
ALTER TABLE every_type SET (autovacuum_enabled = off, fillfactor = 80);
COMMENT ON COLUMN every_type.txt IS 'a comment on a column'; COMMENT ON INDEX every_type_hash IS 'a comment on an index';
COMMENT ON CONSTRAINT not_checked ON left_side IS 'a comment on a constraint';
CREATE UNLOGGED TABLE unlogged_table (id int); INSERT INTO unlogged_table SELECT generate_series(1, 30);
CREATE TABLE typed OF address (street WITH OPTIONS PRIMARY KEY); INSERT INTO typed VALUES ('s', 'c', 'z', '{1}');

-- Functions, operators, casts, triggers ----------------------------------------------------------------------------------
CREATE FUNCTION app.add_up(a int, b int DEFAULT 2, VARIADIC rest int[] DEFAULT '{}') RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5
    RETURN a + b + cardinality(rest);
CREATE FUNCTION app.text_with_dollar() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
BEGIN
    RETURN 'a $$ and a ''quote'' and a \backslash';
END $body$;
CREATE FUNCTION app.rows_of(OUT id int, OUT name text) RETURNS SETOF record LANGUAGE sql ROWS 3 AS 'VALUES (1, ''a''), (2, ''b'')';
CREATE PROCEDURE app.tidy(INOUT n int) LANGUAGE plpgsql AS $$ BEGIN n := n + 1; COMMIT; END $$;
COMMENT ON PROCEDURE app.tidy(int) IS 'a procedure';
CREATE FUNCTION app.longest_step(state text, next text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN length(next) > length(coalesce(state, '''')) THEN next ELSE state END';
CREATE AGGREGATE app.longest(text) (SFUNC = app.longest_step, STYPE = text, INITCOND = '');
CREATE FUNCTION app.inch_same(inch, inch) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE OPERATOR app.=== (LEFTARG = inch, RIGHTARG = inch, FUNCTION = app.inch_same, COMMUTATOR = OPERATOR(app.===), HASHES);
CREATE OPERATOR FAMILY app.inch_family USING hash;
CREATE FUNCTION app.mood_to_int(mood) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT CASE $1 WHEN 'sad' THEN 0 ELSE 1 END $$;
CREATE CAST (mood AS int) WITH FUNCTION app.mood_to_int(mood) AS ASSIGNMENT;
CREATE TABLE audited (id int PRIMARY KEY, v text, changed int DEFAULT 0);
CREATE TABLE audit (what text, id int);
CREATE FUNCTION app.on_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.audit VALUES (TG_OP, coalesce(NEW.id, OLD.id));
    IF TG_OP <> 'DELETE' THEN NEW.changed := coalesce(NEW.changed, 0) + 1; END IF;
    RETURN NEW;
END $$;
-- A restore that fired this trigger would double the audit and raise every counter.
CREATE TRIGGER audited_change BEFORE INSERT OR UPDATE OF v ON audited FOR EACH ROW WHEN (NEW.v IS NOT NULL) EXECUTE FUNCTION app.on_change('argument', 'it''s');
INSERT INTO audited SELECT i, 'v' || i FROM generate_series(1, 10) i; UPDATE audited SET v = v || '!' WHERE id < 4;
CREATE CONSTRAINT TRIGGER audited_later AFTER INSERT ON audited DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.on_change();
ALTER TABLE audited ENABLE ALWAYS TRIGGER audited_change; ALTER TABLE audited DISABLE TRIGGER audited_later;
COMMENT ON TRIGGER audited_change ON audited IS 'a trigger';
CREATE TABLE ddl_log (command text);
CREATE FUNCTION app.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ddl_log VALUES (tg_tag); END $$;
CREATE EVENT TRIGGER "sample ddl" ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION app.on_ddl();
ALTER EVENT TRIGGER "sample ddl" ENABLE REPLICA;

-- Views, rules ----------------------------------------------------------------------------------------------------------
CREATE VIEW app.good_moods AS SELECT m, n FROM public.by_enum WHERE m >= 'ok' WITH LOCAL CHECK OPTION;
CREATE VIEW invoker_view WITH (security_invoker, security_barrier) AS SELECT * FROM app.good_moods;
CREATE RECURSIVE VIEW countdown (n) AS VALUES (3) UNION ALL SELECT n - 1 FROM countdown WHERE n > 0;
CREATE VIEW ruled AS SELECT id, v FROM audited;
CREATE RULE ruled_insert AS ON INSERT TO ruled DO INSTEAD INSERT INTO empty_table VALUES (NEW.id, NEW.v);
CREATE RULE quiet AS ON DELETE TO serials DO ALSO NOTIFY serials_deleted;
CREATE MATERIALIZED VIEW totals AS SELECT region, count(*) AS n, sum(value) AS total FROM measured GROUP BY region ORDER BY region;
CREATE UNIQUE INDEX totals_region ON totals (region);
CREATE MATERIALIZED VIEW totals_of_totals AS SELECT sum(total) FROM totals;
CREATE MATERIALIZED VIEW never_filled AS SELECT 1 AS one WITH NO DATA;
COMMENT ON VIEW countdown IS 'a view'; COMMENT ON MATERIALIZED VIEW totals IS 'a materialised view';

-- Rights, policies ------------------------------------------------------------------------------------------------------
CREATE TABLE guarded (tenant text, secret text); INSERT INTO guarded VALUES ('a', '1'), ('b', '2');
ALTER TABLE guarded OWNER TO sample_owner_{{tag}};
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON guarded FOR SELECT TO sample_reader_{{tag}} USING (tenant = current_setting('app.tenant', true));
CREATE POLICY "no ""deletes""" ON guarded AS RESTRICTIVE FOR DELETE TO PUBLIC USING (false);
CREATE POLICY writes ON guarded FOR INSERT WITH CHECK (secret IS NOT NULL);
COMMENT ON POLICY writes ON guarded IS 'a policy';
GRANT USAGE ON SCHEMA app TO sample_reader_{{tag}}, "Sample Größe ""{{tag}}""";
GRANT SELECT (id), UPDATE (v) ON audited TO sample_reader_{{tag}};
GRANT SELECT, INSERT ON every_type TO sample_reader_{{tag}} WITH GRANT OPTION; GRANT ALL ON odd_sequence TO PUBLIC;
REVOKE EXECUTE ON FUNCTION app.text_with_dollar() FROM PUBLIC; GRANT EXECUTE ON FUNCTION app.text_with_dollar() TO sample_reader_{{tag}};
REVOKE USAGE ON TYPE mood FROM PUBLIC; GRANT USAGE ON TYPE mood TO sample_owner_{{tag}};
REVOKE ALL ON TABLE empty_table FROM postgres;
ALTER DEFAULT PRIVILEGES FOR ROLE sample_owner_{{tag}} IN SCHEMA app GRANT SELECT ON TABLES TO sample_reader_{{tag}};
ALTER DEFAULT PRIVILEGES FOR ROLE sample_owner_{{tag}} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- Collations, text search, foreign data, publications ---------------------------------------------------------------------
CREATE COLLATION app.plain FROM "C";
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') THEN
        EXECUTE $c$ CREATE COLLATION app.german (provider = icu, locale = 'de-u-co-phonebk', deterministic = false) $c$;
        EXECUTE 'CREATE TABLE sorted (word text COLLATE app.german PRIMARY KEY)';
        EXECUTE $c$ INSERT INTO sorted VALUES ('Ärger'), ('Zebra'), ('ähnlich') $c$;
    END IF;
END $$;
CREATE TEXT SEARCH DICTIONARY app.short_words (TEMPLATE = simple, STOPWORDS = english, ACCEPT = false);
CREATE TEXT SEARCH CONFIGURATION app.search (COPY = english);
ALTER TEXT SEARCH CONFIGURATION app.search ALTER MAPPING FOR asciiword WITH app.short_words, english_stem;
COMMENT ON TEXT SEARCH CONFIGURATION app.search IS 'a search configuration';
CREATE TABLE documents (id int PRIMARY KEY, body text, found tsvector GENERATED ALWAYS AS (to_tsvector('app.search', body)) STORED);
INSERT INTO documents VALUES (1, 'The quick brown foxes are jumping'); CREATE INDEX ON documents USING gin (found);
CREATE FOREIGN DATA WRAPPER nothing OPTIONS (debug 'true');
CREATE SERVER elsewhere TYPE 'postgres' VERSION '15' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '192.0.2.1', dbname 'a ''quoted'' name');
CREATE USER MAPPING FOR sample_reader_{{tag}} SERVER elsewhere OPTIONS (user 'remote', password 'not a real one');
-- No data can be fetched from there, and none must be tried.
CREATE FOREIGN TABLE far_away (id int OPTIONS (column_name 'ID'), t text COLLATE "C") SERVER elsewhere OPTIONS (schema_name 'x', table_name 'y');
GRANT USAGE ON FOREIGN SERVER elsewhere TO sample_reader_{{tag}};
SET client_min_messages = error;
CREATE PUBLICATION some_rows FOR TABLE audited (id, v) WHERE (id > 3), ONLY animal WITH (publish = 'insert, delete');
CREATE PUBLICATION a_schema FOR TABLES IN SCHEMA app WITH (publish_via_partition_root = true);
RESET client_min_messages;
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE by_other_method (id int) USING heap_again; INSERT INTO by_other_method VALUES (1);
CREATE CONVERSION app.my_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;

-- The large table -------------------------------------------------------------------------------------------------------
CREATE TABLE large_table (id bigint PRIMARY KEY, code text NOT NULL, amount numeric(12, 2), made timestamptz, payload jsonb);
INSERT INTO large_table
    SELECT i, md5(i::text), (i % 100000) / 7.0, '2024-01-01 00:00:00+00'::timestamptz + i * interval '1 second',
           CASE WHEN i % 4 = 0 THEN jsonb_build_object('n', i, 'text', repeat(chr(97 + (i % 26)::int), (i % 40)::int)) END
    FROM generate_series(1, {{rows}}) i;
CREATE INDEX large_table_code ON large_table (code);
COMMENT ON TABLE large_table IS 'the large one';
