"""Codes for rows with several texts, of which some say less than others."""

from collections.abc import Sequence

import numpy as np

from naics_embed.evidence.reliability import PriorCode
from naics_embed.search.coder import Answer, Coder
from naics_embed.search.prior_codes import PriorCodes
from naics_embed.taxonomy import LEAF_LEVEL, LEVELS

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
    classification: str | None = None,
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
    p = row_probabilities(coder, rows)
    if prior is not None:
        p = prior[0].fused(p, prior[1])
    levels = coder.levels
    sums = levels.sums(p)
    name = coder.own if classification is None else classification
    if name == coder.own:
        level = LEAF_LEVEL if level is None else level
        ranked = [levels.ranked(sums, row, None, k, level, confidence) for row in range(len(rows))]
    else:
        ranked = coder.codes_of(name).ranked(p, None, k, level, confidence)
    sectors = sums[LEVELS[0]].max(axis=1).tolist()
    provenance = coder.provenance.now()
    return [
        Answer(
            '; '.join(text for text, _ in row),
            hits,
            path,
            confident,
            confidence,
            starter=coder.starter,
            name_alone=all(coder.name_alone(own, sector) for own, _ in row),
            provenance=provenance,
            classification=name,
        )
        for row, sector, (hits, path, confident) in zip(rows, sectors, ranked, strict=True)
    ]
