"""The project's own texts under the codes of another edition of NAICS."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from naics_embed.evidence.terms import plain, words

TRAIN = 'train'
READ = 400
"""Characters of a title."""


def carried_texts(
    texts: pl.DataFrame, targets: Mapping[str, Sequence[str]], titles: Mapping[str, str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Replace the codes of labelled texts by what they are in another edition.

    A code that is one code there is replaced. Where it is several, a text for training gets the one
    whose title shares most with it, by the inverse frequency of the words; where none or
    several do so alike, and in the other splits, whose labels must hold, the text is left out.

    Args:
        texts: at least ``code``, ``text`` and ``split``.
        targets: code → codes of the other edition.
        titles: titles of those.

    Returns:
        the texts that are left, and how many were ``as_one``, ``by_words``, ``several`` and
        ``without``: the last two are left out.
    """
    stems = {code: set(words(plain(title, READ))) for code, title in titles.items()}
    frequency = Counter(word for found in stems.values() for word in found)
    rare = {word: math.log(1 + len(stems) / count) for word, count in frequency.items()}
    counts = dict.fromkeys(('as_one', 'by_words', 'several', 'without'), 0)
    codes: list[str | None] = []
    for code, text, split in texts.select('code', 'text', 'split').iter_rows():
        found = [target for target in targets.get(code, ()) if target in titles]
        chosen = found[0] if len(found) == 1 else None
        kind = 'as_one' if found else 'without'
        if len(found) > 1:
            chosen = _by_words(text, found, stems, rare) if split == TRAIN else None
            kind = 'several' if chosen is None else 'by_words'
        counts[kind] += 1
        codes.append(chosen)
    carried = texts.with_columns(pl.Series('code', codes, dtype=pl.String))
    return carried.filter(pl.col('code').is_not_null()), counts


def _by_words(
    text: str, found: Sequence[str], stems: Mapping[str, set[str]], rare: Mapping[str, float]
) -> str | None:
    """Return the code whose title shares most with a text; None where no one does."""
    own = set(words(plain(text, READ)))
    shared = {code: sum(rare[word] for word in stems[code] & own) for code in found}
    first, second = sorted(shared.values(), reverse=True)[:2]
    if first <= second:
        return None
    return max(shared, key=lambda code: shared[code])
