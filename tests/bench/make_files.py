"""Makes a tree of uploads: about 40,000 files, 1.5 GB, half of it incompressible.  make_files.py ROOT SCALE

Text and programs are cut from files of the system, each used once, and the rest is seeded random: always the same on one
system, alike on another.
"""
import json
import math
import os
import random
import sys

from words import words

START = 1_700_000_000
SPAN = 10**7


class Pool:
    """Endless real content: files of the system in sorted order, from the start again when all are used."""

    def __init__(self, folders, wanted):
        self.files, self.next, self.rounds, self.rest = [], 0, 1, b''
        seen = set()
        for folder in folders:
            for path, folders_below, names in os.walk(folder):
                folders_below.sort()
                for name in sorted(names):
                    file = os.path.join(path, name)
                    if file not in seen and not os.path.islink(file) and wanted(file):
                        seen.add(file)
                        self.files.append(file)

    def take(self, size):
        while len(self.rest) < size:
            with open(self.files[self.next], 'rb') as file:
                self.rest += file.read(4_000_000)
            self.next += 1
            if self.next == len(self.files):
                self.next, self.rounds = 0, self.rounds + 1
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken


TEXT = Pool(
    ['/usr/lib/python3', '/usr/lib/python3.11', '/usr/include', '/usr/share', '/usr/lib'],
    lambda file: file.endswith(('.py', '.h', '.hpp', '.json', '.yaml', '.txt', '.md', '.html', '.xml', '.pm', '.vim',
                                '.css', '.js', '.pod')),
)
PROGRAMS = Pool(
    ['/usr/lib/x86_64-linux-gnu', '/usr/lib/gcc', '/usr/bin'],
    lambda file: os.path.getsize(file) > 100_000,
)
JPEG = bytes.fromhex('ffd8ffe000104a46494600010101004800480000ffdb004300') + bytes(range(64)) + b'\xff\xc0\x00\x11\x08'


def documents(rng, size):
    records, total = [], 0
    while total < size:
        records.append({
            'id': f'{rng.getrandbits(128):032x}', 'ts': START + rng.randrange(SPAN), 'user': rng.randrange(50000),
            'type': rng.choice(['invoice', 'message', 'profile', 'audit', 'form']),
            'amount': round(rng.random() * 5000, 2), 'title': words(rng, 6), 'body': words(rng, rng.randrange(10, 60)),
            'tags': words(rng, 3).split(), 'active': rng.random() < .5,
        })
        total += 420
    return json.dumps(records, indent=1).encode()[:max(size, 300)]


def table(rng, size):
    lines, total = [], 0
    while total < size:
        line = '%d,%d,%s,%.2f,%s\n' % (rng.randrange(10**6), START + rng.randrange(SPAN),
                                       rng.choice(['paid', 'open', 'void']), rng.random() * 900, words(rng, 3))
        lines.append(line)
        total += len(line)
    return ''.join(lines).encode()


def pdf(rng, size):
    """Text between incompressible streams."""
    parts, left = [b'%PDF-1.7\n'], size
    while left > 0:
        text, stream = min(left, 3000), min(max(left - 3000, 0), 24000)
        parts.append(words(rng, text // 7).encode())
        parts.append(b'\nstream\n' + rng.randbytes(stream) + b'\nendstream\n')
        left -= text + stream
    return b''.join(parts)


def from_pool(pool):
    return lambda _, size: pool.take(size)


def noise(head):
    return lambda rng, size: head + rng.randbytes(size)


# Suffix, how many, sizes: mean, least, most; content.
KINDS = [
    ('json', 18000, 4500, 300, 60000, documents),
    ('txt', 12000, 6000, 200, 80000, from_pool(TEXT)),
    ('html', 3000, 45000, 2000, 400000, from_pool(TEXT)),
    ('csv', 1500, 60000, 2000, 600000, table),
    ('pdf', 1500, 110000, 8000, 1500000, pdf),
    ('jpg', 3500, 160000, 8000, 2500000, noise(JPEG)),
    ('bin', 440, 450000, 100000, 4000000, from_pool(PROGRAMS)),
    ('zip', 60, 3000000, 500000, 12000000, noise(b'PK\x03\x04')),
]


def size_of(rng, mean, least, most, sigma=0.8):
    return int(min(most, max(least, rng.lognormvariate(math.log(mean) - sigma * sigma / 2, sigma))))


def main(root, scale):
    rng, earlier = random.Random(20240601), None
    for kind, count, mean, least, most, content in KINDS:
        for number in range(max(1, round(count * scale))):
            tenant = rng.randrange(20)
            folder = f'{root}/tenant-{tenant:02}/{2020 + number % 5}/{1 + number // 5 % 12:02}'
            size = size_of(rng, mean, least, most)
            # Two in a hundred are the same as an earlier one.
            repeat = earlier is not None and rng.random() < 0.02
            data = earlier if repeat else content(rng, size)
            if rng.random() < 0.05:
                earlier = data
            os.makedirs(folder, exist_ok=True)
            path = f'{folder}/{kind}-{number:06}.{kind}'
            with open(path, 'wb') as file:
                file.write(data)
            changed = START + rng.randrange(SPAN)
            os.utime(path, (changed, changed))
    if TEXT.rounds > 1:
        print(f'the texts of this system were used {TEXT.rounds} times: peers that deduplicate gain from it')


main(sys.argv[1], float(sys.argv[2]))
