"""Titles, examples and cross references as options that can be read out."""

import re
from collections.abc import Sequence

import numpy as np

from naics_embed.evidence.known_texts import KnownTexts
from naics_embed.evidence.terms import plain, words

_BRACKET = re.compile(r'\s*\([^)]*\)')
_WHOLESALERS = re.compile(r'\bmerchant wholesalers\b', re.IGNORECASE)
_OTHER = re.compile(r'^(all other|other)\b( miscellaneous\b)?', re.IGNORECASE)
_EXAMPLE = re.compile(r"^[A-Z][A-Za-z'-]+( [a-z][a-z'-]+){0,4}$")
_PERSON = frozenset(
    ('we', 'i', 'my', 'our', 'us', 'you', 'your', 'they', 'who', 'and', 'or', 'for')
)
_PHRASE = re.compile(r"^[A-Za-z][A-Za-z ,'-]+$")
_NO_PHRASE = re.compile(
    r'\b(establishments|primarily|engaged|government|establishment|these|this|such|only)\b',
    re.IGNORECASE,
)
_GERUND = re.compile(r'^[a-z]+ing\b')
_EXCEPT = re.compile(r'\(except ([^)]*)\)')
_SAID = re.compile(
    r'^(manufacturing|retailing|wholesaling) (?=\w)'
    r'|(?<=\w) (manufacturing|merchant wholesalers)$',
    re.IGNORECASE,
)
"""What an example need not say again, where the title says it."""
MOST_EXCEPTED = 3
"""Words of the longest exception that is read out."""
_CHARACTERS = 200
MOST_PHRASE_WORDS = 12
"""Words of the longest cross reference that is read out."""


def option_title(title: str) -> str:
    """Return a title as a phrase: no brackets, no capitals but at the start.

    >>> option_title('Wine and Distilled Alcoholic Beverage Merchant Wholesalers')
    'Wine and distilled alcoholic beverage wholesale'
    >>> option_title('Office Furniture (except Wood) Manufacturing')
    'Office furniture manufacturing except wood'
    """
    excepted = _EXCEPT.search(title)
    kept = _BRACKET.sub('', title)
    kept = _WHOLESALERS.sub('Wholesale', kept)
    kept = _OTHER.sub('Other', kept)
    lowered = ' '.join(_lowered(word) for word in kept.split())
    if excepted is not None and len(excepted[1].split()) <= MOST_EXCEPTED:
        lowered += f' except {excepted[1].lower()}'
    return lowered[:1].upper() + lowered[1:]


def _lowered(word: str) -> str:
    letters = re.sub(r'[^A-Za-z]', '', word)
    capitals = sum(letter.isupper() for letter in letters)
    return word if capitals > 1 and '-' not in word and '/' not in word else word.lower()


def reference_phrase(phrase: str) -> str | None:
    """Return an activity of a cross reference as the end of "Is its main activity …?".

    None where it would not be short and grammatical there.
    """
    kept = ' '.join(_BRACKET.sub('', phrase).split()).rstrip('.,;')
    count = len(kept.split())
    if not 2 <= count <= MOST_PHRASE_WORDS or not _PHRASE.match(kept) or _NO_PHRASE.search(kept):
        return None
    first, _, rest = kept.partition(' ')
    lowered = f'{_lowered(first)} {rest}'
    return lowered if _GERUND.match(lowered) else None


def examples(
    known: KnownTexts,
    leaf: int,
    others: Sequence[int],
    embedding: np.ndarray,
    title: str,
    count: int,
) -> list[str]:
    """Return short known texts of a code that say what those of the other codes do not.

    The score of a text is its cosine with the mean of its own code, less the greatest with the
    means of the others, plus its cosine with the query. Its words must not all be in the title, nor
    in an example before it.

    Args:
        known: known texts.
        leaf: column of the code.
        others: columns of the codes that it is told from.
        embedding: float32 ``(width,)``, of the query.
        title: title of the code.
        count: at most so many.
    """
    if not count:
        return []
    begin = int(known.first[leaf])
    end = int(np.searchsorted(known.labels, leaf, side='right'))
    rows = [row for row in range(begin, end) if _readable(known.texts[row])]
    if not rows:
        return []
    points = known.embeddings[rows]
    score = points @ known.means[leaf] + points @ embedding
    if others:
        score -= (points @ known.means[list(others)].T).max(axis=1)
    said = set(words(plain(title, _CHARACTERS)))
    found: list[str] = []
    for at in np.argsort(-score, kind='stable').tolist():
        text = known.texts[rows[at]]
        new = set(words(plain(text, _CHARACTERS))) - said
        if new:
            found.append(_shortened(text, title))
            said |= new
            if len(found) == count:
                break
    return found


def _shortened(text: str, title: str) -> str:
    """Return an example without the words for the kind of business that the title has."""
    kept = text if text[1:2].isupper() else text[:1].lower() + text[1:]
    match = _SAID.search(kept)
    if match is not None and match[0].strip().split()[-1].lower()[:9] in title.lower():
        kept = kept[: match.start()] + kept[match.end() :]
    return kept


def _readable(text: str) -> bool:
    return bool(_EXAMPLE.match(text)) and _PERSON.isdisjoint(text.lower().split())


def option_text(title: str, shown: Sequence[str], most_words: int) -> str:
    """Return the option of a code: its title, with the examples for which there is room."""
    text = option_title(title)
    kept = list(shown)
    while kept:
        whole = f'{text}, such as {" or ".join(kept)}'
        if len(whole.split()) <= most_words:
            return whole
        kept.pop()
    return text
