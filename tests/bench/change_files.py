"""Changes the tree that make_files.py made: 1 % of the files changed (appended to, edited in the middle, replaced), 0.5 %
removed, 0.5 % added.  change_files.py ROOT"""
import os
import random
import sys

from words import words


def replaced(rng, path, size):
    """Other content of the same kind: what was compressed stays incompressible."""
    if path.endswith(('.jpg', '.zip', '.pdf', '.bin')):
        return rng.randbytes(size)
    return words(rng, size // 6).encode()


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data)


def main(root):
    rng = random.Random(20240602)
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    changed, removed = len(paths) // 100, len(paths) // 200
    picked = rng.sample(paths, changed + removed)
    for number, path in enumerate(picked[:changed]):
        with open(path, 'rb') as file:
            data = bytearray(file.read())
        match number % 3:
            case 0:
                data += words(rng, 40).encode()
            case 1:
                at = rng.randrange(max(1, len(data)))
                data[at:at + 40] = words(rng, 8).encode()
            case _:
                data = replaced(rng, path, max(300, len(data)))
        write(path, data)
    for path in picked[changed:]:
        os.unlink(path)
    for number, path in enumerate(rng.sample(paths, removed)):
        size = os.path.getsize(path) if os.path.exists(path) else 30_000
        kind = path.rsplit('.', 1)[-1]
        write(f'{os.path.dirname(path)}/new-{number:06}.{kind}', replaced(rng, path, max(300, size)))
    print(f'{changed} files changed, {removed} removed, {removed} added')


main(sys.argv[1])
