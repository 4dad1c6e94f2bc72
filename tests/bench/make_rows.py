"""Rows of the database, as COPY reads them.  make_rows.py orders FIRST COUNT | blobs COUNT | small"""
import json
import random
import sys

from words import words


def orders(first, count):
    rng = random.Random(1000 + first)
    for number in range(first, first + count):
        items = [
            {'sku': 'SKU-%06d' % rng.randrange(40000), 'qty': rng.randrange(1, 6), 'price': round(rng.random() * 200, 2),
             'name': words(rng, 3)}
            for _ in range(rng.randrange(1, 5))
        ]
        payload = {
            'ref': f'{rng.getrandbits(128):032x}', 'channel': rng.choice(['web', 'app', 'pos', 'api']),
            'ip': '10.%d.%d.%d' % (rng.randrange(256), rng.randrange(256), rng.randrange(256)), 'items': items,
            'address': {'street': words(rng, 2), 'city': words(rng, 1), 'zip': '%05d' % rng.randrange(99999)},
            'gift': rng.random() < .1,
        }
        email = '%s%d@example.%s' % (words(rng, 1), rng.randrange(9999), rng.choice(['com', 'org', 'net']))
        created = '2024-%02d-%02d %02d:%02d:%02d+00' % (1 + number * 12 // 1_000_000 % 12, rng.randrange(1, 28),
                                                       rng.randrange(24), rng.randrange(60), rng.randrange(60))
        status = rng.choice(['new', 'paid', 'sent', 'done', 'void'])
        yield (number, rng.randrange(90000), email, status, created, '%.2f' % (rng.random() * 1000),
               json.dumps(payload), words(rng, rng.randrange(4, 26)))


def blobs(count):
    rng = random.Random(99)
    for number in range(count):
        yield number, f'blob-{number}', '\\\\x' + rng.randbytes(rng.randrange(20000, 80000)).hex()


def small():
    """Two hundred small tables, as a script for psql."""
    rng = random.Random(5)
    for table in range(200):
        name = f'app_{table:03}'
        print(f'CREATE TABLE {name} (id int PRIMARY KEY, code text, name text NOT NULL, value numeric, '
              'updated timestamptz, attrs jsonb);')
        print(f'COPY {name} FROM stdin;')
        copy(
            (number, 'C%05d' % rng.randrange(99999), words(rng, 3), '%.3f' % (rng.random() * 99),
             '2024-03-%02d 10:00:00+00' % rng.randrange(1, 28), json.dumps({'a': rng.randrange(99), 'b': words(rng, 2)}))
            for number in range(rng.randrange(20, 1500))
        )
        print(f'\\.\nCREATE INDEX ON {name} (code);')


def copy(rows):
    for row in rows:
        sys.stdout.write('\t'.join(map(str, row)) + '\n')


match sys.argv[1:]:
    case ['orders', first, count]:
        copy(orders(int(first), int(count)))
    case ['blobs', count]:
        copy(blobs(int(count)))
    case ['small']:
        small()
    case _:
        sys.exit(__doc__)
