"""Parts of a code with several counterparts, estimated by what the texts of both sides say."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import concordance
from naics_embed.classifications.fraction_rules import EQUAL, TEXT
from naics_embed.classifications.names import EDITIONS, NAICS2022
from naics_embed.geometry.arrays import pairwise_distance

if TYPE_CHECKING:
    from naics_embed.search.coder import Coder
    from naics_embed.search.searcher import Searcher

SHARPNESS = 10.0
"""Factor on cosines before the softmax."""
Embed = Callable[[list[str]], np.ndarray]
Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]


class TextParts:
    """Each text of a code votes for the counterparts whose texts are most like it.

    The texts of a code are its title and, of NAICS 2022, its known texts (index entries). They
    are also texts of the code of another classification to which the code of NAICS 2022 belongs
    as a whole. A text's vote is a softmax of its greatest similarity with the texts of each
    counterpart; the fraction is the mean vote.

    Titles of SCIAN are Spanish, which the encoders have not learned, so its parts are equal.

    Args:
        embed: texts → vectors, float ``(n, d)``.
        similarity: vectors of both sides → float ``(n, m)``, scaled for a softmax.
        known: code of NAICS 2022 → vectors of its known texts.
    """

    def __init__(
        self,
        embed: Embed,
        similarity: Similarity,
        known: dict[str, np.ndarray] | None = None,
    ) -> None:
        self._embed = embed
        self._similarity = similarity
        self._known = known or {}
        self._vectors: dict[tuple[str, str], np.ndarray] = {}

    @classmethod
    def of_coder(cls, coder: 'Coder') -> 'TextParts':
        """Return the rule by the frozen encoder, with the known texts of a bundle."""
        evidence = coder.evidence
        codes = list(coder.leaf_codes)
        order = np.argsort(evidence.labels, kind='stable')
        starts = np.searchsorted(evidence.labels[order], np.arange(len(codes) + 1))
        known = {
            code: evidence.embeddings[order[starts[i] : starts[i + 1]]]
            for i, code in enumerate(codes)
            if starts[i] < starts[i + 1]
        }

        def embed(texts: list[str]) -> np.ndarray:
            return coder.embed(texts)[1]

        return cls(embed, lambda a, b: SHARPNESS * (a @ b.T), known)

    @classmethod
    def of_searcher(cls, searcher: 'Searcher') -> 'TextParts':
        """Return the rule by geodesic distances of titles, by the trained encoder."""

        def embed(texts: list[str]) -> np.ndarray:
            return searcher.place(texts)

        def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            far = pairwise_distance(a, b, searcher.space.curvature)
            return -searcher.space.temperature * far

        return cls(embed, similarity)

    def parts(
        self, source: str, code: str, target: str, targets: Sequence[str]
    ) -> tuple[np.ndarray, str]:
        """Return weights; see `naics_embed.classifications.concordance.FractionRule`."""
        if 'es' in (EDITIONS[source].language, EDITIONS[target].language):
            return np.ones(len(targets)), EQUAL
        self._read([(source, code), *((target, one) for one in targets)])
        own = self._vectors[source, code]
        scores = np.column_stack(
            [self._similarity(own, self._vectors[target, one]).max(axis=1) for one in targets]
        )
        votes = np.exp(scores - scores.max(axis=1, keepdims=True))
        votes /= votes.sum(axis=1, keepdims=True)
        return votes.mean(axis=0), TEXT

    def prepare(self, path: Sequence[str]) -> None:
        """Encode the titles of all classifications of a chain together."""
        for name in path:
            if EDITIONS[name].language != 'es':
                self._read([(name, code) for code in Classification.load(name).leaf_codes])

    def vectors(self, name: str, code: str) -> np.ndarray:
        """Return the vectors of the texts of a code, ``(texts, width)``, its title first."""
        self._read([(name, code)])
        return self._vectors[name, code]

    def _read(self, keys: Sequence[tuple[str, str]]) -> None:
        """Encode the texts of codes that are not known yet."""
        new = [key for key in dict.fromkeys(keys) if key not in self._vectors]
        if not new:
            return
        titles = self._embed([Classification.load(name)[code].title for name, code in new])
        for (name, code), title in zip(new, titles, strict=True):
            whole = whole_codes(name).get(code, ()) if self._known else ()
            parts = [self._known[one] for one in whole if one in self._known]
            self._vectors[name, code] = np.concatenate([title[None], *parts])


@cache
def whole_codes(name: str) -> dict[str, tuple[str, ...]]:
    """Return code → six-digit codes of NAICS 2022 that belong to it as a whole."""
    tree = Classification.load(NAICS2022)
    leaves = [tree.codes[i] for i in tree.leaves.tolist()]
    if name == NAICS2022:
        return {code: (code,) for code in leaves}
    found: dict[str, tuple[str, ...]] = {}
    for code, targets in concordance(NAICS2022, name).leaf_links().items():
        if len(targets) == 1:
            [target] = targets
            found[target] = (*found.get(target, ()), code)
    return found
