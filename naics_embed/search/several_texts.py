"""Codes for rows with several texts, of which some say less than others."""

from collections.abc import Sequence

import numpy as np

from naics_embed.classifications.names import NAICS2022
from naics_embed.evidence.reliability import PriorCode
from naics_embed.search.coder import Answer, Coder
from naics_embed.search.prior_codes import PriorCodes
from naics_embed.search.searcher import Hit
from naics_embed.taxonomy import LEAF_LEVEL, LEVELS, canonical_code

LEAST = 1e-12
"""Probabilities below count as this, so that none of a light text excludes a code."""
Weighed = tuple[tuple[str, float], ...]
"""The texts of a row, each with its weight."""


def pooled(parts: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Return the logarithmic pool of probabilities, ``p ∝ Π pᵢ^wᵢ``.

    It is what independent texts say together where the codes are equally frequent (Genest and
    Zidek, Statistical Science 1986); a weight below 1 makes a text say less.

    Args:
        parts: ``(rows, codes)`` each.
        weights: of the parts.
    """
    logs = sum(
        weight * np.log(np.maximum(part, LEAST))
        for part, weight in zip(parts, weights, strict=True)
    )
    powers = np.exp(logs - np.max(logs, axis=-1, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return result


def row_probabilities(coder: Coder, rows: Sequence[Weighed]) -> np.ndarray:
    """Return the probability of each six-digit code given all texts of a row.

    Args:
        coder: codes texts; each distinct one is coded once.
        rows: the texts of each row with their weights, at least one each.
    """
    texts = list(dict.fromkeys(text for row in rows for text, _ in row))
    p = coder.probabilities(texts) if texts else np.empty((0, len(coder.leaves)))
    at = {text: i for i, text in enumerate(texts)}
    own = np.empty((len(rows), len(coder.leaves)))
    for i, row in enumerate(rows):
        parts = [p[at[text]] for text, _ in row]
        # One text with the full weight keeps its probabilities to the last bit.
        alone = len(row) == 1 and row[0][1] == 1
        own[i] = parts[0] if alone else pooled(parts, [weight for _, weight in row])
    return own


def search_several(
    coder: Coder,
    rows: Sequence[Weighed],
    k: int,
    level: int | None,
    confidence: float,
    prior: tuple[PriorCodes, Sequence[PriorCode | None]] | None = None,
    classification: str = NAICS2022,
) -> list[Answer]:
    """Return ranked codes and the confident code of each row.

    Args:
        coder: codes texts; each distinct one is coded once.
        rows: the texts of each row with their weights, at least one each.
        k: how many codes.
        level: digits of the codes ranked.
        confidence: least probability of the confident code.
        prior: how far prior codes are trusted, and that of each row.
        classification: of the codes; see `Coder.search`.

    Returns:
        An answer a row. A row has no point, so the distances of its hits are NaN.
    """
    if not rows:
        return []
    levels = {digits: _codes_of(coder, digits) for digits in LEVELS}
    p = row_probabilities(coder, rows)
    if prior is not None:
        p = prior[0].fused(p, prior[1])
    if classification != NAICS2022:
        return _classified(coder, rows, p, k, level, confidence, classification)
    level = LEAF_LEVEL if level is None else level
    return [
        _answer(coder, row, own, levels, k, level, confidence)
        for row, own in zip(rows, p, strict=True)
    ]


def _classified(
    coder: Coder,
    rows: Sequence[Weighed],
    p: np.ndarray,
    k: int,
    level: int | None,
    confidence: float,
    classification: str,
) -> list[Answer]:
    found = coder.codes_of(classification).found(p, None, k, level, confidence)
    _, sectors = _codes_of(coder, LEVELS[0])
    likely = np.add.reduceat(p, sectors, axis=1).max(axis=1)
    provenance = coder.provenance.now()
    return [
        Answer(
            '; '.join(text for text, _ in row),
            hits,
            path,
            confident,
            confidence,
            starter=coder.starter,
            name_alone=all(coder.name_alone(own, float(sector)) for own, _ in row),
            provenance=provenance,
            classification=classification,
        )
        for row, sector, (hits, path, confident) in zip(rows, likely, found, strict=True)
    ]


Codes = tuple[list[int], np.ndarray]
"""Rows of the table, and where the six-digit codes below each begin."""


def _codes_of(coder: Coder, digits: int) -> Codes:
    codes = coder.searcher.codes
    leaves = [codes[leaf] for leaf in coder.leaves.tolist()]
    above = np.array([canonical_code(leaf[:digits]) for leaf in leaves])
    _, first = np.unique(above, return_index=True)
    # In the order of the leaves, which are together below each code.
    first = np.sort(first)
    row_of = {code: row for row, code in enumerate(codes)}
    return [row_of[code] for code in above[first].tolist()], first


def _answer(
    coder: Coder,
    row: Weighed,
    p: np.ndarray,
    levels: dict[int, Codes],
    k: int,
    level: int,
    confidence: float,
) -> Answer:
    sums = {digits: np.add.reduceat(p, first) for digits, (_, first) in levels.items()}
    order = np.argsort(-sums[level], kind='stable')[:k]
    hits = tuple(_hit(coder, levels[level][0][i], sums[level][i]) for i in order.tolist())
    best = int(levels[level][1][order[0]])
    path = []
    for digits, (codes, first) in levels.items():
        if digits > level:
            break
        i = int(np.searchsorted(first, best, side='right')) - 1
        path.append(_hit(coder, codes[i], sums[digits][i]))
    passing = [hit for hit in path if hit.probability >= confidence]
    text = '; '.join(text for text, _ in row)
    sector = float(sums[LEVELS[0]].max())
    alone = all(coder.name_alone(own, sector) for own, _ in row)
    confident = passing[-1] if passing else None
    return Answer(
        text,
        hits,
        tuple(path),
        confident,
        confidence,
        starter=coder.starter,
        name_alone=alone,
        provenance=coder.provenance.now(),
    )


def _hit(coder: Coder, row: int, probability: float) -> Hit:
    searcher = coder.searcher
    return Hit(
        searcher.codes[row],
        searcher.official[row],
        searcher.titles[row],
        int(searcher.level[row]),
        float('nan'),
        float(min(probability, 1.0)),
    )
