"""Text of made-up words, some much more frequent than others."""
import random


def _vocabulary():
    rng = random.Random(7)
    consonants = 'b c d f g h j k l m n p r s t v w z st tr pl qu'.split()
    syllables = [consonant + vowel for consonant in consonants for vowel in 'a e i o u ai ou'.split()]
    return [''.join(rng.choice(syllables) for _ in range(rng.randint(1, 4))) for _ in range(6000)]


VOCABULARY = _vocabulary()


def words(rng, count):
    return ' '.join(VOCABULARY[int(6000 * rng.random() ** 2.2)] for _ in range(count))
