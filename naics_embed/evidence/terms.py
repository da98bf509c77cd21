"""Words, word pairs and character n-grams of a text, as the lexical evidence counts them."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

_WORD = re.compile(r'[^\W_]+')
_NOT_WORD = re.compile(r'[\W_]+')


def plain(text: str, limit: int) -> str:
    """Return lower-case letters and digits without accents, words separated by single blanks.

    Args:
        text: any text.
        limit: characters read; the lexical evidence of a longer text is that of its beginning.
    """
    kept = text[:limit].casefold()
    if not kept.isascii():
        folded = unicodedata.normalize('NFKD', kept)
        kept = ''.join(letter for letter in folded if not unicodedata.combining(letter))
    return _NOT_WORD.sub(' ', kept).strip()


def stem(word: str) -> str:
    """Return a word without its plural ending (the S-stemmer of Harman, JASIS 1991)."""
    if len(word) > 4 and word.endswith('ies') and word[-4] not in 'ae':
        return f'{word[:-3]}y'
    if len(word) > 4 and word.endswith('es') and word[-3] not in 'aeo':
        return word[:-1]
    if len(word) > 3 and word.endswith('s') and word[-2] not in 'us':
        return word[:-1]
    return word


def words(text: str) -> list[str]:
    """Return the stems of the words of a `plain` text, single letters left out."""
    return [stem(word) for word in _WORD.findall(text) if len(word) > 1]


def pairs(stems: Sequence[str]) -> list[str]:
    """Return neighbouring words of a text, in their order, joined by a blank."""
    return [f'{one} {other}' for one, other in pairwise(stems)]


def grams(text: str, size: int) -> list[str]:
    """Return the character n-grams inside the words of a `plain` text, blanks at both ends.

    They are those of scikit-learn's analyzer ``char_wb``.
    """
    result: list[str] = []
    for word in text.split():
        padded = f' {word} '
        result += [padded[i : i + size] for i in range(max(len(padded) - size, 0) + 1)]
    return result
